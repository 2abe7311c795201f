package caddymodule

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// provisioned is an app without a sandbox, as a reload makes one.
func provisioned(t *testing.T, dir string, functions map[string]*Function) *App {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	none := 0
	a := &App{DataDir: dir, Functions: functions, Sandbox: Sandbox{Mode: "off"}, Stems: &none}
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

// A reload may fail after this app has started: another one cannot bind its port.
func TestReloadThatFailsLeavesTheLimitsOfTheOneThatRuns(t *testing.T) {
	dir, code := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(code, "bootstrap"), []byte("#!/bin/true\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	pets := func(reserved int) map[string]*Function {
		return map[string]*Function{"pets": {Runtime: "provided.al2023", Handler: "bootstrap", Code: code, ReservedConcurrency: &reserved}}
	}
	running := provisioned(t, dir, pets(7))
	start(t, running)
	_, err := running.registry.Create(t.Context(), "made", registry.Configuration{Runtime: "provided.al2023", Handler: "bootstrap"},
		registry.Code{SHA256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, registry.State{State: "Active"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	held, err := running.catalog.Group(t.Context(), "made", function.Latest)
	if err != nil {
		t.Fatal(err)
	}
	failed := provisioned(t, dir, pets(1))
	start(t, failed)
	if n := *running.groups["pets"].Function().ReservedConcurrency; n != 1 {
		t.Errorf("the new configuration's reserved concurrency is %d, want 1", n)
	}
	cleanUp(t, failed)
	if n := *running.groups["pets"].Function().ReservedConcurrency; n != 7 {
		t.Errorf("after the reload has failed the reserved concurrency is %d, want 7", n)
	}
	if running.machinery.engine.current.Load() != running {
		t.Error("after the reload has failed nobody runs the events that are kept")
	}

	next := provisioned(t, dir, pets(7))
	defer cleanUp(t, next)
	start(t, next)
	cleanUp(t, running)
	if g, err := next.catalog.Group(t.Context(), "made", function.Latest); err != nil || g != held {
		t.Errorf("the reload that follows has not kept the environments of the API's functions, %v", err)
	}
}
