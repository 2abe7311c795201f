package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

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
	if d.NextArg() {
		return d.ArgErr()
	}
	if a.Schedules[name] != nil {
		return d.Errf("schedule %s: there are two", name)
	}
	if err := readBlock(d, "schedule option '%s'", []option{
		{"time_zone", into(text, &s.TimeZone)},
		{"flexible_window", into(duration, &s.FlexibleWindow)},
		{"input", s.unmarshalInput},
		{"start", into(moment, &s.Start)},
		{"end", into(moment, &s.End)},
		{"catch_up", into(durationOrOff, &s.CatchUp)},
		{"disabled", into(present, &s.Disabled)},
	}); err != nil {
		return err
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
