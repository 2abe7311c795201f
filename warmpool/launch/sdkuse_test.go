package launch

import (
	"archive/zip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function"
)

func TestHandlersThatNameTheSDK(t *testing.T) {
	folder := t.TempDir()
	files := map[string]string{"app.py": "import os", "sub/sdk.py": "from boto3 import client", "core.py": "import botocore"}
	archive := filepath.Join(t.TempDir(), "code.zip")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.Symlink("/etc/hostname", filepath.Join(folder, "outside.py")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe.py"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{folder, archive, filepath.Join(folder, "app.py"), "/does/not/exist", ""} {
		for handler, want := range map[string]bool{
			"app.handler": false, "sub/sdk.handler": true, "sub.sdk.handler": true, "core.handler": true,
			"../app.handler": false, "outside.handler": false, "pipe.handler": false, "missing.handler": false, "": false, ".": false, "handler": false,
		} {
			want = want && (code == folder || code == archive)
			if got := namesSDK(&function.Function{Code: code, Handler: handler}); got != want {
				t.Errorf("%s in %s: %t", handler, code, got)
			}
		}
	}
}
