package cloudwatch

import (
	"cmp"
	"context"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

type statisticsInput struct {
	Namespace, MetricName          string
	Dimensions                     []Dimension
	StartTime, EndTime             time.Time
	Period                         int64
	Statistics, ExtendedStatistics []string
	Unit                           string
}

type datapoint struct {
	Timestamp                                   awsapi.Time
	SampleCount, Average, Sum, Minimum, Maximum *float64           `json:",omitempty"`
	Unit                                        string             `json:",omitempty"`
	ExtendedStatistics                          map[string]float64 `json:",omitempty"`
}

type statisticsOutput struct {
	Label      string
	Datapoints []*datapoint
}

// maxStatistics is how many data points an answer of GetMetricStatistics has at most.
const maxStatistics = 1440

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
func (s *service) getStatistics(ctx context.Context, in *statisticsInput) (*statisticsOutput, error) {
	switch {
	case !in.StartTime.Before(in.EndTime):
		return nil, invalid("The parameter StartTime must be less than the parameter EndTime.")
	case len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0:
		return nil, exception("MissingRequiredParameterException", "The parameter Statistics or ExtendedStatistics must be specified.")
	}
	if err := checkPeriod(in.Period); err != nil {
		return nil, err
	}
	extended := make(map[string]statistic)
	for _, name := range in.ExtendedStatistics {
		stat, err := parseStatistic(name)
		if err != nil || simple(name) != nil {
			return nil, invalid("The value %.64s for parameter ExtendedStatistics is not supported.", name)
		}
		extended[name] = stat
	}
	r := rangeOf(in.StartTime, in.EndTime, in.Period)
	if n := periods(r); n > maxStatistics {
		return nil, combined("You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, maxStatistics)
	}
	m := Metric{in.Namespace, in.MetricName, in.Dimensions}.sorted()
	got := &reading{Range: r, wishes: []wish{{m, in.Unit}}}
	if _, err := s.gather(ctx, got); err != nil { // AWS's answer has no place for the nodes that are missing
		return nil, err
	}
	out := &statisticsOutput{in.MetricName, []*datapoint{}}
	for n, stat := range got.stats[0] {
		if stat == nil {
			continue
		}
		p := &datapoint{Timestamp: awsapi.Time(time.Unix(r.From.Unix()+int64(n)*in.Period, 0)), Unit: cmp.Or(got.units[0], "None")}
		p.put(stat, in.Statistics, extended)
		out.Datapoints = append(out.Datapoints, p)
	}
	return out, nil
}

func (p *datapoint) put(stat *timeseries.Stat, names []string, extended map[string]statistic) {
	for _, name := range names {
		v, ok := simple(name)(stat)
		if !ok {
			continue
		}
		switch name {
		case "SampleCount":
			p.SampleCount = &v
		case "Average":
			p.Average = &v
		case "Sum":
			p.Sum = &v
		case "Minimum":
			p.Minimum = &v
		case "Maximum":
			p.Maximum = &v
		}
	}
	for name, of := range extended {
		if v, ok := of(stat); ok {
			if p.ExtendedStatistics == nil {
				p.ExtendedStatistics = make(map[string]float64)
			}
			p.ExtendedStatistics[name] = v
		}
	}
}

// unit is that of a metric's values; "": it has none.
func (m *Metrics) unit(metric *Metric) string {
	if _, ok := metric.view(); ok {
		return "Count"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if units := m.units[metric.id()]; len(units) > 0 {
		return units[0]
	}
	return ""
}
