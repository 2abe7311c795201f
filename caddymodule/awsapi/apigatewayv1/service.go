package apigatewayv1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/state"
)

// service answers the operations.
type service struct{ apigatewayv2.Config }

// maxBody bounds a request, in bytes: AWS's limit of an import.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const maxBody = 6 << 20

// New makes the service. It has the configuration of the other API of API Gateway.
func New(c apigatewayv2.Config) *awsapi.Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &service{c}
	return &awsapi.Service{
		Model: newModel(), Operations: s.operations(), Unsupported: unsupported, Exception: exceptionOf, Invalid: badRequest,
		Violation: "ValidationException", MaxBody: maxBody,
	}
}

func (s *service) operations() map[string]awsapi.Operation {
	return map[string]awsapi.Operation{
		"CreateRestApi": awsapi.Answer(s.createRestAPI),
		"GetRestApi":    awsapi.Answer(s.getRestAPI),
		"GetRestApis":   awsapi.Answer(s.getRestAPIs),
		"UpdateRestApi": awsapi.Answer(s.updateRestAPI),
		"DeleteRestApi": awsapi.Answer(s.deleteRestAPI),

		"ImportRestApi": s.importRestAPI,
		"PutRestApi":    s.putRestAPI,
		"GetExport":     s.getExport,

		"CreateResource": awsapi.Answer(s.createResource),
		"GetResource":    awsapi.Answer(s.getResource),
		"GetResources":   awsapi.Answer(s.getResources),
		"UpdateResource": awsapi.Answer(s.updateResource),
		"DeleteResource": awsapi.Answer(s.deleteResource),

		"PutMethod":    awsapi.Answer(s.putMethod),
		"GetMethod":    awsapi.Answer(s.getMethod),
		"UpdateMethod": awsapi.Answer(s.updateMethod),
		"DeleteMethod": awsapi.Answer(s.deleteMethod),

		"PutMethodResponse":    awsapi.Answer(s.putMethodResponse),
		"GetMethodResponse":    awsapi.Answer(s.getMethodResponse),
		"UpdateMethodResponse": awsapi.Answer(s.updateMethodResponse),
		"DeleteMethodResponse": awsapi.Answer(s.deleteMethodResponse),

		"PutIntegration":    awsapi.Answer(s.putIntegration),
		"GetIntegration":    awsapi.Answer(s.getIntegration),
		"UpdateIntegration": awsapi.Answer(s.updateIntegration),
		"DeleteIntegration": awsapi.Answer(s.deleteIntegration),

		"PutIntegrationResponse":    awsapi.Answer(s.putIntegrationResponse),
		"GetIntegrationResponse":    awsapi.Answer(s.getIntegrationResponse),
		"UpdateIntegrationResponse": awsapi.Answer(s.updateIntegrationResponse),
		"DeleteIntegrationResponse": awsapi.Answer(s.deleteIntegrationResponse),

		"CreateAuthorizer": awsapi.Answer(s.createAuthorizer),
		"GetAuthorizer":    awsapi.Answer(s.getAuthorizer),
		"GetAuthorizers":   awsapi.Answer(s.getAuthorizers),
		"UpdateAuthorizer": awsapi.Answer(s.updateAuthorizer),
		"DeleteAuthorizer": awsapi.Answer(s.deleteAuthorizer),

		"CreateDeployment": awsapi.Answer(s.createDeployment),
		"GetDeployment":    awsapi.Answer(s.getDeployment),
		"GetDeployments":   awsapi.Answer(s.getDeployments),
		"UpdateDeployment": awsapi.Answer(s.updateDeployment),
		"DeleteDeployment": awsapi.Answer(s.deleteDeployment),

		"CreateStage": awsapi.Answer(s.createStage),
		"GetStage":    awsapi.Answer(s.getStage),
		"GetStages":   awsapi.Answer(s.getStages),
		"UpdateStage": awsapi.Answer(s.updateStage),
		"DeleteStage": awsapi.Answer(s.deleteStage),

		"CreateDomainName": awsapi.Answer(s.createDomain),
		"GetDomainName":    awsapi.Answer(s.getDomain),
		"GetDomainNames":   awsapi.Answer(s.getDomains),
		"UpdateDomainName": awsapi.Answer(s.updateDomain),
		"DeleteDomainName": awsapi.Answer(s.deleteDomain),

		"CreateBasePathMapping": awsapi.Answer(s.createBasePathMapping),
		"GetBasePathMapping":    awsapi.Answer(s.getBasePathMapping),
		"GetBasePathMappings":   awsapi.Answer(s.getBasePathMappings),
		"UpdateBasePathMapping": awsapi.Answer(s.updateBasePathMapping),
		"DeleteBasePathMapping": awsapi.Answer(s.deleteBasePathMapping),

		"CreateModel": awsapi.Answer(s.createModel),
		"GetModel":    awsapi.Answer(s.getModel),
		"GetModels":   awsapi.Answer(s.getModels),
		"UpdateModel": awsapi.Answer(s.updateModel),
		"DeleteModel": awsapi.Answer(s.deleteModel),

		"CreateRequestValidator": awsapi.Answer(s.createValidator),
		"GetRequestValidator":    awsapi.Answer(s.getValidator),
		"GetRequestValidators":   awsapi.Answer(s.getValidators),
		"UpdateRequestValidator": awsapi.Answer(s.updateValidator),
		"DeleteRequestValidator": awsapi.Answer(s.deleteValidator),

		"PutGatewayResponse":    awsapi.Answer(s.putResponse),
		"GetGatewayResponse":    awsapi.Answer(s.getResponse),
		"GetGatewayResponses":   awsapi.Answer(s.getResponses),
		"UpdateGatewayResponse": awsapi.Answer(s.updateResponse),
		"DeleteGatewayResponse": awsapi.Answer(s.deleteResponse),

		"CreateApiKey": awsapi.Answer(s.createKey),
		"GetApiKey":    awsapi.Answer(s.getKey),
		"GetApiKeys":   awsapi.Answer(s.getKeys),
		"UpdateApiKey": awsapi.Answer(s.updateKey),
		"DeleteApiKey": awsapi.Answer(s.deleteKey),

		"CreateUsagePlan": awsapi.Answer(s.createPlan),
		"GetUsagePlan":    awsapi.Answer(s.getPlan),
		"GetUsagePlans":   awsapi.Answer(s.getPlans),
		"UpdateUsagePlan": awsapi.Answer(s.updatePlan),
		"DeleteUsagePlan": awsapi.Answer(s.deletePlan),

		"CreateUsagePlanKey": awsapi.Answer(s.createPlanKey),
		"GetUsagePlanKey":    awsapi.Answer(s.getPlanKey),
		"GetUsagePlanKeys":   awsapi.Answer(s.getPlanKeys),
		"DeleteUsagePlanKey": awsapi.Answer(s.deletePlanKey),

		"GetTags":       awsapi.Answer(s.getTags),
		"TagResource":   awsapi.Answer(s.tagResource),
		"UntagResource": awsapi.Answer(s.untagResource),

		"GetAccount":    awsapi.Answer(s.getAccount),
		"UpdateAccount": awsapi.Answer(s.updateAccount),
	}
}

