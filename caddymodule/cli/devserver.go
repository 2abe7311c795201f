package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A devServer runs a project in a process of its own.
type devServer struct {
	*Context
	work string // a folder that is removed at the end
	port int
	// read reads the project.
	read    func() (*devProject, error)
	project *devProject
	// changed is when the template was edited that project is of, or that was refused.
	changed  time.Time
	local    *Context // for what this server answers
	printers map[string]*logPrinter
}

func (s *devServer) url() string   { return fmt.Sprintf("http://localhost:%d", s.port) }
func (s *devServer) admin() string { return "unix/" + filepath.Join(s.work, "admin.sock") }

// routed says that an API's route leads to a function, so that it has no path of its own.
func (p *devProject) routed(f *devFunction) bool {
	for _, api := range p.apis {
		if api.takes(f.Name) {
			return true
		}
	}
	return false
}

// several says that a function's path begins with its name, as there is something beside it.
func (p *devProject) several() bool { return len(p.functions) > 1 || len(p.apis) > 0 }

// configuration is Caddy's configuration of a project, in JSON.
func (s *devServer) configuration(p *devProject) ([]byte, error) {
	defined, routes := object{}, []object{}
	for _, f := range p.functions {
		made := object{"runtime": f.Runtime, "handler": f.Handler, "code": f.dir}
		for name, value := range map[string]int{"memory": f.Memory, "ephemeral_storage": f.Storage} {
			if value != 0 {
				made[name] = value
			}
		}
		if f.Timeout != 0 {
			made["timeout"] = fmt.Sprintf("%ds", f.Timeout)
		}
		if len(f.Layers) > 0 {
			made["layers"] = f.Layers
		}
		if len(f.Env) > 0 {
			escaped := make(map[string]string, len(f.Env)) // a brace would be Caddy's placeholder
			for name, value := range f.Env {
				escaped[name] = strings.ReplaceAll(value, "{", `\{`)
			}
			made["env"] = escaped
		}
		if defined[f.Name] != nil {
			return nil, usage("two functions have the name %s: give one another name", f.Name)
		}
		defined[f.Name] = made
		if p.routed(f) {
			continue
		}
		route := object{"handle": []object{{"handler": "hearth_function", "function": f.Name, "reveal_errors": true}}}
		if p.several() {
			route["match"] = []object{{"path": []string{"/" + f.Name, "/" + f.Name + "/*"}}}
		}
		routes = append(routes, route)
	}
	for n, api := range p.apis {
		routes = append(routes, api.route(n == len(p.apis)-1))
	}
	if p.several() && len(p.apis) == 0 {
		text := "functions:\n"
		for _, f := range p.functions {
			text += "  /" + f.Name + "\n"
		}
		routes = append(routes, object{"handle": []object{{"handler": "static_response", "status_code": 404, "body": text}}})
	}
	return json.Marshal(object{
		"admin":   object{"listen": s.admin(), "config": object{"persist": false}},
		"logging": object{"logs": object{"default": object{"level": "WARN", "exclude": []string{"admin", "http.handlers.hearth_function", "http.handlers.hearth_api"}}}},
		"apps": object{
			"hearth": object{"data_dir": filepath.Join(s.work, "data"), "functions": defined, "sandbox": object{"mode": s.text("sandbox")}},
			"http": object{"servers": object{"dev": object{
				"listen": []string{fmt.Sprintf("127.0.0.1:%d", s.port), fmt.Sprintf("[::1]:%d", s.port)}[:listeners()], "automatic_https": object{"disable": true}, "protocols": []string{"h1"}, "routes": routes,
			}}},
		},
	})
}

// listeners is 2 where this machine has IPv6.
func listeners() int {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return 1
	}
	l.Close()
	return 2
}

