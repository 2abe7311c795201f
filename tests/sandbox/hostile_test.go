package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// What a hostile function tries, each by itself. It answers what it got.
const hostile = `
import glob, json, os, socket, subprocess, time

def attempt(what):
    try:
        return str(what())[:200]
    except BaseException as e:
        return "refused: %s" % type(e).__name__

def read(path):
    with open(path, "rb") as f:
        return f.read()

def fork_without_end():
    children = 0
    try:
        for _ in range(5000):
            if os.fork() == 0:
                time.sleep(600)
            children += 1
    except OSError:
        return "stopped after %d" % children
    return "never stopped"

def fill_tmp():
    written = 0
    try:
        with open("/tmp/fill", "wb") as f:
            while written < 2 << 30:
                written += f.write(b"x" * (1 << 20))
    except OSError as e:
        return "stopped: %s" % e.strerror
    finally:
        os.unlink("/tmp/fill")
    return "never stopped"

def admin(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return "connected"

def environ_of_others():
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            if b"GATEWAY_SECRET" in read(path): found.append(path)
        except OSError: pass
    return found

def handler(event, context):
    ask = json.loads(event["body"])
    return {"statusCode": 200, "body": json.dumps({
        "data": attempt(lambda: os.listdir(ask["data"])),
        "other": attempt(lambda: os.listdir(ask["other"])),
        "admin": attempt(lambda: admin(ask["admin"])),
        "root": attempt(lambda: os.listdir("/root")),
        "shadow": attempt(lambda: read("/etc/shadow")),
        "environ": attempt(environ_of_others),
        "secret": attempt(lambda: os.environ["GATEWAY_SECRET"]),
        "write": attempt(lambda: open("/var/task/new", "w")),
        "mount": attempt(lambda: subprocess.check_call(["mount", "-t", "tmpfs", "none", "/tmp"], stderr=subprocess.DEVNULL)),
        "userns": attempt(lambda: subprocess.check_call(["unshare", "-U", "true"], stderr=subprocess.DEVNULL)),
        "kill": attempt(lambda: os.kill(ask["gateway"], 9)),
        "tmp": attempt(fill_tmp),
        "fork": attempt(fork_without_end),
    })}
`

func TestHostileFunctionIsContained(t *testing.T) {
	harness.Quiet(t)
	asBoth(t, func(t *testing.T, asRoot bool) { isContained(t, newWorld(t).server("127.0.0.53", asRoot)) })
	t.Run("as another user with users", func(t *testing.T) {
		s := newWorld(t).server("127.0.0.53", false)
		lend(s)
		isContained(t, s)
	})
}

func isContained(t *testing.T, s *harness.Server) {
	s.Env = []string{"GATEWAY_SECRET=hunter2"}
	bad := s.Code("bad", map[string]string{"app.py": hostile})
	good := s.Code("good", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: 'fine' })"})
	s.Configure(harness.PythonFunction("bad", bad, "memory 4096\nephemeral_storage 512\ntimeout 300s")+harness.NodeFunction("good", good, ""), "function /bad bad\nfunction good")
	s.Start()
	s.Get("/").Want(t, 200, "fine")

	ask, err := json.Marshal(map[string]any{
		"data": s.Dir + "/data", "other": good, "admin": s.Dir + "/admin.sock", "gateway": s.Cmd.Process.Pid,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Request("POST", "/bad", strings.NewReader(string(ask)))
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: 5 * time.Minute} // a thousand processes are slow to come on a busy machine
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]string
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%d %s: %v", response.StatusCode, body, err)
	}
	for what, result := range answer {
		switch what {
		case "environ":
			if result != "[]" {
				t.Errorf("the gateway's secret is in %s", result)
			}
		case "tmp":
			if !strings.Contains(result, "No space left") {
				t.Errorf("filling /tmp: %s", result)
			}
		case "fork":
			if !strings.HasPrefix(result, "stopped after") {
				t.Errorf("forking without end: %s", result)
			}
		default:
			if !strings.HasPrefix(result, "refused") {
				t.Errorf("%s: %s", what, result)
			}
		}
	}
	s.Get("/").Want(t, 200, "fine")
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", s.Cmd.Process.Pid)); err != nil {
		t.Error("the gateway is gone")
	}
}

