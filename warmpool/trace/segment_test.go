package trace

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

const xrayHeader = `{"format": "json", "version": 1}` + "\n"

func recording() (*Source, *tracetest.SpanRecorder) {
	recorder := tracetest.NewSpanRecorder()
	return NewSource(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithIDGenerator(IDs{}))), recorder
}

func TestSegmentsBecomeSpansWithTheirIDs(t *testing.T) {
	s, recorder := recording()
	err := s.Segment([]byte(xrayHeader + `{"name":"work","id":"53995c3f42cd8ad8","trace_id":"1-581cf771-a006649127e371903a2de979","parent_id":"ab995c3f42cd8ad8",
		"type":"subsegment","start_time":1478293361.271,"end_time":1478293361.449,"annotations":{"order":7,"paid":true,"who":"ann"},"metadata":{"default":{"a":[1]}},
		"subsegments":[{"name":"DynamoDB","id":"0f910026178b71eb","namespace":"aws","start_time":1478293361.3,"end_time":1478293361.4,"aws":{"operation":"GetItem","retries":2},
			"fault":true,"cause":{"exceptions":[{"type":"Timeout","message":"too slow"}]},"http":{"request":{"method":"POST","url":"http://db/"},"response":{"status":503}}},
		{"name":"later","id":"1f910026178b71eb","in_progress":true,"start_time":1478293361.3}]}`))
	spans := recorder.Ended()
	if err != nil || len(spans) != 2 {
		t.Fatalf("%d spans, %v", len(spans), err)
	}
	work, db := spans[0], spans[1]
	for _, one := range []struct {
		span         sdktrace.ReadOnlySpan
		name, id, up string
		kind         trace.SpanKind
	}{{work, "work", "53995c3f42cd8ad8", "ab995c3f42cd8ad8", trace.SpanKindInternal}, {db, "DynamoDB", "0f910026178b71eb", "53995c3f42cd8ad8", trace.SpanKindClient}} {
		if s := one.span; s.Name() != one.name || s.SpanContext().SpanID().String() != one.id || s.Parent().SpanID().String() != one.up || s.SpanKind() != one.kind ||
			s.SpanContext().TraceID().String() != "581cf771a006649127e371903a2de979" {
			t.Errorf("%s: %v below %v, %v", s.Name(), s.SpanContext(), s.Parent(), s.SpanKind())
		}
	}
	if d := work.EndTime().Sub(work.StartTime()); d.Round(time.Millisecond) != 178*time.Millisecond || work.StartTime().Unix() != 1478293361 {
		t.Errorf("it took %v from %v", d, work.StartTime())
	}
	want := map[string]string{"order": "7", "paid": "true", "who": "ann", "aws.xray.metadata.default": `{"a":[1]}`, "aws.operation": "GetItem", "aws.retries": "2",
		"http.request.method": "POST", "http.response.status_code": "503", "url.full": "http://db/", "aws.xray.namespace": "aws"}
	for _, span := range spans {
		for _, a := range span.Attributes() {
			if want[string(a.Key)] != a.Value.String() {
				t.Errorf("%s is %q", a.Key, a.Value.String())
			}
			delete(want, string(a.Key))
		}
	}
	if len(want) > 0 {
		t.Errorf("missing are %v", want)
	}
	if status := db.Status(); status.Code != codes.Error || status.Description != "too slow" || db.Events()[0].Name != "exception" {
		t.Errorf("%+v, %+v", status, db.Events())
	}
}

func TestSegmentsThatCannotBeReadAreRefused(t *testing.T) {
	s, recorder := recording()
	const one = `{"name":"n","id":"53995c3f42cd8ad8","trace_id":"1-581cf771-a006649127e371903a2de979","start_time":1,"end_time":2`
	for _, datagram := range []string{
		"", "x", xrayHeader, xrayHeader + "[]", one + "}", `{"format":"xml","version":1}` + "\n" + one + "}", `{"format":"json","version":2}` + "\n" + one + "}",
		xrayHeader + strings.Replace(one, "1-581cf771", "2-581cf771", 1) + "}", xrayHeader + strings.Replace(one, "53995c3f42cd8ad8", "0000000000000000", 1) + "}",
		xrayHeader + one + `,"parent_id":"x"}`, xrayHeader + strings.Replace(one, `"n"`, `""`, 1) + "}", xrayHeader + one + `,"subsegments":[null]}`,
	} {
		if err := s.Segment([]byte(datagram)); err == nil {
			t.Errorf("%q is taken", datagram)
		}
	}
	if n := len(recorder.Ended()); n > 1 {
		t.Errorf("%d spans", n)
	}
	deep := xrayHeader + one
	for range maxSegmentDepth + 1 {
		deep += `,"subsegments":[{"name":"n","id":"53995c3f42cd8ad8","start_time":1,"end_time":2`
	}
	if s.Segment([]byte(deep+strings.Repeat("}]", maxSegmentDepth+1)+"}")) == nil {
		t.Error("segments lie too deep in each other")
	}
	if (*Source)(nil).Segment([]byte(xrayHeader+one+"}")) != nil {
		t.Error("nobody wants spans")
	}
}

func FuzzSegment(f *testing.F) {
	f.Add([]byte(xrayHeader + `{"name":"n","id":"53995c3f42cd8ad8","trace_id":"1-581cf771-a006649127e371903a2de979","start_time":1,"end_time":2,"sql":{"url":"x"},"aws":{"a":null},"cause":"x"}`))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		s, recorder := recording()
		_ = s.Segment(datagram)
		if n := len(recorder.Ended()); n > maxSubsegments {
			t.Errorf("%d spans", n)
		}
	})
}
