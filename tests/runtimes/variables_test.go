package runtimes

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// What a function of any runtime has on Lambda, from recorded environments, with the
// addresses that Hearth has for the Runtime API and X-Ray.
func everyVariable(name, handler string) map[string]string {
	return map[string]string{
		"AWS_DEFAULT_REGION":              "us-east-1",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_FUNCTION_NAME":        name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + name,
		"AWS_REGION":                      "us-east-1",
		"AWS_XRAY_CONTEXT_MISSING":        "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":         "127.0.0.1:2000",
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LAMBDA_TASK_ROOT":                "/var/task",
		"LD_LIBRARY_PATH":                 "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
		"PATH":                            "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"TZ":                              ":UTC",
		"_AWS_XRAY_DAEMON_ADDRESS":        "127.0.0.1",
		"_AWS_XRAY_DAEMON_PORT":           "2000",
		"_HANDLER":                        handler,
		"OWN":                             "mine",
	}
}

func TestFunctionsHaveTheVariablesThatLambdaSets(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	node := s.Code("node", map[string]string{
		"index.js": "exports.handler = async () => ({ statusCode: 200, body: JSON.stringify(process.env) })"})
	python := s.Code("python", map[string]string{"app.py": `import json, os, sys
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps({**os.environ, "path": ":".join(sys.path[:3])})}
`})
	ruby := s.Code("ruby", map[string]string{"app.rb": "require 'json'\ndef handler(event:, context:) = { statusCode: 200, body: ENV.to_h.to_json }\n"})
	custom := s.Code("custom", map[string]string{"readme": ""})
	writeScript(s, custom, "bootstrap", `#!/usr/bin/python3
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as r:
        id = r.headers["Lambda-Runtime-Aws-Request-Id"]
    answer = {"statusCode": 200, "body": json.dumps(dict(os.environ))}
    urllib.request.urlopen(api + id + "/response", json.dumps(answer).encode()).close()
`)
	const more = "env OWN mine\nmemory 256\n"
	s.Configure(harness.NodeFunction("node", node, more)+harness.PythonFunction("python", python, more)+customFunction("custom", custom, more)+
		strings.Replace(harness.PythonFunction("newer", python, more), "python3.11", "python3.13", 1)+rubyFunction("ruby", "app.handler", ruby, more)+
		strings.Replace(customFunction("al2", custom, more), "provided.al2023", "provided.al2", 1)+
		harness.NodeFunction("early", node, "memory 256\nenv OWN mine\nenv AWS_XRAY_DAEMON_ADDRESS 10.0.0.1:2000\nenv NODE_PATH /var/task/own"),
		"function /node node\nfunction /python python\nfunction /newer newer\nfunction /ruby ruby\nfunction /custom custom\nfunction /al2 al2\nfunction /early early")
	s.Start()
	for _, f := range []struct {
		name, handler string
		more          map[string]string
		without       []string
	}{
		{"node", "index.handler", map[string]string{
			"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs20.x", "PWD": "/var/task", "SHLVL": "0",
			"NODE_PATH": "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task",
		}, []string{"PYTHONPATH"}},
		{"python", "app.handler", map[string]string{
			"AWS_EXECUTION_ENV": "AWS_Lambda_python3.11", "PWD": "/var/task", "SHLVL": "0", "PYTHONPATH": "/var/runtime",
			"path": "/var/task:/opt/python/lib/python3.11/site-packages:/opt/python",
		}, []string{"NODE_PATH", "LC_CTYPE"}},
		{"newer", "app.handler", map[string]string{
			"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13", "PWD": "/var/task", "SHLVL": "0", "PYTHONPATH": "/var/runtime", "LC_CTYPE": "C.UTF-8",
		}, nil},
		{"ruby", "app.handler", map[string]string{
			"AWS_EXECUTION_ENV": "AWS_Lambda_ruby3.3", "PWD": "/var/task", "SHLVL": "0", "GEM_HOME": "/var/runtime",
			"GEM_PATH":        "/var/task/vendor/bundle/ruby/3.3.0:/opt/ruby/gems/3.3.0:/var/runtime:/var/runtime/ruby/3.3.0",
			"PATH":            "/var/lang/bin:/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
			"LD_LIBRARY_PATH": "/var/lang/lib:/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
		}, nil},
		{"custom", "any.thing", nil, []string{"AWS_EXECUTION_ENV", "NODE_PATH", "PYTHONPATH", "LC_CTYPE"}},
		{"al2", "any.thing", map[string]string{
			"PATH":            "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
			"LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
		}, nil},
		{"early", "index.handler", map[string]string{
			"AWS_XRAY_DAEMON_ADDRESS": "10.0.0.1:2000", "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1", "NODE_PATH": "/var/task/own",
		}, nil},
	} {
		t.Run(f.name, func(t *testing.T) {
			want := everyVariable(f.name, f.handler)
			maps.Copy(want, f.more)
			var got map[string]string
			if r := s.Get("/" + f.name); json.Unmarshal([]byte(r.Body), &got) != nil {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			for name, value := range want {
				if got[name] != value {
					t.Errorf("%s is %q, want %q", name, got[name], value)
				}
			}
			for _, name := range []string{"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_LOG_STREAM_NAME", "LANG"} {
				if got[name] == "" {
					t.Errorf("%s is not set", name)
				}
			}
			for _, name := range f.without {
				if value, ok := got[name]; ok {
					t.Errorf("%s is set, to %q", name, value)
				}
			}
		})
	}
	// Where functions share a process they can tell how many there are.
	shared := s.Code("shared", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: process.env.AWS_LAMBDA_MAX_CONCURRENCY })"})
	s.Configure(harness.NodeFunction("shared", shared, "per_environment_concurrency 7"), "function shared")
	s.Reload()
	s.Get("/").Want(t, 200, "7")
}

// AWS's documentation has functions name this file, to trust the authorities of its databases.
func TestNodeFindsTheAuthoritiesThatLambdaHasAFileFor(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	code := s.Code("tls", map[string]string{"index.js": `const fs = require('fs');
exports.handler = async () => ({ statusCode: 200, body: String(fs.readFileSync(process.env.NODE_EXTRA_CA_CERTS, 'utf8').includes('BEGIN CERTIFICATE')) });
`})
	s.Configure(harness.NodeFunction("tls", code, "env NODE_EXTRA_CA_CERTS /var/runtime/ca-cert.pem"), "function /tls tls")
	s.Start()
	s.Get("/tls").Want(t, 200, "true")
	s.WantLog("tls", "REPORT RequestId")
	if log := s.Logs("tls"); strings.Contains(log, "extra certs") {
		t.Errorf("Node.js cannot read the file:\n%s", log)
	}
}
