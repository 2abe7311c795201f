package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/state"
)

func changesOf(changes ...state.Change) []state.Change { return changes }

// reversed are the dependencies of resources, turned round: what must go before.
func (r *run) reversed() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	after := make(map[string][]string)
	for id, one := range r.resources {
		for _, needed := range one.Dependencies {
			after[needed] = append(after[needed], id)
		}
	}
	return after
}

// all are the logical IDs of the resources for which is holds, in order.
func (r *run) all(is func(one *Resource) bool) (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, one := range r.resources {
		if is(one) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// takeDown removes all resources: the stack is deleted, or its creation is undone.
func (r *run) takeDown(ctx context.Context) error {
	deleting := r.stack.Status == Deleting
	ids := r.all(func(one *Resource) bool { return one.Status != Deleted && one.Status != DeleteSkipped })
	w := walk{after: r.reversed(), most: atOnce, do: func(ctx context.Context, id string) error { return r.removeOne(ctx, r.resource(id), deleting) }}
	failed := w.run(ctx, ids)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, err := range failed {
		if errors.Is(err, state.ErrUnavailable) || errors.Is(err, state.ErrClosed) {
			return err
		}
	}
	switch {
	case len(failed) > 0 && deleting:
		return r.become(ctx, DeleteFailed, failure(failed, "delete").Error()+" ")
	case len(failed) > 0:
		return r.become(ctx, RollbackFailed, failure(failed, "delete").Error())
	case !deleting:
		return r.become(ctx, RolledBack, "")
	}
	// Before it is gone: what a crash leaves of it is removed at the next start.
	if err := r.engine.release(ctx, r.stack); err != nil {
		var used wording
		if errors.As(err, &used) {
			return r.become(ctx, DeleteFailed, err.Error())
		}
		return err
	}
	r.stack.Deleted = r.engine.now()
	return r.become(ctx, Deleted, "")
}

// removeOne removes a resource with all that it has left. deleting is false when the creation of the
// resource is undone.
func (r *run) removeOne(ctx context.Context, one *Resource, deleting bool) error {
	next := *one
	next.Before, next.Operation, next.Reason = nil, r.stack.Operation.ID, ""
	fresh := !deleting && one.Status == Created
	keep := one.OnDelete == "Retain" && !(fresh && r.stack.Operation.ExceptOnCreate) || one.OnDelete == "RetainExceptOnCreate" && !fresh
	if slices.Contains(r.stack.Operation.Retain, one.LogicalID) || keep && one.Status != CreateFailed {
		next.Status = DeleteSkipped
		return r.keep(ctx, &next)
	}
	next.Status = Deleting
	if err := r.keep(ctx, &next); err != nil {
		return err
	}
	things := []Thing{one.Thing}
	for _, stale := range one.Stale {
		if !stale.Keep {
			things = append(things, stale.Thing)
		}
	}
	// An operation that changed it and was not undone has left what was before.
	if one.Before != nil && one.Before.PhysicalID != one.PhysicalID && !slices.ContainsFunc(one.Stale, func(s Stale) bool { return s.PhysicalID == one.Before.PhysicalID }) {
		things = append(things, one.Before.Thing)
	}
	for n := range things {
		if err := r.removeThing(ctx, one.LogicalID, &things[n]); err != nil {
			next.Status, next.Reason = DeleteFailed, r.reason(one, err.Error())
			if r.engine.ctx.Err() != nil {
				return err
			}
			return errors.Join(err, r.keep(ctx, &next))
		}
	}
	next.Status, next.Stale, next.Before = Deleted, nil, nil
	return r.keep(ctx, &next)
}

func (r *run) removeThing(ctx context.Context, logicalID string, thing *Thing) error {
	if thing.PhysicalID == "" {
		return nil
	}
	t := r.engine.typeOf(thing.Type)
	if t == nil {
		return unknownType(thing.Type)
	}
	return t.remove(ctx, r.remover(logicalID, thing))
}

// undo gives every resource that the operation has changed the properties that it had.
func (r *run) undo(ctx context.Context) error {
	operation := r.stack.Operation.ID
	ids := r.all(func(one *Resource) bool { return one.Operation == operation })
	w := walk{after: r.reversed(), most: atOnce, do: func(ctx context.Context, id string) error {
		if slices.Contains(r.stack.Operation.Skip, id) {
			return r.skip(ctx, r.resource(id))
		}
		return r.undoOne(ctx, r.resource(id))
	}}
	failed := w.run(ctx, ids)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, err := range failed {
		if errors.Is(err, state.ErrUnavailable) || errors.Is(err, state.ErrClosed) {
			return err
		}
	}
	if len(failed) > 0 {
		return r.become(ctx, UndoFailed, failure(failed, "update").Error())
	}
	if r.stack.Before != nil {
		r.stack.Version, r.stack.Before = *r.stack.Before, nil
	}
	return r.become(ctx, UndoCleanup, "")
}

// skip leaves a resource as it is: somebody says that it may.
func (r *run) skip(ctx context.Context, one *Resource) error {
	next := *one
	next.Status, next.Operation, next.Before = Updated, one.Operation+undone, nil
	if one.Before != nil {
		next.Properties = one.Before.Properties
	}
	next.Reason = "Resource was skipped."
	return r.keep(ctx, &next)
}

// undone marks the resources whose change was taken back.
const undone = "/undone"

func (r *run) undoOne(ctx context.Context, one *Resource) error {
	before := one.Before
	if before == nil { // it was not there
		next := *one
		next.Gone, next.Operation = true, one.Operation+undone
		change, err := r.engine.store.putResource(r.id, &next)
		if err != nil {
			return err
		}
		if _, err := r.write(ctx, changesOf(change)); err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.resources[one.LogicalID] = &next
		return nil
	}
	next := *before
	next.Operation, next.Before, next.Status, next.Reason = one.Operation+undone, nil, Updated, ""
	if one.PhysicalID != before.PhysicalID || one.Type != before.Type {
		next.Stale = slices.Clone(before.Stale)
		if one.PhysicalID != "" {
			next.Stale = append(next.Stale, Stale{one.Thing, false})
		}
		return r.keep(ctx, &next)
	}
	if one.Status == Updated && reflect.DeepEqual(one.Properties, before.Properties) {
		return r.keep(ctx, &next) // only what the template says of it changed
	}
	t := r.engine.typeOf(one.Type)
	if t == nil {
		return unknownType(one.Type)
	}
	if t.update != nil && one.PhysicalID != "" {
		begun := *one
		begun.Status, begun.Reason = Updating, ""
		if one.Sealed != "" || before.Sealed != "" {
			begun.Status, begun.Reason = UpdateFailed, errSealed.Error()
			return errors.Join(errSealed, r.keep(ctx, &begun))
		}
		if err := r.keep(ctx, &begun); err != nil {
			return err
		}
		w := r.newWork(one.LogicalID, one.Type)
		w.ID, w.New, w.Old = before.PhysicalID, before.Properties, one.Properties
		maps.Copy(w.Attributes, before.Attributes)
		if err := t.update(ctx, w); err != nil {
			begun.Status, begun.Reason = UpdateFailed, r.reason(one, err.Error())
			return errors.Join(err, r.keep(ctx, &begun))
		}
		next.Attributes, next.Secrets = w.Attributes, append(slices.Clone(next.Secrets), w.Secrets...)
		next.Secret = len(next.Secrets) > 0
	}
	return r.keep(ctx, &next)
}

// cleanUp removes what was replaced, and what the template does not have any more.
func (r *run) cleanUp(ctx context.Context, status string) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	ids := r.all(func(one *Resource) bool {
		return len(one.Stale) > 0 || one.Gone || r.plan.Resource(one.LogicalID) == nil
	})
	w := walk{after: r.reversed(), most: atOnce, do: func(ctx context.Context, id string) error { return r.cleanOne(ctx, r.resource(id)) }}
	failed := w.run(ctx, ids)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	reason := ""
	if len(failed) > 0 {
		reason = fmt.Sprintf("One or more resources could not be deleted: [%s].", strings.Join(slices.Sorted(maps.Keys(failed)), ", "))
	}
	if err := r.dropTemplates(ctx); err != nil {
		return err
	}
	r.stack.Before = nil
	return r.become(ctx, status, reason)
}

func (r *run) cleanOne(ctx context.Context, one *Resource) error {
	if one.Gone || r.plan.Resource(one.LogicalID) == nil {
		undoing := r.stack.Status == UndoCleanup && one.Gone && one.Operation == r.stack.Operation.ID+undone
		if err := r.removeOne(ctx, one, !undoing); err != nil {
			return err
		}
		return r.forget(ctx, one)
	}
	next := *one
	for len(next.Stale) > 0 {
		stale := next.Stale[0]
		shown := Resource{LogicalID: one.LogicalID, Thing: stale.Thing, Status: Deleting}
		begun := shown.event()
		var err error
		switch {
		case stale.PhysicalID == one.PhysicalID && stale.Type == one.Type: // never: a thing is not its own remains
			next.Stale = next.Stale[1:]
			continue
		case stale.Keep:
			begun.Status = DeleteSkipped
		default:
			err = r.removeThing(ctx, one.LogicalID, &stale.Thing)
		}
		if r.engine.ctx.Err() != nil {
			return r.engine.ctx.Err()
		}
		events := []*Event{begun}
		if err != nil || !stale.Keep {
			end := shown.event()
			end.Status = Deleted
			if err != nil {
				end.Status, end.Reason = DeleteFailed, r.reason(one, err.Error())
			}
			events = append(events, end)
		}
		if err != nil { // it stays named in the record: the next update, and the deletion, try again
			_, writeErr := r.write(ctx, nil, events...)
			return errors.Join(err, writeErr)
		}
		next.Stale = next.Stale[1:]
		change, err := r.engine.store.putResource(r.id, &next)
		if err != nil {
			return err
		}
		if _, err := r.write(ctx, changesOf(change), events...); err != nil {
			return err
		}
		kept := next
		r.mu.Lock()
		r.resources[one.LogicalID] = &kept
		r.mu.Unlock()
	}
	return nil
}
