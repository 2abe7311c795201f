package cloudwatch

import (
	"strings"
	"testing"
	"time"
)

func TestLabelsHaveWhatTheirDynamicPartsSay(t *testing.T) {
	zone, err := zoneOf("+0130")
	if err != nil {
		t.Fatal(err)
	}
	w := &labeller{now: time.Unix(7200, 0), zone: zone, account: "000000000000", region: "us-east-1"}
	l := newLine(0, 60, 5)
	for n, v := range map[int]float64{1: 4, 2: 1, 3: 2.5} {
		l.values[n], l.given[n] = v, true
	}
	metric := &metricStat{Metric: Metric{"AWS/Lambda", "Errors", []Dimension{{"FunctionName", "f"}}}, Period: 60, Stat: "Sum"}
	for label, want := range map[string]string{
		"plain $ and {braces}":           "plain $ and {braces}",
		"${LABEL}: ${SUM}":               "Errors: 7.5",
		"${AVG} ${MIN} ${MAX}":           "2.5 1 4",
		"${FIRST} ${LAST}":               "4 2.5",
		"${DATAPOINT_COUNT}":             "3",
		"${FIRST_LAST_RANGE}":            "1.5",
		"${MIN_MAX_RANGE}":               "3",
		"${MIN_MAX_TIME_RANGE}":          "1m0s",
		"${MAX_TIME}":                    "1970-01-01 01:31:00 +0130",
		"${LAST_TIME_RELATIVE}":          "1h57m0s",
		"${PROP('MetricName')}":          "Errors",
		"${PROP('Namespace')}":           "AWS/Lambda",
		"${PROP('Stat')}":                "Sum",
		"${PROP('Period')}":              "60",
		"${PROP('Region')}":              "us-east-1",
		"${PROP('AccountId')}":           "000000000000",
		"${PROP('Dim.Resource')}":        "--",
		"of ${PROP('Dim.FunctionName')}": "of f",
	} {
		got, err := w.label(&dataQuery{Id: "q", MetricStat: metric, Label: &label}, l)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", label, got, err, want)
		}
	}
	empty := "${MAX} at ${MAX_TIME} of ${DATAPOINT_COUNT}"
	if got, err := w.label(&dataQuery{Id: "q", Expression: "a", Label: &empty}, newLine(0, 60, 5)); err != nil || got != "-- at -- of 0" {
		t.Errorf("without values: %q, %v", got, err)
	}
	for label, want := range map[string]string{
		"${MEDIAN}":                  "${MEDIAN} in the label of q is not supported",
		"${PROP('Color')}":           "is not supported",
		"${NONE_TIME}":               "is not supported",
		strings.Repeat("${MAX} ", 7): "more than 6 dynamic values",
	} {
		if got, err := w.label(&dataQuery{Id: "q", MetricStat: metric, Label: &label}, l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", label, got, err, want)
		}
	}
	for _, zone := range []string{"0130", "+1", "UTC", "+01:30"} {
		if _, err := zoneOf(zone); err == nil {
			t.Errorf("the time zone %q is taken", zone)
		}
	}
}
