package registry_test

import (
	"math"
	"slices"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

func TestPublishOfTheUnchangedReturnsTheLastVersion(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	first := mustPublish(t, r, "f", "")
	again := mustPublish(t, r, "f", "")
	if first.Version != "1" || again.Version != "1" || again.RevisionID != first.RevisionID {
		t.Errorf("versions %s, %s", first.Version, again.Version)
	}
	described, err := r.Publish(ctx, "f", registry.PublishRequest{Description: "another"})
	if err != nil || described.Version != "1" || described.Description != "d" {
		t.Errorf("with a description alone: %s %q, %v", described.Version, described.Description, err)
	}
	second := mustPublish(t, r, "f", "two")
	if second.Version != "2" {
		t.Errorf("changed code gives version %s", second.Version)
	}
	if _, err := r.Update(ctx, "f", "", func(v *registry.Version) error { v.Timeout++; return nil }); err != nil {
		t.Fatal(err)
	}
	if third := mustPublish(t, r, "f", ""); third.Version != "3" {
		t.Errorf("changed configuration gives version %s", third.Version)
	}
	if err := r.DeleteVersion(ctx, "f", "3"); err != nil {
		t.Fatal(err)
	}
	if fourth := mustPublish(t, r, "f", ""); fourth.Version != "4" {
		t.Errorf("after deletion of the last: version %s", fourth.Version)
	}
}

func TestPublishChecksTheCode(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	_, err := r.Publish(ctx, "f", registry.PublishRequest{CodeSHA256: "two"})
	wantError(t, "another code", err, registry.ErrInvalid)
	v, err := r.Publish(ctx, "f", registry.PublishRequest{CodeSHA256: "one", Description: "mine"})
	if err != nil || v.Version != "1" || v.Description != "mine" {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := r.Version(ctx, "f", latest); err != nil || v.Description != "d" {
		t.Errorf("$LATEST is described %q, %v", v.Description, err)
	}
}

func TestPublishedVersionKeepsWhatLatestHad(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "")
	setCode(t, r, "f", "two")
	if code := runs(t, r, "f", "1"); code != "one" {
		t.Errorf("version 1 runs %s", code)
	}
	if code := runs(t, r, "f", latest); code != "two" {
		t.Errorf("$LATEST runs %s", code)
	}
}

func TestVersionsArePagedInOrder(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	want := []string{latest}
	for _, code := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"} {
		want = append(want, mustPublish(t, r, "f", "c"+code).Version)
	}
	for _, limit := range []int{1, 2, 5, 12, 50} {
		var got []string
		for after, pages := "", 0; ; pages++ {
			page, next, err := r.Versions(ctx, "f", after, limit)
			if err != nil || len(page) > limit || pages > 20 {
				t.Fatalf("page %d: %v, %v", pages, page, err)
			}
			for _, v := range page {
				got = append(got, v.Version)
			}
			if next == "" {
				break
			}
			after = next
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %q, want %q", limit, got, want)
		}
	}
	_, _, err := r.Versions(ctx, "f", "live", 1)
	wantError(t, "after an alias", err, registry.ErrInvalid)
	_, _, err = r.Versions(ctx, "g", "", 1)
	wantError(t, "no such function", err, registry.ErrNotFound)
}

func TestVersionOfAnAliasIsNotDeleted(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "two")
	mustPublish(t, r, "f", "three")
	weights := map[string]float64{"2": 0.5}
	if _, err := r.CreateAlias(ctx, "f", registry.Alias{Name: "live", FunctionVersion: "1", Weights: weights}); err != nil {
		t.Fatal(err)
	}
	wantError(t, "its version", r.DeleteVersion(ctx, "f", "1"), registry.ErrConflict)
	wantError(t, "its additional version", r.DeleteVersion(ctx, "f", "2"), registry.ErrConflict)
	wantError(t, "$LATEST", r.DeleteVersion(ctx, "f", latest), registry.ErrInvalid)
	wantError(t, "an alias", r.DeleteVersion(ctx, "f", "live"), registry.ErrInvalid)
	wantError(t, "no such version", r.DeleteVersion(ctx, "f", "9"), registry.ErrNotFound)
	if err := r.DeleteAlias(ctx, "f", "live"); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteVersion(ctx, "f", "1"); err != nil {
		t.Error(err)
	}
	_, err := r.Resolve(ctx, "f", "1")
	wantError(t, "the deleted version", err, registry.ErrNotFound)
}

