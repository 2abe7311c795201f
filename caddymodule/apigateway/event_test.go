package apigateway_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The files in testdata are the events, indented and in order of name.
func TestEventsAreShapedAsInAWS(t *testing.T) {
	at := time.Date(2020, 3, 12, 20, 3, 58, 390e6, time.FixedZone("CET", 3600))
	for name, test := range map[string]struct {
		route   apigateway.Route
		request string // as on the wire, lines ended by \n
		tls     bool
		context apigateway.Context
	}{
		"v2-get": {request: "GET /my/path?parameter1=value1&parameter1=value2&parameter2=value HTTP/1.1\n" +
			"Host: id.example.com\nUser-Agent: agent\nHeader1: value1\nHeader2: value1\nHeader2: value2\nCookie: cookie1=a; cookie2=b\n\n", tls: true},
		"v2-bare": {request: "GET / HTTP/1.0\n\n"},
		"v2-route": {
			route: apigateway.Route{Key: "GET /pets/{id}", Stage: "beta", AccountID: "123456789012", APIID: "pets",
				StageVariables: map[string]string{"color": "blue", "animal": "cat"}},
			request: "GET /pets/a%20b%2Fc HTTP/1.1\nHost: pets.example.com:8443\n\n",
			context: apigateway.Context{PathParameters: []apigateway.Parameter{{Name: "host", Value: "pets"}, {Name: "none", Value: ""}}},
		},
		"v2-url": {
			route:   apigateway.Route{FunctionURL: true, AccountID: "anonymous", APIID: "id"},
			request: "GET /capture/space%20value/%2Fa%25b?x=a%2Bb HTTP/1.1\nHost: id.fn.example.com:8443\nCookie: session=abc123; theme=dark\n\n", tls: true,
		},
		"v2-json":    {request: "POST /pets HTTP/1.1\nHost: h\nContent-Type: application/json; charset=utf-8\nContent-Length: 15\n\n" + `{"name":"Zoë"}`},
		"v2-binary":  {request: "PUT /cat.png HTTP/1.1\nHost: h\nContent-Type: image/png\nContent-Length: 4\n\n" + "\x89PNG"},
		"v2-untyped": {request: "POST / HTTP/1.1\nHost: h\nContent-Length: 2\n\n{}"},
		"v2-query":   {request: "GET /?email=test%2Balias@gmail.com&plus=test+alias&url=https://x.org/&broken=100%&empty&=noname&&q=1;2&list=a,b&list=c&last=%2B HTTP/1.1\nHost: h\n\n"},
		"v2-spoofed": {request: "GET / HTTP/1.1\nHost: h\nX-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: https\nX-Forwarded-Port: 1\n" +
			"Connection: close,x-internal , cookie\nX-Internal: secret\nCookie: a=1\nKeep-Alive: 5\nTE: trailers\nProxy-Authorization: Basic eA==\nUpgrade: h2c\nX-Kept: yes\n\n"},
		"v2-proxied": {request: "GET / HTTP/1.1\nHost: h\nX-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: https\n\n", context: apigateway.Context{TrustedProxy: true}},
		"v1-get": {
			route: apigateway.Route{Payload: apigateway.V1},
			request: "GET /hello/world/?name=me&multivalueName=you&multivalueName=me HTTP/1.1\n" +
				"Host: api.example.com\nUser-Agent: agent\nCookie: a=1; b=2\nX-Multi: one\nX-Multi: two\n\n", tls: true},
		"v1-post": {
			route: apigateway.Route{Payload: apigateway.V1, Key: "POST /pets/{id}/photos/{photo+}", Stage: "test",
				StageVariables: map[string]string{"name": "value"}},
			request: "POST /pets/a%20b/photos/2026/cat HTTP/1.1\nHost: api.example.com\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 7\n\na=1&b=2",
		},
		"v1-root": {
			route:   apigateway.Route{Payload: apigateway.V1},
			request: "DELETE / HTTP/1.1\nHost: [::1]:8080\nContent-Length: 2\n\nhi",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, body := request(t, test.request)
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			c := test.context
			c.RequestID, c.SourceIP, c.Time = "a3a1f0d2-request", "203.0.113.7", at
			event, err := prepared(t, test.route).AppendEvent([]byte("before"), r, body, &c)
			if err != nil {
				t.Fatal(err)
			}
			event, ok := bytes.CutPrefix(event, []byte("before"))
			if !ok {
				t.Fatal("the event is not appended")
			}
			golden(t, filepath.Join("testdata", name+".json"), event)
		})
	}
}

func golden(t *testing.T, file string, event []byte) {
	t.Helper()
	if name := repeated(event); name != "" {
		t.Errorf("%q comes twice in an object of %s", name, event)
	}
	var v any
	if err := json.Unmarshal(event, &v); err != nil {
		t.Fatalf("%v: %s", err, event)
	}
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs (go test -update writes it anew):\n%s", file, got.Bytes())
	}
}

// request reads a request as a server does.
func request(t *testing.T, text string) (*http.Request, []byte) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body)))
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, read
}

// repeated returns a name that an object of the JSON text has twice.
func repeated(text []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var walk func() (string, error)
	walk = func() (string, error) {
		token, err := decoder.Token()
		if err != nil {
			return "", err
		}
		delim, ok := token.(json.Delim)
		if !ok {
			return "", nil
		}
		seen := map[string]bool{}
		for decoder.More() {
			if delim == '{' {
				name, err := decoder.Token()
				if err != nil {
					return "", err
				}
				if seen[name.(string)] {
					return name.(string), nil
				}
				seen[name.(string)] = true
			}
			if name, err := walk(); name != "" || err != nil {
				return name, err
			}
		}
		_, err = decoder.Token()
		return "", err
	}
	name, _ := walk()
	return name
}

