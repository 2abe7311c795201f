package registry

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"

	"github.com/hearthfn/hearth/warmpool/state"
)

// A URL is a function URL and what it invokes.
type URL struct {
	URLConfig
	FunctionName string
	Qualifier    string // function.Latest or an alias
}

// place is the record that leads from the ID of a URL to its function. It is
// written first and removed last, so it may lead to a function that does not
// have the URL, but no URL lacks it.
type place struct {
	FunctionName, Qualifier string
}

const recordPlace = "place"

// knownURL is valid as long as the view is the one of its function.
type knownURL struct {
	URL
	view *view
}

var urlIDPattern = regexp.MustCompile(`^[a-z2-7]{32}$`)

// CreateURL makes the URL of $LATEST or an alias, as set fills it in; ErrConflict
// if it has one.
func (r *Registry) CreateURL(ctx context.Context, name, qualifier string, set func(*URLConfig) error) (URLConfig, error) {
	if err := r.checkWritable(name); err != nil {
		return URLConfig{}, err
	}
	var random [20]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the program instead
	id := strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
	value, err := encode(&place{name, qualifier})
	if err != nil {
		return URLConfig{}, err
	}
	if _, err := r.records.Change(ctx, ownerURL+id, state.Put(recordPlace, state.Absent, value)); err != nil {
		return URLConfig{}, err
	}
	u, err := r.urls.Put(ctx, name, qualifier, func(u *URLConfig, exists bool) error {
		if exists {
			return fmt.Errorf("function %s:%s has a URL: %w", name, qualifier, ErrConflict)
		}
		u.ID = id
		return set(u)
	})
	if err != nil {
		// The setting may have been stored although the write failed.
		if kept, readErr := r.urls.Read(ctx, name, qualifier); kept.ID != id && (readErr == nil || isMissing(readErr)) {
			r.forgetURL(ctx, id)
		}
		return URLConfig{}, err
	}
	return u, nil
}

// forgetURL removes the place of a URL that no function has. A place that stays does no harm.
func (r *Registry) forgetURL(ctx context.Context, id string) {
	_, _ = r.records.Change(context.WithoutCancel(ctx), ownerURL+id, state.Delete(recordPlace, state.Any))
}

// UpdateURL changes the URL of $LATEST or an alias.
func (r *Registry) UpdateURL(ctx context.Context, name, qualifier string, change func(*URLConfig) error) (URLConfig, error) {
	return r.urls.Put(ctx, name, qualifier, func(u *URLConfig, exists bool) error {
		if !exists {
			return r.urls.missing(name, qualifier)
		}
		id, created := u.ID, u.CreationTime
		err := change(u)
		u.ID, u.CreationTime = id, created
		return err
	})
}

// DeleteURL removes the URL of $LATEST or an alias.
func (r *Registry) DeleteURL(ctx context.Context, name, qualifier string) error {
	var id string
	err := r.urls.Delete(ctx, name, qualifier, func(u *URLConfig) error { id = u.ID; return nil })
	if err == nil {
		r.forgetURL(ctx, id)
	}
	return err
}

// URLOf returns the URL of $LATEST or an alias.
func (r *Registry) URLOf(ctx context.Context, name, qualifier string) (URLConfig, error) {
	return r.urls.Read(ctx, name, qualifier)
}

// URLsOf returns up to limit URLs of a function; after and next are as those of
// Settings.List.
func (r *Registry) URLsOf(ctx context.Context, name, after string, limit int) ([]Qualified[URLConfig], string, error) {
	return r.urls.List(ctx, name, after, limit)
}

// IsURLID says whether a label is what the ID of a URL looks like.
func IsURLID(label string) bool { return urlIDPattern.MatchString(label) }

// URL returns the URL of an ID, the first label of its host. A known one is cached.
func (r *Registry) URL(ctx context.Context, id string) (*URL, error) {
	if u, _ := r.knownURLs.Get(id); u != nil && r.views.have(u.FunctionName) == u.view && !r.ReadOnly(u.FunctionName) {
		return &u.URL, nil
	}
	var p place
	found := false
	if IsURLID(id) {
		var err error
		if found, err = r.read(ctx, ownerURL+id, recordPlace, &p); err != nil {
			return nil, err
		}
	}
	if !found || r.ReadOnly(p.FunctionName) {
		return nil, missingURL(id)
	}
	v, err := r.view(ctx, p.FunctionName)
	if err != nil {
		return nil, err
	}
	config, err := r.urls.Read(ctx, p.FunctionName, p.Qualifier)
	if err != nil && !isMissing(err) {
		return nil, err
	}
	if config.ID != id {
		return nil, missingURL(id)
	}
	known := &knownURL{URL: URL{config, p.FunctionName, p.Qualifier}, view: v}
	r.knownURLs.Add(id, known)
	return &known.URL, nil
}

func missingURL(id string) error { return fmt.Errorf("function url %.80q: %w", id, ErrNotFound) }
