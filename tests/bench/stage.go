package main

import (
	"context"
	"embed"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:embed assets
var assets embed.FS

// stage holds the running stacks. All run for the whole time, since an idle server costs
// nothing and starting one between measurements would.
type stage struct {
	caddy       string   // the binary
	folder      string   // temporary; gone after close
	options     string   // further lines of the hearth option
	site        string   // further lines of the site
	environment []string // further variables of the server
	servers     []*server
	address     map[stack]string // http://127.0.0.1:PORT of the stacks that run
	roots       map[stack][]int  // process ids whose families are a stack
	absent      map[stack]string // why a stack that was wanted does not run
}

// newStage starts the stacks that warm and scenarios need. Hearth may be missing from the
// binary or refuse to start: that is a result, and the others are measured all the same.
func newStage(ctx context.Context, caddy string, warm []target, scenarios []scenario) (_ *stage, err error) {
	s := &stage{caddy: caddy, address: map[stack]string{}, roots: map[stack][]int{}, absent: map[stack]string{}}
	if s.folder, err = os.MkdirTemp("", "hearth-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := os.CopyFS(s.folder, assets); err != nil {
		return nil, err
	}

	wanted := map[stack]bool{hearthStack: len(scenarios) > 0}
	var functions []function
	for _, t := range warm {
		wanted[t.stack] = true
		if t.stack == hearthStack {
			functions = append(functions, t.function)
		}
	}
	for _, scenario := range scenarios {
		functions = append(functions, scenario.functions...)
	}

	if wanted[respondStack] {
		if err := s.startRespond(ctx, caddy); err != nil {
			return nil, err
		}
	}
	if wanted[proxyStack] {
		if err := s.startProxy(ctx, caddy); err != nil {
			return nil, err
		}
	}
	if wanted[hearthStack] {
		if err := s.startHearth(ctx, caddy, functions); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			s.absent[hearthStack] = err.Error()
			progress("hearth is absent: %v", err)
		}
	}
	return s, nil
}

// close stops what runs, the latest first, and removes the temporary folder.
func (s *stage) close() {
	for i := len(s.servers) - 1; i >= 0; i-- {
		s.servers[i].stop()
	}
	if err := os.RemoveAll(s.folder); err != nil {
		progress("%v", err)
	}
}

// asset returns the absolute path of a file or folder below assets. What a scenario has made
// itself has an absolute path already.
func (s *stage) asset(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.folder, "assets", name)
}

func (s *stage) startRespond(ctx context.Context, caddy string) error {
	site := fmt.Sprintf("\theader Content-Type application/json\n\trespond `%s`\n", greeting)
	return s.startCaddy(ctx, caddy, respondStack, "", site, "/", greeting)
}

func (s *stage) startProxy(ctx context.Context, caddy string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	node, err := startServer("node", s.folder, "node", s.asset("backend.js"), strconv.Itoa(port))
	if err != nil {
		return err
	}
	s.servers = append(s.servers, node)
	if err := node.ready(ctx, fmt.Sprintf("http://127.0.0.1:%d/", port), greeting); err != nil {
		return err
	}
	site := fmt.Sprintf("\treverse_proxy 127.0.0.1:%d\n", port)
	if err := s.startCaddy(ctx, caddy, proxyStack, "", site, "/", greeting); err != nil {
		return err
	}
	s.roots[proxyStack] = append(s.roots[proxyStack], node.pid())
	return nil
}

func (s *stage) startHearth(ctx context.Context, caddy string, functions []function) error {
	modules, err := exec.CommandContext(ctx, caddy, "list-modules").Output()
	if err != nil {
		return fmt.Errorf("%s list-modules: %w", caddy, err)
	}
	if !strings.Contains(string(modules), "http.handlers.hearth_") {
		return fmt.Errorf("not built: %s has no module http.handlers.hearth_*", filepath.Base(caddy))
	}

	global, site := s.hearthBlocks(functions)
	// The functions stay cold until they are measured, so readiness is another route's.
	return s.startCaddy(ctx, caddy, hearthStack, global, site+s.site+"\trespond /ready ok\n\tmetrics /metrics\n", "/ready", "ok")
}

// hearthBlocks returns the global option that declares functions, and their routes.
func (s *stage) hearthBlocks(functions []function) (global, site string) {
	var declared strings.Builder
	routes := make(map[string]*strings.Builder)
	// Hundreds of functions are called once: their environments make room for the next.
	fmt.Fprintf(&declared, "\thearth {\n\t\tdata_dir %s\n\t\tidle_timeout 10s\n%s", filepath.Join(s.folder, "data"), s.options)
	for _, f := range functions {
		fmt.Fprintf(&declared, "\t\tfunction %s {\n", f.name)
		fmt.Fprintf(&declared, "\t\t\truntime %s\n\t\t\thandler %s\n\t\t\tcode %s\n", f.runtime, f.handler, s.asset(f.code))
		if f.alone {
			fmt.Fprintf(&declared, "\t\t\tenv LC_TIME C\n")
		}
		fmt.Fprintf(&declared, "\t\t\tmemory 256\n\t\t\ttimeout 30s\n")
		if f.concurrency > 0 {
			fmt.Fprintf(&declared, "\t\t\treserved_concurrency %d\n", f.concurrency)
		}
		declared.WriteString("\t\t}\n")
		if routes[f.kind()] == nil {
			routes[f.kind()] = new(strings.Builder)
		}
		fmt.Fprintf(routes[f.kind()], "\t\troute %s {\n\t\t\tfunction %s\n\t\t}\n", f.path(), f.name)
	}
	declared.WriteString("\t}\n")
	var all strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(routes)) {
		fmt.Fprintf(&all, "\troute /%s/* {\n%s\t}\n", kind, routes[kind])
	}
	return declared.String(), all.String()
}

// startCaddy serves site on a free port and waits until probe answers body.
func (s *stage) startCaddy(ctx context.Context, caddy string, as stack, global, site, probe, body string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	config := filepath.Join(s.folder, string(as)+".Caddyfile")
	text := fmt.Sprintf("{\n\tadmin unix//%s\n\tauto_https off\n%s}\n%s {\n%s}\n",
		filepath.Join(s.folder, string(as)+".sock"), global, address, site)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	argv := []string{caddy, "run", "--adapter", "caddyfile", "--config", config}
	if len(s.environment) > 0 {
		argv = slices.Concat([]string{"env"}, s.environment, argv)
	}
	server, err := startServer("caddy-"+string(as), s.folder, argv...)
	if err != nil {
		return err
	}
	s.servers = append(s.servers, server)
	if err := server.ready(ctx, address+probe, body); err != nil {
		return err
	}
	s.address[as] = address
	s.roots[as] = append(s.roots[as], server.pid())
	return nil
}
