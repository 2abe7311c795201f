package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// twinCode tells what an environment has, of which nothing may be another's, and tries to get
// power back.
const twinCode = `
import ctypes, json, mmap, os, random, signal, socket, ssl, sys, tempfile, threading, time, uuid
born = random.getrandbits(64)
def said(f, *args):
    try:
        return repr(f(*args))
    except BaseException as e:
        return "%s %s" % (type(e).__name__, getattr(e, "errno", ""))
def handler(event, context):
    how = event.get("queryStringParameters") or {}
    if how.get("exit"):
        os._exit(int(how["exit"]))
    if how.get("signal"):
        os.kill(os.getpid(), int(how["signal"]))
    if how.get("eat"):
        held = [bytearray(1 << 20) for _ in range(400)]
        time.sleep(10)  # memory is looked at five times a second
    libc = ctypes.CDLL(None, use_errno=True)
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    body = {
        "random": [born, random.getrandbits(64), uuid.uuid4().hex, uuid.uuid1().hex, os.urandom(8).hex(), ssl.RAND_bytes(8).hex(), next(tempfile._get_candidate_names())],
        "files": {fd: os.readlink("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)},
        "namespaces": {n: os.readlink("/proc/self/ns/" + n) for n in ("mnt", "net", "ipc", "uts", "cgroup", "pid", "user")},
        "shared": [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if line.split()[1][1::2] == "ws"],
        "status": {n: status[n].strip() for n in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid", "Groups")},
        "processes": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
        "threads": threading.active_count(), "sockets": len(open("/proc/net/tcp").readlines()) - 1,
        "variables": sorted(os.environ), "cwd": os.getcwd(), "argv": sys.argv, "uid": os.getuid(),
        "signal": said(signal.getsignal, signal.SIGCHLD), "blocked": said(signal.pthread_sigmask, signal.SIG_BLOCK, []),
        "power": [said(os.setuid, 0), said(os.chroot, "/tmp"), libc.setns(0, 0), libc.unshare(0x20000), said(os.kill, 1, 9), said(open, "/var/task/x", "w"), said(open, "/proc/1/environ", "rb")],
        "zygote": open("/proc/self/cmdline").read().split("\0")[-2:][0] == "zygote",
        "left": [n for n in sys.modules if "zygote" in n], "pid": os.getpid(), "session": os.getsid(0) == os.getpid(),
    }
    return {"statusCode": 200, "body": json.dumps(body)}
`

type twin struct {
	Random     []any
	Files      map[string]string
	Namespaces map[string]string
	Shared     []string
	Status     map[string]string
	Processes  []int
	Threads    int
	Sockets    int
	Variables  []string
	Cwd        string
	Argv       []string
	UID        int
	Signal     string
	Blocked    string
	Power      []any
	Zygote     bool
	Left       []string
	PID        int
	Session    bool
}

// twins starts a server with n functions, and more in its options.
func twins(t *testing.T, n int, options, more string) *harness.Server {
	t.Helper()
	s := harness.NewServer(t, "", "")
	code := s.Code("twin", map[string]string{"app.py": twinCode})
	functions, site := options+"\n", ""
	for i := range n {
		functions += harness.PythonFunction(fmt.Sprintf("f%d", i), code, more)
		site += fmt.Sprintf("function /f%d f%d\n", i, i)
	}
	s.Configure(functions, site)
	s.Start()
	return s
}

// ask waits for a stem, and calls a function that has none yet.
func ask(t *testing.T, s *harness.Server, path string) twin {
	t.Helper()
	harness.Eventually(t, "a stem is ready", func() bool { return s.Metric(`hearth_stems{runtime="python",state="ready"}`) > 0 })
	r := s.Get(path)
	var said twin
	if err := json.Unmarshal([]byte(r.Body), &said); r.Status != 200 || err != nil {
		t.Fatalf("%s: %d %s", path, r.Status, r.Body)
	}
	return said
}

