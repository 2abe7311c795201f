package sigv4_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

func withSessions(c *sigv4.Config) { c.Tokens = bytes.Repeat([]byte{1}, 32) }

func as(s *sigv4.Session) func(*signing) {
	return func(to *signing) { to.id, to.secret, to.token = s.Key.ID, s.Key.Secret, s.Token }
}

func TestASessionSignsUntilItEnds(t *testing.T) {
	now := signedAt
	v := verifier(t, withSessions, func(c *sigv4.Config) { c.Now = func() time.Time { return now } })
	role := &sigv4.Role{Name: "shop", ID: "AROA", Session: "deploy"}
	s, err := v.NewSession(&sigv4.Key{ID: exampleID}, role, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, presign := range []bool{false, true} {
		key, err := verify(v, sign(t, received("GET", "/", ""), "", as(s), func(to *signing) { to.presign = presign }), "")
		if err != nil || key.ID != s.Key.ID || key.Parent != exampleID || key.ReadOnly || key.ARN("1") != "arn:aws:sts::1:assumed-role/shop/deploy" {
			t.Errorf("presigned %v: %+v %v", presign, key, err)
		}
	}
	chained, err := v.NewSession(&s.Key, nil, time.Minute)
	if err != nil || chained.Key.Parent != exampleID || chained.Key.ARN("1") != "arn:aws:iam::1:user/"+exampleID {
		t.Errorf("%+v %v", chained, err)
	}
	now = signedAt.Add(time.Hour)
	_, err = verify(v, sign(t, received("GET", "/", ""), "", as(s), func(to *signing) { to.at = now }), "")
	var refused *sigv4.Error
	if !errors.As(err, &refused) || refused.Code != "ExpiredTokenException" {
		t.Error(err)
	}
}

func TestASessionIsNoMoreThanItsAccessKey(t *testing.T) {
	v := verifier(t, withSessions)
	reader, err := v.NewSession(&sigv4.Key{ID: "AKIAREADER", ReadOnly: true}, nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := verify(v, sign(t, received("GET", "/", ""), "", as(reader)), ""); err != nil || !key.ReadOnly {
		t.Errorf("%+v %v", key, err)
	}
	// Without the access key there are no sessions of it.
	without := verifier(t, withSessions, func(c *sigv4.Config) { c.Keys = c.Keys[:1] })
	if _, err := verify(without, sign(t, received("GET", "/", ""), "", as(reader)), ""); err == nil {
		t.Error("a session outlives its access key")
	}
}

func TestTokensThatTheVerifierDidNotMakeAreRefused(t *testing.T) {
	v := verifier(t, withSessions)
	s, err := v.NewSession(&sigv4.Key{ID: exampleID}, nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other, err := v.NewSession(&sigv4.Key{ID: exampleID}, nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	foreign := verifier(t, func(c *sigv4.Config) { c.Tokens = bytes.Repeat([]byte{2}, 32) })
	for what, change := range map[string]func(*signing){
		"no token":            func(to *signing) { to.token = "" },
		"another's token":     func(to *signing) { to.token = other.Token },
		"the access key's ID": func(to *signing) { to.id, to.secret = exampleID, exampleSecret },
		"another secret":      func(to *signing) { to.secret = other.Key.Secret },
		"a changed token":     func(to *signing) { to.token = "A" + to.token[1:] },
		"a cut token":         func(to *signing) { to.token = to.token[:len(to.token)-4] },
		"no Base64":           func(to *signing) { to.token = "%%%" },
		"an empty token":      func(to *signing) { to.token = "AAAA" },
		"a long token":        func(to *signing) { to.token = strings.Repeat("A", 8<<10) },
	} {
		if what == "a changed token" && s.Token[0] == 'A' {
			continue
		}
		if _, err := verify(v, sign(t, received("GET", "/", ""), "", as(s), change), ""); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if _, err := verify(foreign, sign(t, received("GET", "/", ""), "", as(s)), ""); err == nil {
		t.Error("a token of another server is taken")
	}
	r := sign(t, received("GET", "/", ""), "", as(s))
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";x-amz-security-token", "", 1))
	if _, err := verify(v, r, ""); err == nil {
		t.Error("a token that is not signed is taken")
	}
	none := verifier(t)
	if _, err := verify(none, sign(t, received("GET", "/", ""), "", as(s)), ""); err == nil {
		t.Error("a verifier without sessions takes one")
	}
	if _, err := none.NewSession(&sigv4.Key{ID: exampleID}, nil, time.Hour); !errors.Is(err, sigv4.ErrNoSessions) {
		t.Error(err)
	}
}
