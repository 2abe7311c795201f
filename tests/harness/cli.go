package harness

import (
	"errors"
	"os"
	"os/exec"
	"strings"
)

// HearthCommand is `caddy hearth` as the server's own user on its machine: without an
// address or a key.
func (a *API) HearthCommand(args ...string) *exec.Cmd {
	a.T.Helper()
	cmd := exec.Command(CaddyBinary(a.T), append([]string{"hearth"}, args...)...)
	cmd.Env = append(os.Environ(), "HEARTH_DATA_DIR="+a.Dir+"/data", "XDG_DATA_HOME="+a.Dir+"/xdg", "XDG_CONFIG_HOME="+a.Dir+"/xdg")
	return cmd
}

func (a *API) Hearth(args ...string) (stdout string, exit int) {
	a.T.Helper()
	out, err := a.HearthCommand(args...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return string(out) + string(failed.Stderr), failed.ExitCode()
	}
	a.Check(err)
	return string(out), 0
}

// WantHearth fails unless the command ends with the code and prints the texts.
func (a *API) WantHearth(exit int, texts []string, args ...string) string {
	a.T.Helper()
	out, code := a.Hearth(args...)
	for _, text := range texts {
		if !strings.Contains(out, text) || code != exit {
			a.T.Errorf("caddy hearth %q ends with %d and prints %s; want %d and %q", args, code, out, exit, text)
		}
	}
	return out
}
