package caddymodule

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/invoker/push"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// An answer is the status, the headers that clients of a full node read, and the body.
type answer struct {
	status                      int
	retryAfter, errorType, body string
}

// budgetTest is what one handler answers while the memory for bodies holds one of them.
type budgetTest struct {
	handler    caddyhttp.MiddlewareHandler
	memory     *bodies.Budget
	request    func(body io.Reader) *http.Request
	body       []byte // of which the memory holds one
	full       answer
	slow, torn int // the statuses of a body that comes too slowly, and of one that ends early
	passes     int // the status once there is room
}

func (b *budgetTest) serve(t *testing.T, body io.Reader) answer {
	w := httptest.NewRecorder()
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errors.New("nobody has answered") })
	if err := b.handler.ServeHTTP(w, b.request(body), next); err != nil {
		t.Error(err)
	}
	return answer{w.Code, w.Header().Get("Retry-After"), w.Header().Get("X-Amzn-Errortype"), w.Body.String()}
}

func (b *budgetTest) run(t *testing.T) {
	b.memory.Resize(16)
	for _, end := range []struct {
		err  error
		want int
	}{{os.ErrDeadlineExceeded, b.slow}, {io.ErrUnexpectedEOF, b.torn}} {
		// One body is on its way: the memory for it is held, and the rest does not come.
		slow, sender := io.Pipe()
		done := make(chan answer)
		go func() { done <- b.serve(t, slow) }()
		if _, err := sender.Write(b.body[:2*bodies.Small]); err != nil { // returns when it is read
			t.Fatal(err)
		}
		if used := b.memory.Used(); used < int64(len(b.body)) {
			t.Errorf("a body of %d bytes holds %d", len(b.body), used)
		}
		if got := b.serve(t, bytes.NewReader(b.body)); got != b.full {
			t.Errorf("a second body is answered %+v, want %+v", got, b.full)
		}
		sender.CloseWithError(end.err)
		if got := <-done; got.status != end.want {
			t.Errorf("after %v the answer is %d, want %d", end.err, got.status, end.want)
		}
		if used := b.memory.Used(); used != 0 {
			t.Errorf("after %v %d bytes are held", end.err, used)
		}
		if got := b.serve(t, bytes.NewReader(b.body)); got.status != b.passes {
			t.Errorf("with room again the answer is %+v, want %d", got, b.passes)
		}
		if used := b.memory.Used(); used != 0 {
			t.Errorf("after a request that failed %d bytes are held", used)
		}
	}
}

// jsonText is JSON of so many bytes.
func jsonText(size int) []byte { return []byte(`"` + strings.Repeat("x", size-2) + `"`) }

// manyBytes are most of an event's. Twice the memory for them is over 16 MB in each handler.
const manyBytes = 11 << 19

func TestFunctionURLRefusesABodyForWhichThereIsNoMemory(t *testing.T) {
	f, r := newFunctionURLs(t)
	made, err := r.CreateURL(t.Context(), "made", function.Latest, func(u *registry.URLConfig) error {
		u.AuthType = "NONE"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The URL is closed until the function's policy opens it.
	if _, err := r.Policies.Put(t.Context(), "made", function.Latest, func(p *registry.Policy, _ bool) error {
		p.Statements = append(p.Statements, registry.Statement{Effect: "Allow", Principal: json.RawMessage(`"*"`), Action: "lambda:InvokeFunctionUrl"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b := budgetTest{
		handler: f, memory: f.app.engine.Bodies(), body: jsonText(manyBytes),
		full: answer{503, "5", "", `{"message":"Service Unavailable"}`}, slow: 408, torn: 400, passes: 502, // its code is not there
	}
	b.request = func(body io.Reader) *http.Request {
		r := newRequest("POST", "https://"+made.ID+".fn.example.com/", body)
		r.ContentLength = int64(len(b.body))
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	b.run(t)
}

func TestLambdaAPIRefusesABodyForWhichThereIsNoMemory(t *testing.T) {
	f, _ := newFunctionURLs(t)
	api, err := f.app.setup.LambdaAPI(f.app.functionURL, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	b := budgetTest{
		handler: &LambdaAPI{app: f.app, api: api, aws: new(awsapi.Endpoint), hosts: &apiHosts{app: f.app}}, memory: f.app.engine.Bodies(), body: jsonText(manyBytes),
		full: answer{429, "1", "TooManyRequestsException", `{"Reason":"CallerRateLimitExceeded","Type":"User","message":"Rate Exceeded."}`},
		slow: 400, torn: 400, passes: 500,
	}
	digest := sha256.Sum256(b.body)
	b.request = func(body io.Reader) *http.Request {
		r := newRequest("POST", "https://api.example.com/2015-03-31/functions/made/invocations", body)
		r.ContentLength = int64(len(b.body))
		err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "FULL", SecretAccessKey: "0123456789abcdef"}, r, hex.EncodeToString(digest[:]), "lambda", "us-east-1", time.Now())
		if err != nil {
			t.Error(err)
		}
		return r
	}
	b.run(t)
}

func TestReceiveRefusesABodyForWhichThereIsNoMemory(t *testing.T) {
	f, _ := newFunctionURLs(t)
	h := &Receive{Source: "generic", Open: true, app: f.app, log: zap.NewNop()}
	var err error
	if h.source, err = push.New("generic", push.Config{Open: true}); err != nil {
		t.Fatal(err)
	}
	b := budgetTest{
		handler: h, memory: f.app.engine.Bodies(), body: jsonText(manyBytes),
		full: answer{503, "5", "", `{"message":"the events being taken have all the memory they may have"}`},
		slow: 408, torn: 400, passes: 413, // it is longer than an event that is kept may be
	}
	b.request = func(body io.Reader) *http.Request {
		r := newRequest("POST", "https://in.example.com/made", body)
		r.ContentLength = int64(len(b.body))
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	b.run(t)
}
