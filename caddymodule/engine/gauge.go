package engine

import (
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A Gauge is the value of a metric now, summed over functions.
type Gauge struct {
	Labels map[string]string `json:"labels,omitempty"`
	Value  float64           `json:"value"`
}

// Gauges are the metrics of this node by their names, without histograms. They are those of the
// metrics page, and have no label with a function's name: there may be thousands.
func (e *Engine) Gauges() (map[string][]Gauge, error) {
	s := e.current.Load()
	gatherer, is := s.Metrics.(prometheus.Gatherer)
	if !is {
		return nil, errors.New("the metrics of this server cannot be read")
	}
	families, err := gatherer.Gather()
	if err != nil {
		return nil, err
	}
	all := make(map[string][]Gauge)
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "hearth_") {
			continue
		}
		sums := make(map[string]int)
		for _, m := range family.GetMetric() {
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
			if m.GetHistogram() != nil {
				continue
			}
			labels, key := make(map[string]string), ""
			for _, pair := range m.GetLabel() {
				if pair.GetName() != "function" {
					labels[pair.GetName()] = pair.GetValue()
					key += pair.GetName() + "\xff" + pair.GetValue() + "\xff"
				}
			}
			at, known := sums[key]
			if !known {
				at = len(all[family.GetName()])
				sums[key] = at
				all[family.GetName()] = append(all[family.GetName()], Gauge{Labels: labels})
			}
			all[family.GetName()][at].Value += value
		}
	}
	return all, nil
}
