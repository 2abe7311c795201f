package stack

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A Store keeps stacks, and says which node works on which.
type Store interface {
	state.Records
	state.Slots
}

// Config of an Engine.
type Config struct {
	Store Store
	Log   *zap.Logger
	// Services are those in force. They may change with each call.
	Services func() Services
	// Settings are those in force.
	Settings func() Settings
	Now      func() time.Time // default time.Now
	// Identity is what only this node is called, the same after a restart, and Process what only
	// this process is called. A node takes back at once what its process before has left. "": it
	// waits for the end of the lease.
	Identity, Process string
}

// Settings are what the configuration says of stacks.
type Settings struct {
	Account function.Account
	// URLSuffix is what AWS::URLSuffix is.
	URLSuffix string
	// IgnoreTypes are types of resources that a stack may have though nothing is made of them.
	IgnoreTypes []string
	// Endpoint is the address of this server, and Inside that for its functions, without a slash
	// at the end.
	Endpoint, Inside string
	// Key encrypts what stacks keep secret, 32 bytes. It is the same on all nodes.
	Key []byte
}

// An Engine works on stacks. It outlives the settings.
type Engine struct {
	Config
	store store
	types map[string]*Type

	stop context.CancelFunc
	ctx  context.Context // of all operations; an owner of goroutines keeps it
	wait sync.WaitGroup

	mu      sync.Mutex // guards what follows
	running map[string]*run
	// following are the owners of the stacks of running.
	following map[string]bool
	closed    bool
}

// New makes an engine. Resume starts what a crash has left.
func New(c Config) *Engine {
	if c.Now == nil {
		c.Now = time.Now
	}
	e := &Engine{Config: c, store: store{c.Store, func() []byte { return c.Settings().Key }}, types: newTypes(), running: make(map[string]*run), following: make(map[string]bool)}
	e.ctx, e.stop = context.WithCancel(context.Background())
	return e
}

func (e *Engine) account() function.Account { return e.Settings().Account }

func (e *Engine) services() Services { return e.Services() }

// now is to the millisecond, as AWS has it.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Millisecond) }

// Close ends the operations where they are. They go on at the next start.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	e.wait.Wait()
}

// start works on a stack in the background, unless this node does already.
func (e *Engine) start(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	if r := e.running[id]; r != nil {
		r.rouse()
		return
	}
	r := &run{engine: e, id: id, cancelled: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	e.running[id], e.following[owner(id)] = r, true
	e.wait.Add(1)
	go func() {
		defer e.wait.Done()
		err := r.work(e.ctx)
		e.mu.Lock()
		delete(e.running, id)
		delete(e.following, owner(id))
		e.mu.Unlock()
		close(r.done)
		switch {
		case err == nil && e.left(id):
			e.start(id)
		case err != nil && e.ctx.Err() == nil:
			e.Log.Error("an operation of a stack stopped", zap.String("stack", id), zap.Error(err))
		}
	}()
}

// left reports whether a stack has an operation again. One that began, here or on another node,
// while this node still had the stack found nobody to do it.
func (e *Engine) left(id string) bool {
	s, _, err := e.store.stack(e.ctx, id)
	return err == nil && s.Busy()
}

// Await waits until this node has nothing more to do with a stack, for a while at most.
func (e *Engine) Await(ctx context.Context, id string, most time.Duration) {
	e.mu.Lock()
	r := e.running[id]
	e.mu.Unlock()
	if r == nil {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
	case <-ctx.Done():
	case <-e.ctx.Done():
	}
}

// How often a node looks for operations that another node has left and that it has not heard of.
const lookEvery = 30 * time.Second

// Resume goes on with the operations that a crash has ended, and then looks now and again for
// those that another node leaves. It returns at once.
func (e *Engine) Resume() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	hints, err := e.Store.Watch(e.ctx, ownerStack)
	if err != nil {
		e.Log.Error("changes of stacks cannot be followed", zap.Error(err)) // look finds them later
	} else {
		e.wait.Go(func() { e.follow(hints) })
	}
	e.wait.Add(1)
	go func() {
		defer e.wait.Done()
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for {
			e.look()
			select {
			case <-ticker.C:
			case <-e.ctx.Done():
				return
			}
		}
	}()
}

func (e *Engine) look() {
	stacks, err := e.store.all(e.ctx)
	if err != nil {
		if e.ctx.Err() == nil {
			e.Log.Error("stacks cannot be read", zap.Error(err))
		}
		return
	}
	for _, s := range stacks {
		if s.Busy() {
			e.start(s.ID)
		}
	}
}
