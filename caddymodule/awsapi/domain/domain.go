package domain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// Errors of Domains, besides those of package state.
var (
	ErrNotFound = errors.New("no such domain name")
	ErrExists   = errors.New("the domain name already exists")
	ErrTooMany  = errors.New("there are too many domain names")
)

// MaxNames bounds the names, which are all in memory, and MaxMappings those of a name. AWS's
// quotas are 120 and 300.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const (
	MaxNames    = 1000
	MaxMappings = 300
)

const (
	owner = "domain/"
	doc   = "domain"
)

// A Name is a custom domain name. It does not change; Change gives its function a copy.
type Name struct {
	Name string `json:"name"`
	// Label is what the name of the target for DNS begins with: d-0123456789.
	Label string `json:"label"`
	// EndpointType is REGIONAL or EDGE, which are the same here.
	EndpointType string            `json:"endpointType"`
	Tags         map[string]string `json:"tags,omitempty"`
	// CertificateARN is kept if the configuration has it ignored.
	CertificateARN string    `json:"certificateArn,omitempty"`
	Created        time.Time `json:"created"`
	Mappings       []Mapping `json:"mappings,omitempty"`
}

// A Mapping sends the requests of a base path to a stage of an API.
type Mapping struct {
	ID string `json:"id"`
	// Key is the base path without slashes around it. "": the requests that no other has.
	Key   string `json:"key,omitempty"`
	APIID string `json:"apiId"`
	// Stage is the stage. "": the next segment of the path names it.
	Stage string `json:"stage,omitempty"`
}

// Mapping finds a mapping for which is holds, nil if there is none.
func (n *Name) Mapping(is func(m *Mapping) bool) *Mapping {
	for i := range n.Mappings {
		if is(&n.Mappings[i]) {
			return &n.Mappings[i]
		}
	}
	return nil
}

// Domains are the custom domain names.
type Domains struct {
	store *document.Store
	known atomic.Pointer[map[string]*Name]

	reading sync.Mutex // held by the one that reads what has changed
	dirty   atomic.Bool

	mu    sync.Mutex
	all   bool            // guarded by mu: all names are to be read again
	stale map[string]bool // guarded by mu: those that are
	retry time.Time       // guarded by mu: when to try again after a failure

	stop  context.CancelFunc
	ended chan struct{}
}

// New starts to follow changes, until Close.
func New(store *document.Store) (*Domains, error) {
	ctx, stop := context.WithCancel(context.Background())
	changed, err := store.Watch(ctx, owner)
	if err != nil {
		stop()
		return nil, fmt.Errorf("following changes of domain names: %w", err)
	}
	d := &Domains{store: store, stop: stop, ended: make(chan struct{}), stale: make(map[string]bool)}
	d.changed("")
	go func() {
		defer close(d.ended)
		for of := range changed {
			d.changed(strings.TrimPrefix(of, owner))
		}
	}()
	return d, nil
}

// Close stops to follow changes. The store stays open.
func (d *Domains) Close() {
	d.stop()
	<-d.ended
}

// changed has a name, or all for "", read again.
func (d *Domains) changed(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stale[name] = true; name == "" || len(d.stale) > MaxNames {
		d.all = true
		clear(d.stale)
	}
	d.dirty.Store(true)
}

// take is what to read now: all names, or some. It is nothing for a while after a failure.
func (d *Domains) take() (all bool, names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dirty.Load() || time.Now().Before(d.retry) {
		return false, nil
	}
	all, names = d.all, slices.Collect(maps.Keys(d.stale))
	d.all = false
	clear(d.stale)
	d.dirty.Store(false)
	return all, names
}

// retryAfter is how long nothing is read after a failure.
const retryAfter = time.Second

// names are all names as they are now, or as they were while they cannot be read.
func (d *Domains) names(ctx context.Context) (map[string]*Name, error) {
	if now := d.known.Load(); now != nil && !d.dirty.Load() {
		return *now, nil
	}
	d.reading.Lock()
	defer d.reading.Unlock()
	all, some := d.take()
	before := d.known.Load()
	if !all && len(some) == 0 && before != nil {
		return *before, nil
	}
	now, err := d.read(ctx, all, some, before)
	if err == nil {
		d.known.Store(&now)
		return now, nil
	}
	d.changed("")
	if ctx.Err() == nil {
		d.mu.Lock()
		d.retry = time.Now().Add(retryAfter)
		d.mu.Unlock()
	}
	if before == nil {
		return nil, err
	}
	return *before, nil
}

