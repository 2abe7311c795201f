package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

var devCommand = &Command{
	Use:   "dev [DIR]",
	Short: "Serve the function in a folder at http://localhost:3000, and follow its edits",
	Long: `Serves the function of a folder, without a Caddyfile, on this machine only. If the folder
has no function, each of its folders that has one is served at /NAME. What the functions
print is shown, and so are their errors, with the trace in the answer too. After an edit
the next request runs the new code; sources that must be built are built again.

Settings are read from hearth.json. Everything ends with this command, and nothing is kept.`,
	MaxArgs: 1,
	Flags: func(f *pflag.FlagSet) {
		f.Int("port", 3000, "The port; if it is taken and --port is not given, the next free one")
		f.StringArray("env", nil, "Environment variable NAME=VALUE of the functions; may be given again")
		f.String("sandbox", "on", "on, or off where this machine cannot isolate functions")
	},
	Run: dev,
}

// folder is where the developer edits the function.
func (f *devFunction) folder() string {
	if f.source != "" {
		return strings.TrimSuffix(f.source, "/") + "/"
	}
	return f.dir + "/"
}

// How the server of dev is awaited.
const (
	devStartsWithin = time.Minute
	devEndsWithin   = 15 * time.Second
	devPoll         = 200 * time.Millisecond
	devPorts        = 50 // are tried
)

// A devFunction is a function of dev.
type devFunction struct {
	config
	dir, source string // of the code, and of the sources where that is another folder
	changed     time.Time
}

func dev(ctx context.Context, c *Context) error {
	root := cmp.Or(c.Flags.Arg(0), ".")
	if info, err := os.Stat(root); err != nil {
		return usageError{err}
	} else if !info.IsDir() {
		return usage("%s is one file: give its folder, %s", root, filepath.Dir(root))
	}
	if mode := c.text("sandbox"); mode != "on" && mode != "off" {
		return usage("--sandbox is on or off, not %q", mode)
	}
	work, err := os.MkdirTemp("", "hearth-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	functions, remove, err := c.devFunctions(ctx, root)
	defer remove()
	if err != nil {
		return err
	}
	port, err := c.devPort()
	if err != nil {
		return err
	}
	configuration, err := c.devConfiguration(work, port, functions)
	if err != nil {
		return err
	}
	path := filepath.Join(work, "caddy.json")
	if err := os.WriteFile(path, configuration, 0o600); err != nil {
		return err
	}
	// What `caddy hearth runtimes install` has installed serves here too.
	if installed := filepath.Join(c.DataDir, "runtimes"); folderExists(installed) {
		data := filepath.Join(work, "data")
		if err := errors.Join(os.MkdirAll(data, 0o700), os.Symlink(installed, filepath.Join(data, "runtimes"))); err != nil {
			return err
		}
	}
	return c.serveDev(ctx, work, path, port, functions)
}

func folderExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// devFunctions are the function of a folder, or those of the folders in it.
func (c *Context) devFunctions(ctx context.Context, root string) (all []*devFunction, remove func(), err error) {
	var built []func()
	remove = func() {
		for _, r := range built {
			r()
		}
	}
	add := func(dir string) error {
		f, r, err := c.makeDevFunction(ctx, dir)
		if r != nil {
			built = append(built, r)
		}
		if err == nil {
			all = append(all, f)
		}
		return err
	}
	if isFunction(root) {
		return all, remove, errors.Join(add(root))
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, remove, err
	}
	for _, e := range entries {
		if dir := filepath.Join(root, e.Name()); e.IsDir() && e.Name() != "node_modules" && isFunction(dir) {
			if err := add(dir); err != nil {
				return nil, remove, err
			}
		}
	}
	if len(all) == 0 {
		return nil, remove, usage("%s has no function, nor has a folder in it: a function has an index.mjs, app.py, bootstrap or the like, or a %s", root, configFile)
	}
	return slices.Clip(all), remove, nil
}

// isFunction reports whether a folder looks like one function.
func isFunction(dir string) bool {
	if hasFile(configFile)(dir) {
		return true
	}
	if runtime, handler := guessEntry(dir); runtime != "" && handler != "" {
		return true
	}
	b := builderOf(dir)
	return b != nil && b.name != "Node.js" && b.name != "Python"
}

// makeDevFunction reads what a function is made with, and builds it if it must be built.
func (c *Context) makeDevFunction(ctx context.Context, dir string) (*devFunction, func(), error) {
	conf, err := readConfig(dir)
	if err != nil {
		return nil, nil, err
	}
	pairs, _ := c.Flags.GetStringArray("env")
	if err := errors.Join(conf.setEnv(pairs), conf.check(), conf.named(dir)); err != nil {
		return nil, nil, err
	}
	if len(conf.Layers) > 0 {
		return nil, nil, usage("%s: dev has no layers, which are in a server: leave layers out of %s, or deploy", dir, configFile)
	}
	f := &devFunction{config: conf, dir: dir}
	var remove func()
	runtime, _ := guessEntry(dir)
	if conf.Build || runtime == "" && conf.Runtime == "" && builderOf(dir) != nil {
		if f.dir, remove, err = c.built(ctx, dir); err != nil {
			return nil, nil, err
		}
		f.Build, f.source, f.changed = true, dir, newest(dir)
	}
	if err := f.guess(f.dir); err != nil {
		return nil, remove, err
	}
	f.dir, err = filepath.Abs(f.dir)
	return f, remove, err
}

// newest is when the newest file of a folder was written.
func newest(dir string) (at time.Time) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.IsDir() && (left[d.Name()] || slices.Contains([]string{"node_modules", "target", "build"}, d.Name())) {
			return fs.SkipDir
		}
		if info, err := d.Info(); err == nil && !d.IsDir() && info.ModTime().After(at) {
			at = info.ModTime()
		}
		return nil
	})
	return at
}

