package socket

import "github.com/prometheus/client_golang/prometheus"

// AWS's names of these are ConnectCount and MessageCount.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
type collector struct {
	hub                *Hub
	open, in, out, all *prometheus.Desc
}

// Metrics are those of the hub, to be registered.
func (h *Hub) Metrics() prometheus.Collector { return h.metrics }

func newMetrics(h *Hub) *collector {
	return &collector{
		hub:  h,
		open: prometheus.NewDesc("hearth_websockets", "WebSockets that are open.", []string{"api", "stage"}, nil),
		all:  prometheus.NewDesc("hearth_websockets_opened_total", "WebSockets that were opened.", nil, nil),
		in:   prometheus.NewDesc("hearth_websocket_messages_received_total", "Messages of clients.", nil, nil),
		out:  prometheus.NewDesc("hearth_websocket_messages_sent_total", "Messages to clients.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- c.open
	to <- c.all
	to <- c.in
	to <- c.out
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	type stage struct{ api, name string }
	open := make(map[stage]int)
	for _, s := range c.hub.list() {
		open[stage{s.socket.APIID, s.socket.Stage}]++
	}
	for s, n := range open {
		to <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(n), s.api, s.name)
	}
	to <- prometheus.MustNewConstMetric(c.all, prometheus.CounterValue, float64(c.hub.opened.Load()))
	to <- prometheus.MustNewConstMetric(c.in, prometheus.CounterValue, float64(c.hub.received.Load()))
	to <- prometheus.MustNewConstMetric(c.out, prometheus.CounterValue, float64(c.hub.sent.Load()))
}
