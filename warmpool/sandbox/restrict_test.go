package sandbox

import (
	"strings"
	"testing"
)

func TestProcessesAreHeldToLambdasLimits(t *testing.T) {
	s := shared(t)
	const program = `
import resource
print(*[resource.getrlimit(r) for r in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)])
print(open("/proc/self/oom_score_adj").read().strip())
try:
    with open("/tmp/large", "wb") as f: f.truncate(200 << 20)
    import os
    os.truncate(os.open("/proc/self/fd/%d" % os.memfd_create("x"), os.O_RDWR), 1)
    os.ftruncate(os.memfd_create("large"), 1 << 40)
    print("no limit")
except OSError as e:
    print(e.strerror)
`
	got := python(t, s, "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"+program, Spec{MemoryMB: 128, EphemeralStorageMB: 512})
	adjustment := "1000"
	if s.identities == nil && s.holder.Load() == nil {
		adjustment = strings.TrimSpace(read(t, "/proc/self/oom_score_adj"))
	}
	want := "(1024, 1024) (0, 0) (671088640, 671088640)\n" + adjustment + "\nFile too large"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
