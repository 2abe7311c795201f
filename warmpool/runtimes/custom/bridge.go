package custom

import (
	"bufio"
	"context"
	"errors"
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
	// Terminate asks the first of them to end, by SIGTERM.
	Terminate() error
	// Freeze stops all of them until Thaw, and reports whether it did.
	Freeze() bool
	Thaw() error
	// Dial connects to a port of the environment.
	Dial(ctx context.Context, port uint16) (net.Conn, error)
	// CheckPeer fails unless one of them has the other end of conn.
	CheckPeer(conn net.Conn) error
}

// A Config says what a Bridge stands between.
type Config struct {
	// Extensions are the names of the external extensions that are started.
	Extensions []string
	// Patience is how long the init phase may take before its error names the extension
	// that it waits for; a bit less than the init timeout.
	Patience time.Duration
	// Private says that the listener is in a network of the environment's own, where
	// nobody else can connect.
	Private bool
	// Wrapped says that a built-in runtime is started by the function's wrapper, which
	// may start something else: a program that speaks HTTP, or a web server that an
	// extension speaks it for.
	Wrapped bool
	// Telemetry is what extensions may subscribe to; nil when there is none.
	Telemetry *Telemetry
	// ExtensionLine logs a line that an external extension has written, for the
	// invocation that runs, if one does.
	ExtensionLine func(requestID string, line []byte)
	// AccountID is for extensions that ask for it.
	AccountID string
}

// Pipes are what a Bridge reads and writes beside HTTP. Requests and Replies stay
// the caller's, the others are the Bridge's once Serve has succeeded.
type Pipes struct {
	Requests, Replies *os.File // the ends that a runtime would have
	Inner             *Inner   // of a built-in runtime; nil for one that speaks HTTP
	Gate              *os.File // to what Command waits at; nil without
	Exits             *os.File // from what Command starts; nil without
	Output            *os.File // what extensions write; nil without
}

// A Bridge serves one environment. Serve starts it; it ends with the process.
type Bridge struct {
	config  Config
	process Process
	in      frameReader
	out     frameWriter
	inner   *inner // nil: the runtime speaks HTTP
	gate    *os.File
	exits   *os.File
	output  *os.File
	server  *http.Server

	telemetry *Telemetry
	senders   sync.WaitGroup // goroutines that hand telemetry over

	ending chan string // holds why the environment is to end
	ended  chan struct{}

	mu         sync.Mutex // guards what follows
	born       time.Time
	init       *runtimes.InitPayload // nil until it is known
	phase      phase
	launched   bool        // the runtime has been started
	http       bool        // the runtime speaks HTTP; a built-in one may turn out to
	ready      bool        // the init phase is over
	current    *invocation // the one that runs, or ran last
	began      time.Time   // when it was given out
	given      bool        // to the runtime
	wanted     chan *invocation
	extensions map[string]*extension // by identifier
	expected   map[string]bool       // names of external ones that have not registered
	status     int                   // the runtime has exited with; -1 while it has not or nobody can tell
	down       bool                  // the shutdown phase has begun
	changed    chan struct{}         // closed and made anew when any of this changes
}

// A phase is what the runtime does, in the words of Lambda's runtime interface
// emulator, which are part of what it answers.
type phase uint8

const (
	phaseStarted   phase = iota // it has not asked for an invocation yet
	phaseReady                  // it has asked for the next invocation
	phaseRunning                // it has an invocation and has not answered
	phaseAnswering              // it is sending its answer
	phaseAnswered               // it has answered and not asked for the next
	phaseInitError              // its init phase has failed
)

var phaseNames = [...]string{"Started", "Ready", "Running", "InvocationResponse", "RuntimeResponseSentState", "InitError"}

func (p phase) String() string { return phaseNames[p] }

// headerTimeout bounds how long a request's head may take; bodies may take as
// long as the invocation.
const headerTimeout = 10 * time.Second

// maxConnections is more than runtime and extensions need, and keeps code from
// eating the gateway's descriptors.
const maxConnections = 64

// maxHeader is plenty for what runtimes send, in bytes.
const maxHeader = 64 << 10

// Serve begins to serve process over listener, which is the Bridge's from then on.
// It ends when process does.
func Serve(config Config, process Process, listener net.Listener, pipes Pipes) (*Bridge, error) {
	in, err := duplicate(pipes.Requests)
	if err != nil {
		return nil, err
	}
	out, err := duplicate(pipes.Replies)
	if err != nil {
		in.Close()
		return nil, err
	}
	b := &Bridge{
		config: config, process: process, in: frameReader{file: in}, out: frameWriter{file: out},
		gate: pipes.Gate, exits: pipes.Exits, output: pipes.Output, telemetry: config.Telemetry,
		ending: make(chan string, 1), ended: make(chan struct{}),
		born: time.Now(), status: -1, wanted: make(chan *invocation),
		extensions: make(map[string]*extension), expected: make(map[string]bool), changed: make(chan struct{}),
		launched: len(config.Extensions) == 0, http: pipes.Inner == nil,
	}
	for _, name := range config.Extensions {
		b.expected[name] = true
	}
	if pipes.Inner != nil {
		b.inner = pipes.Inner.take()
	}
	if b.telemetry == nil {
		b.telemetry = NewTelemetry()
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
	tasks.Go(b.awaitEnd)
	if b.exits != nil {
		tasks.Go(b.watchExits)
	}
	if b.output != nil {
		tasks.Go(b.copyOutput)
	}
	if b.inner != nil {
		tasks.Go(b.relay)
	}
	<-b.process.Done()
	b.server.Close()
	b.in.file.Close()
	b.out.close() // the environment finds the end of its channel
	if b.inner != nil {
		b.inner.close()
	}
	b.telemetry.end()
	if b.output != nil {
		// Its end follows, unless a process elsewhere has been handed a descriptor.
		_ = b.output.SetReadDeadline(time.Now().Add(outputGrace))
	}
	for _, f := range []*os.File{b.gate, b.exits} {
		if f != nil {
			f.Close()
		}
	}
	tasks.Wait()
	b.senders.Wait()
	if b.output != nil {
		b.output.Close()
	}
}

// outputGrace is how long what dead extensions have written is read for.
const outputGrace = time.Second

// copyOutput logs what external extensions write, a line each.
func (b *Bridge) copyOutput() {
	const longest = 256 << 10
	lines := bufio.NewReaderSize(b.output, longest)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 && b.config.ExtensionLine != nil {
			b.mu.Lock()
			requestID := ""
			if b.current != nil && b.phase == phaseRunning {
				requestID = b.current.requestID
			}
			b.mu.Unlock()
			b.config.ExtensionLine(requestID, line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// Ended is closed when nothing of the Bridge is left.
func (b *Bridge) Ended() <-chan struct{} { return b.ended }

// RuntimeExit is the status that the runtime has exited with, as a shell has it;
// false when the process's own is the runtime's.
func (b *Bridge) RuntimeExit() (status int, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status, b.status >= 0
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

// notify wakes everything that awaits a change. It needs mu.
func (b *Bridge) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}

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
