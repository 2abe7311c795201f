package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/trace"
)

type invokeInput struct {
	FunctionName, Qualifier        string
	InvocationType, LogType        string
	ClientContext                  string // Base64
	DurableExecutionName, TenantId string
}

// Invocation types.
const (
	typeEvent  = "Event"
	typeDryRun = "DryRun"
)

// maxClientContext is AWS's limit, in bytes of Base64.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
const maxClientContext = 3583

// invoke runs a function and answers with what it returned.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func invoke(a *API, r *request) error {
	var in invokeInput
	if err := r.read(&in); err != nil {
		return err
	}
	f, err := a.prepare(r, &in)
	if err != nil {
		return err
	}
	switch in.InvocationType {
	case typeDryRun:
		return a.dryRun(r, f)
	case typeEvent:
		if len(r.body) > maxAsync {
			return exception("RequestTooLargeException", fmt.Sprintf("%d byte payload is too large for the Event invocation type (limit %d bytes)", len(r.body), maxAsync))
		}
		if err := a.push(r, f); err != nil {
			return err
		}
		r.w.WriteHeader(http.StatusAccepted)
		return nil
	}
	call := r.exchange.call
	err = a.Invoker.Invoke(r.Context(), call)
	if err := a.outcomeOf(r, f, err); err != nil {
		return err
	}
	header := r.w.Header()
	header["X-Amz-Executed-Version"] = []string{call.Version}
	if call.Outcome != environment.OutcomeResult {
		header["X-Amz-Function-Error"] = unhandled
	}
	if call.Tail {
		header.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(call.LogTail))
	}
	header["Content-Type"] = jsonType
	r.w.WriteHeader(http.StatusOK)
	_, _ = r.w.Write(call.Payload) // the client may be gone
	return nil
}

// Values of headers; nobody changes them.
var (
	unhandled = []string{"Unhandled"}
	jsonType  = []string{"application/json"}
)

// prepare checks what an invocation asks, and makes its frame.
func (a *API) prepare(r *request, in *invokeInput) (reference, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if errors.Is(err, function.ErrLongName) { // AWS names the version that the call would have had
		err = a.notFound(registry.ErrNotFound, reference{f.name, f.orLatest()})
	}
	if err != nil {
		return f, err
	}
	switch {
	case in.DurableExecutionName != "":
		return f, invalid("X-Amz-Durable-Execution-Name is not supported: there are no durable executions here.")
	case in.TenantId != "":
		if err := a.ignore("tenancy_config", f.name); err != nil {
			return f, err
		}
	}
	if len(r.body) == 0 {
		r.body = []byte("{}")
	}
	if !utf8.Valid(r.body) || !json.Valid(r.body) {
		return f, exception("InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: "+syntaxOf(r.body))
	}
	clientContext, err := decodeClientContext(in.ClientContext)
	if err != nil {
		return f, err
	}
	call := r.exchange.call
	r.clientContext = clientContext
	call.Function, call.Qualifier, call.RequestID, call.ClientContext = f.name, f.orLatest(), r.id, clientContext
	call.TraceID, call.Runs = trace.Next(trace.Of(r.Context(), r.Header.Get("X-Amzn-Trace-Id")), a.Account.Key(f.name))
	r.w.Header()["X-Amzn-Trace-Id"] = []string{call.TraceID}
	call.Tail = in.LogType == "Tail"
	if err := call.Begin(a.arn(f)); err != nil {
		return f, exception("InvalidRequestContentException", err.Error())
	}
	call.Frame = append(call.Frame, r.body...)
	if len(r.body) > bodies.Small {
		r.body, r.exchange.body = call.Event(), nil // one copy of it waits
		r.exchange.share.Keep(cap(call.Frame))
	}
	return f, nil
}

// syntaxOf says what is wrong with a payload, of bytes that are no UTF-8 in the words
// of AWS's parser.
func syntaxOf(body []byte) string {
	err := json.Unmarshal(body, new(any))
	var syntax *json.SyntaxError
	isSyntax := errors.As(err, &syntax)
	if at := invalidUTF8(body); at >= 0 {
		part := body[at]
		switch {
		case isSyntax && syntax.Offset == int64(at)+1 && strings.HasSuffix(syntax.Error(), "looking for beginning of value"):
			return fmt.Sprintf("Unexpected character ((CTRL-CHAR, code %d)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", part) + location(body, at)
		case part < 0xC2 || part > 0xF4:
			return fmt.Sprintf("Invalid UTF-8 start byte 0x%x", part) + location(body, at+1)
		case at+1 == len(body):
			return fmt.Sprintf("Invalid UTF-8: it ends within a character at byte %d", at+1)
		}
		return fmt.Sprintf("Invalid UTF-8 middle byte 0x%x", body[at+1]) + location(body, at+2)
	}
	if isSyntax {
		return fmt.Sprintf("%s at byte %d", syntax.Error(), syntax.Offset)
	}
	return "no JSON value"
}

