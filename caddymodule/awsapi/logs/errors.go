package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/insights"
	"github.com/hearthfn/hearth/warmpool/logs"
)

// An apiError is an error for a client, under AWS's name for it.
type apiError struct{ kind, message string }

func (e *apiError) Error() string { return e.kind + ": " + e.message }

func invalid(format string, args ...any) error {
	return &apiError{"InvalidParameterException", fmt.Sprintf(format, args...)}
}

var (
	errNoGroup  = &apiError{"ResourceNotFoundException", "The specified log group does not exist."}
	errNoStream = &apiError{"ResourceNotFoundException", "The specified log stream does not exist."}
	errNoToken  = &apiError{"InvalidParameterException", "The specified nextToken is invalid."}
)

// refuse answers with an error in the form of AWS's JSON protocol. It logs what the client
// must not know.
func (a *API) refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var known *apiError
	var syntax *insights.SyntaxError
	if errors.As(err, &syntax) {
		a.refuseQuery(w, syntax)
		return
	}
	if !errors.As(err, &known) {
		a.log.Error("reading logs failed", zap.Error(err))
		status = http.StatusInternalServerError
		known = &apiError{"InternalFailure", "The service failed to read the logs."}
		if errors.Is(err, logs.ErrClosed) {
			status, known = http.StatusServiceUnavailable, &apiError{"ServiceUnavailableException", "The service is stopping."}
		}
	}
	body, marshalErr := json.Marshal(map[string]string{"__type": known.kind, "message": known.message})
	if marshalErr != nil {
		panic(marshalErr) // two strings always encode
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// refuseQuery says what is wrong with a query, and where.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_QueryCompileError.html
func (a *API) refuseQuery(w http.ResponseWriter, e *insights.SyntaxError) {
	type location struct {
		Start int `json:"startCharOffset"`
		End   int `json:"endCharOffset"`
	}
	type compileError struct {
		Location location `json:"location"`
		Message  string   `json:"message"`
	}
	body, err := json.Marshal(struct {
		Type    string       `json:"__type"`
		Message string       `json:"message"`
		Error   compileError `json:"queryCompileError"`
	}{"MalformedQueryException", e.Error(), compileError{location{e.Start, e.End}, e.Message}})
	if err != nil {
		panic(err) // text and numbers always encode
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body)
}
