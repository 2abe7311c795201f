package custom

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

const (
	runtimePrefix   = "/2018-06-01/runtime"
	extensionPrefix = "/2020-01-01/extension"
)

// routes are all endpoints. What Lambda has and Hearth has not is refused by name.
func (b *Bridge) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimePrefix+"/invocation/next", b.ofRuntime(b.next))
	mux.HandleFunc("POST "+runtimePrefix+"/invocation/{id}/response", b.ofRuntime(b.response))
	mux.HandleFunc("POST "+runtimePrefix+"/invocation/{id}/error", b.ofRuntime(b.invocationError))
	mux.HandleFunc("POST "+runtimePrefix+"/init/error", b.ofRuntime(b.initError))
	mux.HandleFunc(runtimePrefix+"/restore/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "NotSupported", "SnapStart is not supported by Hearth")
	})
	mux.HandleFunc("POST "+extensionPrefix+"/register", b.register)
	mux.HandleFunc("GET "+extensionPrefix+"/event/next", b.nextEvent)
	mux.HandleFunc("POST "+extensionPrefix+"/init/error", b.extensionError(true))
	mux.HandleFunc("POST "+extensionPrefix+"/exit/error", b.extensionError(false))
	for _, end := range []string{"", "/{$}"} {
		mux.HandleFunc("PUT /2022-07-01/telemetry"+end, b.subscribe(apiTelemetry))
		mux.HandleFunc("PUT /2020-08-15/logs"+end, b.subscribe(apiLogs))
	}
	return mux
}

// ofRuntime is an endpoint of the runtime's. A built-in runtime speaks frames instead;
// but as long as it is not ready, something else may take its place: what a wrapper
// has started, or an extension.
func (b *Bridge) ofRuntime(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.http = b.http || b.phase == phaseStarted
		theirs := b.http
		b.mu.Unlock()
		if !theirs {
			refuse(w, http.StatusForbidden, "InvalidStateTransition", "the function's runtime is one of Lambda's own, and has taken this part")
			return
		}
		serve(w, r)
	}
}

func respond(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings always encode
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// refuse answers with an error in the form of the Runtime API.
func refuse(w http.ResponseWriter, status int, kind, message string) {
	respond(w, status, struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}{message, kind})
}

const accepted = `{"status":"OK"}` + "\n"

func accept(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(accepted)))
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, accepted)
}

func wrongState(w http.ResponseWriter, from phase, to string) {
	refuse(w, http.StatusForbidden, "InvalidStateTransition",
		"State transition from "+from.String()+" to "+to+" failed for runtime. Error: State transition is not allowed")
}

// next answers with the next invocation, however long that takes. A runtime that
// asks again before it has answered gets the same one again.
// https://github.com/aws/aws-lambda-runtime-interface-emulator/blob/develop/internal/lambda/core/states.go
func (b *Bridge) next(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	if from := b.phase; from == phaseAnswering || from == phaseInitError {
		b.mu.Unlock()
		wrongState(w, from, "Ready")
		return
	}
	if b.phase == phaseRunning && b.given {
		in := b.current
		b.mu.Unlock()
		writeEvent(w, in)
		return
	}
	if b.phase != phaseRunning && b.phase != phaseReady {
		b.phase = phaseReady
		b.notify()
	}
	b.mu.Unlock()
	select {
	case in := <-b.wanted:
		b.mu.Lock()
		b.given = true
		b.mu.Unlock()
		writeEvent(w, in)
	case <-r.Context().Done():
	}
}

func writeEvent(w http.ResponseWriter, in *invocation) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(in.event)))
	h.Set("Lambda-Runtime-Aws-Request-Id", in.requestID)
	h.Set("Lambda-Runtime-Invocation-Id", strconv.FormatUint(uint64(in.seq), 10))
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline, 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", in.arn)
	for _, optional := range [...][2]string{
		{"Lambda-Runtime-Trace-Id", in.trace},
		{"Lambda-Runtime-Client-Context", in.client},
		{"Lambda-Runtime-Cognito-Identity", in.identity},
	} {
		if optional[1] != "" {
			h.Set(optional[0], optional[1])
		}
	}
	_, _ = w.Write(in.event) // a runtime that is gone is found by its process
}

// claim finds the invocation that an answer is for; nil when it has refused. Nobody
// else can answer it then.
func (b *Bridge) claim(w http.ResponseWriter, r *http.Request, to string) *invocation {
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
	case b.phase != phaseRunning:
		wrongState(w, b.phase, to)
		return nil
	}
	b.phase = phaseAnswering
	return in
}

