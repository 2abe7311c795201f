package apigatewayv1

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/schema"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Model is a schema that methods name. Each API has two that nobody made.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Model.html
type Model struct {
	ContentType string `json:"contentType"`
	Description string `json:"description,omitempty"`
	Id          string `json:"id"`
	Name        string `json:"name"`
	Schema      string `json:"schema"`
}

var builtinModels = []*Model{
	{"application/json", "This is a default empty schema model", "empty", "Empty",
		`{"$schema":"http://json-schema.org/draft-04/schema#","title":"Empty Schema","type":"object"}`},
	{"application/json", "This is a default error schema model", "error", "Error",
		`{"$schema":"http://json-schema.org/draft-04/schema#","title":"Error Schema","type":"object","properties":{"message":{"type":"string"}}}`},
}

func builtin(name string) *Model {
	if n := slices.IndexFunc(builtinModels, func(m *Model) bool { return m.Name == name }); n >= 0 {
		return builtinModels[n]
	}
	return nil
}

// docModel begins the names of documents of models, by their names.
const docModel = "model/"

// maxModels is AWS's quota of an API.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const maxModels = 60

type modelInput struct {
	patches
	paging
	Model
	RestApiId, ModelName string
	Flatten              bool
}

func noModel(name string) error {
	return &awsapi.Exception{Name: notFound, Message: fmt.Sprintf("Invalid model name specified: %.100s", name)}
}

// check checks a model by itself.
func (m *Model) check() error {
	switch {
	case strings.TrimSpace(m.Name) == "":
		return invalid("Model name must be non-empty")
	case strings.ContainsFunc(m.Name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }):
		return invalid("Model name must be alphanumeric: %.100s", m.Name)
	case len(m.Name) > 128 || len(m.Description) > 1024:
		return invalid("The name of a model has 128 characters at most, its description 1024")
	case strings.TrimSpace(m.Schema) == "":
		return invalid("Model schema must have at least 1 property or array items defined")
	case len(m.Schema) > schema.MaxSize:
		return invalid("The schema of a model has %d bytes at most", schema.MaxSize)
	case !isJSONType(m.ContentType):
		return invalid("contentType %.100q is not supported: models are JSON schemas, of application/json or another type of JSON", m.ContentType)
	}
	return nil
}

func isJSONType(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	return kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// modelText finds the schema of a model of an API.
func modelText(set *document.Set) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		m := new(Model)
		if set.Has(docModel+name) && set.Get(docModel+name, m) == nil {
			return m.Schema, true
		}
		if m = builtin(name); m != nil {
			return m.Schema, true
		}
		return "", false
	}
}

// readable checks that bodies can be checked by a model of an API.
func readable(set *document.Set, name string) error {
	if _, err := schema.Read(name, modelText(set)); err != nil {
		return invalid("Invalid model specified: Validation Result: warnings : [], errors : [%v]", err)
	}
	return nil
}

func (s *service) createModel(ctx context.Context, in *modelInput) (*Model, error) {
	m := &in.Model
	return m, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if err := m.check(); err != nil {
			return err
		}
		switch {
		case e.Has(docModel+m.Name) || builtin(m.Name) != nil:
			return conflicts("Model name already exists for this REST API")
		case len(e.Names(docModel)) >= maxModels:
			return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of models for this API has been reached"}
		}
		m.Id = apigatewayv2.NewID(6)
		if err := e.Put(docModel+m.Name, m); err != nil {
			return err
		}
		return readable(&e.Set, m.Name)
	})
}

func (s *service) getModel(ctx context.Context, in *modelInput) (*Model, error) {
	set, err := s.read(ctx, in.RestApiId)
	switch {
	case isMissing(err):
		return nil, noModel(in.ModelName)
	case err != nil:
		return nil, err
	case in.Flatten:
		return nil, invalid("flatten is not supported: read the models that a $ref leads to")
	case set.Has(docModel + in.ModelName):
		return find[Model](set, docModel+in.ModelName, "Model")
	case builtin(in.ModelName) == nil:
		return nil, noModel(in.ModelName)
	}
	return builtin(in.ModelName), nil
}

