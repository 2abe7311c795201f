package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.17.0"

	"github.com/hearthfn/hearth/warmpool/trace"
)

// Tracing has deliveries of events and batches of event sources traced. Where spans go is said by
// the environment variables OTEL_..., which Caddy's handler `tracing` reads too. That handler
// traces requests: its provider is only to be had from a request, and this work has none.
type Tracing struct {
	// Which part of deliveries and batches is traced, from 0 to 1. What a traced request or
	// function asked for is always traced. Default: what OTEL_TRACES_SAMPLER says, else all.
	Sample *float64 `json:"sample,omitempty"`
	// The same for functions, by name.
	Functions map[string]float64 `json:"functions,omitempty"`
	// Rules come before both. The first that matches says which part is traced.
	Rules []*TracingRule `json:"rules,omitempty"`

	retained bool // the processor of all spans
}

// A processor sends the spans of all configurations. It outlives a reload: spans that are open then
// end in the provider of the old configuration, and are sent too.
type processor struct{ sdktrace.SpanProcessor }

// processors has one.
var processors = caddy.NewUsagePool()

const processorKey = "processor"

// Destruct sends the spans that are left.
func (p processor) Destruct() error {
	ctx, cancel := context.WithTimeout(context.Background(), exportTimeout)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("tracing: sending the last spans: %w", err)
	}
	return nil
}

// exportTimeout is how long the last spans may take to send.
const exportTimeout = 5 * time.Second

func (t *Tracing) provision() (*trace.Source, error) {
	if t == nil {
		return nil, nil
	}
	ratios := map[string]float64{"sample": 1}
	if t.Sample != nil {
		ratios["sample"] = *t.Sample
	}
	for name, ratio := range t.Functions {
		ratios["sample of "+name] = ratio
	}
	for n, rule := range t.Rules {
		ratios[fmt.Sprintf("rule %d", n+1)] = rule.Ratio
		if rule.Function == "" && rule.Source == "" {
			return nil, fmt.Errorf("tracing: rule %d: it names neither a function nor a source: that is what sample is for", n+1)
		}
	}
	for name, ratio := range ratios {
		if !(ratio >= 0 && ratio <= 1) {
			return nil, fmt.Errorf("tracing: %s: %v is not from 0 to 1", name, ratio)
		}
	}
	shared, _, err := processors.LoadOrNew(processorKey, func() (caddy.Destructor, error) {
		exporter, err := autoexport.NewSpanExporter(context.Background()) // it outlives ctx
		if err != nil {
			return nil, fmt.Errorf("tracing: making the exporter that OTEL_TRACES_EXPORTER names: %w", err)
		}
		return processor{sdktrace.NewBatchSpanProcessor(exporter)}, nil
	})
	if err != nil {
		return nil, err
	}
	t.retained = true
	version, _ := caddy.Version()
	about, err := resource.Merge(resource.Default(), resource.NewSchemaless(semconv.WebEngineName("Caddy"), semconv.WebEngineVersion(version)))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithSpanProcessor(shared.(processor)), sdktrace.WithResource(about), sdktrace.WithIDGenerator(trace.IDs{})}
	if t.Sample != nil || t.Functions != nil || t.Rules != nil {
		options = append(options, sdktrace.WithSampler(sdktrace.ParentBased(newSampler(t))))
	}
	return trace.NewSource(sdktrace.NewTracerProvider(options...), t.rules()...), nil
}

// rules are those that X-Ray's SDKs in functions are told.
func (t *Tracing) rules() (all []trace.Rule) {
	for n, rule := range t.Rules {
		if rule.Source == "" { // no segment begins at a source
			all = append(all, trace.Rule{Name: fmt.Sprintf("rule-%d", n+1), Service: rule.Function, Ratio: rule.Ratio})
		}
	}
	for _, name := range sortedKeys(t.Functions) {
		all = append(all, trace.Rule{Name: name, Service: name, Ratio: t.Functions[name]})
	}
	others := 1.0
	if t.Sample != nil {
		others = *t.Sample
	}
	return append(all, trace.Rule{Name: "Default", Service: "*", Ratio: others})
}

// release gives the processor up. The last one sends the spans that are left.
func (t *Tracing) release() error {
	if t == nil || !t.retained {
		return nil
	}
	t.retained = false
	_, err := processors.Delete(processorKey)
	return err
}

// readTracing parses
//
//	tracing {
//	    sample [FUNCTION] RATIO
//	    rule RATIO {
//	        function PATTERN
//	        source   PATTERN
//	    }
//	}
//
// A RATIO is a number from 0 to 1, or of percent.
func readTracing(d *caddyfile.Dispenser, to **Tracing) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	t := new(Tracing)
	*to = t
	return readBlock(d, "option of tracing: ", []option{{"sample", func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) < 1 || len(args) > 2 {
			return d.ArgErr()
		}
		ratio, err := readRatio(d, "sample", args[len(args)-1])
		if err != nil {
			return err
		}
		if len(args) == 1 {
			t.Sample = &ratio
			return nil
		}
		if t.Functions == nil {
			t.Functions = make(map[string]float64)
		}
		t.Functions[args[0]] = ratio
		return nil
	}}, {"rule", func(d *caddyfile.Dispenser) error {
		rule, err := readTracingRule(d)
		t.Rules = append(t.Rules, rule)
		return err
	}}})
}
