package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

var update = flag.Bool("update", false, "write the goldens anew")

// Each golden is a Caddyfile, a line of dashes, and the JSON it becomes or the
// exact error; the format of Caddy's own.
func TestCaddyfileBecomesJSONOrTheExactError(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d goldens: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".caddyfiletest"), func(t *testing.T) {
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			input, want, found := strings.Cut(string(golden), "\n----------\n")
			if !found {
				t.Fatalf("%s has no line of dashes", path)
			}
			got, err := adapt(input + "\n")
			if err != nil {
				got = err.Error()
			}
			if *update {
				if err := os.WriteFile(path, []byte(input+"\n----------\n"+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want = strings.TrimSpace(want); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// adapt is the JSON of a Caddyfile, indented.
func adapt(input string) (string, error) {
	adapter := caddyconfig.GetAdapter("caddyfile")
	result, _, err := adapter.Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", err
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, result, "", "\t")
	return indented.String(), err
}
