package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/caddymodule/stack/template"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A run is the work of this node on a stack, from the status that it finds to one that stays.
// Whatever it does is written before, and after, so that another run goes on where this one
// ended.
type run struct {
	engine *Engine
	id     string

	cancel    sync.Once
	cancelled chan struct{} // closed: an update is to be undone
	done      chan struct{} // closed: the work has ended
	wake      chan struct{} // of capacity 1: something is to be done again

	// Of the goroutine that works:
	stack    *Stack
	revision state.Revision
	plan     *template.Plan
	caller   *caller

	mu        sync.Mutex // guards what follows
	events    int        // the number of the last one
	told      time.Time  // when the last one was
	resources map[string]*Resource
}

// atOnce is how many resources of a stack are worked on at once.
const atOnce = 32

func (r *run) work(ctx context.Context) error {
	grant, err := r.take(ctx)
	if err != nil || grant.Count == 0 { // another node has done it
		return err
	}
	ctx, lost := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		r.renew(ctx, lost, &grant)
	}()
	defer func() {
		lost()
		<-renewed
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewEvery)
		defer cancel()
		_ = r.engine.Store.Return(ctx, grant) // else it ends by its time
	}()
	if err := r.load(ctx); err != nil {
		return err
	}
	for r.stack.Busy() && ctx.Err() == nil {
		if err := r.phase(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (r *run) load(ctx context.Context) (err error) {
	if r.stack, r.revision, err = r.engine.store.stack(ctx, r.id); err != nil {
		return err
	}
	if r.events, err = r.engine.store.lastEvent(ctx, r.id); err != nil {
		return err
	}
	resources, err := r.engine.store.resources(ctx, r.id)
	if err != nil {
		return err
	}
	r.resources = make(map[string]*Resource, len(resources))
	for _, one := range resources {
		r.resources[one.LogicalID] = one
	}
	r.caller = r.engine.callerOf(r.stack.Operation.By.actor())
	return nil
}

func (e *Engine) callerOf(by Identity) *caller {
	settings := e.Settings()
	host := "localhost"
	if u, err := url.Parse(settings.Endpoint); err == nil && u.Host != "" {
		host = u.Host
	}
	return &caller{e.services(), by.key(), settings.Account.Region, host}
}

// key is what calls in the name of who asked are made with.
func (i Identity) key() *sigv4.Key {
	key := &sigv4.Key{ID: i.KeyID, Parent: i.Parent}
	if i.Role != nil {
		key.Role = &sigv4.Role{Name: i.Role.Name, ID: i.Role.ID, Session: i.Role.Session}
	}
	return key
}

// phase does what the status of the stack asks for, to the next status.
func (r *run) phase(ctx context.Context) error {
	switch r.stack.Status {
	case Creating, Updating:
		return r.forward(ctx)
	case RollingBack, Deleting:
		return r.takeDown(ctx)
	case UndoingUpdate:
		return r.undo(ctx)
	case UpdateCleanup:
		return r.cleanUp(ctx, Updated)
	case UndoCleanup:
		return r.cleanUp(ctx, UndoneUpdate)
	}
	return fmt.Errorf("stack %s has the status %s, which this Hearth does not know", r.id, r.stack.Status)
}

// become writes a new status of the stack, with an event.
func (r *run) become(ctx context.Context, status, reason string) error {
	r.stack.Status, r.stack.Reason = status, reason
	if !r.stack.Busy() {
		r.stack.Updated = cmpTime(r.stack.Updated, r.engine.now())
	}
	change, err := r.engine.store.putStack(r.revision, r.stack)
	if err != nil {
		return err
	}
	revision, err := r.write(ctx, []state.Change{change}, r.stackEvent())
	if err == nil {
		r.revision = revision
	}
	return err
}

func cmpTime(kept, now time.Time) time.Time {
	if kept.IsZero() {
		return kept // it was never updated
	}
	return now
}

func (r *run) stackEvent() *Event {
	return stackEvent(r.stack)
}

func stackEvent(s *Stack) *Event {
	return &Event{LogicalID: s.Name, PhysicalID: s.ID, Type: stackType, Status: s.Status, Reason: s.Reason}
}

// write writes changes with events.
func (r *run) write(ctx context.Context, changes []state.Change, events ...*Event) (state.Revision, error) {
	for _, e := range events {
		r.mu.Lock()
		r.events++
		number := r.events
		e.complete(r.engine, r.stack, number)
		if !e.Time.After(r.told) { // clients sort by the time
			e.Time = r.told.Add(time.Millisecond)
		}
		r.told = e.Time
		r.mu.Unlock()
		change, err := put(eventName(number), state.Any, e)
		if err != nil {
			return 0, err
		}
		changes = append(changes, change)
		if number > maxEvents {
			changes = append(changes, state.Delete(eventName(number-maxEvents), state.Any))
		}
	}
	return r.engine.Store.Change(ctx, owner(r.id), changes...)
}

func (e *Event) complete(engine *Engine, s *Stack, number int) {
	e.Time, e.Token = engine.now(), s.Operation.Token
	e.ID = newUUID()
	if e.Type != stackType || e.PhysicalID != s.ID {
		e.ID = fmt.Sprintf("%s-%s-%d", e.LogicalID, e.Status, number)
	}
}

func (r *run) resource(id string) *Resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resources[id]
}

// keep writes a resource. An event tells of it, and before it the events that are given.
func (r *run) keep(ctx context.Context, one *Resource, before ...*Event) error {
	one.Changed = r.engine.now()
	change, err := r.engine.store.putResource(r.id, one)
	if err != nil {
		return err
	}
	if _, err := r.write(ctx, []state.Change{change}, append(before, one.event())...); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resources[one.LogicalID] = one
	return nil
}

// forget removes the record of a resource.
func (r *run) forget(ctx context.Context, one *Resource, events ...*Event) error {
	if _, err := r.write(ctx, []state.Change{state.Delete(recordResource+one.LogicalID, state.Any)}, events...); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.resources, one.LogicalID)
	return nil
}

