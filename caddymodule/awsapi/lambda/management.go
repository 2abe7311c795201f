package lambda

import (
	"errors"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type managementInput struct {
	FunctionName, Qualifier            string
	UpdateRuntimeOn, RuntimeVersionArn string
}

type managementOutput struct {
	UpdateRuntimeOn, FunctionArn string
	RuntimeVersionArn            string `json:",omitempty"`
}

// https://docs.aws.amazon.com/lambda/latest/api/API_PutRuntimeManagementConfig.html
func putRuntimeManagementConfig(a *API, r *request, in *managementInput) (*managementOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if in.UpdateRuntimeOn == "Manual" || in.RuntimeVersionArn != "" {
		if err := a.ignore("runtime_management", f.name); err != nil {
			return nil, err
		}
	}
	m, err := a.Registry.Management.Put(r.Context(), f.name, f.orLatest(), func(m *registry.Management, _ bool) error {
		m.UpdateRuntimeOn, m.RuntimeVersionARN = in.UpdateRuntimeOn, in.RuntimeVersionArn
		return nil
	})
	if err != nil {
		return nil, a.notFound(err, f)
	}
	return &managementOutput{m.UpdateRuntimeOn, a.Account.ARN(f.name, f.orLatest()), m.RuntimeVersionARN}, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetRuntimeManagementConfig.html
func getRuntimeManagementConfig(a *API, r *request, in *managementInput) (*managementOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if _, err := a.version(r, f); err != nil {
		return nil, err
	}
	m, err := a.Registry.Management.Read(r.Context(), f.name, f.orLatest())
	if errors.Is(err, registry.ErrNotFound) {
		m.UpdateRuntimeOn, err = "Auto", nil
	}
	return &managementOutput{m.UpdateRuntimeOn, a.Account.ARN(f.name, f.orLatest()), m.RuntimeVersionARN}, err
}

type recursionInput struct{ FunctionName, RecursiveLoop string }

type recursionOutput struct{ RecursiveLoop string }

// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionRecursionConfig.html
func putFunctionRecursionConfig(a *API, r *request, in *recursionInput) (*recursionOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	c, err := a.Registry.Recursion.Put(r.Context(), name, function.Latest, func(c *registry.Recursion, _ bool) error {
		c.RecursiveLoop = in.RecursiveLoop
		return nil
	})
	if err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	return &recursionOutput{c.RecursiveLoop}, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html
func getFunctionRecursionConfig(a *API, r *request, in *recursionInput) (*recursionOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	f, err := a.Registry.Resolve(r.Context(), name, function.Latest)
	switch {
	case err != nil:
		return nil, a.notFound(err, reference{name: name})
	case f.Function.AllowLoop:
		return &recursionOutput{registry.LoopAllow}, nil
	}
	return &recursionOutput{registry.LoopTerminate}, nil
}
