package runtimes

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain also makes this binary an interpreter: a copy of it says the text in
// the file beside it. Interpreters are not scripts, those are taken for shims.
func TestMain(m *testing.M) {
	if executable, err := os.Executable(); err == nil {
		if text, err := os.ReadFile(executable + ".says"); err == nil {
			switch string(text) {
			case "hang":
				time.Sleep(time.Minute)
			case "fail":
				os.Exit(1)
			}
			os.Stdout.Write(append(text, '\n'))
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

// interpreter makes a program at path that says text.
func interpreter(t *testing.T, path, text string) string {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(executable, path); err != nil {
		copyFile(t, executable, path) // another file system
	}
	if err := os.WriteFile(path+".says", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(target, source)
	if closeErr := target.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		t.Fatal(err)
	}
}
