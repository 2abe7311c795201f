package document_test

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

type thing struct{ N int }

func open(t *testing.T) *document.Store {
	t.Helper()
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := records.Close(); err != nil {
			t.Error(err)
		}
	})
	return document.New(records)
}

func TestChangesOfOneOwnerComeOneAfterTheOther(t *testing.T) {
	s, ctx := open(t), context.Background()
	var all sync.WaitGroup
	const writers, each = 4, 5
	for range writers {
		all.Go(func() {
			for range each {
				err := s.Change(ctx, "a/1", func(e *document.Edit) error {
					var n thing
					if err := e.Get("count", &n); err != nil && !errors.Is(err, document.ErrNotFound) {
						return err
					}
					n.N++
					return errors.Join(e.Put("count", n), e.Put("one/"+strconv.Itoa(n.N), n))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	set, err := s.Read(ctx, "a/1")
	if err != nil {
		t.Fatal(err)
	}
	ones, err := document.All[thing](set, "one/")
	if err != nil || len(ones) != writers*each || len(set.Names("")) != writers*each+1 {
		t.Errorf("%d documents: %v", len(ones), err)
	}
}

func TestAnEditSeesWhatItWrites(t *testing.T) {
	s, ctx := open(t), context.Background()
	refused := errors.New("no")
	put := func(e *document.Edit) error { return errors.Join(e.Put("x", thing{1}), e.Put("y", thing{2})) }
	if err := s.Change(ctx, "a/1", func(e *document.Edit) error { return errors.Join(put(e), refused) }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if set, err := s.Read(ctx, "a/1"); err != nil || set.Has("x") {
		t.Errorf("an edit that failed was kept: %v", err)
	}
	if err := s.Change(ctx, "a/1", put); err != nil {
		t.Fatal(err)
	}
	err := s.Change(ctx, "a/1", func(e *document.Edit) error {
		e.Delete("x")
		if e.Has("x") || len(e.Names("")) != 1 {
			t.Error("the edit does not see its own deletion")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if set, err := s.Read(ctx, "a/1"); err != nil || set.Has("x") || !set.Has("y") {
		t.Errorf("%v %v", set.Names(""), err)
	}
	if err := s.Change(ctx, "a/1", func(e *document.Edit) error { return e.Put("x", strings.Repeat("x", state.MaxValue)) }); !errors.Is(err, document.ErrTooLarge) {
		t.Errorf("a document of %d bytes: %v", state.MaxValue, err)
	}
}

func TestAnOwnerIsRemovedWithAllItsDocuments(t *testing.T) {
	s, ctx := open(t), context.Background()
	const many = 3 * state.MaxChanges / 2
	for n := 0; n < many; n += 100 {
		err := s.Change(ctx, "a/1", func(e *document.Edit) error {
			for m := n; m < n+100; m++ {
				if err := e.Put("d/"+strconv.Itoa(m), thing{m}); err != nil {
					return err
				}
			}
			return e.Put("main", thing{})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if owners, err := s.Owners(ctx, "a/"); err != nil || len(owners) != 1 {
		t.Errorf("%v %v", owners, err)
	}
	if err := s.Remove(ctx, "a/1", "main"); err != nil {
		t.Fatal(err)
	}
	if owners, err := s.Owners(ctx, "a/"); err != nil || len(owners) != 0 {
		t.Errorf("%v %v", owners, err)
	}
}
