package custom

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

const (
	runtimePrefix   = "/2018-06-01/runtime"
	extensionPrefix = "/2020-01-01/extension"
)

// routes are all endpoints. What Lambda has and Hearth has not is refused by name.
func (b *Bridge) routes() http.Handler {
	mux := http.NewServeMux()
	if b.inner == nil {
		mux.HandleFunc("GET "+runtimePrefix+"/invocation/next", b.next)
		mux.HandleFunc("POST "+runtimePrefix+"/invocation/{id}/response", b.response)
		mux.HandleFunc("POST "+runtimePrefix+"/invocation/{id}/error", b.invocationError)
		mux.HandleFunc("POST "+runtimePrefix+"/init/error", b.initError)
	}
	mux.HandleFunc("POST "+extensionPrefix+"/register", b.register)
	mux.HandleFunc("GET "+extensionPrefix+"/event/next", b.nextEvent)
	mux.HandleFunc("POST "+extensionPrefix+"/init/error", b.extensionError)
	mux.HandleFunc("POST "+extensionPrefix+"/exit/error", b.extensionError)
	for pattern, what := range map[string]string{
		runtimePrefix + "/restore/": "SnapStart",
		"/2022-07-01/telemetry":     "the Telemetry API",
		"/2020-08-15/logs":          "the Logs API",
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusNotImplemented, "NotSupported", what+" is not supported by Hearth")
		})
	}
	return mux
}

// refuse answers with an error in the form of the Runtime API.
func refuse(w http.ResponseWriter, status int, kind, message string) {
	body, err := json.Marshal(map[string]string{"errorMessage": message, "errorType": kind})
	if err != nil {
		panic(err) // two strings always encode
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
}

func wrongState(w http.ResponseWriter, from phase, to string) {
	refuse(w, http.StatusForbidden, "InvalidStateTransition",
		"State transition from "+from.String()+" to "+to+" failed for runtime. Error: State transition is not allowed")
}

// next answers with the next invocation, however long that takes.
func (b *Bridge) next(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	// One that was not given out yet waits for a runtime that asks again.
	if b.phase == phaseInvoke && b.given || b.phase == phaseStreaming || b.failed {
		from := b.phase
		b.mu.Unlock()
		wrongState(w, from, "Ready")
		return
	}
	if b.phase != phaseInvoke {
		b.phase = phaseReady
	}
	b.notify()
	b.mu.Unlock()
	select {
	case in := <-b.wanted:
		b.mu.Lock()
		b.given = true
		b.mu.Unlock()
		b.give(w, in)
	case <-r.Context().Done():
	}
}

func (b *Bridge) give(w http.ResponseWriter, in *invocation) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(in.event)))
	h.Set("Lambda-Runtime-Aws-Request-Id", in.requestID)
	h.Set("Lambda-Runtime-Invocation-Id", strconv.FormatUint(uint64(in.seq), 10))
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline, 10))
	arn := in.arn
	if arn == "" {
		b.mu.Lock()
		arn = b.init.InvokedFunctionARN
		b.mu.Unlock()
	}
	h.Set("Lambda-Runtime-Invoked-Function-Arn", arn)
	for name, value := range map[string]string{
		"Lambda-Runtime-Trace-Id": in.trace, "Lambda-Runtime-Client-Context": in.client, "Lambda-Runtime-Cognito-Identity": in.identity,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	_, _ = w.Write(in.event) // a runtime that is gone is found by its process
}

// claim finds the invocation that a response is for, and moves on to a phase; nil
// when it has refused.
func (b *Bridge) claim(w http.ResponseWriter, r *http.Request, to phase) *invocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.current
	switch given := r.Header.Get("Lambda-Runtime-Invocation-Id"); {
	case in == nil || r.PathValue("id") != in.requestID:
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil
	case given != "" && given != strconv.FormatUint(uint64(in.seq), 10):
		refuse(w, http.StatusGone, "ErrorRuntimeInvokeTimeout", "the invocation has ended")
		return nil
	case b.phase != phaseInvoke:
		wrongState(w, b.phase, "InvocationResponse")
		return nil
	}
	b.phase = to
	return in
}

