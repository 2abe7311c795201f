package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// headersOf are those that matter to a browser and a cache, as one text.
func headersOf(h http.Header) string {
	var all []string
	for _, name := range []string{"Origin", "Credentials", "Methods", "Headers", "Max-Age"} {
		name = strings.ReplaceAll("Access-Control-Allow-"+name, "Allow-Max", "Max")
		for _, value := range h.Values(name) {
			all = append(all, strings.TrimPrefix(name, "Access-Control-")+"="+value)
		}
	}
	for _, name := range []string{"Access-Control-Expose-Headers", "Vary"} {
		for _, value := range h.Values(name) {
			all = append(all, name+"="+value)
		}
	}
	return strings.Join(all, " ")
}

var (
	openCors  = &registry.Cors{AllowOrigins: []string{"*"}, ExposeHeaders: []string{"x-a", "x-b"}}
	exactCors = &registry.Cors{AllowOrigins: []string{"https://a.example"}, AllowMethods: []string{"GET", "PUT"}, AllowHeaders: []string{"x-in"}, MaxAge: 60}
	trustCors = &registry.Cors{AllowOrigins: []string{"*"}, AllowCredentials: true}
)

func TestBrowserIsToldWhatTheURLAllows(t *testing.T) {
	for name, test := range map[string]struct {
		cors            *registry.Cors
		origin          string
		preflight, real string
	}{
		"anybody":             {openCors, "https://a.example", "Allow-Origin=* Access-Control-Expose-Headers=x-a,x-b", "Allow-Origin=* Access-Control-Expose-Headers=x-a,x-b Vary=Accept"},
		"no browser":          {openCors, "", "", "Vary=Accept"},
		"one that may":        {exactCors, "https://a.example", "Allow-Origin=https://a.example Allow-Methods=GET,PUT Allow-Headers=x-in Max-Age=60 Vary=Origin", "Allow-Origin=https://a.example Vary=Accept Vary=Origin"},
		"one that may not":    {exactCors, "https://b.example", "Vary=Origin", "Vary=Accept Vary=Origin"},
		"nearly one that may": {exactCors, "https://a.example.evil", "Vary=Origin", "Vary=Accept Vary=Origin"},
		"from a cache":        {exactCors, "", "Vary=Origin", "Vary=Accept Vary=Origin"},
		"with credentials":    {trustCors, "https://b.example", "Allow-Origin=https://b.example Allow-Credentials=true Vary=Origin", "Allow-Origin=https://b.example Allow-Credentials=true Vary=Accept Vary=Origin"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("OPTIONS", "/", nil)
			r.Header.Set("Access-Control-Request-Method", "PUT")
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			w := httptest.NewRecorder()
			if !answerPreflight(w, r, test.cors) || w.Code != http.StatusOK || headersOf(w.Header()) != test.preflight {
				t.Errorf("preflight: %d %q, want %q", w.Code, headersOf(w.Header()), test.preflight)
			}
			r.Method = "PUT"
			w = httptest.NewRecorder()
			if answerPreflight(w, r, test.cors) {
				t.Error("a request that is none is answered as a preflight")
			}
			cw := newCorsWriter(w, corsOfURL(r, test.cors))
			// What the function says of it gives way, all else stays.
			cw.Header().Set("Access-Control-Allow-Origin", "https://own.example")
			cw.Header().Set("Access-Control-Allow-Methods", "DELETE")
			cw.Header().Set("Vary", "Accept")
			if _, err := cw.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if got := headersOf(w.Result().Header); got != test.real {
				t.Errorf("request: %q, want %q", got, test.real)
			}
		})
	}
}

func TestOptionsThatAreNoPreflightGoToTheFunction(t *testing.T) {
	if answerPreflight(httptest.NewRecorder(), httptest.NewRequest("OPTIONS", "/", nil), openCors) {
		t.Error("answered")
	}
}
