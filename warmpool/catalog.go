package warmpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// A Resolver says what a qualifier stands for now. *registry.Registry is one.
type Resolver interface {
	// Resolve returns what an invocation runs now, with the same pointer to its
	// Version until something about it changes, whichever qualifier led there. The
	// error of what does not exist is registry.ErrNotFound.
	Resolve(ctx context.Context, name, qualifier string) (*registry.Resolved, error)
}

// A Catalog invokes functions by name and qualifier. It retains the groups of the
// functions that the Lambda API made, from their first call on, and replaces a
// group when its function changes: calls in flight finish on the old one, those
// that have only waited there go to the new one.
type Catalog struct {
	pool     *Pool
	resolver Resolver
	peers    Peers // nil: this node is alone

	mu      sync.RWMutex // guards entries
	entries map[version]entry
}

// An entry is a group and what it was made from.
type entry struct {
	of    *registry.Resolved
	group *Group
}

// is reports whether the entry was made from what r has.
func (h entry) is(r *registry.Resolved) bool { return h.of != nil && h.of.Version == r.Version }

// A Runner runs functions: a Catalog does, and whatever passes calls on to others.
type Runner interface {
	// Invoke runs a call of the function and qualifier that it names, and returns nil when
	// it has an outcome. Its Version is set before it runs. Errors are those of
	// Group.Invoke, registry.ErrNotFound and *LoopError; others are the server's.
	Invoke(ctx context.Context, call *environment.Call) error
}

// Peers are the other nodes. *cluster.Cluster is one.
type Peers interface {
	// Invoke runs a call on another node if one can run it at once. handed says that it
	// did, or may have; else the call has not begun.
	Invoke(ctx context.Context, g *Group, revision string, call *environment.Call) (handed bool, err error)

	// ProvisionedPart is this node's part of the environments that all nodes keep initialised of
	// a version.
	ProvisionedPart(name, version string, total int) int
}

// HandTo has calls that no idle environment waits for here handed to other nodes. It is
// called before the catalog is used.
func (c *Catalog) HandTo(peers Peers) { c.peers = peers }

// Ready are the versions that have idle environments here, and how many.
func (c *Catalog) Ready(visit func(name, version string, idle int)) {
	c.mu.RLock()
	groups := make([]*Group, 0, len(c.entries))
	for _, h := range c.entries {
		groups = append(groups, h.group)
	}
	c.mu.RUnlock()
	for _, g := range groups {
		if idle := g.Stat().Idle; idle > 0 {
			visit(g.name, g.version, idle)
		}
	}
}

// At is the group of a version if it is the revision given.
func (c *Catalog) At(ctx context.Context, name, version, revision string) (*Group, error) {
	r, err := c.resolver.Resolve(ctx, name, version)
	if err != nil {
		return nil, err
	}
	if r.Version.RevisionID != revision {
		return nil, fmt.Errorf("function %s:%s: %w: the revision is another one here", name, version, registry.ErrPrecondition)
	}
	return c.Group(ctx, name, version)
}

// NewCatalog makes a catalog of what resolver knows. Close ends it.
func NewCatalog(pool *Pool, resolver Resolver) *Catalog {
	return &Catalog{pool: pool, resolver: resolver, entries: make(map[version]entry)}
}

// maxMoves bounds how often one call follows a function that changes under it.
const maxMoves = 100

// Invoke implements Runner. The errors are those of Group.Invoke and of Resolver, and a
// *LoopError.
func (c *Catalog) Invoke(ctx context.Context, call *environment.Call) error {
	return c.invoke(ctx, call, nil)
}

// Of runs what its caller has resolved already, for one call. It resolves again only when
// the function has changed before the call begins.
func (c *Catalog) Of(r *registry.Resolved) Runner { return resolved{c, r} }

type resolved struct {
	catalog *Catalog
	what    *registry.Resolved
}

