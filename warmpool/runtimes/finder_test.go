package runtimes

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// finder looks in dir's folders a, b and c only.
func finder(dir string, configured map[string]string) *Finder {
	folders := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c", "bin")}
	return newFinder(configured, folders, 10*time.Second)
}

func TestExactVersionWinsThenTheNearest(t *testing.T) {
	dir := t.TempDir()
	node18 := interpreter(t, dir+"/a/node", "v18.20.1")
	node22 := interpreter(t, dir+"/b/node", "v22.1.0")
	python9 := interpreter(t, dir+"/a/python3.9", "Python 3.9.18")
	python11 := interpreter(t, dir+"/a/python3.11", "Python 3.11.2")
	interpreter(t, dir+"/b/python3.11", "Python 3.11.9")
	python13 := interpreter(t, dir+"/c/bin/python3", "Python 3.13.0rc1")
	f := finder(dir, nil)
	for runtime, want := range map[string]string{
		"nodejs18.x": node18, "nodejs22.x": node22,
		"python3.9": python9, "python3.11": python11, "python3.13": python13,
	} {
		in, warning, err := f.Find(runtime)
		if err != nil || warning != "" || in.Path != want || in.Runtime != runtime {
			t.Errorf("%s: got %+v, %q, %v, want %s", runtime, in, warning, err, want)
		}
	}
	for runtime, want := range map[string]string{
		"nodejs20.x": "runtime nodejs20.x is served by Node.js 22.1.0, the nearest on this machine (caddy hearth runtimes install nodejs20.x)",
		"nodejs24.x": "runtime nodejs24.x is served by Node.js 22.1.0, the nearest on this machine (caddy hearth runtimes install nodejs24.x)",
		"python3.10": "runtime python3.10 is served by Python 3.11.2, the nearest on this machine (caddy hearth runtimes install python3.10)",
		"python3.12": "runtime python3.12 is served by Python 3.13.0rc1, the nearest on this machine (caddy hearth runtimes install python3.12)",
		"python3.14": "runtime python3.14 is served by Python 3.13.0rc1, the nearest on this machine (caddy hearth runtimes install python3.14)",
	} {
		if _, warning, err := f.Find(runtime); warning != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", runtime, warning, err, want)
		}
	}
}

func TestShimsAndOtherProgramsAreNotInterpreters(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"python3": "#!/bin/sh\necho Python 3.11.7\n", "node": "#!/usr/bin/env bash\necho v22.0.0\n", "python3.12": ""} {
		path := filepath.Join(dir, "a", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	interpreter(t, dir+"/b/python3-config", "Python 3.11.7")
	interpreter(t, dir+"/b/python3.10", "fail")
	interpreter(t, dir+"/b/python3.8", "Python 3.8.18")
	interpreter(t, dir+"/b/node16", "v16.20.0")
	interpreter(t, dir+"/b/node18", "18.20.0")
	manager := interpreter(t, dir+"/b/volta-shim", "v22.0.0")
	if err := os.Symlink(manager, dir+"/b/node22"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", dir+"/b/node24"); err != nil {
		t.Fatal(err)
	}
	f := finder(dir, nil)
	for runtime, want := range map[string]string{
		"python3.11": `runtime python3.11: there is no Python 3.9 or later on this machine: install it (caddy hearth runtimes install python3.11, or apt-get install python3), or name one with "runtimes { python3.11 /path/to/python3 }"`,
		"nodejs22.x": `runtime nodejs22.x: there is no Node.js 18.0 or later on this machine: install it (caddy hearth runtimes install nodejs22.x, or apt-get install nodejs), or name one with "runtimes { nodejs22.x /path/to/node }"`,
	} {
		if in, _, err := f.Find(runtime); err == nil || err.Error() != want {
			t.Errorf("%s: got %+v, %v, want %s", runtime, in, err, want)
		}
	}
	// Installed at last.
	interpreter(t, dir+"/c/bin/node", "v22.0.0")
	if _, _, err := f.Find("nodejs22.x"); err != nil {
		t.Error(err)
	}
}

func TestProgramsThatTakeTooLongArePassedOver(t *testing.T) {
	dir := t.TempDir()
	interpreter(t, dir+"/a/node", "hang")
	f := newFinder(map[string]string{"nodejs22.x": dir + "/a/node"}, []string{dir + "/a"}, 50*time.Millisecond)
	if _, _, err := f.Find("nodejs20.x"); err == nil || !strings.Contains(err.Error(), "there is no Node.js") {
		t.Errorf("got %v", err)
	}
	if _, _, err := f.Find("nodejs22.x"); err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("got %v", err)
	}
}

