package cloudwatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// States of an alarm.
const (
	stateOK   = "OK"
	inAlarm   = "ALARM"
	noData    = "INSUFFICIENT_DATA"
	owner     = "cloudwatch"
	alarmKey  = "alarm/"
	maxAlarms = 1000
	// maxHistory is how many changes of its state an alarm has.
	maxHistory = 50
)

// A setting is what an alarm is, without the times, which each protocol writes in its own way.
type setting struct {
	AlarmName, AlarmArn                              string
	AlarmDescription                                 string `json:",omitempty"`
	ActionsEnabled                                   bool
	OKActions, AlarmActions, InsufficientDataActions []string
	StateValue, StateReason                          string
	StateReasonData                                  string      `json:",omitempty"`
	MetricName, Namespace                            string      `json:",omitempty"`
	Statistic, ExtendedStatistic                     string      `json:",omitempty"`
	Dimensions                                       []Dimension `json:",omitempty"`
	Period                                           int64       `json:",omitempty"`
	Unit                                             string      `json:",omitempty"`
	EvaluationPeriods                                int
	DatapointsToAlarm                                int `json:",omitempty"`
	Threshold                                        float64
	ComparisonOperator                               string
	TreatMissingData                                 string `json:",omitempty"`
}

// An alarm is what DescribeAlarms shows.
type alarm struct {
	setting
	AlarmConfigurationUpdatedTimestamp, StateUpdatedTimestamp, StateTransitionedTimestamp awsapi.Time
}

// A kept alarm is the document.
type kept struct {
	Alarm   setting
	Tags    []tag    `json:",omitempty"`
	History []change `json:",omitempty"` // the newest last
	// Times, which an alarm shows as each protocol writes them.
	Configured, Updated, Transitioned time.Time
}

// A change of the state of an alarm.
type change struct {
	At           time.Time
	From, To     string
	Reason, Data string `json:",omitempty"`
}

type tag struct{ Key, Value string }

func (k *kept) shown() *alarm {
	return &alarm{k.Alarm, awsapi.Time(k.Configured), awsapi.Time(k.Updated), awsapi.Time(k.Transitioned)}
}

type alarmInput struct {
	AlarmName, AlarmDescription                         string
	ActionsEnabled                                      *bool
	OKActions, AlarmActions, InsufficientDataActions    []string
	MetricName, Namespace, Statistic, ExtendedStatistic string
	Dimensions                                          []Dimension
	Period                                              int64
	Unit                                                string
	EvaluationPeriods, DatapointsToAlarm                int
	Threshold                                           *float64
	ComparisonOperator, TreatMissingData                string
	EvaluateLowSampleCountPercentile, ThresholdMetricId string
	Metrics                                             []dataQuery
	Tags                                                []tag
	EvaluationCriteria                                  any
	EvaluationInterval                                  int
}

func (s *service) alarmARN(name string) string {
	return "arn:aws:cloudwatch:" + s.Account.Region + ":" + s.Account.ID + ":alarm:" + name
}

