package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWhatNotEveryoneMayReadIsNotCopied(t *testing.T) {
	etc := folder(t, map[string]string{"certs/ca.crt": "public", "certs/key": "secret", "private/ca.crt": "secret"})
	for path, mode := range map[string]os.FileMode{"certs/key": 0o640, "private": 0o710} {
		if err := os.Chmod(filepath.Join(etc, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"certs/outside": filepath.Join(etc, "certs/ca.crt"), // not below /etc or /usr: copied
		"certs/link":    "/usr/bin/env",
		"certs/nowhere": "/nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(etc, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := &skeleton{root: folder(t, nil)}
	if err := s.copyTree(etc); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"certs/ca.crt": true, "certs/outside": true, "certs/link": true,
		"certs/key": false, "private": false, "certs/nowhere": false,
	} {
		_, err := os.Lstat(filepath.Join(s.root, etc, name))
		if got := !errors.Is(err, os.ErrNotExist); got != want {
			t.Errorf("%s is there: %v, want %v", name, got, want)
		}
	}
	if link, err := os.Readlink(filepath.Join(s.root, etc, "certs/link")); link != "/usr/bin/env" {
		t.Errorf("link is %q, %v", link, err)
	}
}

func TestEnvironmentsSeeANewResolvConf(t *testing.T) {
	s := open(t, Config{})
	p := start(t, s, Spec{ID: "running", Args: []string{"sh", "-c", "echo up; cat <&3; cat /etc/resolv.conf"}})
	p.line()
	// What was copied is older than what the machine has now.
	stale := filepath.Join(s.skeleton.root, "etc/resolv.conf")
	if err := os.WriteFile(stale, []byte("stale"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.skeleton.mu.Lock()
	delete(s.skeleton.fresh, "resolv.conf")
	s.skeleton.mu.Unlock()
	start(t, s, Spec{ID: "next", Args: []string{"true"}})
	p.stdin.Close()
	if exit := p.wait(); exit != (Exit{}) {
		t.Fatalf("ended with %v", exit)
	}
	if got, want := <-p.output, "up\n"+read(t, "/etc/resolv.conf"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPathsAreComparedResolved(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir + "/link":             dir,
		dir + "/link/later/a":     dir + "/later/a",
		"/":                       "/",
		"/nowhere/at/all":         "/nowhere/at/all",
		dir + "/link/link/link/a": dir + "/a",
	} {
		if got := clean(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	for _, c := range []struct {
		path, dir string
		want      bool
	}{{"/a/b", "/a", true}, {"/a", "/a", true}, {"/ab", "/a", false}, {"/a", "/a/b", false}, {"/a", "/", true}} {
		if got := within(c.path, c.dir); got != c.want {
			t.Errorf("%s within %s: %v", c.path, c.dir, got)
		}
	}
}
