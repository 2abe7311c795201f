package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCodeIsReadOnlyAndTheOnlyFolderThere(t *testing.T) {
	s := open(t, Config{})
	mine := folder(t, map[string]string{"index.js": "mine"})
	// The mount has to protect it, not who owns it.
	if err := errors.Join(os.Chmod(mine, 0o777), os.Chmod(filepath.Join(mine, "index.js"), 0o666)); err != nil {
		t.Fatal(err)
	}
	theirs := folder(t, map[string]string{"index.js": "theirs"})
	script := fmt.Sprintf(`
		pwd; cat index.js; echo
		touch index.js new 2>&1 | grep -c 'cannot touch'
		touch /new 2>&1 | grep -c 'cannot touch'
		for p in %s %s %s /root /home /run /sys /etc/shadow /etc/ssh /var/lib /var/log /proc/1/root/root; do
			ls $p >/dev/null 2>&1 && echo "there is $p"
		done
		echo ok > /tmp/file && cat /tmp/file`, mine, theirs, filepath.Dir(mine))
	got := run(t, s, script, Spec{Mounts: []Mount{{mine, TaskRoot}}})
	if want := "/var/task\nmine\n2\n1\nok"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCodeBelowAPrivateFolderIsAllOfItThatIsSeen(t *testing.T) {
	private := folder(t, map[string]string{"secret": "secret", "work/fn/index.js": "code", "work/secret": "secret"})
	if err := os.Chmod(private, 0o700); err != nil {
		t.Fatal(err)
	}
	s := shared(t)
	fn := filepath.Join(private, "work/fn")
	got := run(t, s, "cat /root/deep/fn/index.js; echo; ls -A /root /root/deep "+private+" "+private+"/work | xargs",
		Spec{Mounts: []Mount{{fn, "/root/deep/fn"}, {fn, fn}}})
	if want := "code\n/root: deep /root/deep: fn " + private + ": work " + private + "/work: fn"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHiddenPathsAreEmptyEvenWithinAMount(t *testing.T) {
	dir := folder(t, map[string]string{"data/credentials": "secret", "data/code/fn/index.js": "code", "admin.sock": "secret", "rest": "rest"})
	s := open(t, Config{Hide: []string{filepath.Join(dir, "data"), filepath.Join(dir, "admin.sock")}})
	got := run(t, s, "cat admin.sock data/credentials 2>/dev/null; ls -A data; cat rest; echo; cat /opt/index.js", Spec{Mounts: []Mount{
		{dir, TaskRoot},
		{filepath.Join(dir, "data/code/fn"), LayerRoot},
	}})
	if want := "rest\ncode"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMountOfAHiddenPathIsRefused(t *testing.T) {
	dir := folder(t, map[string]string{"data/credentials": "secret"})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "data"), link); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Hide: []string{link, filepath.Join(dir, "later.sock")}})
	for _, source := range []string{link, filepath.Join(dir, "data"), dir} {
		_, err := s.Start(Spec{ID: "x", Args: []string{"true"}, Mounts: []Mount{{source, TaskRoot}}})
		if err == nil || !strings.Contains(err.Error(), "gateway's own") {
			t.Errorf("mount of %s: %v", source, err)
		}
	}
}

