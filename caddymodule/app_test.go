package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// provisioned is an app without a sandbox, as a reload makes one.
func provisioned(t *testing.T, a *App) *App {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	none := 0
	a.Sandbox, a.Stems = Sandbox{Mode: "off"}, &none
	if err := a.Provision(ctx); err != nil {
		t.Fatal(err, a.Cleanup())
	}
	return a
}

func cleanUp(t *testing.T, a *App) {
	t.Helper()
	if err := a.Cleanup(); err != nil {
		t.Error(err)
	}
}

func start(t *testing.T, a *App) {
	t.Helper()
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
}

// What is wrong is told in the order of names, whatever order a map has.
func TestFirstFunctionThatIsWrongIsNamed(t *testing.T) {
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		a := &App{DataDir: t.TempDir(), Functions: map[string]*Function{"c": {}, "a": {}, "b": {}, "d": {}}}
		err := a.Provision(ctx)
		if err == nil || err.Error()[:12] != `function "a"` {
			t.Fatalf("got %v", err)
		}
		cleanUp(t, a)
	}
}

func TestCodeThatIsMissingIsNamedWithWhatWasMeant(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "hello"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := (&Function{Runtime: "nodejs22.x", Handler: "index.handler", Code: filepath.Join(dir, "helo")}).resolve("f", caddy.NewReplacer())
	if want := fmt.Sprintf(`function "f": code: there is no folder or archive %s/helo: did you mean hello?`, dir); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := codePath(dir + "/not/there"); err == nil || !strings.Contains(err.Error(), "there is no folder") {
		t.Errorf("of a folder that is missing too: %v", err)
	}
}

func TestConfigurationsOfADataDirectoryShareAnEngine(t *testing.T) {
	dir := t.TempDir()
	running := provisioned(t, &App{DataDir: dir})
	start(t, running)
	next := provisioned(t, &App{DataDir: dir, Concurrency: 7})
	if next.engine != running.engine || runningEngine() != running.engine.Engine {
		t.Error("a reload has opened another engine")
	}
	cleanUp(t, running)
	start(t, next)
	cleanUp(t, next)
	if runningEngine() != nil {
		t.Error("an engine runs after the last configuration is gone")
	}
}
