package socket

import (
	"context"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool"
)

func TestSocketsFollowTheNewestConfiguration(t *testing.T) {
	h := newHouse(t, Config{})
	c := h.dial()
	h.next("CONNECT")
	gate := make(chan struct{})
	h.answers(func(context.Context, *event) (string, error) {
		<-gate
		return ok, nil
	})
	h.write(c, `{"action":"tell"}`)
	h.next("MESSAGE")
	other := h.newStage(func(a *gateway.API) {
		a.Routes[3].Integration.Function = "tell-anew"
	})
	newest := h.Follow(func(context.Context, string, string) (*Stage, error) { return other, nil })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.follower.End(minute(t))
	}()
	select {
	case <-ended:
		t.Fatal("a configuration ended with a message that it answers")
	case <-time.After(50 * time.Millisecond): // else it would not have waited
	}
	close(gate)
	<-ended
	h.write(c, `{"action":"tell"}`)
	if e := h.next("MESSAGE"); e.function != "tell-anew" {
		t.Errorf("%s got a message of the newest configuration", e.function)
	}
	// Without a configuration that has their stage, sockets end by the last that had it.
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		h.wantClose(c, 1001)
	}()
	newest.End(minute(t))
	h.wantEnd(1001)
	<-closed
}

func TestCloseEndsAllSocketsAndRunsDisconnect(t *testing.T) {
	h := newHouse(t, Config{})
	for range 50 {
		c := h.dial()
		h.next("CONNECT")
		go func() { _, _, _ = c.Read(context.Background()) }() // answers the close
	}
	h.dialRaw() // does not, and is given up after five seconds
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	h.Close(ctx)
	for range 51 {
		h.wantEnd(1001)
	}
}

func TestCloseGivesUpWhatDoesNotEnd(t *testing.T) {
	h := newHouse(t, Config{})
	c := h.dial()
	h.next("CONNECT")
	h.answers(func(ctx context.Context, _ *event) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	h.write(c, `{"action":"tell"}`)
	h.next("MESSAGE")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.Close(ctx)
	if n := h.Sockets(); n != 0 {
		t.Errorf("%d sockets are open", n)
	}
}

func TestDisconnectRunsAgainAfterAThrottle(t *testing.T) {
	h := newHouse(t, Config{})
	c := h.dial()
	h.next("CONNECT")
	tries := 0
	h.answers(func(context.Context, *event) (string, error) {
		if tries++; tries < 3 {
			return "", &warmpool.ThrottledError{Function: "leave"}
		}
		return ok, nil
	})
	_ = c.CloseNow()
	for range 3 {
		h.wantEnd(1006)
	}
}

func TestPostsReachOnlyTheSocketOfTheirStage(t *testing.T) {
	h := newHouse(t, Config{})
	c := h.dial()
	id := h.next("CONNECT").RequestContext.ConnectionID
	h.write(c, `{"action":"other"}`)
	wantError(t, h.read(c), "Forbidden", id)
	if tag, ok := TagIn(id); !ok || tag != TagOf("here") {
		t.Errorf("%s has the tag %x, %v", id, tag, ok)
	}
	for name, to := range map[string][3]string{
		"another API": {"other", "prod", id}, "another stage": {"chat", "dev", id}, "another socket": {"chat", "prod", TagOf("here").newID()}, "none": {"chat", "prod", ""},
	} {
		if err := h.Post(to[0], to[1], to[2], []byte("x")); err != ErrGone {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := h.Post("", "", id, []byte("any")); err != nil || h.read(c) != "any" {
		t.Errorf("any API and stage: %v", err)
	}
	info, err := h.Info("chat", "prod", id)
	if err != nil || info.SourceIP != "192.0.2.1" || info.LastActiveAt.Before(info.ConnectedAt.Truncate(time.Millisecond)) {
		t.Errorf("%+v, %v", info, err)
	}
	if err := h.Hangup("chat", "prod", id); err != nil {
		t.Error(err)
	}
	if err := h.Hangup("chat", "prod", id); err != ErrGone {
		t.Errorf("closed twice: %v", err)
	}
	for _, nonsense := range []string{"", "x", "AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAA==", "AAAAAAAAAAAAAA+="} {
		if _, ok := TagIn(nonsense); ok {
			t.Errorf("%q has a tag", nonsense)
		}
	}
}
