package runtimes

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// A function finds its interpreter where Lambda has it, by stem and without.
func TestInterpretersAreWhereLambdaHasThem(t *testing.T) {
	harness.Slow(t, "it compiles Java")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	folder, _, _ := s.JavaCode()
	node := s.Code("node", map[string]string{"index.js": `const { execFileSync } = require('child_process');
exports.handler = async () => ({ statusCode: 200, body: [process.execPath, process.argv[0], execFileSync('node', ['-p', 'process.execPath']).toString().trim()].join(' ') })`})
	python := s.Code("python", map[string]string{"app.py": `
import json, subprocess, sys, traceback
def handler(event, context):
    try:
        json.loads("{")
    except ValueError:
        trace = traceback.format_exc()
    child = subprocess.check_output(["python3", "-c", "import json, sys; print(sys.executable, json.__file__)"], text=True).split()
    body = {"executable": sys.executable, "prefix": sys.prefix, "exec_prefix": sys.exec_prefix, "lib": json.__file__, "trace": trace, "child": child}
    return {"statusCode": 200, "body": json.dumps(body)}
`})
	var functions, site strings.Builder
	for name, more := range map[string]string{"": "", "alone": "env LC_TIME C"} {
		functions.WriteString(harness.NodeFunction("node"+name, node, more) + harness.PythonFunction("python"+name, python, more) + javaFunction("java"+name, "example.Encodings::home", folder, more))
		for _, family := range []string{"node", "python", "java"} {
			site.WriteString("function /" + family + name + " " + family + name + "\n")
		}
	}
	s.Configure(functions.String(), site.String())
	s.Start()
	for _, name := range []string{"", "alone"} {
		s.Get("/node"+name).Want(t, 200, "/var/lang/bin/node /var/lang/bin/node /var/lang/bin/node")
		s.Get("/java"+name).Want(t, 200, "/var/lang /var/lang/bin/java")
		r := s.Get("/python" + name)
		var got struct {
			Executable, Prefix, Lib, Trace string
			Exec_Prefix                    string
			Child                          []string
		}
		if err := json.Unmarshal([]byte(r.Body), &got); err != nil {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if !strings.HasPrefix(got.Executable, "/var/lang/bin/python3") || got.Prefix != "/var/lang" || got.Exec_Prefix != "/var/lang" || !strings.HasPrefix(got.Lib, "/var/lang/lib/python3.") {
			t.Errorf("got %+v", got)
		}
		if !strings.Contains(got.Trace, `File "/var/lang/lib/python3.`) || strings.Contains(got.Trace, `"/usr/`) {
			t.Errorf("the trace is not as on Lambda: %s", got.Trace)
		}
		if len(got.Child) != 2 || got.Child[0] != "/var/lang/bin/python3" || !strings.HasPrefix(got.Child[1], "/var/lang/lib/") {
			t.Errorf("a child is %s", got.Child)
		}
	}
}
