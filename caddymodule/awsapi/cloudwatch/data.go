package cloudwatch

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

type metricStat struct {
	Metric Metric
	Period int64
	Stat   string
	Unit   string
}

type dataQuery struct {
	Id         string
	MetricStat *metricStat
	Expression string
	Label      *string
	ReturnData *bool
	Period     int64
	AccountId  string
}

type dataInput struct {
	MetricDataQueries  []dataQuery
	StartTime, EndTime time.Time
	NextToken, ScanBy  string
	MaxDatapoints      int
	LabelOptions       struct{ Timezone string }
}

type dataResult struct {
	Id         string
	Label      string
	Timestamps []awsapi.Time
	Values     []float64
	StatusCode string
	Messages   []dataMessage `json:",omitempty"`
}

type dataMessage struct{ Code, Value string }

type dataOutput struct {
	MetricDataResults []*dataResult
	NextToken         string `json:",omitempty"`
	Messages          []dataMessage
}

// Limits of GetMetricData.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
const (
	maxQueries    = 500
	maxDatapoints = 100_800
	// maxPeriods bounds the periods of one metric, whatever of them has values.
	maxPeriods = 100_800
	// maxTotal bounds the periods of all metrics of a call together.
	maxTotal = maxPeriods * maxQueries / 20
	// maxWork bounds the values that all expressions of a call calculate together.
	maxWork = 10_000_000
)

// partial is the status of results that do not have all values.
const partial = "PartialData"

// A line is the values of a query: one for each period of a range, which may have none.
type line struct {
	from, period int64
	values       []float64
	given        []bool
	metric       bool // not of an expression
}

func newLine(from, period int64, n int) *line {
	return &line{from: from, period: period, values: make([]float64, n), given: make([]bool, n)}
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (s *service) getData(ctx context.Context, in *dataInput) (*dataOutput, error) {
	if err := in.check(s.Account.ID); err != nil {
		return nil, err
	}
	zone, err := zoneOf(in.LabelOptions.Timezone)
	if err != nil {
		return nil, err
	}
	w := &labeller{now: s.Now(), zone: zone, account: s.Account.ID, region: s.Account.Region}
	lines, missing, err := s.lines(ctx, in.MetricDataQueries, in.StartTime, in.EndTime)
	if err != nil {
		return nil, err
	}
	var results []*dataResult
	for n := range in.MetricDataQueries {
		q := &in.MetricDataQueries[n]
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		r := q.result(lines[q.Id], in.ScanBy != "TimestampAscending")
		if r.Label, err = w.label(q, lines[q.Id]); err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			r.StatusCode = partial
		}
		results = append(results, r)
	}
	out, err := in.page(results)
	if err != nil {
		return nil, err
	}
	for _, node := range missing {
		out.Messages = append(out.Messages, dataMessage{partial, "The node " + node + " does not answer. Its values are not in the results."})
	}
	return out, nil
}

func (in *dataInput) check(account string) error {
	switch {
	case len(in.MetricDataQueries) == 0:
		return invalid("The parameter MetricDataQueries must contain at least one query.")
	case len(in.MetricDataQueries) > maxQueries:
		return invalid("The parameter MetricDataQueries has %d queries: the most is %d.", len(in.MetricDataQueries), maxQueries)
	case !in.StartTime.Before(in.EndTime):
		return invalid("The parameter StartTime must be less than the parameter EndTime.")
	case in.MaxDatapoints < 0 || in.MaxDatapoints > maxDatapoints:
		return invalid("The parameter MaxDatapoints must be from 1 to %d.", maxDatapoints)
	}
	seen := make(map[string]bool)
	for n := range in.MetricDataQueries {
		q := &in.MetricDataQueries[n]
		if err := q.check(account); err != nil {
			return err
		}
		if seen[q.Id] {
			return invalid("The values for parameter id in MetricDataQueries are not unique: %s.", q.Id)
		}
		seen[q.Id] = true
	}
	return nil
}

func (q *dataQuery) check(account string) error {
	if q.Id == "" || q.Id[0] < 'a' || q.Id[0] > 'z' || strings.ContainsFunc(q.Id, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return invalid("The value %.64q for parameter id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", q.Id)
	}
	switch {
	case q.AccountId != "" && q.AccountId != account:
		return invalid("AccountId %.32s is not supported: there is one account here.", q.AccountId)
	case (q.MetricStat == nil) == (q.Expression == ""):
		return combined("The query %s must have either MetricStat or Expression.", q.Id)
	case q.MetricStat == nil:
		return nil
	}
	return checkPeriod(q.MetricStat.Period)
}

