package runtimes

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A Finder finds interpreters, on the machine or where the configuration says.
// It remembers what it has found. It may be used by several goroutines.
type Finder struct {
	configured map[string]string
	folders    []string      // where programs are looked for, the preferred first
	timeout    time.Duration // for a program to say its version
	installed  string        // where package install puts things; may be ""

	mu    sync.Mutex               // guards what follows; locked during a search, so that it is done once
	asked map[string]Interpreter   // by configured path
	found map[string][]Interpreter // by family
	as    time.Time                // when something was installed last, as of found
}

// askTimeout is generous: a Node.js on a busy machine takes half a second.
const askTimeout = 5 * time.Second

// NewFinder makes a Finder. configured names programs for runtimes, by the name
// of the runtime, and folders for SDKs; those are used as they are. installed is the
// folder that package install puts things into, which are found first.
func NewFinder(configured map[string]string, installed string) *Finder {
	f := newFinder(configured, searchFolders(), askTimeout)
	f.installed = installed
	return f
}

// Installed is the folder for what is installed for the runtimes, in the data directory.
func Installed(dataDir string) string { return filepath.Join(dataDir, "runtimes") }

func newFinder(configured map[string]string, folders []string, timeout time.Duration) *Finder {
	return &Finder{
		configured: maps.Clone(configured), folders: folders, timeout: timeout,
		asked: make(map[string]Interpreter), found: make(map[string][]Interpreter),
	}
}

// searchFolders are the usual places first: a distribution's Python is built for speed, and a
// version manager's often is not. Then come the version managers' own folders, because the
// programs that they put on PATH are shims.
func searchFolders() []string {
	folders := []string{"/usr/bin", "/usr/local/bin"}
	folders = append(folders, filepath.SplitList(os.Getenv("PATH"))...)
	folders = append(folders, newestFirst("/opt/*/bin")...)
	folders = append(folders, newestFirst("/usr/lib/jvm/*/bin")...)
	home, err := os.UserHomeDir()
	for _, manager := range []struct{ variable, folder, versions string }{
		{"NVM_DIR", ".nvm", "versions/node/*/bin"},
		{"FNM_DIR", ".local/share/fnm", "node-versions/*/installation/bin"},
		{"VOLTA_HOME", ".volta", "tools/image/node/*/bin"},
		{"PYENV_ROOT", ".pyenv", "versions/*/bin"},
		{"ASDF_DATA_DIR", ".asdf", "installs/*/*/bin"},
		{"MISE_DATA_DIR", ".local/share/mise", "installs/*/*/bin"},
		{"SDKMAN_CANDIDATES_DIR", ".sdkman/candidates", "java/*/bin"},
		{"RBENV_ROOT", ".rbenv", "versions/*/bin"},
		{"rvm_path", ".rvm", "rubies/*/bin"},
		{"UV_PYTHON_INSTALL_DIR", ".local/share/uv/python", "*/bin"},
	} {
		folder := os.Getenv(manager.variable)
		if folder == "" && err == nil {
			folder = filepath.Join(home, manager.folder)
		}
		if folder != "" {
			folders = append(folders, newestFirst(filepath.Join(folder, manager.versions))...)
		}
	}
	return folders
}

// newestFirst are the folders that match, those with higher numbers first, mostly.
func newestFirst(pattern string) []string {
	matches, _ := filepath.Glob(pattern) // fails for a malformed pattern only, which finds nothing
	slices.Sort(matches)
	slices.Reverse(matches)
	return matches
}

// Find returns the interpreter for a runtime. It prefers the version that the runtime names. If
// it returns the nearest version instead, it also returns a warning. The error says what to
// install, or that Hearth does not have the runtime.
func (f *Finder) Find(runtime string) (in Interpreter, warning string, err error) {
	want, err := parseRuntime(runtime)
	if err != nil {
		return Interpreter{}, "", err
	}
	if want.family == FamilyCustom {
		if path, ok := f.configured[runtime]; ok {
			return Interpreter{}, "", fmt.Errorf("runtime %s is configured to be served by %s: its functions bring their own program", runtime, path)
		}
		return Interpreter{Runtime: runtime, Family: FamilyCustom}, "", nil
	}
	family := families[want.family]
	f.mu.Lock()
	defer f.mu.Unlock()
	if path, ok := f.configured[runtime]; ok {
		if in, err = f.ask(family, path); err != nil {
			return Interpreter{}, "", fmt.Errorf("runtime %s is configured to be served by %s: %w", runtime, path, err)
		}
		in.Runtime, in.SDK = runtime, f.sdkFolder(runtime)
		if want.distance(in.Version) != 0 {
			warning = fmt.Sprintf("runtime %s is configured to be served by %s %s", runtime, family.name, in.Version)
		}
		return in, warning, nil
	}
	candidates := f.search(family)
	if len(candidates) == 0 {
		return Interpreter{}, "", fmt.Errorf("runtime %s: there is no %s %s or later on this machine: install it (%sapt-get install %s), or name one with \"runtimes { %s /path/to/%s }\"",
			runtime, family.name, family.oldest, installs(runtime, ", or "), family.debian, runtime, family.program)
	}
	in = slices.MinFunc(candidates, func(a, b Interpreter) int {
		return want.distance(a.Version) - want.distance(b.Version)
	})
	in.Runtime, in.SDK = runtime, f.sdkFolder(runtime)
	if want.distance(in.Version) != 0 {
		warning = fmt.Sprintf("runtime %s is served by %s %s, the nearest on this machine", runtime, family.name, in.Version)
		if command := installs(runtime, ""); command != "" {
			warning += " (" + command + ")"
		}
	}
	return in, warning, nil
}

// Validate reports errors of the configured programs: names of unknown runtimes, and programs
// that do not serve their runtime.
func (f *Finder) Validate() error {
	var errs []error
	for _, runtime := range slices.Sorted(maps.Keys(f.configured)) {
		if _, ok := sdks[runtime]; ok {
			errs = append(errs, f.checkSDK(runtime))
			continue
		}
		_, _, err := f.Find(runtime)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// ask asks a configured program, once. It needs mu.
func (f *Finder) ask(family family, path string) (Interpreter, error) {
	if in, ok := f.asked[path]; ok {
		return in, nil
	}
	in, err := ask(family, path, f.timeout)
	if err == nil {
		f.asked[path] = in
	}
	return in, err
}

// search finds all interpreters of a family, the preferred place first. It needs mu. It searches
// again while it has found none, because one may be installed, and after each installation.
func (f *Finder) search(family family) []Interpreter {
	if info, err := os.Stat(f.installed); f.installed != "" && err == nil && !info.ModTime().Equal(f.as) {
		f.as = info.ModTime()
		clear(f.found)
	}
	if found := f.found[family.id]; len(found) > 0 {
		return found
	}
	var found []Interpreter
	seen := make(map[string]bool)
	folders := f.folders
	if f.installed != "" {
		folders = append(newestFirst(filepath.Join(f.installed, "*", "bin")), folders...)
	}
	for _, folder := range folders {
		paths, _ := filepath.Glob(filepath.Join(folder, family.program+"*")) // a folder may have any name
		for _, path := range paths {
			program, err := filepath.EvalSymlinks(path)
			if err != nil || seen[program] || !family.isProgram(filepath.Base(path)) || !family.isProgram(filepath.Base(program)) {
				continue
			}
			seen[program] = true
			if in, err := ask(family, program, f.timeout); err == nil {
				found = append(found, in)
			} // else it is a shim, broken or too old
		}
	}
	f.found[family.id] = found
	return found
}
