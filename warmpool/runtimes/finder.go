package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An Interpreter is a program that serves a runtime.
type Interpreter struct {
	Runtime string   // as asked for, e.g. "nodejs22.x"
	Family  string   // FamilyNode or FamilyPython
	Path    string   // of the program itself: no shim, no symbolic link
	Version string   // as the program says it, e.g. "20.20.2"
	Prefix  []string // folders outside /usr that it needs to run, to be shown in the sandbox
}

// A Finder finds interpreters, on the machine or where the configuration says.
// It remembers what it has found. It may be used by several goroutines.
type Finder struct {
	configured map[string]string
	folders    []string // where programs are looked for, the preferred first

	mu    sync.Mutex // held while looking, so that it is done once
	found map[string][]Interpreter
}

// NewFinder makes a Finder. configured names programs for runtimes, by the name
// of the runtime; those are used as they are.
func NewFinder(configured map[string]string) *Finder {
	return &Finder{configured: maps.Clone(configured), folders: searchFolders(), found: make(map[string][]Interpreter)}
}

// searchFolders are the usual places first: a distribution's Python starts in
// half the time of one behind pyenv's shim. Then the version managers' folders.
func searchFolders() []string {
	folders := []string{"/usr/bin", "/usr/local/bin"}
	folders = append(folders, filepath.SplitList(os.Getenv("PATH"))...)
	patterns := []string{"/opt/*/bin"}
	if home, err := os.UserHomeDir(); err == nil {
		for _, p := range []string{".nvm/versions/node/*/bin", ".local/share/fnm/node-versions/*/installation/bin",
			".volta/tools/image/node/*/bin", ".asdf/installs/*/*/bin", ".local/share/mise/installs/*/*/bin", ".pyenv/versions/*/bin"} {
			patterns = append(patterns, filepath.Join(home, p))
		}
	}
	for _, p := range patterns {
		matches, err := filepath.Glob(p)
		if err != nil {
			continue
		}
		slices.Sort(matches)
		slices.Reverse(matches) // newer versions first, mostly
		folders = append(folders, matches...)
	}
	return folders
}

// Find returns the interpreter for a runtime. The version that the runtime names
// is preferred; the nearest there is comes with a warning. The error says what
// to install, or that the name is no runtime of ours.
func (f *Finder) Find(runtime string) (in Interpreter, warning string, err error) {
	want, err := parseRuntime(runtime)
	if err != nil {
		return Interpreter{}, "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if path, ok := f.configured[runtime]; ok {
		in, err := f.ask(want.family, path)
		if err != nil {
			return Interpreter{}, "", fmt.Errorf("runtime %s is configured to be served by %s: %w", runtime, path, err)
		}
		in.Runtime = runtime
		return in, "", nil
	}
	if _, looked := f.found[want.family]; !looked {
		f.found[want.family] = f.look(want.family)
	}
	var best *Interpreter
	for i := range f.found[want.family] {
		candidate := &f.found[want.family][i]
		if best == nil || want.distance(candidate.Version) < want.distance(best.Version) {
			best = candidate
		}
	}
	if best == nil {
		return Interpreter{}, "", fmt.Errorf("runtime %s: there is no %s on this machine: install it (apt-get install %s), or name one with \"runtimes { %s /path/to/%s }\"",
			runtime, families[want.family].name, families[want.family].debian, runtime, families[want.family].program)
	}
	in = *best
	in.Runtime = runtime
	if want.distance(in.Version) != 0 {
		warning = fmt.Sprintf("runtime %s is served by %s %s, the nearest on this machine", runtime, families[want.family].name, in.Version)
	}
	return in, warning, nil
}

// look finds all interpreters of a family, the preferred place first.
func (f *Finder) look(family string) []Interpreter {
	var found []Interpreter
	seen := make(map[string]bool)
	for _, folder := range f.folders {
		matches, err := filepath.Glob(filepath.Join(folder, families[family].program+"*"))
		if err != nil {
			continue
		}
		for _, path := range matches {
			if !families[family].isProgram(filepath.Base(path)) {
				continue
			}
			in, err := f.ask(family, path)
			if err != nil || seen[in.Path] {
				continue // a shim, broken, or the same again
			}
			seen[in.Path] = true
			found = append(found, in)
		}
	}
	return found
}

// askTimeout is how long a program may take to say its version.
const askTimeout = 5 * time.Second

var errShim = errors.New("it is a script, perhaps a version manager's shim: name the program itself")

// ask finds out what the program at path is.
func (f *Finder) ask(family, path string) (Interpreter, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Interpreter{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return Interpreter{}, err
	}
	if script, err := isScript(path); err != nil {
		return Interpreter{}, err
	} else if script {
		return Interpreter{}, errShim
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return Interpreter{}, fmt.Errorf("ask for its version: %w", err)
	}
	fields := strings.Fields(string(out))
	if len(fields) == 0 {
		return Interpreter{}, errors.New("it does not say its version")
	}
	version := strings.TrimPrefix(fields[len(fields)-1], "v")
	if _, ok := parseVersion(version); !ok {
		return Interpreter{}, fmt.Errorf("it says %q instead of its version", bytes.TrimSpace(out))
	}
	return Interpreter{Family: family, Path: path, Version: version, Prefix: prefixOf(path)}, nil
}

// isScript reports whether a file begins as a script does.
func isScript(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, 2)
	if _, err := io.ReadFull(file, head); err != nil {
		return false, err
	}
	return string(head) == "#!", nil
}

// prefixOf is what a program outside /usr needs: the folder above its bin, with
// its libraries.
func prefixOf(path string) []string {
	bin := filepath.Dir(path)
	if strings.HasPrefix(path, "/usr/") && !strings.HasPrefix(path, "/usr/local/") {
		return nil // every sandbox shows /usr
	}
	if strings.HasPrefix(path, "/usr/local/") || filepath.Base(bin) != "bin" {
		return []string{bin}
	}
	return []string{filepath.Dir(bin)}
}

// A version is major and minor.
type version struct{ major, minor int }

func parseVersion(s string) (version, bool) {
	majorText, rest, _ := strings.Cut(s, ".")
	minorText, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(majorText)
	if err != nil {
		return version{}, false
	}
	minor, err := strconv.Atoi(strings.TrimRight(minorText, "abcrx+"))
	if err != nil {
		return version{}, false
	}
	return version{major, minor}, true
}
