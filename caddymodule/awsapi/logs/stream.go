package logs

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/warmpool/logs"
)

type describeLogStreamsInput struct {
	groupName
	LogStreamNamePrefix string `json:"logStreamNamePrefix"`
	OrderBy             string `json:"orderBy"`
	Descending          bool   `json:"descending"`
	NextToken           string `json:"nextToken"`
	Limit               *int   `json:"limit"`
}

type logStream struct {
	LogStreamName       string `json:"logStreamName"`
	CreationTime        int64  `json:"creationTime"`
	FirstEventTimestamp int64  `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  int64  `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   int64  `json:"lastIngestionTime,omitempty"`
	ARN                 string `json:"arn"`
	StoredBytes         int64  `json:"storedBytes"` // always 0 at AWS too, since 2019
}

type describeLogStreamsOutput struct {
	LogStreams []logStream `json:"logStreams"`
	NextToken  string      `json:"nextToken,omitempty"`
}

// describeLogStreams pages by the place in the order: "time/name" of the last
// stream, where time is 0 when the order is that of names.
func (a *API) describeLogStreams(ctx context.Context, in *describeLogStreamsInput) (*describeLogStreamsOutput, error) {
	limit, err := limitOf(in.Limit, describeLimit)
	if err != nil {
		return nil, err
	}
	byTime := in.OrderBy == "LastEventTime"
	switch {
	case in.OrderBy != "" && in.OrderBy != "LogStreamName" && !byTime:
		return nil, invalid("1 validation error detected: Value '%.64s' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]", in.OrderBy)
	case byTime && in.LogStreamNamePrefix != "":
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	g, err := a.find(ctx, in.groupName)
	if err != nil {
		return nil, err
	}
	streams, err := g.Streams(ctx)
	if err != nil {
		return nil, err
	}
	order := func(x, y place) int {
		c := cmp.Or(cmp.Compare(x.millis, y.millis), strings.Compare(x.name, y.name))
		if in.Descending {
			return -c
		}
		return c
	}
	placeOf := func(s logs.StreamInfo) place {
		if byTime {
			return place{s.Last.UnixMilli(), s.Name}
		}
		return place{0, s.Name}
	}
	slices.SortFunc(streams, func(x, y logs.StreamInfo) int { return order(placeOf(x), placeOf(y)) })
	var after place
	if in.NextToken != "" {
		if after, err = parsePlace(in.NextToken); err != nil {
			return nil, err
		}
	}
	out := &describeLogStreamsOutput{LogStreams: []logStream{}}
	var last place
	for _, s := range streams {
		if !strings.HasPrefix(s.Name, in.LogStreamNamePrefix) || in.NextToken != "" && order(placeOf(s), after) <= 0 {
			continue
		}
		if len(out.LogStreams) == limit {
			out.NextToken = last.String()
			break
		}
		last = placeOf(s)
		stream := logStream{LogStreamName: s.Name, CreationTime: s.Created.UnixMilli(), ARN: a.arn(g.Name()) + ":log-stream:" + s.Name}
		if !s.Last.IsZero() {
			stream.FirstEventTimestamp, stream.LastEventTimestamp, stream.LastIngestionTime = s.First.UnixMilli(), s.Last.UnixMilli(), s.Last.UnixMilli()
		}
		out.LogStreams = append(out.LogStreams, stream)
	}
	return out, nil
}

// A place is where a stream stands in an order.
type place struct {
	millis int64
	name   string
}

func (p place) String() string { return strconv.FormatInt(p.millis, 10) + "/" + p.name }

func parsePlace(token string) (place, error) {
	millis, name, found := strings.Cut(token, "/")
	n, err := strconv.ParseInt(millis, 10, 64)
	if !found || err != nil {
		return place{}, errNoToken
	}
	return place{n, name}, nil
}
