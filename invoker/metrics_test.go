package invoker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMetricsOfAFunctionGoWhenItAndItsEventsAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.start()
		metrics := prometheus.NewRegistry()
		metrics.MustRegister(w.Metrics())
		// has are the series of a function.
		has := func(name string) (n int) {
			t.Helper()
			families, err := metrics.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					for _, label := range m.GetLabel() {
						if label.GetName() == "function" && label.GetValue() == name {
							n++
						}
					}
				}
			}
			return n
		}
		w.push("f", `{}`)
		w.push("gone", `{}`)
		time.Sleep(time.Second)
		if f, gone := has("f"), has("gone"); f == 0 || gone == 0 {
			t.Fatalf("%d series of a function, and %d of one whose event is kept aside; want some of both", f, gone)
		}
		page, _, err := w.Events(t.Context(), "gone", true, "", 10)
		if err != nil || len(page) != 1 {
			t.Fatalf("dead: %+v %v", page, err)
		}
		if err := w.Purge(t.Context(), page[0].ID); err != nil {
			t.Fatal(err)
		}
		if f, gone := has("f"), has("gone"); f == 0 || gone != 0 {
			t.Errorf("%d series of a function, and %d of one that is gone; want none of that", f, gone)
		}
	})
}
