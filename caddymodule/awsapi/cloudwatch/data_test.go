package cloudwatch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// newMeasured is a service with the metric N/m, whose values of now are given by number, sum, least and
// greatest.
func newMeasured(t *testing.T, count, sum, least, greatest float64) (*service, Metric) {
	store, err := timeseries.Open(timeseries.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := newService(Config{Metrics: NewMetrics(store), Account: function.Account{ID: "000000000000", Region: "us-east-1"}})
	m := Metric{Namespace: "N", MetricName: "m"}
	series, err := s.Metrics.Series(m, "None")
	if err != nil {
		t.Fatal(err)
	}
	var stat timeseries.Stat
	stat.AddSums(count, sum, least, greatest)
	store.Add(time.Now(), timeseries.Entry{Series: series, Stat: &stat})
	return s, m
}

func TestRangesOfCenturiesAreRead(t *testing.T) {
	s, m := newMeasured(t, 1, 7, 7, 7)
	const period = 366 * 86400
	start, end := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	got, err := s.getData(t.Context(), &dataInput{
		StartTime: start, EndTime: end, MetricDataQueries: []dataQuery{{Id: "a", MetricStat: &metricStat{Metric: m, Period: period, Stat: "Sum"}}},
	})
	if err != nil || len(got.MetricDataResults[0].Values) != 1 || got.MetricDataResults[0].Values[0] != 7 {
		t.Errorf("got %+v: %v", got, err)
	}
	_, err = s.getStatistics(t.Context(), &statisticsInput{Namespace: "N", MetricName: "m", StartTime: start, EndTime: end, Period: period, Statistics: []string{"Sum"}})
	if err == nil || !strings.Contains(err.Error(), "exceeds the limit of 1440") {
		t.Errorf("more data points than there may be: %v", err)
	}
}

func TestAnswersHaveNoInfiniteValues(t *testing.T) {
	s, m := newMeasured(t, 5e-324, 1e100, 1, 2) // a great sum of few
	now := time.Now()
	data, err := s.getData(t.Context(), &dataInput{StartTime: now.Add(-time.Hour), EndTime: now.Add(time.Minute), MetricDataQueries: []dataQuery{
		{Id: "average", MetricStat: &metricStat{Metric: m, Period: 60, Stat: "Average"}},
		{Id: "m", MetricStat: &metricStat{Metric: m, Period: 60, Stat: "Sum"}},
		{Id: "sum", Expression: "SUM([m*1" + strings.Repeat("0", 208) + ", m*1" + strings.Repeat("0", 208) + "])"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(data); err != nil {
		t.Errorf("GetMetricData: %v", err)
	} else if got := fmt.Sprint(len(data.MetricDataResults[0].Values), len(data.MetricDataResults[1].Values), len(data.MetricDataResults[2].Values)); got != "0 1 0" {
		t.Errorf("%s values in %s", got, text)
	}
	statistics, err := s.getStatistics(t.Context(), &statisticsInput{
		Namespace: "N", MetricName: "m", StartTime: now.Add(-time.Hour), EndTime: now.Add(time.Minute), Period: 60, Statistics: []string{"Average", "Sum"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(statistics); err != nil || len(statistics.Datapoints) != 1 || statistics.Datapoints[0].Average != nil || statistics.Datapoints[0].Sum == nil {
		t.Errorf("GetMetricStatistics: %s: %v", text, err)
	}
}

func TestExpressionsOfACallAreBoundedTogether(t *testing.T) {
	s, m := newMeasured(t, 1, 1, 1, 1)
	now := time.Now()
	in := &dataInput{StartTime: now.Add(-maxPeriods * time.Minute / 2), EndTime: now, MetricDataQueries: []dataQuery{{Id: "m", MetricStat: &metricStat{Metric: m, Period: 60, Stat: "Sum"}}}}
	for n := range 200 {
		in.MetricDataQueries = append(in.MetricDataQueries, dataQuery{Id: fmt.Sprintf("e%d", n), Expression: "m+1"})
	}
	if _, err := s.getData(t.Context(), in); err == nil || !strings.Contains(err.Error(), "calculate more than") {
		t.Errorf("ten million values more than there may be: %v", err)
	}
	in.MetricDataQueries = in.MetricDataQueries[:100]
	if _, err := s.getData(t.Context(), in); err != nil {
		t.Error(err)
	}
}
