package runtimes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestHomeShowsAnInterpreterAtLambdasPath(t *testing.T) {
	dir, homes := t.TempDir(), t.TempDir()
	python := interpreter(t, dir+"/py/bin/python3.12", "Python 3.12.1")
	node := interpreter(t, dir+"/node/bin/node", "v22.0.0")
	java := interpreter(t, dir+"/jdk/bin/java", "openjdk 21 2023-09-19")
	for _, folder := range []string{"/py/lib/python3.12", "/node/lib/node_modules", "/jdk/lib", "/jdk/conf", "/venv/bin"} {
		if err := os.MkdirAll(dir+folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{"/jdk/lib/modules": "", "/venv/pyvenv.cfg": "home = x"} {
		if err := os.WriteFile(dir+path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(python, dir+"/venv/bin/python3"); err != nil {
		t.Fatal(err)
	}
	find := func(runtime, path string) Interpreter {
		in, _, err := newFinder(map[string]string{runtime: path}, nil, askTimeout).Find(runtime)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	program, shown, err := find("java21", java).Home(homes)
	if err != nil || program != "/var/lang/bin/java" || !slices.Equal(shown, []Shown{{dir + "/jdk", "/var/lang"}}) {
		t.Errorf("Java: %s, %v, %v", program, shown, err)
	}
	program, shown, err = find("nodejs22.x", node).Home(homes)
	if err != nil || program != "/var/lang/bin/node" || len(shown) != 3 || shown[0] != (Shown{dir + "/node/lib", dir + "/node/lib"}) ||
		shown[1].Target != "/var/lang" || shown[2] != (Shown{node, "/var/lang/bin/node"}) {
		t.Errorf("Node: %s, %v, %v", program, shown, err)
	}
	for range 2 { // the second time it is there
		program, shown, err = find("python3.12", python).Home(homes)
		if err != nil || program != "/var/lang/bin/python3.12" || shown[len(shown)-1] != (Shown{python, program}) {
			t.Fatalf("Python: %s, %v, %v", program, shown, err)
		}
		home := shown[len(shown)-2].Source
		for path, want := range map[string]string{"lib/python3.12": dir + "/py/lib/python3.12", "bin/python3": "python3.12", "bin/python": "python3.12"} {
			if link, err := os.Readlink(filepath.Join(home, path)); link != want {
				t.Errorf("%s leads to %q, %v, want %q", path, link, err, want)
			}
		}
		if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("not everyone may enter %s: %v, %v", home, info, err)
		}
	}
	in := Interpreter{Family: FamilyPython, Version: "3.12.1", Path: "/opt/py/bin/python3.12", Prefix: []string{"/opt/py/bin/python3.12", "/opt/py/lib"}}
	program, shown, err = in.Home(homes)
	if err != nil || program != "/var/lang/bin/python3.12" || len(shown) != 3 || shown[0].Target != "/var/lang" || shown[1] != (Shown{"/opt/py/lib", "/var/lang/lib"}) ||
		shown[2] != (Shown{in.Path, program}) || !exists(filepath.Join(shown[0].Source, "lib")) {
		t.Errorf("in /opt: %s, %v, %v", program, shown, err)
	}
	program, shown, err = find("python3.12", dir+"/venv/bin/python3").Home(homes)
	if err != nil || program != dir+"/venv/bin/python3" || slices.ContainsFunc(shown, func(s Shown) bool { return strings.HasPrefix(s.Target, "/var/lang") }) {
		t.Errorf("a virtual environment: %s, %v, %v", program, shown, err)
	}
}
