package cli

import (
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSameFilesMakeTheSameArchive(t *testing.T) {
	files := map[string]string{"b.js": "b", "a.js": "a", "lib/c.js": "c"}
	one, two := folder(t, files), folder(t, files)
	if err := os.Chtimes(filepath.Join(two, "a.js"), time.Now(), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(two, "b.js"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, n, err := archive(one)
	if err != nil || n != 3 {
		t.Fatal(n, err)
	}
	second, _, err := archive(two)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("times and modes that do not matter make another archive")
	}
	if err := os.Chmod(filepath.Join(two, "b.js"), 0o755); err != nil {
		t.Fatal(err)
	}
	if second, _, err = archive(two); err != nil || bytes.Equal(first, second) {
		t.Errorf("a program is archived as what is none, %v", err)
	}
}

func contents(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = f.Mode().String() + " " + string(text)
	}
	return all
}

func TestArchiveLeavesOutWhatToolsLeave(t *testing.T) {
	dir := folder(t, map[string]string{
		"index.js": "x", ".git/HEAD": "x", "sub/.DS_Store": "x", "sub/__pycache__/a.pyc": "x", ".env": "kept",
		configFile: "{}", "data/" + configFile: "kept",
	})
	if err := os.Symlink("index.js", filepath.Join(dir, "link.js")); err != nil {
		t.Fatal(err)
	}
	// A folder is often reached by a link: current -> releases/7.
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"index.js": "-rw-r--r-- x", ".env": "-rw-r--r-- kept", "data/" + configFile: "-rw-r--r-- kept", "link.js": "Lrwxrwxrwx index.js",
	}
	for _, path := range []string{dir, link} {
		data, _, err := archive(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, data); !maps.Equal(got, want) {
			t.Errorf("archived are %v, want %v", got, want)
		}
	}
	if _, _, err := archive(t.TempDir()); err == nil {
		t.Error("a folder without files is archived")
	}
}
