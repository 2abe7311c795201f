package cloudwatch

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// A Metric names what is measured.
type Metric struct {
	Namespace  string      `json:"Namespace"`
	MetricName string      `json:"MetricName"`
	Dimensions []Dimension `json:"Dimensions"` // in the order of their names
}

// A Dimension says of what a metric is.
type Dimension struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

// Namespaces of what this server measures itself.
const (
	Lambda     = "AWS/Lambda"
	APIGateway = "AWS/ApiGateway"
	Hearth     = "Hearth"
)

// Separators in the keys of series. No name has them.
const (
	part      = "\x00"
	dimension = "\x01"
)

// id is the metric as text: namespace, name, and the dimensions.
func (m *Metric) id() string {
	var b strings.Builder
	b.WriteString(m.Namespace)
	b.WriteString(part)
	b.WriteString(m.MetricName)
	for _, d := range m.Dimensions {
		b.WriteString(part)
		b.WriteString(d.Name)
		b.WriteString(dimension)
		b.WriteString(d.Value)
	}
	return b.String()
}

// key is that of the series of the values in a unit.
func (m *Metric) key(unit string) string { return unit + part + m.id() }

// ofKey is the metric and the unit of a key. ok is false for keys that key did not make.
func ofKey(key string) (m Metric, unit string, ok bool) {
	parts := strings.Split(key, part)
	if len(parts) < 3 {
		return m, "", false
	}
	m = Metric{Namespace: parts[1], MetricName: parts[2]}
	for _, text := range parts[3:] {
		name, value, ok := strings.Cut(text, dimension)
		if !ok {
			return m, "", false
		}
		m.Dimensions = append(m.Dimensions, Dimension{name, value})
	}
	return m, parts[0], true
}

// sorted is the metric with its dimensions in order.
func (m Metric) sorted() Metric {
	m.Dimensions = slices.Clone(m.Dimensions)
	slices.SortFunc(m.Dimensions, func(x, y Dimension) int { return cmp.Compare(x.Name, y.Name) })
	return m
}

// A view is how the values of a metric come of those of others, which AWS counts one by one: each
// invocation has a value of Invocations, which is 1, and one of Errors, which is 0 or 1.
type view struct {
	calls string // the metric that has a value for each call
	hits  string // the metric that has a value for each call that counts; "": all do
	unit  string // of calls
}

// viewed are the metrics that come of those whose values are calls, by namespace.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
var viewed = map[string]struct {
	calls, all string   // all has a value for each call, which is 1
	hits       []string // each has a value for each call, which is 1 or 0
}{
	Lambda:     {"Duration", "Invocations", []string{"Errors", "Throttles"}},
	APIGateway: {"Latency", "Count", []string{"4XXError", "5XXError", "4xx", "5xx"}},
}

// view is how the metric comes of others; not ok: it does not.
func (m *Metric) view() (v view, ok bool) {
	of, ok := viewed[m.Namespace]
	switch {
	case !ok:
		return v, false
	case m.MetricName == of.all:
		return view{of.calls, "", "Milliseconds"}, true
	case slices.Contains(of.hits, m.MetricName):
		return view{of.calls, m.MetricName, "Milliseconds"}, true
	}
	return v, false
}

// viewsOf are the metrics that come of m, if its values are calls. REST APIs have other names than
// HTTP APIs have.
func viewsOf(m Metric) (all []Metric) {
	of, ok := viewed[m.Namespace]
	if !ok || m.MetricName != of.calls {
		return nil
	}
	rest := len(m.Dimensions) > 0 && m.Dimensions[0].Name == "ApiName"
	for _, name := range append([]string{of.all}, of.hits...) {
		if m.Namespace == APIGateway && name != of.all && rest != strings.HasSuffix(name, "Error") {
			continue
		}
		m.MetricName = name
		all = append(all, m)
	}
	return all
}

// of makes the value of a period; nil: it has none.
func (v view) of(calls, hits *timeseries.Stat) *timeseries.Stat {
	n, k := 0.0, 0.0
	if calls != nil {
		n = calls.Count
	}
	if hits != nil {
		k = hits.Sum
	}
	if v.hits == "" {
		k = n
	}
	if n = max(n, k); n == 0 {
		return nil
	}
	s := new(timeseries.Stat)
	if k > 0 {
		s.Add(1, k)
	}
	if n > k {
		s.Add(0, n-k)
	}
	return s
}
