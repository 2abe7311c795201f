package cluster

import "github.com/prometheus/client_golang/prometheus"

// Metrics of a Cluster.
type Metrics struct {
	cluster *Cluster
	handed  *prometheus.CounterVec
	nodes   *prometheus.Desc
}

func newMetrics(c *Cluster) *Metrics {
	return &Metrics{
		cluster: c,
		handed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_handoffs_total", Help: "Calls handed to other nodes (sent, refused, broken), and of other nodes (received, declined).",
		}, []string{"result"}),
		nodes: prometheus.NewDesc("hearth_nodes", "Nodes that live, this one included.", nil, nil),
	}
}

// Metrics are the cluster's, to be registered.
func (c *Cluster) Metrics() *Metrics { return c.metrics }

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.handed.Describe(ch)
	ch <- m.nodes
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.handed.Collect(ch)
	ch <- prometheus.MustNewConstMetric(m.nodes, prometheus.GaugeValue, float64(len(m.cluster.Members())))
}
