package harness

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A Collector receives spans as OTLP over HTTP.
type Collector struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	spans []*otlp.Span
}

// NewCollector starts one that ends with the test.
func NewCollector(t *testing.T) *Collector {
	c := &Collector{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: spans cannot be read: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// Env has a server send its spans there.
func (c *Collector) Env() []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_COMPRESSION=none",
		"OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_PROPAGATORS=tracecontext,baggage",
	}
}

// Await waits for a span that is so.
func (c *Collector) Await(what string, is func(*otlp.Span) bool) *otlp.Span {
	c.t.Helper()
	var found *otlp.Span
	Eventually(c.t, what, func() bool {
		found = c.Find(is)
		return found != nil
	})
	return found
}

// Find returns a span that is so, nil if none is there.
func (c *Collector) Find(is func(*otlp.Span) bool) *otlp.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if is(s) {
			return s
		}
	}
	return nil
}

// Attribute is the value of an attribute as text.
func Attribute(s *otlp.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if v := a.Value.GetStringValue(); v != "" {
				return v
			}
			return a.Value.String()
		}
	}
	return ""
}

// ID is an ID of a span or a trace in hexadecimal.
func ID(id []byte) string { return hex.EncodeToString(id) }
