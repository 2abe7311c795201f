package warmpool

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// scope is the instrumentation scope of the spans.
const scope = "github.com/hearthfn/hearth/warmpool"

// spans are those of one call, below the span that the caller's context has. They are made only
// when that span records: a call that nobody traces allocates nothing for it.
//
//	the caller's span
//	 ├─ queue        the wait for an environment, as far as no cold start was under way for it
//	 ├─ cold start   stem or process, mount of the code
//	 │   └─ init     the init phase
//	 └─ invoke NAME  the invocation
type spans struct {
	group  *Group
	ctx    context.Context
	tracer trace.Tracer
	began  time.Time
	invoke trace.Span // of the attempt that runs; nil: none does
	cold   bool
}

func (g *Group) spans(ctx context.Context, parent trace.Span) *spans {
	return &spans{group: g, ctx: ctx, tracer: parent.TracerProvider().Tracer(scope), began: time.Now()}
}

// span makes a span of a time that is over.
func (s *spans) span(ctx context.Context, name string, from, to time.Time, attributes ...attribute.KeyValue) context.Context {
	ctx, span := s.tracer.Start(ctx, name, trace.WithTimestamp(from), trace.WithAttributes(attributes...))
	span.End(trace.WithTimestamp(to))
	return ctx
}

// acquired tells of the wait for m, and begins the span of the invocation.
func (s *spans) acquired(m *member, c *environment.Call) {
	now := time.Now()
	waited := now
	if s.cold = m.made.After(s.began) && !m.provisioned; s.cold {
		if waited = m.begun; waited.Before(s.began) {
			waited = s.began
		}
	}
	if waited.Sub(s.began) >= time.Millisecond {
		s.span(s.ctx, "queue", s.began, waited)
	}
	if s.cold {
		ctx := s.span(s.ctx, "cold start", waited, m.made, attribute.Bool("hearth.stem", m.stem))
		s.span(ctx, "init", m.made.Add(-m.env.InitDuration), m.made)
	}
	_, s.invoke = s.tracer.Start(s.ctx, "invoke "+s.group.name, trace.WithTimestamp(now), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("faas.invoked_name", s.group.name),
		attribute.String("faas.version", s.group.version),
		attribute.String("faas.invocation_id", c.RequestID),
		attribute.Bool("faas.coldstart", s.cold),
	))
}

// returned ends the span of an invocation.
func (s *spans) returned(c *environment.Call, err error) {
	switch {
	case err != nil:
		s.invoke.SetStatus(codes.Error, err.Error())
	case c.Outcome != environment.OutcomeResult:
		s.invoke.SetStatus(codes.Error, "the function failed")
	}
	s.invoke.End()
	s.invoke, s.began = nil, time.Now()
}

// sampled is the ID of the trace if it is sampled, or "".
func (s *spans) sampled() string {
	if s == nil {
		return ""
	}
	of := trace.SpanContextFromContext(s.ctx)
	if !of.IsSampled() {
		return ""
	}
	return of.TraceID().String()
}

// failed tells of a call that found no environment.
func (s *spans) failed(err error) {
	_, span := s.tracer.Start(s.ctx, "queue", trace.WithTimestamp(s.began))
	var throttled *ThrottledError
	if errors.As(err, &throttled) {
		span.SetAttributes(attribute.Bool("hearth.throttled", true))
	}
	span.SetStatus(codes.Error, err.Error())
	span.End()
}
