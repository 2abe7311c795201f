package cloudwatch

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// A statistic makes a number of the values of a period. ok is false if they have none.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
type statistic func(s *timeseries.Stat) (v float64, ok bool)

// finite is a statistic without what is no number: the average of values that are given as a great
// sum of few may be infinite.
func finite(of statistic) statistic {
	return func(s *timeseries.Stat) (v float64, ok bool) {
		v, ok = of(s)
		return v, ok && !math.IsInf(v, 0) && !math.IsNaN(v)
	}
}

// simple are the statistics that every alarm and graph can have.
func simple(name string) statistic {
	switch name {
	case "SampleCount":
		return func(s *timeseries.Stat) (float64, bool) { return s.Count, true }
	case "Sum":
		return func(s *timeseries.Stat) (float64, bool) { return s.Sum, true }
	case "Average":
		return finite(func(s *timeseries.Stat) (float64, bool) { return s.Sum / s.Count, true })
	case "Minimum":
		return func(s *timeseries.Stat) (float64, bool) { return s.Min, true }
	case "Maximum":
		return func(s *timeseries.Stat) (float64, bool) { return s.Max, true }
	}
	return nil
}

var (
	percentile = regexp.MustCompile(`^p(100|\d{1,2}(?:\.\d{1,10})?)$`)
	trimmed    = regexp.MustCompile(`^(tm|wm|tc|ts)(100|\d{1,2}(?:\.\d{1,10})?)$`)
	ranged     = regexp.MustCompile(`^(TM|WM|TC|TS|PR)\((\d+(?:\.\d+)?)?(%?):(\d+(?:\.\d+)?)?(%?)\)$`)
)

// parseStatistic reads the name of a statistic.
func parseStatistic(name string) (statistic, error) {
	if s := simple(name); s != nil {
		return s, nil
	}
	if m := percentile.FindStringSubmatch(name); m != nil {
		q := number(m[1]) / 100
		return func(s *timeseries.Stat) (float64, bool) { return s.Quantile(q) }, nil
	}
	if name == "IQM" {
		name = "TM(25%:75%)"
	}
	if m := trimmed.FindStringSubmatch(name); m != nil {
		name = strings.ToUpper(m[1]) + "(0%:" + m[2] + "%)"
	}
	if m := ranged.FindStringSubmatch(name); m != nil && m[2]+m[4] != "" {
		if s := rangeStatistic(m); s != nil {
			return finite(s), nil
		}
	}
	return nil, invalid("The value %.64s for parameter Stat is not supported.", name)
}

func number(text string) float64 {
	v, _ := strconv.ParseFloat(text, 64) // an expression has matched digits
	return v
}

// rangeStatistic is a statistic of the values between two bounds, which are values, or with %
// percentiles.
func rangeStatistic(m []string) statistic {
	kind, percent := m[1], m[3] == "%" || m[5] == "%"
	if percent && (m[2] != "" && m[3] == "" || m[4] != "" && m[5] == "") || percent && kind == "PR" || kind == "WM" && !percent {
		return nil
	}
	low, high := math.Inf(-1), math.Inf(1)
	if m[2] != "" {
		low = number(m[2])
	}
	if m[4] != "" {
		high = number(m[4])
	}
	if percent && high > 100 || low >= high {
		return nil
	}
	return func(s *timeseries.Stat) (float64, bool) {
		from, to := low, high
		if percent {
			from, to = math.Inf(-1), s.Max
			ok := true
			if low > 0 {
				from, ok = s.Quantile(low / 100)
			}
			if high < 100 && ok {
				to, ok = s.Quantile(high / 100)
			}
			if !ok {
				return 0, false
			}
			if s.Min == s.Max {
				from, to = math.Inf(-1), s.Max
			}
		}
		count, sum, ok := s.Between(from, to)
		if !ok {
			return 0, false
		}
		switch kind {
		case "TC":
			return count, true
		case "TS":
			return sum, true
		case "PR":
			return count / s.Count * 100, true
		case "WM": // what is outside counts with the bound
			below, _, _ := s.Between(math.Inf(-1), from)
			sum += (s.Count - count - below) * to
			if below > 0 {
				sum += below * from
			}
			return sum / s.Count, true
		}
		return sum / count, count > 0
	}
}
