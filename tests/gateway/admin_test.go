package gateway

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// As a newcomer has it: no option admin, no data directory, and a second start in another
// terminal.
func TestSecondStartFailsAndLeavesTheRunningServerWhole(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": `exports.handler = async () => ({ statusCode: 200, body: 'ok' });`})
	write := func(name, function string, port int) string {
		path := filepath.Join(s.Dir, name)
		text := fmt.Sprintf("{\nauto_https off\nhearth {\n%s\n}\n}\nhttp://127.0.0.1:%d {\nfunction /hello* %s\n}\n", harness.NodeFunction("hello", dir, ""), port, function)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s.Config = write("Caddyfile", "hello", s.Port)
	s.Start()
	harness.Eventually(t, "the server says where it is", func() bool {
		return strings.Contains(s.Output(), fmt.Sprintf(`"msg":"ready","url":"http://127.0.0.1:%d/hello","functions":1`, s.Port))
	})
	socket := filepath.Join(s.Dir, "xdg/caddy/hearth/admin.sock")
	if _, err := os.Stat(socket); err != nil {
		t.Errorf("the admin socket is not in the data directory: %v", err)
	}
	caddy := func(arguments ...string) (string, error) {
		command := exec.Command(harness.CaddyBinary(t), arguments...)
		command.Dir, command.Env = s.Cmd.Dir, s.Cmd.Env
		out, err := command.CombinedOutput()
		return string(out), err
	}
	again := write("again", "hello", harness.FreePort(t))
	if out, err := caddy("run", "--adapter", "caddyfile", "--config", again); err == nil || !strings.Contains(out, "state is in use") || !strings.Contains(out, "data_dir") {
		t.Errorf("a second start with the same data directory: %v\n%s", err, out)
	}
	// With data of its own, and the same socket.
	text, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(s.Dir, "other")
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), "hearth {", "hearth {\ndata_dir "+s.Dir+"/other-data", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("process %d answers at the admin socket %s", s.Cmd.Process.Pid, socket)
	if out, err := caddy("run", "--adapter", "caddyfile", "--config", other); err == nil || !strings.Contains(out, want) {
		t.Errorf("a second start with the same socket: %v, want %q in:\n%s", err, want, out)
	}
	if out, err := caddy("reload", "--force", "--adapter", "caddyfile", "--config", s.Config); err != nil {
		t.Errorf("the server cannot be reloaded after that: %v\n%s", err, out)
	}
	if out, err := caddy("hearth", "events"); err != nil {
		t.Errorf("events: %v\n%s", err, out)
	}
	s.Get("/hello").Want(t, 200, "ok")
	// What a start refuses, validate refuses beside the server that runs.
	if out, err := caddy("validate", "--adapter", "caddyfile", "--config", write("typo", "helo", s.Port)); err == nil || !strings.Contains(strings.ReplaceAll(out, `\"`, `"`), `function "helo" is not defined`) || !strings.Contains(out, "did you mean hello?") {
		t.Errorf("validate of a route to a function that is not there: %v\n%s", err, out)
	}
}

// Somebody has started the server as root before, and its socket is still in /tmp.
func TestStaleSocketOfAnotherUserIsNamedWithTheRemedy(t *testing.T) {
	harness.Parallel(t)
	if os.Geteuid() != 0 {
		return // only root can leave a socket that is not this user's
	}
	s := harness.NewServer(t, "", "")
	folder := filepath.Join(s.Dir, "tmp")
	socket := filepath.Join(folder, "caddy-admin.sock")
	for _, step := range []error{os.Mkdir(folder, 0), os.Chmod(folder, 0o777|os.ModeSticky), os.Chown(s.Config, 65534, 65534), os.Chmod(s.Dir, 0o777)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	text, err := os.ReadFile(s.Config)
	if err == nil {
		err = os.WriteFile(s.Config, []byte(strings.Replace(string(text), s.Dir+"/admin.sock", socket, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Wrap = []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}
	s.StartFails("the admin socket "+socket+" belongs to the user root", "sudo rm "+socket)
}
