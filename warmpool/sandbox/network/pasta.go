package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// pastaMTU is of the links to environments where pasta is the way out: it takes TCP
// apart anyway.
const pastaMTU = 65520

// A pasta is a router's way out where the gateway is not root: the program of that
// name (passt.top), which makes what leaves the router to connections of its own. The
// rules of the machine see those as the gateway's user's, and let them have all that
// listens there; so the router knows the machine's addresses.
type pasta struct {
	log     *zap.Logger
	program string
	args    []string
	start   func(*exec.Cmd) error
	network *Network
	await   func() error

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup
}

// A PastaConfig says how to run pasta.
type PastaConfig struct {
	// User and Net are paths of the router's namespaces.
	User, Net string
	// Start starts a command that ends with this process.
	Start func(*exec.Cmd) error
	// Await waits for the way out for a moment, see Router.AwaitUplink.
	Await func() error
}

// OpenWithPasta makes the network of a gateway that is not root, over a router that
// another process has set up with the prefix.
func OpenWithPasta(c PastaConfig, plane Plane, prefix6 netip.Prefix, log *zap.Logger) (*Network, error) {
	n, err := New(plane, prefix6, log)
	if err != nil {
		return nil, err
	}
	v, err := openVicinity(n, true) // before the way is open
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.closers = append([]func() error{v.close}, n.closers...)
	p, err := openPasta(c, n)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.closers = append([]func() error{p.close}, n.closers...)
	return n, nil
}

// PastaRouter is the router's set-up for pasta.
func PastaRouter() RouterConfig { return RouterConfig{Prefix6: newPrefix6(), MTU: pastaMTU} }

func openPasta(c PastaConfig, n *Network) (*pasta, error) {
	program, err := exec.LookPath("pasta")
	if err != nil {
		return nil, fmt.Errorf("install pasta (the package is called passt), or run this server as root: %w", err)
	}
	p := &pasta{
		log: n.log, program: program, start: c.Start, network: n, await: c.Await,
		args: []string{
			"pasta", "--foreground", "--config-net", "--ns-ifname", UplinkName,
			// Nothing from outside, and nothing of this machine's loopback.
			"-t", "none", "-u", "none", "-T", "none", "-U", "none", "--no-map-gw",
			"--no-dhcp", "--no-dhcpv6", "--no-ra", "--userns", c.User, "--netns", c.Net,
		},
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	process, err := p.run()
	if err != nil {
		return nil, err
	}
	p.work.Go(func() { p.supervise(process) })
	return p, nil
}

func (p *pasta) close() error {
	p.stop()
	p.work.Wait()
	return nil
}

// A pastaProcess is one run of the program.
type pastaProcess struct {
	cmd  *exec.Cmd
	said *bytes.Buffer // until done
	done chan struct{}
}

func (process *pastaProcess) end() {
	process.cmd.Process.Kill()
	<-process.done
}

// run starts the program, and waits until there is a way out.
func (p *pasta) run() (*pastaProcess, error) {
	process := &pastaProcess{said: &bytes.Buffer{}, done: make(chan struct{})}
	process.cmd = &exec.Cmd{
		Path: p.program, Args: p.args, Env: []string{}, Dir: "/",
		Stdout: &limited{b: process.said}, Stderr: &limited{b: process.said},
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true},
	}
	if err := p.start(process.cmd); err != nil {
		return nil, err
	}
	go func() { // until the process ends; the owner of the process waits for that
		defer close(process.done)
		_ = process.cmd.Wait() // its output says more than its status
	}()
	for end := time.Now().Add(pastaTime); ; {
		err := p.await()
		if err == nil {
			return process, nil
		}
		select {
		case <-process.done:
			return nil, ended(tail(process.said.String()))
		default:
		}
		if time.Now().After(end) {
			process.end()
			return nil, fmt.Errorf("pasta: %w: %s", err, tail(process.said.String()))
		}
	}
}

// pastaTime bounds the wait for a way out.
const pastaTime = 5 * time.Second

// limited keeps the first of what a program says.
type limited struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

func (l *limited) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := 4096 - l.b.Len(); room > 0 {
		l.b.Write(data[:min(len(data), room)])
	}
	return len(data), nil
}

// tail is the last line of a text that says something.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if !strings.Contains(lines[i], "to syslog") && lines[i] != "" {
			return lines[i]
		}
	}
	return "it said nothing"
}

// ended is what a pasta that ended at once has said, and the remedy of what is known.
func ended(said string) error {
	if strings.Contains(said, "tun socket") {
		return fmt.Errorf("pasta has ended: %s: let the server's user open /dev/net/tun: modprobe tun; chmod 0666 /dev/net/tun", said)
	}
	return fmt.Errorf("pasta has ended: %s", said)
}

// supervise starts the program again when it has ended.
func (p *pasta) supervise(process *pastaProcess) {
	for wait := time.Second; ; {
		if process != nil {
			select {
			case <-p.ctx.Done():
				process.end()
				return
			case <-process.done:
			}
			p.log.Error("functions have lost their way out: pasta has ended", zap.String("said", tail(process.said.String())))
		}
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(wait):
		}
		var err error
		if process, err = p.run(); err != nil {
			process, wait = nil, min(2*wait, time.Minute)
			p.log.Error("functions have no way out", zap.Error(err))
			continue
		}
		wait = time.Second
	}
}
