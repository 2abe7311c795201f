package java

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestJarsAreOfTheSources(t *testing.T) {
	var sources []string
	err := filepath.WalkDir("src", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".java") {
			sources = append(sources, path)
		}
		return err
	})
	if err != nil || len(sources) < 10 {
		t.Fatalf("%d sources, %v", len(sources), err)
	}
	slices.Sort(sources)
	hash := sha256.New()
	for _, path := range sources {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(b)
	}
	want, err := os.ReadFile("jars/SOURCES")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != strings.TrimSpace(string(want)) {
		t.Error("the sources have changed since the jars were made: run build.sh")
	}
}

func TestRuntimeSharesNoPackageWithFunctions(t *testing.T) {
	files := Files()
	for name, prefixes := range map[string][]string{
		"bootstrap.jar":  {"hearth/"},
		"jackson.jar":    {"com/fasterxml/jackson/", "META-INF/LICENSE", "META-INF/NOTICE"},
		"interfaces.jar": {"com/amazonaws/services/lambda/runtime/"},
		"rehearsal.jar":  {"hearth/Rehearsal"},
	} {
		jar, err := zip.NewReader(bytes.NewReader(files[name]), int64(len(files[name])))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range jar.File {
			if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(f.Name, p) }) {
				t.Errorf("%s holds %s", name, f.Name)
			}
		}
	}
}
