package trace

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Bounds of a segment document.
const (
	// MaxSegment is how long one is with its header, in bytes: as long as a datagram.
	MaxSegment = 64 << 10
	// maxSubsegments is how many segments it has, at any depth.
	maxSubsegments = 500
	// maxSegmentDepth is how deep they lie in each other.
	maxSegmentDepth = 50
	// maxAnnotations is how many annotations and namespaces of metadata a segment has. Others are left out.
	maxAnnotations = 50
	// maxText is how long a text becomes, in bytes.
	maxText = 4 << 10
)

var errSegment = errors.New("a segment of X-Ray's cannot be read")

// A segment is a segment or a subsegment.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
type segment struct {
	Name       string  `json:"name"`
	ID         string  `json:"id"`
	TraceID    string  `json:"trace_id"`
	ParentID   string  `json:"parent_id"`
	Type       string  `json:"type"`
	Namespace  string  `json:"namespace"`
	Start      float64 `json:"start_time"` // in seconds since 1970
	End        float64 `json:"end_time"`
	InProgress bool    `json:"in_progress"`
	Error      bool    `json:"error"`
	Fault      bool    `json:"fault"`
	Throttle   bool    `json:"throttle"`
	User       string  `json:"user"`
	Origin     string  `json:"origin"`

	HTTP struct {
		Request struct {
			Method   string `json:"method"`
			URL      string `json:"url"`
			Agent    string `json:"user_agent"`
			ClientIP string `json:"client_ip"`
		} `json:"request"`
		Response struct {
			Status int64   `json:"status"`
			Length float64 `json:"content_length"`
		} `json:"response"`
	} `json:"http"`
	AWS map[string]any `json:"aws"`
	SQL struct {
		URL      string `json:"url"`
		Database string `json:"database_type"`
		Query    string `json:"sanitized_query"`
		User     string `json:"user"`
	} `json:"sql"`
	// Cause is the ID of an exception, or what follows.
	Cause       json.RawMessage            `json:"cause"`
	Annotations map[string]any             `json:"annotations"`
	Metadata    map[string]json.RawMessage `json:"metadata"`
	Subsegments []*segment                 `json:"subsegments"`
}

type causes struct {
	Exceptions []struct {
		Message string `json:"message"`
		Type    string `json:"type"`
	} `json:"exceptions"`
}

// Segment makes spans of a datagram as X-Ray's SDKs send it to the daemon: a header, and a segment
// with its subsegments. Their IDs are those of the segments, so that they are in the trace of the
// invocation, below its span. Those that are in progress are left out: they come again.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
func (s *Source) Segment(datagram []byte) error {
	if s == nil {
		return nil
	}
	head, document, ok := bytes.Cut(datagram, []byte("\n"))
	var header struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if !ok || json.Unmarshal(head, &header) != nil || header.Format != "json" || header.Version != 1 {
		return errSegment
	}
	var one segment
	if json.Unmarshal(document, &one) != nil {
		return errSegment
	}
	left := maxSubsegments
	return s.segment(&one, one.TraceID, one.ParentID, 0, &left)
}

// segment makes the spans of a segment of a trace, below a parent, "" for none.
func (s *Source) segment(g *segment, traceID, parent string, depth int, left *int) error {
	of, ok := contextOf("Root=" + traceID + ";Parent=" + g.ID + ";Sampled=1")
	if *left--; *left < 0 || depth > maxSegmentDepth || !ok || g.Name == "" {
		return errSegment
	}
	if !g.InProgress && g.End > 0 {
		ctx := given(context.Background(), of)
		if parent != "" {
			above, ok := contextOf("Root=" + traceID + ";Parent=" + parent + ";Sampled=1")
			if !ok {
				return errSegment
			}
			ctx = trace.ContextWithRemoteSpanContext(ctx, above)
		}
		_, span := s.tracer.Start(ctx, cut(g.Name), trace.WithTimestamp(secondsOf(g.Start)), trace.WithSpanKind(g.kind(depth)), trace.WithAttributes(g.attributes()...))
		g.status(span)
		span.End(trace.WithTimestamp(secondsOf(g.End)))
	}
	for _, below := range g.Subsegments {
		if below == nil {
			return errSegment
		}
		if err := s.segment(below, traceID, g.ID, depth+1, left); err != nil {
			return err
		}
	}
	return nil
}

func secondsOf(v float64) time.Time {
	if !(v >= 0 && v < 1<<33) {
		return time.Unix(0, 0)
	}
	whole, part := math.Modf(v)
	return time.Unix(int64(whole), int64(part*1e9))
}

func (g *segment) kind(depth int) trace.SpanKind {
	switch {
	case g.Namespace != "":
		return trace.SpanKindClient
	case depth == 0 && g.Type != "subsegment":
		return trace.SpanKindServer
	}
	return trace.SpanKindInternal
}

// attributes are named as OpenTelemetry names them.
func (g *segment) attributes() (all []attribute.KeyValue) {
	text := func(key, v string) {
		if v != "" {
			all = append(all, attribute.String(key, cut(v)))
		}
	}
	text("http.request.method", g.HTTP.Request.Method)
	text("url.full", g.HTTP.Request.URL)
	text("user_agent.original", g.HTTP.Request.Agent)
	text("client.address", g.HTTP.Request.ClientIP)
	text("db.system.name", g.SQL.Database)
	text("db.query.text", g.SQL.Query)
	text("url.full", g.SQL.URL)
	text("db.user", g.SQL.User)
	text("enduser.id", g.User)
	text("aws.xray.origin", g.Origin)
	text("aws.xray.namespace", g.Namespace)
	if g.HTTP.Response.Status > 0 {
		all = append(all, attribute.Int64("http.response.status_code", g.HTTP.Response.Status))
	}
	if g.HTTP.Response.Length > 0 {
		all = append(all, attribute.Float64("http.response.body.size", g.HTTP.Response.Length))
	}
	if g.Throttle {
		all = append(all, attribute.Bool("aws.xray.throttle", true))
	}
	for _, key := range first(g.AWS) {
		all = append(all, plain("aws."+key, g.AWS[key]))
	}
	for _, key := range first(g.Annotations) {
		all = append(all, plain(key, g.Annotations[key]))
	}
	for _, key := range first(g.Metadata) {
		text("aws.xray.metadata."+key, string(g.Metadata[key]))
	}
	return all
}

// first are the first names in order, as many as there may be.
func first[V any](of map[string]V) (names []string) {
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names[:min(len(names), maxAnnotations)]
}

func plain(key string, value any) attribute.KeyValue {
	switch v := value.(type) {
	case string:
		return attribute.String(cut(key), cut(v))
	case bool:
		return attribute.Bool(cut(key), v)
	case float64:
		return attribute.Float64(cut(key), v)
	}
	text, _ := json.Marshal(value) // it was read from JSON
	return attribute.String(cut(key), cut(string(text)))
}

// status tells of what has gone wrong.
func (g *segment) status(span trace.Span) {
	if !g.Error && !g.Fault {
		return
	}
	var cause causes
	_ = json.Unmarshal(g.Cause, &cause) // an ID names an exception of another segment
	reason := ""
	for _, e := range cause.Exceptions[:min(len(cause.Exceptions), maxAnnotations)] {
		reason = cmp.Or(reason, e.Message, e.Type)
		span.AddEvent("exception", trace.WithAttributes(attribute.String("exception.type", cut(e.Type)), attribute.String("exception.message", cut(e.Message))))
	}
	span.SetStatus(codes.Error, cut(reason))
}

func cut(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "?")
}