// location is where a byte of an event is, as AWS ends such a message.
func location(body []byte, at int) string {
	line := body[:at]
	begin := bytes.LastIndexByte(line, '\n') + 1
	return fmt.Sprintf("\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]", bytes.Count(line, []byte("\n"))+1, at-begin+1)
}

// invalidUTF8 is where the first character begins that is no UTF-8, -1 if there is none.
func invalidUTF8(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

func decodeClientContext(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if len(text) > maxClientContext {
		return "", exception("InvalidRequestContentException", fmt.Sprintf("Client context must be at most %d bytes in Base64.", maxClientContext))
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !utf8.Valid(decoded) || json.Unmarshal(decoded, new(map[string]any)) != nil {
		return "", exception("InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
	}
	return string(decoded), nil
}

// outcomeOf makes an outcome of the errors that are the function's own.
func (a *API) outcomeOf(r *request, f reference, err error) error {
	if err == nil {
		return nil
	}
	call := r.exchange.call
	var failed *environment.InitError
	if errors.As(err, &failed) {
		call.Outcome, call.Payload = environment.OutcomeError, append(call.Payload[:0], failed.Payload...)
		return nil
	}
	if a.exceptionOf(err) == nil && r.Context().Err() == nil {
		a.Refusals.Tell(a.Log, zap.ErrorLevel, "invocation failed", f.name, func() []zap.Field {
			return []zap.Field{zap.String("function", f.name), zap.String("qualifier", f.orLatest()), zap.String("request_id", r.id), zap.Error(err)}
		})
		return exception("ServiceException", "The service could not start the function.")
	}
	return a.notFound(err, reference{f.name, f.orLatest()})
}

// dryRun checks everything that an invocation needs except the function's own code.
func (a *API) dryRun(r *request, f reference) error {
	if _, err := a.Registry.Resolve(r.Context(), f.name, f.orLatest()); err != nil {
		return a.notFound(err, reference{f.name, f.orLatest()})
	}
	if r.Header.Get(headerInit) != "" {
		return a.tryInit(r, f)
	}
	r.w.WriteHeader(http.StatusNoContent)
	return nil
}

// headerInit is a header of a dry run, of ours: the function's init phase runs too, and its error
// is answered as that of an invocation.
const headerInit = "X-Hearth-Init"

func (a *API) tryInit(r *request, f reference) error {
	call := r.exchange.call
	if err := a.outcomeOf(r, f, a.Invoker.Initialize(r.Context(), call)); err != nil {
		return err
	}
	if call.Outcome == environment.OutcomeResult {
		r.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	r.w.Header()["X-Amz-Function-Error"], r.w.Header()["Content-Type"] = unhandled, jsonType
	r.w.WriteHeader(http.StatusOK)
	_, _ = r.w.Write(call.Payload) // the client may be gone
	return nil
}

// push hands an asynchronous invocation to the queue.
func (a *API) push(r *request, f reference) error {
	if a.Queue == nil {
		return invalid("InvocationType Event is not supported: this server keeps no asynchronous invocations.")
	}
	if _, err := a.Registry.Resolve(r.Context(), f.name, f.orLatest()); err != nil {
		return a.notFound(err, reference{f.name, f.orLatest()})
	}
	err := a.Queue.Push(r.Context(), &invoker.Message{
		RequestID: r.id, Function: f.name, Qualifier: f.orLatest(), Qualified: f.qualifier != "", TraceID: r.Header.Get("X-Amzn-Trace-Id"), ClientContext: r.clientContext,
		Payload: append([]byte(nil), r.body...), // the buffer is used again
	})
	if errors.Is(err, invoker.ErrFull) {
		return &Exception{Name: "TooManyRequestsException", Message: "Rate Exceeded.", Reason: "CallerRateLimitExceeded"}
	}
	return err
}

// invokeAsync is the oldest way to invoke asynchronously.
// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html
func invokeAsync(a *API, r *request) error {
	var in struct{ FunctionName string }
	if err := r.read(&in); err != nil {
		return err
	}
	f, err := a.prepare(r, &invokeInput{FunctionName: in.FunctionName})
	if err != nil {
		return err
	}
	if len(r.body) > maxAsync {
		return exception("InvalidRequestContentException", fmt.Sprintf("%d byte payload is too large (limit %d bytes)", len(r.body), maxAsync))
	}
	if err := a.push(r, f); err != nil {
		return err
	}
	return writeJSON(r.w, http.StatusAccepted, struct{ Status int }{http.StatusAccepted})
}
