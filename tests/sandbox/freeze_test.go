package sandbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// asUser has a server run as root, or as another user.
func asUser(t *testing.T, s *harness.Server, root bool) {
	t.Helper()
	if root {
		return
	}
	const nobody = "65534"
	if out, err := exec.Command("chown", "-R", nobody, s.Dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Wrap = []string{"setpriv", "--reuid", nobody, "--regid", nobody, "--clear-groups"}
}

// spinners leaves two processes, a thread and a thread's child behind that never rest. One
// of them counts in a file. A call answers how far it has come, once that is more than the
// call's path says.
const spinners = `
import os, subprocess, sys, threading, time

spinner = """
import os, sys
n = 0
while True:
    n += 1
    if n % 1000 == 0:
        with open("/tmp/new", "w") as f: f.write(str(n))
        os.rename("/tmp/new", "/tmp/count")
"""

def daemon():
    # Forked twice, so that it is nobody's child, in a session of its own.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-S", "-c", spinner, "hearth-test-spinner"])
        os._exit(0)

ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.001)

def count():
    try:
        with open("/tmp/count") as f: return int(f.read())
    except FileNotFoundError:
        return 0

started = False
def handler(event, context):
    global started
    if not started:
        started = True
        daemon()
        threading.Thread(target=tick, daemon=True).start()
    before = ticks
    more = count() + 2000
    while count() < more:
        time.sleep(0.001)
    return {"statusCode": 200, "body": "%d" % before}
`

// used is what a process has used of the CPU, in clock ticks.
func used(pid int) (sum int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	for _, field := range fields[11:13] {
		n, _ := strconv.Atoi(field)
		sum += n
	}
	return sum
}

// named finds the processes of a server that have an argument.
func named(s *harness.Server, argument string) (pids []int) {
	for _, pid := range harness.Descendants(s.Cmd.Process.Pid) {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.Contains(string(b), "\x00"+argument+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// standsStill waits until a process has used no CPU for half a second.
func standsStill(t *testing.T, pid int) {
	t.Helper()
	last, since := -1, time.Now()
	harness.Eventually(t, "it stands still", func() bool {
		if now := used(pid); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	})
}

func TestFunctionIsFrozenBetweenInvocations(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, func(t *testing.T, asRoot bool) {
		s := harness.NewServer(t, "", "")
		s.Configure(harness.PythonFunction("f", s.Code("f", map[string]string{"app.py": spinners}), "reserved_concurrency 1\ntimeout 30s"), "function f")
		asUser(t, s, asRoot)
		s.Start()
		s.Get("/").Want(t, 200, "")
		all := named(s, "hearth-test-spinner")
		if len(all) != 1 {
			t.Fatalf("%d processes spin, want 1", len(all))
		}
		ticks := func() int {
			t.Helper()
			n, err := strconv.Atoi(s.Get("/").Body)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for range 3 {
			standsStill(t, all[0])
			before, began := used(all[0]), time.Now()
			resumed := ticks() // answers when the process has gone on
			if used(all[0]) < before {
				t.Error("it is another process")
			}
			standsStill(t, all[0])
			if more := ticks() - resumed; time.Duration(more)*time.Millisecond > time.Since(began)/2 {
				t.Errorf("a thread went on: it came %d ticks of a millisecond far in %s", more, time.Since(began))
			}
		}
		// What stands still is ended with the server, in Stop.
		standsStill(t, all[0])
	})
}

func TestKilledServerLeavesNothingThatItHadFrozen(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, func(t *testing.T, asRoot bool) {
		s := harness.NewServer(t, "", "")
		s.Configure(harness.PythonFunction("f", s.Code("f", map[string]string{"app.py": spinners}), "timeout 30s"), "function f")
		asUser(t, s, asRoot)
		s.Start()
		s.Get("/").Want(t, 200, "")
		tree := harness.Descendants(s.Cmd.Process.Pid)
		standsStill(t, named(s, "hearth-test-spinner")[0])
		s.Kill()
		harness.Eventually(t, "all processes are gone", func() bool {
			for _, pid := range tree {
				if harness.Alive(pid) {
					return false
				}
			}
			return true
		})
		s.Restarted()
		s.Get("/").Want(t, 200, "")
	})
}

// What an extension does after the answer goes on until it asks for its next event.
const lateExtension = `#!/usr/bin/python3 -S
import json, os, sys, threading, time, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension"
def call(method, path, body=None, **headers):
    r = urllib.request.Request(api + path, json.dumps(body).encode() if body is not None else None, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)
    return urllib.request.urlopen(r)
me = call("POST", "/register", {"events": ["INVOKE", "SHUTDOWN"]}, Lambda_Extension_Name=os.path.basename(sys.argv[0])).headers["Lambda-Extension-Identifier"]
def background():
    n = 0
    while True:
        n += 1
        if n % 200 == 0: print("background", n, flush=True)
        time.sleep(0.001)
while True:
    event = json.load(call("GET", "/event/next", Lambda_Extension_Identifier=me))
    if event["eventType"] == "SHUTDOWN":
        print("extension told to end", flush=True)
        sys.exit(0)
    end = time.monotonic() + 1.5
    while time.monotonic() < end: pass
    print("extension has worked", flush=True)
    threading.Thread(target=background, daemon=True).start()
`

func TestExtensionWorksOnUntilItAsksForItsNextEvent(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, func(t *testing.T, asRoot bool) {
		s := harness.NewServer(t, "", "")
		layer := s.Code("layer", map[string]string{"extensions/late": lateExtension})
		if err := os.Chmod(layer+"/extensions/late", 0o755); err != nil {
			t.Fatal(err)
		}
		code := s.Code("f", map[string]string{"index.js": `exports.handler = async () => ({ statusCode: 200, body: 'fine' });`})
		s.Configure(harness.NodeFunction("f", code, "network none\nmemory 256\nlayer "+layer), "function f")
		asUser(t, s, asRoot)
		s.Start()
		s.Get("/").Want(t, 200, "fine")
		// Without a further call.
		s.WantLog("f", "extension has worked")
		lines, since := -1, time.Now()
		harness.Eventually(t, "the extension stands still", func() bool {
			if now := strings.Count(s.Logs("f"), "background"); now != lines {
				lines, since = now, time.Now()
			}
			return time.Since(since) > time.Second // 5 lines, if it went on
		})
		s.Get("/").Want(t, 200, "fine")
		harness.Eventually(t, "the extension goes on with the next call", func() bool { return strings.Count(s.Logs("f"), "extension has worked") == 2 })
		s.Stop()
		s.WantLog("f", "extension told to end")
	})
}

// Calls come in any distance, most of them about when environments are frozen. None of
// them fails or hangs, and a reload in between ends no call.
func TestCallsAboutTheTimeOfTheFreezeAllSucceed(t *testing.T) {
	harness.Parallel(t)
	harness.Slow(t, "a thousand calls with pauses as each user take a minute")
	asBoth(t, func(t *testing.T, asRoot bool) {
		s := harness.NewServer(t, "", "")
		node := s.Code("node", map[string]string{"index.js": `
			const { Worker } = require('worker_threads');
			let timers = 0; setInterval(() => timers++, 1).unref();
			new Worker("setInterval(() => {}, 1)", { eval: true }).unref();
			exports.handler = async (event) => ({ statusCode: 200, body: event.rawPath });`})
		stream := s.Code("stream", map[string]string{"index.js": `
			exports.handler = awslambda.streamifyResponse(async (event, out) => { out.write(event.rawPath.slice(0, 5)); setTimeout(() => out.end(event.rawPath.slice(5)), 60); });`})
		python := s.Code("python", map[string]string{"app.py": `
import subprocess, threading, time
subprocess.Popen(["sh", "-c", "while :; do sleep 0.01; done"])
def spin():
    while True: time.sleep(0.001)
threading.Thread(target=spin, daemon=True).start()
def handler(event, context):
    return {"statusCode": 200, "body": event["rawPath"]}
`})
		bash := s.Code("bash", map[string]string{"bootstrap": `#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
	event=$(curl -sS -D /tmp/head "$api/next") || exit 1
	id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: //ip' /tmp/head | tr -d '\r')
	path=$(echo "$event" | sed -n 's/.*"rawPath":"\([^"]*\)".*/\1/p')
	curl -sS -o /dev/null "$api/$id/response" -d "{\"statusCode\":200,\"body\":\"$path\"}"
done
`})
		if err := os.Chmod(bash+"/bootstrap", 0o755); err != nil {
			t.Fatal(err)
		}
		folder, _, _ := s.JavaCode()
		options, site := "", ""
		add := func(name, function string) {
			options += function
			site += fmt.Sprintf("function /%s/* %s\n", name, name)
		}
		const one = "timeout 30s\nmemory 256\nreserved_concurrency 1\nqueue_timeout 30s"
		add("node", harness.NodeFunction("node", node, one))
		add("provisioned", harness.NodeFunction("provisioned", node, one+"\nprovisioned_concurrency 1"))
		add("stream", harness.NodeFunction("stream", stream, one))
		add("python", harness.PythonFunction("python", python, one))
		add("bash", fmt.Sprintf("function bash {\nruntime provided.al2023\nhandler any.thing\ncode %s\n%s\n}\n", bash, one))
		add("java", fmt.Sprintf("function java {\nruntime java17\nhandler example.Functions::pojo\ncode %s\n%s\n}\n", folder, one))
		s.Configure(options, site)
		asUser(t, s, asRoot)
		s.Start()
		var callers sync.WaitGroup
		for _, name := range []string{"node", "provisioned", "stream", "python", "bash", "java"} {
			callers.Go(func() {
				for i := range 170 {
					path := fmt.Sprintf("/%s/%d", name, i)
					got, err := harness.Try(s.Request("GET", path, nil))
					if err != nil || got.Status != 200 || !strings.HasPrefix(got.Body, path) {
						t.Errorf("%s: got %d %.300s %v", path, got.Status, got.Body, err)
						return
					}
					<-time.After(80*time.Millisecond + rand.N(140*time.Millisecond))
				}
			})
		}
		callers.Wait()
		s.Reload()
		for _, name := range []string{"node", "stream", "python", "bash"} {
			s.Get("/"+name+"/last").Want(t, 200, "/"+name+"/last")
		}
	})
}
