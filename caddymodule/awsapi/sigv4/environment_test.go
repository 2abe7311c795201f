package sigv4

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"
	"time"
)

func TestCredentialsOfAnEnvironmentEndWithIt(t *testing.T) {
	e, other, now := NewEnvironments("p"), NewEnvironments("q"), time.Now()
	find := func(e *Environments, id, token string) (*Key, error) {
		data, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		return e.find(t.Context(), id, data, now)
	}
	a, b := e.Begin("a", &Role{Name: "one"}), e.Begin("b", &Role{Name: "two"})
	key, err := find(e, a.Key.ID, a.Token)
	if err != nil || key.Secret != a.Key.Secret || key.Role.Name != "one" || key.Environment != "a" {
		t.Fatalf("%+v %v", key, err)
	}
	if _, err := find(e, b.Key.ID, a.Token); !errors.Is(err, errToken) {
		t.Errorf("the key of b with the token of a: %v", err)
	}
	if key, err := find(other, a.Key.ID, a.Token); key != nil || err != nil {
		t.Errorf("another process takes the token: %v %v", key, err)
	}
	data, _ := base64.StdEncoding.DecodeString(a.Token)
	for n := range data {
		data[n] ^= 1
		if key, _ := e.find(t.Context(), a.Key.ID, data, now); key != nil {
			t.Fatalf("byte %d can be changed", n)
		}
		data[n] ^= 1
	}
	v, err := New(Config{Keys: []Key{{ID: "AKID", Secret: "0123456789abcdef"}}, Environments: e, Tokens: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	chained, err := v.NewSession(key, &Role{Name: "three"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := v.session(t.Context(), chained.Key.ID, chained.Token); err != nil || h.Role.Name != "three" {
		t.Errorf("%+v %v", h, err)
	}
	now = now.Add(2 * time.Minute)
	if _, err := find(e, chained.Key.ID, chained.Token); !errors.Is(err, errExpired) {
		t.Errorf("a session after its time: %v", err)
	}
	now = now.Add(-2 * time.Minute)
	e.End("a")
	for _, s := range []*Session{a, chained} {
		if _, err := find(e, s.Key.ID, s.Token); !errors.Is(err, errExpired) {
			t.Errorf("a token of an environment that has ended: %v", err)
		}
	}
	if _, err := find(e, b.Key.ID, b.Token); err != nil {
		t.Errorf("b has not ended: %v", err)
	}
}

func TestAnotherNodeTakesCredentialsAsLongAsTheirEnvironmentLives(t *testing.T) {
	home, away, now := NewEnvironments("home"), NewEnvironments("away"), time.Now()
	var asked int
	var failure error
	ask := func(_ context.Context, process, environment string) (bool, error) {
		asked++
		return process == "home" && home.Lives(environment), failure
	}
	own := home.Begin("before", &Role{Name: "one"}) // its key is this node's own
	for _, e := range []*Environments{home, away} {
		e.Share(make([]byte, 32), ask)
	}
	s := home.Begin("a", &Role{Name: "one"})
	find := func(e *Environments, s *Session) error {
		data, err := base64.StdEncoding.DecodeString(s.Token)
		if err != nil {
			t.Fatal(err)
		}
		key, err := e.find(t.Context(), s.Key.ID, data, now)
		if err == nil && key == nil {
			err = errToken
		}
		return err
	}
	v, err := New(Config{Keys: []Key{{ID: "AKID", Secret: "0123456789abcdef"}}, Environments: away})
	if err != nil {
		t.Fatal(err)
	}
	data, _ := base64.StdEncoding.DecodeString(s.Token)
	key, err := away.find(t.Context(), s.Key.ID, data, now)
	if err != nil || key.Secret != s.Key.Secret || key.Role.Name != "one" {
		t.Fatalf("%+v %v", key, err)
	}
	chained, err := v.NewSession(key, &Role{Name: "two"}, time.Minute) // by the node that did not make it
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Environments{home, away} {
		if err := find(e, chained); err != nil {
			t.Errorf("a session that the other node made: %v", err)
		}
	}
	if asked != 1 {
		t.Errorf("the node was asked %d times within a second", asked)
	}
	if find(home, own) != nil || find(away, own) == nil {
		t.Error("credentials of before the cluster are those of their node")
	}
	now = now.Add(2 * time.Second)
	failure = errors.New("no way there")
	if err := find(away, s); !errors.Is(err, errUnknown) {
		t.Errorf("the node cannot be asked: %v", err)
	}
	failure = nil
	home.End("a")
	if err := find(away, s); !errors.Is(err, errExpired) {
		t.Errorf("the environment has ended: %v", err)
	}
}