func TestConfiguredProgramIsUsedAsItIs(t *testing.T) {
	dir := t.TempDir()
	interpreter(t, dir+"/a/node", "v22.0.0")
	own := interpreter(t, dir+"/own/node-from-source", "v22.9.0")
	other := interpreter(t, dir+"/own/node20", "v20.0.0")
	f := finder(dir, map[string]string{"nodejs22.x": own, "nodejs24.x": other})
	if in, warning, err := f.Find("nodejs22.x"); in.Path != own || warning != "" || err != nil {
		t.Errorf("got %+v, %q, %v", in, warning, err)
	}
	if in, warning, err := f.Find("nodejs24.x"); in.Path != other || warning != "runtime nodejs24.x is configured to be served by Node.js 20.0.0" || err != nil {
		t.Errorf("got %+v, %q, %v", in, warning, err)
	}
	if in, _, err := f.Find("nodejs20.x"); in.Path != dir+"/a/node" || err != nil {
		t.Errorf("a runtime that is not configured: got %+v, %v", in, err)
	}
	// Asked once: what it says later is not heard.
	if err := os.WriteFile(own+".says", []byte("v18.0.0"), 0o644); err != nil {
		t.Fatal(err)
	}
	if in, _, err := f.Find("nodejs22.x"); in.Version != "22.9.0" || err != nil {
		t.Errorf("got %+v, %v", in, err)
	}
	if err := f.Validate(); err != nil {
		t.Error(err)
	}
}

func TestWrongConfigurationIsNamed(t *testing.T) {
	dir := t.TempDir()
	shim := filepath.Join(dir, "shim")
	if err := os.WriteFile(shim, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := finder(dir, map[string]string{
		"nodejs22":   "/usr/bin/node",
		"nodejs20.x": dir + "/nowhere",
		"nodejs24.x": shim,
		"nodejs18.x": interpreter(t, dir+"/node", "v16.0.0"),
		"python3.12": interpreter(t, dir+"/snap", "snap 2.63"),
	})
	err := f.Validate()
	if err == nil {
		t.Fatal("all is well")
	}
	for _, want := range []string{
		`runtime "nodejs22" is not supported: did you mean nodejs22.x?; supported are nodejs16.x, `,
		"runtime nodejs20.x is configured to be served by " + dir + "/nowhere: ",
		"runtime nodejs24.x is configured to be served by " + shim + ": it is a script, perhaps a version manager's shim: name the program itself",
		"it is too old: Node.js 16.0.0, where 18.0 is needed",
		`it is no Python: asked for its version, it says "snap 2.63"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v hides that a file does not exist", err)
	}
}

func TestRuntimesThatAreNotServedAreRefusedByName(t *testing.T) {
	f := finder(t.TempDir(), nil)
	for runtime, want := range map[string]string{
		"java8":      `runtime "java8" is not supported; supported are nodejs16.x, nodejs18.x, nodejs20.x, nodejs22.x, nodejs24.x, nodejs26.x, python3.8, python3.9, python3.10, python3.11, python3.12, python3.13, python3.14, python3.15, java8.al2, java8.al2023, java11, java11.al2023, java17, java17.al2023, java21, java25, ruby3.2, ruby3.3, ruby3.4, ruby4.0, provided.al2, provided.al2023`,
		"provided":   `runtime "provided" is not supported;`,
		"dotnet8":    `runtime "dotnet8" is not supported: publish the function as a program of its own named bootstrap, with Amazon.Lambda.RuntimeSupport, for the runtime provided.al2023`,
		"ruby2.7":    `runtime "ruby2.7" is not supported;`,
		"go1.x":      `runtime "go1.x" is not supported: build the function with aws-lambda-go as a program named bootstrap, for the runtime provided.al2023`,
		"nodejs14.x": `runtime "nodejs14.x" is not supported;`,
		"python2.7":  `runtime "python2.7" is not supported;`,
		"":           `runtime "" is not one of Lambda's;`,
		"perl":       `runtime "perl" is not one of Lambda's;`,
	} {
		if _, _, err := f.Find(runtime); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", runtime, err, want)
		}
	}
}

func TestOldAndComingRuntimesAreServedByTheNearest(t *testing.T) {
	dir := t.TempDir()
	for name, says := range map[string]string{
		"node18": "v18.20.0", "node24": "v24.1.0", "python3.9": "Python 3.9.2", "python3.14": "Python 3.14.0", "java11": "openjdk 11.0.2 2019", "java25": "openjdk 25 2025",
		"ruby3.1": "ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux-gnu]", "ruby3.4": "ruby 3.4.1 (2024-12-25)",
	} {
		interpreter(t, dir+"/b/"+name, says)
	}
	f := finder(dir, nil)
	for runtime, want := range map[string]string{
		"nodejs16.x": "18.20.0", "nodejs26.x": "24.1.0", "python3.8": "3.9.2", "python3.15": "3.14.0",
		"java8.al2": "11.0.2", "java8.al2023": "11.0.2", "java11.al2023": "11.0.2", "java17.al2023": "11.0.2",
		"ruby3.2": "3.1.2p20", "ruby3.4": "3.4.1", "ruby4.0": "3.4.1",
	} {
		in, warning, err := f.Find(runtime)
		exact := runtime == "java11.al2023" || runtime == "ruby3.4"
		if err != nil || in.Version != want || (warning == "") != exact {
			t.Errorf("%s is served by %q, want %s, with warning %q, %v", runtime, in.Version, want, warning, err)
		}
	}
}

