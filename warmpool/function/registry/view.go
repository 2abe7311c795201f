package registry

import (
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// views caches the views of functions. It drops the least recently used.
type views struct {
	byName *lru.Cache[string, *view]
}

// A view has what was read of one function since its last change. Readers fill the view that
// they had before they read, so nothing old gets into a new view.
type view struct {
	mu       sync.RWMutex
	versions map[string]*Version      // by version, guarded by mu
	routes   map[string]*route        // by qualifier, guarded by mu
	events   map[string]*InvokeConfig // by qualifier, the zero one for none, guarded by mu

	last    *view     // before the last change; nil: unknown, or not needed any more; guarded by mu
	missing time.Time // when the store last had no answer, guarded by mu
}

func newViews(size int) (*views, error) {
	cache, err := lru.New[string, *view](size)
	return &views{byName: cache}, err
}

// have returns the view of a function, nil if there is none.
func (c *views) have(name string) *view {
	v, _ := c.byName.Get(name)
	return v
}

// get returns the view of a function, a new one if there is none.
func (c *views) get(name string) *view {
	v := newView(nil)
	if have, ok, _ := c.byName.PeekOrAdd(name, v); ok {
		return have
	}
	return v
}

func newView(last *view) *view {
	return &view{versions: make(map[string]*Version), routes: make(map[string]*route), events: make(map[string]*InvokeConfig), last: last}
}

// drop has a function read again, by the owner of its records, or all for "".
func (c *views) drop(owner string) {
	names := c.byName.Keys()
	if owner != "" {
		name, ok := strings.CutPrefix(owner, ownerFunction)
		if !ok {
			return
		}
		names = []string{name}
	}
	for _, name := range names {
		if v, ok := c.byName.Peek(name); ok {
			c.byName.Add(name, newView(v.known()))
		}
	}
}

// known is what is known of a function: nothing newer than v, if that is empty.
func (v *view) known() *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.routes) == 0 && v.last != nil {
		return v.last
	}
	v.last = nil
	return v
}

// before is a qualifier's way before the last change, nil if that is not known or not
// needed, and whether the store had no answer just now.
func (v *view) before(qualifier string) (t *route, away bool) {
	v.mu.RLock()
	last, missing := v.last, v.missing
	v.mu.RUnlock()
	if last == nil {
		return nil, false
	}
	return last.route(qualifier), time.Since(missing) < awayFor
}

// forgetLast drops the last value when the function no longer exists.
func (v *view) forgetLast() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = nil
}

// markUnavailable notes that the store did not answer just now.
func (v *view) markUnavailable() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.missing = time.Now()
}

func (v *view) version(version string) *Version {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.versions[version]
}

func (v *view) route(qualifier string) *route {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.routes[qualifier]
}

func (v *view) eventConfig(qualifier string) *InvokeConfig {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.events[qualifier]
}

func (v *view) cacheEventConfig(qualifier string, c *InvokeConfig) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.events[qualifier] = c
}

func (v *view) cacheVersion(version string, found *Version) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.versions[version] = found
}

func (v *view) cacheRoute(qualifier string, t *route) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.routes[qualifier] = t
	if v.last != nil && v.last.only(qualifier) {
		v.last = nil
	}
}

// only reports whether qualifier is all that is known.
func (v *view) only(qualifier string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.routes) == 1 && v.routes[qualifier] != nil
}
