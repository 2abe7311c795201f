package apigatewayv1

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Resource is a path of an API with its methods.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Resource.html
type Resource struct {
	Id              string             `json:"id"`
	ParentId        string             `json:"parentId,omitempty"`
	Path            string             `json:"path"`
	PathPart        string             `json:"pathPart,omitempty"`
	ResourceMethods map[string]*Method `json:"resourceMethods,omitempty"`
}

// maxResources is AWS's quota.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const maxResources = 300

var pathPart = regexp.MustCompile(`^([a-zA-Z0-9._:-]+|\{[a-zA-Z0-9._:-]+\+?\})$`)

// check checks a resource against the other ones of its API, and makes its path.
func (r *Resource) check(set *document.Set) error {
	parent, err := find[Resource](set, docResource+r.ParentId, "Resource")
	if err != nil {
		return err
	}
	if !pathPart.MatchString(r.PathPart) {
		return invalid("Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end")
	}
	if strings.HasSuffix(parent.PathPart, "+}") {
		return invalid("Cannot create a child of a resource with a greedy path variable: %s", parent.PathPart)
	}
	r.Path = strings.TrimSuffix(parent.Path, "/") + "/" + r.PathPart
	if err := gateway.CheckKey(gateway.REST, "ANY "+r.Path); err != nil {
		return invalid("Invalid resource path: %v", err)
	}
	others, err := document.All[Resource](set, docResource)
	if err != nil {
		return err
	}
	for _, other := range others {
		switch {
		case other.Id == r.Id || other.ParentId != r.ParentId:
		case other.PathPart == r.PathPart:
			return conflicts("Another resource with the same parent already has this name: %s", r.PathPart)
		case isVariable(other.PathPart) && isVariable(r.PathPart):
			return invalid("A sibling (%s) of this resource already has a variable path part -- only one is allowed", other.PathPart)
		}
	}
	return nil
}

func isVariable(part string) bool { return strings.HasPrefix(part, "{") }

type resourceInput struct {
	patches
	paging
	RestApiId, ResourceId, ParentId, PathPart string
	Embed                                     []string
}

func (s *service) createResource(ctx context.Context, in *resourceInput) (*Resource, error) {
	r := &Resource{Id: awsapi.ChosenID(ctx, apigatewayv2.NewID(6)), ParentId: in.ParentId, PathPart: in.PathPart}
	return r, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if len(e.Names(docResource)) >= maxResources {
			return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of Resources for this API has been reached"}
		}
		if err := r.check(&e.Set); err != nil {
			return err
		}
		return e.Put(docResource+r.Id, r)
	})
}

// shown is a resource as it is answered: its methods are empty unless they are asked for.
func (r *Resource) shown(embed []string) *Resource {
	if !slices.Contains(embed, "methods") {
		for name := range r.ResourceMethods {
			r.ResourceMethods[name] = new(Method)
		}
	}
	return r
}

func (s *service) getResource(ctx context.Context, in *resourceInput) (any, error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	r, err := find[Resource](set, docResource+in.ResourceId, "Resource")
	if err != nil {
		return nil, err
	}
	return r.shown(in.Embed).json(), nil
}

func (s *service) getResources(ctx context.Context, in *resourceInput) (any, error) {
	found, err := all(ctx, s, in.RestApiId, docResource, func(r *Resource) string { return r.Id }, in.paging)
	if err != nil {
		return nil, err
	}
	out := &list[any]{Item: []any{}, Position: found.Position}
	for _, r := range found.Item {
		out.Item = append(out.Item, r.shown(in.Embed).json())
	}
	return out, nil
}

// json is the answer. A method that is not asked for is {}.
func (r *Resource) json() any {
	methods := make(map[string]any, len(r.ResourceMethods))
	for name, m := range r.ResourceMethods {
		if methods[name] = m; m.HttpMethod == "" {
			methods[name] = struct{}{}
		}
	}
	return struct {
		Resource
		ResourceMethods map[string]any `json:"resourceMethods,omitempty"`
	}{*r, methods}
}

// below are the resources of a set that are below another one, and that one.
func below(set *document.Set, id string) (map[string]*Resource, error) {
	all, err := document.All[Resource](set, docResource)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*Resource)
	for again := true; again; {
		again = false
		for _, r := range all {
			if found[r.Id] == nil && (r.Id == id || found[r.ParentId] != nil && r.ParentId != "") {
				found[r.Id], again = r, true
			}
		}
	}
	return found, nil
}

func (s *service) updateResource(ctx context.Context, in *resourceInput) (any, error) {
	var r *Resource
	err := s.change(ctx, in.RestApiId, func(e *document.Edit) (err error) {
		if r, err = find[Resource](&e.Set, docResource+in.ResourceId, "Resource"); err != nil {
			return err
		}
		if r.ParentId == "" {
			for _, one := range in.PatchOperations {
				return invalid("Root resource cannot update its %.20s.", strings.TrimPrefix(one.Path, "/"))
			}
			return nil
		}
		can := fields{exact: map[string]field{"/pathPart": text(&r.PathPart), "/parentId": text(&r.ParentId)}, once: func(p patch) error {
			return invalid("Invalid patch path  '%.200s' specified for op '%s'. Please choose supported operations", p.Path, p.Op)
		}}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		inside, err := below(&e.Set, r.Id)
		if err != nil {
			return err
		}
		if inside[r.ParentId] != nil {
			return invalid("Resources cannot be cyclical.")
		}
		if err := r.check(&e.Set); err != nil {
			return err
		}
		if err := e.Put(docResource+r.Id, r); err != nil {
			return err
		}
		return s.movePaths(e, inside, r)
	})
	if err != nil {
		return nil, err
	}
	return r.shown(nil).json(), nil
}

// movePaths gives the resources below another one their new paths.
func (s *service) movePaths(e *document.Edit, inside map[string]*Resource, of *Resource) error {
	for _, r := range inside {
		if r.ParentId != of.Id {
			continue
		}
		if err := r.check(&e.Set); err != nil {
			return err
		}
		if err := e.Put(docResource+r.Id, r); err != nil {
			return err
		}
		if err := s.movePaths(e, inside, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) deleteResource(ctx context.Context, in *resourceInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		r, err := find[Resource](&e.Set, docResource+in.ResourceId, "Resource")
		if err != nil {
			return err
		}
		if r.ParentId == "" {
			return invalid("The root resource cannot be deleted")
		}
		inside, err := below(&e.Set, r.Id)
		if err != nil {
			return err
		}
		for id := range inside {
			e.Delete(docResource + id)
		}
		return nil
	})
}