// unsupported says why an operation is not answered.
func unsupported(operation string) string {
	for _, reason := range []struct{ part, text string }{
		{"VpcLink", "there are no VPCs here"},
		{"AuthorizersCache", "answers of authorizers are kept for their TTL"},
		{"TestInvokeAuthorizer", "call a method at its address"},
		{"ImportApiKeys", "create the keys one by one"},
		{"ImportDocumentation", "documentation is not kept here"},
		{"Usage", "what a key has used is not told by day; 429 tells that the quota is used up"},
		{"AccessAssociation", "domain names are public here"},
		{"ModelTemplate", "no mapping templates are made here"},
		{"Documentation", "documentation is not kept here"},
		{"ClientCertificate", "Caddy has the certificates: see its transport's tls_client_auth"},
		{"Sdk", "no SDKs are made here"},
		{"TestInvoke", "call the method at its address"},
		{"Cache", "answers are not cached here"},
	} {
		if strings.Contains(operation, reason.part) {
			return reason.text
		}
	}
	return "this server does not have it yet"
}

// Names of AWS's exceptions.
const (
	badRequest = "BadRequestException"
	notFound   = "NotFoundException"
)

func invalid(format string, args ...any) error { return apigatewayv2.Invalid(format, args...) }

// missing is the exception for an identifier that names nothing.
func missing(what string, id ...string) error {
	if what == "Response status code" || what == "Usage Plan ID" { // recorded so
		return &awsapi.Exception{Name: notFound, Message: "Invalid " + what + " specified"}
	}
	return &awsapi.Exception{Name: notFound, Message: "Invalid " + what + " identifier specified" + strings.Join(id, "")}
}

