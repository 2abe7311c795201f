package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// Scope is the service's name in signatures.
const Scope = "monitoring"

// Config of the service.
type Config struct {
	Metrics *Metrics
	Account function.Account
	Store   *document.Store // of alarms
	// Check says why this server cannot deliver to a topic.
	Check func(arn string) error
	// Dispatch keeps what an alarm tells a function or a topic. Once it returns nil, they get it.
	Dispatch func(ctx context.Context, d *bus.Dispatch) error
	Shared   bool             // several nodes have the documents in common, and metrics of their own
	Others   Others           // nil: this node is alone
	Now      func() time.Time // default time.Now
}

type service struct{ Config }

// maxBody is AWS's limit of PutMetricData, uncompressed, with room for its form, in bytes.
const maxBody = 4 << 20

func newService(c Config) *service {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &service{c}
}

// New makes the service.
func New(c Config) *awsapi.Service {
	s := newService(c)
	return &awsapi.Service{
		Model: newModel(),
		Operations: map[string]awsapi.Operation{
			"ListMetrics":         awsapi.Answer(s.listMetrics),
			"GetMetricData":       awsapi.Answer(s.getData),
			"GetMetricStatistics": awsapi.Answer(s.getStatistics),
			"PutMetricData":       awsapi.Answer(s.putData),

			"PutMetricAlarm":          awsapi.Answer(s.putAlarm),
			"DescribeAlarms":          awsapi.Answer(s.describeAlarms),
			"DescribeAlarmsForMetric": awsapi.Answer(s.describeForMetric),
			"DescribeAlarmHistory":    awsapi.Answer(s.describeHistory),
			"DeleteAlarms":            awsapi.Answer(s.deleteAlarms),
			"SetAlarmState":           awsapi.Answer(s.setState),
			"EnableAlarmActions":      awsapi.Answer(s.switchActions(true)),
			"DisableAlarmActions":     awsapi.Answer(s.switchActions(false)),

			"TagResource":         awsapi.Answer(s.tagResource),
			"UntagResource":       awsapi.Answer(s.untagResource),
			"ListTagsForResource": awsapi.Answer(s.listTags),
		},
		Unsupported: unsupported, Exception: exceptionOf, Invalid: "ValidationError", MaxBody: maxBody, Gzip: true,
	}
}

// unsupported says why an operation is not answered.
func unsupported(operation string) string {
	for _, reason := range []struct{ part, text string }{
		{"Dashboard", "there are no dashboards here: Grafana shows these metrics"},
		{"Anomaly", "anomalies are not detected here"},
		{"InsightRule", "there are no rules of Contributor Insights here"},
		{"MetricStream", "metrics are not streamed: scrape /metrics"},
		{"Widget", "graphs are not drawn here"},
		{"Composite", "there are alarms of metrics alone"},
		{"Contributor", "alarms have no contributors here"},
	} {
		if strings.Contains(operation, reason.part) {
			return reason.text
		}
	}
	return "this server has metrics and alarms"
}

func exception(name, format string, args ...any) error {
	return &awsapi.Exception{Name: name, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return exception("InvalidParameterValueException", format, args...)
}

func combined(format string, args ...any) error {
	return exception("InvalidParameterCombinationException", format, args...)
}

func exceptionOf(err error) *awsapi.Exception {
	if errors.Is(err, timeseries.ErrFull) {
		return &awsapi.Exception{Name: "LimitExceededFault", Message: "There are too many metrics: this server takes no new ones. It forgets those without values at its next start."}
	}
	return nil
}
