package socket

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/bodies"
)

// Config of a Hub. The zero values are AWS's limits.
type Config struct {
	Tag    Tag
	Bodies *bodies.Budget // the memory for large messages; nil: it is not bounded
	Log    *zap.Logger
	// Most is how many sockets there are at once. Default: 100,000.
	Most int
	// Idle is how long a socket may be silent, and Life how long it may be open at all.
	// Default: 10 minutes, 2 hours.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
	Idle, Life time.Duration
	// Take is how long a client may need to take a message, and Send to send one. Default: 10
	// seconds, a minute.
	Take, Send time.Duration
}

// Times and bounds of sockets.
const (
	defaultMost = 100_000
	defaultIdle = 10 * time.Minute
	defaultLife = 2 * time.Hour

	defaultTake = 10 * time.Second
	defaultSend = time.Minute
	lingerFor   = 2 * time.Second

	maxRunning    = 16 // messages of a socket whose functions run
	maxWaiting    = 32 // messages to a client that wait
	maxDisconnect = 64 // calls of $disconnect at once
)

// A Finder finds what a configuration says about a stage, ErrNoStage if it has none. Other
// errors say that this is not known now.
type Finder func(ctx context.Context, api, stage string) (*Stage, error)

// ErrNoStage: the configuration has no such stage.
var ErrNoStage = errors.New("no such stage")

// A Hub has the sockets of all APIs of this node. Close it at the end.
type Hub struct {
	Config
	ctx  context.Context // of the functions and the writes; ends when Close gives up
	stop context.CancelFunc
	all  sync.WaitGroup // the goroutines of sockets
	tick chan struct{}  // closed: the sweep ends
	end  chan struct{}  // closed when it has

	metrics                *collector
	opened, received, sent atomic.Int64

	disconnects chan struct{} // holds a token for each call of $disconnect

	mu        sync.Mutex // guards what follows
	conns     map[string]*conn
	count     int         // with those that connect or end
	followers []*Follower // in the order of Follow, the newest last
	closed    bool
}

// New makes a hub.
func New(c Config) *Hub {
	c.Most, c.Idle, c.Life = cmp.Or(c.Most, defaultMost), cmp.Or(c.Idle, defaultIdle), cmp.Or(c.Life, defaultLife)
	c.Take, c.Send = cmp.Or(c.Take, defaultTake), cmp.Or(c.Send, defaultSend)
	h := &Hub{
		Config: c, conns: make(map[string]*conn), disconnects: make(chan struct{}, maxDisconnect),
		tick: make(chan struct{}), end: make(chan struct{}),
	}
	h.metrics = newMetrics(h)
	h.ctx, h.stop = context.WithCancel(context.Background())
	go func() {
		defer close(h.end)
		ticker := time.NewTicker(min(h.Idle/60, h.Life/60, h.Send/6))
		defer ticker.Stop()
		for {
			select {
			case <-h.tick:
				return
			case now := <-ticker.C:
				h.sweep(now)
			}
		}
	}()
	return h
}

// A Follower is a configuration that sockets follow.
type Follower struct {
	hub  *Hub
	find Finder

	running int           // messages that it answers; guarded by the hub's mu
	idle    chan struct{} // closed when End has begun and none is left
	ended   bool          // End has begun; guarded by the hub's mu
}

// Follow has sockets follow a configuration from now on, until End.
func (h *Hub) Follow(find Finder) *Follower {
	f := &Follower{hub: h, find: find, idle: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.followers = append(h.followers, f)
	return f
}

// End ends a configuration. Sockets follow the newest of those that are left. Those whose stage
// it does not have are closed with 1001. End waits until their $disconnect and the messages that
// the configuration answers have run, or until ctx ends.
func (f *Follower) End(ctx context.Context) {
	h := f.hub
	h.mu.Lock()
	h.followers = slices.DeleteFunc(h.followers, func(other *Follower) bool { return other == f })
	if f.ended = true; f.running == 0 {
		close(f.idle)
	}
	h.mu.Unlock()
	h.closeWhere(ctx, func(c *conn) bool { return h.isGone(ctx, c) })
	select {
	case <-f.idle:
	case <-ctx.Done():
	}
}

// newest is the newest configuration, nil if there is none. done gives it back.
func (h *Hub) newest() (f *Follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.followers); n > 0 {
		f = h.followers[n-1]
		f.running++
	}
	return f
}

func (f *Follower) done() {
	if f == nil {
		return
	}
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if f.running--; f.running == 0 && f.ended {
		close(f.idle)
	}
}

// isGone reports whether no configuration has the stage of a socket.
func (h *Hub) isGone(ctx context.Context, c *conn) bool {
	f := h.newest()
	if f == nil {
		return true
	}
	defer f.done()
	s, err := f.find(ctx, c.socket.APIID, c.socket.Stage)
	if err == nil {
		c.stage.Store(s) // so the old one is let go
	}
	return errors.Is(err, ErrNoStage)
}

// stageOf is what the newest configuration says about the stage of a socket, or what the last
// one said that had it. The caller calls done when it has used it.
func (h *Hub) stageOf(c *conn) (s *Stage, done func()) {
	f := h.newest()
	if f != nil {
		if s, err := f.find(h.ctx, c.socket.APIID, c.socket.Stage); err == nil {
			c.stage.Store(s)
			return s, f.done
		}
	}
	return c.stage.Load(), f.done
}

// closeWhere closes sockets with 1001, and waits until they have ended or ctx has.
func (h *Hub) closeWhere(ctx context.Context, gone func(c *conn) bool) {
	var closing []*conn
	for _, c := range h.list() {
		if gone(c) {
			c.close(goingAway)
			closing = append(closing, c)
		}
	}
	for _, c := range closing {
		select {
		case <-c.ended:
		case <-ctx.Done():
			return
		}
	}
}

func (h *Hub) list() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*conn, 0, len(h.conns))
	for _, c := range h.conns {
		all = append(all, c)
	}
	return all
}

// sweep closes the sockets that were silent or open for too long.
func (h *Hub) sweep(now time.Time) {
	for _, c := range h.list() {
		begun := c.guard.begun.Load()
		switch {
		case begun != 0 && now.Sub(time.UnixMilli(begun)) > h.Send:
			c.close(tooSlow)
		case now.Sub(c.lastActive()) > h.Idle, now.Sub(c.socket.ConnectedAt) > h.Life, h.isGone(h.ctx, c):
			c.close(goingAway)
		}
	}
}

// enter takes a place for a socket. leave gives it back.
func (h *Hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.count >= h.Most {
		return false
	}
	h.count++
	h.all.Add(1)
	return true
}

func (h *Hub) leave() {
	h.mu.Lock()
	h.count--
	h.mu.Unlock()
	h.all.Done()
}

// add makes a socket known to posts.
func (h *Hub) add(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[c.socket.ConnectionID] = c
	h.opened.Add(1)
	if h.closed {
		c.close(goingAway)
	}
}

func (h *Hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c.socket.ConnectionID)
}

// Sockets is how many sockets are open.
func (h *Hub) Sockets() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Close closes all sockets with 1001, and waits until $disconnect has run for each, or until
// ctx ends: then it gives up those that are left.
func (h *Hub) Close(ctx context.Context) {
	h.mu.Lock()
	closed := h.closed
	h.closed = true
	h.mu.Unlock()
	if closed {
		return
	}
	close(h.tick)
	<-h.end
	h.closeWhere(ctx, func(*conn) bool { return true })
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.all.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	h.stop()
	for _, c := range h.list() {
		_ = c.guard.Close()
	}
	<-done
}
