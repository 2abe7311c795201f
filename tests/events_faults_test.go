package tests

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gated is a block of a function that runs an event when the gate is opened, and then
// writes its ID to the ledger.
func (l *ledger) gated(s *server, name string) (block string, open func()) {
	s.t.Helper()
	gate, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { gate.Close() })
	opened := make(chan struct{})
	go func() {
		for {
			c, err := gate.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				<-opened
				_, _ = io.WriteString(c, "x") // who asked may be dead
			}()
		}
	}()
	dir := s.code(name, map[string]string{"app.py": fmt.Sprintf(`
import socket
shut = True

def handler(event, context):
    global shut
    if shut:
        socket.create_connection(("127.0.0.1", %d)).recv(1)
        shut = False
    with socket.create_connection(("127.0.0.1", %d)) as ledger:
        ledger.sendall((event["id"] + "\n").encode())
        ledger.shutdown(socket.SHUT_WR)
        ledger.recv(1)
`, gate.Addr().(*net.TCPAddr).Port, l.listener.Addr().(*net.TCPAddr).Port)})
	return pythonFunction(name, dir, fmt.Sprintf("reach %s %s\ntimeout 60s", l.listener.Addr(), gate.Addr())), func() { close(opened) }
}

// startFails starts the server, which ends with an error that has the texts in it.
func (s *server) startFails(texts ...string) {
	s.t.Helper()
	s.mu.Lock()
	s.out.Reset()
	s.mu.Unlock()
	s.spawn()
	select {
	case <-s.exited:
	case <-time.After(20 * time.Second):
		s.t.Fatalf("the server does not end:\n%s", s.output())
	}
	if code := s.cmd.ProcessState.ExitCode(); code <= 0 {
		s.t.Errorf("the server ends with code %d", code)
	}
	s.cmd = nil
	for _, text := range texts {
		if !strings.Contains(s.output(), text) {
			s.t.Errorf("the server does not say %q:\n%s", text, s.output())
		}
	}
}

// smallDisk makes the data directory a disk of its own, of so many MB, with a file of
// half of that; free removes the file.
func (s *server) smallDisk(megabytes int) (free func()) {
	s.t.Helper()
	if os.Getuid() != 0 {
		s.t.Skip("only root can mount a small disk")
	}
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "tmpfs", data).CombinedOutput(); err != nil {
		s.t.Skipf("no disk can be mounted here: %s", out)
	}
	s.t.Cleanup(func() {
		if out, err := exec.Command("umount", data).CombinedOutput(); err != nil {
			s.t.Errorf("umount: %s", out)
		}
	})
	ballast := filepath.Join(data, "ballast")
	if err := os.WriteFile(ballast, make([]byte, megabytes<<19), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			s.t.Fatal(err)
		}
	}
}

// fillDisk takes all the space that there is left for the data directory.
func (s *server) fillDisk() {
	s.t.Helper()
	rest, err := os.Create(filepath.Join(s.dir, "data", "rest"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer rest.Close()
	for err == nil {
		_, err = rest.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Fatal(err)
	}
}

func TestEventsAreSentBackWhenTheDiskIsFullAndNoneIsLost(t *testing.T) {
	s, l := newServer(t, "", ""), newLedger(t)
	free := s.smallDisk(16)
	block, open := l.gated(s, "f")
	s.configure(block, "receive /hooks/* generic {\n open\n}")
	s.start()

	accepted := make(map[string]bool)
	send := func(n, size int) response {
		id := fmt.Sprint(n)
		got := s.post("/hooks/f", fmt.Sprintf(`{"id":%q,"pad":%q}`, id, strings.Repeat("x", size)))
		if got.status/100 == 2 {
			accepted[id] = true
		} else if got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "could not be kept") {
			t.Fatalf("an event is answered %d %s", got.status, got.body)
		}
		return got
	}
	refused := 0
	for n := 0; refused < 20; n++ {
		if send(n, 100_000).status == 503 {
			refused++
		}
		if n > 1000 {
			t.Fatal("the disk is not full after 100 MB")
		}
	}
	if !strings.Contains(s.output(), "no space is left for file") {
		t.Error("the server's log does not say that the disk is full")
	}
	t.Logf("%d events of 100 KB were accepted, then refused", len(accepted))

	// It starts on a full disk too, and has all.
	s.kill()
	s.fillDisk()
	s.restarted()
	if n := len(s.events("?limit=1000")); n < len(accepted) {
		t.Errorf("%d events wait after a restart, want %d", n, len(accepted))
	}
	free()
	if got := send(2000, 1000); got.status != 200 {
		t.Errorf("with space again an event is answered %d %s", got.status, got.body)
	}
	open()
	l.wait(accepted)
	s.nothingWaits()
}

func TestEventsAreTakenAgainWhenTheDiskHasSpaceAgain(t *testing.T) {
	s, l := newServer(t, "", ""), newLedger(t)
	free := s.smallDisk(8)
	s.configure(l.function(s, "f", `event["id"]`), "receive /hooks/* generic {\n open\n}")
	s.start()
	accepted := make(map[string]bool)
	send := func(id string, size int) int {
		got := s.post("/hooks/f", fmt.Sprintf(`{"id":%q,"pad":%q}`, id, strings.Repeat("x", size)))
		if got.status == 200 {
			accepted[id] = true
		}
		return got.status
	}
	send("before", 10)
	s.fillDisk()
	status := 0
	for n := 0; n < 20 && status != 503; n++ {
		status = send(fmt.Sprintf("full-%d", n), 900_000)
	}
	if status != 503 {
		t.Errorf("an event is answered %d on a full disk", status)
	}
	free()
	if status := send("after", 900_000); status != 200 {
		t.Errorf("an event is answered %d when there is space again", status)
	}
	l.wait(accepted)
}

func TestFirstStartOnAFullDiskSaysSo(t *testing.T) {
	s := newServer(t, "", "")
	s.smallDisk(2)
	s.fillDisk()
	s.startFails("no space left", filepath.Join(s.dir, "data"))
}

// restarted starts a server again that has ended.
func (s *server) restarted() {
	s.t.Helper()
	s.mu.Lock()
	s.out.Reset()
	s.mu.Unlock()
	s.start()
}
