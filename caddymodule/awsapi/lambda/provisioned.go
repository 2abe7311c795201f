package lambda

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type provisionedInput struct {
	FunctionName, Qualifier         string
	ProvisionedConcurrentExecutions int
	Marker                          string
	MaxItems                        int
}

type provisionedOutput struct {
	FunctionArn                              string `json:",omitempty"` // in lists
	RequestedProvisionedConcurrentExecutions int
	AvailableProvisionedConcurrentExecutions int
	AllocatedProvisionedConcurrentExecutions int
	Status                                   string
	StatusReason                             string `json:",omitempty"`
	LastModified                             string
}

// provisionedOf tells how far the environments of a qualifier have come.
func (a *API) provisionedOf(r *request, f reference, p *registry.Provisioned) *provisionedOutput {
	ready, failed, err := a.Invoker.Initialized(r.Context(), f.name, f.qualifier)
	if err != nil {
		ready = 0 // gone meanwhile, or stopping
	}
	ready = min(ready, p.Requested)
	out := &provisionedOutput{
		RequestedProvisionedConcurrentExecutions: p.Requested, AvailableProvisionedConcurrentExecutions: ready, AllocatedProvisionedConcurrentExecutions: ready,
		Status: "IN_PROGRESS", LastModified: p.LastModified.UTC().Format("2006-01-02T15:04:05-0700"),
	}
	switch {
	case ready == p.Requested:
		out.Status = "READY"
	case errors.As(failed, new(*environment.InitError)):
		out.Status, out.StatusReason = "FAILED", "FUNCTION_ERROR_INIT_FAILURE"
	case failed != nil:
		out.Status, out.StatusReason = "FAILED", "The server could not start an environment. Its log says why. It tries again." // AWS has no word for it
	}
	return out
}

// findPublished is find for what only published versions and aliases have.
func (a *API) findPublished(name, qualifier, otherwise string) (reference, error) {
	f, err := a.find(name, qualifier)
	if err == nil && f.orLatest() == function.Latest {
		err = invalid(otherwise)
	}
	return f, err
}

const publishedOnly = "The function resource provided must be an alias or a published version."

// missingQualifier gives registry.ErrNotFound the text that calls on provisioned
// concurrency have for it.
func (a *API) missingQualifier(err error, f reference) error {
	if f.orLatest() == function.Latest || isNumber(f.qualifier) {
		return a.notFound(err, f)
	}
	return missing(err, "Cannot find alias arn: "+a.arn(f))
}

