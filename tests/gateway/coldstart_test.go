package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

const describeNode = `
const fs = require('fs');
const early = process.memoryUsage().rss > 0;
exports.handler = async () => ({ statusCode: 200, body: JSON.stringify({
	cwd: process.cwd(), relative: fs.readdirSync('.').sort(), task: fs.readdirSync('/var/task').sort(),
	tmp: fs.readdirSync('/tmp'), own: process.env.OWN, name: process.env.AWS_LAMBDA_FUNCTION_NAME,
	secret: Object.values(process.env).concat(fs.readFileSync('/proc/self/environ', 'latin1')).some((v) => v.includes('of-the-other')),
	write: (() => { try { fs.writeFileSync('/var/task/new', ''); return 'written'; } catch (e) { return e.code; } })(),
	setuid: /nosuid/.test(fs.readFileSync('/proc/self/mountinfo', 'latin1').split('\n').filter((l) => l.includes(' /var/task ')).pop()),
}) });
`

const describePython = `
import json, os
def write():
    try:
        open("/var/task/new", "w")
        return "written"
    except OSError as e:
        return "EROFS" if e.errno == 30 else str(e)
def handler(event, context):
    with open("/proc/self/environ", encoding="latin1") as f:
        environ = f.read()
    with open("/proc/self/mountinfo", encoding="latin1") as f:
        mounts = [l for l in f if " /var/task " in l]
    return {"statusCode": 200, "body": json.dumps({
        "cwd": os.getcwd(), "relative": sorted(os.listdir(".")), "task": sorted(os.listdir("/var/task")),
        "tmp": os.listdir("/tmp"), "own": os.environ["OWN"], "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "secret": "of-the-other" in environ + "".join(os.environ.values()),
        "write": write(), "setuid": "nosuid" in mounts[-1],
    })}
`

// Functions that are made of stems find what they would find without, each its
// own and nothing of the other's.
func TestFunctionMadeOfAStemIsAsOneThatIsNot(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	kinds := map[string]struct{ runtime, family, file, handler, code string }{
		"node":   {node, "nodejs", "index.js", "index.handler", describeNode},
		"python": {python, "python", "app.py", "app.handler", describePython},
	}
	var functions, site string
	for kind, k := range kinds {
		for _, name := range []string{"a", "b", "without"} {
			full := kind + "-" + name
			dir := s.Code(full, map[string]string{k.file: k.code, name + ".txt": ""})
			// A variable that must be there when the process starts: there is no stem for
			// that.
			early := map[string]string{"without": "env LC_TIME C"}[name]
			functions += fmt.Sprintf("function %s {\n runtime %s\n handler %s\n code %s\n env OWN %s-of-the-other\n %s\n}\n", full, k.runtime, k.handler, dir, full, early)
			site += fmt.Sprintf("function /%s %s\n", full, full)
		}
	}
	// What a function sees of itself is not another's.
	functions = strings.NewReplacer("a-of-the-other", "a", "without-of-the-other", "without").Replace(functions)
	s.Configure(functions, site)
	s.Start()

	for kind, k := range kinds {
		answers := make(map[string]map[string]any)
		for _, name := range []string{"b", "a", "without"} {
			s.AwaitStem(k.family)
			r := s.Get("/" + kind + "-" + name)
			var answer map[string]any
			if err := json.Unmarshal([]byte(r.Body), &answer); err != nil {
				t.Fatalf("%s-%s: %d %s", kind, name, r.Status, r.Body)
			}
			answers[name] = answer
		}
		if n := s.FromStems(k.runtime); n != 2 {
			t.Errorf("%s: %v cold starts from a stem, want 2", kind, n)
		}
		for _, name := range []string{"a", "without"} {
			got, err := json.Marshal(answers[name])
			if err != nil {
				t.Fatal(err)
			}
			files := fmt.Sprintf(`[%q,%q]`, name+".txt", k.file)
			if k.file < name {
				files = fmt.Sprintf(`[%q,%q]`, k.file, name+".txt")
			}
			want := fmt.Sprintf(`{"cwd":"/var/task","name":"%[1]s-%[2]s","own":"%[1]s-%[2]s","relative":%[3]s,"secret":false,"setuid":true,"task":%[3]s,"tmp":[],"write":"EROFS"}`, kind, name, files)
			if string(got) != want {
				t.Errorf("%s-%s:\n got %s\nwant %s", kind, name, got, want)
			}
		}
		if answers["b"]["secret"] != true {
			t.Errorf("%s: the function that has the secret does not see it: %v", kind, answers["b"])
		}
	}
}

