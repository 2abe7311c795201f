package custom

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A codeFolder is a place with files and, where the text begins with "->", links.
func codeFolder(t *testing.T, inside string, files map[string]string) Place {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, link := strings.CutPrefix(text, "->"); link {
			err = os.Symlink(to, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return Place{Outside: dir, Inside: inside}
}

// Links of the code are paths of the environment: what the same path is on this machine
// is nobody's business there.
func TestLinksOfTheCodeAreFollowedAsTheEnvironmentDoes(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	layers := map[string]string{"bin/run": "#!/bin/sh\n", "extensions/own": "#!/bin/sh\n", "extensions/by-link": "->../bin/run",
		"extensions/by-path": "->/opt/bin/run", "extensions/of-the-system": "->/bin/true", "extensions/nowhere": "->/opt/none", "extensions/data": "->/var/task/data"}
	for name, test := range map[string]struct {
		files map[string]string
		want  string // of the error, "" for none
	}{
		"into a layer":       {map[string]string{"bootstrap": "->/opt/bin/run"}, ""},
		"by a folder":        {map[string]string{"bootstrap": "->b/run", "b": "->../../opt/bin"}, ""},
		"inside":             {map[string]string{"bootstrap": "->./x/../y", "x/z": "", "y": "#!/bin/sh\n"}, ""},
		"of the system":      {map[string]string{"bootstrap": "->/bin/sh"}, ""},
		"of this machine":    {map[string]string{"bootstrap": "->" + secret}, ""}, // which the environment does not find
		"nowhere":            {map[string]string{"bootstrap": "->/opt/none"}, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"},
		"a circle":           {map[string]string{"bootstrap": "->bootstrap"}, "too many levels of symbolic links"},
		"into a file":        {map[string]string{"bootstrap": "->x/y", "x": ""}, "Couldn't find valid bootstrap(s)"},
		"to what is no code": {map[string]string{"bootstrap": "->x", "x": "text"}, "exec format error"},
	} {
		places := []Place{codeFolder(t, "/var/task", test.files), codeFolder(t, "/opt", layers)}
		_, err := Bootstrap(places)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	data := codeFolder(t, "/var/task", map[string]string{"data/x": ""})
	names, err := Extensions([]Place{data, codeFolder(t, "/opt", layers)})
	if want := []string{"by-link", "by-path", "of-the-system", "own"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("extensions are %v, %v, want %v", names, err, want)
	}
	if _, err := Extensions([]Place{data, codeFolder(t, "/opt", map[string]string{"extensions": "->/"})}); err == nil || !strings.Contains(err.Error(), "leads out of") {
		t.Errorf("a folder of this machine as extensions: %v", err)
	}
	if names, err := Extensions([]Place{data, {Inside: "/opt"}}); err != nil || names != nil {
		t.Errorf("without layers: %v, %v", names, err)
	}
}