// devPort is the port that was asked for, or a free one.
func (c *Context) devPort() (int, error) {
	port, _ := c.Flags.GetInt("port")
	if port < 1 || port > 65535 {
		return 0, usage("--port %d: 1 to 65535", port)
	}
	tries := devPorts
	if c.Flags.Changed("port") {
		tries = 1
	}
	for at := port; at < port+tries && at <= 65535; at++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", at))
		if err == nil {
			return at, l.Close()
		}
	}
	return 0, fmt.Errorf("port %d is taken: give another one by --port", port)
}

// devConfiguration is Caddy's configuration in JSON.
func (c *Context) devConfiguration(work string, port int, functions []*devFunction) ([]byte, error) {
	defined, routes := object{}, []object{}
	for _, f := range functions {
		made := object{"runtime": f.Runtime, "handler": f.Handler, "code": f.dir}
		for name, value := range map[string]int{"memory": f.Memory, "ephemeral_storage": f.Storage} {
			if value != 0 {
				made[name] = value
			}
		}
		if f.Timeout != 0 {
			made["timeout"] = fmt.Sprintf("%ds", f.Timeout)
		}
		if len(f.Env) > 0 {
			escaped := make(map[string]string, len(f.Env)) // a brace would be Caddy's placeholder
			for name, value := range f.Env {
				escaped[name] = strings.ReplaceAll(value, "{", `\{`)
			}
			made["env"] = escaped
		}
		if defined[f.Name] != nil {
			return nil, usage("two folders have a function %s: give one another name in %s", f.Name, configFile)
		}
		defined[f.Name] = made
		route := object{"handle": []object{{"handler": "hearth_function", "function": f.Name, "reveal_errors": true}}}
		if len(functions) > 1 {
			route["match"] = []object{{"path": []string{"/" + f.Name, "/" + f.Name + "/*"}}}
		}
		routes = append(routes, route)
	}
	if len(functions) > 1 {
		text := "functions:\n"
		for _, f := range functions {
			text += "  /" + f.Name + "\n"
		}
		routes = append(routes, object{"handle": []object{{"handler": "static_response", "status_code": 404, "body": text}}})
	}
	return json.Marshal(object{
		"admin":   object{"listen": "unix/" + filepath.Join(work, "admin.sock"), "config": object{"persist": false}},
		"logging": object{"logs": object{"default": object{"level": "WARN", "exclude": []string{"admin", "http.handlers.hearth_function"}}}},
		"apps": object{
			"hearth": object{"data_dir": filepath.Join(work, "data"), "functions": defined, "sandbox": object{"mode": c.text("sandbox")}},
			"http": object{"servers": object{"dev": object{
				"listen": []string{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("[::1]:%d", port)}[:listeners()], "automatic_https": object{"disable": true}, "protocols": []string{"h1"}, "routes": routes,
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

// serveDev runs the server, and prints what functions log until ctx ends.
func (c *Context) serveDev(ctx context.Context, work, config string, port int, functions []*devFunction) error {
	program, arguments, err := c.Server(config)
	if err != nil {
		return err
	}
	server := exec.Command(program, arguments...)
	server.Env = append(os.Environ(), "XDG_DATA_HOME="+work, "XDG_CONFIG_HOME="+work)
	server.Stdout, server.Stderr = c.Err, c.Err
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
	local := &Context{Flags: c.Flags, Out: c.Out, Err: c.Err, Getenv: func(string) string { return "" }, DataDir: filepath.Join(work, "data")}
	url := fmt.Sprintf("http://localhost:%d", port)
	for deadline := time.Now().Add(devStartsWithin); ; {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			if _, err := os.Stat(filepath.Join(local.DataDir, "admin")); err == nil {
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
	c.announceDev(url, local.DataDir, functions)
	var printers []*logPrinter
	t, err := local.target()
	if err != nil {
		stop()
		return err
	}
	for _, f := range functions {
		printers = append(printers, &logPrinter{Context: c, api: t.logs(), group: "/aws/lambda/" + f.Name, mark: "/" + f.Name + "[", folder: f.folder(), from: time.Now().UnixMilli(), seen: map[string]struct{}{}, left: -1})
	}
	for {
		select {
		case <-ctx.Done():
			stop()
			return nil
		case err := <-ended:
			return fmt.Errorf("the server ended: %w", cmp.Or(err, errors.New("it says why above")))
		case <-time.After(devPoll):
		}
		for _, p := range printers {
			if err := p.print(ctx); err != nil && ctx.Err() == nil && !unreachable(err) {
				stop()
				return err
			}
		}
		for _, f := range functions {
			c.rebuildDev(ctx, f)
		}
	}
}

func (c *Context) announceDev(url, data string, functions []*devFunction) {
	first := url + "/"
	if len(functions) > 1 {
		first = url + "/" + functions[0].Name
	}
	fmt.Fprintf(c.Err, "%s %s  %s\n", c.Err.bold("ready:"), first, plural(len(functions), "function"))
	for _, f := range functions {
		fmt.Fprintf(c.Err, "%s\n", c.Err.dim(fmt.Sprintf("  %s (%s, %s)   an event of your own: caddy hearth invoke --data-dir %s %s @event.json", f.Name, f.Runtime, f.Handler, data, f.Name)))
	}
}

// rebuildDev builds a function again if its sources have changed. The server follows the files.
func (c *Context) rebuildDev(ctx context.Context, f *devFunction) {
	if f.source == "" {
		return
	}
	at := newest(f.source)
	if !at.After(f.changed) {
		return
	}
	f.changed = at
	path, remove, err := c.built(ctx, f.source)
	if err != nil {
		fmt.Fprintf(c.Err, "%s %v\n", c.Err.bold("not built:"), err)
		return
	}
	defer remove()
	if info, err := os.Stat(path); err != nil || !info.IsDir() { // a jar, which the build wrote where it is served from
		return
	}
	if err := copyFolder(path, f.dir); err != nil {
		fmt.Fprintf(c.Err, "%s %v\n", c.Err.bold("not built:"), err)
	}
}
