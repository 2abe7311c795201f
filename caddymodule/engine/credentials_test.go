package engine

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// What is only checked, by `caddy validate`, makes no key.
func TestAccessKeyIsMadeByTheFirstStart(t *testing.T) {
	e := open(t)
	ask := func() *Setup {
		s := prepare(t, e, settings())
		if _, err := s.Verifier(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	checked := ask()
	release(t, checked)
	if _, err := os.Stat(checked.CredentialsFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a check: %v", err)
	}
	first := ask()
	undo := apply(t, e, first)
	if key := first.FreshKey(); key == nil || key.Secret != first.credentials.secret {
		t.Error("whoever starts the server is not told its key")
	}
	info, err := os.Stat(first.CredentialsFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("after a start: %v, %v", info, err)
	}
	undo()
	release(t, first)
	second := ask()
	undo = apply(t, e, second)
	if second.credentials.secret != first.credentials.secret || second.credentials.secret == checked.credentials.secret {
		t.Error("the key of the first start is not the one that is kept")
	}
	if second.FreshKey() != nil {
		t.Error("a key that is kept is told again")
	}
	undo()
	release(t, second)
}
