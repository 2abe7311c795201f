package trace

import (
	"context"
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// maxLinks is how many spans one of a batch is linked to at most.
const maxLinks = 128

// Sources give the Source that is in force, nil for none.
type Sources func() *Source

// A Source makes spans of work for which no caller waits: deliveries of events and batches of
// polled sources. Each begins a trace of its own, with links to the traces that asked for the
// work. A nil Source makes none.
type Source struct {
	tracer trace.Tracer
	rules  []Rule
}

// A Rule says which part of the traces that functions begin is sampled, for X-Ray's SDKs.
type Rule struct {
	Name    string
	Service string // the name of the segment, that of a function by default; * for all
	Ratio   float64
}

// Rules are those of the source, the most special first.
func (s *Source) Rules() []Rule {
	if s == nil {
		return nil
	}
	return s.rules
}

// NewSource makes spans by a provider.
func NewSource(provider trace.TracerProvider, rules ...Rule) *Source {
	return &Source{provider.Tracer("github.com/hearthfn/hearth/invoker"), rules}
}

// Source is that of a Sources that may be nil.
func (s Sources) Source() *Source {
	if s == nil {
		return nil
	}
	return s()
}

// A Work is a piece of such work. The zero Work is not traced.
type Work struct {
	span   trace.Span
	header string
}

// Begin begins the span of a piece of work for a function. source is what has brought it, an ARN for example; headers are trace headers of what asked for it.
// A ctx that records lies below the span that it has.
func (s *Source) Begin(ctx context.Context, kind, function, trigger, source string, headers []string) (context.Context, Work) {
	if s == nil {
		return ctx, Work{}
	}
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("faas.invoked_name", function), attribute.String("faas.trigger", trigger), attribute.Int("hearth.records", len(headers))),
	}
	if source != "" {
		options = append(options, trace.WithAttributes(attribute.String("hearth.source", source)))
	}
	for _, header := range headers {
		if of, ok := contextOf(header); ok && len(options) < maxLinks {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: of}))
		}
	}
	ctx, span := s.tracer.Start(ctx, kind+" "+function, options...)
	return ctx, Work{span, Of(ctx, "")}
}

// Header is the trace header of the work in place of that of who asked for it, whose lineage stays.
// It is unchanged when the span does not record.
func (w Work) Header(header string) string {
	if w.header == "" {
		return header
	}
	if f := parse(header); f.lineage != "" {
		return w.header + ";Lineage=" + f.lineage
	}
	return w.header
}

// End ends the span. failure is "" for success.
func (w Work) End(failure string) {
	if w.span == nil {
		return
	}
	if failure != "" {
		w.span.SetStatus(codes.Error, failure)
	}
	w.span.End()
}

// contextOf reads the trace and the span of a header.
func contextOf(header string) (trace.SpanContext, bool) {
	f := parse(header)
	version, rest, _ := strings.Cut(f.root, "-")
	begin, end, ok := strings.Cut(rest, "-")
	id, err := hex.DecodeString(begin + end)
	parent, parentErr := hex.DecodeString(f.parent)
	if version != "1" || !ok || err != nil || parentErr != nil || len(id) != 16 || len(parent) != 8 {
		return trace.SpanContext{}, false
	}
	config := trace.SpanContextConfig{TraceID: trace.TraceID(id), SpanID: trace.SpanID(parent), Remote: true}
	if f.sampled == "1" {
		config.TraceFlags = trace.FlagsSampled
	}
	of := trace.NewSpanContext(config)
	return of, of.IsValid()
}