func TestTwinsOfAZygoteShareNothingAndHaveNoPower(t *testing.T) {
	harness.Parallel(t)
	if os.Geteuid() != 0 {
		t.Skip("zygotes need a server that is root")
	}
	s := twins(t, 3, "zygotes all", "")
	plain := ask(t, twins(t, 1, "zygotes off", ""), "/f0")
	if plain.Zygote {
		t.Error("zygotes off: it was forked from one")
	}
	first, second := ask(t, s, "/f0"), ask(t, s, "/f1")
	for i := range first.Random {
		if first.Random[i] == second.Random[i] {
			t.Errorf("both have random value %d: %v", i, first.Random[i])
		}
	}
	for name, ns := range first.Namespaces {
		if ns == second.Namespaces[name] || ns == readlink("/proc/%d/ns/%s", os.Getpid(), name) {
			t.Errorf("the namespace %s is not its own: %s", name, ns)
		}
	}
	for _, said := range []twin{first, second} {
		if !said.Zygote {
			t.Fatal("it was not forked from a zygote")
		}
		if len(said.Files) != len(plain.Files) || len(said.Shared) != 0 || said.Threads != 1 || said.Sockets != 0 || len(said.Left) != 0 {
			t.Errorf("it has %+v, and one that was booted %+v", said, plain)
		}
		for name, value := range plain.Status {
			if name != "Uid" && said.Status[name] != value {
				t.Errorf("%s is %q, and of one that was booted %q", name, said.Status[name], value)
			}
		}
		if fmt.Sprint(said.Power) != fmt.Sprint(plain.Power) || said.UID != plain.UID || said.Cwd != plain.Cwd || said.Signal != plain.Signal ||
			said.Blocked != plain.Blocked || !slices.Equal(said.Argv, plain.Argv) || !slices.Equal(said.Variables, plain.Variables) || len(said.Processes) > 4 {
			t.Errorf("it has %+v, and one that was booted %+v", said, plain)
		}
	}
	for fd, target := range first.Files {
		if target == second.Files[fd] && target != "/dev/null" {
			t.Errorf("both have %s", target)
		}
	}
}

func TestEndOfAZygotesChildIsReported(t *testing.T) {
	harness.Parallel(t)
	if os.Geteuid() != 0 {
		t.Skip("zygotes need a server that is root")
	}
	s := twins(t, 3, "zygotes all", "memory 128\ntimeout 60s")
	for i, test := range []struct{ how, says string }{
		{"exit=7", "Runtime exited with error: exit status 7"},
		{"signal=15", "Runtime exited with error: signal: terminated"},
		{"eat=1", "Runtime exited with error: signal: killed"},
	} {
		name := fmt.Sprintf("f%d", i)
		if said := ask(t, s, "/"+name); !said.Zygote {
			t.Fatal("it was not forked from a zygote")
		}
		if r := s.Get("/" + name + "?" + test.how); r.Status != 502 {
			t.Errorf("%s: got %d %s", test.how, r.Status, r.Body)
		}
		s.WantLog(name, test.says)
		if said := ask(t, s, "/"+name); said.PID == 0 {
			t.Errorf("after %s: %+v", test.how, said)
		}
	}
}

// zygotesOf are the zygotes among the descendants of a server.
func zygotesOf(t *testing.T, s *harness.Server) (found []int) {
	t.Helper()
	for _, pid := range harness.Descendants(s.Cmd.Process.Pid) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if strings.HasSuffix(string(line), "\x00zygote\x00") && !strings.HasPrefix(string(line), "bwrap") && strings.Contains(string(status), "\nUid:\t0\t") {
			found = append(found, pid)
		}
	}
	return found
}

func TestFunctionsRunWithoutAZygoteThatIsLost(t *testing.T) {
	harness.Parallel(t)
	if os.Geteuid() != 0 {
		t.Skip("zygotes need a server that is root")
	}
	s := twins(t, 4, "zygotes all", "")
	if !ask(t, s, "/f0").Zygote {
		t.Fatal("it was not forked from a zygote")
	}
	before := zygotesOf(t, s)
	if len(before) != 1 {
		t.Fatalf("zygotes are %v", before)
	}
	if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		ask(t, s, fmt.Sprintf("/f%d", i))
	}
	if r := s.Get("/f0?exit=3"); r.Status != 502 {
		t.Errorf("the end of an orphan: %d %s", r.Status, r.Body)
	}
	ask(t, s, "/f0")

	// One that stands still is given up.
	var next []int
	harness.Eventually(t, "there is another zygote", func() bool {
		s.Get("/f1?exit=1")
		ask(t, s, "/f1")
		next = zygotesOf(t, s)
		return len(next) == 1
	})
	if err := syscall.Kill(next[0], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		s.Get(fmt.Sprintf("/f%d?exit=1", i))
		ask(t, s, fmt.Sprintf("/f%d", i))
	}
	harness.Eventually(t, "it is gone", func() bool { return !slices.Contains(zygotesOf(t, s), next[0]) })

	// And a server that is killed leaves none.
	all := harness.Descendants(s.Cmd.Process.Pid)
	s.Kill()
	harness.Eventually(t, "all processes are gone", func() bool {
		return !slices.ContainsFunc(all, harness.Alive)
	})
}
