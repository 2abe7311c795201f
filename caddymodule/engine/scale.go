package engine

import (
	"context"
	"errors"

	"github.com/hearthfn/hearth/invoker/scaling"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// scalable returns an error if a resource is not there, which wraps registry.ErrNotFound.
func (s *Setup) scalable(ctx context.Context, r scaling.Resource) error {
	_, err := s.registry.Resolve(ctx, r.Function, r.Qualifier)
	return err
}

// scaled are the functions of the setup in force, for the scaler: nil if it has no Lambda API,
// because nothing but that makes and changes such functions.
func (e *Engine) scaled() scaling.Functions {
	if s := e.current.Load(); s != nil && s.provisioner.Load() != nil {
		return scaled{s}
	}
	return nil
}

type scaled struct{ setup *Setup }

// Provisioned implements scaling.Functions.
func (s scaled) Provisioned(ctx context.Context, r scaling.Resource) (int, error) {
	p, err := s.setup.registry.Provisioned.Read(ctx, r.Function, r.Qualifier)
	if errors.Is(err, registry.ErrNotFound) {
		return 0, nil // Provision finds out whether the function is there
	}
	return p.Requested, err
}

// Provision implements scaling.Functions.
func (s scaled) Provision(ctx context.Context, r scaling.Resource, environments int) error {
	return s.setup.provisioner.Load().Provision(ctx, r.Function, r.Qualifier, environments)
}

// Calls implements scaling.Functions.
func (s scaled) Calls(ctx context.Context, r scaling.Resource) int {
	return s.setup.catalog.InFlight(ctx, r.Function, r.Qualifier)
}

var _ scaling.Functions = scaled{}