// serve runs the server, and prints what functions log until ctx ends.
func (s *devServer) serve(ctx context.Context) error {
	configuration, err := s.configuration(s.project)
	if err != nil {
		return err
	}
	path := filepath.Join(s.work, "caddy.json")
	if err := os.WriteFile(path, configuration, 0o600); err != nil {
		return err
	}
	program, arguments, err := s.Server(path)
	if err != nil {
		return err
	}
	server := exec.Command(program, arguments...)
	server.Env = append(os.Environ(), "XDG_DATA_HOME="+s.work, "XDG_CONFIG_HOME="+s.work)
	server.Stdout, server.Stderr = s.Err, s.Err
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // Ctrl-C is this command's
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		// The signal comes when the thread ends that started the process, not only with this
		// process: this one lives until the server has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := server.Start()
		started <- err
		if err == nil {
			ended <- server.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	stop := func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(devEndsWithin):
			_ = server.Process.Kill()
			<-ended
		}
	}
	s.local = &Context{Flags: s.Flags, Out: s.Out, Err: s.Err, Getenv: func(string) string { return "" }, DataDir: filepath.Join(s.work, "data")}
	for deadline := time.Now().Add(devStartsWithin); ; {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			conn.Close()
			if _, err := os.Stat(filepath.Join(s.local.DataDir, "admin")); err == nil {
				break
			}
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the server ended: %w", cmp.Or(err, errors.New("it says why above")))
		case <-ctx.Done():
			stop()
			return nil
		case <-time.After(devPoll / 10):
		}
		if time.Now().After(deadline) {
			stop()
			return errors.New("the server does not start")
		}
	}
	s.announce()
	for {
		if err := s.follow(ctx); err != nil {
			stop()
			return err
		}
		select {
		case <-ctx.Done():
			stop()
			return nil
		case err := <-ended:
			return fmt.Errorf("the server ended: %w", cmp.Or(err, errors.New("it says why above")))
		case <-time.After(devPoll):
		}
	}
}

// follow prints what is new in the logs, and takes over what was edited.
func (s *devServer) follow(ctx context.Context) error {
	if s.printers == nil {
		s.printers = make(map[string]*logPrinter)
	}
	for _, f := range s.project.functions {
		p := s.printers[f.Name]
		if p == nil {
			t, err := s.local.target()
			if err != nil {
				return err
			}
			p = &logPrinter{Context: s.Context, api: t.logs(), group: "/aws/lambda/" + f.Name, mark: "/" + f.Name + "[", seen: map[string]struct{}{}, left: -1}
			s.printers[f.Name] = p
		}
		p.folder = f.folder()
		if err := p.print(ctx); err != nil && ctx.Err() == nil && !unreachable(err) {
			return err
		}
		s.rebuildDev(ctx, f)
	}
	if s.edited() {
		if err := s.reread(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintf(s.Err, "%s %v\n", s.Err.bold("not taken over:"), err)
		}
	}
	return nil
}

// edited says whether the template was written since it was read.
func (s *devServer) edited() bool {
	if s.project.template == "" {
		return false
	}
	info, err := os.Stat(s.project.template)
	if err != nil || info.ModTime().Equal(s.changed) { // an editor may replace the file: it comes back
		return false
	}
	s.changed = info.ModTime()
	return true
}

// reread serves what the template says now. What is served stays if there is an error in it.
func (s *devServer) reread(ctx context.Context) error {
	p, err := s.read()
	if err != nil {
		return err
	}
	configuration, err := s.configuration(p)
	if err == nil {
		err = s.load(ctx, configuration)
	}
	if err != nil {
		p.remove()
		return err
	}
	old := s.project
	s.project = p
	old.remove()
	s.announce()
	return nil
}

// load has the server take a configuration.
func (s *devServer) load(ctx context.Context, configuration []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+adminHost+"/load", bytes.NewReader(configuration))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Host = "" // Caddy's, for a socket
	client := &http.Client{Transport: newAdminTransport(s.admin()).Transport, Timeout: devStartsWithin}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return err
	}
	var refused struct{ Error string }
	if json.Unmarshal(text, &refused) == nil && refused.Error != "" {
		return errors.New(refused.Error)
	}
	return fmt.Errorf("the server answers %s", answer.Status)
}

// announce says what is served where.
func (s *devServer) announce() {
	p := s.project
	first := "/"
	switch {
	case len(p.apis) > 0:
		first = p.example()
	case p.several():
		first += p.functions[0].Name
	}
	fmt.Fprintf(s.Err, "%s %s%s  %s\n", s.Err.bold("ready:"), s.url(), first, plural(len(p.functions), "function"))
	for _, api := range p.apis {
		for _, r := range api.routes {
			to := r.function
			if to == "" {
				to = "answers by itself"
			}
			fmt.Fprintf(s.Err, "  %-32s %s\n", r.key, to)
		}
	}
	for _, f := range p.functions {
		fmt.Fprintf(s.Err, "%s\n", s.Err.dim(fmt.Sprintf("  %s (%s, %s)   an event of your own: caddy hearth invoke --data-dir %s %s @event.json", f.Name, f.Runtime, f.Handler, s.local.DataDir, f.Name)))
	}
	if len(p.absent) > 0 {
		fmt.Fprintf(s.Err, "%s %s\n", s.Err.bold("not made:"), strings.Join(p.absent, "; "))
	}
}