// forward makes and changes what the template says.
func (r *run) forward(ctx context.Context) error {
	creating := r.stack.Status == Creating
	err := r.prepare(ctx)
	if err == nil {
		err = r.applyAll(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err() // it goes on at the next start
	}
	if err == nil {
		err = r.conclude(ctx)
	}
	switch {
	case errors.Is(err, state.ErrUnavailable), errors.Is(err, state.ErrClosed), errors.Is(err, state.ErrConflict):
		return err
	case err == nil && creating:
		return r.become(ctx, Created, "")
	case err == nil:
		return r.become(ctx, UpdateCleanup, "")
	}
	reason := strings.TrimSuffix(err.Error(), ".") + "."
	switch {
	case !creating && r.stack.OnFailure == "DO_NOTHING":
		return r.become(ctx, UpdateFailed, reason)
	case !creating:
		return r.become(ctx, UndoingUpdate, reason)
	case r.stack.OnFailure == "DO_NOTHING":
		return r.become(ctx, CreateFailed, reason)
	case r.stack.OnFailure == "DELETE":
		return r.become(ctx, Deleting, reason)
	}
	return r.become(ctx, RollingBack, reason+" Rollback requested by user.")
}

// prepare resolves the template.
func (r *run) prepare(ctx context.Context) (err error) {
	if r.plan, err = r.engine.planOf(ctx, r.stack); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.resources {
		r.plan.Hide(one.Secrets) // custom resources may have secrets that the template does not have
	}
	return nil
}

// applyAll works on all resources, and says which failed.
func (r *run) applyAll(ctx context.Context) error {
	ctx, stop := r.limit(ctx)
	defer stop()
	after := make(map[string][]string)
	for _, one := range r.plan.Resources {
		after[one.LogicalID] = one.Dependencies
	}
	w := walk{after: after, most: atOnce, stop: true, do: r.apply}
	failed := w.run(ctx, r.plan.Order())
	switch {
	case len(failed) > 0:
		return failure(failed, "create", "update")
	case ctx.Err() != nil:
		return sentence("The stack's operation was cancelled or timed out.")
	}
	return nil
}

// limit ends the work by the stack's timeout, and when an update is cancelled.
func (r *run) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	if r.stack.Status == Creating && r.stack.Timeout > 0 {
		ctx, stop = context.WithDeadline(ctx, r.stack.Operation.Began.Add(r.stack.Timeout))
	}
	go func() {
		select {
		case <-r.cancelled:
			stop()
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

// failure is the reason of a stack for what failed in it.
func failure(failed map[string]error, verbs ...string) error {
	names := slices.Sorted(maps.Keys(failed))
	verb := verbs[0]
	for _, err := range failed {
		var u *updateError
		if errors.As(err, &u) {
			verb = verbs[len(verbs)-1]
		}
	}
	return sentence("The following resource(s) failed to %s: [%s].", verb, strings.Join(names, ", "))
}

// An updateError is the failure of a change.
type updateError struct{ error }

func (e *updateError) Unwrap() error { return e.error }
