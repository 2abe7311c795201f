package pull

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// Metrics of an Engine.
type Metrics struct {
	records, failures, problems, givenUp *prometheus.CounterVec
	age                                  *prometheus.GaugeVec
	ages                                 timeseries.Tally[string] // IteratorAge by function since the last Sample
}

func newMetrics() *Metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hearth_mapping_" + name, Help: help}, []string{"function"})
	}
	return &Metrics{
		records:  counter("records_total", "Records that functions were invoked with."),
		failures: counter("failed_batches_total", "Batches that failed, and are tried again or given up."),
		problems: counter("source_problems_total", "Times that a source could not be polled."),
		givenUp:  counter("records_given_up_total", "Records of streams that were given up, after retries or for their age."),
		age: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hearth_mapping_iterator_age_seconds", Help: "How old the last record of the last batch was when the function had it (IteratorAge).",
		}, []string{"function", "source"}),
	}
}

// Metrics are the engine's, to be registered.
func (e *Engine) Metrics() *Metrics { return e.metrics }

// Sample gives visit the ages of the last records of the batches since the last Sample, in
// milliseconds (IteratorAge).
func (m *Metrics) Sample(visit func(function string, s *timeseries.Stat)) { m.ages.Take(visit) }

func (m *Metrics) observeAge(function, source string, age time.Duration) {
	m.age.WithLabelValues(function, source).Set(age.Seconds())
	m.ages.Add(function, float64(max(age, 0)/time.Millisecond), 1)
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.records, m.failures, m.problems, m.givenUp, m.age}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}