func TestAliasPointsToVersionsThatExist(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "two")
	mustPublish(t, r, "f", "three")
	if _, err := r.CreateAlias(ctx, "f", registry.Alias{Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	w := func(version string, weight float64) map[string]float64 { return map[string]float64{version: weight} }
	refused := []struct {
		alias registry.Alias
		want  error
	}{
		{registry.Alias{Name: "live", FunctionVersion: "1"}, registry.ErrConflict},
		{registry.Alias{Name: "a", FunctionVersion: "live"}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: ""}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "01"}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "9"}, registry.ErrNotFound},
		{registry.Alias{Name: "12", FunctionVersion: "1"}, registry.ErrInvalid},
		{registry.Alias{Name: "$LATEST", FunctionVersion: "1"}, registry.ErrInvalid},
		{registry.Alias{Name: "", FunctionVersion: "1"}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "1", Weights: w("9", 0.1)}, registry.ErrNotFound},
		{registry.Alias{Name: "a", FunctionVersion: "1", Weights: w("live", 0.1)}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "1", Weights: w("1", 0.1)}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "1", Weights: w(latest, 0.1)}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: latest, Weights: w("1", 0.1)}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "1", Weights: w("2", 1.1)}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "1", Weights: w("2", -0.1)}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "1", Weights: w("2", math.NaN())}, registry.ErrInvalid},
		{registry.Alias{Name: "a", FunctionVersion: "1", Weights: map[string]float64{"2": 0.1, "3": 0.1}}, registry.ErrInvalid},
	}
	for _, test := range refused {
		_, err := r.CreateAlias(ctx, "f", test.alias)
		wantError(t, test.alias.Name+" -> "+test.alias.FunctionVersion, err, test.want)
	}
	_, err := r.CreateAlias(ctx, "g", registry.Alias{Name: "a", FunctionVersion: "1"})
	wantError(t, "of no function", err, registry.ErrNotFound)
	aliases, next, err := r.Aliases(ctx, "f", "", "", 10)
	if err != nil || next != "" || len(aliases) != 1 {
		t.Errorf("aliases %v, %q, %v", aliases, next, err)
	}
}

func TestAliasUpdateChecksRevisionAndTarget(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "two")
	mustPublish(t, r, "f", "three")
	first, err := r.CreateAlias(ctx, "f", registry.Alias{Name: "live", FunctionVersion: "1"})
	if err != nil {
		t.Fatal(err)
	}
	to := func(version string) func(*registry.Alias) error {
		return func(a *registry.Alias) error { a.FunctionVersion = version; return nil }
	}
	if code := runs(t, r, "f", "live"); code != "two" {
		t.Errorf("live runs %s", code)
	}
	second, err := r.UpdateAlias(ctx, "f", "live", first.RevisionID, to("2"))
	if err != nil || second.RevisionID == first.RevisionID {
		t.Fatalf("%+v, %v", second, err)
	}
	if code := runs(t, r, "f", "live"); code != "three" {
		t.Errorf("after the update live runs %s", code)
	}
	_, err = r.UpdateAlias(ctx, "f", "live", first.RevisionID, to("1"))
	wantError(t, "a stale revision", err, registry.ErrPrecondition)
	_, err = r.UpdateAlias(ctx, "f", "live", "", to("9"))
	wantError(t, "no such version", err, registry.ErrNotFound)
	_, err = r.UpdateAlias(ctx, "f", "none", "", to("1"))
	wantError(t, "no such alias", err, registry.ErrNotFound)
	if err := r.DeleteAlias(ctx, "f", "none"); err != nil {
		t.Errorf("deleting no alias: %v", err)
	}
	wantError(t, "deleting the alias of no function", r.DeleteAlias(ctx, "g", "none"), registry.ErrNotFound)
}

func TestAliasesArePagedAndFiltered(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "two")
	mustPublish(t, r, "f", "three")
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		version := "1"
		if name > "c" {
			version = "2"
		}
		if _, err := r.CreateAlias(ctx, "f", registry.Alias{Name: name, FunctionVersion: version}); err != nil {
			t.Fatal(err)
		}
	}
	page, next, err := r.Aliases(ctx, "f", "", "", 2)
	if err != nil || len(page) != 2 || next != "b" {
		t.Fatalf("%v, %q, %v", page, next, err)
	}
	page, next, err = r.Aliases(ctx, "f", "", next, 3)
	if err != nil || len(page) != 3 || page[0].Name != "c" || next != "" {
		t.Errorf("%v, %q, %v", page, next, err)
	}
	page, _, err = r.Aliases(ctx, "f", "2", "", 10)
	if err != nil || len(page) != 2 || page[0].Name != "d" {
		t.Errorf("of version 2: %v, %v", page, err)
	}
}
