package sandbox_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// doctor runs the command with the variables, as the user if it names one, in a mount
// namespace where everyone has the device of pasta unless noTUN, and lent is what
// /etc/subuid and /etc/subgid say.
func doctor(t *testing.T, user string, noTUN bool, lent string, variables ...string) (findings map[string][3]string, exit int) {
	t.Helper()
	data := t.TempDir()
	if err := os.Chmod(filepath.Dir(data), 0o755); err != nil {
		t.Fatal(err)
	}
	script := `mount -t tmpfs none /dev/net && mknod /dev/net/tun c 10 200 && chmod 666 /dev/net/tun &&
		mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"`
	file := filepath.Join(data, "lent")
	if err := os.WriteFile(file, []byte(lent), 0o644); err != nil {
		t.Fatal(err)
	}
	if noTUN {
		script = strings.ReplaceAll(script, "666", "600")
	}
	args := []string{"--mount", "sh", "-c", script, file}
	if user != "" {
		if out, err := exec.Command("chown", user, data).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		args = append(args, "setpriv", "--reuid", user, "--regid", user, "--clear-groups")
	}
	args = append(args, "env", "HEARTH_DATA_DIR="+data, "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data)
	cmd := exec.Command("unshare", append(append(args, variables...), harness.CaddyBinary(t), "hearth", "doctor", "--json")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		exit = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Name, State, Text, Remedy string }
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	findings = map[string][3]string{}
	for _, f := range list {
		findings[f.Name] = [3]string{f.State, f.Text, f.Remedy}
	}
	return findings, exit
}

func TestDoctorSaysWhatKeepsFunctionsApart(t *testing.T) {
	harness.Parallel(t)
	const nobody = "65534"
	check := func(t *testing.T, got map[string][3]string, name, state, text, remedy string) {
		t.Helper()
		f := got[name]
		if f[0] != state || !strings.Contains(f[1], text) || !strings.Contains(f[2], remedy) {
			t.Errorf("%s: got %q, want %s, %q, %q", name, f, state, text, remedy)
		}
	}
	t.Run("as root", func(t *testing.T) {
		got, exit := doctor(t, "", false, "")
		for _, name := range []string{"kernel", "sandbox", "users", "cgroups", "freezing", "network", "stems"} {
			check(t, got, name, "ok", "", "")
		}
		check(t, got, "runtimes", got["runtimes"][0], "Node.js ", "")
		if exit != 0 {
			t.Errorf("it ends with %d", exit)
		}
	})
	t.Run("as another user", func(t *testing.T) {
		got, exit := doctor(t, nobody, false, "other:100000:65536\n")
		check(t, got, "sandbox", "ok", "", "")
		check(t, got, "users", "weaker", "lends nobody 0 users", "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 nobody")
		check(t, got, "cgroups", "weaker", "no cgroup", "Delegate=yes")
		check(t, got, "freezing", "weaker", "SIGSTOP", "Delegate=yes")
		check(t, got, "network", "ok", "network of their own", "")
		if exit != 0 {
			t.Errorf("it ends with %d", exit)
		}
	})
	t.Run("as another user with users", func(t *testing.T) {
		got, exit := doctor(t, nobody, false, "other:165536:65536\nnobody:100000:65536\n")
		for _, name := range []string{"sandbox", "users", "network", "stems"} {
			check(t, got, name, "ok", "", "")
		}
		if exit != 0 {
			t.Errorf("it ends with %d", exit)
		}
	})
	t.Run("as another user with too few users", func(t *testing.T) {
		got, _ := doctor(t, nobody, false, "nobody:100000:10\n")
		check(t, got, "users", "weaker", "lends nobody 10 users", "usermod")
		check(t, got, "stems", "ok", "", "")
	})
	t.Run("as another user with users that it may not have", func(t *testing.T) {
		got, _ := doctor(t, nobody, false, "nobody:100000:65536\n", "PATH=/usr/bin:/bin", "setpriv", "--no-new-privs")
		check(t, got, "users", "weaker", "newuidmap", "NoNewPrivileges")
		check(t, got, "stems", "ok", "", "")
	})
	t.Run("as another user without the device of pasta", func(t *testing.T) {
		got, exit := doctor(t, nobody, true, "")
		check(t, got, "network", "weaker", "chmod 0666 /dev/net/tun", "network host")
		if exit != 0 {
			t.Errorf("it ends with %d", exit)
		}
	})
	t.Run("without bubblewrap", func(t *testing.T) {
		got, exit := doctor(t, "", false, "", "PATH=/nothing")
		check(t, got, "sandbox", "missing", "install bubblewrap", "")
		if exit != 1 {
			t.Errorf("it ends with %d, want 1", exit)
		}
	})
}
