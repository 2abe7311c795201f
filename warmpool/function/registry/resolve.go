package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Resolved is what an invocation of a qualifier runs.
type Resolved struct {
	*Version
	// Function has the limits of concurrency too: ReservedConcurrency is the
	// function's, ProvisionedConcurrency what is asked for this version and the
	// aliases that point to it.
	Function *function.Function
	// Declared says that it is one of the Caddyfile, which other nodes do not have.
	Declared bool
}

// A route leads from a qualifier to its version or versions.
type route struct {
	main   *Resolved
	extra  *Resolved // taken with probability weight; nil for none
	weight float64
}

func (t *route) choose(rand func() float64) *Resolved {
	if t.extra != nil && rand() < t.weight {
		return t.extra
	}
	return t.main
}

// Resolve returns what an invocation of name with qualifier runs now; of an alias
// with weights, another one from call to call. It does not allocate for a
// qualifier that is cached.
func (r *Registry) Resolve(ctx context.Context, name, qualifier string) (*Resolved, error) {
	if f := r.fixed.functions[name]; f != nil {
		if qualifier != function.Latest {
			return nil, missingQualifier(name, qualifier)
		}
		return f, nil
	}
	if v := r.views.have(name); v != nil {
		if t := v.route(qualifier); t != nil {
			return t.choose(r.rand), nil
		}
		if before, away := v.before(qualifier); before != nil {
			return r.loadOr(ctx, name, qualifier, v, before, away)
		}
	}
	t, err := r.load(ctx, name, qualifier)
	if err != nil {
		return nil, err
	}
	return t.choose(r.rand), nil
}

// Times of a store that may have no answer.
const (
	answersWithin = 500 * time.Millisecond // else what was known is run
	awayFor       = time.Second            // until it is asked again
)

// loadOr is load, but returns what was cached before a change, or before hints were
// missed, while the store does not answer.
func (r *Registry) loadOr(ctx context.Context, name, qualifier string, v *view, before *route, away bool) (*Resolved, error) {
	if away {
		return before.choose(r.rand), nil
	}
	within, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	t, err := r.load(within, name, qualifier)
	switch {
	case err == nil:
		return t.choose(r.rand), nil
	case errors.Is(err, state.ErrUnavailable), within.Err() != nil && ctx.Err() == nil:
		v.markUnavailable()
		return before.choose(r.rand), nil
	case isMissing(err):
		v.forgetLast()
	}
	return nil, err
}

// EventConfig returns the InvokeConfig of a qualifier that resolves, the zero one if it has
// none. It is read once, until something about the function changes.
func (r *Registry) EventConfig(ctx context.Context, name, qualifier string) (InvokeConfig, error) {
	if r.ReadOnly(name) {
		return InvokeConfig{}, nil
	}
	v, err := r.view(ctx, name)
	if err != nil {
		return InvokeConfig{}, err
	}
	if c := v.eventConfig(qualifier); c != nil {
		return *c, nil
	}
	c, err := r.InvokeConfig.Read(ctx, name, qualifier)
	if err != nil && !isMissing(err) {
		return c, err
	}
	v.cacheEventConfig(qualifier, &c)
	return c, nil
}

// Version returns $LATEST or a published version.
func (r *Registry) Version(ctx context.Context, name, version string) (*Version, error) {
	if f := r.fixed.functions[name]; f != nil {
		if version != function.Latest {
			return nil, missingQualifier(name, version)
		}
		return f.Version, nil
	}
	if _, ok := recordOf(version); !ok {
		if err := checkName(name); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("function %s: version %.80q: %w", name, version, ErrInvalid)
	}
	if v := r.views.have(name); v != nil {
		if found := v.version(version); found != nil {
			return found, nil
		}
	}
	v, err := r.view(ctx, name)
	if err != nil {
		return nil, err
	}
	return r.loadVersion(ctx, v, name, version)
}

func missingQualifier(name, qualifier string) error {
	return fmt.Errorf("function %s: no such qualifier %.128q: %w", name, qualifier, ErrNotFound)
}

func isMissing(err error) bool { return errors.Is(err, ErrNotFound) }

