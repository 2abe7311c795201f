package apigateway_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

func BenchmarkAppendEvent(b *testing.B) {
	for _, payload := range []apigateway.Payload{apigateway.V2, apigateway.V1} {
		rt := prepared(b, apigateway.Route{Payload: payload})
		get := browserRequest("GET", "/pets/12?page=2&sort=name", "")
		benchEvent(b, "get/"+string(payload), rt, get, nil)
		post := browserRequest("POST", "/pets", "")
		post.Header.Set("Content-Type", "application/json")
		benchEvent(b, "json-1k/"+string(payload), rt, post, []byte(`{"items":[`+strings.Repeat(`{"id":1234,"name":"a name","price":12.5},`, 24)+`{}]}`))
		post.Header.Set("Content-Type", "image/jpeg")
		benchEvent(b, "image-64k/"+string(payload), rt, post, bytes.Repeat([]byte{0xFF, 0xD8, 0, 1}, 16<<10))
	}
}

func benchEvent(b *testing.B, name string, rt *apigateway.Route, r *http.Request, body []byte) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		c := apigateway.Context{RequestID: "8f1b2c3d-0000-4000-8000-123456789abc", Time: time.Now(), SourceIP: "203.0.113.7"}
		var dst []byte
		var err error
		for b.Loop() {
			if dst, err = rt.AppendEvent(dst[:0], r, body, &c); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(dst)))
	})
}

func browserRequest(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "pets.example.com"
	r.Header = http.Header{
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Encoding": {"gzip, deflate, br, zstd"},
		"Accept-Language": {"en-GB,en;q=0.5"},
		"Connection":      {"keep-alive"},
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		"Cookie":          {"session=0123456789abcdef; theme=dark"},
	}
	return r
}

func prepared(tb testing.TB, rt apigateway.Route) *apigateway.Route {
	tb.Helper()
	if err := rt.Prepare(); err != nil {
		tb.Fatal(err)
	}
	return &rt
}

func BenchmarkDecodeResponse(b *testing.B) {
	rt := prepared(b, apigateway.Route{})
	inner := strings.Repeat(`{\"id\":1234,\"name\":\"a name\",\"price\":12.5},`, 24)
	for name, payload := range map[string]string{
		"json":     `{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\"message\":\"hello\"}"}`,
		"json-1k":  `{"statusCode":200,"headers":{"content-type":"application/json"},"body":"[` + inner + `{}]"}`,
		"html-64k": `{"statusCode":200,"headers":{"content-type":"text/html"},"body":"` + strings.Repeat("<p>A paragraph of text with some words.</p>", 1500) + `"}`,
		"inferred": `{"message":"hello"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			h := http.Header{}
			buf := make([]byte, len(payload))
			for b.Loop() {
				copy(buf, payload)
				clear(h)
				if _, _, err := rt.DecodeResponse(buf, h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
