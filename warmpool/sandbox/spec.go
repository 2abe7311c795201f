package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// The paths at which a function finds its files, as on Lambda
// (docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
const (
	TaskRoot   = "/var/task"    // the function's code; the working directory
	RuntimeDir = "/var/runtime" // the bootstrap of the runtime
	LayerRoot  = "/opt"         // layers
	CacheRoot  = "/var/cache"   // by which the runtime starts the function sooner; not on Lambda
)

// Defaults of a Spec.
const (
	DefaultMemoryMB           = 128  // Lambda's default
	DefaultEphemeralStorageMB = 512  // Lambda's default and minimum
	DefaultMaxProcesses       = 1024 // Lambda's quota of processes and threads
)

// A Network says what an execution environment can reach.
type Network int

const (
	// NetworkHost is the machine's own network, loopback included.
	NetworkHost Network = iota
	// NetworkNone is a loopback interface of the environment's own, nothing else.
	NetworkNone
	// NetworkPrivate is a loopback interface of the environment's own, and what
	// Spec.Policy opens beyond this machine.
	NetworkPrivate
)

// A Mount shows a folder or a file of the machine inside, read-only.
type Mount struct {
	Source string // absolute path on the machine
	Target string // absolute path inside
}

// A Spec says what to run, and in what.
type Spec struct {
	// ID names the environment: its cgroup, its folder for temporary files. At
	// most 64 letters, digits, '-', '_' and '.'; no two live ones are the same.
	ID string

	// Function is the name of the function, for the log. A stem has none yet.
	Function string

	// Args is the command, paths as they are inside.
	Args []string

	// Env is the whole environment of the command, "NAME=value", names of letters,
	// digits and '_' as Lambda's are. Only PWD is added, and TMPDIR with the sandbox
	// off.
	Env []string

	// Mounts are read-only. Those of code, bootstrap and layers go to TaskRoot,
	// RuntimeDir and LayerRoot; an interpreter outside /usr keeps its path.
	Mounts []Mount

	// MemoryMB bounds the memory of the whole tree, EphemeralStorageMB what /tmp
	// holds, MaxProcesses the processes and threads. 0: the default.
	MemoryMB           int
	EphemeralStorageMB int
	MaxProcesses       int

	Network Network
	Policy  network.Policy // of NetworkPrivate

	// Endpoint is a TCP address of the environment's own network that is listened at before
	// the command starts: Process.Endpoint. "": none. It needs what Process.Listen needs.
	Endpoint string

	// Stem says that there is no function yet: nothing is mounted at TaskRoot,
	// LayerRoot and CacheRoot, and Process.Assume follows.
	Stem bool

	// Stdout and Stderr may be nil (/dev/null). ExtraFiles become descriptors 3, 4, ...
	// The caller keeps all of them, and may close them once Start has returned. A pipe
	// given as Stdout or Stderr should be of this environment alone: it may be opened
	// again inside, through /dev/stdout.
	Stdout, Stderr *os.File
	ExtraFiles     []*os.File

	zygote bool       // it keeps the power to enter other environments
	owned  []*os.File // pipes that the environment's user gets, beside Stdout and Stderr
}

// withDefaults checks s and fills in what is 0.
func (s Spec) withDefaults() (Spec, error) {
	if !validID(s.ID) {
		return s, fmt.Errorf("environment id %q: not 1 to 64 letters, digits, '-', '_' and '.'", s.ID)
	}
	if len(s.Args) == 0 {
		return s, errors.New("no command to run")
	}
	for _, entry := range s.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || !validName(name) || strings.ContainsRune(entry, 0) {
			return s, fmt.Errorf("environment variable %q: its name has to be of letters, digits and '_', and NUL cannot be in it", name)
		}
	}
	for _, m := range s.Mounts {
		if !filepath.IsAbs(m.Source) || !filepath.IsAbs(m.Target) {
			return s, fmt.Errorf("mount of %q at %q: both have to be absolute paths", m.Source, m.Target)
		}
	}
	for _, n := range []*int{&s.MemoryMB, &s.EphemeralStorageMB, &s.MaxProcesses} {
		if *n < 0 {
			return s, fmt.Errorf("limits of %d MB memory, %d MB /tmp, %d processes: none may be negative",
				s.MemoryMB, s.EphemeralStorageMB, s.MaxProcesses)
		}
	}
	setDefault(&s.MemoryMB, DefaultMemoryMB)
	setDefault(&s.EphemeralStorageMB, DefaultEphemeralStorageMB)
	setDefault(&s.MaxProcesses, DefaultMaxProcesses)
	return s, nil
}

// wrappers is how many processes of our own are in an environment's cgroup: the
// two bwraps, outside and inside of its pid namespace.
const wrappers = 2

func limitsOf(s Spec) cgroup.Limits {
	return cgroup.Limits{
		Memory:    int64(s.MemoryMB) << 20,
		Tmp:       int64(s.EphemeralStorageMB) << 20,
		Processes: s.MaxProcesses + wrappers,
		// Until it is ready, nobody waits for it.
		Background: s.Stem,
	}
}

func setDefault(n *int, value int) {
	if *n == 0 {
		*n = value
	}
}

func validID(id string) bool {
	if id == "" || len(id) > 64 || strings.HasPrefix(id, ".") {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

func validName(name string) bool {
	for i, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c >= '0' && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return name != ""
}

// within reports whether path is dir or below it. Both are clean.
func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