func TestBodyIsTextOrBase64ByItsType(t *testing.T) {
	const text, invalid = `{"a":"ä\"\\` + "\n\x01" + `"}`, "\xff\xfe"
	for _, test := range []struct {
		payload  apigateway.Payload
		types    []string
		mime     string
		encoding string
		body     string
		base64   bool
	}{
		{mime: "text/plain", body: text},
		{mime: "Text/HTML; charset=utf-8", body: text},
		{mime: "application/json", body: text},
		{mime: "application/problem+json; charset=utf-8", body: text},
		{mime: "application/javascript", body: text},
		{mime: "application/xml", body: text},
		{mime: "image/svg+xml", body: text},
		{mime: "application/x-www-form-urlencoded", body: "a=1", base64: true},
		{mime: "application/x-www-form-urlencoded", body: "a=1", payload: apigateway.V1},
		{mime: "application/json", encoding: "identity", body: text},
		{mime: "application/json", encoding: "gzip", body: text, base64: true},
		{mime: "application/json", body: invalid, base64: true},
		{mime: "text/plain; charset=iso-8859-1", body: "\xe4", base64: true},
		{mime: "application/octet-stream", body: text, base64: true},
		{mime: "multipart/form-data; boundary=x", body: text, base64: true},
		{mime: "", body: text, base64: true},
		{mime: "", body: text, payload: apigateway.V1},
		{mime: "", body: invalid, payload: apigateway.V1, base64: true},
		{mime: "text/plain", types: []string{"*/*"}, body: text, base64: true},
		{mime: "text/plain", types: []string{"image/*"}, body: text},
		{mime: "text/plain", types: []string{"image/png", "TEXT/*"}, body: text, base64: true},
		{mime: "application/x-www-form-urlencoded", types: []string{"application/x-www-form-urlencoded"}, body: "a=1", payload: apigateway.V1, base64: true},
	} {
		t.Run(fmt.Sprint(test.payload, test.mime, test.encoding, test.types, test.base64), func(t *testing.T) {
			r, _ := request(t, "POST / HTTP/1.1\nHost: h\n\n")
			if test.mime != "" {
				r.Header.Set("Content-Type", test.mime)
			}
			if test.encoding != "" {
				r.Header.Set("Content-Encoding", test.encoding)
			}
			rt := prepared(t, apigateway.Route{Payload: test.payload, BinaryTypes: test.types})
			e := decodeEvent(t, rt, r, []byte(test.body), &apigateway.Context{})
			if e.IsBase64Encoded != test.base64 || string(e.body(t)) != test.body {
				t.Errorf("isBase64Encoded %v, body %q", e.IsBase64Encoded, e.body(t))
			}
		})
	}
}

func TestChunkedBodyHasALength(t *testing.T) {
	r, body := request(t, "POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n3\r\nabc\r\n0\r\n\r\n")
	e := decodeEvent(t, prepared(t, apigateway.Route{}), r, body, &apigateway.Context{})
	if e.Headers["content-length"] != "3" || e.Headers["transfer-encoding"] != "" {
		t.Errorf("headers %v", e.Headers)
	}
}

func TestQueryOfManyNamesIsGroupedAsOneOfFew(t *testing.T) {
	var raw []string
	for i := range 1000 {
		raw = append(raw, fmt.Sprintf("n%d=%d", i%100, i))
	}
	r, _ := request(t, "GET /?"+strings.Join(raw, "&")+" HTTP/1.1\nHost: h\n\n")
	two := decodeEvent(t, prepared(t, apigateway.Route{}), r, nil, &apigateway.Context{})
	one := decodeEvent(t, prepared(t, apigateway.Route{Payload: apigateway.V1}), r, nil, &apigateway.Context{})
	if len(two.QueryStringParameters) != 100 || two.QueryStringParameters["n7"] != "7,107,207,307,407,507,607,707,807,907" {
		t.Errorf("2.0: %v", two.QueryStringParameters)
	}
	if one.QueryStringParameters["n7"] != "907" || len(one.MultiValueQueryStringParameters["n7"]) != 10 {
		t.Errorf("1.0: %v", one.MultiValueQueryStringParameters)
	}
}

func TestUnpreparedRouteIsAnError(t *testing.T) {
	r, _ := request(t, "GET / HTTP/1.1\nHost: h\n\n")
	if _, err := new(apigateway.Route).AppendEvent(nil, r, nil, &apigateway.Context{}); err == nil {
		t.Error("no error")
	}
}

func TestAppendEventAllocatesNothing(t *testing.T) {
	rt := prepared(t, apigateway.Route{Key: "GET /pets/{id}"})
	r := browserRequest("GET", "/pets/12?page=2", "")
	c := apigateway.Context{RequestID: "id", Time: time.Now(), SourceIP: "203.0.113.7"}
	var dst []byte
	allocs := testing.AllocsPerRun(100, func() { dst, _ = rt.AppendEvent(dst[:0], r, nil, &c) })
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// An event as a function reads it, of either format.
type event struct {
	RawPath, RawQueryString         string
	Path                            string
	Cookies                         []string
	Headers                         map[string]string
	MultiValueHeaders               map[string][]string
	QueryStringParameters           map[string]string
	MultiValueQueryStringParameters map[string][]string
	PathParameters                  map[string]string
	Body                            *string
	IsBase64Encoded                 bool
}
