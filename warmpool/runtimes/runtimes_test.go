package runtimes

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWriteBootstrapsReplacesWhatDiffersOnly(t *testing.T) {
	dir := t.TempDir()
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	if err := WriteBootstraps(dir); err != nil {
		t.Fatal(err)
	}
	same, changed := dir+"/python/bootstrap.py", dir+"/nodejs/bootstrap.js"
	for _, path := range []string{dir + "/python", dir + "/nodejs", same, changed} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if others := info.Mode().Perm() & 0o004; others == 0 {
			t.Errorf("%s has mode %s: other users cannot read it", path, info.Mode())
		}
	}
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(same, past, past); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, []byte("of an older version"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteBootstraps(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(same); err != nil || !info.ModTime().Equal(past) {
		t.Errorf("a file that was the same was written: %v, %v", info, err)
	}
	if text, err := os.ReadFile(changed); err != nil || strings.Contains(string(text), "older") {
		t.Errorf("a file of an older version is still there: %v", err)
	}
	left, err := filepath.Glob(dir + "/*/.new*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestCommandHasTheVariablesThatOnlyWorkFromTheStart(t *testing.T) {
	variables := map[string]string{
		"PATH": "/usr/bin", "LD_LIBRARY_PATH": "/opt/lib", "NODE_OPTIONS": "--no-warnings", "PYTHONHASHSEED": "0", "TZ": ":UTC",
		"MALLOC_ARENA_MAX": "2", "LC_ALL": "C.UTF-8", "TABLE": "orders", "AWS_REGION": "eu-central-1", "_HANDLER": "app.handler",
	}
	args, env := Command(Interpreter{Family: FamilyPython, Path: "/usr/bin/python3.11"}, "/var/runtime", 128, variables, false)
	if args[0] != "/usr/bin/python3.11" || args[len(args)-1] != "/var/runtime/bootstrap.py" {
		t.Errorf("got %q", args)
	}
	want := []string{"LC_ALL=C.UTF-8", "LD_LIBRARY_PATH=/opt/lib", "MALLOC_ARENA_MAX=2", "NODE_OPTIONS=--no-warnings", "PATH=/usr/bin", "PYTHONHASHSEED=0", "TZ=:UTC"}
	if !slices.Equal(env, want) {
		t.Errorf("got %q, want %q", env, want)
	}
	args, _ = Command(Interpreter{Family: FamilyNode, Path: "/usr/bin/node"}, "/var/runtime", 1000, nil, false)
	if args[0] != "/usr/bin/node" || args[len(args)-1] != "/var/runtime/bootstrap.js" || !slices.Contains(args, "--max-old-space-size=900") {
		t.Errorf("got %q", args)
	}
}

func TestCommandOfEachFamilyLoadsAHandler(t *testing.T) {
	dir := t.TempDir()
	if err := WriteBootstraps(dir); err != nil {
		t.Fatal(err)
	}
	code := t.TempDir()
	for name, text := range map[string]string{"app.py": "def handler(event, context): pass", "app.js": "exports.handler = async () => {}"} {
		if err := os.WriteFile(filepath.Join(code, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := NewFinder(nil, "")
	for _, runtime := range []string{"nodejs22.x", "python3.13"} {
		t.Run(runtime, func(t *testing.T) {
			in, _, err := f.Find(runtime)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := Precompile(t.Context(), in, dir); err != nil {
					t.Fatal(err)
				}
			}
			variables := map[string]string{"PATH": "/usr/bin:/bin"}
			args, env := Command(in, filepath.Join(dir, in.Family), 256, variables, false)
			payload, err := json.Marshal(InitPayload{Handler: "app.handler", TaskRoot: code, Env: variables, MemoryMB: 256, Concurrency: 1})
			if err != nil {
				t.Fatal(err)
			}
			frame := AppendHead(nil, Head{Kind: KindInit, Length: uint32(len(payload))})
			kinds := firstFrames(t, args, env, append(frame, payload...), 2)
			if !slices.Equal(kinds, []Kind{KindBooted, KindReady}) {
				t.Errorf("got %v, want booted and ready", kinds)
			}
		})
	}
}

// firstFrames starts a command, sends it request and returns the kinds of the
// first n frames.
func firstFrames(t *testing.T, args, env []string, request []byte, n int) []Kind {
	t.Helper()
	in, requests, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	replies, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer replies.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Stderr, cmd.ExtraFiles = env, t.Output(), []*os.File{in, out}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	defer cmd.Wait()
	defer requests.Close() // which ends it
	if _, err := requests.Write(request); err != nil {
		t.Fatal(err)
	}
	if err := replies.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var kinds []Kind
	for len(kinds) < n {
		buf := make([]byte, HeadSize)
		if _, err := io.ReadFull(replies, buf); err != nil {
			cmd.Process.Kill()
			t.Fatalf("after %v: %v", kinds, err)
		}
		head, err := ParseHead(buf)
		if err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, head.Length)
		if _, err := io.ReadFull(replies, payload); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %s", head.Kind, payload)
		kinds = append(kinds, head.Kind)
	}
	return kinds
}
