package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Config of a Cluster. Those without a default are required.
type Config struct {
	Name string // of this node
	// Process is what only this process is called. Default: random.
	Process string
	Nodes   state.Nodes
	Secret  []byte // that all nodes know
	// Listen is where other nodes reach this one; default any port of Advertise.
	Listen string
	// Advertise is the host, or host and port, by which the other nodes reach this one.
	// Default: the host of Listen.
	Advertise string
	// Local are the functions here.
	Local Local
	// Other answers requests of other nodes that are no calls of functions; nil: there are none.
	Other http.Handler
	// Bodies is the memory for calls of other nodes; nil: it is not bounded.
	Bodies *bodies.Budget
	Log    *zap.Logger
}

// Local is the part of the pool that runs here.
type Local interface {
	// Ready are the versions that have idle environments, and how many: by Thing.
	Ready() map[string]int
	// Group is what serves a version of a function here, if that is the revision that
	// the caller has.
	Group(ctx context.Context, name, version, revision string) (*warmpool.Group, error)
	// Moved is called when other nodes take calls than before.
	Moved()
	// Lost is called when all that the nodes share may be lost: again, until it returns
	// no error.
	Lost(ctx context.Context) error
}

// Thing names a version of a function among the offers.
func Thing(name, version string) string { return "warm/" + name + ":" + version }

// Times of the membership.
const (
	beatEvery  = time.Second
	beatLasts  = 5 * time.Second
	offerEvery = 250 * time.Millisecond
	askFor     = 3 * time.Second
	dialWithin = 200 * time.Millisecond // a call waits meanwhile
	lookEvery  = 250 * time.Millisecond
	takeWithin = 500 * time.Millisecond // likewise, until a node says that it takes the call
)

// A Cluster is this node among the others. Make one with New, Start it, Close it.
type Cluster struct {
	Config
	self    state.Node
	client  *http.Client
	server  *http.Server
	metrics *Metrics

	ctx  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup

	mu       sync.Mutex // guards what follows
	nodes    []state.Node
	offered  map[string]int
	known    map[string]offers
	shunned  map[string]time.Time // addresses that did not answer, until when
	draining bool
	looked   time.Time // when Find asked the store last
	dataset  string    // the name of the data in the store; "": not known yet
}

// New makes the node.
func New(c Config) (*Cluster, error) {
	settings, err := identity(c.Secret)
	if err != nil {
		return nil, err
	}
	x := &Cluster{
		Config: c, offered: make(map[string]int), known: make(map[string]offers), shunned: make(map[string]time.Time),
		self: state.Node{Name: c.Name, Process: cmp.Or(c.Process, rand.Text()), Started: time.Now().UTC()},
	}
	x.metrics = newMetrics(x)
	x.ctx, x.stop = context.WithCancel(context.Background())
	server := settings.Clone()
	server.NextProtos = []string{"h2"}
	x.server = &http.Server{Handler: http.HandlerFunc(x.serve), TLSConfig: server, ReadHeaderTimeout: askFor, ErrorLog: zap.NewStdLog(c.Log)}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	x.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: settings, Protocols: protocols, IdleConnTimeout: time.Minute, ExpectContinueTimeout: takeWithin, DialContext: (&net.Dialer{Timeout: dialWithin}).DialContext,
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}}
	return x, nil
}

// Start begins to listen, and tells the others.
func (c *Cluster) Start() error {
	host, _, err := net.SplitHostPort(c.Advertise)
	if err != nil {
		host = c.Advertise
	}
	listener, err := net.Listen("tcp", cmp.Or(c.Listen, net.JoinHostPort(host, "0")))
	if err != nil {
		return fmt.Errorf("listen for other nodes: %w", err)
	}
	c.self.Address = c.Advertise
	if _, _, err := net.SplitHostPort(c.Advertise); err != nil {
		own, port, splitErr := net.SplitHostPort(listener.Addr().String())
		if splitErr != nil {
			return splitErr
		}
		c.self.Address = net.JoinHostPort(cmp.Or(host, own), port)
	}
	c.all.Go(func() { _ = c.server.ServeTLS(listener, "", "") })
	if err := c.beat(c.ctx); err != nil {
		c.Log.Warn("other nodes do not hear of this one yet", zap.Error(err))
	}
	c.all.Go(func() { c.every(beatEvery, c.beat, "other nodes cannot be told that this one lives") })
	c.all.Go(func() { c.every(offerEvery, c.offer, "other nodes cannot be told what is warm here") })
	return nil
}

