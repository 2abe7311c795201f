package stack

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
)

// How long a node has a stack if it does not say more, and how often it says so. A node that
// waits for a stack which another one works on asks each waitEvery, and one that works looks as
// often whether it is to be cancelled.
const (
	leaseFor   = 15 * time.Second
	renewEvery = 4 * time.Second
	waitEvery  = time.Second
)

// A holder says which node works on a stack, by the lease that has the token.
type holder struct {
	Identity string // of the node, the same after a restart; "": it has none
	Process  string
	Token    int64
}

// take waits until this node may work on the stack. The grant is empty if nothing is to be done any
// more.
func (r *run) take(ctx context.Context) (state.Grant, error) {
	claim := state.Claim{Name: owner(r.id), Limit: 1, Count: 1, For: leaseFor}
	timer := time.NewTimer(waitEvery)
	defer timer.Stop()
	for first := true; ; first = false {
		grant, err := r.engine.Store.Take(ctx, claim)
		if err == nil && grant.Count == 0 && first && r.reclaim(ctx) {
			grant, err = r.engine.Store.Take(ctx, claim)
		}
		if err != nil {
			return grant, err
		}
		if grant.Count > 0 {
			r.sign(ctx, grant)
			return grant, nil
		}
		s, _, err := r.engine.store.stack(ctx, r.id)
		if errors.Is(err, ErrNotFound) || err == nil && !s.Busy() {
			return state.Grant{}, nil
		}
		if err != nil {
			return state.Grant{}, err
		}
		timer.Reset(waitEvery)
		select {
		case <-ctx.Done():
			return state.Grant{}, ctx.Err()
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// sign says that this node has the stack, for when it starts again.
func (r *run) sign(ctx context.Context, grant state.Grant) {
	change, err := put(recordHolder, state.Any, &holder{r.engine.Identity, r.engine.Process, grant.Token})
	if err == nil {
		_, err = r.engine.Store.Change(ctx, owner(r.id), change)
	}
	if err != nil && ctx.Err() == nil { // a restart waits for the end of the lease then
		r.engine.Log.Warn("the holder of a stack is not written", zap.String("stack", r.id), zap.Error(err))
	}
}

// reclaim gives back the lease of this node's process before, which has ended: only one process has
// the identity at a time.
func (r *run) reclaim(ctx context.Context) bool {
	var by holder
	_, err := r.engine.store.get(ctx, owner(r.id), recordHolder, &by)
	if err != nil || r.engine.Identity == "" || by.Identity != r.engine.Identity || by.Process == r.engine.Process {
		return false
	}
	return r.engine.Store.Return(ctx, state.Grant{Name: owner(r.id), Count: 1, Token: by.Token}) == nil
}

// renew keeps the lease. Without it the work ends, for another node may have it. It cancels the
// update if that was asked of another node.
func (r *run) renew(ctx context.Context, lost context.CancelFunc, grant *state.Grant) {
	ticker := time.NewTicker(waitEvery)
	defer ticker.Stop()
	for next := time.Now().Add(renewEvery); ; {
		r.heed(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-r.wake:
		}
		if time.Now().Before(next) {
			continue
		}
		renewed, err := r.engine.Store.Renew(ctx, *grant, 1, leaseFor)
		if err != nil {
			if errors.Is(err, state.ErrLeaseLost) || time.Until(grant.Until) < renewEvery {
				r.engine.Log.Warn("the lease of a stack was lost", zap.String("stack", r.id), zap.Error(err))
				lost()
				return
			}
			continue
		}
		*grant, next = renewed, time.Now().Add(renewEvery)
	}
}

// rouse has a run look again.
func (r *run) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // it is about to
	}
}

// heed cancels the update if its cancellation was written.
func (r *run) heed(ctx context.Context) {
	var operation string
	if _, err := r.engine.store.get(ctx, owner(r.id), recordCancel, &operation); err != nil {
		return // there is none, or the next look finds it
	}
	s, _, err := r.engine.store.stack(ctx, r.id)
	if err == nil && s.Operation.ID == operation && s.Status == Updating {
		r.cancel.Do(func() { close(r.cancelled) })
	}
}

// follow has this node wait for stacks that others work on, so that it takes over from one that
// dies.
func (e *Engine) follow(hints <-chan string) {
	for of := range hints {
		e.mu.Lock()
		known := of == "" || e.following[of]
		e.mu.Unlock()
		if known || !strings.HasPrefix(of, ownerStack) {
			continue // look finds what hints have lost
		}
		s := new(Stack)
		if _, err := e.store.get(e.ctx, of, recordStack, s); err == nil && s.Busy() {
			e.start(s.ID)
		}
	}
}
