package python_test

import (
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/hearthfn/hearth/warmpool/runtimes/python"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var language = runtimetest.Language{
	Files: python.Files, Interpreter: func(testing.TB) string { return pythons()[0] }, Handler: "app.handler", Environment: "AWS_Lambda_python3.13",
	Args: func(bootstrap string, _ function) []string { return python.Args(bootstrap, false) },
}

type (
	function = runtimetest.Function
	process  = runtimetest.Process
)

func launch(t testing.TB, f function) *process { t.Helper(); return language.Launch(t, f) }
func boot(t testing.TB, f function) *process   { t.Helper(); return language.Boot(t, f) }

// pythons are the interpreters of this machine that Lambda has a runtime for: one
// of each version, by its path.
var pythons = sync.OnceValue(func() []string {
	home, _ := os.UserHomeDir()
	var found []string
	seen := make(map[string]bool)
	name := regexp.MustCompile(`^python3\.(9|1[0-9])$`)
	for _, pattern := range []string{"/usr/bin/python3.*", "/usr/local/bin/python3.*", home + "/.pyenv/versions/*/bin/python3.*"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if base := filepath.Base(path); name.MatchString(base) && !seen[base] {
				seen[base] = true
				found = append(found, path)
			}
		}
	}
	return found
})

// onEvery runs a test with every version of Python.
func onEvery(t *testing.T, test func(t *testing.T, f function)) {
	t.Helper()
	if len(pythons()) == 0 {
		t.Fatal("no Python 3.9 or later: install python3")
	}
	for _, path := range pythons() {
		t.Run(filepath.Base(path), func(t *testing.T) { test(t, function{Interpreter: path}) })
	}
}
