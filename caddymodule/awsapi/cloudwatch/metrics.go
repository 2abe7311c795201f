package cloudwatch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// Metrics are all metrics that there are, and their values.
type Metrics struct {
	store *timeseries.Store

	mu    sync.Mutex
	units map[string][]string // by a metric's id; guarded by mu
}

// NewMetrics reads which metrics a store has.
func NewMetrics(store *timeseries.Store) *Metrics {
	m := &Metrics{store: store, units: make(map[string][]string)}
	store.Each(func(key string, _ time.Time) {
		if metric, unit, ok := ofKey(key); ok {
			id := metric.id()
			m.units[id] = append(m.units[id], unit)
		}
	})
	return m
}

// Series is the series of a metric's values in a unit. The error is timeseries.ErrFull.
func (m *Metrics) Series(metric Metric, unit string) (*timeseries.Series, error) {
	metric = metric.sorted()
	series, err := m.store.Series(metric.key(unit))
	if err != nil {
		return nil, err
	}
	id := metric.id()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.units[id], unit) {
		m.units[id] = append(m.units[id], unit)
	}
	return series, nil
}

// has reports whether there is a series of a metric's values in a unit.
func (m *Metrics) has(metric Metric, unit string) bool {
	metric = metric.sorted()
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.units[metric.id()], unit)
}

// A wish is for the values of a metric; unit "" is for those in any.
type wish struct {
	Metric
	unit string
}

// read gives the Stats of the periods of a range for each wish, nil where there are none.
func (m *Metrics) read(ctx context.Context, wishes []wish, r timeseries.Range) ([][]*timeseries.Stat, error) {
	var keys []string
	spans := make([][2]int, len(wishes)) // where in keys those of a wish are
	m.mu.Lock()
	for n := range wishes {
		begin := len(keys)
		w := &wishes[n]
		m.simplify(&w.Metric)
		if v, ok := w.view(); ok {
			if w.unit == "" || w.unit == "Count" {
				base := w.Metric
				base.MetricName = v.calls
				keys = append(keys, base.key(v.unit))
				if v.hits != "" {
					keys = append(keys, w.key("Count"))
				}
			}
		} else if w.unit != "" {
			keys = append(keys, w.key(w.unit))
		} else {
			for _, unit := range m.units[w.id()] {
				keys = append(keys, w.key(unit))
			}
		}
		spans[n] = [2]int{begin, len(keys)}
	}
	m.mu.Unlock()
	all, err := m.store.Read(ctx, keys, r)
	if err != nil {
		return nil, err
	}
	out := make([][]*timeseries.Stat, len(wishes))
	for n := range wishes {
		found := all[spans[n][0]:spans[n][1]]
		if v, ok := wishes[n].view(); ok && len(found) > 0 {
			out[n] = v.all(found)
			continue
		}
		out[n] = merged(found)
	}
	return out, nil
}

// simplify takes the dimension Resource from the metric of a function, if nobody has called it by
// another: then the function has the same values. It needs mu.
func (m *Metrics) simplify(metric *Metric) {
	d := metric.Dimensions
	if len(d) != 2 || d[0].Name != "FunctionName" || d[1].Name != "Resource" || d[0].Value != d[1].Value || metric.Namespace != Lambda && metric.Namespace != Hearth {
		return
	}
	base := *metric
	if v, ok := metric.view(); ok {
		base.MetricName = v.calls
	}
	if m.units[base.id()] == nil {
		metric.Dimensions = d[:1]
	}
}

// all makes the values of the periods.
func (v view) all(found [][]*timeseries.Stat) []*timeseries.Stat {
	out := make([]*timeseries.Stat, len(found[0]))
	for n := range out {
		var hits *timeseries.Stat
		if len(found) > 1 {
			hits = found[1][n]
		}
		out[n] = v.of(found[0][n], hits)
	}
	return out
}

func merged(all [][]*timeseries.Stat) []*timeseries.Stat {
	if len(all) == 0 {
		return nil
	}
	for _, more := range all[1:] {
		for n, s := range more {
			switch {
			case s == nil:
			case all[0][n] == nil:
				all[0][n] = s
			default:
				all[0][n].Merge(s)
			}
		}
	}
	return all[0]
}
