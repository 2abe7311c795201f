package python_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestHandlerNames(t *testing.T) {
	files := map[string]string{
		"app.py":               "def handler(event, context): return 'app'",
		"pkg/__init__.py":      "",
		"pkg/sub/__init__.py":  "def handler(event, context): return 'package'",
		"pkg/sub/mod.py":       "from . import handler as h\ndef handler(event, context): return h(1, 2) + ' module'",
		"plain/folder/deep.py": "class C:\n  def __call__(self, event, context): return 'namespace'\nhandler = C()",
		"json.py":              "def handler(event, context): return 'shadow'",
	}
	onEvery(t, func(t *testing.T, f function) {
		for handler, want := range map[string]string{
			"app.handler": `"app"`, "pkg.sub.handler": `"package"`, "pkg/sub/mod.handler": `"package module"`,
			"pkg.sub.mod.handler": `"package module"`, "plain/folder/deep.handler": `"namespace"`,
		} {
			f.Files, f.Handler = files, handler
			if got := launch(t, f).Result(`{}`); got != want {
				t.Errorf("%s: got %s, want %s", handler, got, want)
			}
		}
	})
}

func TestInitErrorsHaveAWSNames(t *testing.T) {
	files := map[string]string{
		"app.py":     "import os",
		"missing.py": "import nowhere.at_all",
		"syntax.py":  "def handler(event, context):\n    return (",
		"raises.py":  "print('loading', end='')\nclass Broken(Exception): pass\nraise Broken('no database')",
	}
	cases := []struct{ handler, kind, message string }{
		{"nowhere.handler", "Runtime.ImportModuleError", "Unable to import module 'nowhere': No module named 'nowhere'"},
		{"missing.handler", "Runtime.ImportModuleError", "Unable to import module 'missing': No module named 'nowhere'"},
		{"app.nope", "Runtime.HandlerNotFound", "Handler 'nope' missing on module 'app'"},
		{"nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot': not enough values to unpack (expected 2, got 1)"},
		{"", "Runtime.MalformedHandlerName", "Bad handler '': not enough values to unpack (expected 2, got 1)"},
		{"sys.exit", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"},
		{"syntax.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'syntax': "},
		{"raises.handler", "Broken", "no database"},
	}
	onEvery(t, func(t *testing.T, f function) {
		for _, c := range cases {
			f.Files, f.Handler = files, c.handler
			p := boot(t, f)
			p.InitAs(f.Handler, f)
			r := p.Reply()
			e := r.Failure(t)
			if r.Kind != runtimes.KindInitError || e.ErrorType != c.kind || !strings.HasPrefix(e.ErrorMessage, c.message) {
				t.Errorf("%q: got %s %+v, want %s: %s", c.handler, r.Kind, e, c.kind, c.message)
			}
			if !strings.Contains(r.Log(), "[ERROR] "+c.kind+": "+c.message) {
				t.Errorf("%q: logged %q", c.handler, r.Logs)
			}
			if logs, status := p.Wait(); status != 1 || len(logs) > 0 {
				t.Errorf("%q: ended with status %d after %q, want 1", c.handler, status, logs)
			}
		}
	})
}

func TestExitWhileLoadingEndsTheProcessWithItsStatus(t *testing.T) {
	f := function{Files: map[string]string{"app.py": "import sys; print('no licence', end=''); sys.exit(5)"}}
	p := boot(t, f)
	p.Init(f)
	if logs, status := p.Wait(); status != 5 || strings.Join(logs, "|") != "log no licence" {
		t.Errorf("status %d after %q, want 5", status, logs)
	}
}

func TestModulesAreFoundInLambdasOrder(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{
			"app.py":           "import sys, os\ndef handler(event, context): return {'path': sys.path, 'cwd': os.getcwd(), 'modules': list(sys.modules)}",
			"extra.pth":        "vendored\n",
			"vendored/late.py": "",
		}
		p := launch(t, f)
		var got struct {
			Path []string
			Cwd  string
		}
		if err := json.Unmarshal([]byte(p.Result(`{}`)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Path[0] != p.TaskRoot || got.Cwd != p.TaskRoot {
			t.Errorf("first on the path is %s, working directory %s, want %s", got.Path[0], got.Cwd, p.TaskRoot)
		}
		if !strings.HasPrefix(got.Path[1], "/opt/python/lib/python3.") || got.Path[2] != "/opt/python" {
			t.Errorf("layers are not next on the path: %q", got.Path)
		}
		all := strings.Join(got.Path, "\n")
		standard := strings.Index(all, "/lib-dynload")
		machine := strings.LastIndex(all, "-packages")
		vendored := strings.Index(all, p.TaskRoot+"/vendored")
		if standard < 0 || machine < standard || vendored < standard || vendored > machine {
			t.Errorf("want Python's own, then .pth folders of the code, then the machine's packages: %q", got.Path)
		}
		for _, entry := range got.Path {
			if _, err := os.Stat(filepath.Join(entry, "hearth_runtime.py")); err == nil {
				t.Errorf("the bootstrap's folder is on the path: %q", got.Path)
			}
		}
	})
}

func TestPythonPathStandsInForLayers(t *testing.T) {
	extra := t.TempDir()
	f := function{
		Files: map[string]string{"app.py": "import sys\ndef handler(event, context): return sys.path[:3]"},
		Env:   map[string]string{"PYTHONPATH": extra + ":" + extra + "/b"},
		Early: []string{"PYTHONPATH=" + extra + ":" + extra + "/b"},
	}
	p := launch(t, f)
	if got, want := p.Result(`{}`), `["`+p.TaskRoot+`", "`+extra+`", "`+extra+`/b"]`; got != want {
		t.Errorf("path begins with %s, want %s", got, want)
	}
}

func TestModulesOfTheFunctionMayBeNamedAsOurs(t *testing.T) {
	f := function{Files: map[string]string{
		"app.py":       "import bootstrap\ndef handler(event, context): return bootstrap.name",
		"bootstrap.py": "name = 'theirs'",
	}}
	if got := launch(t, f).Result(`{}`); got != `"theirs"` {
		t.Errorf("got %s", got)
	}
}

func TestEnvironmentIsThatOfTheInitFrame(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": `
import os, time, subprocess
def handler(event, context):
    return [os.environ["TABLE"], os.environ["PATH"], time.strftime("%H", time.localtime(0)),
            subprocess.check_output(["sh", "-c", "echo $TABLE"]).decode()]
`}
		f.Env = map[string]string{"TABLE": "orders", "TZ": ":Asia/Tokyo"}
		if got, want := launch(t, f).Result(`{}`), `["orders", "/usr/bin:/bin", "09", "orders\n"]`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestWhatSiteGivesIsThere(t *testing.T) {
	f := function{Files: map[string]string{"app.py": "def handler(event, context): return [callable(quit), callable(exit), callable(help), bool(str(copyright))]"}}
	if got := launch(t, f).Result(`{}`); got != `[true, true, true, true]` {
		t.Errorf("got %s", got)
	}
}

func TestCodeIsNotWrittenTo(t *testing.T) {
	f := function{Files: map[string]string{"app.py": "import other\ndef handler(event, context): pass", "other.py": ""}}
	p := launch(t, f)
	if _, err := os.Stat(filepath.Join(p.TaskRoot, "__pycache__")); !os.IsNotExist(err) {
		t.Errorf("compiled code was written beside the function: %v", err)
	}
}

func TestStemEndsWhenItIsNotNeeded(t *testing.T) {
	p := boot(t, function{})
	p.Requests.Close()
	if logs, status := p.Wait(); status != 0 || len(logs) > 0 || p.Output.Len() > 0 {
		t.Errorf("status %d, frames %q, output %q", status, logs, p.Output.String())
	}
}

func TestCodeIsNotLookedForBeforeTheGoFrame(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Handler = "app.handler"
		f.Waits = func(p *process) bool {
			p.Add("app.py", "import os\ndef handler(event, context):\n    return os.getcwd() == os.path.dirname(__file__)\n")
			return true
		}
		if r := launch(t, f).Invoke(`{}`); r.Payload != "true" {
			t.Errorf("got %s", r.Payload)
		}
	})
}

func TestProcessEndsIfTheGoFrameNeverComes(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Waits = func(p *process) bool { p.Requests.Close(); return false }
		p := boot(t, f)
		p.Init(f)
		if logs, status := p.Wait(); len(logs) > 0 || status != 0 {
			t.Errorf("got %v, status %d", logs, status)
		}
	})
}