func conflicts(format string, args ...any) error { return apigatewayv2.Conflicts(format, args...) }

func exceptionOf(err error) *awsapi.Exception {
	switch {
	case errors.Is(err, document.ErrTooLarge):
		return &awsapi.Exception{Name: "LimitExceededException", Message: "The API is larger than this server keeps: " + err.Error()}
	case errors.Is(err, state.ErrConflict):
		return &awsapi.Exception{Name: "TooManyRequestsException", Message: "Too Many Requests", Status: http.StatusTooManyRequests}
	}
	return nil
}

// now is in seconds since 1970, as AWS's answers have it.
func (s *service) now() int64 { return s.Now().Unix() }

// paging is how lists are asked for.
type paging struct {
	Position string
	Limit    *int
}

// A list is a page of a list.
type list[T any] struct {
	Item     []T    `json:"item"`
	Position string `json:"position,omitempty"`
}

// defaultPage and maxPage are AWS's default and most of a page.
const (
	defaultPage = 25
	maxPage     = 500
)

func pageOf[T any](items []T, key func(T) string, in paging) (*list[T], error) {
	limit := defaultPage
	if in.Limit != nil {
		if limit = *in.Limit; limit < 1 {
			return nil, invalid("Invalid limit %d: 1 to %d are possible", limit, maxPage)
		}
		limit = min(limit, maxPage)
	}
	out := &list[T]{Item: []T{}}
	page, next := awsapi.Page(items, key, in.Position, limit)
	out.Item, out.Position = append(out.Item, page...), next
	return out, nil
}

// Names of documents.
const (
	docRestAPI    = "restapi"
	docResource   = "resource/"
	docStage      = "stage/"
	docDeployment = "deployment/"
	docSnapshot   = "snapshot/"
)

// missingAPI is the exception for an ID that is no REST API's.
func (s *service) missingAPI(id string) error {
	return missing("API", fmt.Sprintf(" %s:%.64s", s.Account.ID, id))
}

// read reads the documents of an API.
func (s *service) read(ctx context.Context, id string) (*document.Set, error) {
	if !apigatewayv2.ValidID(id) {
		return nil, s.missingAPI(id)
	}
	set, err := s.Store.Read(ctx, apigatewayv2.Owner(id))
	if err == nil && !set.Has(docRestAPI) {
		err = s.missingAPI(id)
	}
	return set, err
}

// change changes an API.
func (s *service) change(ctx context.Context, id string, decide func(e *document.Edit) error) error {
	if !apigatewayv2.ValidID(id) {
		return s.missingAPI(id)
	}
	defer s.APIs.Changed(id) // even a change that failed may have been kept
	return s.Store.Change(ctx, apigatewayv2.Owner(id), func(e *document.Edit) error {
		if !e.Has(docRestAPI) {
			return s.missingAPI(id)
		}
		return decide(e)
	})
}

func find[T any](set *document.Set, name, what string) (*T, error) {
	out := new(T)
	err := set.Get(name, out)
	if errors.Is(err, document.ErrNotFound) {
		err = missing(what)
	}
	return out, err
}

// all reads all documents of a kind that an API has.
func all[T any](ctx context.Context, s *service, apiID, prefix string, key func(*T) string, in paging) (*list[*T], error) {
	set, err := s.read(ctx, apiID)
	if err != nil {
		return nil, err
	}
	items, err := document.All[T](set, prefix)
	if err != nil {
		return nil, err
	}
	return pageOf(items, key, in)
}
