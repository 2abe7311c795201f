package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/function/spelling"
)

// An unknown is a function that the configuration names and does not define.
type unknown struct {
	by   string // where it is named: byRoute, "schedule nightly"
	name string
}

const byRoute = "a route"

// checkTargets checks the functions of schedules, event sources and destinations as those of
// routes are checked. Each event for a function that does not exist would be lost or put aside.
func (s *Setup) checkTargets() error {
	for _, c := range s.Schedules {
		if err := s.checkConfigured("schedule "+c.Name, c.Function, c.Qualifier); err != nil {
			return err
		}
	}
	for n := range s.Mappings {
		m := &s.Mappings[n]
		if err := s.checkConfigured("event source "+m.EventSourceArn, m.FunctionName, m.Qualifier); err != nil {
			return err
		}
		if err := s.checkDestinationsFunction("on_failure of event source "+m.EventSourceArn, m.OnFailure); err != nil {
			return err
		}
	}
	for _, f := range s.Functions {
		if err := s.checkDestinationsFunction("on_success of function "+f.Name, f.Events.OnSuccess); err != nil {
			return err
		}
		if err := s.checkDestinationsFunction("on_failure of function "+f.Name, f.Events.OnFailure); err != nil {
			return err
		}
	}
	return nil
}

// checkDestinationsFunction checks a destination that is a function.
func (s *Setup) checkDestinationsFunction(by, to string) error {
	if !strings.HasPrefix(to, services.LambdaARN) {
		return nil
	}
	name, qualifier, err := s.Account.Parse(to)
	if err != nil {
		return fmt.Errorf("%s: %w", by, err)
	}
	return s.checkConfigured(by, name, qualifier)
}

// checkConfigured checks a function that the configuration names. If the configuration does
// not define it, Apply searches for it later, when the store is known to be this process's.
func (s *Setup) checkConfigured(by, name, qualifier string) error {
	switch {
	case s.isRemote(name):
		return nil
	case s.functions[name] == nil:
		return s.addUnknown(unknown{by, name})
	case qualifier != "" && qualifier != function.Latest:
		return fmt.Errorf("%s: %w", by, noQualifier(name, qualifier))
	}
	return nil
}

func noQualifier(name, qualifier string) error {
	return fmt.Errorf("function %q: no such qualifier %q: functions of the configuration have $LATEST only", name, qualifier)
}

// addUnknown remembers a function that the configuration does not define, for Apply. It is
// refused at once if nobody can ever make it, so that `caddy validate` says so. Beside a server
// that runs, its endpoint file tells whether it may have made functions.
func (s *Setup) addUnknown(u unknown) error {
	s.unknown = append(s.unknown, u)
	if s.HasAPI {
		return nil
	}
	if s.engine.inUse == nil {
		return s.check(u)
	}
	if _, err := os.Stat(filepath.Join(s.engine.Dir, endpointFile)); errors.Is(err, fs.ErrNotExist) {
		return s.undefined(u)
	}
	s.Log.Warn("a function is not in this configuration; only the server that runs knows whether it was deployed", s.fieldsOf(u)...)
	return nil
}

// undefined is the error about a function that nobody can ever make.
func (s *Setup) undefined(u unknown) error {
	defined := slices.Sorted(maps.Keys(s.functions))
	return fmt.Errorf("%s: function %q is not defined in the hearth global option, nor made by the Lambda API, which no site has (lambda_api)%s; defined are %q",
		u.by, u.name, spelling.Meant(u.name, defined), defined)
}

// checkUnknown refuses the names of functions that nobody can ever make, and logs which
// functions do not exist yet.
func (s *Setup) checkUnknown() error {
	for _, f := range s.Functions {
		if f.Role != "" && !s.HasAPI {
			return fmt.Errorf("function %q: role %s: no site has lambda_api, so there are no roles here", f.Name, f.Role)
		}
	}
	for _, u := range s.unknown {
		if err := s.check(u); err != nil {
			return err
		}
	}
	return nil
}

func (s *Setup) check(u unknown) error {
	_, err := s.registry.Version(context.Background(), u.name, function.Latest)
	switch {
	case err == nil:
	case !errors.Is(err, registry.ErrNotFound):
		return err
	case !s.HasAPI:
		return s.undefined(u)
	case u.by == byRoute:
		s.Log.Warn("a route names a function that is not there yet: it answers 404 until the Lambda API makes it", s.fieldsOf(u)...)
	default:
		s.Log.Warn("a function is not there yet: its events are kept aside until the Lambda API makes it", s.fieldsOf(u)...)
	}
	return nil
}

// fieldsOf are what the log says of a function that the configuration does not define.
func (s *Setup) fieldsOf(u unknown) []zap.Field {
	fields := []zap.Field{zap.String("function", u.name)}
	if u.by != byRoute {
		fields = append(fields, zap.String("source", u.by))
	}
	if near := spelling.Nearest(u.name, slices.Sorted(maps.Keys(s.functions))); near != "" {
		fields = append(fields, zap.String("did_you_mean", near))
	}
	return fields
}

// CheckTarget checks that there is a function for an event. Only the gateway knows its own
// functions.
func (s *Setup) CheckTarget(ctx context.Context, name, qualifier string) error {
	if s.isRemote(name) {
		return nil
	}
	_, err := s.registry.Resolve(ctx, name, qualifier)
	return err
}

// NamedByRoute checks a function that a route names. If the configuration does not define it,
// the Lambda API may make it, now or later. Apply searches for it.
func (s *Setup) NamedByRoute(name, qualifier string) error {
	return s.checkNamed(name, qualifier)
}

// NamedBySource checks the function that gets the events of a source.
func (s *Setup) NamedBySource(name, qualifier string) error {
	if s.isRemote(name) {
		return nil
	}
	return s.checkNamed(name, qualifier)
}

func (s *Setup) checkNamed(name, qualifier string) error {
	switch {
	case s.functions[name] == nil:
		return s.addUnknown(unknown{byRoute, name})
	case qualifier != "" && qualifier != function.Latest:
		return noQualifier(name, qualifier)
	}
	return nil
}
