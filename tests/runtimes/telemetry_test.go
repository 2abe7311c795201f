package runtimes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// telemetryExtension subscribes as its function's variables say, and prints at the end
// what it was told.
const telemetryExtension = `#!/usr/bin/python3 -S
import http.server, json, os, socketserver, sys, threading, urllib.request
port, way, schema = int(os.environ["TELEMETRY_PORT"]), os.environ["TELEMETRY_WAY"], os.environ["TELEMETRY_SCHEMA"]
seen, lock = [], threading.Lock()
def keep(events):
    with lock:
        seen.extend(events)
class Post(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        keep(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *a): pass
class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: keep([json.loads(line)])
class Server(http.server.ThreadingHTTPServer):
    def server_bind(self): socketserver.TCPServer.server_bind(self)
    server_name, server_port = "sandbox", port
server = Server(("sandbox.localdomain", port), Lines if way == "TCP" else Post)
threading.Thread(target=server.serve_forever, daemon=True).start()
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
def call(method, path, body=None, **headers):
    r = urllib.request.Request(api + path, json.dumps(body).encode() if body is not None else None, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)
    try:
        return urllib.request.urlopen(r)
    except urllib.error.HTTPError as e:
        return e
name = os.path.basename(sys.argv[0])
me = call("POST", "/2020-01-01/extension/register", {"events": ["INVOKE", "SHUTDOWN"]}, Lambda_Extension_Name=name).headers["Lambda-Extension-Identifier"]
path = "/2020-08-15/logs" if schema.startswith(("2020", "2021")) else "/2022-07-01/telemetry"
bad = call("PUT", path, {"schemaVersion": schema, "types": [], "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain"}}, Lambda_Extension_Identifier=me)
print("refused", bad.status, bad.read().decode())
destination = {"protocol": "TCP", "port": port} if way == "TCP" else {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d" % port}
good = call("PUT", path, {"schemaVersion": schema, "types": ["platform", "function", "extension"], "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
    "destination": destination}, Lambda_Extension_Identifier=me)
print("subscribed", good.status, good.read().decode(), flush=True)
while True:
    event = json.load(call("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=me))
    if event["eventType"] == "SHUTDOWN":
        late = call("PUT", path, {"schemaVersion": schema, "types": ["platform"], "destination": destination}, Lambda_Extension_Identifier=me)
        with lock:
            print("late", late.status, late.read().decode()); print("seen " + json.dumps(seen), flush=True)
        sys.exit(0)
`

