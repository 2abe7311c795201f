package environment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// ErrNotStarted says that the call has certainly not run: the environment ended
// or was busy with a slow call before the runtime took the frame. The call may
// be given to another environment.
var ErrNotStarted = errors.New("invocation not started")

// A Process is the runtime process in its sandbox.
type Process interface {
	// Done is closed when the process and all its descendants are gone.
	Done() <-chan struct{}
	// Exit describes how it ended, e.g. "exit status 1" or "signal: killed", and
	// whether it was killed for memory. Valid after Done.
	Exit() (status string, outOfMemory bool)
	// Kill ends the whole tree at once. It may be called at any time, repeatedly.
	Kill()
	// Memory is the peak memory of the tree in bytes, 0 when unknown.
	Memory() int64
	// Resident is the most memory in bytes that the runtime process has had at once, with what it
	// shares with other processes and the files that it maps, 0 when unknown.
	Resident() int64
	// Working reports whether the runtime does anything but wait, whatever its threads and
	// children do: it has not come to its next read yet, or is about to end.
	Working() bool
	// Freeze stops the whole tree until Thaw, and reports whether it did: not while there
	// is work that may go on between invocations, and not once it is ending.
	Freeze() bool
	// Thaw has the tree go on, if it is frozen.
	Thaw() error
}

// A Spec says how an environment is made.
type Spec struct {
	ID          string
	Init        runtimes.InitPayload
	InitTimeout time.Duration
	// Phase is "init", the default, or "invoke" when the init phase is done again
	// within an invocation, as Lambda does after the first has timed out.
	Phase string
	// Waits says that the runtime of a stem gets ready while the code is made visible to it.
	Waits bool
	Log   *logs.Stream
	// Start starts the runtime process with output as its stdout and stderr, and
	// pipes as descriptors 3 and 4. The files are closed by the caller.
	Start func(output *os.File, pipes []*os.File) (Process, error)
	// Begun, if not nil, is called with the environment when its process has started and
	// its init phase begins.
	Begun func(*Environment)
	// Booted, if not nil, gets the process of a stem ready when it has booted. An error ends it.
	Booted func(Process) error
	// Loading, if not nil, is called when the runtime has been told to load the code: what there is
	// to do in the meantime costs no caller anything.
	Loading func()
	// Loaded, if not nil, is called at the end of the init phase with the modules that came from
	// the runtime's SDK. The runtime of the function says so, so it may be anything.
	Loaded func(modules []string)
	// Busy counts the calls in flight on the node. May be nil.
	Busy *atomic.Int32
	// Ended is called once, on a goroutine of the environment's own, when an
	// environment that Start returned is Gone. That may be before Start returns.
	Ended func(*Environment)
}

// An Environment is one execution environment. It is made by Start and ends by
// Shutdown, by a timeout, or when its process does.
type Environment struct {
	ID   string
	spec Spec
	proc Process

	// InitDuration is how long the init phase took.
	InitDuration time.Duration

	// order keeps the frames in the request pipe in the order of calls. It is
	// taken before mu.
	order  sync.Mutex
	in     *os.File // write end of the request pipe, non-blocking
	packet bool     // in is in packet mode; guarded by order
	frozen bool     // the process stands still; guarded by order
	batch  batch    // frames on their way into the pipe; guarded by order

	output outlet // the process's stdout and stderr

	unread *os.File // read end of the request pipe, to take frames back

	mu        sync.Mutex
	state     State
	calls     []*Call // in flight, in the order of their frames
	seq       uint32
	reader    *Call // who has the reader's seat, if a call has
	reading   bool  // somebody has the reader's seat
	turn      *Call // whose turn it is to take the seat; nil: anybody's
	large     bool  // the call in flight went into the pipe as a stream
	cause     error // why the process was killed by us
	collapsed bool
	reaped    bool   // the process has ended; the last call ends the environment
	started   bool   // Start has returned e, or Boot a stem that is not used
	asked     bool   // to end, by Shutdown
	last      string // request ID of the call that ended last
	lastSeq   uint32 // and its number
	watch     watchdog
	freezer   freezer

	sampleCost time.Duration // of memory, a moving average

	stuck atomic.Bool // the call in front is slow; nothing is written ahead

	// Only the call with the reader's seat touches these.
	out   *os.File
	spin  spinner
	buf   []byte
	start int // of the bytes in buf that are not handled yet
	end   int

	peak    atomic.Int64  // largest memory seen, bytes
	told    *logs.Tail    // what is logged in the init phase
	named   chan struct{} // closed when the environment has a function, and so a log
	gone    chan struct{} // closed when Gone and Ended has returned
	settled chan struct{} // closed when every call has its outcome
	copied  chan struct{} // closed when the output is copied
}

// Values of Spec.Phase.
const (
	phaseInit   = "init"
	phaseInvoke = "invoke"
)

