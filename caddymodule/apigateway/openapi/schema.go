package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Validator says what of a request is checked.
type Validator struct {
	Body       bool `json:"validateRequestBody"`
	Parameters bool `json:"validateRequestParameters"`
}

// A GatewayResponse is what clients get for an error that nothing but the gateway answers.
type GatewayResponse struct {
	StatusCode text              `json:"statusCode,omitempty"`
	Parameters map[string]string `json:"responseParameters,omitempty"`
	Templates  map[string]string `json:"responseTemplates,omitempty"`
}

// SetStatus sets the status of the response. "": it is that of the error.
func (r *GatewayResponse) SetStatus(code string) { r.StatusCode = text(code) }

// Places of schemas in documents of the two kinds.
const (
	definitions = "#/definitions/"
	schemas     = "#/components/schemas/"
)

// ModelAddress begins the address of a model of an API, as schemas name it. The ID of the API and
// "/models/NAME" follow.
const ModelAddress = "https://apigateway.amazonaws.com/restapis/"

// RESTOnly is what the document has that only REST APIs have, as the begin of a sentence; "":
// nothing.
func (d *Document) RESTOnly() string {
	switch {
	case len(d.Validators) > 0:
		return extension + "request-validators is"
	case len(d.Responses) > 0:
		return extension + "gateway-responses is"
	}
	for n := range d.Operations {
		if d.Operations[n].Validator != "" {
			return extension + "request-validator is"
		}
	}
	return ""
}

// schema is the name of the model that a schema leads to. One that is written where it is used
// becomes a model.
func (f *file) schema(data json.RawMessage) (name string, err error) {
	var of struct {
		Ref string `json:"$ref"`
	}
	if len(data) == 0 || json.Unmarshal(data, &of) != nil {
		return "", errors.New("a schema is no object")
	}
	if of.Ref != "" {
		for _, place := range []string{definitions, schemas} {
			if name, found := strings.CutPrefix(of.Ref, place); found && f.models[name] != nil {
				return name, nil
			}
		}
		return "", fmt.Errorf("the $ref %.200q names no schema of the document", of.Ref)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return "", err
	}
	sum := sha256.Sum256(compact.Bytes())
	name = "MODEL" + hex.EncodeToString(sum[:4])
	f.models[name] = data
	return name, nil
}

// media are the contents of a request or a response, by type.
type media map[string]struct{ Schema json.RawMessage }

// requestModels are the models of the bodies of an operation, by content type.
func (f *file) requestModels(from *operation, common []parameter) (map[string]string, error) {
	models := make(map[string]string)
	if len(from.RequestBody) > 0 {
		body, err := f.shared(from.RequestBody, "requestBodies")
		if err != nil {
			return nil, fmt.Errorf("requestBody: %w", err)
		}
		var of struct{ Content media }
		if err := json.Unmarshal(body, &of); err != nil {
			return nil, fmt.Errorf("requestBody: %w", err)
		}
		for _, kind := range slices.Sorted(maps.Keys(of.Content)) {
			if len(of.Content[kind].Schema) == 0 {
				continue
			}
			if models[kind], err = f.schema(of.Content[kind].Schema); err != nil {
				return nil, fmt.Errorf("requestBody: %w", err)
			}
		}
	}
	for _, p := range append(slices.Clip(common), from.Parameters...) {
		if p.In != "body" || len(p.Schema) == 0 {
			continue
		}
		name, err := f.schema(p.Schema)
		if err != nil {
			return nil, fmt.Errorf("parameter %.100q: %w", p.Name, err)
		}
		for _, kind := range f.consumed(from) {
			models[kind] = name
		}
	}
	if len(models) == 0 {
		return nil, nil
	}
	return models, nil
}

// consumed are the content types of the bodies of an operation of Swagger 2.
func (f *file) consumed(from *operation) []string {
	for _, kinds := range [][]string{from.Consumes, f.Consumes} {
		if len(kinds) > 0 {
			return kinds
		}
	}
	return []string{"application/json"}
}

// responseModels are the models of a response of an operation, by content type. They only
// describe: one that leads nowhere is left out.
func (f *file) responseModels(from *operation, schema json.RawMessage, content media) map[string]string {
	models := make(map[string]string)
	add := func(kind string, data json.RawMessage) {
		var of struct {
			Ref string `json:"$ref"`
		}
		if len(data) == 0 || json.Unmarshal(data, &of) != nil || of.Ref == "" {
			return
		}
		if name, err := f.schema(data); err == nil {
			models[kind] = name
		}
	}
	for kind, of := range content {
		add(kind, of.Schema)
	}
	kinds := from.Produces
	if len(kinds) == 0 {
		kinds = f.Produces
	}
	if len(kinds) == 0 {
		kinds = []string{"application/json"}
	}
	for _, kind := range kinds {
		add(kind, schema)
	}
	if len(models) == 0 {
		return nil
	}
	return models
}

// shared resolves a $ref to a part of components, or, of Swagger 2, of the document.
func (f *file) shared(data json.RawMessage, kind string) (json.RawMessage, error) {
	var of struct {
		Ref string `json:"$ref"`
	}
	if err := json.Unmarshal(data, &of); err != nil || of.Ref == "" {
		return data, err
	}
	for place, all := range map[string]map[string]json.RawMessage{
		"#/components/requestBodies/": f.Components.RequestBodies, "#/components/parameters/": f.Components.Parameters, "#/parameters/": f.Parameters,
	} {
		name, found := strings.CutPrefix(of.Ref, place)
		if found && strings.HasSuffix(place, kind+"/") && all[name] != nil {
			return all[name], nil
		}
	}
	return nil, fmt.Errorf("the $ref %.200q names nothing of the document", of.Ref)
}

// Schema is the text of a model, whose references to other schemas of the document lead to the
// models of an API.
func (d *Document) Schema(name, apiID string) (string, error) {
	return rewrite(d.Models[name], func(ref string) string {
		for _, place := range []string{definitions, schemas} {
			if name, found := strings.CutPrefix(ref, place); found {
				name, below, _ := strings.Cut(name, "/")
				if ref = ModelAddress + apiID + "/models/" + name; below != "" {
					ref += "#/" + below
				}
			}
		}
		return ref
	})
}

// SetSchema takes over a model of an API, whose references to other models lead to schemas of the
// document. It undoes Schema.
func (d *Document) SetSchema(name, text string, f Format) error {
	place := schemas
	if f.Swagger2 {
		place = definitions
	}
	text, err := rewrite(json.RawMessage(text), func(ref string) string {
		_, name, found := strings.Cut(ref, "/models/")
		if !found || !strings.HasPrefix(ref, ModelAddress) {
			return ref
		}
		name, below, _ := strings.Cut(name, "#")
		return place + name + below
	})
	if d.Models == nil {
		d.Models = make(map[string]json.RawMessage)
	}
	d.Models[name] = json.RawMessage(text)
	return err
}

// rewrite replaces each $ref of a schema.
func rewrite(schema json.RawMessage, replace func(ref string) string) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(schema))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, v := range value {
				if ref, ok := v.(string); ok && name == "$ref" {
					value[name] = replace(ref)
				}
				walk(v)
			}
		case []any:
			for _, v := range value {
				walk(v)
			}
		}
	}
	walk(value)
	text, err := json.Marshal(value)
	return string(text), err
}
