package harness

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// roomsVariable says how many tests run beside each other on this machine, in all
// processes of one run.
const roomsVariable = "HEARTH_TEST_ROOMS"

// Parallel lets a test run beside others, of its own package and of those beside it, as
// soon as there is room for one more. Most tests wait most of the time.
func Parallel(t *testing.T) {
	t.Helper()
	t.Parallel()
	Serial(t)
}

// Serial is Parallel for a test that changes what its process has, such as variables: no
// other of its package runs beside it.
func Serial(t *testing.T) {
	t.Helper()
	began := time.Now()
	turn := openLock(t, "turn")
	defer turn.Close()
	lock(t, turn, syscall.LOCK_EX) // one asks, the others wait
	quiet := openLock(t, "quiet")
	defer quiet.Close()
	for {
		// Nobody can have this lock to himself while a test waits for quiet.
		lock(t, quiet, syscall.LOCK_EX)
		for n := range rooms(t) {
			room := openLock(t, fmt.Sprint("room-", n))
			if syscall.Flock(int(room.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				t.Cleanup(func() { room.Close() })
				t.Logf("there was room after %.1f s", time.Since(began).Seconds())
				return
			}
			room.Close()
		}
		lock(t, quiet, syscall.LOCK_UN)
		time.Sleep(20 * time.Millisecond)
	}
}

// Quiet is for a test that measures time or memory, or that loads all cores: no other
// runs beside it. It comes before those that Parallel lets run.
func Quiet(t *testing.T) {
	t.Helper()
	began := time.Now()
	for _, name := range names(t) {
		file, how := openLock(t, name), syscall.LOCK_EX
		if name == "quiet" {
			how = syscall.LOCK_SH // others may wait for quiet too
		}
		lock(t, file, how)
		t.Cleanup(func() { file.Close() })
	}
	t.Logf("it was quiet after %.1f s", time.Since(began).Seconds())
}

// Slow leaves a test out of a run with -short, and says why.
func Slow(t *testing.T, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip(why)
	}
}

func names(t *testing.T) []string {
	all := []string{"quiet"}
	for n := range rooms(t) {
		all = append(all, fmt.Sprint("room-", n))
	}
	return all
}

// rooms is two for each core: tests wait for servers to start, and for leases, limits
// and polls to end.
func rooms(t *testing.T) int {
	text := os.Getenv(roomsVariable)
	if text == "" {
		return 2 * runtime.NumCPU()
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number from 1", roomsVariable, text)
	}
	return n
}

// openLock opens a file that the tests of this working tree share. A lock of it ends when
// it is closed, and when its process dies.
func openLock(t *testing.T, name string) *os.File {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("hearth-tests-%x", sha256.Sum256([]byte(root)))[:40])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func lock(t *testing.T, file *os.File, how int) {
	t.Helper()
	for {
		err := syscall.Flock(int(file.Fd()), how)
		if err == nil {
			return
		}
		if err != syscall.EINTR {
			t.Fatalf("lock of %s: %v", file.Name(), err)
		}
	}
}
