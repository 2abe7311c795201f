package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	evaluation "github.com/hearthfn/hearth/caddymodule/awsapi/policy"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Roles are the roles with their policies, ready to be evaluated. They are read again when they
// have changed, here or on another node.
type Roles struct {
	store   *document.Store
	account func() function.Account

	mu    sync.Mutex
	known *roleSet // guarded by mu; nil: read it
	age   int      // guarded by mu; grows with each change

	stop  context.CancelFunc
	ended chan struct{}
}

// A roleSet is all documents, and the roles that were asked for.
type roleSet struct {
	set *document.Set

	mu    sync.Mutex
	ready map[string]*access.Grant // by the key of the role's document; guarded by mu
}

// NewRoles starts to follow changes, until Close.
func NewRoles(store *document.Store, account func() function.Account) (*Roles, error) {
	ctx, stop := context.WithCancel(context.Background())
	hints, err := store.Watch(ctx, owner)
	if err != nil {
		stop()
		return nil, fmt.Errorf("following changes of roles: %w", err)
	}
	r := &Roles{store: store, account: account, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		for of := range hints {
			if of == owner || of == "" {
				r.changed()
			}
		}
	}()
	return r, nil
}

// Close stops to follow changes. The store stays open.
func (r *Roles) Close() {
	r.stop()
	<-r.ended
}

// Forget has roles read again, because the account may have another name.
func (r *Roles) Forget() { r.changed() }

func (r *Roles) changed() {
	r.mu.Lock()
	r.known = nil
	r.age++
	r.mu.Unlock()
}

// current reads the documents if they have changed. An error is not covered by what was known
// before: a right that was taken away must not go on.
func (r *Roles) current(ctx context.Context) (*roleSet, error) {
	r.mu.Lock()
	known, age := r.known, r.age
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	set, err := r.store.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	known = &roleSet{set: set, ready: make(map[string]*access.Grant)}
	r.mu.Lock()
	if r.age == age { // else it has changed meanwhile
		r.known = known
	}
	r.mu.Unlock()
	return known, nil
}

// Grant is the role of a name, nil if there is none.
func (r *Roles) Grant(ctx context.Context, name string) (*access.Grant, error) {
	known, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	key := roleKey(name)
	if g, found := known.ready[key]; found {
		return g, nil
	}
	of := new(role)
	switch err := known.set.Get(key, of); {
	case errors.Is(err, document.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	g, err := r.grant(known.set, of)
	if err != nil {
		return nil, fmt.Errorf("role %s: %w", of.RoleName, err)
	}
	known.ready[key] = g
	return g, nil
}

// ByARN is the role of an ARN, nil if there is none.
func (r *Roles) ByARN(ctx context.Context, arn string) (*access.Grant, error) {
	g, err := r.Grant(ctx, arn[strings.LastIndexByte(arn, '/')+1:])
	if g == nil || err != nil || g.ARN != arn {
		return nil, err
	}
	return g, nil
}

func (r *Roles) grant(set *document.Set, of *role) (*access.Grant, error) {
	g := &access.Grant{
		Name: of.RoleName, ID: of.RoleID, ARN: "arn:aws:iam::" + r.account().ID + ":role" + of.Path + of.RoleName,
		Longest: time.Duration(of.MaxSessionDuration) * time.Second, Tags: make(map[string]string, len(of.Tags)),
	}
	for _, t := range of.Tags {
		g.Tags[t.Key] = t.Value
	}
	var err error
	if g.Trust, err = evaluation.Parse(of.Trust); err != nil {
		return nil, fmt.Errorf("trust policy: %w", err)
	}
	for name, text := range of.Inline {
		d, err := evaluation.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", name, err)
		}
		g.Policies = append(g.Policies, d)
	}
	for _, arn := range of.Attached {
		d, err := managedDocument(set, arn)
		if err != nil {
			return nil, err
		}
		g.Policies = append(g.Policies, d)
	}
	if of.Boundary != "" {
		g.Boundary, err = managedDocument(set, of.Boundary)
	}
	return g, err
}

// managedDocument is what a managed policy says in its default version. One of AWS's own that is
// not known here says nothing: it allows nothing.
func managedDocument(set *document.Set, arn string) (*evaluation.Document, error) {
	p, err := (&service{}).findPolicy(set, arn)
	if err != nil {
		return nil, err
	}
	n, err := p.at(p.Default)
	if err != nil {
		return nil, err
	}
	if p.Versions[n].Document == "" {
		return new(evaluation.Document), nil
	}
	d, err := evaluation.Parse(p.Versions[n].Document)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", arn, err)
	}
	return d, nil
}