// exceeded is how Lambda words that a response is larger than limit bytes.
func exceeded(limit int) string {
	return "xceeded maximum allowed payload size (" + strconv.Itoa(limit) + " bytes)."
}

// httpIntegration is the content type of a response with a prelude, which the client
// for Go sends without a word about streaming.
const httpIntegration = "application/vnd.awslambda.http-integration-response"

// response takes the result of an invocation.
func (b *Bridge) response(w http.ResponseWriter, r *http.Request) {
	in := b.claim(w, r, "InvocationResponse")
	if in == nil {
		return
	}
	switch mode := r.Header.Get("Lambda-Runtime-Function-Response-Mode"); {
	case mode == "" && r.Header.Get("Content-Type") != httpIntegration:
	case mode == "", mode == "streaming":
		b.stream(w, r, in)
		return
	default:
		b.fail(in, "Runtime.InvalidResponseModeHeader", "Invalid function response mode")
		refuse(w, http.StatusBadRequest, "InvalidFunctionResponseMode", "Invalid function response mode")
		return
	}
	frame, err := readFrame(r, runtimes.MaxResponse)
	switch {
	case errors.Is(err, errTooLarge):
		b.fail(in, "Function.ResponseSizeTooLarge", "Response payload size e"+exceeded(runtimes.MaxResponse))
		// Read what is on its way, for clients that read no answer while they send.
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "E"+exceeded(runtimes.MaxResponse))
	case err != nil:
		b.fail(in, "Runtime.TruncatedResponse", "the runtime broke off its response")
		refuse(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
	case b.answer(in, runtimes.KindResult, frame) == nil:
		accept(w)
	}
}

// invocationError takes the error of an invocation.
func (b *Bridge) invocationError(w http.ResponseWriter, r *http.Request) {
	in := b.claim(w, r, "InvocationErrorResponse")
	if in == nil {
		return
	}
	if b.answer(in, runtimes.KindError, withHead(errorOf(r))) == nil {
		accept(w)
	}
}

// initError takes the error of the init phase, after which the runtime ends.
func (b *Bridge) initError(w http.ResponseWriter, r *http.Request) {
	payload := errorOf(r)
	b.mu.Lock()
	from := b.phase
	b.mu.Unlock()
	if from != phaseStarted {
		wrongState(w, from, "InitError")
		return
	}
	accept(w)
	b.failInitWith(payload)
}

var errTooLarge = errors.New("body too large")

// maxDrain bounds what is read of a response that is too large anyway, in bytes.
const maxDrain = 64 << 20

// maxError bounds an error report and a registration, in bytes; Lambda's own limit
// for one is not documented.
const maxError = 256 << 10

// readFrame reads a body of at most limit bytes, with room for a frame's head in
// front.
func readFrame(r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return nil, errTooLarge
	}
	frame := make([]byte, runtimes.HeadSize, runtimes.HeadSize+max(int(r.ContentLength)+1, 512))
	for {
		n, err := r.Body.Read(frame[len(frame):cap(frame)])
		frame = frame[:len(frame)+n]
		switch {
		case len(frame)-runtimes.HeadSize > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return frame, nil
		case err != nil:
			return nil, err
		case len(frame) == cap(frame):
			frame = append(frame, 0)[:len(frame)]
		}
	}
}

// errorType is what Lambda takes for the type of an error.
var errorType = regexp.MustCompile(`^(Runtime|Function)\.[A-Z][a-zA-Z]+$`)

// errorOf makes the caller's error from a request: the body if it is a JSON object, with
// the type from the header if the body has none.
func errorOf(r *http.Request) []byte {
	kind := r.Header.Get("Lambda-Runtime-Function-Error-Type")
	if !errorType.MatchString(kind) {
		unknown := "Runtime.Unknown"
		if strings.HasPrefix(kind, "Function.") {
			unknown = "Function.Unknown"
		}
		kind = unknown
	}
	frame, err := readFrame(r, maxError)
	if err != nil {
		return errorBody(kind, "the runtime reported an error of more than "+strconv.Itoa(maxError>>10)+" KB, or broke off")
	}
	body := frame[runtimes.HeadSize:]
	var reported map[string]json.RawMessage
	if json.Unmarshal(body, &reported) != nil || reported == nil {
		return errorBody(kind, "")
	}
	if _, ok := reported["errorType"]; ok {
		return body
	}
	reported["errorType"] = json.RawMessage(strconv.Quote(kind)) // of letters and a dot
	if body, err = json.Marshal(reported); err != nil {
		return errorBody(kind, "")
	}
	return body
}

func errorBody(kind, message string) []byte {
	body, err := json.Marshal(struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}{kind, message})
	if err != nil {
		panic(err) // two strings always encode
	}
	return body
}
