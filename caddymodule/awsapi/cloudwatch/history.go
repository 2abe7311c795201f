package cloudwatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

type historyInput struct {
	AlarmName, HistoryItemType, NextToken, ScanBy string
	AlarmContributorId                            string
	AlarmTypes                                    []string
	StartDate, EndDate                            *time.Time
	MaxRecords                                    int
}

type historyItem struct {
	AlarmName, AlarmType, HistoryItemType, HistorySummary, HistoryData string
	Timestamp                                                          awsapi.Time

	at time.Time
}

type historyOutput struct{ AlarmHistoryItems []*historyItem }

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
func (s *service) describeHistory(ctx context.Context, in *historyInput) (*historyOutput, error) {
	if in.AlarmContributorId != "" || in.NextToken != "" {
		return nil, invalid("AlarmContributorId and NextToken are not supported: the last %d changes of the states of alarms are kept.", maxHistory)
	}
	out := &historyOutput{[]*historyItem{}}
	if in.HistoryItemType != "" && in.HistoryItemType != "StateUpdate" {
		return out, nil
	}
	set, err := s.Store.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	all, err := document.All[kept](set, alarmKey)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		for _, c := range k.History {
			if in.AlarmName != "" && in.AlarmName != k.Alarm.AlarmName || in.StartDate != nil && c.At.Before(*in.StartDate) || in.EndDate != nil && c.At.After(*in.EndDate) {
				continue
			}
			data, err := json.Marshal(map[string]any{"version": "1.0", "oldState": map[string]string{"stateValue": c.From}, "newState": map[string]string{"stateValue": c.To, "stateReason": c.Reason}})
			if err != nil {
				return nil, err
			}
			out.AlarmHistoryItems = append(out.AlarmHistoryItems, &historyItem{
				k.Alarm.AlarmName, "MetricAlarm", "StateUpdate", fmt.Sprintf("Alarm updated from %s to %s", c.From, c.To), string(data), awsapi.Time(c.At), c.At,
			})
		}
	}
	slices.SortStableFunc(out.AlarmHistoryItems, func(x, y *historyItem) int { return y.at.Compare(x.at) })
	if in.ScanBy == "TimestampAscending" {
		slices.Reverse(out.AlarmHistoryItems)
	}
	if most := cmp.Or(in.MaxRecords, 100); len(out.AlarmHistoryItems) > most {
		out.AlarmHistoryItems = out.AlarmHistoryItems[:most]
	}
	return out, nil
}

type tagInput struct {
	ResourceARN string
	Tags        []tag
	TagKeys     []string
}

type tagsOutput struct{ Tags []tag }

// maxTags is AWS's limit.
const maxTags = 50

// tagged reads or changes the tags of an alarm. with is nil for a reader.
func (s *service) tagged(ctx context.Context, in *tagInput, with func(tags []tag) []tag) (tags []tag, err error) {
	name, ours := strings.CutPrefix(in.ResourceARN, s.alarmARN(""))
	err = s.Store.Change(ctx, owner, func(e *document.Edit) error {
		var k kept
		if err := e.Get(alarmKey+name, &k); !ours || errors.Is(err, document.ErrNotFound) {
			return exception("ResourceNotFoundException", "There is no alarm %.256s.", in.ResourceARN)
		} else if err != nil {
			return err
		}
		if tags = k.Tags; with == nil {
			return nil
		}
		if k.Tags = with(k.Tags); len(k.Tags) > maxTags {
			return exception("LimitExceededFault", "An alarm has %d tags at most.", maxTags)
		}
		return e.Put(alarmKey+name, &k)
	})
	return tags, err
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_TagResource.html
func (s *service) tagResource(ctx context.Context, in *tagInput) (*struct{}, error) {
	_, err := s.tagged(ctx, in, func(tags []tag) []tag {
		for _, t := range in.Tags {
			tags = append(slices.DeleteFunc(tags, func(had tag) bool { return had.Key == t.Key }), t)
		}
		return tags
	})
	return &struct{}{}, err
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_UntagResource.html
func (s *service) untagResource(ctx context.Context, in *tagInput) (*struct{}, error) {
	_, err := s.tagged(ctx, in, func(tags []tag) []tag {
		return slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	})
	return &struct{}{}, err
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListTagsForResource.html
func (s *service) listTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	tags, err := s.tagged(ctx, in, nil)
	return &tagsOutput{append([]tag{}, tags...)}, err
}
