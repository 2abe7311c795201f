package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/hearthfn/hearth/warmpool/state"
)

// Stacks are all stacks, the newest first, and those that are gone as far as they are
// remembered.
func (e *Engine) Stacks(ctx context.Context) ([]*Stack, error) { return e.store.all(ctx) }

// Events are the events of a stack, the newest first.
func (e *Engine) Events(ctx context.Context, id string) ([]*Event, error) {
	all, err := list[Event](ctx, e.store, owner(id), recordEvent)
	slices.Reverse(all)
	return all, err
}

// Resources are the resources of a stack in the order of their logical IDs.
func (e *Engine) Resources(ctx context.Context, id string) ([]*Resource, error) {
	return e.store.resources(ctx, id)
}

// Resource is a resource of a stack; nil if there is none.
func (e *Engine) Resource(ctx context.Context, id, logicalID string) (*Resource, error) {
	if logicalID == "" || len(logicalID) > 255-len(recordResource) {
		return nil, nil
	}
	one := new(Resource)
	_, err := e.store.get(ctx, owner(id), recordResource+logicalID, one)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	e.store.openResource(id, one)
	return one, err
}

// StackOf is the stack that has a resource with the physical ID; nil if none has.
func (e *Engine) StackOf(ctx context.Context, physicalID string) (*Stack, error) {
	stacks, err := e.store.all(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range stacks {
		if s.Status == Deleted {
			continue
		}
		resources, err := e.store.resources(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(resources, func(one *Resource) bool { return one.PhysicalID == physicalID && one.Status != Deleted }) {
			return s, nil
		}
	}
	return nil, nil
}

// MetadataText is the metadata of a resource as JSON, "" if it has none.
func MetadataText(one *Resource) string {
	if one.Metadata == nil {
		return ""
	}
	data, err := json.Marshal(one.Metadata)
	if err != nil {
		return ""
	}
	return string(data)
}

// Unknown are the types of which this server makes no resources.
func (e *Engine) Unknown(names []string) (unknown []string) {
	for _, name := range names {
		if e.typeOf(name) == nil {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// Template is the template of a stack or of a change set, before transforms or after.
func (e *Engine) Template(ctx context.Context, stack, changeSet string, processed bool) (string, error) {
	if changeSet != "" {
		c, s, err := e.ChangeSet(ctx, stack, changeSet)
		if err != nil {
			return "", err
		}
		name := c.Original
		if processed {
			name = c.Template
		}
		return e.store.template(ctx, s.ID, name)
	}
	s, _, err := e.find(ctx, stack)
	if err != nil {
		return "", err
	}
	name := s.Original
	if processed {
		name = s.Template
	}
	if name == "" {
		return "", nil // it waits for its change set
	}
	return e.store.template(ctx, s.ID, name)
}

// Cancel undoes an update that is under way.
func (e *Engine) Cancel(ctx context.Context, nameOrID string) error {
	s, _, err := e.find(ctx, nameOrID)
	if err != nil {
		return err
	}
	if s.Status != Updating {
		return invalid("CancelUpdateStack cannot be called from current stack status")
	}
	record, err := put(recordCancel, state.Any, s.Operation.ID)
	if err != nil {
		return err
	}
	if _, err := e.Store.Change(ctx, owner(s.ID), record); err != nil {
		return err
	}
	// The node that works on it looks each second. This one looks at once.
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.running[s.ID]; r != nil {
		r.rouse()
	}
	return nil
}

// ContinueRollback goes on with the rollback of an update that failed.
func (e *Engine) ContinueRollback(ctx context.Context, nameOrID, token, roleARN string, skip []string, by Identity) error {
	s, revision, err := e.find(ctx, nameOrID)
	if err != nil {
		return err
	}
	if s.Status != UndoFailed {
		return invalid("Stack:%s is in %s state and can not continue rollback.", s.ID, s.Status)
	}
	s.RoleARN = cmp.Or(roleARN, s.RoleARN)
	if by, err = e.acting(ctx, by, s.RoleARN); err != nil {
		return err
	}
	s.Status, s.Reason = UndoingUpdate, "User Initiated"
	// It is the same operation: the resources that it has changed are known by its ID.
	s.Operation.Token, s.Operation.Skip, s.Operation.By = token, skip, by
	return e.again(ctx, s, revision)
}

func (e *Engine) again(ctx context.Context, s *Stack, revision state.Revision) error {
	last, err := e.store.lastEvent(ctx, s.ID)
	if err != nil {
		return err
	}
	return e.launch(ctx, s, revision, last, nil)
}

// Rollback undoes an operation that failed and was left as it was.
func (e *Engine) Rollback(ctx context.Context, nameOrID, token, roleARN string, exceptOnCreate bool, by Identity) (*Stack, error) {
	s, revision, err := e.find(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	switch s.Status {
	case CreateFailed:
		s.Status = RollingBack
	case UpdateFailed:
		s.Status = UndoingUpdate
	default:
		return nil, invalid("Stack:%s is in %s state and can not be rolled back.", s.ID, s.Status)
	}
	s.RoleARN = cmp.Or(roleARN, s.RoleARN)
	if by, err = e.acting(ctx, by, s.RoleARN); err != nil {
		return nil, err
	}
	s.Reason = "User Initiated"
	s.Operation.Token, s.Operation.By, s.Operation.ExceptOnCreate = token, by, exceptOnCreate
	return s, e.again(ctx, s, revision)
}

// Signal is what a resource that waits is told.
func (e *Engine) Signal(ctx context.Context, nameOrID, logicalID, unique, status string) error {
	s, _, err := e.find(ctx, nameOrID)
	if err != nil {
		return err
	}
	one, err := e.Resource(ctx, s.ID, logicalID)
	if err != nil {
		return err
	}
	if one == nil {
		return invalid("Resource %s does not exist for stack %s", logicalID, s.Name)
	}
	return invalid("Resource %s of stack %s waits for no signal: signals are for instances, and there are none here", logicalID, s.Name)
}
