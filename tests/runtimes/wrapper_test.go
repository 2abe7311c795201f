package runtimes

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// wrapper is what OpenTelemetry's do: it puts something before the handler by
// variables, and starts the runtime by the arguments that it gets.
const wrapper = `#!/bin/bash
export WRAPPED="$(basename "$1")"
export ORIGINAL="$_HANDLER"
export _HANDLER="$INSTEAD"
[ -z "$PREPENDED" ] || export NODE_OPTIONS="--require $PREPENDED" PYTHONPATH="$PREPENDED:$PYTHONPATH"
exec "$@"
`

func TestWrapperStartsEachManagedRuntime(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	node := s.Code("node", map[string]string{
		"before.js": "globalThis.before = 'before'",
		"index.js":  "exports.handler = async () => 'not wrapped'",
		"other.js": `exports.handler = async () => ({ statusCode: 200,
			body: [process.env.WRAPPED, process.env.ORIGINAL, before, process.env.OWN].join(' ') })`,
	})
	python := s.Code("python", map[string]string{
		"before/sitecustomize.py": "import builtins\nbuiltins.before = 'before'",
		"app.py":                  "handler = None",
		"other.py": `import os
def handler(event, context):
    return {"statusCode": 200, "body": " ".join([os.environ["WRAPPED"], os.environ["ORIGINAL"], before, os.environ["OWN"]])}
`,
	})
	java, _, _ := s.JavaCode()
	ruby := s.Code("ruby", map[string]string{
		"other.rb": `def handler(event:, context:) = { statusCode: 200, body: [ENV['ORIGINAL'], ENV['OWN']].join(' ') }`,
	})
	for _, dir := range []string{node, python, java, ruby} {
		writeScript(s, dir, "wrapper", wrapper)
	}
	layer := s.Archive("layer.zip", map[string]string{"wrapper!": wrapper})
	const task, opt = "env AWS_LAMBDA_EXEC_WRAPPER /var/task/wrapper\n", "env AWS_LAMBDA_EXEC_WRAPPER /opt/wrapper\n"
	s.Configure(harness.NodeFunction("node", node, task+"env OWN mine\nenv INSTEAD other.handler\nenv PREPENDED /var/task/before.js")+
		harness.PythonFunction("python", python, opt+"layer "+layer+"\nenv OWN mine\nenv INSTEAD other.handler\nenv PREPENDED /var/task/before")+
		rubyFunction("ruby", "app.none", ruby, task+"env OWN mine\nenv INSTEAD other.handler")+
		javaFunction("java", "none.None", java, task+"env OWN mine\nenv INSTEAD example.Functions"),
		"function /node node\nfunction /python python\nfunction /java/env java\nfunction /ruby ruby")
	s.Start()
	for range 3 {
		s.Get("/node").Want(t, 200, "node index.handler before mine")
		s.Get("/python").Want(t, 200, "app.handler before mine")
		s.Get("/ruby").Want(t, 200, "app.none mine")
		s.Get("/java/env").Want(t, 200, "mine java example.Functions")
	}
}

func TestWrapperThatCannotRunIsNamed(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("js", map[string]string{"index.js": "exports.handler = async () => 1", "plain": "#!/bin/sh\n"})
	s.Configure(harness.NodeFunction("missing", dir, "env AWS_LAMBDA_EXEC_WRAPPER /opt/none")+
		harness.NodeFunction("plain", dir, "env AWS_LAMBDA_EXEC_WRAPPER /var/task/plain"), "function /missing missing\nfunction /plain plain")
	s.Start()
	s.Get("/missing").Want(t, 502, "")
	s.WantLog("missing", "/opt/none: does not exist", "Runtime exited with error: exit status 127", "Runtime.ExitError")
	s.Get("/plain").Want(t, 502, "")
	s.WantLog("plain", "/var/task/plain: is not an executable", "Runtime exited with error: exit status 126")
}

// A wrapper may start a program that speaks the Runtime API itself.
func TestWrapperMayReplaceTheRuntime(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("js", map[string]string{"index.js": "exports.handler = async () => 1"})
	writeScript(s, dir, "replace", "#!/bin/bash\nexec 3<&- 4>&-\nexec /var/task/program\n")
	writeScript(s, dir, "program", harness.BashBootstrap)
	s.Configure(harness.NodeFunction("replaced", dir, "env AWS_LAMBDA_EXEC_WRAPPER /var/task/replace"), "function replaced")
	s.Start()
	for range 3 {
		s.Get("/").Want(t, 200, "hello from bash")
	}
}

// adapter does what the Lambda Web Adapter does: an extension takes the part of the
// runtime, and asks a web server for each answer.
const adapter = `#!/usr/bin/python3
import http.client, json, os, threading, time, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
register = urllib.request.Request(api + "/2020-01-01/extension/register", b'{"events":[]}', {"Lambda-Extension-Name": "adapter"})
with urllib.request.urlopen(register) as r:
    me = r.headers["Lambda-Extension-Identifier"]
wait = urllib.request.Request(api + "/2020-01-01/extension/event/next", headers={"Lambda-Extension-Identifier": me})
threading.Thread(target=lambda: urllib.request.urlopen(wait), daemon=True).start()
while True:
    try:
        http.client.HTTPConnection("127.0.0.1", 8080).request("GET", "/")
        break
    except ConnectionRefusedError:
        time.sleep(0.01)
while True:
    with urllib.request.urlopen(api + "/2018-06-01/runtime/invocation/next") as r:
        id, event = r.headers["Lambda-Runtime-Aws-Request-Id"], json.load(r)
    with urllib.request.urlopen("http://127.0.0.1:8080" + event["rawPath"]) as r:
        answer = {"statusCode": r.status, "body": r.read().decode()}
    urllib.request.urlopen(api + "/2018-06-01/runtime/invocation/%s/response" % id, json.dumps(answer).encode()).close()
`

func TestWebServerIsServedThroughAnAdapter(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	web := s.Code("web", map[string]string{"server.js": `require('http').createServer((q, r) => r.end('web server at ' + q.url)).listen(8080)`})
	writeScript(s, web, "run.sh", "#!/bin/bash\nexec node server.js\n")
	layer := s.Code("layer", map[string]string{})
	writeScript(s, layer, "bootstrap", "#!/bin/bash\nexec \"$LAMBDA_TASK_ROOT/$_HANDLER\"\n")
	writeScript(s, layer, "extensions/adapter", adapter)
	function := strings.Replace(harness.NodeFunction("web", web, "network none\nlayer "+layer+"\nenv AWS_LAMBDA_EXEC_WRAPPER /opt/bootstrap"), "index.handler", "run.sh", 1)
	s.Configure(function, "function web")
	s.Start()
	for range 3 {
		s.Get("/some/path").Want(t, 200, "web server at /some/path")
	}
}
