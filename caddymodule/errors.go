package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A requestError is the client's own.
type requestError struct {
	status int
	err    error
}

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

// A functionError is an invocation that ended in one. Its payload is for the
// developer's log; a web client never sees it.
type functionError struct {
	outcome environment.Outcome
	payload []byte
}

func (e *functionError) Error() string {
	const most = 2 << 10
	if len(e.payload) > most {
		return string(e.payload[:most]) + "..."
	}
	return string(e.payload)
}

// webStatus is the one table of what a web client is answered: the status and
// the message that API Gateway gives.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
func webStatus(err error) (status int, message string) {
	var request *requestError
	var failed *functionError
	var throttled *warmpool.ThrottledError
	var initFailed *environment.InitError
	var unsigned *sigv4.Error
	switch {
	case errors.As(err, &request):
		status = request.status
		if status == http.StatusRequestEntityTooLarge {
			return status, "Request Too Long"
		}
		return status, http.StatusText(status)
	case errors.As(err, &unsigned):
		return unsigned.Status, "Forbidden"
	case errors.Is(err, registry.ErrNotFound):
		return http.StatusNotFound, "Not Found"
	case errors.Is(err, bodies.ErrFull):
		return http.StatusServiceUnavailable, "Service Unavailable"
	case errors.Is(err, state.ErrInUse), errors.Is(err, state.ErrUnavailable), errors.Is(err, state.ErrClosed):
		return http.StatusServiceUnavailable, "Service Unavailable"
	case errors.As(err, &throttled):
		return http.StatusTooManyRequests, "Too Many Requests"
	case errors.As(err, &failed) && failed.outcome == environment.OutcomeTimeout:
		return http.StatusGatewayTimeout, "Endpoint request timed out"
	case errors.As(err, &initFailed) && initFailed.Timeout():
		return http.StatusGatewayTimeout, "Endpoint request timed out"
	case errors.Is(err, context.DeadlineExceeded): // the integration's own
		return http.StatusGatewayTimeout, "Endpoint request timed out"
	case errors.Is(err, warmpool.ErrClosed):
		return http.StatusServiceUnavailable, "Service Unavailable"
	case errors.Is(err, context.Canceled):
		return statusClientClosed, "Client Closed Request"
	}
	return http.StatusBadGateway, "Internal Server Error"
}

// statusClientClosed is nginx's status for a client that did not wait; nobody
// but the access log sees it.
const statusClientClosed = 499

// refuse answers a request whose invocation has no response to pass on.
func (i *responder) refuse(w http.ResponseWriter, r *http.Request, call *environment.Call, err error) error {
	status, message := webStatus(err)
	if i.route.FunctionURL && status == http.StatusGatewayTimeout {
		status = http.StatusBadGateway // recorded: to a function URL, too slow is a failure
	}
	if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		i.logFailure(status, call, err)
	}
	refusal := gateway.Refusal{Status: status, Message: message}
	if of, ok := refusalOf(i.protocol, err); ok {
		refusal = of
	} else if i.protocol != "" {
		refusal = i.protocol.Failed(status, message)
	}
	header := w.Header()
	if refusal.Status == http.StatusTooManyRequests {
		header.Set("Retry-After", "1")
	} else if errors.Is(err, bodies.ErrFull) {
		header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	header["X-Amzn-Requestid"] = []string{call.RequestID}
	body := refusal.Body()
	if i.route.FunctionURL {
		body = urlAnswer(status, body, header)
	}
	if payload := payloadOf(err); i.reveals && payload != nil {
		body = payload
	}
	return answerRefusal(w, r, refusal, body, err)
}

// payloadOf is the error that the function answered or ended its init phase with; nil if err is
// another one.
func payloadOf(err error) []byte {
	var failed *functionError
	var initFailed *environment.InitError
	switch {
	case errors.As(err, &failed):
		return failed.payload
	case errors.As(err, &initFailed):
		return initFailed.Payload
	}
	return nil
}

// answerRefusal answers a request with an error. Error routes (handle_errors) come first
// where the site has them; otherwise the body is API Gateway's.
func answerRefusal(w http.ResponseWriter, r *http.Request, refusal gateway.Refusal, body []byte, err error) error {
	if seen := observationOf(w); seen != nil {
		seen.refusal, seen.err = refusal, err
		if done := seen.respond(w, r); done {
			return nil
		}
		if refusal.Status == http.StatusForbidden { // nothing behind the route was asked
			seen.asked = time.Time{}
		}
	}
	if server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Errors != nil && len(server.Errors.Routes) > 0 {
		bodies.AnswerEarly(w, r)
		return caddyhttp.Error(refusal.Status, err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	if refusal.Type != "" {
		header.Set("X-Amzn-Errortype", refusal.Type)
	}
	bodies.Refuse(w, r, refusal.Status, body)
	return nil
}

// urlAnswer is the body of a function URL's answer where it differs from API Gateway's:
// recorded from AWS, a function that fails is plain words under the type of JSON.
func urlAnswer(status int, body []byte, header http.Header) []byte {
	switch status {
	case http.StatusBadGateway:
		return []byte("Internal Server Error")
	case http.StatusForbidden:
		header.Set("X-Amzn-Errortype", "AccessDeniedException")
		return []byte(`{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`)
	}
	return body
}

// logFailure tells the developer and the operator what happened.
func (i *responder) logFailure(status int, call *environment.Call, err error) {
	level := zapcore.ErrorLevel
	if errors.As(err, new(*warmpool.ThrottledError)) || errors.Is(err, bodies.ErrFull) {
		level = zapcore.WarnLevel
	}
	const text = "invocation failed"
	fields := func() []zap.Field {
		return []zap.Field{zap.String("request_id", call.RequestID), zap.Duration("duration", call.Duration), zap.Error(err)}
	}
	if errors.As(err, new(*functionError)) || errors.As(err, new(*environment.InitError)) {
		i.log.Log(level, text, fields()...) // it has run: each is another one
		return
	}
	i.refusals.Tell(i.log, level, text, strconv.Itoa(status), fields)
}
