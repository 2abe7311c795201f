package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Settings are values of one kind T that hang on the qualifiers of a function:
// at most one for each qualifier. They go when their version, alias or function
// goes. A function of the Caddyfile has none here; its limits are in its
// function.Function.
type Settings[T any, P setting[T]] struct {
	r       *Registry
	kind    string
	accepts qualifiers
}

// A setting gets the time, and its ID, when it is stored.
type setting[T any] interface {
	*T
	revise(id string, now time.Time, first bool)
}

// qualifiers says on what a setting can hang.
type qualifiers int

const (
	onFunction        qualifiers = iota // $LATEST stands for the function
	onFunctionOrAlias                   // $LATEST or an alias
	onPublished                         // a version number or an alias
	onAny
)

// bindSettings binds the settings to r.
func (r *Registry) bindSettings() {
	r.urls = Settings[URLConfig, *URLConfig]{r, "url/", onFunctionOrAlias}
	r.InvokeConfig = Settings[InvokeConfig, *InvokeConfig]{r, "invoke/", onAny}
	r.Provisioned = Settings[Provisioned, *Provisioned]{r, kindProvisioned, onPublished}
	r.Policies = Settings[Policy, *Policy]{r, "policy/", onAny}
	r.Concurrency = Settings[Concurrency, *Concurrency]{r, kindConcurrency, onFunction}
	r.Signing = Settings[Signing, *Signing]{r, "signing/", onFunction}
	r.Tags = Settings[Tags, *Tags]{r, kindTags, onFunction}
	r.Recursion = Settings[Recursion, *Recursion]{r, kindRecursion, onFunction}
	r.Management = Settings[Management, *Management]{r, "management/", onAny}
}

const (
	kindProvisioned = "provisioned/"
	kindConcurrency = "concurrency/"
	kindTags        = "tags/"
	kindRecursion   = "recursion/"
)

// deleteSettings removes what hangs on a version or an alias.
func (e *edit) deleteSettings(qualifier string) {
	r := e.r
	e.delete(r.urls.record(qualifier))
	e.delete(r.InvokeConfig.record(qualifier))
	e.delete(r.Provisioned.record(qualifier))
	e.delete(r.Policies.record(qualifier))
	e.delete(r.Management.record(qualifier))
}

func (s *Settings[T, P]) record(qualifier string) string { return s.kind + qualifier }

func (s *Settings[T, P]) name() string { return strings.TrimSuffix(s.kind, "/") }

// check says whether the setting may hang on qualifier.
func (s *Settings[T, P]) check(qualifier string) error {
	_, isVersion := recordOf(qualifier)
	isLatest := qualifier == function.Latest
	switch {
	case !function.ValidQualifier(qualifier),
		s.accepts == onFunction && !isLatest,
		s.accepts == onFunctionOrAlias && isVersion && !isLatest,
		s.accepts == onPublished && isLatest:
		return fmt.Errorf("%s cannot be set for qualifier %.128q: %w", s.name(), qualifier, ErrInvalid)
	}
	return nil
}

// Read returns the setting of a qualifier; function.Latest stands for the function
// as a whole.
func (s *Settings[T, P]) Read(ctx context.Context, name, qualifier string) (T, error) {
	var value T
	if err := checkName(name); err != nil {
		return value, err
	}
	if err := s.check(qualifier); err != nil {
		return value, err
	}
	if s.r.ReadOnly(name) {
		return value, s.missing(name, qualifier)
	}
	found, err := s.r.read(ctx, ownerFunction+name, s.record(qualifier), &value)
	if err == nil && !found {
		err = s.missing(name, qualifier)
	}
	return value, err
}

// Each calls visit with every setting of the kind there is, of all functions that
// the API made, until it returns an error.
func (s *Settings[T, P]) Each(ctx context.Context, visit func(name string, q Qualified[T]) error) error {
	return s.r.eachOwner(ctx, ownerFunction, func(owner string) error {
		return s.r.each(ctx, owner, s.kind, func(record state.Record) error {
			q := Qualified[T]{Qualifier: strings.TrimPrefix(record.Name, s.kind)}
			if err := decode(record, &q.Value); err != nil {
				return err
			}
			return visit(strings.TrimPrefix(owner, ownerFunction), q)
		})
	})
}

