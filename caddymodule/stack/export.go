package stack

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/state"
)

// ownerExports has a record for each name that a stack exports.
const ownerExports = "exports"

// An Export is a value that stacks may import by its name.
type Export struct {
	ExportingStackID string `json:"ExportingStackId"`
	Name, Value      string
}

// Export finds an export by its name, ErrNotFound if there is none.
func (e *Engine) Export(ctx context.Context, name string) (*Export, error) {
	x := new(Export)
	_, err := e.store.get(ctx, ownerExports, name, x)
	return x, err
}

// Exports are all exports in the order of their names.
func (e *Engine) Exports(ctx context.Context) ([]*Export, error) {
	return list[Export](ctx, e.store, ownerExports, "")
}

// Importers are the names of the stacks that import an export.
func (e *Engine) Importers(ctx context.Context, name string) (names []string, err error) {
	stacks, err := e.store.all(ctx)
	for _, s := range stacks {
		if s.Status != Deleted && slices.Contains(s.Imports, name) {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names, err
}

// publish makes the exports of a stack those of its outputs.
func (e *Engine) publish(ctx context.Context, s *Stack) error {
	var names []string
	for _, o := range s.Outputs {
		if o.ExportName == "" {
			continue
		}
		names = append(names, o.ExportName)
		if err := e.export(ctx, s, &o); err != nil {
			return err
		}
	}
	return e.withdraw(ctx, s, names)
}

func (e *Engine) export(ctx context.Context, s *Stack, o *Output) error {
	was := new(Export)
	revision, err := e.store.get(ctx, ownerExports, o.ExportName, was)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	switch {
	case err == nil && was.ExportingStackID != s.ID:
		return sentence("Export with name %s is already exported by stack %s.", o.ExportName, nameOf(was.ExportingStackID))
	case err == nil && was.Value == o.OutputValue:
		return nil
	case err == nil:
		users, err := e.Importers(ctx, o.ExportName)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return sentence("Export %s cannot be updated as it is in use by %s", o.ExportName, and(users))
		}
	}
	change, err := put(o.ExportName, revision, &Export{s.ID, o.ExportName, o.OutputValue})
	if err != nil {
		return err
	}
	_, err = e.Store.Change(ctx, ownerExports, change)
	return err
}

// withdraw removes the exports of a stack, except for some.
func (e *Engine) withdraw(ctx context.Context, s *Stack, except []string) error {
	exports, err := e.Exports(ctx)
	if err != nil {
		return err
	}
	for _, x := range exports {
		if x.ExportingStackID != s.ID || slices.Contains(except, x.Name) {
			continue
		}
		if err := e.unused(ctx, x.Name); err != nil {
			return err
		}
		if _, err := e.Store.Change(ctx, ownerExports, state.Delete(x.Name, state.Any)); err != nil {
			return err
		}
	}
	return nil
}

// unused refuses to take away an export that a stack imports.
func (e *Engine) unused(ctx context.Context, name string) error {
	users, err := e.Importers(ctx, name)
	if err != nil || len(users) == 0 {
		return err
	}
	return sentence("Export %s cannot be deleted as it is in use by %s", name, and(users))
}

func and(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// nameOf is the name of a stack in its ID.
func nameOf(id string) string {
	parts := strings.Split(id, "/")
	if len(parts) != 3 {
		return id
	}
	return parts[1]
}
