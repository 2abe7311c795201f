package tests

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
)

const provided = "provided.al2023"

func customFunction(name, dir, more string) string {
	if !strings.Contains("\n"+more, "\ntimeout ") {
		more += "\ntimeout 10s"
	}
	return fmt.Sprintf("function %s {\n runtime %s\n handler any.thing\n code %s\n %s\n}\n", name, provided, dir, more)
}

// goFunction builds a function with AWS's runtime client for Go.
func (s *server) goFunction() string {
	s.t.Helper()
	dir := s.code("go", map[string]string{"readme": ""})
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "bootstrap"), "./bootstrap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// script writes an executable file into a folder of code.
func (s *server) script(dir, name, text string) {
	s.t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func TestExampleInGoIsServedAndFollowed(t *testing.T) {
	s := newServer(t, "", "")
	dir := s.code("hello", map[string]string{"readme": ""})
	if out, err := exec.Command("../examples/hello-go/build.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.configure(customFunction("hello", dir, ""), "invoke hello")
	s.start()
	s.get("/?name=Ada").want(t, 200, `{"message":"Hello, Ada!"}`)
	if err := os.Remove(filepath.Join(dir, "bootstrap")); err != nil { // what runs cannot be written to
		t.Fatal(err)
	}
	s.script(dir, "bootstrap", bashBootstrap)
	eventually(t, "the new program runs", func() bool { return s.get("/").body == "hello from bash" })
}

func TestFunctionInGoIsServed(t *testing.T) {
	s := newServer(t, "", "")
	dir := s.goFunction()
	s.configure(customFunction("go", dir, "env OWN mine\nmemory 512")+customFunction("slow", dir, "timeout 1s")+customFunction("alone", dir, "network none"),
		"invoke /slow/* slow\ninvoke /alone/* alone\ninvoke go")
	s.start()
	s.get("/").want(t, 200, "hello from Go")
	s.get("/context").want(t, 200, "arn:aws:lambda:us-east-1:000000000000:function:go go true true any.thing mine")
	s.get("/fail").want(t, 502, "")
	s.wantLog("go", "INIT_START Runtime Version: provided.al2023", "START RequestId: ", "REPORT RequestId: ")
	s.get("/panic").want(t, 502, "")
	s.get("/exit").want(t, 502, "")
	s.wantLog("go", "Runtime exited with error: exit status 3")
	s.get("/large").want(t, 502, "")
	s.get("/print").want(t, 200, "")
	s.wantLog("go", "printed by the function")
	s.get("/stream").want(t, 201, "part 0\npart 1\npart 2\n")
	s.get("/slow/sleep").want(t, 504, "")
	s.get("/slow/x").want(t, 200, "hello from Go")
	for range 200 {
		s.get("/x").want(t, 200, "hello from Go")
	}
	// In a network of its own the endpoint is there all the same.
	s.get("/alone/x").want(t, 200, "hello from Go")
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
	s := newServer(t, "", "")
	dir := s.goFunction()
	thief := s.code("thief", map[string]string{"app.py": thief})
	// On the network that they share; elsewhere one cannot even connect.
	s.configure("network host\n"+customFunction("go", dir, "")+pythonFunction("thief", thief, ""), "invoke /steal/* thief\ninvoke go")
	s.start()
	address := s.get("/listen").body
	if _, _, err := net.SplitHostPort(address); err != nil {
		t.Fatalf("%q: %v", address, err)
	}
	s.get("/steal/"+address).want(t, 200, "refused")
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
	s.get("/").want(t, 200, "hello from Go")
}

// The bootstrap of AWS's tutorial, more or less.
const bashBootstrap = `#!/bin/bash
set -eu
echo "init by bash" >&2
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
	HEADERS="$(mktemp)"
	EVENT="$(curl -sS -L -D "$HEADERS" "$API/invocation/next")"
	ID="$(grep -i ^lambda-runtime-aws-request-id: "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)"
	case "$EVENT" in
	*'/twice"'*)
		curl -sS "$API/invocation/$ID/response" -d '{"statusCode":200,"body":"first"}' >/dev/null
		curl -sS -o /dev/null -w '%{http_code}' "$API/invocation/$ID/response" -d '"second"' >/tmp/status ;;
	*'/other"'*)
		S="$(curl -sS -o /dev/null -w '%{http_code}' "$API/invocation/another-id/response" -d '"x"')"
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"other id got $S, init error got $(curl -sS -o /dev/null -w '%{http_code}' "$API/init/error" -d '{}')\"}" >/dev/null ;;
	*'/status"'*)
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"second response got $(cat /tmp/status)\"}" >/dev/null ;;
	*'/stale"'*)
		S="$(curl -sS -o /dev/null -w '%{http_code}' -H 'Lambda-Runtime-Invocation-Id: 999' "$API/invocation/$ID/response" -d '"x"')"
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"stale got $S\"}" >/dev/null ;;
	*'/error"'*)
		curl -sS -H 'Lambda-Runtime-Function-Error-Type: Function.Broken' "$API/invocation/$ID/error" -d '{"errorMessage":"said so","errorType":"Function.Broken"}' >/dev/null ;;
	*'/next"'*)
		S="$(curl -sS -o /dev/null -w '%{http_code}' "$API/invocation/next")"
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"next got $S\"}" >/dev/null ;;
	*'/large"'*)
		head -c 7000000 /dev/zero | tr '\0' x >/tmp/large
		curl -sS -o /dev/null -w '%{http_code}' -H 'Expect:' "$API/invocation/$ID/response" --data-binary @/tmp/large >/tmp/status ;;
	*'/telemetry"'*)
		S="$(curl -sS -X PUT "http://$AWS_LAMBDA_RUNTIME_API/2022-07-01/telemetry" -d '{}' | tr -d '"\n')"
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"$S\"}" >/dev/null ;;
	*)
		curl -sS "$API/invocation/$ID/response" -d '{"statusCode":200,"body":"hello from bash"}' >/dev/null ;;
	esac
done
`

func TestBootstrapOfShellScriptIsServedByTheRuntimeAPI(t *testing.T) {
	s := newServer(t, "", "")
	dir := s.code("bash", map[string]string{"readme": ""})
	s.script(dir, "bootstrap", bashBootstrap)
	s.configure(customFunction("bash", dir, "memory 256"), "invoke bash")
	s.start()
	s.get("/").want(t, 200, "hello from bash")
	s.get("/twice").want(t, 200, "first")
	s.get("/status").want(t, 200, "second response got 403")
	s.get("/other").want(t, 200, "other id got 400, init error got 403")
	s.get("/stale").want(t, 200, "stale got 410")
	s.get("/next").want(t, 200, "next got 200")
	s.get("/large").want(t, 502, "")
	s.get("/status").want(t, 200, "second response got 413")
	s.get("/telemetry").want(t, 200, "{errorMessage:Missing Lambda-Extension-Identifier header,errorType:Extension.MissingExtensionIdentifier}")
	s.get("/error").want(t, 502, "")
	s.wantLog("bash", "init by bash", "Status: error")
	if n := strings.Count(s.logs("bash"), "init by bash"); n != 1 {
		t.Errorf("the environment was started %d times, want once", n)
	}
}

func TestBootstrapThatCannotRunIsNamed(t *testing.T) {
	s := newServer(t, "", "")
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
		dir := s.code(name, map[string]string{"readme": ""})
		if m.bootstrap != "" {
			s.script(dir, "bootstrap", m.bootstrap)
		}
		if m.mode != "" {
			if err := os.Chmod(filepath.Join(dir, "bootstrap"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		functions += customFunction(name, dir, "timeout 1s")
		site += fmt.Sprintf("invoke /%s %s\n", name, name)
	}
	s.configure(functions, site)
	s.start()
	for name, m := range mishaps {
		status := 502
		if name == "never" {
			status = 504
		}
		s.get("/"+name).want(t, status, "")
		s.wantLog(name, m.want)
	}
	eventually(t, "no process is left", func() bool { return len(descendants(s.cmd.Process.Pid)) == 0 })
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
	s := newServer(t, "", "")
	layer := s.code("layer", map[string]string{"readme": ""})
	s.script(layer, "extensions/witness", extensionScript)
	bash := s.code("bash", map[string]string{"readme": ""})
	s.script(bash, "bootstrap", bashBootstrap)
	js := s.code("js", map[string]string{"index.js": "exports.handler = async (event) => ({ statusCode: 200, body: 'hello from Node' });"})
	py := s.code("py", map[string]string{"app.py": "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello from Python'}\n"})
	s.configure(customFunction("bash", bash, "layer "+layer)+nodeFunction("js", js, "layer "+layer)+pythonFunction("py", py, "layer "+layer)+
		customFunction("bash-alone", bash, "network none\nlayer "+layer)+nodeFunction("js-alone", js, "network none\nlayer "+layer),
		"invoke /bash bash\ninvoke /js js\ninvoke /py py\ninvoke /bash-alone bash-alone\ninvoke /js-alone js-alone")
	s.start()
	for range 3 {
		s.get("/bash-alone").want(t, 200, "hello from bash")
		s.get("/js-alone").want(t, 200, "hello from Node")
		s.get("/py").want(t, 200, "hello from Python")
		s.get("/bash").want(t, 200, "hello from bash")
		s.get("/js").want(t, 200, "hello from Node")
	}
	s.stop()
	for name, handler := range map[string]string{"bash": "any.thing", "js": "index.handler", "py": "app.handler", "bash-alone": "any.thing", "js-alone": "index.handler"} {
		log := s.logs(name)
		for text, times := range map[string]int{
			`extension registered: {"accountId":"000000000000","functionName":"` + name + `","functionVersion":"$LATEST","handler":"` + handler + `"}`: 1,
			`"eventType":"INVOKE"`: 3, `"invokedFunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:` + name + `"`: 3,
			`"shutdownReason":"spindown"`: 1,
		} {
			if n := strings.Count(log, text); n != times {
				t.Errorf("%s: the log has %q %d times, want %d:\n%s", name, text, n, times, tail(log, 30))
			}
		}
	}
}

func TestExtensionsThatFailAreNamed(t *testing.T) {
	s := newServer(t, "", "")
	js := s.code("js", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: 'fine' });"})
	functions, site := "", ""
	mishaps := map[string]struct{ script, want string }{
		"never":   {"#!/bin/sh\nsleep 100", "Extension.InitError"},
		"exits":   {"#!/bin/sh\nexit 4", "Extension.LaunchError"},
		"crashes": {strings.Replace(extensionScript, "while true", "exit 7\nwhile true", 1), "Extension.Crash"},
		"reports": {strings.Replace(extensionScript, "while true", `curl -sS -X POST "$API/init/error" -H "Lambda-Extension-Identifier: $ID" -H 'Lambda-Extension-Function-Error-Type: Extension.NoToken' -d '{"errorMessage":"no token"}'; sleep 5`+"\nwhile true", 1), "Extension.NoToken"},
	}
	for name, m := range mishaps {
		layer := s.code("layer-"+name, map[string]string{"readme": ""})
		s.script(layer, "extensions/bad", m.script)
		functions += nodeFunction(name, js, "layer "+layer)
		site += fmt.Sprintf("invoke /%s %s\n", name, name)
	}
	s.configure("stems 0\n"+functions, site)
	s.start()
	for name, m := range mishaps {
		s.get("/"+name).want(t, 502, "")
		s.wantLog(name, m.want)
	}
	eventually(t, "no process is left", func() bool { return len(descendants(s.cmd.Process.Pid)) == 0 })
}

func TestShutdownTellsWhy(t *testing.T) {
	s := newServer(t, "", "")
	layer := s.code("layer", map[string]string{"readme": ""})
	s.script(layer, "extensions/witness", extensionScript)
	dir := s.goFunction()
	js := s.code("js", map[string]string{"index.js": `
		exports.handler = async (event) => {
			if (event.rawPath.endsWith('exit')) process.exit(6);
			if (event.rawPath.endsWith('sleep')) for (;;);
			return { statusCode: 200, body: process.env.AWS_LAMBDA_RUNTIME_API };
		};`})
	// Whoever ends late would keep the caller waiting for two seconds.
	stubborn := s.code("stubborn", map[string]string{"readme": ""})
	s.script(stubborn, "extensions/stubborn", strings.Replace(extensionScript, "*SHUTDOWN*) exit 0", "*SHUTDOWN*) sleep 60", 1))
	s.configure("stems 0\n"+
		customFunction("go", dir, "layer "+layer+"\ntimeout 1s\nmemory 256")+
		customFunction("internal", dir, "env SIGTERM yes")+
		customFunction("stubborn", dir, "layer "+stubborn+"\nenv SIGTERM yes")+
		nodeFunction("js", js, "layer "+layer+"\ntimeout 1s"),
		"invoke /go/* go\ninvoke /js/* js\ninvoke /internal internal\ninvoke stubborn")
	s.start()
	s.get("/js/x").want(t, 200, "127.0.0.1:")
	for _, name := range []string{"go", "js"} {
		s.get("/"+name+"/sleep").want(t, 504, "")
		s.wantLog(name, `"shutdownReason":"timeout"`, "Task timed out after 1.00 seconds")
		s.get("/"+name+"/exit").want(t, 502, "")
		s.wantLog(name, `"shutdownReason":"failure"`, "Runtime exited with error: exit status "+map[string]string{"go": "3", "js": "6"}[name])
		s.get("/"+name+"/x").want(t, 200, "")
	}
	s.get("/internal").want(t, 200, "hello from Go")
	s.get("/stubborn").want(t, 200, "hello from Go")
	began := time.Now()
	s.stop()
	if took := time.Since(began); took < 1500*time.Millisecond || took > 6*time.Second {
		t.Errorf("stopped within %s, want about the 2 s that a stubborn extension has", took)
	}
	s.wantLog("internal", "told to end")
	s.wantLog("stubborn", "told to end", `"shutdownReason":"spindown"`)
}

func TestCustomRuntimeWithoutASandbox(t *testing.T) {
	s := newServer(t, "", "")
	layer := s.code("layer", map[string]string{"readme": ""})
	s.script(layer, "extensions/witness", extensionScript)
	s.configure("sandbox off\n"+customFunction("go", s.goFunction(), "layer "+layer+"\nnetwork none"), "invoke go")
	s.start()
	s.get("/").want(t, 200, "hello from Go")
	s.get("/exit").want(t, 502, "")
	s.wantLog("go", "exit status 3", `"shutdownReason":"failure"`)
	s.get("/").want(t, 200, "hello from Go")
}

// bindLowPorts is what setcap(8) writes for cap_net_bind_service=ep: a struct
// vfs_cap_data of revision 2 (linux/capability.h), on a little-endian machine.
const bindLowPorts = "\x01\x00\x00\x02" + "\x00\x04\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// startAsNobody starts the server as an ordinary user, from a copy that this user can
// read and that has the file capabilities given, or none.
func (s *server) startAsNobody(capabilities string) {
	s.t.Helper()
	const nobody = 65534
	binary := filepath.Join(s.dir, "caddy")
	if out, err := exec.Command("cp", caddyBinary(s.t), binary).CombinedOutput(); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command("chown", "-R", fmt.Sprint(nobody), s.dir).CombinedOutput(); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	if capabilities != "" { // after chown, which takes them away
		if err := syscall.Setxattr(binary, "security.capability", []byte(capabilities), 0); err != nil {
			s.t.Fatal(err)
		}
	}
	s.cmd = exec.Command(binary, "run", "--config", s.config, "--adapter", "caddyfile")
	s.cmd.Dir = s.dir
	s.cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + s.dir, "XDG_RUNTIME_DIR=" + s.dir}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	s.cmd.Stdout, s.cmd.Stderr = s, s
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	s.t.Cleanup(s.stop)
}

func TestCustomRuntimeOfAnOrdinaryUsersServer(t *testing.T) {
	if os.Geteuid() != 0 {
		return // every other test is this one
	}
	s := newServer(t, "", "")
	dir := s.goFunction()
	layer := s.code("layer", map[string]string{"readme": ""})
	s.script(layer, "extensions/witness", extensionScript)
	thief := s.code("thief", map[string]string{"app.py": thief})
	s.configure("network host\n"+customFunction("go", dir, "")+customFunction("extended", dir, "layer "+layer)+pythonFunction("thief", thief, ""),
		"invoke /steal/* thief\ninvoke /extended extended\ninvoke go")
	s.startAsNobody("")
	eventually(t, "it serves", func() bool { return strings.Contains(s.output(), "serving initial configuration") })
	s.get("/extended").want(t, 200, "hello from Go")
	s.get("/steal/"+s.get("/listen").body).want(t, 200, "refused")
	s.get("/x").want(t, 200, "hello from Go")
	s.stop()
	s.wantLog("extended", `"shutdownReason":"spindown"`)

	s.configure(customFunction("go", dir, "network none"), "invoke go")
	s.startAsNobody("")
	eventually(t, "it serves", func() bool { return strings.Count(s.output(), "serving initial configuration") == 2 })
	s.get("/x").want(t, 200, "hello from Go")
	s.stop()

	// Of a program with capabilities the kernel keeps the files in /proc from its user,
	// that of the map of a user namespace too.
	s.startAsNobody(bindLowPorts)
	<-s.exited
	if out := s.output(); !strings.Contains(out, "no stems") || !strings.Contains(out, "this server cannot enter (its log says why at start): set network host") {
		t.Errorf("it printed\n%s", tail(out, 10))
	}
}
