package python_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes/python"
)

func versionOf(t testing.TB, interpreter string) string {
	t.Helper()
	out, err := exec.Command(interpreter, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(bytes.TrimPrefix(out, []byte("Python "))))
}

func TestCompiledBootstrapServes(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		dir := language.WriteBootstrap(t)
		version := versionOf(t, f.Interpreter)
		if err := python.Compile(t.Context(), f.Interpreter, version, dir); err != nil {
			t.Fatal(err)
		}
		// Where it runs is not where it was compiled.
		f.Bootstrap = filepath.Join(t.TempDir(), "runtime")
		if err := os.Rename(dir, f.Bootstrap); err != nil {
			t.Fatal(err)
		}
		f.Files = map[string]string{"app.py": "import sys\ndef handler(event, context):\n  return sys.modules['hearth_runtime'].__spec__.cached if event else 1 / 0\n"}
		p := launch(t, f)
		if cached := strings.Trim(p.Result(`1`), `"`); !strings.HasPrefix(cached, f.Bootstrap) {
			t.Errorf("runs %s", cached)
		} else if _, err := os.Stat(cached); err != nil {
			t.Error(err)
		}
		if e := p.Invoke(`0`).Failure(t); len(e.StackTrace) != 1 {
			t.Errorf("the bootstrap shows in the stack trace %q", e.StackTrace)
		}
	})
}

func TestCompileRunsOnceForEachVersionAndBootstrap(t *testing.T) {
	dir := language.WriteBootstrap(t)
	interpreter := pythons()[0]
	version := versionOf(t, interpreter)
	const nobody = "/nowhere/python3" // fails when it is run
	if err := python.Compile(t.Context(), nobody, version, dir); err == nil || !strings.Contains(err.Error(), "compile the bootstrap of Python "+version) {
		t.Fatalf("got %v, want an error of the interpreter", err)
	}
	if err := python.Compile(t.Context(), interpreter, version, dir); err != nil {
		t.Fatal(err)
	}
	if err := python.Compile(t.Context(), nobody, version, dir); err != nil {
		t.Errorf("it is compiled already: %v", err)
	}
	if err := python.Compile(t.Context(), nobody, "3.99.1", dir); err == nil {
		t.Error("taken for compiled by another version")
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "hearth_json.py"), later, later); err != nil {
		t.Fatal(err)
	}
	if err := python.Compile(t.Context(), nobody, version, dir); err == nil {
		t.Error("taken for compiled although a file was written since")
	}
}

func BenchmarkBoot(b *testing.B) {
	for _, path := range pythons() {
		for _, compiled := range []bool{false, true} {
			name := filepath.Base(path)
			dir := language.WriteBootstrap(b)
			if compiled {
				name += "/compiled"
				if err := python.Compile(b.Context(), path, versionOf(b, path), dir); err != nil {
					b.Fatal(err)
				}
			}
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					p := launch(b, function{Interpreter: path, Bootstrap: dir, Files: map[string]string{"app.py": "def handler(event, context): pass"}})
					p.Requests.Close()
					p.Wait()
					p.Replies.Close()
				}
			})
		}
	}
}
