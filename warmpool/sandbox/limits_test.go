package sandbox

import (
	"strings"
	"syscall"
	"testing"
)

// forkBomb starts processes that stay until it may not, and says how many.
const forkBomb = `
import os, signal
pids = []
try:
    for _ in range(500):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        pids.append(pid)
except BlockingIOError:
    pass
print(len(pids))`

func TestForkBombIsHeldByItsProcessLimit(t *testing.T) {
	s := shared(t)
	// One after another: those of the environment before, which may have ended a moment
	// ago, do not count.
	for range 15 {
		got := python(t, s, forkBomb, Spec{MaxProcesses: 40})
		if n := atoi(t, got); n != 39 {
			t.Fatalf("%d processes started beside the first, with a limit of 40", n)
		}
	}
}

func TestPagesThatProcessesShareCountOnce(t *testing.T) {
	s := shared(t)
	p := start(t, s, Spec{MemoryMB: 128, Args: []string{"/usr/bin/python3", "-c", `
import os
held = bytearray(60 << 20)
for _ in range(5):
    if os.fork() == 0:
        os.read(3, 1)
        os._exit(0)
print("up", flush=True)
for _ in range(5):
    os.wait()`}})
	p.line()
	s.checkMemory(true)
	p.stdin.Close()
	if exit := p.wait(); exit != (Exit{}) {
		t.Errorf("ended with %+v", exit)
	}
}

func TestFullTmpIsAnErrorAndNotTheEnd(t *testing.T) {
	s := shared(t)
	got := python(t, s, `
import errno
block = b"x" * (1 << 20)
n = 0
try:
    with open("/tmp/fill", "wb", buffering=0) as f:
        while n < 200:
            n += f.write(block) >> 20
except OSError as e:
    print(errno.errorcode[e.errno], n)
more = bytearray(64 << 20)
print("alive")`, Spec{MemoryMB: 128, EphemeralStorageMB: 96})
	if want := "ENOSPC 96\nalive"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// outOfMemory allocates for as long as it is let, 10 MB in each 50 ms.
const outOfMemory = `
import time
held = []
print("up", flush=True)
while True:
    held.append(bytearray(10 << 20))
    time.sleep(%s)`

func TestAllocatingPastMemoryEndsOutOfMemory(t *testing.T) {
	for name, pause := range map[string]string{
		"slowly":  "0.05", // so that the comparison sees it
		"at-once": "0",    // so that the kernel's wall does, where there is one
	} {
		t.Run(name, func(t *testing.T) {
			s := shared(t)
			p := start(t, s, Spec{ID: "oom-" + name, Args: []string{"/usr/bin/python3", "-c", strings.Replace(outOfMemory, "%s", pause, 1)},
				MemoryMB: 128, EphemeralStorageMB: 512})
			exit := p.wait()
			if exit != (Exit{Signal: syscall.SIGKILL, OOMKilled: true}) || exit.String() != "signal: killed" {
				t.Errorf("ended with %+v, %s", exit, exit)
			}
			if _, peak := p.Memory(); peak < 128<<20 {
				t.Errorf("peak is %d MB", peak>>20)
			}
		})
	}
}

// What is of no process alone counts all the same: by the kernel, or by the check.
func TestMemoryThatIsSharedEndsOutOfMemory(t *testing.T) {
	for name, program := range map[string]string{
		"files-in-memory": `
held = []
for i in range(4):
    fd = os.memfd_create("x")
    held.append(fd)
    for _ in range(60): os.write(fd, bytes(1 << 20))`,
		"mapped": `
import mmap
m = mmap.mmap(-1, 250 << 20)
for i in range(0, 250 << 20, 4096): m[i] = 1`,
		"empty-files": `
for i in range(300000):
    try: os.close(os.open("/tmp/%d" % i, os.O_CREAT | os.O_WRONLY))
    except OSError as e:
        os.write(1, b"refused\n")
        os._exit(9)`,
	} {
		t.Run(name, func(t *testing.T) {
			s := shared(t)
			p := start(t, s, Spec{ID: "shared-" + name, MemoryMB: 128, EphemeralStorageMB: 64,
				Args: []string{"/usr/bin/python3", "-I", "-S", "-c", "import os, time" + program + "\nos.write(1, b'held\\n')\ntime.sleep(1000)"}})
			exit := p.wait()
			if refused := name == "empty-files" && exit.Code == 9; !refused && exit != (Exit{Signal: syscall.SIGKILL, OOMKilled: true}) {
				t.Errorf("ended with %+v", exit)
			}
		})
	}
}

func TestMemoryThatIsSharedCountsOnce(t *testing.T) {
	s := shared(t)
	p := start(t, s, Spec{MemoryMB: 128, EphemeralStorageMB: 64, Args: []string{"/usr/bin/python3", "-I", "-S", "-c", `
import mmap, os
fd = os.memfd_create("x")
os.ftruncate(fd, 100 << 20)
m = mmap.mmap(fd, 100 << 20)
for i in range(0, 100 << 20, 4096): m[i] = 1
for _ in range(3):
    if os.fork() == 0:
        for i in range(0, 100 << 20, 4096): m[i]
        os.write(1, b"up\n")
        os.read(3, 1)
        os._exit(0)
for _ in range(3):
    os.wait()`}})
	for range 3 {
		p.line()
	}
	s.checkMemory(true)
	p.stdin.Close()
	if exit := p.wait(); exit != (Exit{}) {
		t.Errorf("ended with %+v", exit)
	}
}

func TestRootKernelHoldsTheWall(t *testing.T) {
	needRoot(t)
	s := shared(t)
	// Not the command is killed, but what it started.
	p := start(t, s, Spec{MemoryMB: 64, EphemeralStorageMB: 1,
		Args: []string{"sh", "-c", "/usr/bin/python3 -c 'x = b\"x\" * (200 << 20)'; exit 5"}})
	// The comparison is to see nothing, however slowly memory grows up to the wall.
	p.mu.Lock()
	p.limits.Memory = 1 << 40
	p.mu.Unlock()
	if exit := p.wait(); !exit.OOMKilled || p.outOfMemory.Load() {
		t.Errorf("ended with %+v, killed by the comparison: %v", exit, p.outOfMemory.Load())
	}
}

func TestFullTmpIsNotMistakenForMemory(t *testing.T) {
	s := shared(t)
	p := start(t, s, Spec{MemoryMB: 128, EphemeralStorageMB: 300,
		Args: []string{"sh", "-c", "head -c 250000000 /dev/zero >/tmp/fill; echo full; cat <&3; echo end"}})
	p.line()
	s.checkMemory(true)
	p.stdin.Close()
	if exit := p.wait(); exit != (Exit{}) {
		t.Errorf("ended with %+v", exit)
	}
}

func TestMemoryOfAProcessIsThatOfItsTree(t *testing.T) {
	s := shared(t)
	p := start(t, s, Spec{MemoryMB: 512, Args: []string{"sh", "-c",
		`/usr/bin/python3 -c 'x = bytearray(100 << 20); print("up", flush=True); import os; os.read(3, 1)'; echo down`}})
	p.line()
	if current, peak := p.Memory(); current < 100<<20 || peak < current || current > 200<<20 {
		t.Errorf("%d MB, peak %d MB", current>>20, peak>>20)
	}
}
