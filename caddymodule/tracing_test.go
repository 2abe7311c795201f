package caddymodule

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func TestTheFirstRuleThatMatchesSaysWhatIsTraced(t *testing.T) {
	none := 0.0
	s := newSampler(&Tracing{Sample: &none, Functions: map[string]float64{"orders": 1}, Rules: []*TracingRule{
		{Ratio: 0, Function: "orders", Source: "*:dull"}, {Ratio: 1, Function: "o*d*s", Source: "arn:*:busy"}, {Ratio: 1, Function: "pay-*"},
	}})
	for _, one := range []struct {
		function, source string
		traced           bool
	}{
		{"orders", "arn:aws:sqs:dull", false}, {"orders", "arn:aws:sqs:other", true}, {"orders", "", true}, {"odds", "arn:aws:sqs:busy", true},
		{"odd", "arn:aws:sqs:busy", false}, {"odds", "", false}, {"pay-", "", true}, {"pay-now", "kafka://a", true}, {"repay-now", "", false},
	} {
		p := sdktrace.SamplingParameters{ParentContext: t.Context(), TraceID: trace.TraceID{1, 8: 1}, Attributes: []attribute.KeyValue{
			attribute.String("faas.invoked_name", one.function), attribute.String("hearth.source", one.source),
		}}
		if got := s.ShouldSample(p).Decision == sdktrace.RecordAndSample; got != one.traced {
			t.Errorf("%+v: %v", one, got)
		}
	}
}
