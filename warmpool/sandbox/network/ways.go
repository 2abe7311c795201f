package network

import (
	"fmt"
	"sync"
)

// ways are the policies that have rules in the router. Environments with the same policy have
// the same rules.
type ways struct {
	plane Plane

	mu     sync.Mutex
	groups map[string]*group // guarded by mu; by the policy's key
	next   uint32            // guarded by mu
}

// A group is a policy in the router.
type group struct {
	number uint32
	key    string
	used   int // by so many environments; guarded by ways.mu
}

// maxIdleGroups is how many policies may have rules while no environment uses them.
const maxIdleGroups = 256

func newWays(p Plane) *ways {
	// 0 is what interfaces have by themselves, and so is shut.
	return &ways{plane: p, groups: map[string]*group{}, next: 1}
}

func (w *ways) acquire(p Policy) (*group, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := keyOf(p)
	g := w.groups[key]
	if g == nil {
		g = &group{number: w.next, key: key}
		if err := w.plane.Permit(g.number, p); err != nil {
			return nil, fmt.Errorf("make the rules of a function: %w", err)
		}
		w.next++
		w.groups[key] = g
	}
	g.used++
	w.trim()
	return g, nil
}

func (w *ways) release(g *group) {
	w.mu.Lock()
	g.used--
	w.mu.Unlock()
}

// trim forgets a policy when there are too many that nobody uses. It needs mu.
func (w *ways) trim() {
	if len(w.groups) <= maxIdleGroups {
		return
	}
	for key, g := range w.groups {
		if g.used == 0 {
			// What is left of it has a number that no interface has.
			_ = w.plane.Forget(g.number)
			delete(w.groups, key)
			return
		}
	}
}
