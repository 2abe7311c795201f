// Package metrics counts and times the requests of APIs, as CloudWatch's metrics for API
// Gateway do: Count, 4XXError, 5XXError, Latency and IntegrationLatency.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxRoutes bounds the routes that have metrics of their own. All further ones count as the
// route Other of the API Other.
const maxRoutes = 2000

// Other is the label of routes beyond maxRoutes.
const Other = "other"

// An Identity names a route of a stage of an API. Route "" is for requests that no route takes.
type Identity struct{ API, Stage, Route string }

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

// Retain gives the metrics of a route, until Release.
func (a *APIs) Retain(id Identity) *Route {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known[id] == nil && len(a.known) >= maxRoutes {
		id = Identity{Other, Other, Other}
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
}
