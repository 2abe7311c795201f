// Package metrics counts and times the requests of APIs, as CloudWatch's metrics for API
// Gateway do: Count, 4XXError, 5XXError, Latency and IntegrationLatency.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// maxRoutes bounds the routes that have metrics of their own. All further ones count as the
// route Other of the API Other.
const maxRoutes = 2000

// Other is the label of routes beyond maxRoutes.
const Other = "other"

// An Identity names a route of a stage of an API. Route "" is for requests that no route takes.
type Identity struct{ API, Stage, Route string }

// A Sample is what happened on a route since the sample before.
type Sample struct {
	Identity
	Name string // of the API
	REST bool

	// Latency has a value for each request, Integration for each that asked what is behind the
	// route. Both are in milliseconds.
	Latency, Integration timeseries.Stat
	Client, Server       int // answers with 4xx and 5xx
}

// APIs has the metrics of all APIs of a process. Metrics of a route go with it.
type APIs struct {
	count, errors        *prometheus.CounterVec
	latency, integration *prometheus.HistogramVec

	mu    sync.Mutex
	known map[Identity]*Route // guarded by mu, and so is the uses of each
}

// A Route has the metrics of one route.
type Route struct {
	id                   Identity
	uses                 int
	count                prometheus.Counter
	client, server       prometheus.Counter // errors
	latency, integration prometheus.Observer

	sampled sync.Mutex
	sample  Sample // guarded by sampled
}

// New makes metrics without routes.
func New() *APIs {
	labels := []string{"api", "stage", "route"}
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append(labels, more...))
	}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 30}}, labels)
	}
	return &APIs{
		count:       counter("hearth_api_requests_total", "Requests to APIs (Count)."),
		errors:      counter("hearth_api_errors_total", "Requests that were answered with an error, by its class (4XXError, 5XXError).", "class"),
		latency:     histogram("hearth_api_latency_seconds", "Time from a request to the end of its answer (Latency)."),
		integration: histogram("hearth_api_integration_latency_seconds", "Time that the function or the server behind a route took (IntegrationLatency)."),
		known:       make(map[Identity]*Route),
	}
}

// Collectors are what a registry takes.
func (a *APIs) Collectors() []prometheus.Collector {
	return []prometheus.Collector{a.count, a.errors, a.latency, a.integration}
}

// Retain gives the metrics of a route, until Release. name is that of its API, and rest says that
// it is a REST API.
func (a *APIs) Retain(id Identity, name string, rest bool) *Route {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known[id] == nil && len(a.known) >= maxRoutes {
		id, name, rest = Identity{Other, Other, Other}, Other, false
	}
	r := a.known[id]
	if r == nil {
		values := []string{id.API, id.Stage, id.Route}
		r = &Route{
			id: id, count: a.count.WithLabelValues(values...),
			client: a.errors.WithLabelValues(append(values, "4XX")...), server: a.errors.WithLabelValues(append(values, "5XX")...),
			latency: a.latency.WithLabelValues(values...), integration: a.integration.WithLabelValues(values...),
		}
		a.known[id] = r
	}
	r.uses++
	r.sampled.Lock()
	r.sample.Identity, r.sample.Name, r.sample.REST = id, name, rest
	r.sampled.Unlock()
	return r
}

// Release undoes Retain. The last one removes the metrics.
func (a *APIs) Release(r *Route) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.uses--; r.uses > 0 {
		return
	}
	delete(a.known, r.id)
	labels := prometheus.Labels{"api": r.id.API, "stage": r.id.Stage, "route": r.id.Route}
	a.count.DeletePartialMatch(labels)
	a.errors.DeletePartialMatch(labels)
	a.latency.DeletePartialMatch(labels)
	a.integration.DeletePartialMatch(labels)
}

// Observe counts a request that was answered with a status. integration is the time that what
// is behind the route took; below 0: nothing was asked.
func (r *Route) Observe(status int, latency, integration time.Duration) {
	r.count.Inc()
	switch {
	case status >= 500:
		r.server.Inc()
	case status >= 400:
		r.client.Inc()
	}
	r.latency.Observe(latency.Seconds())
	if integration >= 0 {
		r.integration.Observe(integration.Seconds())
	}
	r.sampled.Lock()
	defer r.sampled.Unlock()
	s := &r.sample
	s.Latency.Observe(milliseconds(latency))
	if integration >= 0 {
		s.Integration.Observe(milliseconds(integration))
	}
	switch {
	case status >= 500:
		s.Server++
	case status >= 400:
		s.Client++
	}
}

// milliseconds are whole microseconds: that is more than a clock is good for, and short to write.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)/time.Microsecond) / 1000
}

// Sample gives visit what has happened on each route since the last Sample. Routes without a
// request are not visited. A sample is good during the call of visit, and one goroutine calls
// Sample at a time. What a route did just before its last Release may be lost.
func (a *APIs) Sample(visit func(*Sample)) {
	a.mu.Lock()
	routes := make([]*Route, 0, len(a.known))
	for _, r := range a.known {
		routes = append(routes, r)
	}
	a.mu.Unlock()
	var one Sample
	for _, r := range routes {
		one.Latency.Reset()
		one.Integration.Reset()
		one.Client, one.Server = 0, 0
		r.sampled.Lock()
		if r.sample.Latency.Count == 0 {
			r.sampled.Unlock()
			continue
		}
		one.Identity, one.Name, one.REST = r.sample.Identity, r.sample.Name, r.sample.REST
		one, r.sample = r.sample, one // each has the buckets of one of them
		r.sampled.Unlock()
		visit(&one)
	}
}
