package caddymodule

import (
	"encoding/json"
	"time"

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
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch option := d.Val(); option {
		case "time_zone":
			err = text(d, &s.TimeZone)
		case "flexible_window":
			err = duration(d, &s.FlexibleWindow)
		case "catch_up":
			err = durationOrOff(d, &s.CatchUp)
		case "input":
			var input string
			if err = text(d, &input); err == nil && !json.Valid([]byte(input)) {
				err = d.Errf("input: %q is not JSON", input)
			}
			s.Input = json.RawMessage(input)
		case "start":
			s.Start, err = moment(d)
		case "end":
			s.End, err = moment(d)
		case "disabled":
			s.Disabled = true
			if d.NextArg() {
				err = d.ArgErr()
			}
		default:
			err = d.Errf("unrecognized schedule option '%s'; there are time_zone, flexible_window, input, start, end, catch_up and disabled", option)
		}
		if err != nil {
			return err
		}
	}
	if a.Schedules == nil {
		a.Schedules = make(map[string]*Schedule)
	}
	a.Schedules[name] = s
	return nil
}

// moment reads a time.
func moment(d *caddyfile.Dispenser) (*time.Time, error) {
	name := d.Val()
	var value string
	if err := text(d, &value); err != nil {
		return nil, err
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return nil, d.Errf("%s: '%s' is not a time such as 2027-01-02T15:04:05Z", name, value)
	}
	return &at, nil
}
