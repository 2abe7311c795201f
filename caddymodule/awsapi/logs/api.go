package logs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/insights"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
)

// TargetPrefix begins the header X-Amz-Target of every call.
const TargetPrefix = "Logs_20140328."

// maxBody is far more than a call of these takes; PutLogEvents has up to maxPutBytes of
// text, escaped as JSON.
const (
	maxBody    = 256 << 10
	MaxPutBody = 4 << 20
)

// MaxBody is the largest body of the call that target names, in bytes.
func MaxBody(target string) int64 {
	if target == TargetPrefix+"PutLogEvents" {
		return MaxPutBody
	}
	return maxBody
}

// An API answers calls.
type API struct {
	store   *logs.Store
	queries *insights.Queries
	account function.Account
	// subscriptions are the filters that send logs to functions.
	subscriptions Subscriptions
	log           *zap.Logger
}

// New makes an API of what is in store, of queries over it, and of what is sent from it, with ARNs
// of account.
func New(store *logs.Store, queries *insights.Queries, subscriptions Subscriptions, account function.Account, log *zap.Logger) *API {
	return &API{store: store, queries: queries, account: account, subscriptions: subscriptions, log: log}
}

// An operation answers a call whose body is the JSON input.
type operation func(a *API, ctx context.Context, input []byte) (output any, err error)

// operations are those with one answer; StartLiveTail streams.
var operations = map[string]operation{
	"DescribeLogGroups":     call((*API).describeLogGroups),
	"DescribeLogStreams":    call((*API).describeLogStreams),
	"GetLogEvents":          call((*API).getLogEvents),
	"FilterLogEvents":       call((*API).filterLogEvents),
	"PutRetentionPolicy":    call((*API).putRetentionPolicy),
	"DeleteRetentionPolicy": call((*API).deleteRetentionPolicy),
	"CreateLogGroup":        call((*API).createLogGroup),
	"DeleteLogGroup":        call((*API).deleteLogGroup),
	"CreateLogStream":       call((*API).createLogStream),
	"DeleteLogStream":       call((*API).deleteLogStream),
	"PutLogEvents":          call((*API).putLogEvents),

	"ListTagsForResource": call((*API).listTags),
	"TagResource":         call((*API).tagResource),
	"UntagResource":       call((*API).untagResource),
	"ListTagsLogGroup":    call((*API).listTags), // the names of before
	"TagLogGroup":         call((*API).tagResource),
	"UntagLogGroup":       call((*API).untagLogGroup),

	"StartQuery":      call((*API).startQuery),
	"GetQueryResults": call((*API).getQueryResults),
	"StopQuery":       call((*API).stopQuery),
	"DescribeQueries": call((*API).describeQueries),
	"GetLogRecord":    call((*API).getLogRecord),

	"GetLogGroupFields": call((*API).getLogGroupFields),

	"PutSubscriptionFilter":       call((*API).putSubscriptionFilter),
	"DescribeSubscriptionFilters": call((*API).describeSubscriptionFilters),
	"DeleteSubscriptionFilter":    call((*API).deleteSubscriptionFilter),
}

// ReadOnly reports whether the call that target names changes nothing.
func ReadOnly(target string) bool {
	name := strings.TrimPrefix(target, TargetPrefix)
	return strings.HasPrefix(name, "Describe") || strings.HasPrefix(name, "List") || strings.HasPrefix(name, "Get") ||
		strings.HasPrefix(name, "Filter") || name == "StartLiveTail" || name == "StartQuery" || name == "StopQuery"
}

// call decodes the input of an operation.
func call[In, Out any](run func(*API, context.Context, *In) (Out, error)) operation {
	return func(a *API, ctx context.Context, input []byte) (any, error) {
		in := new(In)
		if err := decode(input, in); err != nil {
			return nil, err
		}
		return run(a, ctx, in)
	}
}

func decode(input []byte, into any) error {
	if len(input) == 0 {
		input = []byte("{}")
	}
	if err := json.Unmarshal(input, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return &apiError{"SerializationException", wrong.Value + " can not be converted to " + wrong.Type.String() + " (" + wrong.Field + ")"}
		}
		return &apiError{"SerializationException", "the body is no JSON object: " + err.Error()}
	}
	return nil
}

// Serve answers one call, which has the body.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, body []byte) {
	name, ours := strings.CutPrefix(r.Header.Get("X-Amz-Target"), TargetPrefix)
	if ours && name == "StartLiveTail" {
		if err := a.startLiveTail(w, r, body); err != nil {
			a.refuse(w, err)
		}
		return
	}
	run := operations[name]
	if !ours || run == nil {
		a.refuse(w, &apiError{"UnknownOperationException", "operation " + name + " is not supported: Hearth keeps, reads and removes the logs of its functions and of those who put them"})
		return
	}
	output, err := run(a, r.Context(), body)
	if err != nil {
		a.refuse(w, err)
		return
	}
	answer, err := json.Marshal(output)
	if err != nil {
		a.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(answer) // the client may be gone
}

const contentType = "application/x-amz-json-1.1"
