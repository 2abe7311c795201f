package cloudwatch

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

type statisticSet struct{ SampleCount, Sum, Minimum, Maximum float64 }

type datum struct {
	MetricName        string
	Dimensions        []Dimension
	Timestamp         *time.Time
	Value             *float64
	StatisticValues   *statisticSet
	Values, Counts    []float64
	Unit              string
	StorageResolution int
}

type putInput struct {
	Namespace              string
	MetricData             []datum
	EntityMetricData       []any
	StrictEntityValidation bool
}

// Limits of PutMetricData.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
const (
	maxData   = 1000
	maxValues = 150
	oldest    = 14 * 24 * time.Hour
	newest    = 2 * time.Hour
)

// maxValue is the greatest value: 2^360.
var maxValue = math.Ldexp(1, 360)

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
func (s *service) putData(_ context.Context, in *putInput) (awsapi.None, error) {
	switch {
	case strings.HasPrefix(in.Namespace, "AWS/"), in.Namespace == Hearth:
		return awsapi.None{}, invalid("The value %.64s for parameter Namespace is not supported: this server writes it itself.", in.Namespace)
	case len(in.EntityMetricData) > 0:
		return awsapi.None{}, invalid("EntityMetricData is not supported: metrics have no entities here.")
	case len(in.MetricData) == 0:
		return awsapi.None{}, exception("MissingRequiredParameterException", "The parameter MetricData is required.")
	case len(in.MetricData) > maxData:
		return awsapi.None{}, invalid("The collection MetricData must not have a size greater than %d.", maxData)
	}
	now := s.Now()
	stats := make([]timeseries.Stat, len(in.MetricData))
	for n := range in.MetricData {
		d := &in.MetricData[n]
		if d.Timestamp == nil {
			d.Timestamp = &now
		}
		m := Metric{in.Namespace, d.MetricName, d.Dimensions}
		if err := m.check(); err != nil {
			return awsapi.None{}, err
		}
		if err := d.take(&stats[n], now); err != nil {
			return awsapi.None{}, err
		}
	}
	for n := range in.MetricData {
		d := &in.MetricData[n]
		series, err := s.Metrics.Series(Metric{in.Namespace, d.MetricName, d.Dimensions}, d.unit())
		if err != nil {
			return awsapi.None{}, err
		}
		s.Metrics.store.Add(*d.Timestamp, timeseries.Entry{Series: series, Stat: &stats[n]})
	}
	return awsapi.None{}, nil
}

func (d *datum) unit() string {
	if d.Unit == "" {
		return "None"
	}
	return d.Unit
}

// check refuses names that no metric can have.
func (m *Metric) check() error {
	names := []string{m.Namespace, m.MetricName}
	for n, d := range m.Dimensions {
		if d.Name == "" || d.Value == "" || d.Name[0] == ':' {
			return invalid("The dimension %.64q=%.64q is not valid.", d.Name, d.Value)
		}
		for _, before := range m.Dimensions[:n] {
			if before.Name == d.Name {
				return invalid("The dimension %.64s is given twice.", d.Name)
			}
		}
		names = append(names, d.Name, d.Value)
	}
	for _, name := range names {
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
			return invalid("The value %.64q must have printable ASCII characters only.", name)
		}
	}
	return nil
}

// take checks a datum, and adds its values.
func (d *datum) take(s *timeseries.Stat, now time.Time) error {
	given := 0
	for _, is := range []bool{d.Value != nil, d.StatisticValues != nil, d.Values != nil} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return combined("MetricData.%.64s must have one of Value, Values and StatisticValues.", d.MetricName)
	case d.Values == nil && d.Counts != nil:
		return combined("MetricData.%.64s has Counts and no Values.", d.MetricName)
	case len(d.Values) > maxValues || d.Values != nil && len(d.Values) == 0:
		return invalid("MetricData.%.64s must have from 1 to %d Values.", d.MetricName, maxValues)
	case d.Counts != nil && len(d.Counts) != len(d.Values):
		return invalid("MetricData.%.64s must have as many Counts as Values.", d.MetricName)
	case d.StorageResolution != 0 && d.StorageResolution != 1 && d.StorageResolution != 60:
		return invalid("The value %d for parameter StorageResolution is not supported: it is 1 or 60.", d.StorageResolution)
	case now.Sub(*d.Timestamp) > oldest || d.Timestamp.Sub(now) > newest:
		return invalid("The Timestamp of MetricData.%.64s must be no more than two weeks ago and two hours ahead.", d.MetricName)
	}
	values, counts := d.Values, d.Counts
	if d.Value != nil {
		values = []float64{*d.Value}
	}
	if set := d.StatisticValues; set != nil {
		if set.SampleCount <= 0 || set.Minimum > set.Maximum || !inRange(set.SampleCount, set.Sum, set.Minimum, set.Maximum) {
			return invalid("The StatisticValues of MetricData.%.64s are not valid.", d.MetricName)
		}
		s.AddSums(set.SampleCount, set.Sum, set.Minimum, set.Maximum)
		return nil
	}
	for n, v := range values {
		count := 1.0
		if counts != nil {
			count = counts[n]
		}
		if !inRange(v, count) || count < 0 {
			return invalid("The value %v of MetricData.%.64s must be from -2^360 to 2^360.", v, d.MetricName)
		}
		if count > 0 {
			s.Add(v, count)
		}
	}
	return nil
}

func inRange(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.Abs(v) > maxValue {
			return false
		}
	}
	return true
}
