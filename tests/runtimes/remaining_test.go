package runtimes

import (
	"strconv"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// The time that remains is whole milliseconds, and at the beginning no more than the
// timeout.
func TestTimeThatRemainsIsWhole(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	node := s.Code("node", map[string]string{"index.js": "exports.handler = async (e, c) => ({ statusCode: 200, body: String(c.getRemainingTimeInMillis()) })"})
	python := s.Code("python", map[string]string{"app.py": "def handler(event, context): return {'statusCode': 200, 'body': str(context.get_remaining_time_in_millis())}"})
	s.Configure(harness.NodeFunction("node", node, "timeout 3s")+harness.PythonFunction("python", python, "timeout 3s"), "function /node node\nfunction /python python")
	s.Start()
	for _, path := range []string{"/node", "/python"} {
		for range 50 {
			r := s.Get(path)
			if left, err := strconv.Atoi(r.Body); err != nil || left > 3000 || left < 1 {
				t.Fatalf("%s: %q ms remain", path, r.Body)
			}
		}
	}
}
