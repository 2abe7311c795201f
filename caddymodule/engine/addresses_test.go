package engine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatIsToldIsForTheOwnerAlone(t *testing.T) {
	e := &Engine{Config: Config{Dir: t.TempDir()}}
	path := filepath.Join(e.Dir, endpointFile)
	for _, address := range []string{"http://localhost:1\nus-east-1", "http://localhost:2\nus-east-1"} {
		if err := e.writeAddress(endpointFile, address); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != address+"\n" {
			t.Errorf("%q, %v", text, err)
		}
	}
	for range 2 {
		if err := e.writeAddress(endpointFile, ""); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an address that is none is told")
	}
}
