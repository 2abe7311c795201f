package custom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// A Process is what the environment's processes run in.
type Process interface {
	// Done is closed when all processes are gone.
	Done() <-chan struct{}
	// Kill ends them at once.
	Kill()
	// CheckPeer fails unless one of them has the other end of conn.
	CheckPeer(conn net.Conn) error
}

// A Config says what a Bridge stands between.
type Config struct {
	// Extensions are the names of the external extensions that are started.
	Extensions []string
	// Patience is how long the init phase may take before it is told which
	// extension it waits for; a bit less than the init timeout.
	Patience time.Duration
	// Private says that the listener is in a network of the environment's own, where
	// nobody else can connect.
	Private bool
	// AccountID is told to extensions that ask for it.
	AccountID string
}

// A Bridge serves one environment. Serve starts it; it ends with the process.
type Bridge struct {
	config  Config
	process Process
	in      frameReader
	out     frameWriter
	inner   *inner       // of a built-in runtime; nil: the runtime speaks HTTP
	exits   *os.File     // tells of external extensions that ended; nil without
	server  *http.Server // nil until Serve
	ended   chan struct{}

	mu         sync.Mutex // guards what follows
	init       runtimes.InitPayload
	phase      phase
	current    *invocation // the one that runs, or ran last
	began      time.Time   // when it was given out
	given      bool        // to the runtime
	wanted     chan *invocation
	extensions map[string]*extension // by identifier
	expected   map[string]bool       // names of external ones that have not registered
	changed    chan struct{}         // closed and made anew when any of this changes
	failed     bool                  // the environment is given up
}

// A phase is what the runtime does.
type phase uint8

const (
	phaseInit      phase = iota // it has not asked for an invocation yet
	phaseReady                  // it has asked for the next invocation
	phaseInvoke                 // it has an invocation and has not answered
	phaseStreaming              // it is answering by a stream
	phaseAnswered               // it has answered and not asked for the next
)

var phaseNames = [...]string{"Init", "Ready", "Running", "InvocationResponse", "ResponseSent"}

func (p phase) String() string { return phaseNames[p] }

// headerTimeout bounds how long a request's head may take; bodies may take as
// long as the invocation.
const headerTimeout = 10 * time.Second

// maxConnections is more than runtime and extensions need, and keeps code from
// eating the gateway's descriptors.
const maxConnections = 64

// maxHeader is plenty for what runtimes send.
const maxHeader = 64 << 10

// Serve begins to serve process over listener. requests and replies are the
// environment's pipes; Serve takes descriptors of its own. inner are those of a
// built-in runtime, nil for one that speaks the Runtime API; exits says which
// extension ended. The Bridge closes what it is given and ends when process does.
func Serve(config Config, process Process, listener net.Listener, requests, replies *os.File, inner *Inner, exits *os.File) (*Bridge, error) {
	in, err := duplicate(requests)
	if err != nil {
		return nil, err
	}
	out, err := duplicate(replies)
	if err != nil {
		in.Close()
		return nil, err
	}
	b := &Bridge{
		config: config, process: process, in: frameReader{file: in}, out: frameWriter{file: out}, exits: exits,
		ended: make(chan struct{}), wanted: make(chan *invocation),
		extensions: make(map[string]*extension), expected: make(map[string]bool), changed: make(chan struct{}),
	}
	for _, name := range config.Extensions {
		b.expected[name] = true
	}
	if inner != nil {
		b.inner = inner.take()
	}
	b.server = &http.Server{Handler: b.routes(), ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: maxHeader}
	go b.run(netutil.LimitListener(&guard{Listener: listener, check: b.admits}, maxConnections))
	return b, nil
}

// run owns every goroutine of the Bridge.
func (b *Bridge) run(listener net.Listener) {
	defer close(b.ended)
	var tasks sync.WaitGroup
	tasks.Go(func() {
		if err := b.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			b.process.Kill() // without its endpoint the runtime cannot go on
		}
	})
	tasks.Go(b.pump)
	if b.exits != nil {
		tasks.Go(b.watchExtensions)
	}
	if b.inner != nil {
		tasks.Go(b.relay)
	}
	<-b.process.Done()
	b.server.Close()
	b.in.file.Close()
	b.out.file.Close() // the environment finds the end of its channel
	if b.inner != nil {
		b.inner.close()
	}
	if b.exits != nil {
		b.exits.Close()
	}
	tasks.Wait()
}

// Ended is closed when nothing of the Bridge is left.
func (b *Bridge) Ended() <-chan struct{} { return b.ended }

// admits reports whether a connection is the environment's own.
func (b *Bridge) admits(conn net.Conn) bool {
	return b.config.Private || b.process.CheckPeer(conn) == nil
}

// A guard drops strangers' connections before anything is read from them.
type guard struct {
	net.Listener
	check func(net.Conn) bool
}

func (g *guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil || g.check(conn) {
			return conn, err
		}
		conn.Close()
	}
}

// pump reads the gateway's frames: the init frame, then an invocation each time
// everybody is ready for one, until the end, which asks for the shutdown.
func (b *Bridge) pump() {
	err := b.pumpFrames()
	switch {
	case errors.Is(err, io.EOF):
		b.shutdown()
	case err != nil:
		b.process.Kill()
	}
}

