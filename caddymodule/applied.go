package caddymodule

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// started are the configurations of a data directory that have started and are not
// over: two during a reload, the newest last.
type started struct {
	mu   sync.Mutex
	apps []*App // guarded by mu
}

// begin puts a configuration that starts in charge. It holds what those before it
// hold, so that environments outlive a reload.
func (s *started) begin(a *App) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, before := range s.apps {
		if before.machinery == a.machinery {
			a.catalog.Adopt(context.Background(), before.catalog)
		}
	}
	s.apps = append(s.apps, a)
	return a.takeOver()
}

// end lets go of a configuration that is over. If that is the newest, because a reload
// has failed after it started, the one before is in charge again.
func (s *started) end(a *App) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer a.catalog.Close()
	at := slices.Index(s.apps, a)
	if at < 0 {
		return nil // it has not started
	}
	s.apps = slices.Delete(s.apps, at, at+1)
	if at == 0 || at < len(s.apps) {
		return nil
	}
	before := s.apps[at-1]
	return errors.Join(before.takeOver(), before.tellEndpoints())
}
