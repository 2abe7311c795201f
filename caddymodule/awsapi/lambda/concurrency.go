package lambda

import (
	"errors"
	"fmt"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type concurrencyOutput struct {
	ReservedConcurrentExecutions *int `json:",omitempty"`
}

// concurrency is the reserved concurrency of a function; nil if it has none.
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

// minUnreserved is how much concurrency functions without a reservation are left.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
const minUnreserved = 100

// reservedBy is the reserved concurrency of all functions but one.
func (a *API) reservedBy(r *request, except string) (total int, err error) {
	for after := ""; ; {
		page, next, err := a.Registry.Functions(r.Context(), after, maxFunctions)
		if err != nil {
			return 0, err
		}
		for _, v := range page {
			if v.FunctionName == except {
				continue
			}
			c, err := a.concurrency(r, v.FunctionName)
			if err != nil {
				return 0, err
			}
			if c != nil {
				total += *c.ReservedConcurrentExecutions
			}
		}
		if after = next; after == "" {
			return total, nil
		}
	}
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
	latest := reference{name, function.Latest}
	if _, err := a.lookup(r, latest); err != nil {
		return nil, a.notFound(err, latest)
	}
	others, err := a.reservedBy(r, name)
	if err != nil {
		return nil, err
	}
	if unreserved := min(minUnreserved, a.Concurrency); in.ReservedConcurrentExecutions > 0 && a.Concurrency-others-in.ReservedConcurrentExecutions < unreserved {
		return nil, untyped(fmt.Sprintf("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", unreserved))
	}
	provisioned, err := a.totalProvisioned(r, name, "")
	if err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	if in.ReservedConcurrentExecutions < provisioned {
		return nil, untyped(fmt.Sprintf(" ReservedConcurrentExecutions  %d should not be lower than function's total provisioned concurrency [%d].", in.ReservedConcurrentExecutions, provisioned))
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