// every does something again and again; what fails is logged once until it works.
func (c *Cluster) every(interval time.Duration, do func(context.Context) error, failure string) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(c.ctx, askFor)
		err := do(ctx)
		cancel()
		if err != nil && !failing && c.ctx.Err() == nil {
			c.Log.Warn(failure, zap.Error(err))
		}
		failing = err != nil
	}
}

func (c *Cluster) beat(ctx context.Context) error {
	c.mu.Lock()
	self := c.self
	self.Draining = c.draining
	c.mu.Unlock()
	nodes, dataset, err := c.Nodes.Beat(ctx, self, beatLasts)
	if err != nil {
		return err
	}
	c.mu.Lock()
	lost := c.dataset != "" && c.dataset != dataset
	c.mu.Unlock()
	if lost {
		if err := c.Local.Lost(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	if c.dataset = dataset; lost { // what is warm is offered again
		clear(c.offered)
		clear(c.known)
	}
	before := names(c.nodes)
	c.nodes = nodes
	c.mu.Unlock()
	if !slices.Equal(before, names(nodes)) {
		c.Local.Moved()
	}
	return nil
}

// names are those of the nodes that take calls, sorted.
func names(nodes []state.Node) (all []string) {
	for _, n := range nodes {
		if !n.Draining {
			all = append(all, n.Name)
		}
	}
	slices.Sort(all)
	return all
}

// ProvisionedPart implements warmpool.Peers. It divides the total evenly among the nodes that take
// calls. The version's name decides which nodes get the remainder, so that not the same
// nodes get it for all versions.
func (c *Cluster) ProvisionedPart(name, version string, total int) int {
	c.mu.Lock()
	all := names(c.nodes)
	self := slices.Index(all, c.self.Name)
	draining := c.draining
	c.mu.Unlock()
	switch {
	case draining:
		return 0
	case self < 0: // others have not heard of this node yet
		return total
	}
	h := fnv.New32a()
	h.Write([]byte(Thing(name, version)))
	part := total / len(all)
	if (self+int(h.Sum32()%uint32(len(all))))%len(all) < total%len(all) {
		part++
	}
	return part
}

// offer publishes the changes of what is idle here.
func (c *Cluster) offer(ctx context.Context) error {
	ready := c.Local.Ready()
	c.mu.Lock()
	if c.draining {
		clear(ready)
	}
	changed := make(map[string]int)
	for thing, n := range ready {
		// Whether there is one matters, how many hardly does.
		if before := c.offered[thing]; (n > 0) != (before > 0) || n > 2*before || 2*n < before {
			changed[thing] = n
		}
	}
	for thing, before := range c.offered {
		if before > 0 && ready[thing] == 0 {
			changed[thing] = 0
		}
	}
	c.mu.Unlock()
	if len(changed) == 0 {
		return nil
	}
	if err := c.Nodes.Offer(ctx, c.self, changed); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for thing, n := range changed {
		if n == 0 {
			delete(c.offered, thing)
		} else {
			c.offered[thing] = n
		}
	}
	return nil
}

// Members are the nodes that live, as they were a moment ago.
func (c *Cluster) Members() []state.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes
}

// Self is this node.
func (c *Cluster) Self() state.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	self := c.self
	self.Draining = c.draining
	return self
}

// Drain has no calls of others come here any more, until it is called with false.
func (c *Cluster) Drain(ctx context.Context, on bool) error {
	c.mu.Lock()
	c.draining = on
	c.mu.Unlock()
	return c.beat(ctx)
}

// Close leaves the cluster. Calls of others that run here may end until ctx does.
func (c *Cluster) Close(ctx context.Context) {
	c.stop()
	gone := make(map[string]int)
	c.mu.Lock()
	for thing := range c.offered {
		gone[thing] = 0
	}
	c.mu.Unlock()
	leave, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	if len(gone) > 0 {
		_ = c.Nodes.Offer(leave, c.self, gone) // on an error, nodes that ask this one in vain ask another
	}
	_ = c.Nodes.Leave(leave, c.self) // it is forgotten when it is not heard of
	if err := c.server.Shutdown(ctx); err != nil {
		_ = c.server.Close()
	}
	c.client.CloseIdleConnections()
	c.all.Wait()
}
