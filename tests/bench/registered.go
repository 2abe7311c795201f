package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const registeredFunctions = 10_000

// registeredScenario starts and reloads a server of its own with many functions,
// each in a folder of its own, and calls one of them.
func registeredScenario(m machine) scenario {
	const name = "registered"
	return scenario{name: name, group: coldGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		folder, err := os.MkdirTemp(shared.folder, name)
		if err != nil {
			return nil, err
		}
		own := &stage{folder: folder, address: map[stack]string{}, roots: map[stack][]int{}}
		defer own.close()
		functions := make([]function, registeredFunctions)
		for i := range functions {
			f := function{name: fmt.Sprintf("f%d", i), runtime: m.nodeRuntime(), handler: "index.handler", code: fmt.Sprintf("node-%d", i), concurrency: 1}
			kind := "node"
			if i%2 == 1 {
				f.runtime, f.handler, f.code, kind = m.pythonRuntime(), "app.handler", fmt.Sprintf("python-%d", i), "python"
			}
			if err := os.CopyFS(own.asset(f.code), os.DirFS(shared.asset(kind))); err != nil {
				return nil, err
			}
			functions[i] = f
		}
		// Routes for a few: what is measured is Hearth, not so many routes of Caddy's.
		global, _ := own.hearthBlocks(functions)
		_, site := own.hearthBlocks(functions[:2])
		site += "\trespond /ready ok\n"

		began := time.Now()
		if err := own.startCaddy(ctx, shared.caddy, hearthStack, global, site, "/ready", "ok"); err != nil {
			return nil, err
		}
		started := time.Since(began)
		pid := own.servers[0].pid()
		before, err := residentMB(pid)
		if err != nil {
			return nil, err
		}
		client := newClient(1)
		defer client.CloseIdleConnections()
		first := call(ctx, client, own.address[hearthStack]+functions[0].path())
		if first.err != nil {
			return nil, first.err
		}
		began = time.Now()
		reload := exec.CommandContext(ctx, shared.caddy, "reload", "--force", "--adapter", "caddyfile",
			"--config", filepath.Join(folder, string(hearthStack)+".Caddyfile"))
		if output, err := reload.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("reload: %w: %s", err, output)
		}
		if err := expect(ctx, own.address[hearthStack]+functions[1].path(), greeting); err != nil {
			return nil, err
		}
		reloaded := time.Since(began)
		after, err := residentMB(pid)
		if err != nil {
			return nil, err
		}
		return []figure{
			{name, "functions", registeredFunctions},
			{name, "start to the first answer, ms", milliseconds(started)},
			{name, "memory after the start, MB", before},
			{name, "first call of one, ms", milliseconds(first.took)},
			{name, "reload and the first call of another, ms", milliseconds(reloaded)},
			{name, "memory after the reload, MB", after},
		}, nil
	}}
}

// residentMB is the resident memory of one process, without its children.
func residentMB(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kilobytes / 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", pid)
}
