package trace

import (
	"regexp"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

const key = Key(0x037bed70)

func TestHeaderIsAlwaysThere(t *testing.T) {
	form := regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:037bed70:0$`)
	first, _ := Next("", key)
	second, _ := Next("", key)
	if !form.MatchString(first) || !form.MatchString(second) || first == second {
		t.Errorf("got %s and %s", first, second)
	}
	if root, _, _ := strings.Cut(first, ";"); len(root) != RootSize {
		t.Errorf("the root is %q, want %d bytes", root, RootSize)
	}
	if n := testing.AllocsPerRun(100, func() { Next("", key) }); n > 1 {
		t.Errorf("%g allocations, want that of the header alone", n)
	}
	if header := New(); strings.Contains(header, "Lineage") || !form.MatchString(header+";Lineage=1:037bed70:0") {
		t.Errorf("got %s", header)
	}
}

func TestWhatTheCallerSentIsKept(t *testing.T) {
	for header, want := range map[string]string{
		"Root=1-a;Parent=b;Sampled=1":               "Root=1-a;Parent=b;Sampled=1;Lineage=1:037bed70:0",
		" Sampled=1 ; Parent=b; Root=1-a":           "Root=1-a;Parent=b;Sampled=1;Lineage=1:037bed70:0",
		"Root=1-a;Parent=b;Sampled=0;Self=c;By=x=y": "Root=1-a;Parent=b;Sampled=0;Lineage=1:037bed70:0;Self=c;By=x=y",
		"Root=1-a;Parent=b;Sampled=?;Lineage=x":     "Root=1-a;Parent=b;Sampled=?;Lineage=1:037bed70:0",
		"Root=1-a;Parent=b;Sampled=0;X=\xe9;Y=\r\n": "Root=1-a;Parent=b;Sampled=0;Lineage=1:037bed70:0",
	} {
		if got, runs := Next(header, key); got != want || runs != 0 {
			t.Errorf("%q: got %q and %d, want %q", header, got, runs, want)
		}
	}
	for _, header := range []string{"nothing", ";;;", "Root=", strings.Repeat("x", maxHeader) + ";Root=1-a", "Lineage=1:"} {
		got, runs := Next(header, key)
		if !strings.HasPrefix(got, "Root=1-") || !strings.HasSuffix(got, ";Sampled=0;Lineage=1:037bed70:0") || len(got) != 95 || runs != 0 {
			t.Errorf("%.40q: got %q and %d", header, got, runs)
		}
	}
}

func TestLineageCountsTheRunsOfEachFunction(t *testing.T) {
	header, other := "", Key(0xffffffff)
	for want := range 20 {
		var runs int
		if header, runs = Next(header, key); runs != want {
			t.Fatalf("got %d runs, want %d: %s", runs, want, header)
		}
		if header, runs = Next(header, other); runs != want {
			t.Fatalf("got %d runs of the other, want %d: %s", runs, want, header)
		}
	}
	if !strings.HasSuffix(header, ";Lineage=1:037bed70:19|ffffffff:19") {
		t.Errorf("got %s", header)
	}
	if got, runs := Next("Root=1-a;lineage=5673c35d:2|037bed70:4", key); runs != 5 || !strings.HasSuffix(got, ";Lineage=1:5673c35d:2|037bed70:5") {
		t.Errorf("of an old header: got %s and %d", got, runs)
	}
	for n := range Key(100) {
		header, _ = Next(header, n)
	}
	if n := strings.Count(header, "|") + 1; n != maxLineage || len(header) > maxHeader {
		t.Errorf("%d functions in %s", n, header)
	}
}

func TestForeignHeaderHasNoLineage(t *testing.T) {
	for header, want := range map[string]string{
		"": "",
		"Root=1-a;Parent=b;Sampled=0;lineage=1:037bed70:15": "Root=1-a;Parent=b;Sampled=0",
		"Root=1-a;Lineage=1:037bed70:15;Parent=b;Sampled=1": "Root=1-a;Parent=b;Sampled=1",
		"Root=1-a": "Root=1-a",
	} {
		if got := Foreign(header); got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
}

func TestFunctionsHaveKeysOfTheirOwn(t *testing.T) {
	seen := make(map[Key]bool)
	for _, parts := range [][3]string{{"1", "r", "f"}, {"1", "r", "g"}, {"1", "rf", ""}, {"2", "r", "f"}, {"1", "", "rf"}} {
		seen[KeyOf(parts[0], parts[1], parts[2])] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d keys of 5 functions", len(seen))
	}
}

func FuzzNext(f *testing.F) {
	for _, header := range []string{"", "Root=1-a;Parent=b;Sampled=0;Lineage=1:037bed70:15", "Lineage=1:|||:", "=;="} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		first, runs := Next(header, key)
		if !printable(first) || len(first) > maxHeader+200 {
			t.Errorf("%q: got %q", header, first)
		}
		if _, again := Next(first, key); len(first) <= maxHeader && again != runs+1 {
			t.Errorf("%q: %d and then %d runs", header, runs, again)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Next("", key)
	}
}

func TestHeaderContinuesTheTraceThatIsRecorded(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	ctx, span := provider.Tracer("test").Start(t.Context(), "request")
	of := span.SpanContext()
	id := of.TraceID().String()
	header := Of(ctx, "")
	if want := "Root=1-" + id[:8] + "-" + id[8:] + ";Parent=" + of.SpanID().String() + ";Sampled=1"; header != want {
		t.Errorf("got %s, want %s", header, want)
	}
	if got := Of(ctx, "Root=1"); got != "Root=1" {
		t.Errorf("the caller's header became %s", got)
	}
	_, work := NewSource(provider).Begin(t.Context(), "batch", "f", "datasource", "", []string{header, "Root=nonsense", ""})
	work.End("failed")
	ended := spans.Ended()
	if len(ended) != 1 || len(ended[0].Links()) != 1 || ended[0].Links()[0].SpanContext.SpanID() != of.SpanID() || !ended[0].Links()[0].SpanContext.IsSampled() ||
		ended[0].SpanContext().TraceID() == of.TraceID() {
		t.Errorf("a batch made %+v", ended)
	}
	if next := work.Header("Root=1-a-b;Parent=c;Sampled=0;Lineage=1:037bed70:3"); !strings.HasSuffix(next, ";Sampled=1;Lineage=1:037bed70:3") || strings.Contains(next, "1-a-b") {
		t.Errorf("the header of the batch is %s", next)
	}
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsAllocatedWhenNobodyTraces(t *testing.T) {
	ctx := t.Context()
	var none Sources
	if n := testing.AllocsPerRun(100, func() {
		if Of(ctx, "") != "" {
			t.Error("a header of nothing")
		}
		_, work := none.Source().Begin(ctx, "deliver", "f", "pubsub", "", nil)
		work.End("")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
