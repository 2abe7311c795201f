package registry_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openStore(t testing.TB) state.Records {
	t.Helper()
	s, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// on starts a registry like one of the nodes that share records.
func on(t testing.TB, records state.Records, change ...func(*registry.Config)) *registry.Registry {
	t.Helper()
	c := registry.Config{Records: records, CodePath: func(c registry.Code) string { return "/code/" + c.SHA256 }}
	for _, f := range change {
		f(&c)
	}
	r, err := registry.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func open(t testing.TB, change ...func(*registry.Config)) *registry.Registry {
	t.Helper()
	return on(t, openStore(t), change...)
}

var ctx = context.Background()

func configuration() registry.Configuration {
	return registry.Configuration{
		Description: "d", Runtime: "nodejs22.x", Role: "arn:aws:iam::000000000000:role/r", Handler: "index.handler",
		MemorySize: 256, Timeout: 5, Environment: map[string]string{"STAGE": "test"},
	}
}

func mustCreate(t testing.TB, r *registry.Registry, name string) registry.Version {
	t.Helper()
	v, err := r.Create(ctx, name, configuration(), registry.Code{SHA256: "one", Size: 10}, registry.State{State: "Active"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustPublish(t testing.TB, r *registry.Registry, name, code string) registry.Version {
	t.Helper()
	if code != "" {
		setCode(t, r, name, code)
	}
	v, err := r.Publish(ctx, name, registry.PublishRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func setCode(t testing.TB, r *registry.Registry, name, code string) registry.Version {
	t.Helper()
	v, err := r.Update(ctx, name, "", func(v *registry.Version) error { v.Code.SHA256 = code; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error = %v, want %v", what, err, want)
	}
}

// runs resolves a qualifier and says which code it runs.
func runs(t testing.TB, r *registry.Registry, name, qualifier string) string {
	t.Helper()
	got, err := r.Resolve(ctx, name, qualifier)
	if err != nil {
		t.Fatalf("%s:%s: %v", name, qualifier, err)
	}
	if got.Function.Code != "/code/"+got.Code.SHA256 || got.Function.Version != got.Version.Version {
		t.Errorf("%s:%s: function of %s at %s, version of %s", name, qualifier, got.Function.Version, got.Function.Code, got.Version.Version)
	}
	return got.Code.SHA256
}

// until waits for what another node does within its time.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

const latest = function.Latest
