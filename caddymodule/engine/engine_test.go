package engine

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/logs"
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
	config := Config{Dir: dir, Logs: logs.Config{Retention: time.Hour}, Log: zap.NewNop()}
	s, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(s.inUse, state.ErrInUse) {
		t.Errorf("in use: %v", s.inUse)
	}
	if _, err := os.Stat(old); err != nil {
		t.Errorf("the server's logs: %v", err)
	}
	if err := errors.Join(s.Close(t.Context()), server.Close()); err != nil {
		t.Fatal(err)
	}
	// Its own it sweeps.
	if s, err = Open(config); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("logs past their retention: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCodeIsGivenUpWhenItWasUnusedTwice(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	upload := func(name string, age time.Duration) code.Digest {
		t.Helper()
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		if _, err := z.Create(name); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		a, err := s.archives.Add(t.Context(), &b, code.MaxUpload)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(s.Dir, "code", "archive", string(a.Digest)), at, at); err != nil {
			t.Fatal(err)
		}
		return a.Digest
	}
	used, unused, young := upload("used", 2*time.Hour), upload("unused", 2*time.Hour), upload("young", time.Minute)
	_, err = s.registry.Create(t.Context(), "f", registry.Configuration{Runtime: "nodejs22.x"}, registry.Code{SHA256: used.Base64()}, registry.State{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var before map[code.Digest]bool
	round := func(ctx context.Context, want string, digests ...code.Digest) {
		t.Helper()
		before, err = s.collectOnce(ctx, before)
		there := ""
		for _, d := range digests {
			file, err := s.archives.Open(t.Context(), d)
			if err != nil {
				there += "-"
				continue
			}
			there += "+"
			file.Close()
		}
		if there != want {
			t.Errorf("there are %s, want %s", there, want)
		}
	}
	round(t.Context(), "+++", used, unused, young) // a server that has just begun knows nothing of before
	if err := s.registry.Delete(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	round(t.Context(), "+-+", used, unused, young) // calls of what was deleted since may run on
	stopped, stop := context.WithCancel(t.Context())
	stop()
	round(stopped, "+-+", used, unused, young)
	if err == nil {
		t.Error("a look that was broken off is taken for a whole one")
	}
	round(t.Context(), "--+", used, unused, young)
}
