package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// An Interpreter is a program that serves a runtime.
type Interpreter struct {
	Runtime string   // as asked for, e.g. "nodejs22.x"
	Family  string   // FamilyNode or FamilyPython
	Path    string   // of the program itself, no shim; a link only into a Python virtual environment
	Version string   // as the program says it, e.g. "20.20.2"
	SDK     string   // the folder with the AWS SDK for the runtime; "" for none
	Prefix  []string // files and folders outside /usr that it needs to run, to be shown in the sandbox
}

var (
	errShim = errors.New("it is a script, perhaps a version manager's shim: name the program itself")
	errOld  = errors.New("it is too old")
)

// ask finds out what the program at path is, which takes a family's program
// timeout at most.
func ask(f family, path string, timeout time.Duration) (Interpreter, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Interpreter{}, err
	}
	program, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Interpreter{}, err
	}
	if script, err := isScript(program); err != nil {
		return Interpreter{}, err
	} else if script {
		return Interpreter{}, errShim
	}
	in := Interpreter{Family: f.id, Path: program, Prefix: prefixOf(program)}
	if venv := filepath.Dir(filepath.Dir(path)); exists(filepath.Join(venv, "pyvenv.cfg")) {
		// Python tells by the path of the link which packages are its own.
		in.Path, in.Prefix = path, append([]string{venv}, in.Prefix...)
	}

	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, in.Path, "--version")
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %s", timeout)
	}
	if err != nil {
		return Interpreter{}, fmt.Errorf("ask for its version: %w", err)
	}
	line, _, _ := strings.Cut(string(bytes.TrimSpace(out)), "\n")
	rest, ok := f.versionIn(line)
	v, isVersion := parseVersion(rest)
	if !ok || !isVersion {
		return Interpreter{}, fmt.Errorf("it is no %s: asked for its version, it says %.100q", f.name, line)
	}
	if v.less(f.oldest) {
		return Interpreter{}, fmt.Errorf("%w: %s %s, where %s is needed", errOld, f.name, rest, f.oldest)
	}
	in.Version = rest
	return in, nil
}

// versionIn is the version in what a program says when asked for it: "v20.20.2",
// "Python 3.14.0rc2", "openjdk 21 2023-09-19".
func (f family) versionIn(line string) (string, bool) {
	for _, says := range f.says {
		if rest, ok := strings.CutPrefix(line, says); ok {
			rest, _, _ = strings.Cut(rest, " ")
			if !strings.Contains(rest, ".") {
				rest += ".0"
			}
			return rest, true
		}
	}
	return "", false
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
		return false, fmt.Errorf("it is no program: %w", err)
	}
	return string(head) == "#!", nil
}

// prefixOf returns the paths that a program needs outside /usr, which every sandbox has: the
// program and its libraries. It is not the whole folder above its bin, which for a program in
// ~/bin would be the home of a user.
func prefixOf(program string) []string {
	if strings.HasPrefix(program, "/usr/") {
		return nil
	}
	prefix := []string{program}
	if bin := filepath.Dir(program); filepath.Base(bin) == "bin" {
		for _, beside := range []string{"lib", "conf"} { // conf is Java's
			if path := filepath.Join(filepath.Dir(bin), beside); exists(path) {
				prefix = append(prefix, path)
			}
		}
	}
	return prefix
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A version is major and minor.
type version struct{ major, minor int }

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

func (v version) less(w version) bool {
	return v.major < w.major || v.major == w.major && v.minor < w.minor
}

// majorOf is the first part of the version of in; 0: it is not known.
func majorOf(in Interpreter) int {
	v, _ := parseVersion(in.Version)
	return v.major
}

// parseVersion reads "20.20.2" or "3.14.0rc2".
func parseVersion(s string) (version, bool) {
	major, rest, _ := strings.Cut(s, ".")
	minor, _, _ := strings.Cut(rest, ".")
	var v version
	var errs [2]error
	v.major, errs[0] = strconv.Atoi(major)
	v.minor, errs[1] = strconv.Atoi(minor)
	return v, errors.Join(errs[:]...) == nil && v.major >= 0 && v.minor >= 0
}
