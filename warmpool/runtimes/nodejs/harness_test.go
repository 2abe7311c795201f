package nodejs_test

import (
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/hearthfn/hearth/warmpool/runtimes/nodejs"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var language = runtimetest.Language{
	Files: nodejs.Files, Interpreter: node, Handler: "index.handler", Environment: "AWS_Lambda_nodejs22.x",
	Args: func(bootstrap string, f function) []string {
		args := nodejs.Args(bootstrap, 20, 256, f.Stem)
		if f.Large {
			args = append(args, "large")
		}
		return args
	},
}

type (
	function = runtimetest.Function
	process  = runtimetest.Process
	reply    = runtimetest.Reply
)

func launch(t testing.TB, f function) *process { t.Helper(); return language.Launch(t, f) }
func boot(t testing.TB, f function) *process   { t.Helper(); return language.Boot(t, f) }

// node is the interpreter: the one that the variable HEARTH_TEST_NODE names, so
// that the tests can be run with another version, or else the machine's.
func node(t testing.TB) string {
	t.Helper()
	name := os.Getenv("HEARTH_TEST_NODE")
	if name == "" {
		name = "node"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("no Node.js, install nodejs: %v", err)
	}
	return path
}
