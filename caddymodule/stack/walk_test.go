package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func TestAWalkDoesEachAfterThoseItNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after := map[string][]string{"b": {"a"}, "c": {"a"}, "d": {"b", "c", "elsewhere"}, "e": {"e"}}
		var mu sync.Mutex
		var done []string
		w := walk{after: after, most: 2, do: func(_ context.Context, node string) error {
			mu.Lock()
			defer mu.Unlock()
			for _, needed := range after[node] {
				if needed != "elsewhere" && needed != node && !slices.Contains(done, needed) {
					t.Errorf("%s came before %s", node, needed)
				}
			}
			done = append(done, node)
			return nil
		}}
		if failed := w.run(t.Context(), []string{"d", "c", "b", "a", "e"}); len(failed) > 0 || len(done) != 5 {
			t.Errorf("failed %v, done %q", failed, done)
		}
	})
}

func TestAWalkLeavesWhatWaitsForAFailure(t *testing.T) {
	broken := errors.New("broken")
	for _, stop := range []bool{false, true} {
		var mu sync.Mutex
		var done []string
		w := walk{after: map[string][]string{"b": {"a"}, "d": {"c"}}, most: 1, stop: stop, do: func(_ context.Context, node string) error {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, node)
			if node == "a" {
				return broken
			}
			return nil
		}}
		failed := w.run(t.Context(), []string{"a", "b", "c", "d"})
		want := []string{"a", "c", "d"}
		if stop {
			want = want[:1]
		}
		if !slices.Equal(done, want) || len(failed) != 1 || !errors.Is(failed["a"], broken) {
			t.Errorf("stop %t: done %q, failed %v", stop, done, failed)
		}
	}
}

func TestGeneratedNamesFit(t *testing.T) {
	long := "a123456789012345678901234567890123456789012345678901234567890123"
	for _, names := range [][2]string{{"s", "L"}, {long + long, "L"}, {"s", long + long + long}, {long + long, long + long}} {
		w := &Work{stack: &Stack{Name: names[0]}, LogicalID: names[1]}
		for _, most := range []int{63, 64, 128} {
			if name := w.generate(most); len(name) > most || name[0] != names[0][0] || name == w.generate(most) {
				t.Errorf("%d of %.3s, %.3s: %q has %d characters", most, names[0], names[1], name, len(name))
			}
		}
	}
}

func FuzzPlaceOf(f *testing.F) {
	for _, address := range []string{"https://s3.us-east-1.amazonaws.com/b/a/k?versionId=1", "https://b.s3.amazonaws.com/k", "http://127.0.0.1:1/b/k", "s3://b/k", "https://x", "ftp://a/b/c", "://"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		bucket, key, _, err := placeOf(address)
		if err == nil && bucket == "" && key == "" {
			t.Errorf("%q names nothing", address)
		}
	})
}

func FuzzPlaceOfResponse(f *testing.F) {
	f.Add("/hearth-stacks/542951cd-ff69-4fc4-983d-83478f7d8250/ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	f.Add("/hearth-stacks/x/y")
	f.Fuzz(func(t *testing.T, path string) {
		of, name, ok := placeOfResponse(path)
		if ok && (len(of) > 256 || len(name) > 256) {
			t.Errorf("%q makes %q, %q", path, of, name)
		}
	})
}

func Example_placeOf() {
	for _, address := range []string{
		"https://s3.us-east-1.amazonaws.com/templates/a/t.json", "https://templates.s3.eu-west-1.amazonaws.com/t.json?versionId=7", "http://localhost:8080/templates/t.json",
	} {
		fmt.Println(placeOf(address))
	}
	// Output:
	// templates a/t.json  <nil>
	// templates t.json 7 <nil>
	// templates t.json  <nil>
}
