package schedule

import "github.com/prometheus/client_golang/prometheus"

// Metrics of an Engine.
type Metrics struct{ ticks, lost *prometheus.CounterVec }

func newMetrics() *Metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hearth_schedule_" + name, Help: help}, []string{"schedule"})
	}
	return &Metrics{
		ticks: counter("ticks_total", "Ticks of schedules that this node has told; of several nodes, each does."),
		lost:  counter("lost_ticks_total", "Ticks whose event could not be kept until the next one came."),
	}
}

// Metrics are the engine's, to be registered.
func (e *Engine) Metrics() *Metrics { return e.metrics }

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) { m.ticks.Describe(ch); m.lost.Describe(ch) }

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) { m.ticks.Collect(ch); m.lost.Collect(ch) }
