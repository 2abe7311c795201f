package sigv4

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"
)

func TestCredentialsOfAnEnvironmentEndWithIt(t *testing.T) {
	e, other, now := NewEnvironments(), NewEnvironments(), time.Now()
	find := func(e *Environments, id, token string) (*Key, error) {
		data, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		return e.find(id, data, now)
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
		if key, _ := e.find(a.Key.ID, data, now); key != nil {
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
	if h, err := v.session(chained.Key.ID, chained.Token); err != nil || h.Role.Name != "three" {
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
