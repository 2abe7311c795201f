package runtimes

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

const provided = "provided.al2023"

func customFunction(name, dir, more string) string {
	if !strings.Contains("\n"+more, "\ntimeout ") {
		more += "\ntimeout 10s"
	}
	return fmt.Sprintf("function %s {\n runtime %s\n handler any.thing\n code %s\n %s\n}\n", name, provided, dir, more)
}

// script writes an executable file into a folder of code.
func writeScript(s *harness.Server, dir, name, text string) {
	s.T.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.T.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		s.T.Fatal(err)
	}
}

func TestExampleInGoIsServedAndFollowed(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("hello", map[string]string{"readme": ""})
	if out, err := exec.Command("../../examples/hello-go/build.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.Configure(customFunction("hello", dir, ""), "function hello")
	s.Start()
	s.Get("/?name=Ada").Want(t, 200, `{"message":"Hello, Ada!"}`)
	if err := os.Remove(filepath.Join(dir, "bootstrap")); err != nil { // what runs cannot be written to
		t.Fatal(err)
	}
	writeScript(s, dir, "bootstrap", harness.BashBootstrap)
	harness.Eventually(t, "the new program runs", func() bool { return s.Get("/").Body == "hello from bash" })
}

func TestFunctionInGoIsServed(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.GoFunction()
	s.Configure(customFunction("go", dir, "env OWN mine\nmemory 512")+customFunction("slow", dir, "timeout 1s")+customFunction("alone", dir, "network none"),
		"function /slow/* slow\nfunction /alone/* alone\nfunction go")
	s.Start()
	s.Get("/").Want(t, 200, "hello from Go")
	s.Get("/context").Want(t, 200, "arn:aws:lambda:us-east-1:000000000000:function:go go true true any.thing mine")
	s.Get("/fail").Want(t, 502, "")
	s.WantLog("go", "INIT_START Runtime Version: provided.al2023", "START RequestId: ", "REPORT RequestId: ")
	s.Get("/panic").Want(t, 502, "")
	s.Get("/exit").Want(t, 502, "")
	s.WantLog("go", "Runtime exited with error: exit status 3")
	s.Get("/large").Want(t, 502, "")
	s.Get("/print").Want(t, 200, "")
	s.WantLog("go", "printed by the function")
	s.Get("/stream").Want(t, 201, "part 0\npart 1\npart 2\n")
	s.Get("/slow/sleep").Want(t, 504, "")
	s.Get("/slow/x").Want(t, 200, "hello from Go")
	for range 200 {
		s.Get("/x").Want(t, 200, "hello from Go")
	}
	// In a network of its own the endpoint is there all the same.
	s.Get("/alone/x").Want(t, 200, "hello from Go")
}

// A thief sends another function's endpoint what is answered at once: nobody's
// invocation. Only a connection that is closed unread is no answer.
const thief = `
import http.client
def handler(event, context):
    try:
        c = http.client.HTTPConnection(event["rawPath"].split("/")[-1], timeout=4)
        c.request("POST", "` + nobodysInvocation + `", "{}")
        return {"statusCode": 200, "body": "got %d" % c.getresponse().status}
    except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
        return {"statusCode": 200, "body": "refused"}
`

const nobodysInvocation = "/2018-06-01/runtime/invocation/none/response"

func TestEndpointIsOfTheEnvironmentAlone(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.GoFunction()
	thief := s.Code("thief", map[string]string{"app.py": thief})
	// On the network that they share; elsewhere one cannot even connect.
	s.Configure("network host\n"+customFunction("go", dir, "")+harness.PythonFunction("thief", thief, ""), "function /steal/* thief\nfunction go")
	s.Start()
	address := s.Get("/listen").Body
	if _, _, err := net.SplitHostPort(address); err != nil {
		t.Fatalf("%q: %v", address, err)
	}
	s.Get("/steal/"+address).Want(t, 200, "refused")
	// Nor may a process of the machine, such as this one, be it root's.
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	r, err := client.Post("http://"+address+nobodysInvocation, "application/json", strings.NewReader("{}"))
	if err == nil {
		r.Body.Close()
		t.Errorf("a process of the machine got %s", r.Status)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a process of the machine was not refused: %v", err)
	}
	s.Get("/").Want(t, 200, "hello from Go")
}

func TestBootstrapOfShellScriptIsServedByTheRuntimeAPI(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("bash", map[string]string{"readme": ""})
	writeScript(s, dir, "bootstrap", harness.BashBootstrap)
	s.Configure(customFunction("bash", dir, "memory 256"), "function bash")
	s.Start()
	s.Get("/").Want(t, 200, "hello from bash")
	s.Get("/twice").Want(t, 200, "first")
	s.Get("/status").Want(t, 200, "second response got 403")
	s.Get("/other").Want(t, 200, "other id got 400, init error got 403")
	s.Get("/stale").Want(t, 200, "stale got 410")
	s.Get("/next").Want(t, 200, "next got 200")
	s.Get("/large").Want(t, 502, "")
	s.Get("/status").Want(t, 200, "second response got 413")
	s.Get("/telemetry").Want(t, 200, "{errorMessage:Missing Lambda-Extension-Identifier header,errorType:Extension.MissingExtensionIdentifier}")
	s.Get("/error").Want(t, 502, "")
	s.WantLog("bash", "init by bash", "Status: error")
	if n := strings.Count(s.Logs("bash"), "init by bash"); n != 1 {
		t.Errorf("the environment was started %d times, want once", n)
	}
}

func TestBootstrapThatCannotRunIsNamed(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	functions, site := "", ""
	mishaps := map[string]struct{ bootstrap, mode, want string }{
		"missing":      {"", "", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"},
		"executable":   {"#!/bin/sh", "not", "fork/exec /var/task/bootstrap: permission denied"},
		"architecture": {"\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 200), "", "fork/exec /var/task/bootstrap: exec format error"},
		"text":         {"this is no program", "", "fork/exec /var/task/bootstrap: exec format error"},
		"exits":        {"#!/bin/sh\nexit 5", "", "Runtime exited with error: exit status 5"},
		"interpreter":  {"#!/no/such/interpreter\n", "", "Runtime exited with error"},
		"reports":      {"#!/bin/sh\ncurl -sS http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/init/error -H 'Lambda-Runtime-Function-Error-Type: Runtime.NoDatabase' -d '{\"errorMessage\":\"no database\"}'\nexit 1", "", "Runtime.NoDatabase"},
		"never":        {"#!/bin/sh\necho waiting\nsleep 60", "", "Status: timeout"},
	}
	for name, m := range mishaps {
		dir := s.Code(name, map[string]string{"readme": ""})
		if m.bootstrap != "" {
			writeScript(s, dir, "bootstrap", m.bootstrap)
		}
		if m.mode != "" {
			if err := os.Chmod(filepath.Join(dir, "bootstrap"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		functions += customFunction(name, dir, "timeout 1s")
		site += fmt.Sprintf("function /%s %s\n", name, name)
	}
	s.Configure(functions, site)
	s.Start()
	for name, m := range mishaps {
		status := 502
		if name == "never" {
			status = 504
		}
		s.Get("/"+name).Want(t, status, "")
		s.WantLog(name, m.want)
	}
	harness.Eventually(t, "no process is left", func() bool { return len(harness.Descendants(s.Cmd.Process.Pid)) == 0 })
}

// An extension that writes down what it is told.
const extensionScript = `#!/bin/bash
set -eu
API="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
ID="$(curl -sS -D - -o /tmp/registered -X POST "$API/register" -H "Lambda-Extension-Name: ${0##*/}" -H 'Lambda-Extension-Accept-Feature: accountId' -d '{"events":["INVOKE","SHUTDOWN"]}' | grep -i ^lambda-extension-identifier: | tr -d '[:space:]' | cut -d: -f2)"
echo "extension registered: $(cat /tmp/registered)"
while true; do
	EVENT="$(curl -sS "$API/event/next" -H "Lambda-Extension-Identifier: $ID")"
	echo "extension told: $EVENT"
	case "$EVENT" in *SHUTDOWN*) exit 0 ;; esac
done
`

func TestExtensionsOfLayersHearOfInvocationsAndTheShutdown(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	layer := s.Code("layer", map[string]string{"readme": ""})
	writeScript(s, layer, "extensions/witness", extensionScript)
	bash := s.Code("bash", map[string]string{"readme": ""})
	writeScript(s, bash, "bootstrap", harness.BashBootstrap)
	js := s.Code("js", map[string]string{"index.js": "exports.handler = async (event) => ({ statusCode: 200, body: 'hello from Node' });"})
	py := s.Code("py", map[string]string{"app.py": "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello from Python'}\n"})
	s.Configure(customFunction("bash", bash, "layer "+layer)+harness.NodeFunction("js", js, "layer "+layer)+harness.PythonFunction("py", py, "layer "+layer)+
		customFunction("bash-alone", bash, "network none\nlayer "+layer)+harness.NodeFunction("js-alone", js, "network none\nlayer "+layer),
		"function /bash bash\nfunction /js js\nfunction /py py\nfunction /bash-alone bash-alone\nfunction /js-alone js-alone")
	s.Start()
	for range 3 {
		s.Get("/bash-alone").Want(t, 200, "hello from bash")
		s.Get("/js-alone").Want(t, 200, "hello from Node")
		s.Get("/py").Want(t, 200, "hello from Python")
		s.Get("/bash").Want(t, 200, "hello from bash")
		s.Get("/js").Want(t, 200, "hello from Node")
	}
	s.Stop()
	for name, handler := range map[string]string{"bash": "any.thing", "js": "index.handler", "py": "app.handler", "bash-alone": "any.thing", "js-alone": "index.handler"} {
		log := s.Logs(name)
		for text, times := range map[string]int{
			`extension registered: {"accountId":"000000000000","functionName":"` + name + `","functionVersion":"$LATEST","handler":"` + handler + `"}`: 1,
			`"eventType":"INVOKE"`: 3, `"invokedFunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:` + name + `"`: 3,
			`"shutdownReason":"spindown"`: 1,
		} {
			if n := strings.Count(log, text); n != times {
				t.Errorf("%s: the log has %q %d times, want %d:\n%s", name, text, n, times, harness.Tail(log, 30))
			}
		}
	}
}

func TestExtensionsThatFailAreNamed(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	js := s.Code("js", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: 'fine' });"})
	functions, site := "", ""
	mishaps := map[string]struct{ script, want string }{
		"never":   {"#!/bin/sh\nsleep 100", "Extension.InitError"},
		"exits":   {"#!/bin/sh\nexit 4", "Extension.LaunchError"},
		"crashes": {strings.Replace(extensionScript, "while true", "exit 7\nwhile true", 1), "Extension.Crash"},
		"reports": {strings.Replace(extensionScript, "while true", `curl -sS -X POST "$API/init/error" -H "Lambda-Extension-Identifier: $ID" -H 'Lambda-Extension-Function-Error-Type: Extension.NoToken' -d '{"errorMessage":"no token"}'; sleep 5`+"\nwhile true", 1), "Extension.NoToken"},
	}
	for name, m := range mishaps {
		layer := s.Code("layer-"+name, map[string]string{"readme": ""})
		writeScript(s, layer, "extensions/bad", m.script)
		functions += harness.NodeFunction(name, js, "layer "+layer)
		site += fmt.Sprintf("function /%s %s\n", name, name)
	}
	s.Configure("stems 0\n"+functions, site)
	s.Start()
	for name, m := range mishaps {
		s.Get("/"+name).Want(t, 502, "")
		s.WantLog(name, m.want)
	}
	harness.Eventually(t, "no process is left", func() bool { return len(harness.Descendants(s.Cmd.Process.Pid)) == 0 })
}

func TestShutdownTellsWhy(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	layer := s.Code("layer", map[string]string{"readme": ""})
	writeScript(s, layer, "extensions/witness", extensionScript)
	dir := s.GoFunction()
	js := s.Code("js", map[string]string{"index.js": `
		exports.handler = async (event) => {
			if (event.rawPath.endsWith('exit')) process.exit(6);
			if (event.rawPath.endsWith('sleep')) for (;;);
			return { statusCode: 200, body: process.env.AWS_LAMBDA_RUNTIME_API };
		};`})
	// Whoever ends late would keep the caller waiting for two seconds.
	stubborn := s.Code("stubborn", map[string]string{"readme": ""})
	writeScript(s, stubborn, "extensions/stubborn", strings.Replace(extensionScript, "*SHUTDOWN*) exit 0", "*SHUTDOWN*) sleep 60", 1))
	s.Configure("stems 0\n"+
		customFunction("go", dir, "layer "+layer+"\ntimeout 1s\nmemory 256")+
		customFunction("internal", dir, "env SIGTERM yes")+
		customFunction("stubborn", dir, "layer "+stubborn+"\nenv SIGTERM yes")+
		harness.NodeFunction("js", js, "layer "+layer+"\ntimeout 1s"),
		"function /go/* go\nfunction /js/* js\nfunction /internal internal\nfunction stubborn")
	s.Start()
	s.Get("/js/x").Want(t, 200, "127.0.0.1:")
	for _, name := range []string{"go", "js"} {
		s.Get("/"+name+"/sleep").Want(t, 504, "")
		s.WantLog(name, `"shutdownReason":"timeout"`, "Task timed out after 1.00 seconds")
		s.Get("/"+name+"/exit").Want(t, 502, "")
		s.WantLog(name, `"shutdownReason":"failure"`, "Runtime exited with error: exit status "+map[string]string{"go": "3", "js": "6"}[name])
		s.Get("/"+name+"/x").Want(t, 200, "")
	}
	s.Get("/internal").Want(t, 200, "hello from Go")
	s.Get("/stubborn").Want(t, 200, "hello from Go")
	began := time.Now()
	s.Stop()
	if took := time.Since(began); took < 1500*time.Millisecond || took > 6*time.Second {
		t.Errorf("stopped within %s, want about the 2 s that a stubborn extension has", took)
	}
	s.WantLog("internal", "told to end")
	s.WantLog("stubborn", "told to end", `"shutdownReason":"spindown"`)
}

func TestCustomRuntimeWithoutASandbox(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	layer := s.Code("layer", map[string]string{"readme": ""})
	writeScript(s, layer, "extensions/witness", extensionScript)
	s.Configure("sandbox off\n"+customFunction("go", s.GoFunction(), "layer "+layer+"\nnetwork none"), "function go")
	s.Start()
	s.Get("/").Want(t, 200, "hello from Go")
	s.Get("/exit").Want(t, 502, "")
	s.WantLog("go", "exit status 3", `"shutdownReason":"failure"`)
	s.Get("/").Want(t, 200, "hello from Go")
}

// bindLowPorts is what setcap(8) writes for cap_net_bind_service=ep: a struct
// vfs_cap_data of revision 2 (linux/capability.h), on a little-endian machine.
const bindLowPorts = "\x01\x00\x00\x02" + "\x00\x04\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// startAsNobody starts the server as an ordinary user, from a copy that this user can
// read and that has the file capabilities given, or none.
func startAsNobody(s *harness.Server, capabilities string) {
	s.T.Helper()
	const nobody = 65534
	binary := filepath.Join(s.Dir, "caddy")
	if out, err := exec.Command("cp", harness.CaddyBinary(s.T), binary).CombinedOutput(); err != nil {
		s.T.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command("chown", "-R", fmt.Sprint(nobody), s.Dir).CombinedOutput(); err != nil {
		s.T.Fatalf("%v\n%s", err, out)
	}
	if capabilities != "" { // after chown, which takes them away
		if err := syscall.Setxattr(binary, "security.capability", []byte(capabilities), 0); err != nil {
			s.T.Fatal(err)
		}
	}
	s.Cmd = exec.Command(binary, "run", "--config", s.Config, "--adapter", "caddyfile")
	s.Cmd.Dir = s.Dir
	s.Cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + s.Dir, "XDG_RUNTIME_DIR=" + s.Dir}
	s.Cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	s.Cmd.Stdout, s.Cmd.Stderr = s, s
	if err := s.Cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	s.Exited = make(chan struct{})
	go func() {
		_ = s.Cmd.Wait()
		close(s.Exited)
	}()
	s.T.Cleanup(s.Stop)
}

func TestCustomRuntimeOfAnOrdinaryUsersServer(t *testing.T) {
	harness.Parallel(t)
	if os.Geteuid() != 0 {
		return // every other test is this one
	}
	s := harness.NewServer(t, "", "")
	dir := s.GoFunction()
	layer := s.Code("layer", map[string]string{"readme": ""})
	writeScript(s, layer, "extensions/witness", extensionScript)
	thief := s.Code("thief", map[string]string{"app.py": thief})
	s.Configure("network host\n"+customFunction("go", dir, "")+customFunction("extended", dir, "layer "+layer)+harness.PythonFunction("thief", thief, ""),
		"function /steal/* thief\nfunction /extended extended\nfunction go")
	startAsNobody(s, "")
	harness.Eventually(t, "it serves", func() bool { return strings.Contains(s.Output(), "serving initial configuration") })
	s.Get("/extended").Want(t, 200, "hello from Go")
	s.Get("/steal/"+s.Get("/listen").Body).Want(t, 200, "refused")
	s.Get("/x").Want(t, 200, "hello from Go")
	s.Stop()
	s.WantLog("extended", `"shutdownReason":"spindown"`)

	s.Configure(customFunction("go", dir, "network none"), "function go")
	startAsNobody(s, "")
	harness.Eventually(t, "it serves", func() bool { return strings.Count(s.Output(), "serving initial configuration") == 2 })
	s.Get("/x").Want(t, 200, "hello from Go")
	s.Stop()

	// Of a program with capabilities the kernel keeps the files in /proc from its user,
	// that of the map of a user namespace too.
	startAsNobody(s, bindLowPorts)
	<-s.Exited
	if out := s.Output(); !strings.Contains(out, "no stems") || !strings.Contains(out, "this server cannot enter (its log says why at start): set network host") {
		t.Errorf("it printed\n%s", harness.Tail(out, 10))
	}
}
