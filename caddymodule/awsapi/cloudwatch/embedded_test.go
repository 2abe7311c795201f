package cloudwatch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

const embedded = `{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["service"],["service","kind"]],"Metrics":[{"Name":"orders","Unit":"Count"},{"Name":"sizes"}]}]},"service":"pay","kind":"a","orders":3,"sizes":[1,2,3],"request":"x"}`

func newEmbedded(t testing.TB) *Embedded {
	store, err := timeseries.Open(timeseries.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &Embedded{Metrics: NewMetrics(store)}
}

func TestMetricsInLogLinesAreTaken(t *testing.T) {
	e, now := newEmbedded(t), time.Now()
	line := []byte(fmt.Sprintf(embedded, now.UnixMilli()))
	logged := append([]byte("2026-11-29T12:00:00.000Z\t8f5d\tINFO\t"), line...)
	if !bytes.Equal(EmbeddedIn(line), line) || !bytes.Equal(EmbeddedIn(logged), line) || EmbeddedIn([]byte(`{"message":"_aws"}`)) != nil || EmbeddedIn(nil) != nil {
		t.Fatal("lines are told apart wrongly")
	}
	if err := e.Take("g", line, now); err != nil {
		t.Fatal(err)
	}
	r := rangeOf(now.Add(-time.Minute), now.Add(time.Minute), 7200)
	all, err := e.Metrics.read(t.Context(), []wish{
		{Metric{"Shop", "orders", []Dimension{{"service", "pay"}}}, ""}, {Metric{"Shop", "sizes", []Dimension{{"kind", "a"}, {"service", "pay"}}}, "None"},
	}, r)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(stats []*timeseries.Stat) (sum float64) {
		for _, s := range stats {
			if s != nil {
				sum += s.Sum
			}
		}
		return sum
	}
	if sum(all[0]) != 3 || sum(all[1]) != 6 {
		t.Errorf("%v and %v", sum(all[0]), sum(all[1]))
	}
	for n := range 2 * maxOfGroup {
		line := fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":[["d"]],"Metrics":[{"Name":"m"}]}]},"d":"%d","m":1}`, now.UnixMilli(), n)
		if err := e.Take("g", []byte(line), now); (err != nil) != (n >= maxOfGroup-4) {
			t.Fatalf("series %d: %v", n, err)
		}
	}
	if err := e.Take("g", line, now); err != nil {
		t.Errorf("metrics that are there are not taken any more: %v", err)
	}
}

func TestALineHasSoManyMetrics(t *testing.T) {
	e, now := newEmbedded(t), time.Now()
	metrics := strings.Repeat(`{"Name":"m"},`, maxDefinitions-1) + `{"Name":"m"}`
	sets := strings.Repeat(`["d"],`, 9) + `["d"]`
	directive := fmt.Sprintf(`{"Namespace":"N","Dimensions":[%s],"Metrics":[%s]}`, sets, metrics)
	line := fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[%s]},"d":"1","m":1}`, now.UnixMilli(), directive)
	if err := e.Take("g", []byte(line), now); err != nil {
		t.Errorf("%d metrics of a line: %v", maxOfLine, err)
	}
	line = strings.Replace(line, directive, directive+","+directive, 1)
	if err := e.Take("g", []byte(line), now); err == nil {
		t.Errorf("twice as many metrics are taken")
	}
	all, err := e.Metrics.read(t.Context(), []wish{{Metric{"N", "m", []Dimension{{"d", "1"}}}, ""}}, rangeOf(now.Add(-time.Minute), now.Add(time.Minute), 7200))
	if err != nil {
		t.Fatal(err)
	}
	count := 0.0
	for _, s := range all[0] {
		if s != nil {
			count += s.Count
		}
	}
	if count != 2*maxOfLine {
		t.Errorf("%v values of two lines", count)
	}
}

func FuzzEmbedded(f *testing.F) {
	now := time.Now()
	f.Add([]byte(fmt.Sprintf(embedded, now.UnixMilli())))
	f.Fuzz(func(t *testing.T, line []byte) {
		if part := EmbeddedIn(line); part != nil {
			_ = newEmbedded(t).Take("g", part, now)
		}
	})
}