// Start starts a process, has it load the handler, and returns the environment
// when it is Idle. An error of the function's own is an *InitError. Whatever
// the error, nothing of the environment is left when Start returns.
func Start(ctx context.Context, spec Spec) (*Environment, error) {
	began := time.Now()
	e := newEnvironment(StateInit, spec)
	e.name()
	if err := e.spawn(); err != nil {
		return nil, fmt.Errorf("environment %s: %w", spec.ID, err)
	}
	go e.reap()
	e.tellBegun()
	return e.begun(began, e.initialise(ctx, nil))
}

func (e *Environment) tellBegun() {
	if e.spec.Begun != nil {
		e.spec.Begun(e)
	}
}

// Runnable reports whether the process uses a core at this instant, or would if it
// got one. It is false where that is unknown. It reads files.
func (e *Environment) Runnable() bool {
	p, ok := e.proc.(interface{ Runnable() bool })
	return ok && p.Runnable()
}

// Demand reports how long the process has run since the last call, and in how much time, without
// that in which it waited for a core. It is false where that is unknown. It reads files.
func (e *Environment) Demand() (ran, within time.Duration, ok bool) {
	if p, is := e.proc.(interface {
		Demand() (ran, within time.Duration, ok bool)
	}); is {
		return p.Demand()
	}
	return 0, 0, false
}

func newEnvironment(state State, spec Spec) *Environment {
	e := &Environment{
		ID: spec.ID, spec: spec, state: state,
		buf:     make([]byte, readBuffer),
		named:   make(chan struct{}),
		gone:    make(chan struct{}),
		settled: make(chan struct{}),
		copied:  make(chan struct{}),
		packet:  true,
		reading: true, // until the init phase is over
	}
	e.watch.init(e)
	e.freezer.init(e)
	return e
}

// begun ends the init phase, which began then and went as err says.
func (e *Environment) begun(began time.Time, err error) (*Environment, error) {
	e.InitDuration = time.Since(began)
	if err != nil {
		e.SampleMemory() // else the first call does
	}
	e.output.drain(time.Now())
	e.mu.Lock()
	if err == nil && transition(&e.state, StateIdle) != nil {
		err = newInitError("Runtime.ExitError", "Error: Runtime exited without providing a reason right after its init phase")
	}
	e.reading = false
	if err == nil {
		e.started = true
		e.freezer.arm(e.spec.Init.Concurrency)
		e.mu.Unlock()
		e.spec.Log.InitReport(time.Now(), logs.InitReport{Duration: e.InitDuration, Phase: cmp.Or(e.spec.Phase, phaseInit)})
		e.told.Close()
		return e, nil
	}
	e.toShutdown()
	e.collapse()
	e.mu.Unlock()
	<-e.gone
	return nil, e.reportInit(err)
}

// initialise prepares the process of a stem by prepare, if that is not nil, sends the init frame,
// and reads until the runtime is ready.
func (e *Environment) initialise(ctx context.Context, prepare func() error) error {
	timer := time.AfterFunc(e.spec.InitTimeout, func() { e.kill(errInitTimeout) })
	defer timer.Stop()
	stop := context.AfterFunc(ctx, func() { e.kill(context.Cause(ctx)) })
	defer stop()

	waits := prepare != nil && e.spec.Waits
	if prepare != nil && !waits {
		if err := e.prepare(prepare); err != nil {
			return err
		}
	}
	err := e.sendInit(waits)
	if waits {
		if err := e.prepare(prepare); err != nil {
			return err
		}
		if err == nil {
			err = e.sendFrame(runtimes.KindGo, nil)
		}
	}
	if err == nil && e.spec.Loading != nil {
		e.spec.Loading()
	}
	for err == nil {
		var head runtimes.Head
		var body []byte
		head, body, err = e.nextFrame()
		if err == errIncomplete {
			err = e.fill()
			continue
		}
		if err != nil {
			break
		}
		switch head.Kind {
		case runtimes.KindBooted:
		case runtimes.KindReady:
			if e.spec.Loaded != nil && len(body) > 0 {
				e.spec.Loaded(strings.Split(string(body), "\n"))
			}
			return nil
		case runtimes.KindLog:
			e.spec.Log.Line(time.Now(), "", body)
		case runtimes.KindInitError:
			return reportedInitError(body)
		default:
			err = fmt.Errorf("%w: %s during init", runtimes.ErrProtocol, head.Kind)
		}
	}
	return e.initFailure(err)
}

func (e *Environment) sendInit(waits bool) error {
	init := e.spec.Init
	init.Waits = waits
	payload, err := json.Marshal(init)
	if err != nil {
		return fmt.Errorf("environment %s: encode init: %w", e.ID, err)
	}
	return e.sendFrame(runtimes.KindInit, payload)
}

func (e *Environment) sendFrame(kind runtimes.Kind, payload []byte) error {
	frame := runtimes.AppendHead(make([]byte, 0, runtimes.HeadSize+len(payload)), runtimes.Head{Kind: kind, Length: uint32(len(payload))})
	e.order.Lock()
	defer e.order.Unlock()
	return e.write(append(frame, payload...))
}

