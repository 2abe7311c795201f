package caddymodule

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// What is only checked, by `caddy validate`, makes no key and prints none.
func TestAccessKeyIsMadeByTheFirstStart(t *testing.T) {
	dir := t.TempDir()
	checked := provisioned(t, dir, nil)
	if _, err := checked.verifier(); err != nil {
		t.Fatal(err)
	}
	cleanUp(t, checked)
	if _, err := os.Stat(checked.credentials()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a check: %v", err)
	}
	first := provisioned(t, dir, nil)
	if _, err := first.verifier(); err != nil {
		t.Fatal(err)
	}
	start(t, first)
	cleanUp(t, first)
	info, err := os.Stat(first.credentials())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("after a start: %v, %v", info, err)
	}
	second := provisioned(t, dir, nil)
	defer cleanUp(t, second)
	if _, err := second.verifier(); err != nil {
		t.Fatal(err)
	}
	start(t, second)
	if second.linkSecret != first.linkSecret || second.linkSecret == checked.linkSecret {
		t.Error("the key of the first start is not the one that is kept")
	}
}
