package cloudwatch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
)

type listInput struct {
	Namespace, MetricName string
	Dimensions            []struct {
		Name  string
		Value *string
	}
	NextToken, RecentlyActive string
	IncludeLinkedAccounts     bool
	OwningAccount             string
}

type listOutput struct {
	Metrics        []Metric
	NextToken      string   `json:",omitempty"`
	OwningAccounts []string `json:",omitempty"` // one for each metric, when linked accounts are asked for
}

// Times for which metrics are listed after their last value.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
const (
	listedFor = 14 * 24 * time.Hour
	activeFor = 3 * time.Hour
)

// listPage is how many metrics an answer has at most, as AWS's.
const listPage = 500

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
func (s *service) listMetrics(ctx context.Context, in *listInput) (*listOutput, error) {
	if in.OwningAccount != "" && in.OwningAccount != s.Account.ID {
		return nil, invalid("OwningAccount %.32s is not supported: there is one account here.", in.OwningAccount)
	}
	ids, err := s.Metrics.page(in, s.Now())
	if err != nil {
		return nil, err
	}
	if s.Others != nil {
		text, err := json.Marshal(question{List: in})
		if err != nil {
			return nil, err
		}
		s.Others(ctx, text, func(answer []byte) (err error) { // AWS's answer has no place for the nodes that are missing
			ids, err = addIDs(ids, answer)
			return err
		})
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	page, next := awsapi.Page(ids, func(id string) string { return id }, "", listPage)
	out := &listOutput{Metrics: []Metric{}, NextToken: base64.RawURLEncoding.EncodeToString([]byte(next))}
	for _, id := range page {
		m, _, _ := ofKey(part + id)
		if m.Dimensions == nil {
			m.Dimensions = []Dimension{}
		}
		out.Metrics = append(out.Metrics, m)
		if in.IncludeLinkedAccounts {
			out.OwningAccounts = append(out.OwningAccounts, s.Account.ID)
		}
	}
	return out, nil
}

// page is the IDs of the metrics that are asked for, those of a page and one more if there is one, so
// that the pages of several nodes make one.
func (m *Metrics) page(in *listInput, now time.Time) ([]string, error) {
	since := now.Add(-listedFor)
	if in.RecentlyActive != "" {
		since = now.Add(-activeFor)
	}
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, invalid("The NextToken is not valid.")
	}
	ids, _ := awsapi.Page(m.list(since, in.takes), func(id string) string { return id }, string(after), listPage+1)
	return ids, nil
}

// addIDs adds those that another node has. On an error it adds none.
func addIDs(ids []string, answer []byte) ([]string, error) {
	var more []string
	for len(answer) > 0 {
		id, rest, ok := cutPart(answer)
		if _, _, isID := ofKey(part + string(id)); !ok || !isID || len(more) > listPage {
			return ids, errAnswer
		}
		more, answer = append(more, string(id)), rest
	}
	return append(ids, more...), nil
}

// takes reports whether a metric is asked for.
func (in *listInput) takes(m *Metric) bool {
	if in.Namespace != "" && m.Namespace != in.Namespace || in.MetricName != "" && m.MetricName != in.MetricName {
		return false
	}
	for _, want := range in.Dimensions {
		if !slices.ContainsFunc(m.Dimensions, func(d Dimension) bool {
			return d.Name == want.Name && (want.Value == nil || d.Value == *want.Value)
		}) {
			return false
		}
	}
	return true
}

// list is the IDs of the metrics that had values since, in order.
func (m *Metrics) list(since time.Time, takes func(*Metric) bool) (ids []string) {
	add := func(metric Metric) {
		if takes(&metric) {
			ids = append(ids, metric.id())
		}
	}
	m.store.Each(func(key string, last time.Time) {
		if last.Before(since) {
			return
		}
		metric, _, ok := ofKey(key)
		if !ok {
			return
		}
		add(metric)
		for _, of := range viewsOf(metric) {
			add(of)
		}
	})
	slices.SortFunc(ids, strings.Compare)
	return slices.Compact(ids)
}
