package registry

import (
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// views caches what is known of functions, the least recently used given up.
type views struct {
	byName *lru.Cache[string, *view]
}

// A view is what was read of one function since its last change. It is filled by
// those who held it before they read, so one that was dropped stays unseen.
type view struct {
	mu       sync.RWMutex
	versions map[string]*Version // by version, guarded by mu
	routes   map[string]*route   // by qualifier, guarded by mu
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
	v := &view{versions: make(map[string]*Version), routes: make(map[string]*route)}
	if have, ok, _ := c.byName.PeekOrAdd(name, v); ok {
		return have
	}
	return v
}

// drop forgets a function by the owner of its records, or all for "".
func (c *views) drop(owner string) {
	if owner == "" {
		c.byName.Purge()
	} else if name, ok := strings.CutPrefix(owner, ownerFunction); ok {
		c.byName.Remove(name)
	}
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

func (v *view) keepVersion(version string, found *Version) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.versions[version] = found
}

func (v *view) keepRoute(qualifier string, t *route) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.routes[qualifier] = t
}