func TestNetworkNoneReachesNothing(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"app.py": `
import socket
def handler(event, context):
    try:
        socket.create_connection(("127.0.0.1", int(event["rawPath"][1:])), 2).close()
        return {"statusCode": 200, "body": "connected"}
    except OSError as e:
        return {"statusCode": 200, "body": "refused"}
`})
	s.Configure(harness.PythonFunction("open", dir, "network host")+harness.PythonFunction("shut", dir, "network none"),
		"@shut header X-To shut\nfunction @shut shut\nfunction open")
	s.Start()
	path := fmt.Sprintf("/%d", s.Port)
	s.Get(path).Want(t, 200, "connected")
	r := s.Request("GET", path, nil)
	r.Header.Set("X-To", "shut")
	s.Do(r).Want(t, 200, "refused")
}

// What a hostile function tries with sockets, on a network of its own and on the
// machine's.
func TestHostileFunctionGetsNothingBySockets(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, getsNothingBySockets)
}

func getsNothingBySockets(t *testing.T, asRoot bool) {
	w := newWorld(t)
	const abstract = "hearth-test-secret"
	in(t, w.machine.Name, func() error {
		l, err := net.Listen("unix", "@"+abstract)
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	s := w.server("127.0.0.53", asRoot)
	dir := s.Code("f", map[string]string{"app.py": prober})
	s.Configure(harness.PythonFunction("own", dir, "timeout 60s")+harness.PythonFunction("shared", dir, "network host\ntimeout 60s"), "function /own own\nfunction /shared shared")
	s.Start()
	// Raw IP, packets, and kernel code that a function has no use for.
	var sockets []attempt
	for _, kind := range []string{
		"2,3,1", "2,3,255", "10,3,58", "17,3,0", "17,2,768", // raw and packet
		"2,1,262", "10,1,262", "2,1,132", "2,2,136", // MPTCP, SCTP, UDP-Lite
		"16,3,4", "16,3,6", "16,3,9", "16,3,12", "16,3,15", "16,3,16", // netlink: sock_diag, xfrm, audit, netfilter, uevent, generic
		"38,5,0", "40,1,0", "31,3,0", "30,1,0", "44,3,0", // alg, vsock, bluetooth, tipc, xdp
	} {
		sockets = append(sockets, attempt{"socket", kind, 0, ""})
	}
	attempts(s, "/own", append(sockets, attempt{"abstract", abstract, 0, ""}, attempt{"listen", "0.0.0.0", s.Port, "listening"}, attempt{"listen", "0.0.0.0", 80, "listening"})...)
	// A port of the gateway's own is of no use, the machine's is not to be had.
	for range 20 {
		attempts(s, "/own")
	}
	attempts(s, "/shared", append(sockets, attempt{"abstract", abstract, 0, "connected"}, attempt{"listen", "0.0.0.0", s.Port, ""}, attempt{"listen", "127.0.0.1", s.Port, ""})...)
}

// A function that speaks for the server, in an answer and in the prelude of a streamed
// one: what the server says of itself and of the connection is not the function's.
const impostor = `
const forged = { 'Date': 'forged', 'SERVER': 'forged', 'x-amzn-requestid': 'forged', 'Connection': 'keep-alive, x-own, forged', 'keep-alive': 'forged',
	'te': 'forged', 'trailer': 'x-forged', 'transfer-encoding': 'forged', 'upgrade': 'forged', 'content-length': '1', 'x-own': 'mine' };
export const plain = async () => ({ statusCode: 200, headers: forged, body: 'whole' });
export const streams = awslambda.streamifyResponse(async (event, stream) => {
	stream = awslambda.HttpResponseStream.from(stream, { statusCode: 200, headers: forged });
	stream.write('whole');
	stream.end();
});`

func TestFunctionsDoNotSpeakForTheServer(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.mjs": impostor})
	functions, site := "", ""
	for _, name := range []string{"plain", "streams"} {
		functions += fmt.Sprintf("function %[1]s {\n runtime nodejs20.x\n handler index.%[1]s\n code %[2]s\n}\n", name, dir)
		site += fmt.Sprintf("function /%[1]s %[1]s\n", name)
	}
	s.Configure(functions, site)
	s.Start()
	for _, name := range []string{"plain", "streams"} {
		got := s.Get("/" + name)
		got.Want(t, 200, "whole")
		if all := fmt.Sprint(got.Header); strings.Contains(all, "forged") || strings.Contains(got.Header.Get("Connection"), "x-own") {
			t.Errorf("%s: %s", name, all)
		}
		if got.Body != "whole" || got.Header.Get("Server") != "Caddy" || len(got.Header.Get("X-Amzn-Requestid")) != 36 || len(got.Header.Values("Date")) != 1 {
			t.Errorf("%s: %q with %v", name, got.Body, got.Header)
		}
	}
}
