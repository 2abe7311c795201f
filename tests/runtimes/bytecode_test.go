package runtimes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// compiledCode is a function that tells where its modules' bytecode is, and what it sees of it.
const compiledCode = `
import sys, os
import inner.module, shared
def handler(event, context):
    said = []
    for name in "app", "inner.module", "shared":
        cached = sys.modules[name].__cached__
        said.append("%s %s" % (cached.split("__pycache__")[0], os.path.exists(cached)))
    try:
        open("/var/task/__pycache__/new.pyc", "wb")
    except OSError as e:
        said.append(type(e).__name__)
    return {"statusCode": 200, "body": ", ".join(said + [inner.module.WORD, shared.WORD])}
`

// compiledSite configures n functions of the same code, each with its own environment, so that
// the first call of each is a cold start.
func compiledSite(s *harness.Server, n int, options string) {
	code := s.Archive("app.zip", map[string]string{
		"app.py": compiledCode, "inner/module.py": "WORD = 'inner'",
		// Left by the tests of its author: for another source of that name.
		"inner/__pycache__/module.cpython-311.pyc": "nonsense",
	})
	first := s.Archive("first.zip", map[string]string{"python/shared.py": "WORD = 'first'"})
	second := s.Archive("second.zip", map[string]string{"python/shared.py": "WORD = 'second'"})
	functions, site := options+"\n", ""
	for i := range n {
		functions += harness.PythonFunction(fmt.Sprintf("f%d", i), code, fmt.Sprintf("layer %s\nlayer %s", first, second))
		site += fmt.Sprintf("function /f%d f%d\n", i, i)
	}
	s.Configure(functions, site)
}

const (
	compiledAlready = "/var/task/ True, /var/task/inner/ True, /opt/python/ True, OSError, inner, second"
	compiledByEach  = "/var/task/ False, /var/task/inner/ True, /opt/python/ False, FileNotFoundError, inner, second"
)

func TestPythonIsCompiledOnceForEachArchive(t *testing.T) {
	harness.Parallel(t)
	for _, mode := range []string{"on", "off"} {
		t.Run("sandbox "+mode, func(t *testing.T) { onlyFirstCompiles(t, "sandbox "+mode, mode == "on", (*harness.Server).Spawn) })
	}
	t.Run("another user", func(t *testing.T) {
		onlyFirstCompiles(t, "", true, func(s *harness.Server) { startAsNobody(s, "") })
	})
}

func onlyFirstCompiles(t *testing.T, options string, inside bool, start func(*harness.Server)) {
	s := harness.NewServer(t, "", "")
	compiledSite(s, 3, options)
	starts := 0
	serve := func() {
		t.Helper()
		start(s)
		starts++
		harness.Eventually(t, "it serves", func() bool { return strings.Count(s.Output(), "serving initial configuration") == starts })
	}
	serve()
	want := func(path, body string) {
		t.Helper()
		got := s.Get(path)
		if !inside { // there it sees the paths of the machine, and may write
			if got.Status != 200 || strings.Count(got.Body, "True") != strings.Count(body, "True") {
				t.Errorf("%s: got %d %s", path, got.Status, got.Body)
			}
			return
		}
		got.Want(t, 200, body)
	}
	first := s.Get("/f0")
	if first.Status != 200 {
		t.Fatalf("got %d %s", first.Status, first.Body)
	}
	harness.Eventually(t, "code and layers are compiled", func() bool {
		folders, err := filepath.Glob(filepath.Join(s.Dir, "data/code/compiled/*-cpython-311/added"))
		return err == nil && len(folders) == 2
	})
	want("/f1", compiledAlready)

	// Damage is found when a server starts, and the function runs meanwhile.
	s.Stop()
	folders, err := filepath.Glob(filepath.Join(s.Dir, "data/code/compiled/*/tree/inner/__pycache__/*.pyc"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("got %v, %v", folders, err)
	}
	if err := os.Truncate(folders[0], 20); err != nil {
		t.Fatal(err)
	}
	serve()
	if got := s.Get("/f0"); got.Status != 200 || !strings.HasSuffix(got.Body, "inner, second") {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
	harness.Eventually(t, "what was damaged is compiled again", func() bool {
		info, err := os.Stat(folders[0])
		return err == nil && info.Size() > 20
	})
	want("/f2", compiledAlready)
}

func TestCompileCacheCanBeTurnedOff(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	compiledSite(s, 2, "compile_cache off")
	s.Start()
	s.Get("/f0").Want(t, 200, compiledByEach)
	s.Get("/f1").Want(t, 200, compiledByEach)
	if entries, err := os.ReadDir(filepath.Join(s.Dir, "data/code/compiled")); err != nil || len(entries) > 0 {
		t.Errorf("compiled is %v, %v", entries, err)
	}
}