func checkPeriod(period int64) error {
	switch {
	case period >= 60 && period%60 == 0 && period <= 86400*366, period == 1, period == 5, period == 10, period == 20, period == 30:
		return nil
	}
	return invalid("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
}

// lines are the values of queries by their IDs. missing are the nodes whose values are not in them.
func (s *service) lines(ctx context.Context, queries []dataQuery, start, end time.Time) (lines map[string]*line, missing []string, err error) {
	lines = make(map[string]*line)
	byPeriod := make(map[int64][]*dataQuery)
	total := int64(0)
	for n := range queries {
		q := &queries[n]
		if q.MetricStat == nil {
			continue
		}
		p := q.MetricStat.Period
		byPeriod[p] = append(byPeriod[p], q)
		if total += (end.Unix()-start.Unix())/p + 2; total > maxTotal {
			return nil, nil, invalid("The queries have more than %d periods together: ask for fewer, or a longer Period.", maxTotal)
		}
	}
	readings := make(map[int64]*reading)
	statistics := make(map[*dataQuery]statistic)
	for period, some := range byPeriod {
		r := &reading{Range: rangeOf(start, end, period)}
		if periods(r.Range) > maxPeriods {
			return nil, nil, invalid("The range has more than %d periods: ask for a longer Period.", maxPeriods)
		}
		for _, q := range some {
			if statistics[q], err = parseStatistic(q.MetricStat.Stat); err != nil {
				return nil, nil, err
			}
			r.wishes = append(r.wishes, wish{q.MetricStat.Metric.sorted(), q.MetricStat.Unit})
		}
		readings[period] = r
	}
	if len(readings) > 0 { // else other nodes need not be asked
		if missing, err = s.gather(ctx, slices.Collect(maps.Values(readings))...); err != nil {
			return nil, nil, err
		}
	}
	for period, some := range byPeriod {
		for n, q := range some {
			lines[q.Id] = lineOf(readings[period].stats[n], statistics[q], readings[period].Range)
			lines[q.Id].metric = true
		}
	}
	return lines, missing, evaluateAll(queries, lines)
}

// evaluateAll adds the lines of expressions, each after those that it uses.
func evaluateAll(queries []dataQuery, lines map[string]*line) error {
	begun := make(map[string]bool)
	places := make(map[string]int, len(queries))
	for n := range queries {
		places[queries[n].Id] = n
	}
	left := maxWork
	var add func(id string) error
	add = func(id string) error {
		n, found := places[id]
		if lines[id] != nil || !found {
			return nil // the expression says what is missing
		}
		text := queries[n].Expression
		switch {
		case begun[id]:
			return invalid("The expression %s uses itself.", id)
		case strings.HasPrefix(strings.ToUpper(strings.TrimSpace(text)), "SELECT"):
			return invalid("Queries of Metrics Insights (SELECT) are not supported: %s.", id)
		}
		begun[id] = true
		uses, err := usesOf(text)
		if err != nil {
			return err
		}
		for _, used := range uses {
			if err := add(used); err != nil {
				return err
			}
		}
		lines[id], err = evaluate(text, lines, &left)
		return err
	}
	for n := range queries {
		if queries[n].MetricStat == nil {
			if err := add(queries[n].Id); err != nil {
				return err
			}
		}
	}
	return nil
}

// rangeOf is whole periods.
func rangeOf(start, end time.Time, period int64) timeseries.Range {
	from, to := start.Unix()/period*period, (end.Unix()+period-1)/period*period
	return timeseries.Range{From: time.Unix(from, 0), To: time.Unix(to, 0), Period: time.Duration(period) * time.Second}
}

// periods is how many there are in a range, which may be of more years than a Duration has.
func periods(r timeseries.Range) int64 {
	return (r.To.Unix() - r.From.Unix()) / int64(r.Period/time.Second)
}

func lineOf(stats []*timeseries.Stat, stat statistic, r timeseries.Range) *line {
	l := newLine(r.From.Unix(), int64(r.Period/time.Second), int(periods(r)))
	for n, s := range stats {
		if s != nil {
			l.values[n], l.given[n] = stat(s)
		}
	}
	return l
}

func (q *dataQuery) result(l *line, descending bool) *dataResult {
	r := &dataResult{Id: q.Id, Timestamps: []awsapi.Time{}, Values: []float64{}, StatusCode: "Complete"}
	for n, given := range l.given {
		if given {
			r.Timestamps = append(r.Timestamps, awsapi.Time(time.Unix(l.from+int64(n)*l.period, 0)))
			r.Values = append(r.Values, l.values[n])
		}
	}
	if descending {
		slices.Reverse(r.Timestamps)
		slices.Reverse(r.Values)
	}
	return r
}

// page cuts results to those that come after the token, as many as there may be. A token is the
// number of a result and of a value in it.
func (in *dataInput) page(results []*dataResult) (*dataOutput, error) {
	out := &dataOutput{MetricDataResults: []*dataResult{}, Messages: []dataMessage{}}
	first, skip := 0, 0
	if in.NextToken != "" {
		a, b, ok := strings.Cut(in.NextToken, ".")
		var err1, err2 error
		first, err1 = strconv.Atoi(a)
		skip, err2 = strconv.Atoi(b)
		if !ok || err1 != nil || err2 != nil || first < 0 || first >= len(results) || skip < 0 || skip > len(results[first].Values) {
			return nil, exception("InvalidNextToken", "The next token specified is invalid.")
		}
	}
	room := cmp.Or(in.MaxDatapoints, maxDatapoints)
	for n := first; n < len(results); n++ {
		r := results[n]
		if n == first {
			r.Timestamps, r.Values = r.Timestamps[skip:], r.Values[skip:]
		} else {
			skip = 0
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
		if len(r.Values) > room {
			r.Timestamps, r.Values, r.StatusCode = r.Timestamps[:room], r.Values[:room], partial
			out.NextToken = fmt.Sprintf("%d.%d", n, skip+room)
			break
		}
		room -= len(r.Values)
	}
	return out, nil
}
