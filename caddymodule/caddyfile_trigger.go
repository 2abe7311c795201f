package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hearthfn/hearth/warmpool/function"
)

// unmarshalEventSource reads
//
//	event_source <ARN or URL> <function> {
//		topic           <name>
//		group           <name>
//		disabled
//		batch_size      <n>
//		batch_window    <duration>
//		parallelization <n>
//		concurrency     <n>
//		retries         <n>
//		max_age         <duration>
//		tumbling_window <duration>
//		bisect
//		report_failures
//		filter          <pattern>
//		on_failure      <ARN or URL>
//		start           trim_horizon|latest|<time>
//		every           <duration>
//		endpoint        <address>
//		region          <name>
//		access_key      <id> <secret>
//		sasl            plain|scram-sha-256|scram-sha-512 <username> <password>
//		tls {
//			ca   <file>
//			cert <file> <key file>
//		}
//	}
func (a *App) unmarshalEventSource(d *caddyfile.Dispenser) error {
	var e EventSource
	if !d.Args(&e.Source, &e.Function) {
		return d.Err("event_source takes the ARN or URL of a source, and a function")
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	lines, file, line := make(optionLines), d.File(), d.Line()
	err := readBlock(d, "event_source option '%s'", lines.of(slices.Concat([]option{
		{"topic", into(text, &e.Topic)},
		{"group", into(text, &e.Group)},
		{"disabled", into(present, &e.Disabled)},
		{"batch_size", into(optionalNumber(1), &e.BatchSize)},
		{"batch_window", into(duration, &e.BatchWindow)},
		{"parallelization", into(optionalNumber(1), &e.Parallelization)},
		{"concurrency", into(optionalNumber(1), &e.Concurrency)},
		{"retries", into(optionalNumber(0), &e.Retries)},
		{"max_age", into(duration, &e.MaxAge)},
		{"tumbling_window", into(duration, &e.TumblingWindow)},
		{"bisect", into(present, &e.Bisect)},
		{"report_failures", into(present, &e.ReportFailures)},
		{"filter", into(texts, &e.Filters)},
		{"on_failure", into(text, &e.OnFailure)},
		{"start", into(text, &e.Start)},
		{"every", into(duration, &e.Every)},
	}, e.Service.options(), []option{
		{"sasl", e.unmarshalSASL},
		{"tls", e.unmarshalTLS},
	})))
	if err != nil {
		return err
	}
	if !hasPlaceholder(e) {
		if _, err := e.mapping(function.DefaultAccount); err != nil {
			return lines.place(fmt.Errorf("event source of function %s: %w", e.Function, err), file, line)
		}
	}
	a.EventSources = append(a.EventSources, e)
	return nil
}

func (e *EventSource) unmarshalSASL(d *caddyfile.Dispenser) error {
	if !d.Args(&e.SASL, &e.Username, &e.Password) || d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

func (e *EventSource) unmarshalTLS(d *caddyfile.Dispenser) error {
	e.TLS = true
	if d.NextArg() {
		return d.ArgErr()
	}
	return readBlock(d, "tls option '%s'", []option{
		{"ca", into(text, &e.CA)},
		{"cert", e.unmarshalCert},
	})
}

func (e *EventSource) unmarshalCert(d *caddyfile.Dispenser) error {
	if !d.Args(&e.Cert, &e.Key) || d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// unmarshalSchedule reads
//
//	schedule <name> <expression> <function> {
//		time_zone       <zone>
//		flexible_window <duration>
//		input           <JSON>
//		start           <time>
//		end             <time>
//		catch_up        <duration>|off
//		disabled
//	}
func (a *App) unmarshalSchedule(d *caddyfile.Dispenser) error {
	var name string
	s := new(Schedule)
	if !d.Args(&name, &s.Expression, &s.Function) {
		return d.Err("schedule takes a name, an expression such as \"rate(5 minutes)\", and a function")
	}
	if more := d.RemainingArgs(); len(more) > 0 {
		return d.Errf("schedule %s: '%s' is too much; write an expression with spaces in quotes, such as \"rate(5 minutes)\"", name, more[0])
	}
	if a.Schedules[name] != nil {
		return d.Errf("schedule %s: there are two", name)
	}
	lines, file, line := make(optionLines), d.File(), d.Line()
	if err := readBlock(d, "schedule option '%s'", lines.of([]option{
		{"time_zone", into(text, &s.TimeZone)},
		{"flexible_window", into(duration, &s.FlexibleWindow)},
		{"input", s.unmarshalInput},
		{"start", into(moment, &s.Start)},
		{"end", into(moment, &s.End)},
		{"catch_up", into(durationOrOff, &s.CatchUp)},
		{"disabled", into(present, &s.Disabled)},
	})); err != nil {
		return err
	}
	if !hasPlaceholder(s) {
		if _, err := s.resolve(name, function.DefaultAccount); err != nil {
			return lines.place(fmt.Errorf("schedule %s: %w", name, err), file, line)
		}
	}
	if a.Schedules == nil {
		a.Schedules = make(map[string]*Schedule)
	}
	a.Schedules[name] = s
	return nil
}

func (s *Schedule) unmarshalInput(d *caddyfile.Dispenser) error {
	var input string
	if err := text(d, &input); err != nil {
		return err
	}
	if !json.Valid([]byte(input)) {
		return d.Errf("input: %q is not JSON", input)
	}
	s.Input = json.RawMessage(input)
	return nil
}
