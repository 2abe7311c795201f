package runtimes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// langRoot is where Lambda has its interpreters: what a function sees of one in stack
// traces, process.execPath, sys.prefix and java.home.
const langRoot = "/var/lang"

// layerRoot is where layers are, over all that the machine has there.
const layerRoot = "/opt/"

// A Shown is a file or folder of the machine and where an environment sees it.
type Shown struct{ Source, Target string }

// Home is where an interpreter is inside: its program, and what is shown for it, in
// this order. A Java is shown as a whole. Of others the program is shown, in a folder
// below dir of links to its libraries where those are visible anyway: Python and Node
// find theirs by where the program is. Those of an interpreter in /opt are shown there
// instead, for layers are at /opt. (Ruby has its paths built in, and a Python of a
// virtual environment goes by the link that it is started through: they keep theirs.)
func (in Interpreter) Home(dir string) (program string, shown []Shown, err error) {
	prefix := filepath.Dir(filepath.Dir(in.Path))
	if in.Family == FamilyJava && exists(filepath.Join(prefix, "lib", "modules")) && filepath.Base(filepath.Dir(in.Path)) == "bin" {
		return filepath.Join(langRoot, "bin", filepath.Base(in.Path)), []Shown{{prefix, langRoot}}, nil
	}
	var within []Shown // langRoot
	for _, path := range in.Prefix {
		switch {
		case strings.HasPrefix(path, layerRoot) && path != in.Path:
			within = append(within, Shown{path, filepath.Join(langRoot, filepath.Base(path))})
		case path != in.Path || in.Family == FamilyJava:
			shown = append(shown, Shown{path, path})
		}
	}
	venv := exists(filepath.Join(prefix, "pyvenv.cfg"))
	if in.Family == FamilyJava || venv {
		return in.Path, shown, nil
	}
	links := in.links(prefix)
	if len(within) > 0 {
		clear(links)
	}
	for _, s := range within {
		links[filepath.Base(s.Source)] = ""
	}
	folder, err := writeHome(dir, filepath.Base(in.Path), families[in.Family].program, links)
	if err != nil {
		return "", nil, fmt.Errorf("show %s at %s: %w", in.Path, langRoot, err)
	}
	program = filepath.Join(langRoot, "bin", filepath.Base(in.Path))
	shown = append(append(shown, Shown{folder, langRoot}), within...)
	return program, append(shown, Shown{in.Path, program}), nil
}

// links are the libraries of an interpreter, by their path below langRoot.
func (in Interpreter) links(prefix string) map[string]string {
	v, _ := parseVersion(in.Version)
	var candidates []string
	switch in.Family {
	case FamilyNode:
		candidates = []string{"lib/node_modules"}
	case FamilyPython:
		// python3 is Debian's, as are packages in local.
		name := fmt.Sprintf("python%s", v)
		candidates = []string{"lib/" + name, "lib64/" + name, "lib/python3", "local/lib/" + name}
	}
	links := make(map[string]string)
	for _, path := range candidates {
		if target := filepath.Join(prefix, path); exists(target) {
			links[path] = target
		}
	}
	return links
}

// writeHome makes a folder with links, those of the program's name without a version
// among them, and an empty file to show the program at. A link to nowhere is an empty
// folder. It is named after what is in it.
func writeHome(dir, program, plain string, links map[string]string) (string, error) {
	links = maps.Clone(links)
	for _, name := range []string{plain, strings.TrimRight(plain, "0123456789")} {
		if name != program {
			links["bin/"+name] = program
		}
	}
	hash := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(links)) {
		fmt.Fprintf(hash, "%q %q\n", path, links[path])
	}
	folder := filepath.Join(dir, program+"-"+hex.EncodeToString(hash.Sum(nil)[:8]))
	if exists(folder) {
		return folder, nil
	}
	next, err := os.MkdirTemp(dir, ".new")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(next) // does nothing when it has been renamed
	err = errors.Join(os.Chmod(next, 0o755), openFolders(next, "bin"), os.WriteFile(filepath.Join(next, "bin", program), nil, 0o644))
	for path, target := range links {
		if target == "" {
			err = errors.Join(err, openFolders(next, path))
			continue
		}
		err = errors.Join(err, openFolders(next, filepath.Dir(path)), os.Symlink(target, filepath.Join(next, path)))
	}
	if err != nil {
		return "", err
	}
	if err := os.Rename(next, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return folder, nil
}

// openFolders makes folders that everyone may enter, whatever the umask.
func openFolders(top, path string) error {
	if path == "." {
		return nil
	}
	if err := openFolders(top, filepath.Dir(path)); err != nil {
		return err
	}
	folder := filepath.Join(top, path)
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(folder, 0o755)
}