// State is the state at this moment.
func (e *Environment) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// Stuck reports whether nothing should be written behind the call in front: it has
// been found slow, or the function writes to its stdout behind the runtime's back,
// where only the moment tells which call a line belongs to.
func (e *Environment) Stuck() bool { return e.stuck.Load() || e.output.used.Load() }

// Gone is closed when the process has ended and the environment has released everything.
func (e *Environment) Gone() <-chan struct{} { return e.gone }

// Shutdown asks the runtime to end, by the end of its requests, and kills it
// when it has not within grace. Calls in flight must be over; those that are not
// end as if the process had exited. It returns when the environment is Gone.
func (e *Environment) Shutdown(grace time.Duration) {
	e.mu.Lock()
	e.asked = true
	e.toShutdown()
	e.mu.Unlock()
	_ = e.proc.Thaw() // one that stands still is killed
	e.in.Close()
	timer := time.AfterFunc(grace, e.proc.Kill)
	<-e.gone
	timer.Stop()
}

// kill ends the process and remembers the first cause given.
func (e *Environment) kill(cause error) {
	e.mu.Lock()
	if e.cause == nil {
		e.cause = cause
	}
	e.toShutdown()
	e.mu.Unlock()
	e.proc.Kill()
}

// toShutdown needs mu.
func (e *Environment) toShutdown() {
	if e.state < StateShutdown {
		if err := transition(&e.state, StateShutdown); err != nil {
			panic(err) // every state before it may be followed by it
		}
	}
}

// sampleAfter samples memory when a call is over, so that its report has the peak. The
// kernel keeps that. A call that took less than sampleShare times what a sample takes
// has not allocated much; the next sample finds it. One of sampleEach is sampled however short it
// is. It needs mu.
func (e *Environment) sampleAfter(c *Call) {
	if c.Duration < sampleShare*e.sampleCost && c.seq%sampleEach != 0 {
		return
	}
	e.sampleCost = e.sampled(e.sampleCost)
}

// sampleFirst samples memory while the first call runs, so that its report has what the init phase
// took, and the caller does not wait for it.
func (e *Environment) sampleFirst() {
	cost := e.sampled(0)
	e.mu.Lock()
	e.sampleCost = cost
	e.mu.Unlock()
}

// sampled samples memory and returns what that takes, given what it took before.
func (e *Environment) sampled(cost time.Duration) time.Duration {
	began := time.Now()
	e.SampleMemory()
	// A moment without a core makes a sample dear; that says nothing about the next.
	return cost + (min(time.Since(began), dearestSample)-cost)/4
}

const (
	sampleShare   = 50
	sampleEach    = 512
	dearestSample = 2 * time.Millisecond
)

// SampleMemory reads how much memory the process has used at most, and no more than the
// function has. That is what Lambda reports: what a process has in memory, whoever
// else has it there too. It reads files, so it is not called on the way of a short warm invocation.
func (e *Environment) SampleMemory() {
	m := max(e.proc.Memory(), e.proc.Resident())
	if size := int64(e.spec.Init.MemoryMB) << 20; size > 0 {
		m = min(m, size) // of a cgroup, /tmp counts beside it
	}
	if m > e.peak.Load() {
		e.peak.Store(m)
	}
}

// reap waits for the process to end, settles the calls in flight, and releases everything
// that the environment had.
func (e *Environment) reap() {
	<-e.proc.Done()
	e.in.Close() // whoever still writes a frame gives up
	// The ends of the pipes follow, unless the function has handed a descriptor to
	// a process elsewhere.
	_ = e.out.SetReadDeadline(time.Now().Add(endGrace))
	_ = e.output.file.SetReadDeadline(time.Now().Add(endGrace))
	e.mu.Lock()
	e.toShutdown()
	e.reaped = true
	if len(e.calls) == 0 && !e.reading {
		e.collapse()
	}
	// Otherwise the calls in flight find the end of the channel themselves, or the last of
	// them finds that it was the last.
	e.mu.Unlock()
	<-e.settled
	<-e.copied
	e.watch.stop()
	e.freezer.stop()
	e.out.Close()
	e.unread.Close()
	e.mu.Lock()
	if err := transition(&e.state, StateGone); err != nil {
		panic(err)
	}
	started, ended := e.started, e.spec.Ended
	e.mu.Unlock()
	if started && ended != nil {
		ended(e)
	}
	close(e.gone)
}

// endGrace is how long what a dead process has written is read for.
const endGrace = time.Second

// name gives the environment its function, and so a log.
func (e *Environment) name() {
	e.told = e.spec.Log.Tail("")
	e.output.open(e.spec.Log)
	close(e.named)
}

// copyOutput logs what the process writes to stdout and stderr without the runtime. The
// output of a stem waits in the pipe until there is a log for it.
func (e *Environment) copyOutput() {
	defer close(e.copied)
	defer e.output.file.Close()
	select {
	case <-e.named:
	case <-e.proc.Done():
		select {
		case <-e.named:
		default:
			return
		}
	}
	e.output.copy()
}

// PeakMB is the largest memory seen, in MB; 0 when unknown.
func (e *Environment) PeakMB() int { return megabytes(e.peak.Load()) }
