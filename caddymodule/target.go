package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// An unknown is a function that the configuration names and does not define.
type unknown struct {
	by   string // what names it: "a route", "schedule nightly"
	name string
}

// checkTargets has the functions of schedules, event sources and destinations checked as
// those of routes are: each event for one that is not there would be lost or kept aside.
func (a *App) checkTargets(mappings []registry.Mapping) error {
	for _, s := range a.schedules {
		if err := a.checkConfigured("schedule "+s.Name, s.Function, s.Qualifier); err != nil {
			return err
		}
	}
	for n := range mappings {
		m := &mappings[n]
		if err := a.checkConfigured("event source "+m.EventSourceArn, m.FunctionName, m.Qualifier); err != nil {
			return err
		}
		if err := a.checkDestinationsFunction("on_failure of event source "+m.EventSourceArn, m.OnFailure); err != nil {
			return err
		}
	}
	for name, f := range a.Functions {
		for option, to := range map[string]string{"on_success": f.Async.OnSuccess, "on_failure": f.Async.OnFailure} {
			if err := a.checkDestinationsFunction(option+" of function "+name, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkDestinationsFunction checks a destination that is a function.
func (a *App) checkDestinationsFunction(by, to string) error {
	if !strings.HasPrefix(to, lambdaARN) {
		return nil
	}
	name, qualifier, err := a.account().Parse(to)
	if err != nil {
		return fmt.Errorf("%s: %w", by, err)
	}
	return a.checkConfigured(by, name, qualifier)
}

// checkConfigured checks a function that something of the configuration names. One that
// is not defined is looked for at the start, when the store is known to be this one's.
func (a *App) checkConfigured(by, name, qualifier string) error {
	switch {
	case a.isElsewhere(name):
		return nil
	case a.functions[name] == nil:
		a.unknown = append(a.unknown, unknown{by, name})
		return nil
	case qualifier != "" && qualifier != function.Latest:
		return fmt.Errorf("%s: %w", by, noQualifier(name, qualifier))
	}
	return nil
}

func noQualifier(name, qualifier string) error {
	return fmt.Errorf("function %q: no such qualifier %q: functions of the configuration have $LATEST only", name, qualifier)
}

// checkUnknown refuses what names functions that nobody can ever make, and says which
// are not there yet.
func (a *App) checkUnknown() error {
	for _, u := range a.unknown {
		_, err := a.registry.Version(context.Background(), u.name, function.Latest)
		switch {
		case err == nil:
		case !errors.Is(err, registry.ErrNotFound):
			return err
		case !a.hasAPI:
			return fmt.Errorf("%s: function %q is not defined in the hearth global option, nor made by the Lambda API, which no site has (lambda_api); defined are %q",
				u.by, u.name, slices.Sorted(maps.Keys(a.groups)))
		case u.by == "a route":
			a.log.Warn("a route names a function that is not there yet: it answers 404 until the Lambda API makes it", zap.String("function", u.name))
		default:
			a.log.Warn("a function is not there yet: its events are kept aside until the Lambda API makes it", zap.String("function", u.name), zap.String("source", u.by))
		}
	}
	return nil
}
