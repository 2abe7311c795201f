package examples

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestDevServesAFolderFollowsEditsAndShowsErrors(t *testing.T) {
	harness.Parallel(t)
	dir, port := harness.TempDir(t), harness.FreePort(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("hello/index.mjs", "export const handler = async () => { console.log('from the function'); return { statusCode: 200, body: 'first ' + process.env.BRACES }; };")
	write("broken/index.mjs", "export const handler = async () => { throw new Error('asked for'); };")
	write("broken/hearth.json", `{"env": {"A_NAME": "x"}}`)
	dev := exec.Command(harness.CaddyBinary(t), "hearth", "dev", dir, "--port", fmt.Sprint(port), "--env", "BRACES={env.HOME}")
	dev.Env = append(os.Environ(), "TMPDIR="+dir, "XDG_DATA_HOME="+dir)
	var out harness.Server // keeps what is written
	dev.Stdout, dev.Stderr = &out, &out
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- dev.Wait() }()
	t.Cleanup(func() { _ = dev.Process.Kill() })
	seen := func(text string) {
		t.Helper()
		harness.Eventually(t, "dev prints "+text, func() bool { return strings.Contains(out.Output(), text) })
	}
	get := func(path string) (int, string) {
		t.Helper()
		r, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := harness.Try(r)
		if err != nil {
			t.Fatal(err)
		}
		return got.Status, got.Body
	}
	seen("ready: http://localhost:" + fmt.Sprint(port))
	if status, body := get("/hello"); status != 200 || body != "first {env.HOME}" {
		t.Errorf("hello answers %d %s", status, body)
	}
	seen("from the function")
	if status, body := get("/broken"); status != 502 || !strings.Contains(body, "asked for") || !strings.Contains(body, `"trace"`) {
		t.Errorf("broken answers %d %s, without its trace", status, body)
	}
	seen(dir + "/broken/index.mjs:1")
	if status, body := get("/nothing"); status != 404 || !strings.Contains(body, "/hello") {
		t.Errorf("another path answers %d %s", status, body)
	}
	write("hello/index.mjs", "export const handler = async () => ({ statusCode: 200, body: 'second' });")
	harness.Eventually(t, "the edit is served", func() bool { _, body := get("/hello"); return body == "second" })
	if err := dev.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("dev ends with %v:\n%s", err, out.Output())
	}
	if left, _ := filepath.Glob(dir + "/hearth-dev-*"); len(left) > 0 {
		t.Errorf("dev leaves %v", left)
	}
}
