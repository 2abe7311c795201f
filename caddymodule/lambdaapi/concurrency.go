package lambdaapi

import (
	"errors"
	"fmt"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type concurrencyOutput struct {
	ReservedConcurrentExecutions *int `json:",omitempty"`
}

// concurrency is what is reserved for a function; nil if nothing is.
func (a *API) concurrency(r *request, name string) (*concurrencyOutput, error) {
	if a.Registry.ReadOnly(name) {
		resolved, err := a.Registry.Resolve(r.Context(), name, function.Latest)
		if err != nil || resolved.Function.ReservedConcurrency == nil {
			return nil, err
		}
		return &concurrencyOutput{resolved.Function.ReservedConcurrency}, nil
	}
	c, err := a.Registry.Concurrency.Read(r.Context(), name, function.Latest)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &concurrencyOutput{&c.Reserved}, nil
}

type concurrencyInput struct {
	FunctionName                 string
	ReservedConcurrentExecutions int
}

// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
func putFunctionConcurrency(a *API, r *request, in *concurrencyInput) (*concurrencyOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.ReservedConcurrentExecutions > a.Concurrency {
		return nil, invalid(fmt.Sprintf("Specified ReservedConcurrentExecutions for function is greater than account's concurrency [%d].", a.Concurrency))
	}
	provisioned, err := a.totalProvisioned(r, name, "")
	if err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	if in.ReservedConcurrentExecutions < provisioned {
		return nil, invalid(fmt.Sprintf(" ReservedConcurrentExecutions  %d should not be lower than function's total provisioned concurrency [%d].", in.ReservedConcurrentExecutions, provisioned))
	}
	c, err := a.Registry.Concurrency.Put(r.Context(), name, function.Latest, func(c *registry.Concurrency, _ bool) error {
		c.Reserved = in.ReservedConcurrentExecutions
		return nil
	})
	if err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	a.refresh(r.Context(), name, function.Latest)
	return &concurrencyOutput{&c.Reserved}, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html
func getFunctionConcurrency(a *API, r *request, in *concurrencyInput) (*concurrencyOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if _, err := a.version(r, reference{name: name}); err != nil {
		return nil, err
	}
	c, err := a.concurrency(r, name)
	if c == nil {
		c = &concurrencyOutput{}
	}
	return c, err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionConcurrency.html
func deleteFunctionConcurrency(a *API, r *request, in *concurrencyInput) (none, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return none{}, err
	}
	if _, err := a.version(r, reference{name: name}); err != nil {
		return none{}, err
	}
	err = a.Registry.Concurrency.Delete(r.Context(), name, function.Latest, nil)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return none{}, err
	}
	a.refresh(r.Context(), name, function.Latest)
	return none{}, nil
}
