package registry_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
)

func TestCreatedFunctionIsReadWhole(t *testing.T) {
	r := open(t)
	want, err := r.Create(ctx, "f", configuration(), registry.Code{SHA256: "one", Size: 10}, registry.State{State: "Pending"}, map[string]string{"k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Version(ctx, "f", latest)
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
	if got.RevisionID == "" || got.Version != latest || got.LastModified.IsZero() {
		t.Errorf("revision, version or time are missing: %+v", got)
	}
	tags, err := r.Tags.Read(ctx, "f", latest)
	if err != nil || tags.Tags["k"] != "v" {
		t.Errorf("tags %v, %v", tags, err)
	}
	_, err = r.Create(ctx, "f", configuration(), registry.Code{}, registry.State{}, nil)
	wantError(t, "the same name again", err, registry.ErrConflict)
	_, err = r.Create(ctx, "no spaces", configuration(), registry.Code{}, registry.State{}, nil)
	wantError(t, "a bad name", err, registry.ErrInvalid)
}

func TestUpdateNeedsTheLatestRevisionIDWhenOneIsGiven(t *testing.T) {
	r := open(t)
	first := mustCreate(t, r, "f")
	change := func(v *registry.Version) error { v.MemorySize++; return nil }
	second, err := r.Update(ctx, "f", first.RevisionID, change)
	if err != nil || second.RevisionID == first.RevisionID || second.MemorySize != first.MemorySize+1 {
		t.Fatalf("%+v, %v", second, err)
	}
	_, err = r.Update(ctx, "f", first.RevisionID, change)
	wantError(t, "a stale revision", err, registry.ErrPrecondition)
	_, err = r.Publish(ctx, "f", registry.PublishRequest{RevisionID: first.RevisionID})
	wantError(t, "publishing a stale revision", err, registry.ErrPrecondition)
	third, err := r.Update(ctx, "f", "", change)
	if err != nil || third.MemorySize != first.MemorySize+2 {
		t.Errorf("%+v, %v", third, err)
	}
	_, err = r.Update(ctx, "g", "", change)
	wantError(t, "no such function", err, registry.ErrNotFound)
}

func TestConcurrentUpdatesAreAllKept(t *testing.T) {
	r := open(t)
	before := mustCreate(t, r, "f").MemorySize
	const writers, each = 4, 10
	errs := make(chan error, writers*each)
	for range writers {
		go func() {
			for range each {
				_, err := r.Update(ctx, "f", "", func(v *registry.Version) error { v.MemorySize++; return nil })
				errs <- err
			}
		}()
	}
	for range writers * each {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	got, err := r.Version(ctx, "f", latest)
	if err != nil || got.MemorySize != before+writers*each {
		t.Errorf("memory %d, %v; want %d", got.MemorySize, err, before+writers*each)
	}
}

func TestOfConcurrentUpdatesWithOneRevisionIDOneWins(t *testing.T) {
	r := open(t)
	revision := mustCreate(t, r, "f").RevisionID
	const writers = 8
	errs := make(chan error, writers)
	for range writers {
		go func() {
			_, err := r.Update(ctx, "f", revision, func(*registry.Version) error { return nil })
			errs <- err
		}()
	}
	won := 0
	for range writers {
		if err := <-errs; err == nil {
			won++
		} else {
			wantError(t, "a loser", err, registry.ErrPrecondition)
		}
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
}

func TestDeletedFunctionLeavesItsVersionNumbers(t *testing.T) {
	store := openStore(t)
	r := on(t, store)
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "two")
	if _, err := r.CreateAlias(ctx, "f", registry.Alias{Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	url, err := r.CreateURL(ctx, "f", "live", func(u *registry.URLConfig) error { u.AuthType = "NONE"; return nil })
	if err != nil {
		t.Fatal(err)
	}
	runs(t, r, "f", "live")
	if err := r.Delete(ctx, "f"); err != nil {
		t.Fatal(err)
	}
	for _, qualifier := range []string{latest, "1", "live"} {
		_, err := r.Resolve(ctx, "f", qualifier)
		wantError(t, qualifier, err, registry.ErrNotFound)
	}
	wantError(t, "deleting again", r.Delete(ctx, "f"), registry.ErrNotFound)
	left, err := store.List(ctx, "function/f", "", "", 10)
	if err != nil || len(left) != 1 || left[0].Name != "head" {
		t.Errorf("left are %v, %v", left, err)
	}
	page, _, err := r.Functions(ctx, "", 10)
	if err != nil || len(page) != 0 {
		t.Errorf("listed are %v, %v", page, err)
	}
	mustCreate(t, r, "f")
	if v := mustPublish(t, r, "f", "two"); v.Version != "2" {
		t.Errorf("version %s after deletion, want 2: numbers are not reused", v.Version)
	}
	_, err = r.URLOf(ctx, "f", "live")
	wantError(t, "the old function's URL", err, registry.ErrNotFound)
	_, err = r.URL(ctx, url.ID)
	wantError(t, "the old function's URL by its ID", err, registry.ErrNotFound)
}

func TestFunctionWithMoreVersionsThanATransactionIsDeletedWhole(t *testing.T) {
	store := openStore(t)
	r := on(t, store)
	mustCreate(t, r, "f")
	for i := range state.MaxChanges + 100 {
		mustPublish(t, r, "f", fmt.Sprint(i))
	}
	if err := r.Delete(ctx, "f"); err != nil {
		t.Fatal(err)
	}
	left, err := store.List(ctx, "function/f", "", "", 10)
	if err != nil || len(left) != 1 {
		t.Errorf("left are %d records, %v", len(left), err)
	}
}

func TestFunctionsArePagedWithThoseOfTheCaddyfile(t *testing.T) {
	r := open(t)
	for _, name := range []string{"b", "d", "f", "gone", "h"} {
		mustCreate(t, r, name)
	}
	if err := r.Delete(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	over := r.With([]*function.Function{fixed(t, "a"), fixed(t, "c"), fixed(t, "d"), fixed(t, "z")})
	for _, limit := range []int{1, 2, 3, 7, 100} {
		var got []string
		for after, pages := "", 0; ; pages++ {
			page, next, err := over.Functions(ctx, after, limit)
			if err != nil || len(page) > limit || pages > 20 {
				t.Fatalf("page %d: %d functions, %v", pages, len(page), err)
			}
			for _, v := range page {
				got = append(got, v.FunctionName)
			}
			if next == "" {
				break
			}
			after = next
		}
		if want := []string{"a", "b", "c", "d", "f", "h", "z"}; !slices.Equal(got, want) {
			t.Errorf("limit %d: %q, want %q", limit, got, want)
		}
	}
}

func fixed(t *testing.T, name string) *function.Function {
	t.Helper()
	f := &function.Function{Name: name, Runtime: "python3.13", Handler: "app.handler", Code: "/srv/" + name}
	if err := f.Normalize(); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFunctionOfTheCaddyfileIsReadAndNotChanged(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "")
	if _, err := r.CreateAlias(ctx, "f", registry.Alias{Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.InvokeConfig.Put(ctx, "f", "live", func(*registry.InvokeConfig, bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
	url, err := r.CreateURL(ctx, "f", "live", func(*registry.URLConfig) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	over := r.With([]*function.Function{fixed(t, "f")})
	got, err := over.Resolve(ctx, "f", latest)
	if err != nil || got.Function.Code != "/srv/f" || got.Runtime != "python3.13" || got.Timeout != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if versions, next, err := over.Versions(ctx, "f", "", 10); err != nil || next != "" || len(versions) != 1 {
		t.Errorf("versions %v, %q, %v", versions, next, err)
	}
	_, err = over.Resolve(ctx, "f", "1")
	wantError(t, "a version behind it", err, registry.ErrNotFound)
	_, err = over.Alias(ctx, "f", "live")
	wantError(t, "an alias behind it", err, registry.ErrNotFound)
	_, err = over.InvokeConfig.Read(ctx, "f", "live")
	wantError(t, "a setting behind it", err, registry.ErrNotFound)
	_, err = over.URL(ctx, url.ID)
	wantError(t, "a URL behind it", err, registry.ErrNotFound)
	aliases, _, err := over.Aliases(ctx, "f", "", "", 9)
	if err != nil || len(aliases) != 0 {
		t.Errorf("aliases %v, %v", aliases, err)
	}
	settings, _, err := over.InvokeConfig.List(ctx, "f", "", 9)
	if err != nil || len(settings) != 0 {
		t.Errorf("settings %v, %v", settings, err)
	}
	change := func(*registry.Version) error { return nil }
	_, err = over.Create(ctx, "f", configuration(), registry.Code{}, registry.State{}, nil)
	wantError(t, "Create", err, registry.ErrReadOnly)
	_, err = over.Update(ctx, "f", "", change)
	wantError(t, "Update", err, registry.ErrReadOnly)
	_, err = over.Publish(ctx, "f", registry.PublishRequest{})
	wantError(t, "Publish", err, registry.ErrReadOnly)
	wantError(t, "Delete", over.Delete(ctx, "f"), registry.ErrReadOnly)
	wantError(t, "DeleteVersion", over.DeleteVersion(ctx, "f", "1"), registry.ErrReadOnly)
	_, err = over.CreateAlias(ctx, "f", registry.Alias{Name: "a", FunctionVersion: "1"})
	wantError(t, "CreateAlias", err, registry.ErrReadOnly)
	_, err = over.Concurrency.Put(ctx, "f", latest, func(*registry.Concurrency, bool) error { return nil })
	wantError(t, "Put", err, registry.ErrReadOnly)
	if !over.ReadOnly("f") || r.ReadOnly("f") {
		t.Error("ReadOnly is not of the one laid over")
	}
	// The registry below still has its own.
	if code := runs(t, r, "f", "1"); code != "one" {
		t.Errorf("runs %s", code)
	}
}

func TestCodeThatIsNeededIsNamed(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "two")
	_, err := r.Update(ctx, "f", "", func(v *registry.Version) error {
		v.Code.SHA256 = "three"
		v.Layers = []registry.Layer{{ARN: "arn:aws:lambda:us-east-1:000000000000:layer:l:1", Code: registry.Code{SHA256: "layer", Size: 1}}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if resolved, err := r.Resolve(ctx, "f", latest); err != nil || !slices.Equal(resolved.Function.Layers, []string{"/code/layer"}) {
		t.Errorf("it runs with the layers %q, %v", resolved.Function.Layers, err)
	}
	if _, err := r.PublishLayer(ctx, registry.LayerVersion{Name: "l", Code: registry.Code{SHA256: "l1"}}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	if err := r.CodeReferences(ctx, func(c registry.Code) { got[c.SHA256] = true }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"two", "three", "layer", "l1"} {
		if !got[want] {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
	if got["one"] {
		t.Error("one is not needed any more")
	}
}

func TestTimesAreOfTheClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6_700_000, time.UTC)
	r := open(t, func(c *registry.Config) { c.Now = func() time.Time { return now } })
	if v := mustCreate(t, r, "f"); !v.LastModified.Equal(now.Truncate(time.Millisecond)) {
		t.Errorf("modified at %v", v.LastModified)
	}
}

func TestPageOfNothingIsRefused(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	list := map[string]func(limit int) error{
		"functions":      func(n int) error { _, _, err := r.Functions(ctx, "", n); return err },
		"versions":       func(n int) error { _, _, err := r.Versions(ctx, "f", "", n); return err },
		"aliases":        func(n int) error { _, _, err := r.Aliases(ctx, "f", "", "", n); return err },
		"settings":       func(n int) error { _, _, err := r.InvokeConfig.List(ctx, "f", "", n); return err },
		"layers":         func(n int) error { _, _, err := r.Layers(ctx, "", n, nil); return err },
		"layer versions": func(n int) error { _, _, err := r.LayerVersions(ctx, "l", 0, n); return err },
		"mappings":       func(n int) error { _, _, err := r.Mappings(ctx, "", n, nil); return err },
	}
	for what, of := range list {
		for _, n := range []int{0, -1} {
			wantError(t, what, of(n), registry.ErrInvalid)
		}
		if err := of(1); err != nil {
			t.Errorf("a page of 1 of %s: %v", what, err)
		}
	}
}
