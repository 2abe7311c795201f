package registry_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// TestWritersOfTwoNodesNeverLeaveAnAliasWithoutItsVersion lets two nodes that
// share records publish, point aliases and delete versions at once.
func TestWritersOfTwoNodesNeverLeaveAnAliasWithoutItsVersion(t *testing.T) {
	store := openStore(t)
	nodes := []*registry.Registry{on(t, store), on(t, store)}
	mustCreate(t, nodes[0], "f")
	expected := []error{registry.ErrConflict, registry.ErrNotFound}
	var group sync.WaitGroup
	var mu sync.Mutex
	published := map[string]string{} // code by version
	for worker := range 4 {
		random, r := rand.New(rand.NewPCG(1, uint64(worker))), nodes[worker%2]
		group.Go(func() {
			for i := range 60 {
				version, alias := fmt.Sprint(1+random.IntN(20)), fmt.Sprint("a", random.IntN(3))
				var err error
				switch random.IntN(4) {
				case 0:
					code := fmt.Sprint("code", worker, "-", i)
					if _, err = r.Update(ctx, "f", "", func(v *registry.Version) error { v.Code.SHA256 = code; return nil }); err == nil {
						var v registry.Version
						if v, err = r.Publish(ctx, "f", registry.PublishRequest{}); err == nil {
							mu.Lock()
							if have, ok := published[v.Version]; ok && have != v.Code.SHA256 {
								t.Errorf("version %s is %s and %s", v.Version, have, v.Code.SHA256)
							}
							published[v.Version] = v.Code.SHA256
							mu.Unlock()
						}
					}
				case 1:
					_, err = r.CreateAlias(ctx, "f", registry.Alias{Name: alias, FunctionVersion: version})
				case 2:
					_, err = r.UpdateAlias(ctx, "f", alias, "", func(a *registry.Alias) error { a.FunctionVersion = version; return nil })
				case 3:
					err = r.DeleteVersion(ctx, "f", version)
				}
				if err != nil && !errors.Is(err, expected[0]) && !errors.Is(err, expected[1]) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	aliases, _, err := nodes[0].Aliases(ctx, "f", "", "", 10)
	if err != nil || len(aliases) == 0 {
		t.Fatalf("%v, %v: the test shows little", aliases, err)
	}
	fresh := on(t, store)
	for _, a := range aliases {
		if _, err := fresh.Resolve(ctx, "f", a.Name); err != nil {
			t.Errorf("alias %s points to version %s: %v", a.Name, a.FunctionVersion, err)
		}
		for i, node := range nodes {
			until(t, fmt.Sprint("node ", i, " knows what alias ", a.Name, " runs"), func() bool {
				return runs(t, node, "f", a.Name) == runs(t, fresh, "f", a.Name)
			})
		}
	}
}
