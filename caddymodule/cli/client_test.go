package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// newContext is one with the data directory of a server.
func newContext(t *testing.T, dir string, env map[string]string) *Context {
	t.Helper()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	CommonFlags(flags)
	return &Context{Flags: flags, DataDir: dir, Getenv: func(name string) string { return env[name] }, Out: Stream{Writer: new(bytes.Buffer)}, Err: Stream{Writer: new(bytes.Buffer)}}
}

func TestServerOfThisMachineIsFoundByItsDataDirectory(t *testing.T) {
	const credentials = "[read]\naws_access_key_id = READ\naws_secret_access_key = 0123456789abcdef\nhearth_access = read-only\n" +
		"[default]\naws_access_key_id = FULL\naws_secret_access_key = fedcba9876543210\n"
	dir := folder(t, map[string]string{"endpoint": "http://localhost:8080\neu-west-1\n", "credentials": credentials})
	old := folder(t, map[string]string{"endpoint": "http://localhost:8080\n", "credentials": credentials})
	for name, test := range map[string]struct {
		dir  string
		env  map[string]string
		want target
	}{
		"nothing else":     {dir, nil, target{endpoint: "http://localhost:8080", region: "eu-west-1", keyID: "FULL", secret: "fedcba9876543210", here: true}},
		"of another cloud": {dir, map[string]string{"AWS_REGION": "us-west-2"}, target{endpoint: "http://localhost:8080", region: "eu-west-1", keyID: "FULL", secret: "fedcba9876543210", here: true}},
		"without a region": {old, nil, target{endpoint: "http://localhost:8080", region: "us-east-1", keyID: "FULL", secret: "fedcba9876543210", here: true}},
		"elsewhere": {dir, map[string]string{"AWS_ENDPOINT_URL": "https://a", "AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "S"},
			target{endpoint: "https://a", region: "us-west-2", keyID: "K", secret: "S"}},
	} {
		got, err := newContext(t, test.dir, test.env).target()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got.client = nil
		if *got != test.want {
			t.Errorf("%s: %+v, want %+v", name, *got, test.want)
		}
	}
	if _, err := newContext(t, t.TempDir(), nil).target(); ExitCode(err) != ExitFailed {
		t.Errorf("without a server: %v", err)
	}
}

func TestVariablesAreForAShell(t *testing.T) {
	c := newContext(t, t.TempDir(), map[string]string{"AWS_ENDPOINT_URL": "http://a/'; touch pwned; '", "AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "a'b$c"})
	if err := envCommand.Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-c", c.Out.Writer.(*bytes.Buffer).String()+`printf '%s %s' "$AWS_ENDPOINT_URL" "$AWS_SECRET_ACCESS_KEY"`)
	shell.Dir = t.TempDir()
	got, err := shell.Output()
	if err != nil || string(got) != "http://a/'; touch pwned; ' a'b$c" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(shell.Dir, "pwned")); err == nil {
		t.Error("an address was run as a command")
	}
}
