package invoker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// Metrics of an Invoker, named after CloudWatch's of asynchronous invocations.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
type Metrics struct {
	received, retries, throttles, dropped, buried, undelivered *prometheus.CounterVec
	age                                                        *prometheus.HistogramVec

	happened timeseries.Tally[Happening] // since the last Sample

	waiting, dead, oldest *prometheus.Desc
	invoker               *Invoker
	functions             sync.Map // names that have series
}

func newMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hearth_async_" + name, Help: help}, append([]string{"function"}, labels...))
	}
	return &Metrics{
		received:    counter("events_received_total", "Events accepted and kept (AsyncEventsReceived)."),
		retries:     counter("retries_total", "Attempts that failed and are made again."),
		throttles:   counter("throttles_total", "Times that an event waited because its function was throttled."),
		dropped:     counter("events_dropped_total", "Events given up (AsyncEventsDropped).", "condition"),
		buried:      counter("events_buried_total", "Events given up and kept aside, for want of a destination."),
		undelivered: counter("destination_delivery_failures_total", "Deliveries to a destination or dead-letter queue that failed (DestinationDeliveryFailures, DeadLetterErrors)."),
		age: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hearth_async_event_age_seconds", Help: "Age of events when their function is invoked (AsyncEventAge).",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 120, 300, 600, 1800, 3600, 21600},
		}, []string{"function"}),
		waiting: prometheus.NewDesc("hearth_async_events_waiting", "Events that wait, those being delivered included.", []string{"function"}, nil),
		dead:    prometheus.NewDesc("hearth_async_events_dead", "Events that are kept aside.", []string{"function"}, nil),
		oldest:  prometheus.NewDesc("hearth_async_oldest_event_seconds", "How long the event that is due first has been due.", []string{"function"}, nil),
	}
}

// Metrics are the invoker's, to be registered.
func (i *Invoker) Metrics() *Metrics { return i.metrics }

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
	ch <- m.waiting
	ch <- m.dead
	ch <- m.oldest
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	stats, err := m.invoker.Stats(ctx)
	if err == nil {
		m.forget(ctx, stats)
	}
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
	if err != nil {
		return // the store says so where it matters
	}
	now := time.Now()
	for _, s := range stats {
		ch <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(s.Waiting), s.Function)
		ch <- prometheus.MustNewConstMetric(m.dead, prometheus.GaugeValue, float64(s.Dead), s.Function)
		overdue := 0.0
		if !s.Due.IsZero() && s.Due.Before(now) {
			overdue = now.Sub(s.Due).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, overdue, s.Function)
	}
}

// count adds one to a function's counter.
func (m *Metrics) count(of *prometheus.CounterVec, function string, labels ...string) {
	m.remember(function)
	of.WithLabelValues(append([]string{function}, labels...)...).Inc()
}

// A Happening is what values of Sample are of.
type Happening struct {
	Function string
	Metric   string // one of AsyncEventsReceived, AsyncEventAge (milliseconds) and AsyncEventsDropped
}

// Names of the metrics that Sample gives.
const (
	AsyncEventsReceived = "AsyncEventsReceived"
	AsyncEventAge       = "AsyncEventAge"
	AsyncEventsDropped  = "AsyncEventsDropped"
)

// Sample gives visit what has happened since the last Sample.
func (m *Metrics) Sample(visit func(of Happening, s *timeseries.Stat)) { m.happened.Take(visit) }

func (m *Metrics) receive(function string) {
	m.count(m.received, function)
	m.happened.Add(Happening{function, AsyncEventsReceived}, 1, 1)
}

func (m *Metrics) drop(function, condition string) {
	m.count(m.dropped, function, condition)
	m.happened.Add(Happening{function, AsyncEventsDropped}, 1, 1)
}

// delivered notes how old an event is when its function is invoked.
func (m *Metrics) delivered(function string, age time.Duration) {
	m.remember(function)
	m.age.WithLabelValues(function).Observe(age.Seconds())
	m.happened.Add(Happening{function, AsyncEventAge}, float64(age.Round(time.Microsecond)/time.Microsecond)/1000, 1)
}

func (m *Metrics) remember(function string) {
	if _, known := m.functions.Load(function); !known {
		m.functions.Store(function, struct{}{})
	}
}

// forget drops the series of functions that are gone, once none of their events is stored: names
// that come and go would fill the memory, and each scrape.
func (m *Metrics) forget(ctx context.Context, stats []Stat) {
	m.functions.Range(func(key, _ any) bool {
		name := key.(string)
		if slices.ContainsFunc(stats, func(s Stat) bool { return s.Function == name }) {
			return true
		}
		if _, err := m.invoker.Lookup.Settings(ctx, name, function.Latest); errors.Is(err, registry.ErrNotFound) {
			m.functions.Delete(name)
			of := prometheus.Labels{"function": name}
			for _, v := range m.counters() {
				v.DeletePartialMatch(of)
			}
			m.age.DeletePartialMatch(of)
		}
		return ctx.Err() == nil
	})
}

const collectTimeout = 5 * time.Second

func (m *Metrics) counters() []*prometheus.CounterVec {
	return []*prometheus.CounterVec{m.received, m.retries, m.throttles, m.dropped, m.buried, m.undelivered}
}

func (m *Metrics) collectors() []prometheus.Collector {
	all := []prometheus.Collector{m.age}
	for _, v := range m.counters() {
		all = append(all, v)
	}
	return all
}
