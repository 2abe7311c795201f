package lambda

import (
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type publishInput struct{ FunctionName, CodeSha256, Description, RevisionId, PublishTo string }

// https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
func publishVersion(a *API, r *request, in *publishInput) (*configuration, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.PublishTo != "" {
		return nil, invalid("PublishTo is not supported: there are no capacity providers here.")
	}
	v, err := a.Registry.Publish(r.Context(), name, registry.PublishRequest{
		CodeSHA256: in.CodeSha256, RevisionID: in.RevisionId, Description: in.Description,
	})
	if err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	return a.configurationOf(&v, v.Version), nil
}

type listInput struct {
	FunctionName, Marker string
	MaxItems             int
}

type versionsOutput struct {
	Versions   []*configuration
	NextMarker string `json:",omitempty"`
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html
func listVersionsByFunction(a *API, r *request, in *listInput) (*versionsOutput, error) {
	f, err := a.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	page, next, err := a.Registry.Versions(r.Context(), f.name, in.Marker, min(orDefault(in.MaxItems, maxFunctions), maxFunctions))
	if err != nil {
		return nil, a.notFound(err, reference{name: f.name})
	}
	out := &versionsOutput{Versions: make([]*configuration, len(page)), NextMarker: next}
	for i, v := range page {
		out.Versions[i] = a.configurationOf(v, v.Version).listed()
	}
	return out, nil
}
