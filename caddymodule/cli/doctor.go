package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// The states of what the doctor looks at.
const (
	stateOK      = "ok"
	stateWeaker  = "weaker"  // functions run, with less than they could have
	stateMissing = "missing" // nothing runs
)

// A finding is one thing that the doctor looks at.
type finding struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

var errUnwell = errors.New("functions cannot run here: see what is missing")

var doctorCommand = &Command{
	Use:   "doctor",
	Short: "Say what this machine can keep functions apart with, and what would make it better",
	Long: `Looks at kernel, sandbox, users, cgroups, freezing, network, stems, open files and runtimes: it starts a trial
environment, as a server does when it starts. What is weaker than it could be comes with the line that mends it.

Run it as the user of the server and where the server runs: under systemd by
systemd-run --uid=USER -p Delegate=yes --pipe --wait caddy hearth doctor.

Ends with 1 when functions cannot run here at all.`,
	Run: func(_ context.Context, c *Context) error {
		findings := examine(c.dataDir())
		err := c.print(findings, func(w io.Writer) { c.showFindings(w, findings) })
		for _, f := range findings {
			if f.State == stateMissing {
				return errors.Join(err, errUnwell)
			}
		}
		return err
	},
}

func (c *Context) showFindings(w io.Writer, findings []finding) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.State, f.Name, f.Text)
		if f.Remedy != "" {
			fmt.Fprintf(table, "\t\t-> %s\n", f.Remedy)
		}
	}
	table.Flush() // to a buffer or a terminal
}

// Examine is what the doctor finds on this machine, for a server with its data in dir. The answer
// is for JSON.
func Examine(dir string) any { return examine(dir) }

// examine finds out what a server would find that kept its data in dir.
func examine(dir string) []finding {
	collected := &warnings{}
	findings := []finding{kernel(), openFiles()}
	box, err := sandbox.New(sandbox.Config{}, zap.New(collected))
	if err != nil {
		return append(findings, finding{Name: "sandbox", State: stateMissing, Text: err.Error()}, served(dir))
	}
	defer box.Close()
	findings = append(findings, finding{Name: "sandbox", State: stateOK, Text: "a trial environment has started and ended"})

	walls := box.Walls()
	findings = append(findings,
		collected.finding("users", walls.Users, "functions run as the user of this server", "each environment has a user of its own"),
		collected.finding("cgroups", walls.Cgroups != 0, "no cgroup", fmt.Sprintf("version %d: the kernel holds environments to memory and processes", walls.Cgroups)),
		freezer(walls.Freezer),
		network(walls.Network, collected),
		collected.finding("stems", walls.Stems, "no stems", "interpreters boot ahead of cold starts"),
	)
	return append(findings, served(dir))
}

func kernel() finding {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return finding{Name: "kernel", State: stateWeaker, Text: err.Error()}
	}
	return finding{Name: "kernel", State: stateOK, Text: "Linux " + unix.ByteSliceToString(name.Release[:])}
}

func freezer(means string) finding {
	const name = "freezing"
	if means == sandbox.FreezerCgroup {
		return finding{Name: name, State: stateOK, Text: "the kernel freezes environments between invocations, by cgroup.freeze"}
	}
	return finding{
		Name: name, State: stateWeaker, Text: "environments are frozen between invocations by SIGSTOP, which a function may notice",
		Remedy: "Linux 5.14 or newer with cgroup v2 mounted, and a server that is root or has a delegated cgroup (Delegate=yes)",
	}
}

// enoughFiles is below what the gateway asks the kernel for by itself.
const enoughFiles = 4096

func openFiles() finding {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return finding{Name: "open files", State: stateWeaker, Text: err.Error()}
	}
	f := finding{Name: "open files", State: stateOK, Text: fmt.Sprintf("%d", limit.Max)}
	if limit.Max < enoughFiles {
		f.State, f.Text = stateWeaker, f.Text+": few environments are kept warm at once"
		f.Remedy = "LimitNOFILE= in the unit of systemd, ulimit -n in a shell"
	}
	return f
}

func network(err error, collected *warnings) finding {
	const name = "network"
	if err != nil {
		return finding{
			Name: name, State: stateWeaker, Text: "functions have no network of their own, so none at all by default: " + oneLine(err.Error()),
			Remedy: "what the error says; or \"network host\", with which functions reach all that listens on this machine",
		}
	}
	return collected.finding(name, !collected.has(forwarding), forwarding, "functions can have a network of their own, that leads past this machine")
}

const forwarding = "another program on this machine drops"

func served(dir string) finding {
	var programs, none []string
	seen := map[string]bool{}
	for _, s := range runtimes.NewFinder(nil, runtimes.Installed(dir)).Statuses() {
		switch {
		case s.Program == "":
			none = append(none, s.Runtime)
		case !seen[s.Program]:
			seen[s.Program] = true
			programs = append(programs, s.Program)
		}
	}
	f := finding{Name: "runtimes", State: stateOK, Text: cmp.Or(strings.Join(programs, ", "), "none but custom ones")}
	if len(none) > 0 {
		f.State, f.Remedy = stateWeaker, "caddy hearth runtimes tells the command for each"
		f.Text += "; nothing serves " + strings.Join(none, ", ")
	}
	return f
}

// warnings are what the sandbox has logged: the core of a logger.
type warnings struct {
	mu  sync.Mutex
	all []warning // guarded by mu
}

type warning struct{ text, err, remedy string }

// Enabled implements zapcore.LevelEnabler.
func (w *warnings) Enabled(level zapcore.Level) bool { return level >= zapcore.WarnLevel }

// With implements zapcore.Core.
func (w *warnings) With([]zapcore.Field) zapcore.Core { return w }

// Check implements zapcore.Core.
func (w *warnings) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if w.Enabled(e.Level) {
		return checked.AddCore(e, w)
	}
	return checked
}

// Write implements zapcore.Core.
func (w *warnings) Write(e zapcore.Entry, fields []zapcore.Field) error {
	encoder := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(encoder)
	}
	text := func(key string) string {
		value, _ := encoder.Fields[key].(string)
		return value
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, warning{e.Message, text("error"), text("remedy")})
	return nil
}

// Sync implements zapcore.Core.
func (w *warnings) Sync() error { return nil }

func (w *warnings) find(begin string) (found warning) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.all {
		if strings.HasPrefix(one.text, begin) {
			found = one
		}
	}
	return found
}

func (w *warnings) has(begin string) bool { return w.find(begin) != warning{} }

// finding is well, or what the warning says that begins so.
func (w *warnings) finding(name string, ok bool, begin, well string) finding {
	if ok {
		return finding{Name: name, State: stateOK, Text: well}
	}
	one := w.find(begin)
	text := cmp.Or(one.text, begin)
	if one.err != "" {
		text += ": " + oneLine(one.err)
	}
	return finding{Name: name, State: stateWeaker, Text: text, Remedy: one.remedy}
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }
