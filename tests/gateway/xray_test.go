package gateway

import (
	"os/exec"
	"strings"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/hearthfn/hearth/tests/harness"
)

const xrayed = `const xray = require('aws-xray-sdk-core');
const connector = require('aws-xray-sdk-core/dist/lib/middleware/sampling/service_connector');
const asked = call => new Promise((resolve, reject) => call((err, got) => err ? reject(err) : resolve(got)));
exports.handler = async () => {
  const segment = xray.getSegment();
  await xray.captureAsyncFunc('look up', async sub => {
    sub.addAnnotation('order', 7);
    sub.addMetadata('cart', { items: 2 });
    const below = sub.addNewSubsegment('query');
    below.addError(new Error('too slow'));
    below.close();
    sub.close();
  });
  await new Promise(resolve => setTimeout(resolve, 50)); // the SDK does not wait for what it sends
  const rules = await asked(done => connector.fetchSamplingRules(done));
  const targets = await asked(done => connector.fetchTargets(rules, done));
  return { id: segment.trace_id, rules: rules.map(r => r.getName()), targets, to: process.env.AWS_XRAY_DAEMON_ADDRESS };
};`

func TestSegmentsOfTheXRaySDKAreInTheTraceOfTheInvocation(t *testing.T) {
	harness.Slow(t, "npm installs X-Ray's SDK")
	harness.Parallel(t)
	collector := harness.NewCollector(t)
	s := harness.NewServer(t, "", "")
	s.Env = collector.Env()
	code := s.Code("f", map[string]string{"index.js": xrayed})
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "aws-xray-sdk-core@3.12.0")
	install.Dir = code
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm cannot install X-Ray's SDK: is a registry reachable? %v\n%s", err, harness.Tail(string(out), 5))
	}
	s.Configure(harness.NodeFunction("f", code, "timeout 30s")+`tracing {
		sample 0.25
		sample f 0.5
	}`, `tracing {
		span request
	}
	function f`)
	s.Start()

	const trace = "0af7651916cd43dd8448eb211c80319c"
	r := s.Request("GET", "/", nil)
	r.Header.Set("traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	answer := s.Do(r)
	for _, want := range []string{`"rules":["f","Default"]`, `"id":"1-0af76519-16cd43dd8448eb211c80319c"`, `"f":{"rate":0.5,`, `"Default":{"rate":0.25,`} {
		if !strings.Contains(answer.Body, want) {
			t.Errorf("no %s in %s", want, answer.Body)
		}
	}
	named := func(name string) *otlp.Span {
		return collector.Await("a span "+name, func(s *otlp.Span) bool { return s.Name == name && harness.ID(s.TraceId) == trace })
	}
	request, lookUp, query := named("request"), named("look up"), named("query")
	if harness.ID(lookUp.ParentSpanId) != harness.ID(request.SpanId) || harness.ID(query.ParentSpanId) != harness.ID(lookUp.SpanId) {
		t.Errorf("the spans lie elsewhere: %v %v", lookUp, query)
	}
	if lookUp.StartTimeUnixNano < request.StartTimeUnixNano-uint64(1e6) || lookUp.EndTimeUnixNano > request.EndTimeUnixNano+uint64(1e6) {
		t.Errorf("the span is not within the request's")
	}
	if harness.Attribute(lookUp, "order") != "double_value:7" || harness.Attribute(lookUp, "aws.xray.metadata.default") != `{"cart":{"items":2}}` ||
		query.Status.GetCode() != otlp.Status_STATUS_CODE_ERROR || query.Status.GetMessage() != "too slow" {
		t.Errorf("the spans say %v %v", lookUp, query)
	}

	// What the caller does not sample is not sent.
	r = s.Request("GET", "/", nil)
	r.Header.Set("traceparent", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	if again := s.Do(r); again.Status != 200 {
		t.Errorf("%d %s", again.Status, again.Body)
	}
	s.Stop()
	if collector.Find(func(s *otlp.Span) bool { return harness.ID(s.TraceId)[:2] == "1a" }) != nil {
		t.Error("spans of a trace that is not sampled were sent")
	}
}