func TestPrefixIsWhatAnInterpreterNeedsAndNoMore(t *testing.T) {
	dir := t.TempDir()
	installed := interpreter(t, dir+"/v22/bin/node", "v22.0.0")
	if err := os.Mkdir(dir+"/v22/lib", 0o755); err != nil {
		t.Fatal(err)
	}
	alone := interpreter(t, dir+"/home/node", "v24.0.0")
	base := interpreter(t, dir+"/base/bin/python3.12", "Python 3.12.1")
	if err := os.MkdirAll(dir+"/venv/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(base, dir+"/venv/bin/python"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/venv/pyvenv.cfg", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// A program in a virtual environment finds its file by the path it was started by.
	if err := os.WriteFile(dir+"/venv/bin/python.says", []byte("Python 3.12.1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(installed, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	f := finder(dir, map[string]string{
		"nodejs22.x": dir + "/link", "nodejs24.x": alone, "python3.12": dir + "/venv/bin/python",
	})
	for runtime, want := range map[string]struct {
		path   string
		prefix []string
	}{
		"nodejs22.x": {installed, []string{installed, dir + "/v22/lib"}},
		"nodejs24.x": {alone, []string{alone}},
		"python3.12": {dir + "/venv/bin/python", []string{dir + "/venv", base}},
	} {
		in, _, err := f.Find(runtime)
		if err != nil || in.Path != want.path || !slices.Equal(in.Prefix, want.prefix) {
			t.Errorf("%s: got %+v, %v, want %+v", runtime, in, err, want)
		}
	}
	if got := prefixOf("/usr/bin/python3.11"); got != nil {
		t.Errorf("got %q, want nothing that the sandbox shows anyway", got)
	}
}

func TestInterpretersOfThisMachine(t *testing.T) {
	f := NewFinder(nil, "")
	for _, runtime := range supported {
		in, _, err := f.Find(runtime)
		if err != nil {
			t.Fatal(err) // install nodejs and python3
		}
		ask := []string{"-c", "import platform; print(platform.python_version())"}
		switch in.Family {
		case FamilyNode:
			ask = []string{"-p", "process.versions.node"}
		case FamilyRuby:
			ask = []string{"-e", "print RUBY_VERSION, 'p', RUBY_PATCHLEVEL"}
		case FamilyCustom:
			continue // functions bring their own
		case FamilyJava:
			if out, err := exec.Command(in.Path, "--version").Output(); err != nil || !strings.Contains(string(out), " "+in.Version+" ") {
				t.Errorf("%s: %s says %q, %v, want %s", runtime, in.Path, out, err, in.Version)
			}
			continue
		}
		out, err := exec.Command(in.Path, ask...).Output()
		got := strings.TrimSpace(string(out))
		if in.Family == FamilyRuby { // newer ones do not say their patch level when asked for the version
			got = got[:min(len(got), len(in.Version))]
		}
		if err != nil || got != in.Version {
			t.Errorf("%s: %s says %q, %v, want %s", runtime, in.Path, got, err, in.Version)
		}
	}
}

func TestVersionManagersFoldersAreSearched(t *testing.T) {
	home := t.TempDir()
	for _, variable := range []string{"NVM_DIR", "FNM_DIR", "VOLTA_HOME", "ASDF_DATA_DIR", "MISE_DATA_DIR", "UV_PYTHON_INSTALL_DIR"} {
		t.Setenv(variable, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("PATH", "/usr/bin")
	t.Setenv("PYENV_ROOT", home+"/elsewhere")
	var want []string
	for _, folder := range []string{
		".nvm/versions/node/v22.1.0/bin", ".nvm/versions/node/v20.1.0/bin",
		".local/share/fnm/node-versions/v22.1.0/installation/bin", ".volta/tools/image/node/22.1.0/bin",
		"elsewhere/versions/3.12.1/bin", ".asdf/installs/python/3.12.1/bin",
		".local/share/mise/installs/node/22.1.0/bin", ".local/share/uv/python/cpython-3.12.1-linux-x86_64-gnu/bin",
	} {
		if err := os.MkdirAll(filepath.Join(home, folder), 0o755); err != nil {
			t.Fatal(err)
		}
		want = append(want, filepath.Join(home, folder))
	}
	got := slices.DeleteFunc(searchFolders(), func(folder string) bool { return !strings.HasPrefix(folder, home) })
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
