package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Schedule runs a function by the clock, as Amazon EventBridge does.
type Schedule struct {
	// When: rate(5 minutes), cron(0 12 * * ? *) or at(2027-01-02T15:04:05).
	Expression string `json:"expression,omitempty"`

	// The function, and its version or alias after a colon.
	Function string `json:"function,omitempty"`

	// The time zone of cron expressions and times, e.g. Europe/Berlin. Default: UTC.
	TimeZone string `json:"time_zone,omitempty"`

	// The function runs at some time within this duration after a tick. Default: at once.
	FlexibleWindow caddy.Duration `json:"flexible_window,omitempty"`

	// The event, JSON. Default: the event that EventBridge sends.
	Input json.RawMessage `json:"input,omitempty"`

	// There are ticks from start to end. Default: no limit.
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`

	// How late a tick may run that was missed while no node ran. Of several missed ticks the
	// newest runs. Default: 1m. Below zero: missed ticks do not run.
	CatchUp caddy.Duration `json:"catch_up,omitempty"`

	// Do not run.
	Disabled bool `json:"disabled,omitempty"`
}

// Limits of schedules. Windows are those of AWS's scheduler.
const (
	defaultCatchUp = time.Minute
	maxCatchUp     = 7 * 24 * time.Hour
	maxWindow      = 24 * time.Hour
)

var scheduleName = regexp.MustCompile(`^[0-9a-zA-Z-_.]{1,64}$`)

func (s *Schedule) resolve(name string, account function.Account) (schedule.Schedule, error) {
	var out schedule.Schedule
	if !scheduleName.MatchString(name) {
		return out, errors.New("a name is up to 64 of letters, digits, - _ and . alone")
	}
	repl := caddy.NewReplacer()
	location := time.UTC
	if zone := repl.ReplaceAll(s.TimeZone, ""); zone != "" {
		var err error
		if location, err = time.LoadLocation(zone); err != nil || zone == "Local" {
			return out, fmt.Errorf("time_zone %q is none such as Europe/Berlin", zone)
		}
	}
	expression, err := schedule.Parse(repl.ReplaceAll(s.Expression, ""), location)
	if err != nil {
		return out, err
	}
	target, qualifier, err := account.Parse(repl.ReplaceAll(s.Function, ""))
	if err != nil {
		return out, err
	}
	if qualifier == "" {
		qualifier = function.Latest
	}
	if len(s.Input) > 0 && !json.Valid(s.Input) {
		return out, errors.New("input is not JSON")
	}
	if len(s.Input) > invoker.MaxPayload {
		return out, fmt.Errorf("input has %d bytes, %d at most", len(s.Input), invoker.MaxPayload)
	}
	if w := time.Duration(s.FlexibleWindow); w < 0 || w > maxWindow {
		return out, fmt.Errorf("flexible_window %s: %s at most", w, maxWindow)
	}
	out = schedule.Schedule{
		Name: name, Expression: expression, Function: target, Qualifier: qualifier, Input: s.Input,
		Window: time.Duration(s.FlexibleWindow), CatchUp: time.Duration(s.CatchUp), Disabled: s.Disabled,
	}
	switch {
	case out.CatchUp == 0:
		out.CatchUp = defaultCatchUp
	case out.CatchUp < 0:
		out.CatchUp = 0
	case out.CatchUp > maxCatchUp:
		return out, fmt.Errorf("catch_up %s: %s at most", out.CatchUp, maxCatchUp)
	}
	if s.Start != nil {
		out.Start = *s.Start
	}
	if s.End != nil {
		out.End = *s.End
	}
	if !out.End.IsZero() && !out.End.After(out.Start) {
		return out, errors.New("end is not after start")
	}
	return out, nil
}

// resolveSchedules returns the schedules of the configuration, sorted by name.
func (a *App) resolveSchedules() ([]schedule.Schedule, error) {
	var all []schedule.Schedule
	for _, name := range slices.Sorted(maps.Keys(a.Schedules)) {
		s, err := a.Schedules[name].resolve(name, a.account())
		if err != nil {
			return nil, fmt.Errorf("schedule %s: %w", name, err)
		}
		all = append(all, s)
	}
	return all, nil
}
