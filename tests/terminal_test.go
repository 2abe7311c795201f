package tests

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// runOnTerminal starts a command whose output is a terminal, and copies what the terminal
// gets to out. The function that it returns waits for the end of that.
func runOnTerminal(t *testing.T, cmd *exec.Cmd, out io.Writer) (wait func()) {
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
	cmd.Stdout, cmd.Stderr = slave, slave
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

// A journal or a container's log is read by others, and kept: only a terminal gets the key.
func TestTheFirstAccessKeyIsShownOnATerminalOnly(t *testing.T) {
	piped := newAPI(t, "", "")
	if out := piped.output(); strings.Contains(out, piped.credentials.SecretAccessKey) || strings.Contains(out, piped.credentials.AccessKeyID) ||
		!strings.Contains(out, piped.dir+"/data/credentials") {
		t.Errorf("a pipe should get the file of the key and not the key:\n%s", out)
	}

	a := &api{server: newServer(t, "", "")}
	a.configure("", "")
	a.terminal = true
	a.start()
	a.connect()
	if out := a.output(); !strings.Contains(out, "AWS_SECRET_ACCESS_KEY="+a.credentials.SecretAccessKey) {
		t.Errorf("a terminal does not get the key:\n%s", out)
	}
	a.stop()
	a.mu.Lock()
	a.out = bytes.Buffer{}
	a.mu.Unlock()
	a.start()
	if out := a.output(); strings.Contains(out, a.credentials.SecretAccessKey) {
		t.Errorf("the second start shows the key again:\n%s", out)
	}
}
