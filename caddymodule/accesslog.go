package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hearthfn/hearth/caddymodule/apigateway/accesslog"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
)

// An accessLog writes a line for each request of a stage of an API.
type accessLog struct {
	format *accesslog.Format
	log    *zap.Logger
}

// accessLogger ends the name of the logger, so that Caddy's option log finds it:
// http.handlers.hearth_api.access.
const accessLogger = "access"

// newAccessLog makes the access log of a stage, nil if it has none.
func newAccessLog(stage *gateway.Stage, log *zap.Logger) (*accessLog, error) {
	of := stage.AccessLog
	if of == nil {
		return nil, nil
	}
	format, err := accesslog.Parse(of.Format)
	if err != nil {
		return nil, err
	}
	log = log.Named(accessLogger).With(zap.String("stage", stage.Name))
	if of.Destination != "" {
		log = log.With(zap.String("destination", of.Destination))
	}
	return &accessLog{format, log}, nil
}

// lines saves the memory of lines that were written.
var lines = sync.Pool{New: func() any { return new([]byte) }}

func (a *accessLog) write(s *apiServer, o *observation, r *http.Request, now time.Time) {
	entry := a.log.Check(zapcore.InfoLevel, "request")
	if entry == nil {
		return
	}
	v := &variables{server: s, of: o, request: r, now: now}
	room := lines.Get().(*[]byte)
	defer lines.Put(room)
	line := a.format.Append((*room)[:0], v.value)
	*room = line
	if a.format.JSON && json.Valid(line) {
		entry.Write(zap.Reflect("request", json.RawMessage(line)))
		return
	}
	entry.Write(zap.ByteString("request", line))
}

// variables have the values of a request.
type variables struct {
	server  *apiServer
	of      *observation
	request *http.Request
	now     time.Time
	told    map[string]json.RawMessage // what the authorizer says, once it is asked for
}

// value appends the value of a $context variable.
func (v *variables) value(dst []byte, name string) []byte {
	o, r := v.of, v.request
	if rest, found := strings.CutPrefix(name, "authorizer."); found {
		return v.authorizer(dst, rest)
	}
	if rest, found := strings.CutPrefix(name, "identity."); found {
		return append(dst, v.identity(rest)...)
	}
	switch name {
	case "status":
		return strconv.AppendInt(dst, int64(o.status), 10)
	case "responseLength":
		return strconv.AppendInt(dst, o.size, 10)
	case "responseLatency":
		return strconv.AppendInt(dst, v.now.Sub(o.began).Milliseconds(), 10)
	case "integrationLatency", "integration.latency":
		if took := o.integration(v.now); took >= 0 {
			return strconv.AppendInt(dst, took.Milliseconds(), 10)
		}
		return dst
	case "integration.status":
		if !o.asked.IsZero() && o.err == nil {
			return strconv.AppendInt(dst, int64(o.status), 10)
		}
		return dst
	case "requestTime":
		return o.began.UTC().AppendFormat(dst, "02/Jan/2006:15:04:05 -0700")
	case "requestTimeEpoch":
		return strconv.AppendInt(dst, o.began.UnixMilli(), 10)
	case "requestId", "extendedRequestId", "awsEndpointRequestId":
		return append(dst, o.from.requestID...)
	case "httpMethod":
		return append(dst, r.Method...)
	case "path":
		return append(dst, r.URL.EscapedPath()...)
	case "protocol":
		return append(dst, r.Proto...)
	case "domainName":
		return append(dst, r.Host...)
	}
	return append(dst, v.rest(name)...)
}

// rest is the value of a variable that has no numbers in it.
func (v *variables) rest(name string) string {
	o, api := v.of, v.server.api
	switch name {
	case "apiId":
		return api.ID
	case "stage":
		return api.Stages[0].Name
	case "accountId":
		return v.server.account
	case "domainPrefix":
		prefix, _, _ := strings.Cut(v.request.Host, ".")
		return prefix
	case "error.message":
		return o.refusal.Message
	case "error.messageString":
		if o.err != nil {
			return strconv.Quote(o.refusal.Message)
		}
	case "error.responseType":
		if o.err != nil {
			return string(o.refusal.Response)
		}
	case "error.validationErrorString":
		var invalid *gateway.InvalidRequest
		if errors.As(o.err, &invalid) {
			return invalid.Reason()
		}
	case "integrationErrorMessage", "integration.error":
		if !o.asked.IsZero() && o.err != nil {
			return o.err.Error()
		}
	case "integrationStatus", "integration.integrationStatus":
		if !o.asked.IsZero() && o.err == nil {
			return "200" // the function, or the server, was called
		}
	}
	if o.route == nil {
		return ""
	}
	switch name {
	case "routeKey":
		return o.route.of.Key
	case "resourcePath":
		return o.route.pattern.Path
	case "resourceId":
		return o.route.of.ResourceID
	}
	return ""
}

// identity is a part of who sends the request. An API key shows its end only.
func (v *variables) identity(name string) string {
	o := v.of
	switch name {
	case "sourceIp":
		return sourceIP(v.request)
	case "userAgent":
		return v.request.UserAgent()
	}
	if c := o.from.client; c != nil {
		switch name {
		case "apiKeyId":
			return c.ID
		case "apiKey":
			return strings.Repeat("*", len(c.Value)-4) + c.Value[len(c.Value)-4:]
		}
	}
	if id := o.identity; id != nil {
		switch name {
		case "accessKey":
			return id.AccessKey
		case "accountId":
			return v.server.account
		case "caller", "user":
			return id.UserID
		case "userArn":
			return id.UserARN
		}
	}
	return ""
}

// authorizer appends what the authorizer says under a name: a claim of a token by claims.NAME, a
// value of a function's context by its name.
func (v *variables) authorizer(dst []byte, name string) []byte {
	if v.told == nil {
		v.told = make(map[string]json.RawMessage)
		_ = json.Unmarshal(v.of.from.authorizer, &v.told) // it is our own; nil: nothing is told
		for _, kind := range []string{"jwt", "lambda"} {  // of payload 2.0
			_ = json.Unmarshal(v.told[kind], &v.told)
		}
	}
	value := v.told[name]
	if claim, found := strings.CutPrefix(name, "claims."); found {
		var claims map[string]json.RawMessage
		_ = json.Unmarshal(v.told["claims"], &claims)
		value = claims[claim]
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		return append(dst, text...)
	}
	return append(dst, value...)
}