// httpIntegration is the content type of a streamed HTTP response. AWS's client for
// Go sends it without saying that it streams.
const httpIntegration = "application/vnd.awslambda.http-integration-response"

// response takes the result of an invocation.
func (b *Bridge) response(w http.ResponseWriter, r *http.Request) {
	switch mode := r.Header.Get("Lambda-Runtime-Function-Response-Mode"); {
	case mode == "" && r.Header.Get("Content-Type") != httpIntegration:
	case mode == "", mode == "streaming":
		b.stream(w, r)
		return
	default:
		refuse(w, http.StatusBadRequest, "InvalidFunctionResponseMode", "Invalid response mode: "+mode)
		return
	}
	in := b.claim(w, r, phaseStreaming)
	if in == nil {
		return
	}
	body, err := readUpTo(r.Body, runtimes.MaxResponse)
	switch {
	case errors.Is(err, errTooLarge):
		message := "Response payload size exceeded maximum allowed payload size (" + strconv.Itoa(runtimes.MaxResponse) + " bytes)."
		_ = b.answer(in, runtimes.KindError, errorBody("Function.ResponseSizeTooLarge", message))
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size ("+strconv.Itoa(runtimes.MaxResponse)+" bytes).")
		return
	case err != nil:
		_ = b.answer(in, runtimes.KindError, errorBody("Runtime.TruncatedResponse", "the runtime broke off its response"))
		return
	}
	if err := b.answer(in, runtimes.KindResult, body); err == nil {
		accept(w)
	}
}

// invocationError takes the error of an invocation.
func (b *Bridge) invocationError(w http.ResponseWriter, r *http.Request) {
	in := b.claim(w, r, phaseStreaming)
	if in == nil {
		return
	}
	if err := b.answer(in, runtimes.KindError, errorOf(r, "Runtime.Unknown")); err == nil {
		accept(w)
	}
}

// initError takes the error of the init phase, after which the runtime ends.
func (b *Bridge) initError(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	from, failed := b.phase, b.failed
	b.mu.Unlock()
	if from != phaseInit || failed {
		wrongState(w, from, "InitError")
		return
	}
	b.failInitWith(errorOf(r, "Runtime.Unknown"))
	accept(w)
}

var errTooLarge = errors.New("body too large")

// readUpTo reads a body of at most limit bytes.
func readUpTo(r io.Reader, limit int) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, int64(limit)+1))
	if err == nil && n > int64(limit) {
		err = errTooLarge
	}
	return b.Bytes(), err
}

// maxError bounds an error report; Lambda's own limit for one is not documented.
const maxError = 256 << 10

// errorType is what Lambda takes for one.
var errorType = regexp.MustCompile(`^(Runtime|Function|Extension)\.[A-Z][a-zA-Z]+$`)

// errorOf makes of a request the error that the caller is told: its body when that
// is a JSON object, with the type of the header where the body has none.
func errorOf(r *http.Request, otherwise string) []byte {
	kind := r.Header.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		kind = r.Header.Get("Lambda-Extension-Function-Error-Type")
	}
	if !errorType.MatchString(kind) {
		kind = otherwise
	}
	body, err := readUpTo(r.Body, maxError)
	var reported map[string]json.RawMessage
	if err != nil || json.Unmarshal(body, &reported) != nil || reported == nil {
		return errorBody(kind, "")
	}
	if _, ok := reported["errorType"]; ok {
		return body
	}
	reported["errorType"], err = json.Marshal(kind)
	if err != nil {
		panic(err) // a string always encodes
	}
	if body, err = json.Marshal(reported); err != nil {
		return errorBody(kind, "")
	}
	return body
}

func errorBody(kind, message string) []byte {
	body, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message})
	if err != nil {
		panic(err) // two strings always encode
	}
	return body
}