func (r resolved) Invoke(ctx context.Context, call *environment.Call) error {
	return r.catalog.invoke(ctx, call, r.what)
}

// invoke runs a call of r, or of what the call names now if that is nil.
func (c *Catalog) invoke(ctx context.Context, call *environment.Call, r *registry.Resolved) error {
	qualifier := call.Qualifier
	if qualifier == "" {
		qualifier = function.Latest
	}
	for moves := 0; ; moves++ {
		if r == nil {
			var err error
			if r, err = c.resolver.Resolve(ctx, call.Function, qualifier); err != nil {
				return err
			}
		}
		g, err := c.groupOf(ctx, r)
		if err != nil {
			return err
		}
		if call.Runs >= trace.MaxRuns && !g.Function().AllowLoop {
			g.counters().loops.Inc()
			g.count(func(s *Sample) { s.Loops++ })
			return &LoopError{call.Function, call.Runs}
		}
		if c.peers == nil || r.Declared || g.Prefers(call) {
			err = g.invoke(ctx, call, nil)
		} else {
			revision := r.RevisionID
			hand := func() (bool, error) { return c.peers.Invoke(ctx, g, revision, call) }
			if handed, err := hand(); handed {
				return err
			}
			err = g.invoke(ctx, call, hand)
		}
		if !errors.Is(err, ErrClosed) || moves == maxMoves {
			return err
		}
		r = nil // the function has changed since, and the call has not begun
	}
}

// Group is what serves a qualifier now. It may be closed by the time it is used.
func (c *Catalog) Group(ctx context.Context, name, qualifier string) (*Group, error) {
	r, err := c.resolver.Resolve(ctx, name, qualifier)
	if err != nil {
		return nil, err
	}
	return c.groupOf(ctx, r)
}

// groupOf is the group of a version, which renew resolves again if the catalog has another one.
func (c *Catalog) groupOf(ctx context.Context, r *registry.Resolved) (*Group, error) {
	key := versionOf(r.Function)
	c.mu.RLock()
	h := c.entries[key]
	c.mu.RUnlock()
	if h.is(r) {
		return h.group, nil
	}
	return c.renew(ctx, key)
}

// renew enters the group of a version as it is now, in place of an older one.
func (c *Catalog) renew(ctx context.Context, key version) (*Group, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		return nil, ErrClosed
	}
	// Once more: whoever had the lock before may have been newer.
	r, err := c.resolver.Resolve(ctx, key.function, key.version)
	if err != nil {
		return nil, err
	}
	h := c.entries[key]
	if h.is(r) {
		return h.group, nil
	}
	mine := c.own(r)
	g := c.pool.Retain(mine)
	g.Configure(mine)
	c.entries[key] = entry{r, g}
	if h.group != nil {
		c.pool.Release(h.group)
	}
	return g, nil
}

// own is a function with this node's part of its provisioned concurrency: all of it,
// where other nodes do not have the function.
func (c *Catalog) own(r *registry.Resolved) *function.Function {
	f := r.Function
	if c.peers == nil || r.Declared || f.ProvisionedConcurrency == 0 {
		return f
	}
	part := *f
	part.ProvisionedConcurrency = c.peers.ProvisionedPart(f.Name, f.Version, f.ProvisionedConcurrency)
	return &part
}

// Spread takes up this node's part of what is provisioned anew, when there are more or
// fewer nodes.
func (c *Catalog) Spread() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.entries {
		if h.of.Function.ProvisionedConcurrency > 0 {
			h.group.Configure(c.own(h.of))
		}
	}
}

// Configure has the groups of this catalog obey what it knows, after another catalog
// of the same pool has had them obey something else.
func (c *Catalog) Configure() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.entries {
		h.group.Configure(c.own(h.of))
	}
}

// Adopt retains what another catalog of the same pool retains, as c's own resolver knows
// it, so that environments stay when the other is closed.
func (c *Catalog) Adopt(ctx context.Context, other *Catalog) {
	for _, key := range other.keys(func(version) bool { return true }) {
		// What cannot be resolved now, the next call looks for again.
		_, _ = c.Group(ctx, key.function, key.version)
	}
}

