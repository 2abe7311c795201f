package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

var devCommand = &Command{
	Use:   "dev [DIR|TEMPLATE]",
	Short: "Serve the functions of a folder or a template at http://localhost:3000, and follow edits",
	Long: `Serves the function of a folder, without a Caddyfile, on this machine only. If the folder
has no function, each of its folders that has one is served at /NAME. What the functions
print is shown, and so are their errors, with the trace in the answer too. After an edit
the next request runs the new code; sources that must be built are built again.

Settings are read from hearth.json. Of a template of SAM or CloudFormation, a file or the
template.yaml of a folder, the functions, their layers and the routes of their APIs are served;
the rest of it is named, and not made.

Everything ends with this command, and nothing is kept.`,
	MaxArgs: 1,
	Flags: func(f *pflag.FlagSet) {
		f.Int("port", 3000, "The port; if it is taken and --port is not given, the next free one")
		f.StringArray("env", nil, "Environment variable NAME=VALUE of the functions; may be given again")
		f.StringArray("parameters", nil, "Parameter NAME=VALUE of the template; may be given again")
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

// A devProject is what dev serves.
type devProject struct {
	functions []*devFunction
	apis      []*devAPI
	// template is the file that says all this; "": there is none, and folders do.
	template string
	// absent is what the template has and dev does not make, in words.
	absent []string
	built  []func() // remove what was built
}

func (p *devProject) remove() {
	for _, remove := range p.built {
		remove()
	}
}

func dev(ctx context.Context, c *Context) error {
	root := cmp.Or(c.Flags.Arg(0), ".")
	template, err := devTemplateIn(root)
	if err != nil {
		return err
	}
	if template == "" && c.Flags.Changed("parameters") {
		return usage("--parameters are for a template, and %s has none", root)
	}
	if mode := c.text("sandbox"); mode != "on" && mode != "off" {
		return usage("--sandbox is on or off, not %q", mode)
	}
	work, err := os.MkdirTemp("", "hearth-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	port, err := c.devPort()
	if err != nil {
		return err
	}
	s := &devServer{Context: c, work: work, port: port}
	s.read = func() (*devProject, error) {
		if template != "" {
			return s.devTemplate(ctx, template)
		}
		return c.devFunctions(ctx, root)
	}
	if s.project, err = s.read(); err != nil {
		return err
	}
	defer func() { s.project.remove() }()
	// What `caddy hearth runtimes install` has installed serves here too.
	if installed := filepath.Join(c.DataDir, "runtimes"); folderExists(installed) {
		data := filepath.Join(work, "data")
		if err := errors.Join(os.MkdirAll(data, 0o700), os.Symlink(installed, filepath.Join(data, "runtimes"))); err != nil {
			return err
		}
	}
	return s.serve(ctx)
}

func folderExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// devFunctions are the function of a folder, or those of the folders in it.
func (c *Context) devFunctions(ctx context.Context, root string) (_ *devProject, err error) {
	p := new(devProject)
	defer func() {
		if err != nil {
			p.remove()
		}
	}()
	add := func(dir string) error {
		f, remove, err := c.makeDevFunction(ctx, dir)
		if remove != nil {
			p.built = append(p.built, remove)
		}
		if err == nil {
			p.functions = append(p.functions, f)
		}
		return err
	}
	if isFunction(root) {
		return p, add(root)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if dir := filepath.Join(root, e.Name()); e.IsDir() && e.Name() != "node_modules" && isFunction(dir) {
			if err := add(dir); err != nil {
				return nil, err
			}
		}
	}
	if len(p.functions) == 0 {
		return nil, usage("%s has no function, nor has a folder in it: a function has an index.mjs, app.py, bootstrap or the like, or a %s", root, configFile)
	}
	return p, nil
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
