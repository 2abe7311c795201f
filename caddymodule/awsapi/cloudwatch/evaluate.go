package cloudwatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/function"
)

// AlarmService is who calls the functions of alarms.
const AlarmService = "lambda.alarms.cloudwatch.amazonaws.com"

// Evaluate gives each alarm the state that its metric has, and has the actions done of those whose
// state is another.
func Evaluate(ctx context.Context, c Config) error {
	s := newService(c)
	all, err := s.find(ctx, func(*alarm) bool { return true })
	for _, a := range all {
		// The others do not wait for one that fails.
		err = errors.Join(err, s.evaluate(ctx, a))
	}
	return err
}

// evaluate looks at the periods that are over.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func (s *service) evaluate(ctx context.Context, a *alarm) error {
	stat, err := parseStatistic(a.Statistic + a.ExtendedStatistic)
	if err != nil {
		return err
	}
	breaches, err := comparison(a.ComparisonOperator)
	if err != nil {
		return err
	}
	end := s.Now().Unix() / a.Period * a.Period
	r := rangeOf(time.Unix(end-a.Period*int64(a.EvaluationPeriods), 0), time.Unix(end, 0), a.Period)
	found, err := s.Metrics.read(ctx, []wish{{Metric{a.Namespace, a.MetricName, a.Dimensions}.sorted(), a.Unit}}, r)
	if err != nil {
		return err
	}
	l := lineOf(found[0], stat, r)
	given, breaching := 0, 0
	for n := range l.values {
		switch {
		case l.given[n]:
			given++
			if breaches(l.values[n], a.Threshold) {
				breaching++
			}
		case a.TreatMissingData == "breaching":
			breaching++
		}
	}
	next := stateOK
	switch {
	case given == 0 && a.TreatMissingData == "ignore":
		return nil
	case given == 0 && a.TreatMissingData != "breaching" && a.TreatMissingData != "notBreaching":
		next = noData
	case breaching >= cmp.Or(a.DatapointsToAlarm, a.EvaluationPeriods):
		next = inAlarm
	case a.TreatMissingData != "breaching" && a.TreatMissingData != "notBreaching" && given < len(l.values) && breaching == given && a.StateValue == inAlarm:
		return nil // what is missing could have kept it
	}
	if next == a.StateValue {
		return nil
	}
	return s.transit(ctx, a.AlarmName, next, a.reasonOf(next, breaching, given), "")
}

// act hands the change of an alarm's state to its actions.
func (s *service) act(ctx context.Context, k *kept) (err error) {
	a, last := &k.Alarm, k.History[len(k.History)-1]
	actions := map[string][]string{stateOK: a.OKActions, inAlarm: a.AlarmActions, noData: a.InsufficientDataActions}[a.StateValue]
	for _, to := range actions {
		payload, failed := s.notice(k, &last, to)
		if failed == nil {
			failed = s.Dispatch(ctx, &bus.Dispatch{
				ID: function.NewRequestID(), To: to, Payload: payload, Since: s.Now(), Service: AlarmService, Source: a.AlarmArn,
			})
		}
		err = errors.Join(err, failed)
	}
	return err
}

// notice is what a function or a topic is told.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
func (s *service) notice(k *kept, c *change, to string) ([]byte, error) {
	a := &k.Alarm
	at := c.At.Format("2006-01-02T15:04:05.000-0700")
	dimensions := make(map[string]string)
	list := []map[string]string{}
	for _, d := range a.Dimensions {
		dimensions[d.Name] = d.Value
		list = append(list, map[string]string{"name": d.Name, "value": d.Value})
	}
	if to[:len("arn:aws:sns")] == "arn:aws:sns" {
		return json.Marshal(map[string]any{
			"AlarmName": a.AlarmName, "AlarmDescription": a.AlarmDescription, "AWSAccountId": s.Account.ID, "AlarmConfigurationUpdatedTimestamp": k.Configured.Format("2006-01-02T15:04:05.000-0700"),
			"NewStateValue": c.To, "NewStateReason": c.Reason, "StateChangeTime": at, "Region": s.Account.Region, "AlarmArn": a.AlarmArn, "OldStateValue": c.From,
			"OKActions": a.OKActions, "AlarmActions": a.AlarmActions, "InsufficientDataActions": a.InsufficientDataActions,
			"Trigger": map[string]any{
				"MetricName": a.MetricName, "Namespace": a.Namespace, "StatisticType": "Statistic", "Statistic": a.Statistic + a.ExtendedStatistic, "Unit": a.Unit, "Dimensions": list,
				"Period": a.Period, "EvaluationPeriods": a.EvaluationPeriods, "ComparisonOperator": a.ComparisonOperator, "Threshold": a.Threshold, "TreatMissingData": a.TreatMissingData,
			},
		})
	}
	return json.Marshal(map[string]any{
		"source": "aws.cloudwatch", "alarmArn": a.AlarmArn, "accountId": s.Account.ID, "time": at, "region": s.Account.Region,
		"alarmData": map[string]any{
			"alarmName": a.AlarmName, "state": map[string]any{"value": c.To, "reason": c.Reason, "reasonData": c.Data, "timestamp": at},
			"previousState": map[string]any{"value": c.From},
			"configuration": map[string]any{"description": a.AlarmDescription, "metrics": []any{map[string]any{
				"id": "m1", "returnData": true,
				"metricStat": map[string]any{"metric": map[string]any{"namespace": a.Namespace, "name": a.MetricName, "dimensions": dimensions}, "period": a.Period, "stat": a.Statistic + a.ExtendedStatistic},
			}}},
		},
	})
}
