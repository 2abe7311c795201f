package cloudwatch

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

// The first action of each alarm fails. The second, and those of the next alarm, are done.
func TestActionsThatFailKeepNoOthersBack(t *testing.T) {
	s, m := newMeasured(t, 1, 7, 7, 7)
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	var told []string
	s.Store = document.New(records)
	s.Dispatch = func(_ context.Context, d *bus.Dispatch) error {
		if strings.HasSuffix(d.To, ":broken") {
			return errors.New("it fails")
		}
		told = append(told, d.Source)
		return nil
	}
	threshold := 1.0
	for _, name := range []string{"a", "b"} {
		if _, err := s.putAlarm(t.Context(), &alarmInput{
			AlarmName: name, MetricName: "none", Namespace: m.Namespace, Statistic: "Sum", Period: 60, EvaluationPeriods: 1, Threshold: &threshold, TreatMissingData: "breaching",
			ComparisonOperator: "LessThanThreshold", AlarmActions: []string{"arn:aws:lambda:us-east-1:000000000000:function:broken", "arn:aws:lambda:us-east-1:000000000000:function:f"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Evaluate(t.Context(), s.Config); err == nil {
		t.Error("nobody hears of the action that failed")
	}
	if want := []string{s.alarmARN("a"), s.alarmARN("b")}; !slices.Equal(told, want) {
		t.Errorf("told are %q, want %q", told, want)
	}
}
