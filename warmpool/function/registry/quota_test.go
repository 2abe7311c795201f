package registry_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A countingStore counts the listings of owners, of which a count of all code needs two.
type countingStore struct {
	state.Records
	listings atomic.Int64
}

func (s *countingStore) Owners(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	s.listings.Add(1)
	return s.Records.Owners(ctx, prefix, after, limit)
}

func create(r *registry.Registry, name string, size int64) error {
	_, err := r.Create(ctx, name, configuration(), registry.Code{SHA256: name, Size: size}, registry.State{State: "Active"}, nil)
	return err
}

func resize(r *registry.Registry, name string, size int64) error {
	_, err := r.Update(ctx, name, "", func(v *registry.Version) error {
		v.Code = registry.Code{SHA256: fmt.Sprint(name, size), Size: size}
		return nil
	})
	return err
}

func TestCodeHasAQuota(t *testing.T) {
	r := open(t)
	if r.CodeQuota() != 75<<30 {
		t.Errorf("the default is %d", r.CodeQuota())
	}
	r.SetCodeQuota(100)
	publish := func() error {
		_, err := r.Publish(ctx, "f", registry.PublishRequest{})
		return err
	}
	layer := func(size int64) error {
		_, err := r.PublishLayer(ctx, registry.LayerVersion{Name: "l", Code: registry.Code{SHA256: "l", Size: size}})
		return err
	}
	function := func(name string, size int64) func() error { return func() error { return create(r, name, size) } }
	for _, step := range []struct {
		what  string
		do    func() error
		want  error
		total int64
	}{
		{"a function that is too large", function("f", 101), registry.ErrCodeStorage, 0},
		{"a function", function("f", 40), nil, 40},
		{"a version", publish, nil, 80},
		{"the same version", publish, nil, 80},
		{"a layer that is too large", func() error { return layer(21) }, registry.ErrCodeStorage, 80},
		{"a layer that fits", func() error { return layer(20) }, nil, 100},
		{"larger code", func() error { return resize(r, "f", 41) }, registry.ErrCodeStorage, 100},
		{"smaller code", func() error { return resize(r, "f", 30) }, nil, 90},
		{"a version for which there is no room", publish, registry.ErrCodeStorage, 90},
		{"no layer", func() error { return r.DeleteLayerVersion(ctx, "l", 1) }, nil, 70},
		{"the version for which there is room now", publish, nil, 100},
		{"one byte more", function("g", 1), registry.ErrCodeStorage, 100},
		{"no function", func() error { return r.Delete(ctx, "f") }, nil, 0},
		{"another function", function("g", 100), nil, 100},
	} {
		if err := step.do(); !errors.Is(err, step.want) {
			t.Errorf("%s: %v, want %v", step.what, err, step.want)
		}
		if total, err := r.CodeSize(ctx); err != nil || total != step.total {
			t.Errorf("after %s there are %d bytes, %v, want %d", step.what, total, err, step.total)
		}
	}
}

func TestCodeIsCountedSeldom(t *testing.T) {
	now := time.Now()
	store := &countingStore{Records: openStore(t)}
	r := on(t, store, func(c *registry.Config) { c.Now = func() time.Time { return now } })
	counts := func() int64 { return store.listings.Swap(0) / 2 }
	for n := range 50 {
		if err := create(r, fmt.Sprint("f", n), 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if n := counts(); n != 1 {
		t.Errorf("50 functions are counted %d times, want once", n)
	}
	now = now.Add(time.Minute)
	if err := create(r, "later", 1<<20); err != nil || counts() != 1 {
		t.Errorf("%v, or not counted anew after a minute", err)
	}
	r.SetCodeQuota(54 << 20)
	for n, want := range []error{nil, nil, nil, registry.ErrCodeStorage} {
		if err := create(r, fmt.Sprint("near", n), 1<<20); !errors.Is(err, want) || counts() != 1 {
			t.Errorf("near the limit: %v, want %v, and a count", err, want)
		}
	}
}

// Nodes share the quota, and what one has deleted another may add. Of those that write at
// the same moment on one node no more succeed than fit.
func TestNodesShareTheQuotaOfCode(t *testing.T) {
	store := openStore(t)
	a, b := on(t, store), on(t, store)
	a.SetCodeQuota(100)
	b.SetCodeQuota(100)
	if err := create(a, "a", 60); err != nil {
		t.Fatal(err)
	}
	if err := create(b, "b", 60); !errors.Is(err, registry.ErrCodeStorage) {
		t.Errorf("the other node: %v", err)
	}
	if err := a.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var made atomic.Int32
	for n := range 20 {
		all.Go(func() {
			switch err := create(b, fmt.Sprint("b", n), 30); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, registry.ErrCodeStorage):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 3 {
		t.Errorf("%d functions of 30 bytes are made, want 3", made.Load())
	}
}
