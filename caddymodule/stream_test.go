package caddymodule

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

func newStream(t *testing.T) (*responseStream, *httptest.ResponseRecorder) {
	t.Helper()
	route := new(apigateway.Route)
	if err := route.Prepare(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	return &responseStream{w: w, route: route}, w
}

func TestStreamWithoutAPreludeIsTheBody(t *testing.T) {
	for contentType, want := range map[string]string{"": "application/octet-stream", "text/event-stream": "text/event-stream"} {
		s, w := newStream(t)
		if err := s.Start(contentType); err != nil {
			t.Fatal(err)
		}
		for _, chunk := range []string{"one ", "", "two" + preludeEnd} {
			if err := s.Write([]byte(chunk)); err != nil {
				t.Fatal(err)
			}
		}
		if w.Code != 200 || w.Header().Get("Content-Type") != want || w.Body.String() != "one two"+preludeEnd || !w.Flushed {
			t.Errorf("%q: got %d %v %q, flushed: %t", contentType, w.Code, w.Header(), w.Body, w.Flushed)
		}
	}
}

func TestPreludeIsReadHoweverItIsCut(t *testing.T) {
	whole := `{"statusCode":202,"headers":{"Content-Type":"text/plain"}}` + preludeEnd + "body" + preludeEnd
	for cut := range len(whole) + 1 {
		s, w := newStream(t)
		if err := s.Start(preludeType); err != nil {
			t.Fatal(err)
		}
		for _, chunk := range []string{whole[:cut], whole[cut:]} {
			if err := s.Write([]byte(chunk)); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		if w.Code != 202 || w.Header().Get("Content-Type") != "text/plain" || w.Body.String() != "body"+preludeEnd || !s.begun {
			t.Errorf("cut at %d: got %d %v %q", cut, w.Code, w.Header(), w.Body)
		}
	}
}

func TestNothingIsSentForAMalformedPrelude(t *testing.T) {
	for name, prelude := range map[string]string{
		"no JSON":  "hello" + preludeEnd,
		"no end":   strings.Repeat("x", maxPrelude+1),
		"no codes": `{"statusCode":"many"}` + preludeEnd,
	} {
		s, w := newStream(t)
		if err := s.Start(preludeType); err != nil {
			t.Fatal(err)
		}
		if err := s.Write([]byte(prelude)); err == nil || s.err == nil || s.begun || w.Body.Len() != 0 {
			t.Errorf("%s: got %v, %v, begun: %t, %q", name, err, s.err, s.begun, w.Body)
		}
	}
}