// check refuses what nothing acts on.
func (s *service) checkAlarm(in *alarmInput) error {
	switch {
	case s.Shared:
		return invalid("Alarms are not supported on several nodes that share a Redis: each has its own metrics.")
	case len(in.Metrics) > 0 || in.ThresholdMetricId != "":
		return invalid("Metrics is not supported: alarms are of one metric here, without metric math.")
	case in.EvaluationCriteria != nil || in.EvaluationInterval != 0:
		return invalid("EvaluationCriteria is not supported: alarms are of one metric here.")
	case in.EvaluateLowSampleCountPercentile != "" && in.EvaluateLowSampleCountPercentile != "evaluate":
		return invalid("EvaluateLowSampleCountPercentile %.32s is not supported: percentiles are always evaluated here.", in.EvaluateLowSampleCountPercentile)
	case in.MetricName == "" || in.Namespace == "":
		return exception("MissingRequiredParameterException", "The parameters MetricName and Namespace are required.")
	case in.Threshold == nil:
		return exception("MissingRequiredParameterException", "The parameter Threshold is required.")
	case (in.Statistic == "") == (in.ExtendedStatistic == ""):
		return combined("One of the parameters Statistic and ExtendedStatistic is required.")
	case !slices.Contains([]string{"", "missing", "ignore", "breaching", "notBreaching"}, in.TreatMissingData):
		return invalid("The value %.32s for parameter TreatMissingData is not supported.", in.TreatMissingData)
	case in.DatapointsToAlarm > in.EvaluationPeriods || in.DatapointsToAlarm < 0:
		return invalid("The parameter DatapointsToAlarm must be from 1 to EvaluationPeriods.")
	}
	if _, err := comparison(in.ComparisonOperator); err != nil {
		return err
	}
	if err := checkPeriod(in.Period); err != nil {
		return err
	}
	if _, err := parseStatistic(in.Statistic + in.ExtendedStatistic); err != nil {
		return err
	}
	if in.Period < 10 {
		return invalid("The parameter Period must be 10, 20, 30 or a multiple of 60.")
	}
	most, span := int64(86400), "a day" // of which points of a minute are kept
	if in.Period >= 3600 {
		most, span = 7*86400, "seven days"
	}
	if int64(in.EvaluationPeriods) > most/in.Period {
		return invalid("Metrics cannot be checked across more than %s (EvaluationPeriods * Period must be <= %d).", span, most)
	}
	for _, action := range slices.Concat(in.OKActions, in.AlarmActions, in.InsufficientDataActions) {
		switch {
		case strings.HasPrefix(action, "arn:aws:lambda:"):
		case strings.HasPrefix(action, "arn:aws:sns:"):
			if err := s.Check(action); err != nil {
				return invalid("The action %.256s is not supported: %v", action, err)
			}
		default:
			return invalid("The action %.256s is not supported: actions are functions and SNS topics.", action)
		}
	}
	return nil
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
func (s *service) putAlarm(ctx context.Context, in *alarmInput) (awsapi.None, error) {
	if err := s.checkAlarm(in); err != nil {
		return awsapi.None{}, err
	}
	now := s.Now().UTC()
	return awsapi.None{}, s.Store.Change(ctx, owner, func(e *document.Edit) error {
		var k kept
		if err := e.Get(alarmKey+in.AlarmName, &k); errors.Is(err, document.ErrNotFound) {
			if len(e.Names(alarmKey)) >= maxAlarms {
				return exception("LimitExceededFault", "There are %d alarms, which is the most.", maxAlarms)
			}
			k = kept{Alarm: setting{StateValue: noData, StateReason: "Unchecked: Initial alarm creation"}, Updated: now, Transitioned: now, Tags: in.Tags}
		} else if err != nil {
			return err
		}
		k.Configured = now
		k.Alarm = setting{
			AlarmName: in.AlarmName, AlarmArn: s.alarmARN(in.AlarmName), AlarmDescription: in.AlarmDescription, ActionsEnabled: in.ActionsEnabled == nil || *in.ActionsEnabled,
			OKActions: list(in.OKActions), AlarmActions: list(in.AlarmActions), InsufficientDataActions: list(in.InsufficientDataActions),
			StateValue: k.Alarm.StateValue, StateReason: k.Alarm.StateReason, StateReasonData: k.Alarm.StateReasonData,
			MetricName: in.MetricName, Namespace: in.Namespace, Statistic: in.Statistic, ExtendedStatistic: in.ExtendedStatistic, Dimensions: in.Dimensions,
			Period: in.Period, Unit: in.Unit, EvaluationPeriods: in.EvaluationPeriods, DatapointsToAlarm: in.DatapointsToAlarm,
			Threshold: *in.Threshold, ComparisonOperator: in.ComparisonOperator, TreatMissingData: cmp.Or(in.TreatMissingData, "missing"),
		}
		return e.Put(alarmKey+in.AlarmName, &k)
	})
}

func list(of []string) []string { return append([]string{}, of...) }

type namesInput struct{ AlarmNames []string }

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
func (s *service) deleteAlarms(ctx context.Context, in *namesInput) (awsapi.None, error) {
	return awsapi.None{}, s.Store.Change(ctx, owner, func(e *document.Edit) error {
		for _, name := range in.AlarmNames {
			if !e.Has(alarmKey + name) {
				return exception("ResourceNotFound", "Unknown alarm: %.255s", name)
			}
			e.Delete(alarmKey + name)
		}
		return nil
	})
}

// switchActions enables or disables the actions of alarms. Names that are not there say nothing, as
// on AWS.
func (s *service) switchActions(on bool) func(ctx context.Context, in *namesInput) (awsapi.None, error) {
	return func(ctx context.Context, in *namesInput) (awsapi.None, error) {
		return awsapi.None{}, s.Store.Change(ctx, owner, func(e *document.Edit) error {
			for _, name := range in.AlarmNames {
				var k kept
				if err := e.Get(alarmKey+name, &k); errors.Is(err, document.ErrNotFound) {
					continue
				} else if err != nil {
					return err
				}
				k.Alarm.ActionsEnabled = on
				if err := e.Put(alarmKey+name, &k); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

type stateInput struct{ AlarmName, StateValue, StateReason, StateReasonData string }

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html
func (s *service) setState(ctx context.Context, in *stateInput) (awsapi.None, error) {
	return awsapi.None{}, s.transit(ctx, in.AlarmName, in.StateValue, in.StateReason, in.StateReasonData)
}

// transit gives an alarm a state, and has its actions done if that is another.
func (s *service) transit(ctx context.Context, name, to, reason, data string) error {
	var k kept
	var changed bool
	now := s.Now().UTC()
	err := s.Store.Change(ctx, owner, func(e *document.Edit) error {
		k = kept{}
		if err := e.Get(alarmKey+name, &k); errors.Is(err, document.ErrNotFound) {
			return exception("ResourceNotFound", "Unknown alarm: %.255s", name)
		} else if err != nil {
			return err
		}
		if changed = k.Alarm.StateValue != to; !changed {
			return nil
		}
		k.History = append(k.History, change{now, k.Alarm.StateValue, to, reason, data})
		k.History = k.History[max(0, len(k.History)-maxHistory):]
		k.Alarm.StateValue, k.Alarm.StateReason, k.Alarm.StateReasonData, k.Updated, k.Transitioned = to, reason, data, now, now
		return e.Put(alarmKey+name, &k)
	})
	if err != nil || !changed || !k.Alarm.ActionsEnabled {
		return err
	}
	return s.act(ctx, &k)
}

type describeInput struct {
	AlarmNames                                []string
	AlarmNamePrefix, StateValue, ActionPrefix string
	AlarmTypes                                []string
	ChildrenOfAlarmName, ParentsOfAlarmName   string
	MaxRecords                                int
	NextToken                                 string
}

type alarmsOutput struct {
	CompositeAlarms []struct{} `json:",omitempty"`
	MetricAlarms    []*alarm
	NextToken       string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func (s *service) describeAlarms(ctx context.Context, in *describeInput) (*alarmsOutput, error) {
	if in.ChildrenOfAlarmName != "" || in.ParentsOfAlarmName != "" {
		return nil, invalid("There are no composite alarms here.")
	}
	if len(in.AlarmNames) > 0 && in.AlarmNamePrefix != "" {
		return nil, combined("AlarmNames and AlarmNamePrefix cannot be used together.")
	}
	if in.AlarmTypes != nil && !slices.Contains(in.AlarmTypes, "MetricAlarm") {
		return &alarmsOutput{MetricAlarms: []*alarm{}}, nil
	}
	all, err := s.find(ctx, func(a *alarm) bool {
		return (len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, a.AlarmName)) && strings.HasPrefix(a.AlarmName, in.AlarmNamePrefix) &&
			(in.StateValue == "" || a.StateValue == in.StateValue) &&
			(in.ActionPrefix == "" || slices.ContainsFunc(slices.Concat(a.OKActions, a.AlarmActions, a.InsufficientDataActions), func(arn string) bool { return strings.HasPrefix(arn, in.ActionPrefix) }))
	})
	if err != nil {
		return nil, err
	}
	page, next := awsapi.Page(all, func(a *alarm) string { return a.AlarmName }, in.NextToken, cmp.Or(in.MaxRecords, 50))
	return &alarmsOutput{MetricAlarms: append([]*alarm{}, page...), NextToken: next}, nil
}

// find is the alarms that takes is true for, in the order of their names.
func (s *service) find(ctx context.Context, takes func(a *alarm) bool) (some []*alarm, err error) {
	set, err := s.Store.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	all, err := document.All[kept](set, alarmKey)
	for _, k := range all {
		if a := k.shown(); takes(a) {
			some = append(some, a)
		}
	}
	return some, err
}

type forMetricInput struct {
	MetricName, Namespace, Statistic, ExtendedStatistic string
	Dimensions                                          []Dimension
	Period                                              int64
	Unit                                                string
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmsForMetric.html
func (s *service) describeForMetric(ctx context.Context, in *forMetricInput) (*alarmsOutput, error) {
	wanted := Metric{in.Namespace, in.MetricName, in.Dimensions}.sorted()
	all, err := s.find(ctx, func(a *alarm) bool {
		has := Metric{a.Namespace, a.MetricName, a.Dimensions}.sorted()
		return has.id() == wanted.id() && (in.Statistic == "" || a.Statistic == in.Statistic) && (in.ExtendedStatistic == "" || a.ExtendedStatistic == in.ExtendedStatistic) &&
			(in.Period == 0 || a.Period == in.Period) && (in.Unit == "" || a.Unit == in.Unit)
	})
	return &alarmsOutput{MetricAlarms: append([]*alarm{}, all...)}, err
}

// comparison is how a value is compared with the threshold.
func comparison(operator string) (func(v, threshold float64) bool, error) {
	switch operator {
	case "GreaterThanOrEqualToThreshold":
		return func(v, t float64) bool { return v >= t }, nil
	case "GreaterThanThreshold":
		return func(v, t float64) bool { return v > t }, nil
	case "LessThanThreshold":
		return func(v, t float64) bool { return v < t }, nil
	case "LessThanOrEqualToThreshold":
		return func(v, t float64) bool { return v <= t }, nil
	}
	return nil, invalid("The ComparisonOperator %.64s is not supported: anomalies are not detected here.", operator)
}

// reasonOf says why an alarm has a state, as AWS does.
func (a *alarm) reasonOf(state string, breaching, given int) string {
	if state == noData {
		return "Insufficient Data: no datapoints were received for " + fmt.Sprint(a.EvaluationPeriods) + " periods."
	}
	return fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints with values were %s the threshold (%v).", breaching, given, map[string]string{
		"GreaterThanOrEqualToThreshold": "greater than or equal to", "GreaterThanThreshold": "greater than",
		"LessThanThreshold": "less than", "LessThanOrEqualToThreshold": "less than or equal to",
	}[a.ComparisonOperator], a.Threshold)
}
