package caddymodule

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

const actAsFunction = "HEARTH_TEST_FUNCTION"

// serveFunction is a runtime whose function answers every event alike, and fails
// for the path /fail. It does not return when the process was started as one.
func serveFunction() {
	if os.Getenv(actAsFunction) == "" {
		return
	}
	in, out := os.NewFile(3, "in"), os.NewFile(4, "out")
	request := make([]byte, 8<<20)
	var answer []byte
	for {
		n, err := in.Read(request[:runtimes.PacketSize])
		if err != nil {
			os.Exit(0)
		}
		size := runtimes.HeadSize + int(binary.LittleEndian.Uint32(request[4:]))
		if _, err := io.ReadFull(in, request[n:max(n, size)]); err != nil {
			os.Exit(3)
		}
		switch {
		case runtimes.Kind(request[1]) == runtimes.KindInit:
			answer = runtimes.AppendHead(answer[:0], runtimes.Head{Kind: runtimes.KindReady})
		case strings.Contains(string(request[:size]), "rawPath\":\"/fail"):
			answer = appendFrame(answer[:0], runtimes.KindError, request, `{"errorType":"Error","errorMessage":"a secret"}`)
		default:
			answer = appendFrame(answer[:0], runtimes.KindResult, request, `{"statusCode":201,"headers":{"content-type":"text/plain"},"body":"hello"}`)
		}
		if _, err := out.Write(answer); err != nil {
			os.Exit(3)
		}
	}
}

func appendFrame(dst []byte, kind runtimes.Kind, request []byte, payload string) []byte {
	dst = runtimes.AppendHead(dst, runtimes.Head{Kind: kind, Length: uint32(len(payload)), Seq: runtimes.InvokeSeq(request), Value: 10})
	return append(dst, payload...)
}

// A starter starts that runtime.
type starter struct{ store *logs.Store }

func (s starter) StemKind(*function.Function) (warmpool.StemKind, bool) {
	return warmpool.StemKind{}, false
}

func (s starter) Boot(context.Context, warmpool.StemKind, func()) (*warmpool.Stem, error) {
	panic("there are no stems")
}

func (s starter) Start(ctx context.Context, start warmpool.Start) (*environment.Environment, error) {
	f := start.Function
	group, err := s.store.Group(f.Name)
	if err != nil {
		return nil, err
	}
	return environment.Start(ctx, environment.Spec{
		ID:          "e",
		Init:        runtimes.InitPayload{Handler: f.Handler, MemoryMB: f.MemoryMB, Concurrency: 1},
		InitTimeout: 10 * time.Second,
		Log:         group.Stream(function.Latest, "e", time.Now()),
		Start: func(output *os.File, pipes []*os.File) (environment.Process, error) {
			return environmenttest.Start(output, pipes)
		},
		Busy: start.Busy, Ended: start.Ended,
	})
}

// newFunctionHandler is a handler with a warm pool of one function behind it.
func newFunctionHandler(tb testing.TB) *FunctionHandler {
	tb.Helper()
	tb.Setenv(actAsFunction, "1")
	store, err := logs.Open(logs.Config{Dir: tb.TempDir()}, zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	pool, err := warmpool.New(warmpool.Config{}, starter{store}, zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	f := &function.Function{Name: "pets", Runtime: "test", Handler: "index.handler", Code: "/"}
	if err := f.Normalize(); err != nil {
		tb.Fatal(err)
	}
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(tb.TempDir(), "state.db")})
	if err != nil {
		tb.Fatal(err)
	}
	made, err := registry.New(registry.Config{Records: records, CodePath: func(registry.Code) string { return "" }})
	if err != nil {
		tb.Fatal(err)
	}
	catalog := warmpool.NewCatalog(pool, made.With([]*function.Function{f}))
	tb.Cleanup(func() {
		catalog.Close()
		pool.Close(context.Background())
		made.Close()
		if err := errors.Join(records.Close(), store.Close()); err != nil {
			tb.Error(err)
		}
	})
	i := &FunctionHandler{Function: "pets", responder: responder{log: zap.NewNop(), runs: catalog, function: "pets", route: &apigateway.Route{}}}
	if err := i.route.Prepare(); err != nil {
		tb.Fatal(err)
	}
	return i
}

