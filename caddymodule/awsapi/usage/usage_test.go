package usage

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway/usageplan"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestAPlanGoesOnUntilItChanges(t *testing.T) {
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(document.New(records), records)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		if err := records.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := context.Background()
	const value = "a-key-of-20-bytes-or-more"
	plan := Plan{Id: "p", Name: "p", Keys: []string{"k", "gone"}, ApiStages: []APIStage{{ApiId: "a", Stage: "live"}}, Quota: &Quota{Limit: 3, Period: "MONTH"}}
	put := func(name string, value any) {
		t.Helper()
		if err := p.Change(ctx, func(e *document.Edit) error { return e.Put(name, value) }); err != nil {
			t.Fatal(err)
		}
	}
	of := func(stage string) []*usageplan.Plan {
		t.Helper()
		plans, err := p.Of(ctx, "a", stage)
		if err != nil {
			t.Fatal(err)
		}
		return plans
	}
	put("key/k", Key{Id: "k", Enabled: true, Value: value})
	put("plan/p", plan)
	before := of("live")
	if len(before) != 1 || before[0].Find(value) == nil || len(of("other")) != 0 {
		t.Fatalf("%v", before)
	}
	if err := before[0].Find(value).Allow(""); err != nil {
		t.Error(err)
	}
	put("key/other", Key{Id: "other", Enabled: true, Value: value + "2"}) // of no plan
	if now := of("live"); now[0] != before[0] {
		t.Error("a plan that did not change was made anew")
	}
	plan.Description = "d"
	plan.Throttle = &Throttle{RateLimit: 1000, BurstLimit: 1000}
	put("plan/p", plan)
	after := of("live")
	if after[0] == before[0] {
		t.Error("a plan that changed is as before")
	}
	for n := range 3 {
		var want error
		if n == 2 { // one of the three was used before
			want = usageplan.ErrExhausted
		}
		if err := after[0].Find(value).Allow(""); !errors.Is(err, want) {
			t.Errorf("request %d: %v", n, err)
		}
	}
	put("key/k", Key{Id: "k", Value: value})
	if of("live")[0].Find(value) != nil {
		t.Error("a key that is not enabled opens")
	}
}
