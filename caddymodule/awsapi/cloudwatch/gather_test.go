package cloudwatch

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// node makes a node whose others are those that answers has.
func node(t *testing.T, missing []string, others ...func(ctx context.Context, question []byte) ([]byte, error)) *service {
	t.Helper()
	store, err := timeseries.Open(timeseries.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Metrics: NewMetrics(store)}
	if len(others) > 0 {
		c.Others = func(ctx context.Context, question []byte, take func([]byte) error) []string {
			missing := slices.Clone(missing)
			for n, ask := range others {
				answer, err := ask(ctx, question)
				if err == nil {
					err = take(answer)
				}
				if err != nil {
					t.Log(err)
					missing = append(missing, fmt.Sprint("other", n))
				}
			}
			return missing
		}
	}
	return newService(c)
}

func observe(t *testing.T, s *service, m Metric, unit string, at time.Time, values ...float64) {
	t.Helper()
	series, err := s.Metrics.Series(m, unit)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		stat := new(timeseries.Stat)
		stat.Observe(v)
		s.Metrics.store.Add(at, timeseries.Entry{Series: series, Stat: stat})
	}
}

func TestNodesAddUpWhatTheyHave(t *testing.T) {
	now := time.Now()
	duration := Metric{Lambda, "Duration", []Dimension{{"FunctionName", "f"}}}
	own := Metric{"Own", "size", nil}
	other := node(t, nil)
	answer := func(ctx context.Context, question []byte) ([]byte, error) {
		return other.Metrics.Answer(ctx, question, now)
	}
	s := node(t, []string{"gone"}, answer, func(ctx context.Context, question []byte) ([]byte, error) {
		whole, err := answer(ctx, question)
		return whole[:len(whole)-1], err // nothing of it counts
	})
	observe(t, s, duration, "Milliseconds", now, 1, 2)
	observe(t, other, duration, "Milliseconds", now, 3, 4, 5)
	observe(t, other, own, "Bytes", now, 7, 9) // this node has none

	begin, end := now.Add(-time.Hour), now.Add(time.Hour)
	in := &dataInput{StartTime: begin, EndTime: end}
	for id, of := range map[string]metricStat{
		"sum": {duration, 7200, "Sum", ""}, "least": {duration, 60, "Minimum", ""}, "most": {duration, 86400, "Maximum", ""}, "p": {duration, 86400, "p50", ""},
		"calls": {Metric{Lambda, "Invocations", duration.Dimensions}, 86400, "Sum", ""}, "own": {own, 86400, "Average", ""},
	} {
		in.MetricDataQueries = append(in.MetricDataQueries, dataQuery{Id: id, MetricStat: &of})
	}
	out, err := s.getData(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"sum": 15, "least": 1, "most": 5, "calls": 5, "own": 8}
	for _, r := range out.MetricDataResults {
		if r.StatusCode != "PartialData" || len(r.Values) == 0 {
			t.Errorf("%s is %s %v", r.Id, r.StatusCode, r.Values)
			continue
		}
		total := 0.0
		for _, v := range r.Values { // a border between two periods may be in between
			total += v
		}
		if w, ok := want[r.Id]; ok && len(r.Values) == 1 && total != w {
			t.Errorf("%s is %v, want %v", r.Id, total, w)
		}
		if r.Id == "p" && (total < 2.9 || total > 3.1) {
			t.Errorf("the median is %v, want 3", total)
		}
	}
	if len(out.Messages) != 2 || out.Messages[0].Code != "PartialData" || out.Messages[0].Value != "The node gone does not answer. Its values are not in the results." {
		t.Errorf("the messages are %v", out.Messages)
	}

	stats, err := s.getStatistics(t.Context(), &statisticsInput{Namespace: "Own", MetricName: "size", StartTime: begin, EndTime: end, Period: 86400, Statistics: []string{"Sum"}})
	if err != nil || len(stats.Datapoints) != 1 || *stats.Datapoints[0].Sum != 16 || stats.Datapoints[0].Unit != "Bytes" {
		t.Errorf("statistics are %v (%v)", stats, err)
	}
}

func TestPagesOfMetricsAreOfAllNodes(t *testing.T) {
	now := time.Now()
	other := node(t, nil)
	s := node(t, nil, func(ctx context.Context, question []byte) ([]byte, error) {
		return other.Metrics.Answer(ctx, question, now)
	})
	for n := range 2 * listPage {
		m := Metric{"Own", fmt.Sprintf("m%04d", n), nil}
		if n%2 == 0 || n%5 == 0 {
			observe(t, s, m, "None", now, 1)
		}
		if n%2 == 1 {
			observe(t, other, m, "None", now, 1)
		}
	}
	var names []string
	in := &listInput{}
	for {
		out, err := s.listMetrics(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Metrics {
			names = append(names, m.MetricName)
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			break
		}
		if len(out.Metrics) != listPage {
			t.Fatalf("a page has %d metrics", len(out.Metrics))
		}
	}
	if len(names) != 2*listPage || !slices.IsSorted(names) || len(slices.Compact(names)) != 2*listPage {
		t.Errorf("%d metrics are listed", len(names))
	}
}

func FuzzAnswerOfAnotherNode(f *testing.F) {
	f.Add([]byte("\x05Bytes\x00"))
	f.Add([]byte("\x00\x04\x02\x00\x04\x04"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		r := &reading{Range: rangeOf(time.Unix(0, 0), time.Unix(240, 0), 60), wishes: make([]wish, 1), stats: make([][]*timeseries.Stat, 1), units: make([]string, 1)}
		if err := addAnswer([]*reading{r}, answer); err == nil {
			lineOf(r.stats[0], simple("Average"), r.Range)
		}
		_, _ = addIDs(nil, answer)
	})
}
