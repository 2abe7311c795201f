package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Create registers a function: $LATEST with config, code and state. A function of
// that name is ErrConflict.
func (r *Registry) Create(ctx context.Context, name string, config Configuration, code Code, s State, tags map[string]string) (Version, error) {
	if err := r.checkWritable(name); err != nil {
		return Version{}, err
	}
	v := Version{FunctionName: name, Version: function.Latest, Configuration: config, Code: code, State: s}
	err := r.change(ctx, ownerFunction+name, func(e *edit) error {
		if found, err := e.read(recordLatest, new(Version)); err != nil || found {
			if err == nil {
				err = fmt.Errorf("function already exist: %s: %w", name, ErrConflict)
			}
			return err
		}
		v.RevisionID, v.LastModified = uuid.NewString(), r.timestamp()
		if len(tags) > 0 {
			if err := e.put(r.Tags.record(function.Latest), &Tags{Tags: tags}); err != nil {
				return err
			}
		}
		e.moreCode = code.Size
		return e.put(recordLatest, &v)
	})
	return v, err
}

// Update changes $LATEST by change, which may be called several times with what
// is kept then and may set Configuration, Code and State. A revisionID that is not ""
// must be the latest one.
func (r *Registry) Update(ctx context.Context, name, revisionID string, change func(*Version) error) (Version, error) {
	if err := r.checkWritable(name); err != nil {
		return Version{}, err
	}
	var v Version
	err := r.change(ctx, ownerFunction+name, func(e *edit) (err error) {
		if v, err = e.latest(name); err != nil {
			return err
		}
		if err := checkRevision(revisionID, v.RevisionID, "function "+name); err != nil {
			return err
		}
		before := v.Code.Size
		if err := change(&v); err != nil {
			return err
		}
		e.moreCode = v.Code.Size - before
		v.FunctionName, v.Version = name, function.Latest
		v.RevisionID, v.LastModified = uuid.NewString(), r.timestamp()
		return e.put(recordLatest, &v)
	})
	return v, err
}

func (e *edit) latest(name string) (v Version, err error) {
	found, err := e.read(recordLatest, &v)
	if err == nil && !found {
		err = fmt.Errorf("function %s: %w", name, ErrNotFound)
	}
	return v, err
}

// Delete removes a function with its versions, aliases and settings.
//
// One with more records than fit a transaction goes in several: aliases and
// settings first, $LATEST last. Until then it is still there, and what is
// interrupted can be repeated.
func (r *Registry) Delete(ctx context.Context, name string) error {
	if err := r.checkWritable(name); err != nil {
		return err
	}
	const step = state.MaxChanges - 1 // the head is written too
	owner := ownerFunction + name
	for more := true; more; {
		err := r.change(ctx, owner, func(e *edit) error {
			more = false
			if _, err := e.latest(name); err != nil {
				return err
			}
			records, err := r.records.List(ctx, owner, "", "", step)
			if err != nil {
				return err
			}
			more = len(records) == step
			for _, record := range records {
				if record.Name != recordHead && (record.Name != recordLatest || !more) {
					e.delete(record.Name)
				}
			}
			e.head.Published = ""
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Functions returns up to limit functions as their $LATEST in the order of their
// names, after the name after. next is "" on the last page, else the after of
// the next one.
func (r *Registry) Functions(ctx context.Context, after string, limit int) (page []*Version, next string, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, "", err
	}
	from := after
	for {
		names, more, err := r.names(ctx, from, limit+1-len(page))
		if err != nil {
			return nil, "", err
		}
		for _, name := range names {
			from = name
			v, err := r.Version(ctx, name, function.Latest)
			if isMissing(err) { // deleted: only its head is left
				continue
			}
			if err != nil {
				return nil, "", err
			}
			if page = append(page, v); len(page) > limit {
				return page[:limit], page[limit-1].FunctionName, nil
			}
		}
		if !more {
			return page, "", nil
		}
	}
}

// names returns up to limit names of both sources in order, and whether there may
// be more.
func (r *Registry) names(ctx context.Context, after string, limit int) (names []string, more bool, err error) {
	begin := ""
	if after != "" {
		begin = ownerFunction + after
	}
	owners, err := r.records.Owners(ctx, ownerFunction, begin, limit)
	if err != nil {
		return nil, false, err
	}
	for _, owner := range owners {
		names = append(names, strings.TrimPrefix(owner, ownerFunction))
	}
	more = len(owners) == limit
	at, found := slices.BinarySearch(r.fixed.names, after)
	if found {
		at++
	}
	names = append(names, r.fixed.names[at:]...)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > limit {
		names, more = names[:limit], true
	}
	return names, more, nil
}

// CodeReferences calls visit with every code archive that a function or a layer
// needs.
func (r *Registry) CodeReferences(ctx context.Context, visit func(Code)) error {
	versions := func(record state.Record) error {
		if record.Name != recordLatest && !strings.HasPrefix(record.Name, prefixVersion) {
			return nil
		}
		var v struct { // what a Version and a LayerVersion share
			Code   Code
			Layers []Layer
		}
		if err := decode(record, &v); err != nil {
			return err
		}
		visit(v.Code)
		for _, layer := range v.Layers {
			visit(layer.Code)
		}
		return nil
	}
	for _, kind := range []string{ownerFunction, ownerLayer} {
		err := r.eachOwner(ctx, kind, func(owner string) error { return r.each(ctx, owner, "", versions) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) eachOwner(ctx context.Context, kind string, visit func(owner string) error) error {
	const page = 256
	for after := ""; ; {
		owners, err := r.records.Owners(ctx, kind, after, page)
		if err != nil {
			return err
		}
		for _, owner := range owners {
			if err := visit(owner); err != nil {
				return err
			}
			after = owner
		}
		if len(owners) < page {
			return nil
		}
	}
}