// Refresh takes over what has changed about the version or alias of a function:
// its code, its limits, that it was deleted. Without it, the next call does, or
// Sweep. When it returns, no new call runs what was there before.
//
// The other versions of the function that the catalog has take over their limits too: an alias
// that has moved, or gone, leaves one whose environments nobody asks for any more.
func (c *Catalog) Refresh(ctx context.Context, name, qualifier string) error {
	_, err := c.Group(ctx, name, qualifier)
	if errors.Is(err, registry.ErrNotFound) {
		err = nil
	}
	return errors.Join(err, c.RefreshRetained(ctx, name))
}

// RefreshRetained is Refresh of the versions of a function that the catalog has. It adds none.
func (c *Catalog) RefreshRetained(ctx context.Context, name string) (err error) {
	for _, key := range c.keys(func(key version) bool { return key.function == name }) {
		_, groupErr := c.Group(ctx, key.function, key.version)
		if errors.Is(groupErr, registry.ErrNotFound) {
			c.drop(ctx, key)
			groupErr = nil
		}
		err = errors.Join(err, groupErr)
	}
	return err
}

// Initialize has an environment of a call's function ready on this node. See Group.Initialize.
func (c *Catalog) Initialize(ctx context.Context, call *environment.Call) error {
	g, err := c.Group(ctx, call.Function, call.Qualifier)
	if err != nil {
		return err
	}
	return g.Initialize(ctx, call)
}

// Initialized is how many environments of a qualifier have had their init phase, and
// not ended. The parts of other nodes count as if they had. failed is why the last start
// here has failed, if none has succeeded since.
func (c *Catalog) Initialized(ctx context.Context, name, qualifier string) (n int, failed, err error) {
	g, err := c.Group(ctx, name, qualifier)
	if err != nil {
		return 0, nil, err
	}
	n, failed = g.Initialized()
	if c.peers != nil {
		r, err := c.resolver.Resolve(ctx, name, qualifier)
		if err != nil {
			return 0, nil, err
		}
		total := r.Function.ProvisionedConcurrency
		n += total - c.own(r).ProvisionedConcurrency
	}
	return n, failed, nil
}

// InFlight is how many calls this node has of the version that a qualifier names, 0 if there is
// none.
func (c *Catalog) InFlight(ctx context.Context, name, qualifier string) int {
	g, err := c.Group(ctx, name, qualifier)
	if err != nil {
		return 0
	}
	return g.InFlight()
}

// Sweep drops the functions that do not exist any more.
func (c *Catalog) Sweep(ctx context.Context) error {
	var errs []error
	for _, key := range c.keys(func(version) bool { return true }) {
		_, err := c.resolver.Resolve(ctx, key.function, key.version)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			c.drop(ctx, key)
		case err != nil:
			errs = append(errs, fmt.Errorf("function %q: %w", key.function, err))
		}
	}
	return errors.Join(errs...)
}

// keys are the versions that the catalog has and that match.
func (c *Catalog) keys(match func(version) bool) []version {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var keys []version
	for key := range c.entries {
		if match(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// drop releases the group of a version unless it has been made again meanwhile.
func (c *Catalog) drop(ctx context.Context, key version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.resolver.Resolve(ctx, key.function, key.version); !errors.Is(err, registry.ErrNotFound) {
		return
	}
	if h, ok := c.entries[key]; ok {
		delete(c.entries, key)
		c.pool.Release(h.group)
	}
}

// SweepInterval is how often a node that hears of no deletion should Sweep.
const SweepInterval = time.Minute

// Close lets go of all groups. Calls in flight run to their end.
func (c *Catalog) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.entries {
		c.pool.Release(h.group)
	}
	c.entries = nil
}

var _ Runner = (*Catalog)(nil)