// read reads all names, or some beside those from before.
func (d *Domains) read(ctx context.Context, all bool, some []string, before *map[string]*Name) (map[string]*Name, error) {
	now := make(map[string]*Name)
	if all || before == nil {
		owners, err := d.store.Owners(ctx, owner)
		if err != nil {
			return nil, err
		}
		some = some[:0]
		for _, of := range owners {
			some = append(some, strings.TrimPrefix(of, owner))
		}
	} else {
		maps.Copy(now, *before)
	}
	for _, name := range some {
		n, err := d.readOne(ctx, name)
		switch {
		case errors.Is(err, ErrNotFound):
			delete(now, name)
		case err != nil:
			return nil, err
		default:
			now[name] = n
		}
	}
	return now, nil
}

func (d *Domains) readOne(ctx context.Context, name string) (*Name, error) {
	set, err := d.store.Read(ctx, owner+name)
	if err != nil {
		return nil, err
	}
	return nameOf(set)
}

func nameOf(set *document.Set) (*Name, error) {
	n := new(Name)
	err := set.Get(doc, n)
	if errors.Is(err, document.ErrNotFound) {
		err = ErrNotFound
	}
	return n, err
}

// Host is the name of a host without its port, as names are kept.
func Host(host string) string {
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		host = host[:colon]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Has reports whether there is a name.
func (d *Domains) Has(ctx context.Context, host string) (bool, error) {
	names, err := d.names(ctx)
	return names[Host(host)] != nil, err
}

// Find finds the mapping of a request: that with the longest base path. base is that path with
// a slash before it, or "". known says whether there is the name at all; the mapping may be nil.
func (d *Domains) Find(ctx context.Context, host, path string) (m *Mapping, base string, known bool, err error) {
	names, err := d.names(ctx)
	n := names[Host(host)]
	if err != nil || n == nil {
		return nil, "", false, err
	}
	for i := range n.Mappings {
		key := n.Mappings[i].Key
		if m != nil && len(key) < len(m.Key) {
			continue
		}
		if rest, found := strings.CutPrefix(path, "/"+key); key == "" || found && (rest == "" || rest[0] == '/') {
			m = &n.Mappings[i]
		}
	}
	if m != nil && m.Key != "" {
		base = "/" + m.Key
	}
	return m, base, true, nil
}

// All are all names in order.
func (d *Domains) All(ctx context.Context) ([]*Name, error) {
	names, err := d.names(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.Collect(maps.Values(names))
	slices.SortFunc(all, func(a, b *Name) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Mapped are the names that have a mapping to an API, in order.
func (d *Domains) Mapped(ctx context.Context, api string) ([]string, error) {
	all, err := d.All(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range all {
		if n.Mapping(func(m *Mapping) bool { return m.APIID == api }) != nil {
			names = append(names, n.Name)
		}
	}
	return names, nil
}

// Get reads a name, ErrNotFound if there is none.
func (d *Domains) Get(ctx context.Context, name string) (*Name, error) {
	return d.readOne(ctx, strings.ToLower(name))
}

// Create makes a name, ErrExists if it is there.
func (d *Domains) Create(ctx context.Context, n *Name) error {
	all, err := d.names(ctx)
	if err != nil {
		return err
	}
	if len(all) >= MaxNames {
		return ErrTooMany
	}
	defer d.changed(n.Name)
	return d.store.Change(ctx, owner+n.Name, func(e *document.Edit) error {
		if e.Has(doc) {
			return ErrExists
		}
		return e.Put(doc, n)
	})
}

// Change lets decide change a name.
func (d *Domains) Change(ctx context.Context, name string, decide func(n *Name) error) error {
	name = strings.ToLower(name)
	defer d.changed(name) // even a change that failed may have been kept
	return d.store.Change(ctx, owner+name, func(e *document.Edit) error {
		n, err := nameOf(&e.Set)
		if err != nil {
			return err
		}
		if err := decide(n); err != nil {
			return err
		}
		return e.Put(doc, n)
	})
}

// Remove removes a name with its mappings.
func (d *Domains) Remove(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	defer d.changed(name)
	return d.store.Change(ctx, owner+name, func(e *document.Edit) error {
		if !e.Has(doc) {
			return ErrNotFound
		}
		e.Delete(doc)
		return nil
	})
}