func TestLimitsOfAFunctionHoldInAStem(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	// Memory is held for longer than it takes until it is looked at.
	code := s.Code("fill", map[string]string{"app.py": `
import os, time
def handler(event, context):
    if event["rawPath"].endswith("tmp"):
        written = 0
        try:
            with open("/tmp/fill", "wb") as f:
                while written < 900:
                    f.write(b"x" * (1 << 20)); written += 1
        except OSError:
            pass
        os.unlink("/tmp/fill")
        return {"statusCode": 200, "body": "tmp holds %d" % (written // 10 * 10)}
    block = b"x" * (300 << 20)
    time.sleep(1)
    return {"statusCode": 200, "body": "memory holds %d" % (len(block) >> 20)}
`})
	s.Configure(harness.PythonFunction("small", code, "memory 128\ntimeout 20s")+
		harness.PythonFunction("large", code, "memory 512\nephemeral_storage 700\ntimeout 20s"), "function /small/* small\nfunction /large/* large")
	s.Start()
	s.AwaitStem("python")
	s.Get("/small/memory").Want(t, 502, "")
	s.WantLog("small", "Runtime.OutOfMemory")
	if !strings.Contains(s.Output(), `"msg":"environment is out of memory","function":"small"`) {
		t.Error("the server's log does not name the function that is out of memory")
	}
	s.AwaitStem("python")
	s.Get("/large/memory").Want(t, 200, "memory holds 300")
	s.Get("/large/tmp").Want(t, 200, "tmp holds 700")
	s.AwaitStem("python")
	s.Get("/small/tmp").Want(t, 200, "tmp holds 510")
	if n := s.FromStems(python); n < 3 {
		t.Errorf("%v cold starts from a stem, want 3", n)
	}
}

func TestInitThatFailsIsToldAtOnceAndNotTriedForEveryCall(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	code := s.Code("broken", map[string]string{"index.js": "console.log('loading'); throw new Error('no database')"})
	s.Configure(harness.NodeFunction("broken", code, ""), "function broken")
	s.Start()
	for range 20 {
		s.Get("/").Want(t, 502, "")
	}
	s.WantLog("broken", "no database", "INIT_START Runtime Version: nodejs:", "Phase: init\tStatus: error\tError Type: Error")
	loaded := func() int { return strings.Count(s.Logs("broken"), "loading") }
	harness.Eventually(t, "the init phase is tried again", func() bool { return loaded() >= 2 })
	if n := loaded(); n > 4 {
		t.Errorf("20 calls loaded the code %d times, want 2 and a few", n)
	}
	s.Code("broken", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: 'mended' })"})
	harness.Eventually(t, "mended code runs", func() bool { return s.Get("/").Body == "mended" })
}

func TestInitPhaseThatTakesTooLongIsDoneAgainWithinTheInvocation(t *testing.T) {
	harness.Slow(t, "an init phase may take 10 s")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	slow := s.Code("slow", map[string]string{"app.py": "import time\nprint('loading')\ntime.sleep(60)\ndef handler(e, c): pass"})
	ahead := s.Code("ahead", map[string]string{"app.py": "import os, time\ntime.sleep(11)\ndef handler(e, c): return {'statusCode': 200, 'body': os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']}"})
	s.Configure(harness.PythonFunction("slow", slow, "timeout 2s")+harness.PythonFunction("ahead", ahead, "provisioned_concurrency 1"), "function /slow slow\nfunction /ahead ahead")
	s.Start()
	began := time.Now()
	s.Get("/slow").Want(t, 504, "")
	if took := time.Since(began); took < 12*time.Second || took > 14*time.Second {
		t.Errorf("it took %s, want the 10 s of the init phase and the 2 s of the timeout", took)
	}
	s.WantLog("slow", "INIT_REPORT Init Duration: 10", "Phase: init\tStatus: timeout", "INIT_REPORT Init Duration: 2", "Phase: invoke\tStatus: timeout")
	if n := strings.Count(s.Logs("slow"), "loading"); n != 2 {
		t.Errorf("the code was loaded %d times, want twice", n)
	}
	s.Get("/ahead").Want(t, 200, "provisioned-concurrency")
}