func (s *service) getModels(ctx context.Context, in *modelInput) (*list[*Model], error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	models, err := document.All[Model](set, docModel)
	if err != nil {
		return nil, err
	}
	models = append(models, builtinModels...)
	slices.SortFunc(models, func(a, b *Model) int { return strings.Compare(a.Name, b.Name) })
	return pageOf(models, func(m *Model) string { return m.Name }, in.paging)
}

// changeModel changes a model that somebody made.
func (s *service) changeModel(ctx context.Context, in *modelInput, decide func(e *document.Edit, m *Model) error) error {
	err := s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		m := new(Model)
		switch {
		case e.Has(docModel + in.ModelName):
			if err := e.Get(docModel+in.ModelName, m); err != nil {
				return err
			}
		case builtin(in.ModelName) != nil:
			return invalid("The model %s is the same in all APIs here", in.ModelName)
		default:
			return noModel(in.ModelName)
		}
		return decide(e, m)
	})
	if err != nil && err.Error() == s.missingAPI(in.RestApiId).Error() {
		return noModel(in.ModelName)
	}
	return err
}

func (s *service) updateModel(ctx context.Context, in *modelInput) (out *Model, err error) {
	err = s.changeModel(ctx, in, func(e *document.Edit, m *Model) error {
		out = m
		can := fields{exact: map[string]field{"/description": text(&m.Description), "/schema": text(&m.Schema)}, onlyReplace: true}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		if err := m.check(); err != nil {
			return err
		}
		if err := e.Put(docModel+m.Name, m); err != nil {
			return err
		}
		return s.allReadable(e, m.Name)
	})
	return out, err
}

// allReadable checks a model, and those that may refer to it.
func (s *service) allReadable(e *document.Edit, changed string) error {
	if err := readable(&e.Set, changed); err != nil {
		return err
	}
	models, err := document.All[Model](&e.Set, docModel)
	if err != nil {
		return err
	}
	for _, m := range models {
		if strings.Contains(m.Schema, "/models/"+changed) {
			if err := readable(&e.Set, m.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *service) deleteModel(ctx context.Context, in *modelInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeModel(ctx, in, func(e *document.Edit, m *Model) error {
		by, err := referrer(&e.Set, m.Name)
		if err != nil {
			return err
		}
		if by != "" {
			return conflicts("Cannot delete model '%s', is referenced in %s", m.Name, by)
		}
		e.Delete(docModel + m.Name)
		return nil
	})
}

// referrer is what names a model; "": nothing does.
func referrer(set *document.Set, name string) (string, error) {
	resources, err := document.All[Resource](set, docResource)
	if err != nil {
		return "", err
	}
	slices.SortFunc(resources, func(a, b *Resource) int { return strings.Compare(a.Path, b.Path) })
	names := func(models map[string]string) bool {
		return slices.Contains(slices.Collect(maps.Values(models)), name)
	}
	slices.Reverse(resources) // recorded: AWS names the resource that is deepest
	for _, r := range resources {
		for _, method := range slices.Sorted(maps.Keys(r.ResourceMethods)) {
			m := r.ResourceMethods[method]
			if names(m.RequestModels) {
				return "method request: " + r.Path + "/" + method, nil
			}
			for status, response := range m.MethodResponses {
				if names(response.ResponseModels) {
					return "method response: " + r.Path + "/" + method + "/" + status, nil
				}
			}
		}
	}
	models, err := document.All[Model](set, docModel)
	if err != nil {
		return "", err
	}
	for _, m := range models {
		if m.Name != name && strings.Contains(m.Schema, "/models/"+name+`"`) {
			return "model: " + m.Name, nil
		}
	}
	return "", nil
}

// checkModels checks that methods name models that there are.
func checkModels(set *document.Set, models map[string]string) error {
	for _, name := range models {
		if builtin(name) == nil && !set.Has(docModel+name) {
			return invalid("Invalid model identifier specified: %.100s", name)
		}
	}
	return nil
}
