package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is the user that the tests are run as once more.
const nobody = 65534

// TestUnprivilegedGateway runs all tests that do not ask for root again, as a
// gateway of an ordinary user: no cgroups, the function has the gateway's user. It
// may bind ports below 1024, as Caddy's unit of systemd has it.
func TestUnprivilegedGateway(t *testing.T) {
	if os.Geteuid() != 0 {
		return // this is that run
	}
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
	cmd := exec.Command(binary, "-test.skip=TestRoot|TestUnprivileged|Benchmark", "-test.v")
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR=" + tmp}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: []uintptr{unix.CAP_NET_BIND_SERVICE},
		Pdeathsig: syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for test, want := range map[string]int{"TestKillEnds": 2, "TestStemAssumesAFunction": 1, "TestListenerInside": 1, "TestHolder": 3} {
		if n := strings.Count(string(out), "--- PASS: "+test); n < want {
			t.Errorf("%d tests %s... passed, want %d:\n%s", n, test, want, out)
		}
	}
}
