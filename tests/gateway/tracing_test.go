package gateway

import (
	"strings"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/hearthfn/hearth/tests/harness"
)

const traced = `exports.handler = async (event) => ({
  traceparent: event.headers.traceparent, tracestate: event.headers.tracestate, baggage: event.headers.baggage, xray: process.env._X_AMZN_TRACE_ID,
})`

func TestRequestsAreTracedBelowTheSpanOfCaddy(t *testing.T) {
	harness.Parallel(t)
	collector := harness.NewCollector(t)
	s := harness.NewServer(t, "", "")
	s.Env = collector.Env()
	code := s.Code("traced", map[string]string{"index.js": traced})
	s.Configure(harness.NodeFunction("traced", code, "")+`tracing {
		sample 0
	}`, `tracing {
		span request
	}
	receive /hooks/* generic {
		open
	}
	function traced`)
	s.Start()

	const trace = "0af7651916cd43dd8448eb211c80319c"
	r := s.Request("GET", "/", nil)
	r.Header.Set("traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	r.Header.Set("tracestate", "vendor=1")
	r.Header.Set("baggage", "user=7")
	answer := s.Do(r)

	named := func(name string) *otlp.Span {
		return collector.Await("a span "+name, func(s *otlp.Span) bool { return s.Name == name && harness.ID(s.TraceId) == trace })
	}
	request, cold, initialized, invoked := named("request"), named("cold start"), named("init"), named("invoke traced")
	if id := harness.ID(request.ParentSpanId); id != "b7ad6b7169203331" {
		t.Errorf("the request's span is below %s", id)
	}
	for parent, spans := range map[*otlp.Span][]*otlp.Span{request: {cold, invoked}, cold: {initialized}} {
		for _, s := range spans {
			if harness.ID(s.ParentSpanId) != harness.ID(parent.SpanId) {
				t.Errorf("the span %s is not below %s", s.Name, parent.Name)
			}
			if s.StartTimeUnixNano < parent.StartTimeUnixNano || s.EndTimeUnixNano > parent.EndTimeUnixNano {
				t.Errorf("the span %s is not within %s", s.Name, parent.Name)
			}
		}
	}
	for key, want := range map[string]string{
		"faas.invoked_name": "traced", "faas.version": "$LATEST", "faas.coldstart": "bool_value:true", "faas.invocation_id": answer.Header.Get("X-Amzn-RequestId"),
	} {
		if got := harness.Attribute(invoked, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	id := harness.ID(request.SpanId)
	for _, want := range []string{
		`"traceparent":"00-` + trace + "-" + id + `-01"`, `"tracestate":"vendor=1"`, `"baggage":"user=7"`,
		"Root=1-" + trace[:8] + "-" + trace[8:] + ";Parent=" + id + ";Sampled=1",
	} {
		if !strings.Contains(answer.Body, want) {
			t.Errorf("the function did not get %s: %s", want, answer.Body)
		}
	}

	// A delivery has a trace of its own, which is linked to the request that brought the event.
	r = s.Request("POST", "/hooks/traced", strings.NewReader(`{"headers":{}}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("traceparent", "00-2af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	s.Do(r).Want(t, 200, "")
	received := collector.Await("the span of the event's request", func(s *otlp.Span) bool { return harness.ID(s.TraceId)[:2] == "2a" && s.Name == "request" })
	delivered := collector.Await("a span of the delivery", func(s *otlp.Span) bool { return s.Name == "deliver traced" })
	if len(delivered.Links) != 1 || harness.ID(delivered.Links[0].SpanId) != harness.ID(received.SpanId) || harness.ID(delivered.TraceId)[:2] == "2a" {
		t.Errorf("the delivery is not linked to its request: %v", delivered)
	}
	collector.Await("the invocation of the delivery", func(s *otlp.Span) bool {
		return s.Name == "invoke traced" && harness.ID(s.ParentSpanId) == harness.ID(delivered.SpanId)
	})

	metrics := s.Request("GET", "/metrics", nil)
	metrics.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	if body := s.Do(metrics).Body; !strings.Contains(body, `# {trace_id="`) || !strings.Contains(body, `hearth_duration_seconds_bucket{function="traced"`) {
		t.Error("the histogram of the function has no exemplar")
	}

	// What the caller does not sample is handed on, and nothing is sent of it.
	r = s.Request("GET", "/", nil)
	r.Header.Set("traceparent", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	if answer := s.Do(r); !strings.Contains(answer.Body, "00-1af7651916cd43dd8448eb211c80319c-") || !strings.Contains(answer.Body, "Sampled=0") {
		t.Errorf("a trace that is not sampled: %s", answer.Body)
	}
	s.Stop() // sends all
	if collector.Find(func(s *otlp.Span) bool { return harness.ID(s.TraceId)[:2] == "1a" }) != nil {
		t.Error("spans of a trace that is not sampled were sent")
	}
}

func TestSpansThatAreOpenDuringAReloadAreSent(t *testing.T) {
	harness.Parallel(t)
	collector := harness.NewCollector(t)
	s := harness.NewServer(t, "", "")
	s.Env = collector.Env()
	code := s.Code("slow", map[string]string{"index.js": `exports.handler = async () => {
  console.log('begun');
  await new Promise(resolve => setTimeout(resolve, 4000));
}`})
	s.Configure(harness.NodeFunction("slow", code, "timeout 60s")+"tracing\n", "receive /hooks/* generic {\n open\n}\n")
	s.Start()
	r := s.Request("POST", "/hooks/slow", strings.NewReader(`{}`))
	r.Header.Set("Content-Type", "application/json")
	s.Do(r).Want(t, 200, "")
	s.WantLog("slow", "begun")
	s.Reload()
	delivered := collector.Await("the span of a delivery that was open", func(s *otlp.Span) bool { return s.Name == "deliver slow" })
	if took := delivered.EndTimeUnixNano - delivered.StartTimeUnixNano; took < 4e9 {
		t.Errorf("it took %d ns", took)
	}
}
