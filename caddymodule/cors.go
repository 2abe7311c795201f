package caddymodule

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// answerPreflight answers a browser that asks what it may send. The function does not get
// that request.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
func answerPreflight(w http.ResponseWriter, r *http.Request, c *registry.Cors) (answered bool) {
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	setCors(w.Header(), corsHeaders(r.Header.Get("Origin"), true, c), c)
	w.WriteHeader(http.StatusOK)
	return true
}

// A corsWriter replaces the function's own headers for browsers by those that are configured.
type corsWriter struct {
	*caddyhttp.ResponseWriterWrapper
	replace func(http.Header)
	begun   bool
}

func newCorsWriter(w http.ResponseWriter, replace func(http.Header)) *corsWriter {
	return &corsWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, replace: replace}
}

// corsOfURL replaces the headers in an answer of a function URL.
func corsOfURL(r *http.Request, c *registry.Cors) func(http.Header) {
	cors := corsHeaders(r.Header.Get("Origin"), false, c)
	return func(header http.Header) {
		maps.DeleteFunc(header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Access-Control-") })
		setCors(header, cors, c)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *corsWriter) WriteHeader(status int) {
	informational := status < http.StatusOK && status != http.StatusSwitchingProtocols
	if !w.begun && !informational {
		w.begun = true
		w.replace(w.Header())
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *corsWriter) Write(body []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriterWrapper.Write(body)
}

// setCors writes the answer for a browser into a header. It adds to Vary, so that a cache
// separates the answers for different origins.
func setCors(header, cors http.Header, c *registry.Cors) {
	maps.Copy(header, cors)
	if !anyOrigin(c) {
		header.Add("Vary", "Origin")
	}
}

// anyOrigin reports whether all browsers get the same answer.
func anyOrigin(c *registry.Cors) bool {
	return slices.Contains(c.AllowOrigins, "*") && !c.AllowCredentials
}

// corsHeaders makes the headers for a browser.
func corsHeaders(origin string, preflight bool, c *registry.Cors) http.Header {
	h := make(http.Header)
	if origin == "" {
		return h
	}
	wild := slices.Contains(c.AllowOrigins, "*")
	if !wild && !slices.Contains(c.AllowOrigins, origin) {
		return h
	}
	if anyOrigin(c) {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
	}
	if c.AllowCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	set := func(name string, values []string) {
		if len(values) > 0 {
			h.Set(name, strings.Join(values, ","))
		}
	}
	set("Access-Control-Expose-Headers", c.ExposeHeaders)
	if preflight {
		set("Access-Control-Allow-Methods", c.AllowMethods)
		set("Access-Control-Allow-Headers", c.AllowHeaders)
		if c.MaxAge > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
		}
	}
	return h
}