func (s *Settings[T, P]) missing(name, qualifier string) error {
	return fmt.Errorf("function %s:%s has no %s: %w", name, qualifier, s.name(), ErrNotFound)
}

// Put changes the setting of a qualifier by change, which gets the present one, or
// a new one and exists false, and may be called several times. The version or
// alias must exist.
func (s *Settings[T, P]) Put(ctx context.Context, name, qualifier string, change func(value P, exists bool) error) (T, error) {
	var value T
	if err := s.r.checkWritable(name); err != nil {
		return value, err
	}
	if err := s.check(qualifier); err != nil {
		return value, err
	}
	err := s.r.change(ctx, ownerFunction+name, func(e *edit) error {
		if err := e.checkQualifier(name, qualifier); err != nil {
			return err
		}
		value = *new(T)
		exists, err := e.read(s.record(qualifier), &value)
		if err != nil {
			return err
		}
		if err := change(&value, exists); err != nil {
			return err
		}
		P(&value).revise(uuid.NewString(), s.r.timestamp(), !exists)
		if s.kind == kindTags { // which AWS counts as a change of the function
			latest, err := e.latest(name)
			if err != nil {
				return err
			}
			latest.RevisionID = uuid.NewString()
			if err := e.put(recordLatest, &latest); err != nil {
				return err
			}
		}
		return e.put(s.record(qualifier), &value)
	})
	return value, err
}

// Delete removes the setting of a qualifier, if check allows it; nil always does.
func (s *Settings[T, P]) Delete(ctx context.Context, name, qualifier string, check func(P) error) error {
	if err := s.r.checkWritable(name); err != nil {
		return err
	}
	if err := s.check(qualifier); err != nil {
		return err
	}
	return s.r.change(ctx, ownerFunction+name, func(e *edit) error {
		if err := e.checkQualifier(name, qualifier); err != nil {
			return err
		}
		var value T
		found, err := e.read(s.record(qualifier), &value)
		if err == nil && !found {
			err = s.missing(name, qualifier)
		}
		if err == nil && check != nil {
			err = check(&value)
		}
		if err == nil {
			e.delete(s.record(qualifier))
		}
		return err
	})
}

// List returns up to limit settings in the order of their qualifiers, after the
// qualifier after. next is "" on the last page.
func (s *Settings[T, P]) List(ctx context.Context, name, after string, limit int) (page []Qualified[T], next string, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, "", err
	}
	if _, err := s.r.Version(ctx, name, function.Latest); err != nil {
		return nil, "", err
	}
	if s.r.ReadOnly(name) {
		return nil, "", nil
	}
	from := ""
	if after != "" {
		from = s.record(after)
	}
	records, err := s.r.records.List(ctx, ownerFunction+name, s.kind, from, limit+1)
	if err != nil {
		return nil, "", err
	}
	for i, record := range records {
		if i == limit {
			return page, page[limit-1].Qualifier, nil
		}
		q := Qualified[T]{Qualifier: strings.TrimPrefix(record.Name, s.kind)}
		if err := decode(record, &q.Value); err != nil {
			return nil, "", err
		}
		page = append(page, q)
	}
	return page, "", nil
}

// Qualified is a setting and the qualifier that it hangs on.
type Qualified[T any] struct {
	Qualifier string
	Value     T
}

// checkQualifier says whether the function has the version or alias.
func (e *edit) checkQualifier(name, qualifier string) error {
	if _, err := e.latest(name); err != nil {
		return err
	}
	record, ok := recordOf(qualifier)
	if !ok {
		record = prefixAlias + qualifier
	}
	found, err := e.read(record, new(struct{}))
	if err == nil && !found {
		err = fmt.Errorf("function %s: qualifier %s: %w", name, qualifier, ErrNotFound)
	}
	return err
}
