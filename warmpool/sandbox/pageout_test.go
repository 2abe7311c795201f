package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// swap gives the machine some swap until the end of the test, and reports whether it could.
func swap(t *testing.T, size int64) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "swap")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkswap", path).CombinedOutput(); err != nil {
		t.Logf("no swap: mkswap: %v: %s", err, out)
		return false
	}
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	// It is the last that the machine uses.
	if _, _, err := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(name)), 0, 0); err != 0 {
		t.Logf("no swap: swapon: %v", err)
		return false
	}
	t.Cleanup(func() {
		if _, _, err := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(name)), 0, 0); err != 0 {
			t.Errorf("swapoff: %v", err)
		}
	})
	return true
}

// Where there is swap the memory of a frozen environment goes there, and comes back when it is
// wanted. Where there is none, nothing is asked of the kernel.
func TestRootMemoryOfAFrozenEnvironmentGoesToSwap(t *testing.T) {
	needRoot(t)
	s := shared(t)
	st := bootStem(t, s, "stem-swap")
	const held = 10_000_000
	if got := st.run(`x=$(head -c 10000000 /dev/zero | tr '\0' x); echo ${#x}`); got != strconv.Itoa(held) {
		t.Fatalf("it holds %q", got)
	}
	if asked := st.PageOut(); asked != 0 {
		t.Errorf("of one that runs %d bytes were to go", asked)
	}
	there := swap(t, 256<<20)
	if !st.Freeze() {
		t.Fatal("it was not frozen")
	}
	asked := st.PageOut()
	switch {
	case there && s.cgroups != nil:
		if swapped := inSwap(t, st.Process); asked < held || swapped < held/2 {
			t.Errorf("%d bytes were to go, and %d are in swap", asked, swapped)
		}
	case freeSwap() == 0 && asked != 0:
		t.Errorf("without swap %d bytes were to go", asked)
	}
	if err := st.Thaw(); err != nil {
		t.Fatal(err)
	}
	if got := st.run(`echo ${#x}`); got != strconv.Itoa(held) {
		t.Errorf("afterwards it holds %q", got)
	}
}

// inSwap is how much of an environment's memory is in swap, in bytes.
func inSwap(t *testing.T, p *Process) (sum int64) {
	t.Helper()
	for _, pid := range p.cgroup.Processes() {
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(status)) {
			if size, found := strings.CutPrefix(line, "VmSwap:"); found {
				kB, err := strconv.ParseInt(strings.Fields(size)[0], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				sum += kB << 10
			}
		}
	}
	return sum
}

func TestOwnMemoryIsWhatAProcessWritesToForItself(t *testing.T) {
	const maps = `55d0c0000000-55d0c0001000 r--p 00000000 fe:00 1 /usr/bin/node
55d0c0002000-55d0c0004000 rw-p 00001000 fe:00 1 /usr/bin/node
55d0c1000000-55d0c1800000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000001000 rw-s 00000000 00:01 2 /dev/shm/x
7f0000002000-7f0000003000 ---p 00000000 00:00 0
nonsense
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
`
	own := ownMemory([]byte(maps))
	if want := []extent{{0x55d0c0002000, 0x2000}, {0x55d0c1000000, 0x800000}}; !slices.Equal(own, want) {
		t.Errorf("got %x, want %x", own, want)
	}
	var sum uintptr
	for _, group := range steps(own) {
		size := uintptr(0)
		for _, e := range group {
			size += e.size
		}
		if size > pageOutStep {
			t.Errorf("a step of %d bytes", size)
		}
		sum += size
	}
	if sum != 0x802000 {
		t.Errorf("all steps have %x bytes", sum)
	}
}
