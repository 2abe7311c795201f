package apigatewayv1

import (
	"context"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A RequestValidator says what of a request is checked, of the methods that name it.
// https://docs.aws.amazon.com/apigateway/latest/api/API_RequestValidator.html
type RequestValidator struct {
	Id                        string `json:"id"`
	Name                      string `json:"name,omitempty"`
	ValidateRequestBody       bool   `json:"validateRequestBody"`
	ValidateRequestParameters bool   `json:"validateRequestParameters"`
}

// docValidator begins the names of documents of request validators, by their IDs.
const docValidator = "validator/"

// maxValidators bounds those of an API. AWS has no quota of its own for them.
const maxValidators = 100

const whatValidator = "Request Validator"

type validatorInput struct {
	patches
	paging
	RequestValidator
	RestApiId, RequestValidatorId string
}

// check takes a validator without a name: the CDK gives none. A name cannot be taken away,
// as recorded from AWS.
func (v *RequestValidator) check() error {
	if len(v.Name) > 1024 {
		return invalid("The name of a request validator has 1024 characters at most")
	}
	return nil
}

// named is the name as a field that is not blank.
func (v *RequestValidator) named(value string, _ bool) error {
	if strings.TrimSpace(value) == "" {
		return invalid("Request Validator name cannot be blank")
	}
	v.Name = value
	return nil
}

// validatorOf is an error of a request validator. As on AWS, one of an API that is not there is
// not there itself.
func (s *service) validatorOf(apiID string, err error) error {
	if err != nil && err.Error() == s.missingAPI(apiID).Error() {
		return missing(whatValidator)
	}
	return err
}

func (s *service) createValidator(ctx context.Context, in *validatorInput) (*RequestValidator, error) {
	v := &in.RequestValidator
	err := s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if len(e.Names(docValidator)) >= maxValidators {
			return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of request validators for this API has been reached"}
		}
		v.Id = awsapi.ChosenID(ctx, apigatewayv2.NewID(6))
		if err := v.check(); err != nil {
			return err
		}
		return e.Put(docValidator+v.Id, v)
	})
	if err != nil && err.Error() == s.missingAPI(in.RestApiId).Error() {
		err = invalid("Invalid REST API identifier specified")
	}
	return v, err
}

func (s *service) getValidator(ctx context.Context, in *validatorInput) (*RequestValidator, error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, s.validatorOf(in.RestApiId, err)
	}
	return find[RequestValidator](set, docValidator+in.RequestValidatorId, whatValidator)
}

func (s *service) getValidators(ctx context.Context, in *validatorInput) (*list[*RequestValidator], error) {
	return all(ctx, s, in.RestApiId, docValidator, func(v *RequestValidator) string { return v.Id }, in.paging)
}

func (s *service) updateValidator(ctx context.Context, in *validatorInput) (v *RequestValidator, err error) {
	err = s.change(ctx, in.RestApiId, func(e *document.Edit) (err error) {
		if v, err = find[RequestValidator](&e.Set, docValidator+in.RequestValidatorId, whatValidator); err != nil {
			return err
		}
		can := fields{
			exact: map[string]field{
				"/name":                v.named,
				"/validateRequestBody": orFalse(&v.ValidateRequestBody), "/validateRequestParameters": orFalse(&v.ValidateRequestParameters),
			},
			onlyReplace: true, order: []string{"/name", "/validateRequestParameters", "/validateRequestBody"},
		}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		if err := v.check(); err != nil {
			return err
		}
		return e.Put(docValidator+v.Id, v)
	})
	return v, s.validatorOf(in.RestApiId, err)
}

// orFalse is a field of true or false. Recorded from request validators: no value is false.
func orFalse(to *bool) field {
	return func(value string, _ bool) error {
		*to = strings.EqualFold(value, "true")
		if !*to && value != "" && !strings.EqualFold(value, "false") {
			return invalid("Invalid value '%.20s': true or false is expected", value)
		}
		return nil
	}
}

func (s *service) deleteValidator(ctx context.Context, in *validatorInput) (awsapi.None, error) {
	err := s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		v, err := find[RequestValidator](&e.Set, docValidator+in.RequestValidatorId, whatValidator)
		if err != nil {
			return err
		}
		resources, err := document.All[Resource](&e.Set, docResource)
		if err != nil {
			return err
		}
		for _, r := range resources {
			for method, m := range r.ResourceMethods {
				if m.RequestValidatorId == v.Id {
					return conflicts("Cannot delete request validator '%s', is referenced in method request: %s/%s", v.Name, r.Path, method)
				}
			}
		}
		e.Delete(docValidator + v.Id)
		return nil
	})
	return awsapi.None{}, s.validatorOf(in.RestApiId, err)
}

// checkValidator checks the validator of a method, and that bodies can be checked by its models.
func (m *Method) checkValidator(set *document.Set) error {
	if m.RequestValidatorId == "" {
		return nil
	}
	if !set.Has(docValidator + m.RequestValidatorId) {
		return invalid("Invalid Request Validator identifier specified")
	}
	for _, name := range m.RequestModels {
		if err := readable(set, name); err != nil {
			return err
		}
	}
	return nil
}

// validation is what the data plane checks of the requests of a method.
func (m *Method) validation(validators []*RequestValidator) *gateway.Validation {
	n := slices.IndexFunc(validators, func(v *RequestValidator) bool { return v.Id == m.RequestValidatorId })
	if n < 0 {
		return nil
	}
	v := new(gateway.Validation)
	if validators[n].ValidateRequestBody {
		v.Models = m.RequestModels
	}
	for full, required := range m.RequestParameters {
		if required && validators[n].ValidateRequestParameters {
			name := strings.TrimPrefix(full, "method.request.")
			v.Parameters = append(v.Parameters, strings.TrimPrefix(name, "multivalue"))
		}
	}
	slices.Sort(v.Parameters)
	return v
}
