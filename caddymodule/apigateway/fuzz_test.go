package apigateway_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

func decodeEvent(t *testing.T, rt *apigateway.Route, r *http.Request, body []byte, c *apigateway.Context) event {
	t.Helper()
	text, err := rt.AppendEvent(nil, r, body, c)
	if err != nil {
		t.Fatal(err)
	}
	if name := repeated(text); name != "" {
		t.Fatalf("%q comes twice in an object of %s", name, text)
	}
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return e
}

func (e event) body(t *testing.T) []byte {
	t.Helper()
	switch {
	case e.Body == nil:
		return nil
	case !e.IsBase64Encoded:
		return []byte(*e.Body)
	}
	body, err := base64.StdEncoding.DecodeString(*e.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// FuzzAppendEvent: whatever the request, the event is JSON without a name twice
// in an object, and body, headers, cookies, path and query come out of it as they
// went in.
func FuzzAppendEvent(f *testing.F) {
	f.Add("GET", "/pets/1", "a=1&a=2", "X-Name", "value", "", "c=1; d=2", []byte(nil), "192.0.2.1")
	f.Add("POST", "/pets/%20/\x00", "a=%zz&%41=+&=&&;", "Connection", "cookie, x-other", "application/json", " ; =;", []byte(`{"a":"\u0000"}`), "\xff")
	f.Add("POST", "//", "\"\\\x01", "Te\"", "\xe4", "image/png", "", []byte{0xff, 0, '"'}, "::1")
	v2 := prepared(f, apigateway.Route{Key: "ANY /pets/{id}"})
	v1 := prepared(f, apigateway.Route{Payload: apigateway.V1})
	f.Fuzz(func(t *testing.T, method, path, query, name, line, contentType, cookie string, body []byte, ip string) {
		r := &http.Request{
			Method: method, Proto: "HTTP/1.1", Host: line,
			URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{},
		}
		r.Header.Set("Content-Type", contentType)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		r.Header[http.CanonicalHeaderKey(name)] = []string{line, ip}
		c := apigateway.Context{RequestID: "id", SourceIP: ip}
		two, one := decodeEvent(t, v2, r, body, &c), decodeEvent(t, v1, r, body, &c)

		if got := two.body(t); string(got) != string(body) {
			t.Errorf("2.0: body %q", got)
		}
		if got := one.body(t); string(got) != string(body) {
			t.Errorf("1.0: body %q", got)
		}
		if want := utf8ed(query); two.RawQueryString != want {
			t.Errorf("rawQueryString %q, want %q", two.RawQueryString, want)
		}
		if path != "" && (one.Path != utf8ed(r.URL.EscapedPath()) || two.RawPath != utf8ed(path)) {
			t.Errorf("path %q and %q of %q", two.RawPath, one.Path, path)
		}
		checkQuery(t, query, two, one)
		checkHeader(t, r, name, line, ip, two, one)
	})
}

func checkQuery(t *testing.T, raw string, two, one event) {
	// net/url refuses what we let stand for itself.
	if want, err := url.ParseQuery(raw); err == nil {
		names := map[string][]string{}
		for name, values := range want {
			for _, v := range values {
				names[utf8ed(name)] = append(names[utf8ed(name)], utf8ed(v))
			}
		}
		if len(names) != len(want) {
			return // told apart only by what is not UTF-8
		}
		for name, values := range names {
			if two.QueryStringParameters[name] != strings.Join(values, ",") || !slices.Equal(one.MultiValueQueryStringParameters[name], values) ||
				one.QueryStringParameters[name] != values[len(values)-1] {
				t.Errorf("query %q: %q is not %q", raw, name, values)
			}
		}
		if len(two.QueryStringParameters) != len(names) {
			t.Errorf("query %q became %v", raw, two.QueryStringParameters)
		}
	}
}

func checkHeader(t *testing.T, r *http.Request, name, line, ip string, two, one event) {
	key := http.CanonicalHeaderKey(name)
	if !httpguts.ValidHeaderFieldName(name) {
		return // no server lets it come so far
	}
	passes := true
	for _, own := range []string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Host", "Content-Length",
		"X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"} {
		passes = passes && key != own
	}
	passes = passes && !strings.HasPrefix(key, "Proxy-")
	joined, has := two.Headers[strings.ToLower(key)]
	switch {
	case passes && key != "Cookie" && joined != utf8ed(line+","+ip):
		t.Errorf("2.0: header %s is %q", key, joined)
	case passes && !slices.Equal(one.MultiValueHeaders[key], []string{utf8ed(line), utf8ed(ip)}):
		t.Errorf("1.0: header %s is %q", key, one.MultiValueHeaders[key])
	case passes && one.Headers[key] != utf8ed(ip):
		t.Errorf("1.0: header %s is %q", key, one.Headers[key])
	case key == "Cookie" && has:
		t.Error("2.0: a Cookie header beside cookies")
	case !passes && strings.HasPrefix(key, "Proxy-") && has:
		t.Errorf("2.0: header %s passes", key)
	}
	if got := two.Headers["host"]; got != utf8ed(r.Host) {
		t.Errorf("host %q", got)
	}
	if got := two.Headers["x-forwarded-for"]; got != utf8ed(ip) {
		t.Errorf("x-forwarded-for %q", got)
	}
}

// utf8ed is s with U+FFFD for each byte that is not UTF-8.
func utf8ed(s string) string { return string([]rune(s)) }

// FuzzDecodeResponse: DecodeResponse gives what a plain implementation upon
// encoding/json gives.
func FuzzDecodeResponse(f *testing.F) {
	for _, seed := range []string{
		`{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\"a\":1}"}`,
		`{"statusCode":"201","multiValueHeaders":{"A":["1",true,-0.5e+7]},"headers":{"a":"1","b":2},"cookies":["a=1"]}`,
		`{"statusCode":200,"body":"iVBORw","isBase64Encoded":true}`,
		` "a\ud83d\ude00\ud800\u0041\/\b\f\r\t" `, `[1,{"a":[null,false]},-0,1E5]`, `{"statusCode":null}`, `{"body":"x","unknown":1}`,
		`{"statusCode":200,"headers":{"Connection":"b","b":"c","content-length":"5"}}`, `{"status\u0043ode":204}`, `01`, `{"a":1,}`, "\"\x00\"", "\"\xff\"",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	v2 := prepared(f, apigateway.Route{})
	v1 := prepared(f, apigateway.Route{Payload: apigateway.V1})
	f.Fuzz(func(t *testing.T, payload string, isV1 bool) {
		rt := v2
		if isV1 {
			rt = v1
		}
		want, wantErr := plainResponse([]byte(payload), isV1)
		h := http.Header{}
		status, body, err := rt.DecodeResponse([]byte(payload), h)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, want %v", payload, err, wantErr)
		}
		if err == nil && (status != want.status || string(body) != want.body || !reflect.DeepEqual(h, want.header)) {
			t.Errorf("%q: %d %v %q, want %d %v %q", payload, status, h, body, want.status, want.header, want.body)
		}
		// A prelude has nothing that a response has not.
		if _, err := rt.DecodePrelude([]byte(payload), http.Header{}); err != nil && wantErr == nil && strings.Contains(payload, "statusCode") && want.status != 200 {
			t.Errorf("%q: a response, but no prelude: %v", payload, err)
		}
	})
}
