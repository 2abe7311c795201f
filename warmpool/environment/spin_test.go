package environment

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestACallSpinsWhenThoseBeforeItWereAloneToo(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Log("with one core nothing spins")
		return
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer r.Close()
	defer w.Close()
	raw, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var s spinner
	var busy atomic.Int32
	s.init(raw, &busy)
	spins := func(calls int32) bool {
		t.Helper()
		busy.Store(calls)
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		slept := false
		n, err := s.read(make([]byte, 8), func(b []byte) (int, error) {
			slept = true
			return r.Read(b)
		})
		if n != 1 || err != nil {
			t.Fatalf("read %d bytes, %v", n, err)
		}
		return !slept
	}
	if !spins(1) {
		t.Error("the first call does not spin, alone on the node")
	}
	if spins(2) {
		t.Error("a call spins beside another")
	}
	for i := range calm {
		if spins(1) {
			t.Fatalf("call %d spins after one that was not alone", i)
		}
	}
	if !spins(1) {
		t.Error("no call spins any more")
	}
}
