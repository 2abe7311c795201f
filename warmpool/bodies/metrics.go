package bodies

import "github.com/prometheus/client_golang/prometheus"

type collector struct {
	budget             *Budget
	used, limit, count *prometheus.Desc
}

// Metrics returns the metrics of the budget.
func (b *Budget) Metrics() prometheus.Collector {
	return &collector{
		budget: b,
		used:   prometheus.NewDesc("hearth_body_memory_bytes", "Memory that bodies of requests and their events hold now.", nil, nil),
		limit:  prometheus.NewDesc("hearth_body_memory_limit_bytes", "Memory that they may have.", nil, nil),
		count:  prometheus.NewDesc("hearth_bodies_refused_total", "Requests whose body had no room.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- c.used
	to <- c.limit
	to <- c.count
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(c.used, prometheus.GaugeValue, float64(c.budget.Used()))
	to <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(c.budget.limit.Load()))
	to <- prometheus.MustNewConstMetric(c.count, prometheus.CounterValue, float64(c.budget.refused.Load()))
}
