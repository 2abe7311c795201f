package caddymodule

import (
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
