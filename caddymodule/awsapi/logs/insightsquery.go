package logs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/insights"
	"github.com/hearthfn/hearth/warmpool/logs"
)

// language is the only one of the three query languages that there is: Logs Insights QL.
const language = "CWLI"

// maxGroups is how many log groups a query may have.
const maxGroups = 50

type startQueryInput struct {
	LogGroupName        string   `json:"logGroupName"`
	LogGroupNames       []string `json:"logGroupNames"`
	LogGroupIdentifiers []string `json:"logGroupIdentifiers"`
	StartTime           *int64   `json:"startTime"` // included, Unix seconds
	EndTime             *int64   `json:"endTime"`   // included
	QueryString         string   `json:"queryString"`
	QueryLanguage       string   `json:"queryLanguage"`
	Limit               *int     `json:"limit"`
}

type queryID struct {
	QueryID string `json:"queryId"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
func (a *API) startQuery(ctx context.Context, in *startQueryInput) (*queryID, error) {
	switch {
	case in.QueryString == "":
		return nil, missing("queryString")
	case in.StartTime == nil:
		return nil, missing("startTime")
	case in.EndTime == nil:
		return nil, missing("endTime")
	case in.QueryLanguage != "" && in.QueryLanguage != language:
		return nil, invalid("queryLanguage %.64s is not supported: queries are in Logs Insights QL, CWLI.", in.QueryLanguage)
	case *in.EndTime < *in.StartTime:
		return nil, invalid("End time should not be before the start time.")
	}
	limit := 0
	if in.Limit != nil {
		if limit = *in.Limit; limit < 1 || limit > insights.MaxResults {
			return nil, invalid("Value '%d' at 'limit' is not supported: a query has 1 to %d results.", limit, insights.MaxResults)
		}
	}
	run := insights.Run{}
	var err error
	if run.From, err = momentOf("startTime", *in.StartTime, 0); err != nil {
		return nil, err
	}
	if run.To, err = momentOf("endTime", *in.EndTime, 1); err != nil {
		return nil, err
	}
	names, err := a.querySources(ctx, in, &run)
	if err != nil {
		return nil, err
	}
	if run.Plan, err = insights.Parse(in.QueryString, limit); err != nil {
		return nil, err
	}
	q, err := a.queries.Start(run, names)
	if errors.Is(err, insights.ErrTooMany) {
		return nil, &apiError{"LimitExceededException", "Account maximum query concurrency of 30 reached."}
	}
	if err != nil {
		return nil, logs.ErrClosed
	}
	return &queryID{q.ID}, nil
}

// momentOf reads seconds; what would be after the year 5138 is milliseconds, as tools send them.
func momentOf(member string, at, plus int64) (time.Time, error) {
	const latest = 1e11
	switch {
	case at < 0 || at > latest*1000:
		return time.Time{}, invalid("Value '%d' at '%s' is no time in Unix seconds.", at, member)
	case at > latest:
		return time.UnixMilli(at + plus), nil
	}
	return time.Unix(at+plus, 0), nil
}

// querySources finds the groups of a query.
func (a *API) querySources(ctx context.Context, in *startQueryInput, run *insights.Run) ([]string, error) {
	ways, names := 0, in.LogGroupNames
	if in.LogGroupName != "" {
		ways, names = ways+1, []string{in.LogGroupName}
	}
	if len(in.LogGroupNames) > 0 {
		ways++
	}
	if len(in.LogGroupIdentifiers) > 0 {
		ways, names = ways+1, in.LogGroupIdentifiers
	}
	if ways != 1 {
		return nil, invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers is needed.")
	}
	if len(names) > maxGroups {
		return nil, invalid("A query has %d log groups at most.", maxGroups)
	}
	var found []string
	for _, name := range names {
		g, err := a.find(ctx, groupName{LogGroupIdentifier: name})
		if err != nil {
			return nil, err
		}
		if !slices.Contains(found, g.Name()) {
			found = append(found, g.Name())
			run.Sources = append(run.Sources, insights.Source{Group: g, Name: a.account.ID + ":" + g.Name()})
		}
	}
	return found, nil
}

type queryStatistics struct {
	RecordsMatched   float64 `json:"recordsMatched"`
	RecordsScanned   float64 `json:"recordsScanned"`
	BytesScanned     float64 `json:"bytesScanned"`
	LogGroupsScanned float64 `json:"logGroupsScanned"`
}

type queryResults struct {
	QueryLanguage string             `json:"queryLanguage"`
	Results       [][]insights.Field `json:"results"`
	Statistics    queryStatistics    `json:"statistics"`
	Status        string             `json:"status"`
}

var errNoQuery = &apiError{"ResourceNotFoundException", "The specified query does not exist: results are kept for an hour, in memory."}

type getQueryResultsInput struct {
	queryID
	NextToken string `json:"nextToken"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetQueryResults.html
func (a *API) getQueryResults(_ context.Context, in *getQueryResultsInput) (*queryResults, error) {
	if in.QueryID == "" {
		return nil, missing("queryId")
	}
	if in.NextToken != "" {
		return nil, errNoToken // an answer has all results
	}
	q, ok := a.queries.Query(in.QueryID)
	if !ok {
		return nil, errNoQuery
	}
	out := &queryResults{QueryLanguage: language, Results: q.Results, Status: q.Status, Statistics: queryStatistics{
		RecordsMatched: float64(q.Progress.Matched.Load()), RecordsScanned: float64(q.Progress.Scanned.Load()),
		BytesScanned: float64(q.Progress.Bytes.Load()), LogGroupsScanned: float64(len(q.Groups)),
	}}
	if out.Results == nil {
		out.Results = [][]insights.Field{}
	}
	return out, nil
}

type stopQueryOutput struct {
	Success bool `json:"success"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StopQuery.html
func (a *API) stopQuery(_ context.Context, in *queryID) (*stopQueryOutput, error) {
	if in.QueryID == "" {
		return nil, missing("queryId")
	}
	switch ended, ok := a.queries.Stop(in.QueryID); {
	case !ok:
		return nil, errNoQuery
	case ended:
		return nil, invalid("Query is not in Running or Scheduled status.")
	}
	return &stopQueryOutput{true}, nil
}

type describeQueriesInput struct {
	LogGroupName  string `json:"logGroupName"`
	Status        string `json:"status"`
	MaxResults    *int   `json:"maxResults"`
	NextToken     string `json:"nextToken"`
	QueryLanguage string `json:"queryLanguage"`
}

type queryInfo struct {
	QueryID       string  `json:"queryId"`
	QueryString   string  `json:"queryString"`
	QueryLanguage string  `json:"queryLanguage"`
	Status        string  `json:"status"`
	CreateTime    int64   `json:"createTime"`
	LogGroupName  string  `json:"logGroupName"`
	BytesScanned  float64 `json:"bytesScanned"`
	QueryDuration int64   `json:"queryDuration"`
}

type describeQueriesOutput struct {
	Queries   []queryInfo `json:"queries"`
	NextToken string      `json:"nextToken,omitempty"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeQueries.html
func (a *API) describeQueries(_ context.Context, in *describeQueriesInput) (*describeQueriesOutput, error) {
	limit, err := limitOf(in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	if in.QueryLanguage != "" && in.QueryLanguage != language {
		return &describeQueriesOutput{Queries: []queryInfo{}}, nil
	}
	out := &describeQueriesOutput{Queries: []queryInfo{}}
	begun := in.NextToken == ""
	for _, q := range a.queries.List() {
		if !begun {
			begun = q.ID == in.NextToken
			continue
		}
		if in.Status != "" && q.Status != in.Status || in.LogGroupName != "" && !slices.Contains(q.Groups, in.LogGroupName) {
			continue
		}
		if len(out.Queries) == limit {
			out.NextToken = out.Queries[limit-1].QueryID
			break
		}
		out.Queries = append(out.Queries, queryInfo{
			q.ID, q.Text, language, q.Status, q.Created.UnixMilli(), strings.Join(q.Groups, ","), float64(q.Progress.Bytes.Load()), q.Took.Milliseconds(),
		})
	}
	if !begun {
		return nil, errNoToken
	}
	return out, nil
}

type getLogRecordInput struct {
	LogRecordPointer string `json:"logRecordPointer"`
	Unmask           bool   `json:"unmask"`
}

type getLogRecordOutput struct {
	LogRecord map[string]string `json:"logRecord"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogRecord.html
func (a *API) getLogRecord(ctx context.Context, in *getLogRecordInput) (*getLogRecordOutput, error) {
	if in.LogRecordPointer == "" {
		return nil, missing("logRecordPointer")
	}
	name, at, ok := a.queries.Pointers.Parse(in.LogRecordPointer)
	if !ok {
		return nil, invalid("The log record pointer is not valid: it has to be the @ptr of a query's result.")
	}
	g, err := a.find(ctx, groupName{LogGroupIdentifier: strings.TrimPrefix(name, a.account.ID+":")})
	if err != nil {
		return nil, err
	}
	e, err := g.At(ctx, at)
	if errors.Is(err, logs.ErrNoEvent) {
		return nil, &apiError{"ResourceNotFoundException", "The specified log event is no longer there."}
	}
	if err != nil {
		return nil, err
	}
	return &getLogRecordOutput{a.queries.Pointers.Describe(e, name, g.Text(&e))}, nil
}