// view returns the view of a function that was ever made: names that strangers
// try must not push others out of the cache.
func (r *Registry) view(ctx context.Context, name string) (*view, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if v := r.views.have(name); v != nil {
		return v, nil
	}
	_, err := r.records.Read(ctx, state.Key{Owner: ownerFunction + name, Name: recordHead})
	if isNotFound(err) {
		return nil, fmt.Errorf("function %s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return r.views.get(name), nil
}

func (r *Registry) loadVersion(ctx context.Context, v *view, name, version string) (*Version, error) {
	record, _ := recordOf(version)
	found := new(Version)
	ok, err := r.read(ctx, ownerFunction+name, record, found)
	switch {
	case err != nil:
		return nil, err
	case !ok && version == function.Latest:
		return nil, fmt.Errorf("function %s: %w", name, ErrNotFound)
	case !ok:
		return nil, missingQualifier(name, version)
	}
	v.cacheVersion(version, found)
	return found, nil
}

// load finds the way of a qualifier. v is held from before the first read.
func (r *Registry) load(ctx context.Context, name, qualifier string) (*route, error) {
	v, err := r.view(ctx, name)
	if err != nil {
		return nil, err
	}
	t := new(route)
	if _, ok := recordOf(qualifier); ok {
		t.main, err = r.loadResolved(ctx, v, name, qualifier)
	} else {
		t, err = r.loadAlias(ctx, v, name, qualifier)
	}
	if err != nil {
		return nil, err
	}
	v.cacheRoute(qualifier, t)
	return t, nil
}

func (r *Registry) loadAlias(ctx context.Context, v *view, name, alias string) (*route, error) {
	a, err := r.Alias(ctx, name, alias)
	if isMissing(err) || errors.Is(err, ErrInvalid) {
		return nil, missingQualifier(name, alias)
	}
	if err != nil {
		return nil, err
	}
	t := new(route)
	if t.main, err = r.loadResolved(ctx, v, name, a.FunctionVersion); err != nil {
		return nil, err
	}
	for version, weight := range a.Weights {
		if t.extra, err = r.loadResolved(ctx, v, name, version); err != nil {
			return nil, err
		}
		t.weight = weight
	}
	return t, nil
}

func (r *Registry) loadResolved(ctx context.Context, v *view, name, version string) (*Resolved, error) {
	found, err := r.loadVersion(ctx, v, name, version)
	if err != nil {
		return nil, err
	}
	f, err := found.Function(r.codePath)
	if err != nil {
		return nil, err
	}
	var reserved Concurrency
	limited, err := r.read(ctx, ownerFunction+name, kindConcurrency+function.Latest, &reserved)
	if err != nil {
		return nil, err
	}
	others := 0
	if f.ProvisionedConcurrency, others, err = r.provisioned(ctx, name, version); err != nil {
		return nil, err
	}
	var tags Tags
	if _, err := r.read(ctx, ownerFunction+name, kindTags+function.Latest, &tags); err != nil {
		return nil, err
	}
	if f.QueueTimeout, err = tags.QueueTimeout(); err != nil {
		return nil, err
	}
	var loops Recursion
	if _, err := r.read(ctx, ownerFunction+name, kindRecursion+function.Latest, &loops); err != nil {
		return nil, err
	}
	f.AllowLoop = loops.RecursiveLoop == LoopAllow
	if limited {
		f.ReservedConcurrency = &reserved.Reserved
		f.ProvisionedConcurrency = min(f.ProvisionedConcurrency, reserved.Reserved)
		f.ReservedElsewhere = min(others, reserved.Reserved)
	}
	return &Resolved{Version: found, Function: f}, nil
}

// provisioned is the sum that the version and the aliases on it ask for, and what all others
// ask for.
func (r *Registry) provisioned(ctx context.Context, name, version string) (sum, others int, err error) {
	owner := ownerFunction + name
	err = r.each(ctx, owner, kindProvisioned, func(record state.Record) error {
		var p Provisioned
		if err := decode(record, &p); err != nil {
			return err
		}
		qualifier := strings.TrimPrefix(record.Name, kindProvisioned)
		if qualifier != version {
			var a Alias
			found, err := r.read(ctx, owner, prefixAlias+qualifier, &a)
			if err != nil {
				return err
			}
			if !found || a.FunctionVersion != version {
				others += p.Requested
				return nil
			}
		}
		sum += p.Requested
		return nil
	})
	return sum, others, err
}