// https://docs.aws.amazon.com/lambda/latest/api/API_PutProvisionedConcurrencyConfig.html
func putProvisionedConcurrencyConfig(a *API, r *request, in *provisionedInput) (*provisionedOutput, error) {
	f, err := a.findPublished(in.FunctionName, in.Qualifier, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	if err != nil {
		return nil, err
	}
	v, err := a.lookup(r, f)
	if err != nil {
		return nil, a.missingQualifier(err, f)
	}
	if err := a.checkOneProvisions(r, f, v.Version); err != nil {
		return nil, err
	}
	others, err := a.totalProvisioned(r, f.name, f.qualifier)
	if err != nil {
		return nil, err
	}
	reserved, err := a.concurrency(r, f.name)
	if err != nil {
		return nil, err
	}
	reservedByAll, err := a.reservedBy(r, "")
	if err != nil {
		return nil, err
	}
	unreserved := a.Concurrency - reservedByAll
	if reserved != nil {
		unreserved += *reserved.ReservedConcurrentExecutions
	}
	least := min(minUnreserved, a.Concurrency)
	switch total := others + in.ProvisionedConcurrentExecutions; {
	case reserved != nil && total > *reserved.ReservedConcurrentExecutions:
		return nil, invalid("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
	case total > unreserved:
		return nil, untyped("Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [" + strconv.Itoa(unreserved) + "].")
	case reserved == nil && unreserved-total < least:
		return nil, untyped("Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [" + strconv.Itoa(least) + "].")
	}
	p, err := a.Registry.Provisioned.Put(r.Context(), f.name, f.qualifier, func(p *registry.Provisioned, _ bool) error {
		p.Requested = in.ProvisionedConcurrentExecutions
		return nil
	})
	if err != nil {
		return nil, a.missingQualifier(err, f)
	}
	a.refresh(r.Context(), f.name, f.qualifier)
	out := a.provisionedOf(r, f, &p)
	out.AvailableProvisionedConcurrentExecutions, out.AllocatedProvisionedConcurrentExecutions = 0, 0 // as when it begins
	out.Status, out.StatusReason = "IN_PROGRESS", ""
	return out, nil
}

// checkOneProvisions refuses environments for an alias and for its version beside each
// other.
func (a *API) checkOneProvisions(r *request, f reference, version string) error {
	taken := func(qualifier string) (bool, error) {
		_, err := a.Registry.Provisioned.Read(r.Context(), f.name, qualifier)
		if errors.Is(err, registry.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	if f.qualifier != version {
		is, err := taken(version)
		if is {
			err = exception("ResourceConflictException", "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
		}
		return err
	}
	aliases, _, err := a.Registry.Aliases(r.Context(), f.name, version, "", maxPage)
	if err != nil {
		return err
	}
	for _, alias := range aliases {
		is, err := taken(alias.Name)
		if is {
			err = exception("ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// totalProvisioned is what all qualifiers of a function but one ask for.
func (a *API) totalProvisioned(r *request, name, except string) (total int, err error) {
	err = each(r.Context(), name, a.Registry.Provisioned.List, func(q registry.Qualified[registry.Provisioned]) {
		if q.Qualifier != except {
			total += q.Value.Requested
		}
	})
	return total, err
}

// each visits all settings of a kind that a function has.
func each[T any](ctx context.Context, name string, list func(context.Context, string, string, int) ([]registry.Qualified[T], string, error), visit func(registry.Qualified[T])) error {
	for after := ""; ; {
		page, next, err := list(ctx, name, after, maxPage)
		if err != nil {
			return err
		}
		for _, q := range page {
			visit(q)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// Provision changes how many environments of a version or alias are kept initialised, by the
// rules of PutProvisionedConcurrencyConfig. 0 removes the setting. The error wraps
// registry.ErrNotFound if there is no such version or alias.
func (a *API) Provision(ctx context.Context, name, qualifier string, environments int) error {
	if _, err := a.Registry.Resolve(ctx, name, qualifier); err != nil {
		return err
	}
	r := &request{Request: new(http.Request).WithContext(ctx)}
	in := &provisionedInput{FunctionName: name, Qualifier: qualifier, ProvisionedConcurrentExecutions: environments}
	var err error
	if environments == 0 {
		_, err = deleteProvisionedConcurrencyConfig(a, r, in)
	} else {
		_, err = putProvisionedConcurrencyConfig(a, r, in)
	}
	return err
}

func noProvisioned(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return exception("ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function")
	}
	return err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetProvisionedConcurrencyConfig.html
func getProvisionedConcurrencyConfig(a *API, r *request, in *provisionedInput) (*provisionedOutput, error) {
	f, err := a.findPublished(in.FunctionName, in.Qualifier, publishedOnly)
	if err != nil {
		return nil, err
	}
	if _, err := a.lookup(r, f); err != nil {
		return nil, a.missingQualifier(err, f)
	}
	p, err := a.Registry.Provisioned.Read(r.Context(), f.name, f.qualifier)
	if err != nil {
		return nil, noProvisioned(err)
	}
	return a.provisionedOf(r, f, &p), nil
}

type provisionedListOutput struct {
	ProvisionedConcurrencyConfigs []*provisionedOutput
	NextMarker                    string `json:",omitempty"`
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListProvisionedConcurrencyConfigs.html
func listProvisionedConcurrencyConfigs(a *API, r *request, in *provisionedInput) (*provisionedListOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	page, next, err := a.Registry.Provisioned.List(r.Context(), name, in.Marker, min(orDefault(in.MaxItems, maxFunctions), maxFunctions))
	if err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	out := &provisionedListOutput{ProvisionedConcurrencyConfigs: make([]*provisionedOutput, len(page)), NextMarker: next}
	for i, q := range page {
		f := reference{name, q.Qualifier}
		out.ProvisionedConcurrencyConfigs[i] = a.provisionedOf(r, f, &q.Value)
		out.ProvisionedConcurrencyConfigs[i].FunctionArn = a.arn(f)
	}
	return out, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteProvisionedConcurrencyConfig.html
func deleteProvisionedConcurrencyConfig(a *API, r *request, in *provisionedInput) (none, error) {
	f, err := a.findPublished(in.FunctionName, in.Qualifier, publishedOnly)
	if err != nil {
		return none{}, err
	}
	if _, err := a.lookup(r, f); err != nil {
		return none{}, a.missingQualifier(err, f)
	}
	if err := a.Registry.Provisioned.Delete(r.Context(), f.name, f.qualifier, nil); err != nil && !errors.Is(err, registry.ErrNotFound) {
		return none{}, err // that there is none is no error
	}
	a.refresh(r.Context(), f.name, f.qualifier)
	return none{}, nil
}
