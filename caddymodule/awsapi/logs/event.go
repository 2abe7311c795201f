package logs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/filterpattern"
	"github.com/hearthfn/hearth/warmpool/logs"
)

// maxEvents is how many events a page has at most; logs.MaxPage bounds their text.
const maxEvents = 10000

type getLogEventsInput struct {
	groupName
	LogStreamName string `json:"logStreamName"`
	StartTime     *int64 `json:"startTime"` // included, Unix milliseconds
	EndTime       *int64 `json:"endTime"`   // excluded
	NextToken     string `json:"nextToken"`
	Limit         *int   `json:"limit"`
	StartFromHead bool   `json:"startFromHead"`
}

type outputLogEvent struct {
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
}

type getLogEventsOutput struct {
	Events            []outputLogEvent `json:"events"`
	NextForwardToken  string           `json:"nextForwardToken"`
	NextBackwardToken string           `json:"nextBackwardToken"`
}

// getLogEvents pages in both directions. A token is the position of an event and
// the direction to go on in from there; at the end, a caller gets its own token
// back.
func (a *API) getLogEvents(ctx context.Context, in *getLogEventsInput) (*getLogEventsOutput, error) {
	limit, err := limitOf(in.Limit, maxEvents)
	if err != nil {
		return nil, err
	}
	if in.LogStreamName == "" {
		return nil, invalid("1 validation error detected: Value null at 'logStreamName' failed to satisfy constraint: Member must not be null")
	}
	g, err := a.find(ctx, in.groupName)
	if err != nil {
		return nil, err
	}
	if found, err := hasStream(ctx, g, in.LogStreamName); err != nil {
		return nil, err
	} else if !found {
		return nil, errNoStream
	}
	q := logs.Query{Stream: func(name string) bool { return name == in.LogStreamName }}
	if q.From, err = timeOf("startTime", in.StartTime); err != nil {
		return nil, err
	}
	if q.To, err = timeOf("endTime", in.EndTime); err != nil {
		return nil, err
	}
	forward := in.StartFromHead
	var from logs.Position
	if in.NextToken != "" {
		direction, position, _ := strings.Cut(in.NextToken, "/")
		if from, err = logs.ParsePosition(position); err != nil || direction != "f" && direction != "b" {
			return nil, errNoToken
		}
		if forward = direction == "f"; forward {
			q.After = from
		} else {
			q.Before = from
		}
	}
	var page []logs.Event
	switch {
	case !forward && in.NextToken != "" && from == logs.Position{}:
		// Nothing is before the first.
	case forward:
		page, _, err = head(ctx, g, q, limit, nil)
	default:
		page, err = g.Last(ctx, q, limit)
	}
	if err != nil {
		return nil, err
	}
	out := &getLogEventsOutput{Events: []outputLogEvent{}, NextForwardToken: "f/" + from.String(), NextBackwardToken: "b/" + from.String()}
	for _, e := range page {
		out.Events = append(out.Events, outputLogEvent{e.Time.UnixMilli(), g.Text(&e), e.Time.UnixMilli()})
	}
	if len(page) > 0 {
		out.NextForwardToken = "f/" + page[len(page)-1].Position.String()
		out.NextBackwardToken = "b/" + page[0].Position.String()
	}
	return out, nil
}

// head returns the first events that q selects and match takes, a page of them,
// and whether there may be more.
func head(ctx context.Context, g *logs.Group, q logs.Query, limit int, match func(string) bool) (page []logs.Event, more bool, err error) {
	room := logs.MaxPage
	for e, err := range g.Events(ctx, q) {
		if err != nil {
			return nil, false, err
		}
		if match != nil && !match(g.Text(&e)) {
			continue
		}
		if len(page) == limit || len(page) > 0 && len(e.Message) > room {
			return page, true, nil
		}
		page = append(page, e)
		room -= len(e.Message)
	}
	return page, false, nil
}

func hasStream(ctx context.Context, g *logs.Group, name string) (bool, error) {
	streams, err := g.Streams(ctx)
	return slices.ContainsFunc(streams, func(s logs.StreamInfo) bool { return s.Name == name }), err
}

func timeOf(member string, millis *int64) (time.Time, error) {
	switch {
	case millis == nil:
		return time.Time{}, nil
	case *millis < 0:
		return time.Time{}, invalid("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to 0", *millis, member)
	}
	return time.UnixMilli(*millis), nil
}

type filterLogEventsInput struct {
	groupName
	LogStreamNames      []string `json:"logStreamNames"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix"`
	StartTime           *int64   `json:"startTime"` // included
	EndTime             *int64   `json:"endTime"`   // included
	FilterPattern       string   `json:"filterPattern"`
	NextToken           string   `json:"nextToken"`
	Limit               *int     `json:"limit"`
}

type filteredLogEvent struct {
	LogStreamName string `json:"logStreamName"`
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
	EventID       string `json:"eventId"`
}

type filterLogEventsOutput struct {
	Events             []filteredLogEvent `json:"events"`
	SearchedLogStreams []struct{}         `json:"searchedLogStreams"` // empty at AWS too, since 2019
	NextToken          string             `json:"nextToken,omitempty"`
}

func (a *API) filterLogEvents(ctx context.Context, in *filterLogEventsInput) (*filterLogEventsOutput, error) {
	limit, err := limitOf(in.Limit, maxEvents)
	if err != nil {
		return nil, err
	}
	pattern, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	g, err := a.find(ctx, in.groupName)
	if err != nil {
		return nil, err
	}
	var q logs.Query
	if q.Stream, err = streamsOf(in.LogStreamNames, in.LogStreamNamePrefix); err != nil {
		return nil, err
	}
	if q.From, err = timeOf("startTime", in.StartTime); err != nil {
		return nil, err
	}
	if q.To, err = timeOf("endTime", in.EndTime); err != nil {
		return nil, err
	}
	if !q.To.IsZero() {
		q.To = q.To.Add(time.Millisecond)
	}
	if in.NextToken != "" {
		if q.After, err = logs.ParsePosition(in.NextToken); err != nil {
			return nil, errNoToken
		}
	}
	page, more, err := head(ctx, g, q, limit, pattern.Match)
	if err != nil {
		return nil, err
	}
	out := &filterLogEventsOutput{Events: []filteredLogEvent{}, SearchedLogStreams: []struct{}{}}
	for _, e := range page {
		out.Events = append(out.Events, filteredLogEvent{e.Stream, e.Time.UnixMilli(), g.Text(&e), e.Time.UnixMilli(), e.ID()})
	}
	if more {
		out.NextToken = page[len(page)-1].Position.String()
	}
	return out, nil
}

func parsePattern(text string) (*filterpattern.Pattern, error) {
	pattern, err := filterpattern.Parse(text)
	if err != nil {
		return nil, invalid("Invalid filter pattern: %v", err)
	}
	return pattern, nil
}

// streamsOf selects streams by their names or by the beginning of them.
func streamsOf(names []string, prefix string) (func(string) bool, error) {
	switch {
	case len(names) > 0 && prefix != "":
		return nil, invalid("LogStreamNamePrefix and LogStreamNames are mutually exclusive.")
	case len(names) > 0:
		return func(name string) bool { return slices.Contains(names, name) }, nil
	case prefix != "":
		return func(name string) bool { return strings.HasPrefix(name, prefix) }, nil
	}
	return nil, nil
}