// newRequest is one as Caddy hands it to a handler.
func newRequest(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, target, body)
	r.Header.Set("User-Agent", "curl/8.9.1")
	r.Header.Set("Accept", "*/*")
	vars := map[string]any{caddyhttp.ClientIPVarKey: "192.0.2.1", caddyhttp.TrustedProxyVarKey: false}
	return r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, vars))
}

func TestInvokeAnswersWithTheFunctionsResponse(t *testing.T) {
	i := newFunctionHandler(t)
	for _, body := range []string{"", "a small one", strings.Repeat("x", 100_000)} {
		w := httptest.NewRecorder()
		if err := i.ServeHTTP(w, newRequest("POST", "/pets?a=b", strings.NewReader(body)), nil); err != nil {
			t.Fatal(err)
		}
		if w.Code != 201 || w.Body.String() != "hello" || w.Header().Get("Content-Type") != "text/plain" || len(w.Header().Get("X-Amzn-Requestid")) != 36 {
			t.Errorf("a body of %d bytes: got %d %q %v", len(body), w.Code, w.Body, w.Header())
		}
	}
}

func TestInvokeKeepsAFunctionsErrorFromTheClient(t *testing.T) {
	i := newFunctionHandler(t)
	w := httptest.NewRecorder()
	if err := i.ServeHTTP(w, newRequest("GET", "/fail", nil), nil); err != nil {
		t.Fatal(err)
	}
	if w.Code != 502 || w.Body.String() != `{"message":"Internal Server Error"}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestInvokeRefusesABodyThatIsTooLarge(t *testing.T) {
	i := newFunctionHandler(t)
	known := newRequest("POST", "/", strings.NewReader(strings.Repeat("x", maxEvent+1)))
	unknown := newRequest("POST", "/", io.LimitReader(endless{}, maxEvent+1))
	unknown.ContentLength = -1
	// Base64 makes it longer than an event may be.
	encoded := newRequest("POST", "/", io.LimitReader(endless{}, maxEvent-1000))
	encoded.ContentLength = -1
	encoded.Header.Set("Content-Type", "image/png")
	for name, r := range map[string]*http.Request{"known length": known, "unknown length": unknown, "in base64": encoded} {
		w := httptest.NewRecorder()
		if err := i.ServeHTTP(w, r, nil); err != nil {
			t.Fatal(err)
		}
		if w.Code != 413 || w.Body.String() != `{"message":"Request Too Long"}` {
			t.Errorf("%s: got %d %q", name, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	if err := i.ServeHTTP(w, newRequest("GET", "/", nil), nil); err != nil || w.Code != 201 {
		t.Errorf("after that: got %d, %v", w.Code, err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for n := range b {
		b[n] = 'x'
	}
	return len(b), nil
}

// discard is a response that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkInvoke is a warm invocation from the handler to the runtime process
// and back. What net/http and Caddy do around it is left out.
func BenchmarkInvoke(b *testing.B) {
	i := newFunctionHandler(b)
	for name, r := range map[string]*http.Request{
		"get":  newRequest("GET", "/pets/7?colour=red", nil),
		"post": newRequest("POST", "/pets", nil),
	} {
		b.Run(name, func(b *testing.B) {
			body := strings.NewReader(`{"name":"Rex","kind":"dog"}`)
			w := &discard{http.Header{}}
			if name == "post" {
				r.Header.Set("Content-Type", "application/json")
				r.ContentLength = body.Size()
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := body.Seek(0, io.SeekStart); err != nil {
					b.Fatal(err)
				}
				clear(w.header)
				if name == "post" {
					r.Body = io.NopCloser(body)
				}
				if err := i.ServeHTTP(w, r, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
