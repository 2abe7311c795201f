package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tools are the programs that stand between the gateway and the command.
type tools struct {
	bwrap   string
	setpriv string // from bwrap's user to the environment's; "" where it has none of its own
	prlimit string // bounds processes where no cgroup does; "" where one does
	sh      string // gives the command its environment after setpriv
}

// hostname has no address and still resolves, as code likes to look it up.
const hostname = "localhost"

// options are the arguments for bwrap up to the command, which it reads from a
// file: a command line can be seen by every process inside.
func (s *Sandbox) options(spec Spec) ([]string, error) {
	o := []string{
		"--die-with-parent", "--new-session",
		"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
		"--hostname", hostname,
		"--ro-bind", s.skeleton.root, "/",
	}
	if spec.Network != NetworkHost {
		o = append(o, "--unshare-net")
	}
	for _, bind := range s.skeleton.binds {
		o = append(o, "--ro-bind", bind, bind)
	}
	if s.bash.Source != "" {
		o = append(o, "--ro-bind", s.bash.Source, s.bash.Target)
	}
	if spec.Network == NetworkPrivate {
		for _, name := range changing() {
			o = append(o, "--ro-bind", filepath.Join(s.skeleton.private, name), filepath.Join("/etc", name))
		}
	}
	o = append(o, "--proc", "/proc")
	for _, name := range devices() {
		path := "/dev/" + name
		o = append(o, "--dev-bind", path, path)
	}
	size := int64(spec.EphemeralStorageMB) << 20
	o = append(o, "--perms", "1777", "--size", strconv.FormatInt(size, 10), "--tmpfs", "/tmp")
	for _, bind := range s.skeleton.binds {
		covers, err := s.cover(Mount{Source: bind, Target: bind})
		if err != nil {
			return nil, err
		}
		o = append(o, covers...)
	}
	for _, m := range spec.Mounts {
		mount, err := s.mount(m)
		if err != nil {
			return nil, err
		}
		o = append(o, mount...)
	}
	if spec.Stem {
		if err := s.skeleton.ensure(LayerRoot, true); err != nil {
			return nil, err
		}
	}
	return append(o, "--chdir", TaskRoot), nil
}

// mount is the options for m.
func (s *Sandbox) mount(m Mount) ([]string, error) {
	m.Target = filepath.Clean(m.Target)
	source, err := filepath.EvalSymlinks(m.Source)
	if err != nil {
		return nil, fmt.Errorf("mount at %s: %w", m.Target, err)
	}
	info, err := os.Stat(source)
	if err != nil {
		return nil, fmt.Errorf("mount at %s: %w", m.Target, err)
	}
	m.Source = source
	if err := s.skeleton.ensure(m.Target, info.IsDir()); err != nil {
		return nil, fmt.Errorf("mount of %s: %w", m.Source, err)
	}
	covers, err := s.cover(m)
	if err != nil {
		return nil, err
	}
	return slices.Concat(parentsInTmp(m.Target), []string{"--ro-bind", m.Source, m.Target}, covers), nil
}

// parentsInTmp is the options that make the folders above a target within /tmp.
// Left to bwrap, they would be for the user alone that bwrap runs as.
func parentsInTmp(target string) []string {
	var o []string
	for dir := filepath.Dir(target); within(dir, "/tmp") && dir != "/tmp"; dir = filepath.Dir(dir) {
		o = append([]string{"--dir", dir}, o...)
	}
	return o
}

// cover is the options that put something empty over the hidden paths within m.
func (s *Sandbox) cover(m Mount) ([]string, error) {
	var o []string
	found, err := s.hiddenWithin(m)
	for _, h := range found {
		if h.Dir {
			o = append(o, "--perms", "0555", "--size", "4096", "--tmpfs", h.Path, "--remount-ro", h.Path)
		} else {
			o = append(o, "--ro-bind", "/dev/null", h.Path)
		}
	}
	return o, err
}

// command is what bwrap runs: the last steps out of privileges, and the command.
// env is the environment that bwrap sets for all of them. Variables that the first steps must
// not see are in script instead, which is the standard input of the last step, or nil.
// The command is to run as another user than bwrap does, or not.
func (s *Sandbox) command(spec Spec, another bool) (args, env []string, script []byte) {
	env = spec.Env
	limit := spec.MaxProcesses + wrappers
	if another {
		limit -= wrappers // which are of the gateway's user
		args = []string{
			s.tools.setpriv, "--reuid", strconv.Itoa(insideUID), "--regid", strconv.Itoa(insideGID), "--clear-groups",
			"--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--",
		}
	}
	if s.tools.prlimit != "" {
		// Counted by user, and within the user namespace since Linux 5.14.
		processes := strconv.Itoa(limit)
		args = append(args, s.tools.prlimit, "--nproc="+processes+":"+processes, "--")
	}
	if args != nil && !harmless(spec.Env) {
		args = append(args, s.tools.sh, "-c", `. /dev/stdin; exec "$@" </dev/null`, "sh")
		env, script = nil, exports(spec.Env)
	}
	return append(args, spec.Args...), env, script
}

// exports is a shell script that sets env. As arguments of env(1) the variables,
// secrets among them, could be read by every user of the machine.
func exports(env []string) []byte {
	var b bytes.Buffer
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		b.WriteString("export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
	}
	return b.Bytes()
}

// harmless reports whether no variable of env can make a dynamically linked program do
// something else, as LD_PRELOAD or GCONV_PATH do. setpriv starts with privileges that code
// of the function must not get, and prlimit sets limits that it must not escape. Another
// shell after them costs an exec, so only functions with unusual variables get one.
func harmless(env []string) bool {
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		switch {
		case name == "PATH", name == "HOME", name == "LANG", name == "TZ", name == "_HANDLER":
		case strings.HasPrefix(name, "AWS_"), strings.HasPrefix(name, "LAMBDA_"), strings.HasPrefix(name, "HEARTH_"),
			strings.HasPrefix(name, "NODE_"), strings.HasPrefix(name, "PYTHON"), strings.HasPrefix(name, "JAVA_"):
		default:
			return false
		}
	}
	return true
}

// argsFile is a file with NUL-separated options for bwrap --args. The function's
// environment goes this way too: given to bwrap itself, outside and perhaps as
// root, its LD_PRELOAD would be the end of the sandbox.
func argsFile(options, env []string) (*os.File, error) {
	var b bytes.Buffer
	for _, option := range options {
		if strings.ContainsRune(option, 0) {
			return nil, fmt.Errorf("%q: a path cannot contain NUL", option)
		}
		b.WriteString(option)
		b.WriteByte(0)
	}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		b.WriteString("--setenv\x00" + name + "\x00" + value + "\x00")
	}
	return memfile("bwrap-args", b.Bytes())
}

// Path is where something inside is found by the process: target itself, and
// with the sandbox off, when the process sees the machine's paths, the place on
// the machine that mounts say. Commands and environments are written with it.
func (s *Sandbox) Path(mounts []Mount, target string) string {
	if s.on {
		return target
	}
	target = filepath.Clean(target)
	path, longest := target, -1
	for _, m := range mounts {
		at := filepath.Clean(m.Target)
		if within(target, at) && len(at) > longest {
			path, longest = filepath.Join(m.Source, strings.TrimPrefix(target, at)), len(at)
		}
	}
	return path
}
