package trace

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// IDs makes the IDs of spans: those that somebody else has made already where there are some, as
// for a segment of X-Ray's, else random ones. It is an IDGenerator of OpenTelemetry's.
type IDs struct{}

type idsKey struct{}

// given has the next span that begins with it have an ID of these.
func given(ctx context.Context, of trace.SpanContext) context.Context {
	return context.WithValue(ctx, idsKey{}, of)
}

// Given reports whether the span that begins with ctx has its ID from elsewhere, where it was
// decided that it is sampled.
func Given(ctx context.Context) bool {
	_, is := ctx.Value(idsKey{}).(trace.SpanContext)
	return is
}

// NewIDs makes the IDs of a trace and of its first span.
func (i IDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if of, is := ctx.Value(idsKey{}).(trace.SpanContext); is {
		return of.TraceID(), of.SpanID()
	}
	var id trace.TraceID
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id, i.NewSpanID(ctx, id)
}

// NewSpanID makes the ID of a further span.
func (IDs) NewSpanID(ctx context.Context, _ trace.TraceID) (id trace.SpanID) {
	if of, is := ctx.Value(idsKey{}).(trace.SpanContext); is {
		return of.SpanID()
	}
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
