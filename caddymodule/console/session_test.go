package console

import (
	"fmt"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

var (
	keys  = []sigv4.Key{{ID: "AKIAFULL", Secret: "the secret of the full key"}, {ID: "AKIAREAD", Secret: "the secret of the reader", ReadOnly: true}}
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func begin(t *testing.T, s *Sessions, at time.Time) string {
	t.Helper()
	token, key, ok := s.begin(keys, "AKIAFULL", keys[0].Secret, at)
	if !ok || key.ID != "AKIAFULL" {
		t.Fatalf("no session begins with the right key: %v", key)
	}
	return token
}

func TestSessionBeginsWithTheIDAndSecretOfOneKeyOnly(t *testing.T) {
	var s Sessions
	for _, wrong := range [][2]string{
		{"AKIAFULL", "the secret of the reader"}, {"AKIAFULL", ""}, {"", "the secret of the full key"}, {"akiafull", "the secret of the full key"}, {"", ""},
	} {
		if _, _, ok := s.begin(keys, wrong[0], wrong[1], start); ok {
			t.Errorf("a session begins with %q", wrong)
		}
	}
	if len(s.sessions) != 0 {
		t.Errorf("%d sessions of wrong keys", len(s.sessions))
	}
	one, other := begin(t, &s, start), begin(t, &s, start)
	if one == other || len(one) < 40 {
		t.Errorf("tokens %q and %q", one, other)
	}
	if key := s.key(keys, one, start); key == nil || key.ReadOnly {
		t.Errorf("the session has the key %v", key)
	}
	token, _, _ := s.begin(keys, "AKIAREAD", keys[1].Secret, start)
	if key := s.key(keys, token, start); key == nil || !key.ReadOnly {
		t.Errorf("the reader's session has the key %v", key)
	}
	if s.key(keys, one+"x", start) != nil || s.key(keys, "", start) != nil {
		t.Error("a wrong token has a session")
	}
}

func TestSessionEndsWhenIdleWhenOldAndWhenItsKeyGoes(t *testing.T) {
	var s Sessions
	idle := begin(t, &s, start)
	if s.key(keys, idle, start.Add(IdleTime-time.Second)) == nil || s.key(keys, idle, start.Add(2*IdleTime-2*time.Second)) == nil {
		t.Error("a session that is used ends")
	}
	if s.key(keys, idle, start.Add(3*IdleTime)) != nil || s.key(keys, idle, start) != nil {
		t.Error("an idle session does not end, or comes back")
	}
	used := begin(t, &s, start)
	for at := start; at.Before(start.Add(LongestTime)); at = at.Add(IdleTime / 2) {
		if s.key(keys, used, at) == nil {
			t.Fatalf("the session ended after %s", at.Sub(start))
		}
	}
	if s.key(keys, used, start.Add(LongestTime)) != nil {
		t.Error("a session outlives the longest time")
	}
	rotated := begin(t, &s, start)
	if s.key([]sigv4.Key{{ID: "AKIAFULL", Secret: "another secret of that key"}}, rotated, start) != nil {
		t.Error("a session outlives its key's secret")
	}
	gone := begin(t, &s, start)
	if s.key(keys[1:], gone, start) != nil {
		t.Error("a session outlives its key")
	}
	left := begin(t, &s, start)
	s.end(left)
	if s.key(keys, left, start) != nil {
		t.Error("a session outlives its sign-out")
	}
	if n := len(s.sessions); n != 0 {
		t.Errorf("%d sessions are kept", n)
	}
}

func TestSessionsAreBoundedAndTheLongestUnusedEnds(t *testing.T) {
	var s Sessions
	first := begin(t, &s, start)
	second := begin(t, &s, start.Add(time.Second))
	for n := range maxSessions - 2 {
		begin(t, &s, start.Add(time.Minute+time.Duration(n)))
	}
	now := start.Add(2 * time.Minute)
	if s.key(keys, first, now) == nil {
		t.Fatal("the first session ended before there were too many")
	}
	begin(t, &s, now)
	if s.key(keys, first, now) == nil || s.key(keys, second, now) != nil {
		t.Error("not the session that was unused for longest ended")
	}
	if len(s.sessions) > maxSessions {
		t.Errorf("%d sessions", len(s.sessions))
	}
}

func TestWrongKeysAreLimitedByAddress(t *testing.T) {
	var s Sessions
	for range maxWrong {
		if s.wait("192.0.2.1", start) != 0 {
			t.Fatal("it waits too soon")
		}
		s.failed("192.0.2.1", start)
	}
	if s.wait("192.0.2.1", start) == 0 || s.wait("192.0.2.2", start) != 0 {
		t.Error("not the address that failed waits")
	}
	if s.wait("192.0.2.1", start.Add(wrongTime)) != 0 {
		t.Error("it waits for ever")
	}
	for range maxWrong {
		s.failed("2001:db8::1", start)
	}
	if s.wait("2001:db8::ffff", start) == 0 || s.wait("2001:db8:0:1::1", start) != 0 {
		t.Error("an IPv6 client is not its /64")
	}
	for n := range 2 * maxAttempts {
		s.failed(fmt.Sprintf("10.0.%d.%d", n/250, n%250), start.Add(time.Duration(n)))
	}
	if len(s.attempts) > maxAttempts {
		t.Errorf("%d addresses are counted", len(s.attempts))
	}
}
