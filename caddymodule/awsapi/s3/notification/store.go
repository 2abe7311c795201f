package notification

import (
	"context"
	"crypto/rand"
	"errors"
	"regexp"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Store keeps the configurations of buckets. Nodes of a cluster have them in common.
type Store struct{ documents *document.Store }

// NewStore makes a store of documents.
func NewStore(documents *document.Store) *Store { return &Store{documents} }

// A State is the configurations of a bucket at one time.
type State struct {
	Version string // another after each change; "" before the first
	Set
}

const name = "notification"

// bucketName is what the names of buckets are at most.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

func owner(bucket string) string { return "bucket/" + bucket }

// Of is the state of a bucket.
func (s *Store) Of(ctx context.Context, bucket string) (now State, err error) {
	if !bucketName.MatchString(bucket) { // an event may have any; nobody could put it
		return now, nil
	}
	set, err := s.documents.Read(ctx, owner(bucket))
	if err == nil {
		err = get(set, &now)
	}
	return now, err
}

func get(set *document.Set, into *State) error {
	if err := set.Get(name, into); !errors.Is(err, document.ErrNotFound) {
		return err
	}
	return nil
}

// Put changes what a bucket has, and returns what it had before and its new version.
func (s *Store) Put(ctx context.Context, bucket string, set Set) (before State, version string, err error) {
	version = rand.Text()
	err = s.documents.Change(ctx, owner(bucket), func(e *document.Edit) error {
		before = State{}
		if err := get(&e.Set, &before); err != nil {
			return err
		}
		if set.IsZero() {
			e.Delete(name)
			return nil
		}
		return e.Put(name, &State{version, set})
	})
	if set.IsZero() {
		version = ""
	}
	return before, version, err
}

// Restore undoes a change, if no other came after it.
func (s *Store) Restore(ctx context.Context, bucket, version string, before State) error {
	return s.documents.Change(ctx, owner(bucket), func(e *document.Edit) error {
		var now State
		if err := get(&e.Set, &now); err != nil || now.Version != version {
			return err
		}
		if before.Version == "" {
			e.Delete(name)
			return nil
		}
		return e.Put(name, &before)
	})
}