func (b *Bridge) pumpFrames() error {
	frame, err := b.in.next()
	if err != nil {
		return err
	}
	b.mu.Lock()
	err = json.Unmarshal(frame[runtimes.HeadSize:], &b.init)
	concurrent := b.init.Concurrency > 1
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("read the init frame: %w", err)
	}
	if b.inner != nil {
		if err := b.inner.send(frame); err != nil {
			return nil // its end is the process's
		}
	}
	if !b.awaitInit() {
		return nil
	}
	if err := b.out.write(runtimes.KindReady, 0, 0, nil); err != nil {
		return nil
	}
	for {
		if !concurrent && !b.await(b.settled) {
			return nil
		}
		frame, err := b.in.next()
		if err != nil {
			return err
		}
		in, err := parseInvoke(frame)
		if err != nil {
			return err
		}
		if !b.begin(in, frame) {
			return nil
		}
	}
}

// await waits until ready, which is called with mu held. It is false when the
// process has ended first.
func (b *Bridge) await(ready func() bool) bool {
	for {
		b.mu.Lock()
		ok, changed := ready(), b.changed
		b.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-b.process.Done():
			return false
		}
	}
}

// notify tells who awaits something. It needs mu.
func (b *Bridge) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// settled reports whether the next invocation may begin. It needs mu.
func (b *Bridge) settled() bool {
	if b.phase != phaseReady {
		return false
	}
	for _, e := range b.extensions {
		if !e.ready {
			return false
		}
	}
	return true
}

// awaitInit waits for the end of the init phase; false when it failed.
func (b *Bridge) awaitInit() bool {
	if b.config.Patience > 0 {
		timer := time.AfterFunc(b.config.Patience, b.blameExtension)
		defer timer.Stop()
	}
	return b.await(func() bool { return b.failed || len(b.expected) == 0 && b.settled() }) && !b.hasFailed()
}

func (b *Bridge) hasFailed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

// blameExtension ends an init phase that only waits for an extension.
func (b *Bridge) blameExtension() {
	b.mu.Lock()
	name := ""
	if b.phase == phaseReady {
		for expected := range b.expected {
			name = expected
		}
		for _, e := range b.extensions {
			if !e.ready {
				name = e.name
			}
		}
	}
	_, missing := b.expected[name]
	b.mu.Unlock()
	switch {
	case name == "":
	case missing:
		b.failInit("Extension.InitError", "Error: extension "+name+" has not registered within the init phase")
	default:
		b.failInit("Extension.InitError", "Error: extension "+name+" has not asked for its next event within the init phase")
	}
}

// failInit reports an error of the init phase; the environment ends.
func (b *Bridge) failInit(kind, message string) {
	payload, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message})
	if err != nil {
		panic(err) // two strings always encode
	}
	b.failInitWith(payload)
}

func (b *Bridge) failInitWith(payload []byte) {
	b.mu.Lock()
	b.failed = true
	b.notify()
	b.mu.Unlock()
	_ = b.out.write(runtimes.KindInitError, 0, 0, payload) // or the process has ended
}

// begin gives an invocation to the runtime and tells the extensions of it. It is
// false when the process has ended.
func (b *Bridge) begin(in *invocation, frame []byte) bool {
	b.mu.Lock()
	b.current, b.began = in, time.Now()
	b.phase, b.given = phaseInvoke, b.inner != nil
	for _, e := range b.extensions {
		e.invoke(b.invokeEvent(in))
	}
	b.notify()
	b.mu.Unlock()
	if b.inner != nil {
		return b.inner.send(frame) == nil
	}
	select {
	case b.wanted <- in:
		return true
	case <-b.process.Done():
		return false
	}
}

// answer ends the current invocation with a frame.
func (b *Bridge) answer(in *invocation, kind runtimes.Kind, payload []byte) error {
	b.mu.Lock()
	took := time.Since(b.began)
	b.phase = phaseAnswered
	b.notify()
	b.mu.Unlock()
	return b.out.write(kind, in.seq, uint32(took.Microseconds()), payload)
}

// Budgets of the shutdown phase.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
const (
	internalBudget = 500 * time.Millisecond
	externalBudget = 2000 * time.Millisecond
)

// shutdown lets the extensions that asked for it end in their own way, then ends
// the processes.
func (b *Bridge) shutdown() {
	budget := time.Duration(0)
	b.mu.Lock()
	for _, e := range b.extensions {
		if e.external {
			budget = externalBudget
		} else {
			budget = max(budget, internalBudget)
		}
	}
	deadline := time.Now().Add(budget)
	for _, e := range b.extensions {
		e.shutdown(deadline)
	}
	b.notify()
	b.mu.Unlock()
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	for {
		b.mu.Lock()
		waiting := 0
		for _, e := range b.extensions {
			if e.told && !e.gone {
				waiting++
			}
		}
		changed := b.changed
		b.mu.Unlock()
		if waiting == 0 || budget == 0 {
			break
		}
		select {
		case <-changed:
			continue
		case <-ctx.Done():
		case <-b.process.Done():
		}
		break
	}
	// The runtime comes last: with it all processes of the environment end.
	b.process.Kill()
}