func TestExtensionsGetTelemetry(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	layer := s.Code("layer", map[string]string{"readme": ""})
	writeScript(s, layer, "extensions/telemetry", telemetryExtension)
	js := s.Code("js", map[string]string{"index.js": `console.log('init says');
		exports.handler = async () => { console.log('function says'); return { statusCode: 200, body: 'fine' } };`})
	bash := s.Code("bash", map[string]string{"readme": ""})
	writeScript(s, bash, "bootstrap", "#!/bin/bash\necho 'init says'\n"+strings.Replace(harness.BashBootstrap, "\n\tcase \"$EVENT\" in", "\n\techo 'function says'\n\tcase \"$EVENT\" in", 1))
	type function struct {
		custom             bool
		way, schema, extra string
	}
	// Where functions share the network, two environments cannot listen at one port.
	functions := map[string]function{
		"http":   {false, "HTTP", "2022-12-13", "network none"},
		"tcp":    {false, "TCP", "2025-01-29", "network none"},
		"first":  {false, "HTTP", "2022-07-01", "network none"},
		"host":   {false, "HTTP", "2022-07-01", "network host"},
		"custom": {true, "HTTP", "2022-12-13", "network none"},
		"alone":  {true, "TCP", "2022-12-13", "network none"},
		"eldest": {false, "HTTP", "2020-08-15", "network none"},
		"elder":  {true, "TCP", "2021-03-18", "network none"},
	}
	options, site := "stems 0\n", ""
	for name, f := range functions {
		more := fmt.Sprintf("layer %s\nenv TELEMETRY_PORT %d\nenv TELEMETRY_WAY %s\nenv TELEMETRY_SCHEMA %s\nmemory 256\nreserved_concurrency 1\nqueue_timeout 20s\n%s", layer, harness.FreePort(t), f.way, f.schema, f.extra)
		if f.custom {
			options += customFunction(name, bash, more)
		} else {
			options += harness.NodeFunction(name, js, more)
		}
		site += fmt.Sprintf("function /%s %s\n", name, name)
	}
	s.Configure(options, site)
	s.Start()
	for name := range functions {
		for range 2 {
			s.Get("/"+name).Want(t, 200, "")
		}
	}
	s.Stop()
	for name, f := range functions {
		t.Run(name, func(t *testing.T) {
			log := s.Logs(name)
			api, legacy := "Telemetry", strings.HasPrefix(f.schema, "202") && f.schema < "2022"
			if legacy {
				api = "Logs"
			}
			for _, text := range []string{
				`refused 400 {"errorMessage":"types should not be empty; URI port is not provided","errorType":"ValidationError"}`, `subscribed 200 "OK"`,
				`late 403 {"errorMessage":"` + api + ` API subscription is closed already","errorType":"` + api + `.SubscriptionClosed"}`,
			} {
				if !strings.Contains(log, text) {
					t.Errorf("the log has no %s", text)
				}
			}
			_, rest, _ := strings.Cut(log, " seen ")
			line, _, _ := strings.Cut(rest, "\n")
			var events []struct {
				Time, Type string
				Record     json.RawMessage
			}
			if err := json.Unmarshal([]byte(line), &events); err != nil {
				t.Fatalf("%v in\n%s", err, harness.Tail(log, 20))
			}
			var types []string
			for _, e := range events {
				types = append(types, e.Type)
				if len(e.Time) != len("2026-11-28T15:40:39.000Z") {
					t.Errorf("%s at %q", e.Type, e.Time)
				}
				record := string(e.Record)
				want := map[string]string{
					"platform.start": `"version":"$LATEST"`, "platform.report": `"memorySizeMB":256`, "platform.end": `{"requestId":"`, "platform.runtimeDone": `"status":"success"`,
					"platform.initStart": `"initializationType":"on-demand"`, "platform.initReport": `"phase":"init"`, "platform.initRuntimeDone": `"status":"success"`,
					"platform.extension":             `{"events":["INVOKE","SHUTDOWN"],"name":"telemetry","state":"Ready"}`,
					"platform.telemetrySubscription": `{"name":"telemetry","state":"Subscribed","types":["platform","function","extension"]}`,
					"platform.logsSubscription":      `{"name":"telemetry","state":"Subscribed","types":["platform","function","extension"]}`,
				}[e.Type]
				if compact := strings.NewReplacer(`": `, `":`, `, "`, `,"`, `", "`, `","`).Replace(record); !strings.Contains(compact, want) {
					t.Errorf("%s: the record is %s, want %s", e.Type, compact, want)
				}
			}
			count := func(kind, text string) (n int) {
				for _, e := range events {
					if e.Type == kind && strings.Contains(string(e.Record), text) {
						n++
					}
				}
				return n
			}
			if count("function", "init says") != 1 || count("function", "function says") != 2 || count("extension", "subscribed 200") != 1 {
				t.Errorf("what was written is not there once: %s", line)
			}
			want := []string{"platform.initStart", "platform.telemetrySubscription", "platform.extension", "platform.initRuntimeDone", "platform.initReport",
				"platform.start", "platform.runtimeDone", "platform.report", "platform.start", "platform.runtimeDone", "platform.report"}
			if legacy {
				want = []string{"platform.logsSubscription", "platform.extension"}
				for range 2 {
					want = append(want, "platform.start")
					if f.schema == "2021-03-18" {
						want = append(want, "platform.runtimeDone")
					}
					want = append(want, "platform.end", "platform.report")
				}
			}
			if got := slices.DeleteFunc(types, func(kind string) bool { return !strings.HasPrefix(kind, "platform.") }); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
