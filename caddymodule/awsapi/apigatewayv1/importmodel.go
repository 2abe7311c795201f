package apigatewayv1

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hearthfn/hearth/caddymodule/apigateway/openapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// importParts makes the models, the request validators and the gateway responses of a document.
// The validators are by their names.
func importParts(e *document.Edit, a *RestAPI, d *openapi.Document) (validators map[string]*RequestValidator, err error) {
	if err := importModels(e, a, d); err != nil {
		return nil, err
	}
	known, err := document.All[RequestValidator](&e.Set, docValidator)
	if err != nil {
		return nil, err
	}
	validators = make(map[string]*RequestValidator, len(d.Validators))
	for name, from := range d.Validators {
		v := &RequestValidator{Id: apigatewayv2.NewID(6)}
		if n := slices.IndexFunc(known, func(other *RequestValidator) bool { return other.Name == name }); n >= 0 {
			v = known[n]
		}
		v.Name, v.ValidateRequestBody, v.ValidateRequestParameters = name, from.Body, from.Parameters
		if err := v.check(); err != nil {
			return nil, err
		}
		if err := e.Put(docValidator+v.Id, v); err != nil {
			return nil, err
		}
		validators[name] = v
	}
	if len(e.Names(docValidator)) > maxValidators {
		return nil, &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of request validators for this API has been reached"}
	}
	for _, kind := range slices.Sorted(maps.Keys(d.Responses)) {
		from := d.Responses[kind]
		g := &GatewayResponse{ResponseType: kind, StatusCode: string(from.StatusCode), ResponseParameters: from.Parameters, ResponseTemplates: from.Templates}
		if err := g.check(); err != nil {
			return nil, err
		}
		if err := e.Put(docResponse+kind, g); err != nil {
			return nil, err
		}
	}
	return validators, nil
}

// importModels makes the models of the schemas of a document. Whether bodies can be checked by a
// model is asked when a method with a validator names it.
func importModels(e *document.Edit, a *RestAPI, d *openapi.Document) error {
	for _, name := range slices.Sorted(maps.Keys(d.Models)) {
		if builtin(name) != nil {
			continue
		}
		m := &Model{Id: apigatewayv2.NewID(6), Name: name, ContentType: "application/json"}
		if e.Has(docModel + name) {
			if err := e.Get(docModel+name, m); err != nil {
				return err
			}
		}
		var err error
		if m.Schema, err = d.Schema(name, a.Id); err != nil {
			return invalid("The schema %.100q: %v", name, err)
		}
		if err := m.check(); err != nil {
			return about("Unable to create model for '"+name+"'", err)
		}
		if err := e.Put(docModel+name, m); err != nil {
			return err
		}
	}
	if len(e.Names(docModel)) > maxModels {
		return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of models for this API has been reached"}
	}
	return nil
}

// exportParts adds the models, the request validators and the gateway responses of an API to a
// document. The names of the validators are by their IDs.
func (of *snapshot) exportParts(d *openapi.Document, f openapi.Format) (validators map[string]string, err error) {
	for _, m := range append(slices.Clip(of.Models), builtinModels...) {
		if err := d.SetSchema(m.Name, m.Schema, f); err != nil {
			return nil, err
		}
	}
	validators = make(map[string]string, len(of.Validators))
	for _, v := range of.Validators {
		if d.Validators == nil {
			d.Validators = make(map[string]openapi.Validator)
		}
		name := cmp.Or(v.Name, v.Id) // a document has them by their names
		d.Validators[name] = openapi.Validator{Body: v.ValidateRequestBody, Parameters: v.ValidateRequestParameters}
		validators[v.Id] = name
	}
	for _, g := range of.Responses {
		if d.Responses == nil {
			d.Responses = make(map[string]*openapi.GatewayResponse)
		}
		r := &openapi.GatewayResponse{Parameters: g.ResponseParameters, Templates: g.ResponseTemplates}
		r.SetStatus(g.StatusCode)
		d.Responses[g.ResponseType] = r
	}
	return validators, nil
}
