package domain

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func open(t *testing.T) *Domains {
	t.Helper()
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(document.New(records))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		if err := records.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestARequestIsMappedByTheLongestBasePath(t *testing.T) {
	d, ctx := open(t), context.Background()
	if _, _, known, err := d.Find(ctx, "shop.example.com", "/"); known || err != nil {
		t.Errorf("%v %v", known, err)
	}
	name := &Name{Name: "shop.example.com", Mappings: []Mapping{{ID: "v1", Key: "v1"}, {ID: "v1a", Key: "v1/a"}, {ID: "rest"}}}
	if err := d.Create(ctx, name); err != nil {
		t.Fatal(err)
	}
	if err := d.Create(ctx, name); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	for path, want := range map[string]string{"/v1": "v1", "/v1/b": "v1", "/v1/a/b": "v1a", "/v1/ab": "v1", "/v12": "rest", "/": "rest"} {
		m, base, known, err := d.Find(ctx, "Shop.example.com:8443", path)
		if err != nil || !known || m.ID != want || base != strings.TrimSuffix("/"+m.Key, "/") {
			t.Errorf("%s: %+v %q %v", path, m, base, err)
		}
	}
	if err := d.Change(ctx, "SHOP.example.com", func(n *Name) error { n.Mappings = n.Mappings[:1]; return nil }); err != nil {
		t.Fatal(err)
	}
	if m, _, known, err := d.Find(ctx, "shop.example.com", "/v2"); m != nil || !known || err != nil {
		t.Errorf("%+v %v %v", m, known, err)
	}
	if err := d.Remove(ctx, "shop.example.com"); err != nil {
		t.Fatal(err)
	}
	if has, err := d.Has(ctx, "shop.example.com"); has || err != nil {
		t.Errorf("%v %v", has, err)
	}
	if err := d.Remove(ctx, "shop.example.com"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := d.Create(ctx, name); err != nil { // again
		t.Error(err)
	}
	if all, err := d.All(ctx); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
}

func TestNamesAndBasePathsAreChecked(t *testing.T) {
	for name, ok := range map[string]bool{
		"shop.example.com": true, "localhost": false, "*.example.com": false, "Shop.example.com": false, "a..b": false, "-a.example": false,
		"127.0.0.1": false, "a_b.example": false, "a.example.": false, strings.Repeat("a.", 130) + "b": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for key, ok := range map[string]bool{"": true, "v1": true, "v1/a": true, "v1/": false, "/v1": false, "..": false, "a b": false, "a%2Fb": false} {
		if err := CheckKey(key, true); (err == nil) != ok {
			t.Errorf("%q: %v", key, err)
		}
	}
	if CheckKey("v1/a", false) == nil {
		t.Error("two segments")
	}
}
