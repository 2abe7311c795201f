package subscription

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Filter sends the events of a log group that match a pattern to a function.
type Filter struct {
	ID      string // of its marks; a filter that is made again begins anew
	Name    string
	Group   string // name of the log group
	Pattern string
	To      string // ARN of the function
	Created int64  // Unix milliseconds: what was logged before is not sent
}

// MaxOfGroup is AWS's limit of filters of a log group, and MaxAll how many a server has: each
// follows a file.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const (
	MaxOfGroup = 2
	MaxAll     = 500
)

// Errors of Put and Delete.
var (
	ErrNotFound = errors.New("no such subscription filter")
	ErrTooMany  = errors.New("too many subscription filters")
	ErrLoop     = errors.New("the function's own log group would feed it")
)

const owner = "logs"

// A Store keeps the filters. Nodes of a cluster have them in common.
type Store struct{ documents *document.Store }

// NewStore makes a store of documents.
func NewStore(documents *document.Store) *Store { return &Store{documents} }

// key is the name of a filter's document. A name of a group has no colon.
func key(group, name string) string { return "subscription/" + group + ":" + name }

// All are the filters of the groups that begin with prefix, in the order of groups and names.
func (s *Store) All(ctx context.Context, prefix string) ([]*Filter, error) {
	set, err := s.documents.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	return document.All[Filter](set, "subscription/"+prefix)
}

// Of are the filters of a group, in the order of their names.
func (s *Store) Of(ctx context.Context, group string) ([]*Filter, error) {
	return s.All(ctx, group+":")
}

// Put makes a filter, or changes the one of that name and group. groupOf is the log group of a
// function, by its ARN: filters that would feed a function with its own logs, directly or by
// others, are ErrLoop. begin is called before a filter is there.
func (s *Store) Put(ctx context.Context, f Filter, groupOf func(arn string) string, begin func(id string) error) error {
	return s.documents.Change(ctx, owner, func(e *document.Edit) error {
		all, err := document.All[Filter](&e.Set, "subscription/")
		if err != nil {
			return err
		}
		f.ID, f.Created = strings.ToLower(rand.Text()), time.Now().UnixMilli()
		ofGroup, others := 0, make([]*Filter, 0, len(all)+1)
		for _, had := range all {
			if had.Group == f.Group && had.Name == f.Name {
				f.ID, f.Created = had.ID, had.Created
				continue
			}
			if others = append(others, had); had.Group == f.Group {
				ofGroup++
			}
		}
		if ofGroup >= MaxOfGroup || len(others) >= MaxAll {
			return ErrTooMany
		}
		if loops(append(others, &f), f.Group, groupOf) {
			return ErrLoop
		}
		if !e.Has(key(f.Group, f.Name)) {
			if err := begin(f.ID); err != nil {
				return err
			}
		}
		return e.Put(key(f.Group, f.Name), &f)
	})
}

// loops reports whether filters lead from a log group back to it.
func loops(filters []*Filter, from string, groupOf func(arn string) string) bool {
	seen := make(map[string]bool)
	next := []string{from}
	for len(next) > 0 {
		group := next[0]
		next = next[1:]
		for _, f := range filters {
			if f.Group != group {
				continue
			}
			switch to := groupOf(f.To); {
			case to == from:
				return true
			case to != "" && !seen[to]:
				seen[to] = true
				next = append(next, to)
			}
		}
	}
	return false
}

// Delete removes a filter.
func (s *Store) Delete(ctx context.Context, group, name string) error {
	return s.documents.Change(ctx, owner, func(e *document.Edit) error {
		if !e.Has(key(group, name)) {
			return ErrNotFound
		}
		e.Delete(key(group, name))
		return nil
	})
}

// DeleteAll removes the filters of a group.
func (s *Store) DeleteAll(ctx context.Context, group string) error {
	return s.documents.Change(ctx, owner, func(e *document.Edit) error {
		for _, name := range slices.Clone(e.Names(key(group, ""))) {
			e.Delete(name)
		}
		return nil
	})
}
