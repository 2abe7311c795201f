package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestExampleCaddyfileServesItsFunctions(t *testing.T) {
	harness.Parallel(t)
	s := &harness.Server{T: t, Dir: harness.TempDir(t), Port: harness.FreePort(t)}
	example, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	// Only the port is another one, and HTTPS is left to Caddy's own tests.
	text := strings.NewReplacer(
		"\nlocalhost:8443 {", fmt.Sprintf("\nhttp://127.0.0.1:%d {", s.Port),
		"\n*.fn.localhost:8443 {", fmt.Sprintf("\nhttp://*.fn.localhost:%d {", s.Port),
	).Replace(string(example))
	s.Config = filepath.Join(s.Dir, "Caddyfile")
	if err := os.WriteFile(s.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start()

	s.Get("/hello?name=Ada").Want(t, 200, "Hello, Ada!")
	s.Get("/2015-03-31/functions/").Want(t, 403, "Missing Authentication Token")
	s.Get("/python?name=Ada").Want(t, 200, "Hello, Ada!")
	s.Get("/bash").Want(t, 200, "Hello from bash!")
	s.Get("/express/users/7?verbose=true").Want(t, 200, `{"id":"7","verbose":true}`)

	r := s.Request("POST", "/express/greetings", strings.NewReader(url.Values{"name": {"Zoë & Bob"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.Do(r).Want(t, 200, "Hello, Zoë & Bob!")

	first := s.Get("/express/")
	first.Want(t, 200, "Visits: 1")
	cookie, _, _ := strings.Cut(first.Header.Get("Set-Cookie"), ";")
	r = s.Request("GET", "/express/", nil)
	r.Header.Set("Cookie", cookie)
	s.Do(r).Want(t, 200, "Visits: 2")
	if css := s.Get("/express/style.css"); css.Status != 200 || !strings.HasPrefix(css.Header.Get("Content-Type"), "text/css") {
		t.Errorf("static file: %d %s", css.Status, css.Header)
	}

	photo, err := os.ReadFile("../../examples/thumbnail/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	r = s.Request("POST", "/thumbnail?width=64", bytes.NewReader(photo))
	r.Header.Set("Content-Type", "image/jpeg")
	small := s.Do(r)
	picture, err := jpeg.Decode(strings.NewReader(small.Body))
	if err != nil || picture.Bounds().Dx() != 64 || small.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("thumbnail: %d %s %v", small.Status, small.Header, err)
	}
	s.Do(s.Request("POST", "/thumbnail", strings.NewReader("no image"))).Want(t, 400, "error")
	s.Get("/metrics").Want(t, 200, `hearth_invocations_total{function="express"} 5`)
}

func TestEditedCodeRunsWithTheNextRequestWhileOldOnesFinish(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	version := func(n int) map[string]string {
		return map[string]string{"index.mjs": `import { version } from './lib/version.mjs';
			export const handler = async (event) => {
				if (event.rawPath === '/slow') await new Promise((r) => setTimeout(r, 1500));
				return { statusCode: 200, body: 'version ' + version };
			};`, "lib/version.mjs": fmt.Sprintf("export const version = %d;", n)}
	}
	dir := s.Code("f", version(1))
	s.Configure(harness.NodeFunction("f", dir, ""), "function f")
	s.Start()
	s.Get("/").Want(t, 200, "version 1")

	slow := make(chan harness.Response)
	go func() { slow <- s.Get("/slow") }()
	harness.Eventually(t, "the slow call runs", func() bool { return s.Metric(`hearth_concurrent_executions{function="f"}`) == 1 })
	s.Code("f", version(2))
	harness.Eventually(t, "the new code answers", func() bool {
		got := s.Get("/")
		if got.Status != 200 {
			t.Errorf("during the change: %d %s", got.Status, got.Body)
		}
		return got.Body == "version 2"
	})
	(<-slow).Want(t, 200, "version 1")
	// A folder renamed into the place of the old, as deployment tools do.
	other := s.Code("g", version(3))
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, dir); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the code of the new folder answers", func() bool { return s.Get("/").Body == "version 3" })
}

func TestReloadKeepsWarmEnvironmentsAndRequestsInFlight(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": `let calls = 0;
		exports.handler = async (event) => {
			calls++;
			if (event.rawPath === '/slow') await new Promise((r) => setTimeout(r, 2000));
			return { statusCode: 200, body: process.env.AWS_LAMBDA_LOG_STREAM_NAME + ' ' + calls };
		};`})
	s.Configure(harness.NodeFunction("f", dir, ""), "function f")
	s.Start()
	stream, _, _ := strings.Cut(s.Get("/").Body, " ")

	slow := make(chan harness.Response)
	go func() { slow <- s.Get("/slow") }()
	harness.Eventually(t, "the slow call runs", func() bool { return s.Metric(`hearth_concurrent_executions{function="f"}`) == 1 })

	// Requests all along; not one may fail.
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan string, 1)
	go func() {
		defer close(failed)
		for ctx.Err() == nil {
			if got, err := harness.Try(s.Request("GET", "/", nil)); err != nil || got.Status != 200 {
				failed <- fmt.Sprintf("%v %d %s", err, got.Status, got.Body)
				return
			}
		}
	}()
	s.Configure(harness.NodeFunction("f", dir, "reserved_concurrency 7"), "header X-New yes\nfunction f")
	s.Reload()
	cancel()
	if text, bad := <-failed; bad {
		t.Errorf("a request failed during the reload: %s", text)
	}
	got := s.Get("/")
	if got.Header.Get("X-New") != "yes" {
		t.Error("the new configuration does not serve")
	}
	(<-slow).Want(t, 200, stream)
	started := s.Metric(`hearth_init_duration_seconds_count{function="f"}`)
	if started > 2 {
		t.Errorf("%v environments were started, two would do for the two calls at once", started)
	}

	// A function that changes gets new environments, and one that is gone loses
	// its own.
	s.Configure(harness.NodeFunction("f", dir, "memory 256"), "function f")
	s.Reload()
	if got := s.Get("/"); got.Status != 200 || strings.HasPrefix(got.Body, stream) {
		t.Errorf("after a change of memory: %d %s", got.Status, got.Body)
	}
	s.Configure("", "respond gone")
	s.Reload()
	harness.Eventually(t, "no environment is left", func() bool { return len(harness.Descendants(s.Cmd.Process.Pid)) == 0 })
}

func TestStreamedResponseArrivesAsItIsWritten(t *testing.T) {
	harness.Quiet(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.mjs": `
		export const handler = awslambda.streamifyResponse(async (event, stream) => {
			stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-kind': 'stream', 'content-type': 'text/plain' }, cookies: ['a=1'] });
			stream.write('first\n');
			await new Promise((r) => setTimeout(r, 1000));
			if (event.rawPath === '/fail') throw new Error('midway');
			stream.write('second\n');
			stream.end();
		});`})
	s.Configure(harness.NodeFunction("f", dir, ""), "function f")
	s.Start()
	s.Get("/").Want(t, 201, "second")

	res, err := harness.Client.Do(s.Request("GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	buf := make([]byte, 6)
	began := time.Now()
	if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != "first\n" {
		t.Fatalf("%q %v", buf, err)
	}
	rest, err := io.ReadAll(res.Body)
	if err != nil || string(rest) != "second\n" {
		t.Errorf("%q %v", rest, err)
	}
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("the second part came %s after the first, it is written a second later", took)
	}
	if res.StatusCode != 201 || res.Header.Get("X-Kind") != "stream" || !strings.HasPrefix(res.Header.Get("Set-Cookie"), "a=1") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if _, err := harness.Try(s.Request("GET", "/fail", nil)); err == nil {
		t.Error("a stream that fails midway ended as if it were whole")
	}
	s.Get("/").Want(t, 201, "second")
}

func TestEventsAreShapedAsByAPIGateway(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": `exports.handler = async (event, context) => ({
		statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ event, id: context.awsRequestId }) });`})
	s.Configure(harness.NodeFunction("f", dir, ""), `
		handle /v1/* {
			function f {
				payload 1.0
				route "ANY /v1/{proxy+}"
				stage_variable color blue
			}
		}
		@pet path_regexp pet ^/pets/(\d+)$
		handle @pet {
			function f {
				route "GET /pets/{id}"
				path_parameter number {re.pet.1}
			}
		}`)
	s.Start()

	var got struct {
		Event map[string]any
		ID    string
	}
	res := s.Get("/pets/12?a=1&a=2&b=x%20y")
	if err := json.Unmarshal([]byte(res.Body), &got); err != nil {
		t.Fatal(err)
	}
	e := got.Event
	parameters, _ := e["pathParameters"].(map[string]any)
	query, _ := e["queryStringParameters"].(map[string]any)
	context, _ := e["requestContext"].(map[string]any)
	if e["version"] != "2.0" || e["routeKey"] != "GET /pets/{id}" || e["rawPath"] != "/pets/12" || e["rawQueryString"] != "a=1&a=2&b=x%20y" ||
		parameters["id"] != "12" || parameters["number"] != "12" || query["a"] != "1,2" || query["b"] != "x y" ||
		context["requestId"] != got.ID || res.Header.Get("X-Amzn-Requestid") != got.ID {
		t.Errorf("payload 2.0: %s", res.Body)
	}
	if ip := context["http"].(map[string]any)["sourceIp"]; ip != "127.0.0.1" {
		t.Errorf("sourceIp is %v", ip)
	}

	res = s.Get("/v1/x/y?a=1&a=2")
	if err := json.Unmarshal([]byte(res.Body), &got); err != nil {
		t.Fatal(err)
	}
	e = got.Event
	multi, _ := e["multiValueQueryStringParameters"].(map[string]any)
	parameters, _ = e["pathParameters"].(map[string]any)
	variables, _ := e["stageVariables"].(map[string]any)
	if e["resource"] != "/v1/{proxy+}" || e["httpMethod"] != "GET" || e["path"] != "/v1/x/y" || parameters["proxy"] != "x/y" ||
		fmt.Sprint(multi["a"]) != "[1 2]" || variables["color"] != "blue" || e["body"] != nil {
		t.Errorf("payload 1.0: %s", res.Body)
	}
}

func TestThrottledCallsGet429AndTheRestSucceeds(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": `exports.handler = async () => {
		await new Promise((r) => setTimeout(r, 1500)); return { statusCode: 200, body: 'done' }; };`})
	s.Configure(harness.NodeFunction("f", dir, "reserved_concurrency 1\nqueue_timeout off")+harness.NodeFunction("none", dir, "reserved_concurrency 0"),
		"function /none none\nfunction f")
	s.Start()
	first := make(chan harness.Response)
	go func() { first <- s.Get("/") }()
	harness.Eventually(t, "the first call runs", func() bool { return s.Metric(`hearth_environments{function="f",state="invoke"}`) == 1 })
	got := s.Get("/")
	got.Want(t, 429, `{"message":"Too Many Requests"}`)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	(<-first).Want(t, 200, "done")
	s.Get("/none").Want(t, 429, "Too Many Requests")
	if n := s.Metric(`hearth_throttles_total{function="f"}`); n != 1 {
		t.Errorf("%v throttles counted, want 1", n)
	}
}

func TestHandleErrorsSeesFailures(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": `exports.handler = async () => { throw new Error('secret detail'); };`})
	s.Configure(harness.NodeFunction("f", dir, ""), "function f\n}\nhandle_errors {\n respond \"sorry: {err.status_code}\"\n")
	s.Start()
	got := s.Get("/")
	got.Want(t, 502, "sorry: 502")
	if strings.Contains(got.Body, "secret") {
		t.Error("the client sees the function's error")
	}
}

func TestAdminEndpointOnTCPIsRefusedBesideTheHostsNetwork(t *testing.T) {
	harness.Parallel(t)
	dir := harness.TempDir(t)
	function := func(more string) string {
		return harness.NodeFunction("f", dir, more)
	}
	const host = "network host"
	for name, test := range map[string]struct {
		admin, function, sandbox string
		refused                  bool
	}{
		"default admin":    {"", function(host), "", true},
		"tcp admin":        {"admin 127.0.0.1:0", function(host), "", true},
		"abstract admin":   {"admin unix/@hearth-test", function(host), "", true},
		"by default":       {"", function(""), "network host", true},
		"sandbox off":      {"", function(""), "sandbox off", true},
		"no network":       {"", function("network none"), "", false},
		"its own network":  {"", function(""), "", false},
		"allowed":          {"", function(host), "sandbox {\n allow_admin_endpoint\n}", false},
		"admin off":        {"admin off", function(host), "", false},
		"unix admin":       {"admin unix/" + dir + "/a.sock", function(host), "", false},
		"unix admin, perm": {"admin unix/" + dir + "/b.sock|0200", function(host), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &harness.Server{T: t, Dir: harness.TempDir(t), Port: harness.FreePort(t)}
			s.Config = filepath.Join(s.Dir, "Caddyfile")
			text := fmt.Sprintf("{\n%s\nauto_https off\nhearth {\ndata_dir %s/data\n%s\n%s\n}\n}\nhttp://127.0.0.1:%d {\nfunction f\n}\n",
				test.admin, s.Dir, test.sandbox, test.function, s.Port)
			if test.admin == "" {
				s.Env = []string{fmt.Sprintf("CADDY_ADMIN=127.0.0.1:%d", harness.FreePort(t))}
			}
			if err := os.WriteFile(s.Config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if !test.refused {
				s.Start()
				return
			}
			s.Spawn()
			select {
			case <-s.Exited:
			case <-time.After(20 * time.Second):
				t.Error("it started")
			}
			if out := s.Output(); !strings.Contains(out, "admin unix/") || !strings.Contains(out, "allow_admin_endpoint") {
				t.Errorf("the error does not say what to write:\n%s", out)
			}
		})
	}
}

func TestConfigurationErrorsNameTheWord(t *testing.T) {
	harness.Parallel(t)
	dir := harness.TempDir(t)
	text := filepath.Join(dir, "text.zip")
	if err := os.WriteFile(text, []byte("this is text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ functions, site, want string }{
		"unknown option":    {"function f {\n colour red\n}", "respond x", "unrecognized option 'colour' of a function"},
		"unknown function":  {harness.NodeFunction("f", dir, ""), "function g", `function "g" is not defined`},
		"unknown qualifier": {harness.NodeFunction("f", dir, ""), "function f:live", `no such qualifier "live"`},
		"unknown runtime":   {"function f {\n runtime nodejs99.x\n handler a.b\n code " + dir + "\n}", "respond x", "nodejs99.x"},
		"no code":           {harness.NodeFunction("f", dir+"/missing", ""), "respond x", dir + "/missing"},
		"no archive":        {harness.NodeFunction("f", text, ""), "respond x", "Could not unzip uploaded file"},
		"no layer":          {harness.NodeFunction("f", dir, "layer "+dir+"/missing"), "respond x", "layer: there is no folder or archive " + dir + "/missing"},
		"memory":            {harness.NodeFunction("f", dir, "memory 1"), "respond x", "memory 1 MB: 128 to 32768 are allowed"},
		"timeout":           {harness.NodeFunction("f", dir, "memory lots"), "respond x", "'lots' is not a size"},
		"reserved name":     {harness.NodeFunction("f", dir, "env AWS_REGION mars"), "respond x", "AWS_REGION is reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			s := harness.NewServer(t, test.functions, test.site)
			s.Spawn()
			select {
			case <-s.Exited:
			case <-time.After(20 * time.Second):
				t.Error("it started")
			}
			if out := s.Output(); !strings.Contains(strings.ReplaceAll(out, `\"`, `"`), test.want) {
				t.Errorf("want %q in:\n%s", test.want, out)
			}
		})
	}
}

func TestLogsTieLinesToTheirRequest(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	node := s.Code("n", map[string]string{"index.js": `exports.handler = async (event, context) => {
		console.log('to stdout', { a: 1 }); console.error('to stderr'); process.stdout.write('raw\n');
		return { statusCode: 200, body: context.awsRequestId }; };`})
	python := s.Code("p", map[string]string{"app.py": `
import logging, sys
logging.getLogger().setLevel(logging.INFO)
def handler(event, context):
    print("to stdout"); print("to stderr", file=sys.stderr); logging.info("by logging")
    return {"statusCode": 200, "body": context.aws_request_id}
`})
	s.Configure(harness.NodeFunction("n", node, "")+harness.PythonFunction("p", python, ""), "function /n n\nfunction /p p")
	s.Start()
	id := s.Get("/n").Body
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("request id %q", id)
	}
	s.WantLog("n", "START RequestId: "+id+" Version: $LATEST", id+"\tINFO\tto stdout { a: 1 }", id+"\tERROR\tto stderr", "raw",
		"END RequestId: "+id, "REPORT RequestId: "+id+"\tDuration: ", "Memory Size: 128 MB\tMax Memory Used: ", "Init Duration: ")
	id = s.Get("/p").Body
	s.WantLog("p", "START RequestId: "+id, "to stdout", "to stderr", "[INFO]\t", id+"\tby logging", "END RequestId: "+id, "REPORT RequestId: "+id)
}

func TestTwoHundredAtOnceOnAColdFunction(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": `exports.handler = async () => {
		await new Promise((r) => setTimeout(r, 10)); return { statusCode: 200, body: process.env.AWS_LAMBDA_LOG_STREAM_NAME }; };`})
	s.Configure(harness.NodeFunction("f", dir, "reserved_concurrency 4\nqueue_timeout 30s"), "function f")
	s.Start()
	results := make(chan harness.Response, 200)
	for range 200 {
		go func() {
			got, err := harness.Try(s.Request("GET", "/", nil))
			if err != nil {
				t.Error(err)
			}
			results <- got
		}()
	}
	streams := make(map[string]int)
	for range 200 {
		got := <-results
		if got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		streams[got.Body]++
	}
	if len(streams) > 4 {
		t.Errorf("%d environments answered, 4 are reserved: %v", len(streams), streams)
	}
}

func TestOneEnvironmentRunsSeveralInvocationsWhenAskedTo(t *testing.T) {
	harness.Quiet(t)
	s := harness.NewServer(t, "", "")
	node := s.Code("n", map[string]string{"index.js": `let running = 0, most = 0;
		exports.handler = async (event, context) => {
			most = Math.max(most, ++running);
			await new Promise((r) => setTimeout(r, 1000));
			console.log('line of', context.awsRequestId);
			running--;
			return { statusCode: 200, body: process.env.AWS_LAMBDA_LOG_STREAM_NAME + ' ' + most }; };`})
	python := s.Code("p", map[string]string{"app.py": `
import os, threading, time
lock, running, most = threading.Lock(), 0, 0
def handler(event, context):
    global running, most
    with lock:
        running += 1
        most = max(most, running)
    time.sleep(1)
    with lock:
        running -= 1
    return {"statusCode": 200, "body": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] + " " + str(most)}
`})
	more := "per_environment_concurrency 8\nreserved_concurrency 8\nqueue_timeout 30s"
	s.Configure(harness.NodeFunction("n", node, more)+harness.PythonFunction("p", python, more), "function /n n\nfunction /p p")
	s.Start()
	for _, path := range []string{"/n", "/p"} {
		s.Get(path).Want(t, 200, " 1")
		began := time.Now()
		results := make(chan harness.Response, 8)
		for range 8 {
			go func() {
				got, err := harness.Try(s.Request("GET", path, nil))
				if err != nil {
					t.Error(err)
				}
				results <- got
			}()
		}
		streams := make(map[string]bool)
		most := ""
		for range 8 {
			got := <-results
			stream, n, _ := strings.Cut(got.Body, " ")
			streams[stream], most = true, max(most, n)
		}
		if len(streams) != 1 || most != "8" {
			t.Errorf("%s: %d environments, %s at once, want one with 8", path, len(streams), most)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("%s: eight calls of 1 s took %s", path, took)
		}
	}
}

func TestInvocationsAtOnceKeepTheirEventsApart(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	node := s.Code("n", map[string]string{"index.js": `exports.handler = async (event) => {
		await new Promise((r) => setTimeout(r, 5)); return { statusCode: 200, body: event.body }; };`})
	python := s.Code("p", map[string]string{"app.py": `
import time
def handler(event, context):
    time.sleep(0.005)
    return {"statusCode": 200, "body": event["body"]}
`})
	more := "per_environment_concurrency 8\nreserved_concurrency 8\nqueue_timeout 30s"
	s.Configure(harness.NodeFunction("n", node, more)+harness.PythonFunction("p", python, more), "function /n n\nfunction /p p")
	s.Start()
	for _, path := range []string{"/n", "/p"} {
		done := make(chan bool)
		for caller := range 16 {
			go func() {
				defer func() { done <- true }()
				for i := range 20 {
					body := strings.Repeat(fmt.Sprintf("%d.%d;", caller, i), 1+(caller*37+i*911)%4000)
					r := s.Request("POST", path, strings.NewReader(body))
					r.Header.Set("Content-Type", "text/plain")
					if got, err := harness.Try(r); err != nil || got.Status != 200 || got.Body != body {
						t.Errorf("%s %d/%d: %v, %d, %d bytes for %d", path, caller, i, err, got.Status, len(got.Body), len(body))
						return
					}
				}
			}()
		}
		for range 16 {
			<-done
		}
	}
}
