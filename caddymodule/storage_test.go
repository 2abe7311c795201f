package caddymodule

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

// `caddy validate` beside a server, with a shorter retention, costs it no logs.
func TestStorageOfAnotherProcessIsOnlyLookedAt(t *testing.T) {
	dir := t.TempDir()
	server, err := boltstore.Open(boltstore.Config{Path: filepath.Join(dir, "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "logs", "pets", "20260102T150405.000Z.log")
	write := func() {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(old, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(old, long, long); err != nil {
			t.Fatal(err)
		}
	}
	write()
	a := &App{DataDir: dir, Logs: Logs{Retention: caddy.Duration(time.Hour)}, log: zap.NewNop()}
	s, err := openStorage(a)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(s.inUse, state.ErrInUse) {
		t.Errorf("in use: %v", s.inUse)
	}
	if _, err := os.Stat(old); err != nil {
		t.Errorf("the server's logs: %v", err)
	}
	if err := errors.Join(closeStorage(s), server.Close()); err != nil {
		t.Fatal(err)
	}
	// Its own it sweeps.
	if s, err = openStorage(a); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("logs past their retention: %v", err)
	}
	if err := closeStorage(s); err != nil {
		t.Fatal(err)
	}
}
