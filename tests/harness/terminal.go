package harness

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// RunOnTerminal starts a command whose standard error is a terminal, and whose output is one
// too if it is not set. It copies what the terminal gets to out. The function that it returns
// waits for the end of that.
func RunOnTerminal(t *testing.T, cmd *exec.Cmd, out io.Writer) (wait func()) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = slave
	if cmd.Stdout == nil {
		cmd.Stdout = slave
	}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer master.Close()
		_, _ = io.Copy(out, master) // EIO when nobody has the terminal any more
	}()
	return func() { <-done }
}
