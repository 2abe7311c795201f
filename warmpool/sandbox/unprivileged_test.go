package sandbox

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// nobody is the user that the tests are run as once more.
const nobody = 65534

// TestUnprivilegedGateway runs all tests that do not ask for root again, as a
// gateway of an ordinary user: no cgroups, the function has the gateway's user, or one
// that is subordinate to it. It may bind ports below 1024, as Caddy's unit of systemd
// has it.
func TestUnprivilegedGateway(t *testing.T) {
	if os.Geteuid() != 0 {
		return // this is that run
	}
	t.Run("without users", func(t *testing.T) { runsAll(t, "", nil) })
	t.Run("with users", func(t *testing.T) {
		runsAll(t, fmt.Sprintf("%d:%d:%d\n", nobody, lentUID, lentUsers), map[string]int{"TestEachEnvironmentHasAUser": 1, "TestPeerIsNotWhoever": 1})
	})
}

// What the second gateway is lent.
const (
	lentUID   = 1_900_000_000
	lentUsers = 2000
)

// runsAll runs the tests as a user to whom the machine lends what a line of /etc/subuid says.
// Of tests that say how many have to pass, it says more beside its own.
func runsAll(t *testing.T, lent string, more map[string]int) {
	subordinates := filepath.Join(folder(t, map[string]string{"lent": lent}), "lent")
	id := strconv.Itoa(nobody)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Go builds it where only root may go.
	dir := folder(t, nil)
	for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(dir, "sandbox.test")
	if err := copyFile(self, binary); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tmp, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	// What the machine says of subordinate users does not matter: they are others in each run.
	script := `mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && exec "$@"`
	args := append([]string{"--mount", "sh", "-ec", script, "sh", subordinates}, "setpriv", "--reuid", id, "--regid", id, "--clear-groups",
		"--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service", "--pdeathsig", "KILL")
	skip := "TestRoot|TestUnprivileged|Benchmark"
	if lent != "" {
		skip += "|TestAssumedMemoryHolds" // takes long, and is the same
	}
	cmd := exec.Command("unshare", append(args, binary, "-test.skip="+skip, "-test.v")...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR=" + tmp}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	wanted := map[string]int{"TestKillEnds": 2, "TestStemAssumesAFunction": 1, "TestListenerInside": 1, "TestHolder": 3}
	maps.Copy(wanted, more)
	for test, want := range wanted {
		if n := strings.Count(string(out), "--- PASS: "+test); n < want {
			t.Errorf("%d tests %s... passed, want %d:\n%s", n, test, want, out)
		}
	}
}
