package boltstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

var _ state.Slots = (*Store)(nil)

// slots are in memory alone: no other process can have slots of this file, so
// they end with it. Tokens go on from one process to the next.
type slots struct {
	mu     sync.Mutex
	grants map[string]map[int64]state.Grant // by name and token, guarded by mu
}

// taken forgets grants that ended and counts the others. It is called with mu held.
func (s *slots) taken(name string, now time.Time) int {
	sum := 0
	for token, grant := range s.grants[name] {
		if now.Before(grant.Until) {
			sum += grant.Count
			continue
		}
		s.remove(name, token)
	}
	return sum
}

func (s *slots) remove(name string, token int64) {
	delete(s.grants[name], token)
	if len(s.grants[name]) == 0 {
		delete(s.grants, name)
	}
}

// find returns the stored grant. It is called with mu held.
func (s *slots) find(grant state.Grant, now time.Time) (state.Grant, error) {
	stored, ok := s.grants[grant.Name][grant.Token]
	if !ok || !now.Before(stored.Until) {
		return state.Grant{}, fmt.Errorf("slots of %q: %w", grant.Name, state.ErrLeaseLost)
	}
	return stored, nil
}

// Take implements state.Slots.
func (s *Store) Take(ctx context.Context, claim state.Claim) (state.Grant, error) {
	if err := state.CheckClaim(claim); err != nil {
		return state.Grant{}, err
	}
	if err := s.usable(ctx); err != nil {
		return state.Grant{}, err
	}
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	now := s.now()
	grant := state.Grant{Name: claim.Name, Count: min(claim.Count, claim.Limit-s.slots.taken(claim.Name, now))}
	if grant.Count <= 0 {
		grant.Count = 0
		return grant, nil
	}
	grant.Token, grant.Until = s.token.Add(1), now.Add(claim.For)
	if s.slots.grants == nil {
		s.slots.grants = make(map[string]map[int64]state.Grant)
	}
	if s.slots.grants[claim.Name] == nil {
		s.slots.grants[claim.Name] = make(map[int64]state.Grant)
	}
	s.slots.grants[claim.Name][grant.Token] = grant
	return grant, nil
}

// Renew implements state.Slots.
func (s *Store) Renew(ctx context.Context, grant state.Grant, count int, another time.Duration) (state.Grant, error) {
	if err := state.CheckRenewal(grant, count, another); err != nil {
		return state.Grant{}, err
	}
	if err := s.usable(ctx); err != nil {
		return state.Grant{}, err
	}
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	now := s.now()
	stored, err := s.slots.find(grant, now)
	if err != nil {
		return state.Grant{}, err
	}
	stored.Count, stored.Until = min(count, stored.Count), now.Add(another)
	s.slots.grants[grant.Name][grant.Token] = stored
	return stored, nil
}

// Return implements state.Slots.
func (s *Store) Return(ctx context.Context, grant state.Grant) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	if _, err := s.slots.find(grant, s.now()); err != nil {
		return err
	}
	s.slots.remove(grant.Name, grant.Token)
	return nil
}

// Taken implements state.Slots.
func (s *Store) Taken(ctx context.Context, name string) (int, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	return s.slots.taken(name, s.now()), nil
}