func TestProcessesAndEnvironmentsOfOthersAreOutOfSight(t *testing.T) {
	t.Setenv("GATEWAY_SECRET", "gateway")
	s := shared(t)
	other := start(t, s, Spec{ID: "other", Args: []string{"sh", "-c", "echo up; exec cat <&3"}, Env: []string{"PATH=/usr/bin", "OTHER_SECRET=other"}})
	other.line()
	got := run(t, s, `
		cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -a SECRET
		cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -a '[e]xec cat'
		set -- /proc/[0-9]*; echo $#`, Spec{})
	if want := "2"; got != want { // bwrap and sh, which has waited for the pipes
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnvironmentIsExactlyThatOfSpec(t *testing.T) {
	s := shared(t)
	for name, env := range map[string][]string{
		"usual":   {"AWS_REGION=eu-central-1", "NODE_OPTIONS=a b\nc"},
		"unusual": {"LD_LIBRARY_PATH=/opt/lib", "EMPTY=", "QUOTED=a 'b' \"c\" = d"},
		"none":    {},
	} {
		t.Run(name, func(t *testing.T) {
			got := finish(t, start(t, s, Spec{ID: "env-" + name, Args: []string{"/usr/bin/python3", "-I", "-S", "-c",
				"import os\nfor k, v in sorted(os.environ.items()):\n if k not in ('PWD', 'LC_CTYPE'): print(k + '=' + repr(v))"}, Env: env}))
			var want []string
			for _, k := range []string{"AWS_REGION='eu-central-1'", `NODE_OPTIONS='a b\nc'`} {
				if name == "usual" {
					want = append(want, k)
				}
			}
			if name == "unusual" {
				want = []string{"EMPTY=''", "LD_LIBRARY_PATH='/opt/lib'", `QUOTED='a \'b\' "c" = d'`}
			}
			if got != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

// A function's LD_PRELOAD must not be obeyed by what runs before it: not by bwrap,
// which is outside, nor by what still has privileges.
func TestPreloadedCodeRunsOnlyAsTheFunction(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "spy.c")
	err := os.WriteFile(source, []byte(`
		#include <stdio.h>
		#include <unistd.h>
		__attribute__((constructor)) static void spy(void) { fprintf(stderr, "uid %d\n", getuid()); }`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(folder(t, nil), "spy.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", lib, source).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	s := shared(t)
	// The path is good outside and inside.
	at := filepath.Dir(lib)
	got := run(t, s, "true", Spec{Env: []string{"PATH=/usr/bin", "LD_PRELOAD=" + lib}, Mounts: []Mount{{at, at}}})
	if got == "" {
		t.Fatal("the library has not been loaded at all")
	}
	for _, line := range strings.Split(got, "\n") {
		if line != "uid 993" {
			t.Errorf("preloaded code ran as %s", line)
		}
	}
}

func TestSecretsAreOnNoCommandLine(t *testing.T) {
	s := shared(t)
	p := start(t, s, Spec{Args: []string{"sh", "-c", "echo $UNUSUAL; cat <&3"}, Env: []string{"PATH=/usr/bin", "UNUSUAL=secret"}})
	if got := p.line(); got != "secret" {
		t.Errorf("the function sees %q", got)
	}
	for _, pid := range []int{p.cmd.Process.Pid, p.initPID, p.commandPID()} {
		if line := read(t, fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(line, "secret") {
			t.Errorf("process %d: %q", pid, line)
		}
	}
}

func TestStandardOutputCanBeOpenedByName(t *testing.T) {
	s := shared(t)
	if got := run(t, s, "echo out >/dev/stdout; echo err >/dev/stderr", Spec{}); got != "out\nerr" {
		t.Errorf("wrote %q", got)
	}
}

func TestOnlyTheDescriptorsOfSpecAreInherited(t *testing.T) {
	// What Go opens is closed on exec; what a gateway is started with is not.
	inherited, w := pipe(t)
	defer inherited.Close()
	defer w.Close()
	if err := clearCloseOnExec(inherited); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{})
	extra, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	// 5 is the folder that ls reads.
	got := finish(t, start(t, s, Spec{Args: []string{"ls", "/proc/self/fd"}, ExtraFiles: []*os.File{extra}}))
	if want := "0\n1\n2\n3\n4\n5"; got != want {
		t.Errorf("got descriptors %q, want %q", got, want)
	}
}

func TestUserInsideIsLambdasWithoutPrivileges(t *testing.T) {
	s := shared(t)
	got := run(t, s, "id -un; id -u; id -g; grep -hE 'Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|^Seccomp:|Groups' /proc/self/status | tr -s '\\t ' ' '", Spec{})
	zero := ": 0000000000000000\n"
	want := "sbx_user1051\n993\n990\n"
	if hasUsers(s) {
		want += "Groups: \n"
	}
	want += "CapInh" + zero + "CapPrm" + zero + "CapEff" + zero + "CapAmb" + zero + "NoNewPrivs: 1\nSeccomp: 2"
	if !hasUsers(s) { // groups of the gateway's user show as nobody's
		lines := strings.Split(got, "\n")
		got = strings.Join(append(lines[:3:3], lines[4:]...), "\n")
	}
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEachEnvironmentHasAUserOfItsOwn(t *testing.T) {
	s := needUsers(t)
	uids := map[string]bool{}
	for _, id := range []string{"a", "b"} {
		p := start(t, s, Spec{ID: id, Args: []string{"sh", "-c", "echo up; cat <&3"}})
		p.line()
		status := read(t, fmt.Sprintf("/proc/%d/status", p.commandPID()))
		_, after, _ := strings.Cut(status, "Uid:")
		uids[strings.Fields(after)[0]] = true
	}
	if len(uids) != 2 || uids["0"] || uids[fmt.Sprint(os.Geteuid())] {
		t.Errorf("two environments run as %v, want two users, none of them the gateway's", uids)
	}
}

func TestNetworkHostReachesLoopbackAndNoneReachesNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	program := fmt.Sprintf(`
import socket, sys
def reach(addr):
    s = socket.socket()
    s.settimeout(5)
    try:
        s.connect(addr)
        return "reached"
    except OSError as e:
        return e.strerror
print(reach(("127.0.0.1", %d)), len(open("/proc/net/route").readlines()), [n for _, n in socket.if_nameindex()] == ["lo"])
socket.getaddrinfo(socket.gethostname(), 80)
server = socket.create_server(("127.0.0.1", 0))
print(reach(server.getsockname()))`, listener.Addr().(*net.TCPAddr).Port)
	s := shared(t)
	if got := python(t, s, program, Spec{ID: "host", Network: NetworkHost}); !strings.HasPrefix(got, "reached ") {
		t.Errorf("network host: %s", got)
	}
	if got, want := python(t, s, program, Spec{ID: "none", Network: NetworkNone}), "Connection refused 1 True\nreached"; got != want {
		t.Errorf("network none: got\n%s\nwant\n%s", got, want)
	}
}

func TestCertificatesAndNamesResolveAsOnTheMachine(t *testing.T) {
	s := shared(t)
	program := `
import ssl, socket
c = ssl.create_default_context()
print(c.cert_store_stats()["x509_ca"], socket.getaddrinfo("localhost", 443)[0][4][1], open("/etc/resolv.conf").read())`
	outside, err := exec.Command("/usr/bin/python3", "-I", "-S", "-c", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := python(t, s, program, Spec{}); got != strings.TrimSpace(string(outside)) {
		t.Errorf("got %q inside, %q outside", got, outside)
	}
}

func TestRuntimesRun(t *testing.T) {
	s := shared(t)
	for name, args := range map[string][]string{
		// Enough work for the just-in-time compiler, a thread, a child process.
		"node": {"node", "-e", `
			let n = 0; for (let i = 0; i < 1e6; i++) n += i % 7
			new (require("worker_threads").Worker)("require('os').userInfo()", {eval: true}).on("exit", () =>
				console.log(n, require("child_process").execSync("echo child").toString().trim(), require("os").userInfo().username))`},
		"python": {"/usr/bin/python3", "-c", `
import subprocess, threading, multiprocessing, getpass
multiprocessing.Lock()
t = threading.Thread(target=lambda: None); t.start(); t.join()
print(sum(i % 7 for i in range(10**6)), subprocess.check_output(["echo", "child"], text=True).strip(), getpass.getuser())`},
	} {
		t.Run(name, func(t *testing.T) {
			got := finish(t, start(t, s, Spec{ID: name, Args: args, MemoryMB: 512}))
			if want := "2999997 child sbx_user1051"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestJavaRuns(t *testing.T) {
	s := shared(t)
	got := finish(t, start(t, s, Spec{Args: []string{"java", "-XX:+UseSerialGC", "-Xmx64m", "-version"}, MemoryMB: 512}))
	if !strings.Contains(got, "VM") {
		t.Errorf("got %q", got)
	}
}
