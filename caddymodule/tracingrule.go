package caddymodule

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hearthfn/hearth/warmpool/trace"
)

// A TracingRule says which part of some deliveries and batches is traced: those of which all
// patterns match. * in a pattern stands for any text.
type TracingRule struct {
	// From 0 to 1.
	Ratio float64 `json:"ratio"`
	// Names of functions. Default: all.
	Function string `json:"function,omitempty"`
	// Where batches come from: ARNs, kafka://HOST:PORT, redis://... Default: all, deliveries of events
	// too, which have no source.
	Source string `json:"source,omitempty"`
}

// readTracingRule parses
//
//	rule RATIO {
//	    function PATTERN
//	    source   PATTERN
//	}
func readTracingRule(d *caddyfile.Dispenser) (*TracingRule, error) {
	rule := new(TracingRule)
	args := d.RemainingArgs()
	if len(args) != 1 {
		return nil, d.ArgErr()
	}
	var err error
	if rule.Ratio, err = readRatio(d, "rule", args[0]); err != nil {
		return nil, err
	}
	pattern := func(to *string) func(*caddyfile.Dispenser) error {
		return func(d *caddyfile.Dispenser) error {
			if !d.Args(to) || d.NextArg() || *to == "" {
				return d.ArgErr()
			}
			return nil
		}
	}
	err = readBlock(d, "option of a rule: ", []option{
		{"function", pattern(&rule.Function)}, {"source", pattern(&rule.Source)},
		{"route", func(d *caddyfile.Dispenser) error {
			return d.Err("route: requests are traced where Caddy's directive tracing is: put it on the routes that are to be traced")
		}},
	})
	if err == nil && rule.Function == "" && rule.Source == "" {
		err = d.Err("rule: it names neither a function nor a source: that is what sample is for")
	}
	return rule, err
}

// readRatio reads a number from 0 to 1, or of percent.
func readRatio(d *caddyfile.Dispenser, option, text string) (float64, error) {
	digits, percent := strings.CutSuffix(text, "%")
	ratio, err := strconv.ParseFloat(digits, 64)
	if percent {
		ratio /= 100
	}
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return 0, d.Errf("%s: %q is no number from 0 to 1, and none from 0%% to 100%%", option, text)
	}
	return ratio, nil
}

// A sampler samples by rules and by the function, and all that is linked to a sampled span.
type sampler struct {
	rules  []*TracingRule
	ratios []sdktrace.Sampler // of rules
	others sdktrace.Sampler
	of     map[string]sdktrace.Sampler
}

func newSampler(t *Tracing) *sampler {
	s := &sampler{rules: t.Rules, others: sdktrace.AlwaysSample(), of: make(map[string]sdktrace.Sampler)}
	if t.Sample != nil {
		s.others = sdktrace.TraceIDRatioBased(*t.Sample)
	}
	for name, ratio := range t.Functions {
		s.of[name] = sdktrace.TraceIDRatioBased(ratio)
	}
	for _, rule := range t.Rules {
		s.ratios = append(s.ratios, sdktrace.TraceIDRatioBased(rule.Ratio))
	}
	return s
}

// ShouldSample implements sdktrace.Sampler.
func (s *sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if trace.Given(p.ParentContext) { // it was decided where the segment began
		return sdktrace.AlwaysSample().ShouldSample(p)
	}
	for _, link := range p.Links {
		if link.SpanContext.IsSampled() {
			return sdktrace.AlwaysSample().ShouldSample(p)
		}
	}
	var name, source string
	for _, a := range p.Attributes {
		switch a.Key {
		case "faas.invoked_name":
			name = a.Value.AsString()
		case "hearth.source":
			source = a.Value.AsString()
		}
	}
	for n, rule := range s.rules {
		if (rule.Function == "" || matchesPattern(rule.Function, name)) && (rule.Source == "" || source != "" && matchesPattern(rule.Source, source)) {
			return s.ratios[n].ShouldSample(p)
		}
	}
	if of := s.of[name]; of != nil {
		return of.ShouldSample(p)
	}
	return s.others.ShouldSample(p)
}

// Description implements sdktrace.Sampler.
func (s *sampler) Description() string { return "HearthSampler" }

// matchesPattern reports whether a text is so. * stands for any text, also none.
func matchesPattern(pattern, text string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, first)
	if !ok || !wild {
		return ok && text == ""
	}
	for {
		part, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(text, part)
		}
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text, rest = text[at+len(part):], more
	}
}

var _ sdktrace.Sampler = (*sampler)(nil)
