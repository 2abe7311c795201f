package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	readyWithin = 30 * time.Second
	stopWithin  = 10 * time.Second
)

// server is a process that this program started and will stop.
type server struct {
	name    string
	command *exec.Cmd
	log     string        // file with what it prints
	exited  chan struct{} // closed when it has ended
}

// startServer starts a server whose log and data are in folder.
func startServer(name, folder string, argv ...string) (*server, error) {
	return startServerIn(name, folder, "", argv...)
}

// startServerIn is startServer with a working directory.
func startServerIn(name, folder, directory string, argv ...string) (*server, error) {
	log, err := os.Create(filepath.Join(folder, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor

	s := &server{name: name, log: log.Name(), exited: make(chan struct{})}
	s.command = exec.Command(argv[0], argv[1:]...)
	s.command.Dir = directory
	s.command.Stdout, s.command.Stderr = log, log
	// Caddy keeps its last configuration below these; the user's own is not for us.
	s.command.Env = append(os.Environ(), "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	// A group of its own: Ctrl-C at a terminal reaches us alone, and we stop it in order.
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(s.exited)
		_ = s.command.Wait() // how it ended is in its log and of no interest after a stop
	}()
	return s, nil
}

func (s *server) pid() int { return s.command.Process.Pid }

// stop asks the server to end, then ends whatever it has left behind, by process id.
func (s *server) stop() {
	members, err := family(s.pid())
	if err != nil {
		progress("stopping %s: %v", s.name, err)
	}
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(stopWithin):
		progress("%s did not stop within %v; killing it", s.name, stopWithin)
		_ = s.command.Process.Kill()
		<-s.exited
	}
	for _, p := range members {
		if p.alive() {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

// ready waits until url answers 200 with body.
func (s *server) ready(ctx context.Context, url, body string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready within %v", readyWithin))
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := expect(ctx, url, body)
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s ended:\n%s", s.name, s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w:\n%s", s.name, context.Cause(ctx), err, s.lastWords())
		case <-again.C:
		}
	}
}

// answers waits until ask has no error.
func (s *server) answers(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s ended:\n%s", s.name, s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer within %v: %w:\n%s", s.name, readyWithin, err, s.lastWords())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lastWords returns the end of the log, for a person to read.
func (s *server) lastWords() string {
	const enough = 2000
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-enough):])
}

func expect(ctx context.Context, url, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s answers %s: %s", url, response.Status, got)
	case string(got) != body:
		return fmt.Errorf("%s answers %q, not %q", url, got, body)
	}
	return nil
}

// freePort returns a loopback port that was free a moment ago. Nobody can hand a listener
// to Caddy or to Node here, so the moment has to do.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("a TCP listener without a TCP address")
	}
	return address.Port, listener.Close()
}
