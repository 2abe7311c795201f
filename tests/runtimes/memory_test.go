package runtimes

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// Max Memory Used is the most there has been, however short it was; of an environment
// that was killed for memory it is what it might have.
func TestReportHasThePeakOfMemory(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	peaks := s.Code("peaks", map[string]string{"app.py": `
import json, mmap
def handler(event, context):
    own = bytearray(100 << 20)
    del own
    shared = mmap.mmap(-1, 60 << 20)
    for at in range(0, 60 << 20, 4096):
        shared[at] = 1
    shared.close()
    return {"statusCode": 200, "body": "ok"}
`})
	dies := s.Code("dies", map[string]string{"app.py": `
def handler(event, context):
    held = []
    while True:
        held.append(bytearray(10 << 20))
`})
	s.Configure(harness.PythonFunction("peaks", peaks, "memory 512")+harness.PythonFunction("dies", dies, "memory 128\nephemeral_storage 512\ntimeout 60s"),
		"function /peaks peaks\nfunction /dies dies")
	s.Start()
	s.Get("/peaks").Want(t, 200, "ok")
	s.Get("/dies").Want(t, 502, "Internal Server Error")
	used := func(name string) int { return reportedMemory(t, s, name) }
	if mb := used("peaks"); mb < 100 || mb > 300 {
		t.Errorf("%d MB were used at most, want some 110", mb)
	}
	if mb := used("dies"); mb != 128 {
		t.Errorf("the one that was killed used %d MB, want 128", mb)
	}
}

// reportedMemory is what the first report of a function says.
func reportedMemory(t *testing.T, s *harness.Server, name string) (mb int) {
	t.Helper()
	harness.Eventually(t, "the log has the report", func() bool {
		m := regexp.MustCompile(`Max Memory Used: (\d+) MB`).FindStringSubmatch(s.Logs(name))
		if m == nil {
			return false
		}
		mb, _ = strconv.Atoi(m[1])
		return true
	})
	return mb
}

// A call that does nothing has the whole runtime in memory, most of which it shares with others of
// the same runtime, or has of files.
func TestReportOfAShortCallHasTheMemoryOfTheProcess(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	node := s.Code("node", map[string]string{"index.mjs": `import { readFileSync } from 'fs';
export const handler = async () => ({ statusCode: 200, body: /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'latin1'))[1] });
`})
	python := s.Code("python", map[string]string{"app.py": `
import re
def handler(event, context):
    return {"statusCode": 200, "body": re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]}
`})
	s.Configure(harness.NodeFunction("node", node, "memory 256")+harness.PythonFunction("python", python, "memory 256"),
		"function /node node\nfunction /python python")
	s.Start()
	for _, name := range []string{"node", "python"} {
		got := s.Get("/" + name)
		kB, err := strconv.Atoi(got.Body)
		if got.Status != 200 || err != nil {
			t.Fatalf("%s answers %d %s", name, got.Status, got.Body)
		}
		// The process is in memory for a moment longer than it says itself.
		if mb, own := reportedMemory(t, s, name), kB>>10; mb < own-1 || mb > own+32 {
			t.Errorf("%s: the report has %d MB, and the process itself %d MB", name, mb, own)
		}
	}
}
