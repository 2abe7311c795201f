package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gather is the value of each counter, and the number of samples of each histogram.
func gather(t *testing.T, a *APIs) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	for _, c := range a.Collectors() {
		registry.MustRegister(c)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			all[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	a := New()
	id := Identity{"shop", "live", "GET /items"}
	r := a.Retain(id, "Shop", false)
	for status, integration := range map[int]time.Duration{200: time.Millisecond, 404: time.Millisecond, 403: -1, 502: time.Second} {
		r.Observe(status, time.Second, integration)
	}
	all := gather(t, a)
	for name, want := range map[string]float64{
		"hearth_api_requests_total shop GET /items live":              4,
		"hearth_api_errors_total shop 4XX GET /items live":            2,
		"hearth_api_errors_total shop 5XX GET /items live":            1,
		"hearth_api_latency_seconds shop GET /items live":             4,
		"hearth_api_integration_latency_seconds shop GET /items live": 3,
	} {
		if all[name] != want {
			t.Errorf("%s: %g, want %g of %v", name, all[name], want, all)
		}
	}
	// A route that is made anew while the old one ends goes on.
	if again := a.Retain(id, "Shop", false); again != r {
		t.Error("the metrics of a route begin again")
	}
	a.Release(r)
	if len(gather(t, a)) == 0 {
		t.Error("the metrics of a route that is used are gone")
	}
	a.Release(r)
	if all := gather(t, a); len(all) > 0 {
		t.Errorf("left are %v", all)
	}
}

func TestSamplesHaveWhatHappenedSinceTheLast(t *testing.T) {
	a := New()
	r := a.Retain(Identity{"shop", "live", "GET /items"}, "Shop", true)
	defer a.Release(r)
	a.Retain(Identity{"shop", "live", "GET /"}, "Shop", true) // nobody asks for it
	for range 2 {
		r.Observe(200, 3*time.Millisecond, time.Millisecond)
		r.Observe(503, 5*time.Millisecond, -1)
		r.Observe(404, 5*time.Millisecond, -1)
		n := 0
		a.Sample(func(s *Sample) {
			n++
			if s.API != "shop" || s.Name != "Shop" || !s.REST || s.Route != "GET /items" || s.Latency.Count != 3 || s.Latency.Sum != 13 || s.Integration.Count != 1 || s.Client != 1 || s.Server != 1 {
				t.Errorf("%+v", s)
			}
		})
		if n != 1 {
			t.Errorf("%d samples", n)
		}
	}
}

func TestManyRoutesCountAsOne(t *testing.T) {
	a := New()
	var routes []*Route
	for n := range maxRoutes + 10 {
		routes = append(routes, a.Retain(Identity{"shop", "live", fmt.Sprint(n)}, "Shop", false))
	}
	for _, r := range routes {
		r.Observe(200, 0, -1)
	}
	if all := gather(t, a); all["hearth_api_requests_total other other other"] != 10 {
		t.Errorf("%g", all["hearth_api_requests_total other other other"])
	}
	for _, r := range routes {
		a.Release(r)
	}
	if all := gather(t, a); len(all) > 0 {
		t.Errorf("left are %d", len(all))
	}
}

func BenchmarkObserve(b *testing.B) {
	r := New().Retain(Identity{"shop", "live", "GET /items"}, "Shop", false)
	for b.Loop() {
		r.Observe(200, time.Millisecond, time.Millisecond)
	}
}
