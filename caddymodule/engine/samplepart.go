package engine

import (
	"context"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/metrics"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// asyncKinds are the kinds of the metrics that an Invoker samples.
var asyncKinds = map[string]int{
	invoker.AsyncEventsReceived: ofReceived, invoker.AsyncEventAge: ofEventAge, invoker.AsyncEventsDropped: ofDropped,
}

// deliveries writes what happened to events and batches. It needs mu.
func (s *sampler) deliveries() {
	d := s.delivery()
	if d == nil {
		return
	}
	add := func(name string, kind int, stat *timeseries.Stat) {
		for _, g := range []*gauge{s.gauge(name, ""), s.all} {
			s.entries = s.entries[:0]
			s.put(g, kind, stat)
			s.store.Add(s.at, s.entries...)
		}
	}
	d.invoker.Metrics().Sample(func(of invoker.Happening, stat *timeseries.Stat) { add(of.Function, asyncKinds[of.Metric], stat) })
	d.puller.Metrics().Sample(func(name string, stat *timeseries.Stat) { add(name, ofIteratorAge, stat) })
}

// requests writes what happened on the routes of APIs, and adds it up by stage and API. It needs mu.
func (s *sampler) requests() {
	s.apis.Sample(func(one *metrics.Sample) {
		name, value, kinds := "ApiId", one.API, httpKinds[:]
		if one.REST {
			name, value, kinds = "ApiName", one.Name, restKinds[:]
		}
		dimensions := []string{name, value}
		s.request(one, kinds, dimensions)
		dimensions = append(dimensions, "Stage", one.Stage)
		s.request(one, kinds, dimensions)
		if one.Route == "" {
			return // it is of no route
		}
		method, resource, found := strings.Cut(one.Route, " ")
		if !found {
			resource = method // $default
		}
		s.request(one, kinds, append(dimensions, "Method", method, "Resource", resource))
	})
	for g, sum := range s.called {
		s.entries = s.entries[:0]
		s.put(g, ofLatency, &sum.Latency)
		s.put(g, ofIntegration, &sum.Integration)
		s.count(g, ofClientErrors, sum.Client)
		s.count(g, ofServerErrors, sum.Server)
		s.store.Add(s.at, s.entries...)
	}
	clear(s.called)
}

// request adds what happened on a route to what has dimensions.
func (s *sampler) request(one *metrics.Sample, kinds []sampleKind, dimensions []string) {
	key := "api " + strings.Join(dimensions, " \x00") // no name of a function has a space
	g := s.gauges[key]
	if g == nil {
		g = newGauge(kinds, dimensions...)
		s.gauges[key] = g
	}
	sum := s.called[g]
	if sum == nil {
		sum = new(metrics.Sample)
		s.called[g] = sum
	}
	sum.Latency.Merge(&one.Latency)
	sum.Integration.Merge(&one.Integration)
	sum.Client += one.Client
	sum.Server += one.Server
}

// look writes what the node has now. It needs mu.
func (s *sampler) look() {
	total := [lastNodeKind]float64{}
	for p := range s.pools {
		l := p.Load()
		total[ofWaitingInvocations] += float64(l.Waiting)
		total[ofEnvironments] += float64(l.Starting + l.Idle + l.Busy + l.Ending)
		total[ofStems] += float64(l.Stems)
		total[ofMemoryBytes] += float64(l.MemoryMB) * (1 << 20)
	}
	if d := s.delivery(); d != nil {
		ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
		defer cancel()
		stats, err := d.invoker.Stats(ctx)
		for _, stat := range stats {
			total[ofEventsWaiting] += float64(stat.Waiting)
			total[ofEventsDead] += float64(stat.Dead)
		}
		if err == nil {
			s.measure(s.node, ofEventsWaiting, total[ofEventsWaiting])
			s.measure(s.node, ofEventsDead, total[ofEventsDead])
		}
	}
	if len(s.pools) == 0 {
		return
	}
	for _, kind := range []int{ofWaitingInvocations, ofEnvironments, ofStems, ofMemoryBytes} {
		s.measure(s.node, kind, total[kind])
	}
}
