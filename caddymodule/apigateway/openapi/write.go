package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Format says how a document is written.
type Format struct {
	Swagger2 bool
	YAML     bool
	// Plain leaves the extensions of API Gateway out, with which a document can be imported.
	Plain bool
}

// Encode writes a document, which Parse reads again.
func (d *Document) Encode(f Format) ([]byte, error) {
	info := map[string]any{"title": d.Title, "version": d.Version}
	if d.Description != "" {
		info["description"] = d.Description
	}
	paths := make(map[string]map[string]any)
	for n := range d.Operations {
		o := &d.Operations[n]
		path := o.Path
		if path == "$default" {
			path = "/$default"
		}
		if paths[path] == nil {
			paths[path] = make(map[string]any)
		}
		for name, method := range methods {
			if method == o.Method {
				paths[path][name] = o.encode(f)
			}
		}
	}
	schemes := make(map[string]*Scheme, len(d.Schemes))
	for name, s := range d.Schemes {
		schemes[name] = s
		if f.Plain {
			schemes[name] = &Scheme{Type: s.Type, Name: s.Name, In: s.In}
		}
	}
	out := map[string]any{"info": info, "paths": paths}
	if f.Swagger2 {
		out["swagger"] = "2.0"
		if len(schemes) > 0 {
			out["securityDefinitions"] = schemes
		}
		if len(d.Models) > 0 {
			out["definitions"] = d.Models
		}
	} else {
		out["openapi"] = "3.0.1"
		components := make(map[string]any)
		if len(schemes) > 0 {
			components["securitySchemes"] = schemes
		}
		if len(d.Models) > 0 {
			components["schemas"] = d.Models
		}
		if len(components) > 0 {
			out["components"] = components
		}
	}
	if !f.Plain {
		if d.Cors != nil {
			out[extension+"cors"] = d.Cors
		}
		if len(d.BinaryTypes) > 0 {
			out[extension+"binary-media-types"] = d.BinaryTypes
		}
		if len(d.Validators) > 0 {
			out[extension+"request-validators"] = d.Validators
		}
		if len(d.Responses) > 0 {
			out[extension+"gateway-responses"] = d.Responses
		}
		out[extension+"importexport-version"] = "1.0"
	}
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil || !f.YAML {
		return data, err
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		return nil, err
	}
	return yaml.Marshal(plain)
}

func (o *Operation) encode(f Format) map[string]any {
	out := make(map[string]any)
	if o.OperationID != "" {
		out["operationId"] = o.OperationID
	}
	if len(o.Security) > 0 {
		out["security"] = o.Security
	}
	places := map[string]string{"path": "path", "querystring": "query", "header": "header"}
	var parameters []map[string]any
	for _, full := range slices.Sorted(maps.Keys(o.Parameters)) {
		place, name, _ := strings.Cut(strings.TrimPrefix(full, "method.request."), ".")
		if places[place] == "" {
			continue // of several values, which documents do not have
		}
		p := map[string]any{"name": name, "in": places[place], "required": o.Parameters[full] || place == "path"}
		if f.Swagger2 {
			p["type"] = "string"
		} else {
			p["schema"] = map[string]any{"type": "string"}
		}
		parameters = append(parameters, p)
	}
	parameters = append(parameters, o.bodies(out, f)...)
	if len(parameters) > 0 {
		out["parameters"] = parameters
	}
	responses := make(map[string]any)
	for status, names := range o.Responses {
		r := map[string]any{"description": status + " response"}
		headers := make(map[string]any, len(names))
		for _, name := range names {
			if headers[name] = map[string]any{"schema": map[string]any{"type": "string"}}; f.Swagger2 {
				headers[name] = map[string]any{"type": "string"}
			}
		}
		if len(headers) > 0 {
			r["headers"] = headers
		}
		o.responseBodies(out, r, status, f)
		responses[status] = r
	}
	if len(responses) == 0 {
		responses["default"] = map[string]any{"description": fmt.Sprintf("Default response for %s %s", o.Method, o.Path)}
	}
	out["responses"] = responses
	if f.Plain {
		return out
	}
	if o.AuthType != "" {
		out[extension+"auth"] = map[string]any{"type": o.AuthType}
	}
	if o.Validator != "" {
		out[extension+"request-validator"] = o.Validator
	}
	if o.Integration != nil {
		out[extension+"integration"] = o.Integration
	}
	return out
}

// reference is a schema that names a model.
func reference(name string, f Format) map[string]any {
	if f.Swagger2 {
		return map[string]any{"$ref": definitions + name}
	}
	return map[string]any{"$ref": schemas + name}
}

// bodies writes the models of requests: into the operation, or, in Swagger 2, as a parameter, which
// is of one model.
func (o *Operation) bodies(out map[string]any, f Format) []map[string]any {
	if len(o.Models) == 0 {
		return nil
	}
	kinds := slices.Sorted(maps.Keys(o.Models))
	if f.Swagger2 {
		out["consumes"] = kinds
		name := o.Models[kinds[0]]
		return []map[string]any{{"in": "body", "name": name, "required": true, "schema": reference(name, f)}}
	}
	content := make(map[string]any, len(kinds))
	for _, kind := range kinds {
		content[kind] = map[string]any{"schema": reference(o.Models[kind], f)}
	}
	out["requestBody"] = map[string]any{"content": content, "required": true}
	return nil
}

// responseBodies writes the models of a response.
func (o *Operation) responseBodies(out, response map[string]any, status string, f Format) {
	content := make(map[string]any)
	for _, kind := range slices.Sorted(maps.Keys(o.ResponseModels[status])) {
		of := reference(o.ResponseModels[status][kind], f)
		if f.Swagger2 {
			response["schema"] = of
			out["produces"] = []string{kind}
			return
		}
		content[kind] = map[string]any{"schema": of}
	}
	if len(content) > 0 {
		response["content"] = content
	}
}
