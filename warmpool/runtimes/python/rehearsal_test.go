package python_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A rehearsal that fails is passed over in silence, so it has to be seen that it does not.
func TestRehearsalServesItsEventAndLeavesNothing(t *testing.T) {
	out, err := exec.Command("python3", "-I", "-S", "-c", `
import logging, os, sys
sys.path.insert(0, sys.argv[1])
import hearth_rehearsal, hearth_runtime
sent = []
hearth_rehearsal.Stage.send = lambda self, kind, seq, value, payload: sent.append(payload)
def state():
    return list(sys.path), dict(os.environ), sys.stdout, sys.stderr, logging.getLogger().handlers[:], os.getcwd()
before = state()
hearth_rehearsal.rehearse(hearth_runtime.Function)
print(sent[1].decode(), len(sent), state() == before)
`, "bootstrap").CombinedOutput()
	const want = `{"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "2.0"} 3 True`
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}
