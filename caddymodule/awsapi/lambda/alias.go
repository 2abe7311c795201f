package lambda

import (
	"errors"
	"fmt"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type routing struct {
	AdditionalVersionWeights map[string]float64 `json:",omitempty"`
}

type aliasInput struct {
	FunctionName, Name, RevisionId string
	FunctionVersion, Description   *string
	RoutingConfig                  *routing
}

type aliasOutput struct {
	AliasArn, Name, FunctionVersion, Description string
	RoutingConfig                                *routing `json:",omitempty"`
	RevisionId                                   string
}

func (a *API) aliasOf(name string, alias *registry.Alias) *aliasOutput {
	out := &aliasOutput{
		AliasArn: a.Account.ARN(name, alias.Name), Name: alias.Name, FunctionVersion: alias.FunctionVersion,
		Description: alias.Description, RevisionId: alias.RevisionID,
	}
	if len(alias.Weights) > 0 {
		out.RoutingConfig = &routing{alias.Weights}
	}
	return out
}

// apply puts what was given over an alias, and says in AWS's words what cannot be.
func (in *aliasInput) apply(alias *registry.Alias) error {
	set(&alias.FunctionVersion, in.FunctionVersion)
	set(&alias.Description, in.Description)
	if in.RoutingConfig != nil {
		alias.Weights = in.RoutingConfig.AdditionalVersionWeights
	}
	switch {
	case len(alias.Weights) > 1:
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	case len(alias.Weights) == 1 && alias.FunctionVersion == function.Latest:
		return untyped("$LATEST is not supported for an alias pointing to more than 1 version")
	}
	if _, same := alias.Weights[alias.FunctionVersion]; same {
		return invalid("Invalid function version " + alias.FunctionVersion + ". Function version " + alias.FunctionVersion + " is already included in routing configuration.")
	}
	return nil
}

// missingVersion names the version that an alias cannot point to.
func (a *API) missingVersion(r *request, err error, name string, versions ...string) error {
	if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	for _, version := range versions {
		f := reference{name, version}
		if _, missing := a.version(r, f); missing != nil {
			return missing
		}
	}
	return err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html
func createAlias(a *API, r *request, in *aliasInput) (*aliasOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	alias := registry.Alias{Name: in.Name}
	if err := in.apply(&alias); err != nil {
		return nil, err
	}
	created, err := a.Registry.CreateAlias(r.Context(), name, alias)
	if errors.Is(err, registry.ErrConflict) {
		err = exception("ResourceConflictException", "Alias already exists: "+a.Account.ARN(name, in.Name))
	}
	if err != nil {
		return nil, a.missingVersion(r, err, name, targets(&alias)...)
	}
	return a.aliasOf(name, &created), nil
}

func targets(alias *registry.Alias) []string {
	versions := []string{alias.FunctionVersion}
	for version := range alias.Weights {
		versions = append(versions, version)
	}
	return versions
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html
func updateAlias(a *API, r *request, in *aliasInput) (*aliasOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if _, err := a.Registry.Alias(r.Context(), name, in.Name); err != nil {
		return nil, missing(err, "Alias not found: "+a.Account.ARN(name, in.Name))
	}
	var wanted registry.Alias
	alias, err := a.Registry.UpdateAlias(r.Context(), name, in.Name, in.RevisionId, func(alias *registry.Alias) error {
		err := in.apply(alias)
		wanted = *alias
		return err
	})
	if err != nil {
		return nil, a.missingVersion(r, err, name, targets(&wanted)...)
	}
	a.refresh(r.Context(), name, in.Name)
	return a.aliasOf(name, &alias), nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetAlias.html
func getAlias(a *API, r *request, in *aliasInput) (*aliasOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	alias, err := a.Registry.Alias(r.Context(), name, in.Name)
	if err != nil {
		return nil, missing(err, "Cannot find alias arn: "+a.Account.ARN(name, in.Name))
	}
	return a.aliasOf(name, &alias), nil
}

type (
	listAliasesInput struct {
		FunctionName, FunctionVersion, Marker string
		MaxItems                              int
	}
	aliasesOutput struct {
		Aliases    []*aliasOutput
		NextMarker string `json:",omitempty"`
	}
)

// maxPage is how many items a page has at most, and if no number was asked for.
const maxPage = 10000

// https://docs.aws.amazon.com/lambda/latest/api/API_ListAliases.html
func listAliases(a *API, r *request, in *listAliasesInput) (*aliasesOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	page, next, err := a.Registry.Aliases(r.Context(), name, in.FunctionVersion, in.Marker, orDefault(in.MaxItems, maxPage))
	if err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	out := &aliasesOutput{Aliases: make([]*aliasOutput, len(page)), NextMarker: next}
	for i := range page {
		out.Aliases[i] = a.aliasOf(name, &page[i])
	}
	return out, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteAlias.html
func deleteAlias(a *API, r *request, in *aliasInput) (none, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return none{}, err
	}
	if err := a.Registry.DeleteAlias(r.Context(), name, in.Name); err != nil {
		return none{}, a.notFound(fmt.Errorf("delete alias: %w", err), reference{name: name})
	}
	a.refresh(r.Context(), name, in.Name)
	return none{}, nil
}
