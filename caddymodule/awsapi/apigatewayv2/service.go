package apigatewayv2

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/caddymodule/awsapi/domain"
	"github.com/hearthfn/hearth/caddymodule/awsapi/usage"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Config of an API.
type Config struct {
	Store   *document.Store
	APIs    *APIs // are told of what changes
	Account function.Account
	// Domains are the custom domain names.
	Domains *domain.Domains
	// Plans are the usage plans with their API keys.
	Plans *usage.Plans
	// Ignore are settings that are kept although nothing acts on them; of these APIs it is
	// certificate_arn.
	Ignore []string
	// Endpoint is the address of an API by its ID, without a slash at the end. "" says that
	// this server has no addresses for APIs.
	Endpoint func(id string) string
	Now      func() time.Time // default time.Now
}

// service answers the operations.
type service struct{ Config }

// maxBody is AWS's limit of an import, in bytes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const maxBody = 6 << 20

// New makes the service.
func New(c Config) *awsapi.Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &service{c}
	return &awsapi.Service{
		Model: newModel(), Operations: s.operations(), Unsupported: unsupported, Exception: exceptionOf, Invalid: badRequest, MaxBody: maxBody,
	}
}

func (s *service) operations() map[string]awsapi.Operation {
	return map[string]awsapi.Operation{
		"CreateApi": awsapi.Answer(s.createAPI),
		"GetApi":    awsapi.Answer(s.getAPI),
		"GetApis":   awsapi.Answer(s.getAPIs),
		"UpdateApi": s.updateAPI,
		"DeleteApi": awsapi.Answer(s.deleteAPI),

		"ImportApi":   awsapi.Answer(s.importAPI),
		"ReimportApi": awsapi.Answer(s.reimportAPI),
		"ExportApi":   awsapi.Answer(s.exportAPI),

		"DeleteCorsConfiguration": awsapi.Answer(s.deleteCors),

		"CreateRoute":                 awsapi.Answer(s.createRoute),
		"GetRoute":                    awsapi.Answer(s.getRoute),
		"GetRoutes":                   awsapi.Answer(s.getRoutes),
		"UpdateRoute":                 s.updateRoute,
		"DeleteRoute":                 awsapi.Answer(s.deleteRoute),
		"DeleteRouteRequestParameter": awsapi.Answer(s.deleteRouteRequestParameter),

		"CreateRouteResponse": awsapi.Answer(s.createRouteResponse),
		"GetRouteResponse":    awsapi.Answer(s.getRouteResponse),
		"GetRouteResponses":   awsapi.Answer(s.getRouteResponses),
		"UpdateRouteResponse": s.updateRouteResponse,
		"DeleteRouteResponse": awsapi.Answer(s.deleteRouteResponse),

		"CreateIntegration": awsapi.Answer(s.createIntegration),
		"GetIntegration":    awsapi.Answer(s.getIntegration),
		"GetIntegrations":   awsapi.Answer(s.getIntegrations),
		"UpdateIntegration": s.updateIntegration,
		"DeleteIntegration": awsapi.Answer(s.deleteIntegration),

		"CreateAuthorizer": awsapi.Answer(s.createAuthorizer),
		"GetAuthorizer":    awsapi.Answer(s.getAuthorizer),
		"GetAuthorizers":   awsapi.Answer(s.getAuthorizers),
		"UpdateAuthorizer": s.updateAuthorizer,
		"DeleteAuthorizer": awsapi.Answer(s.deleteAuthorizer),

		"ResetAuthorizersCache": awsapi.Answer(s.resetAuthorizersCache),

		"CreateStage":             awsapi.Answer(s.createStage),
		"GetStage":                awsapi.Answer(s.getStage),
		"GetStages":               awsapi.Answer(s.getStages),
		"UpdateStage":             s.updateStage,
		"DeleteStage":             awsapi.Answer(s.deleteStage),
		"DeleteRouteSettings":     awsapi.Answer(s.deleteRouteSettings),
		"DeleteAccessLogSettings": awsapi.Answer(s.deleteAccessLogSettings),

		"CreateDeployment": awsapi.Answer(s.createDeployment),
		"GetDeployment":    awsapi.Answer(s.getDeployment),
		"GetDeployments":   awsapi.Answer(s.getDeployments),
		"UpdateDeployment": s.updateDeployment,
		"DeleteDeployment": awsapi.Answer(s.deleteDeployment),

		"CreateDomainName": awsapi.Answer(s.createDomain),
		"GetDomainName":    awsapi.Answer(s.getDomain),
		"GetDomainNames":   awsapi.Answer(s.getDomains),
		"UpdateDomainName": awsapi.Answer(s.updateDomain),
		"DeleteDomainName": awsapi.Answer(s.deleteDomain),

		"CreateApiMapping": awsapi.Answer(s.createMapping),
		"GetApiMapping":    awsapi.Answer(s.getMapping),
		"GetApiMappings":   awsapi.Answer(s.getMappings),
		"UpdateApiMapping": awsapi.Answer(s.updateMapping),
		"DeleteApiMapping": awsapi.Answer(s.deleteMapping),

		"GetTags":       awsapi.Answer(s.getTags),
		"TagResource":   awsapi.Answer(s.tagResource),
		"UntagResource": awsapi.Answer(s.untagResource),
	}
}

// unsupported says why an operation is not answered.
func unsupported(operation string) string {
	for _, reason := range []struct{ part, text string }{
		{"Portal", "there are no portals here"},
		{"Product", "there are no portals here"},
		{"VpcLink", "there are no VPCs here"},
		{"RoutingRule", "there are no routing rules here, only API mappings"},
		{"RouteResponseRequestParameter", "messages have no parameters"},
		{"Response", "the answers of functions are not mapped"},
		{"Model", "only WebSocket APIs have models, and this server does not validate messages"},
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
	conflict   = "ConflictException"
)

func invalid(format string, args ...any) error {
	return &awsapi.Exception{Name: badRequest, Message: fmt.Sprintf(format, args...)}
}

// missing is the exception for an identifier that names nothing.
func missing(what, id string) error {
	return &awsapi.Exception{Name: notFound, Message: "Invalid " + what + " identifier specified " + id}
}

func conflicts(format string, args ...any) error {
	return &awsapi.Exception{Name: conflict, Message: fmt.Sprintf(format, args...)}
}

func exceptionOf(err error) *awsapi.Exception {
	switch {
	case errors.Is(err, document.ErrTooLarge):
		return &awsapi.Exception{Name: badRequest, Message: "The API is larger than this server keeps: " + err.Error()}
	case errors.Is(err, state.ErrConflict):
		return &awsapi.Exception{Name: "TooManyRequestsException", Message: "Too Many Requests", Status: http.StatusTooManyRequests}
	}
	return nil
}

// newID is n random letters and digits, as AWS's identifiers are.
func newID(n int) string {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// now is to the second, as AWS has it.
func (s *service) now() time.Time { return s.Now().UTC().Truncate(time.Second) }

// maxPage is AWS's default and most of a page.
const maxPage = 500

// paging is how lists are asked for.
type paging struct{ MaxResults, NextToken string }

// A list is a page of a list.
type list[T any] struct {
	Items     []T    `json:"items"`
	NextToken string `json:"nextToken,omitempty"`
}

func pageOf[T any](items []T, key func(T) string, in paging) (*list[T], error) {
	limit := maxPage
	if in.MaxResults != "" {
		n, err := strconv.Atoi(in.MaxResults)
		if err != nil || n < 1 {
			return nil, invalid("Invalid maxResults %.20q: a whole number from 1 is expected", in.MaxResults)
		}
		limit = min(n, maxPage)
	}
	out := &list[T]{Items: []T{}}
	page, next := awsapi.Page(items, key, in.NextToken, limit)
	out.Items, out.NextToken = append(out.Items, page...), next
	return out, nil
}

// Owners and names of documents.
const (
	ownerAPI       = "api/"
	docAPI         = "api"
	docRoute       = "route/"
	docIntegration = "integration/"
	docAuthorizer  = "authorizer/"
	docStage       = "stage/"
	docDeployment  = "deployment/"
	docSnapshot    = "snapshot/"
)

// validID says whether an identifier can be one that newID made.
func validID(id string) bool {
	return len(id) > 0 && len(id) <= 16 && !strings.ContainsFunc(id, func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'z') })
}

// read reads the documents of an API.
func (s *service) read(ctx context.Context, id string) (*document.Set, error) {
	if !validID(id) {
		return nil, s.missingAPI(id)
	}
	set, err := s.Store.Read(ctx, ownerAPI+id)
	if err == nil && !set.Has(docAPI) {
		err = s.missingAPI(id)
	}
	return set, err
}

func (s *service) missingAPI(id string) error {
	return missing("API", fmt.Sprintf("%s:%.64s", s.Account.ID, id))
}

// change changes an API. After decide, stages with AutoDeploy serve what is there then.
func (s *service) change(ctx context.Context, id string, decide func(e *document.Edit) error) error {
	if !validID(id) {
		return s.missingAPI(id)
	}
	defer s.APIs.changed(id) // even a change that failed may have been kept
	return s.Store.Change(ctx, ownerAPI+id, func(e *document.Edit) error {
		if !e.Has(docAPI) {
			return s.missingAPI(id)
		}
		if err := decide(e); err != nil {
			return err
		}
		return s.autoDeploy(e)
	})
}

// get reads one document of an API.
func get[T any](ctx context.Context, s *service, apiID, prefix, id, what string) (*T, error) {
	set, err := s.read(ctx, apiID)
	if err != nil {
		return nil, err
	}
	return find[T](set, prefix, id, what)
}

func find[T any](set *document.Set, prefix, id, what string) (*T, error) {
	out := new(T)
	err := set.Get(prefix+id, out)
	if errors.Is(err, document.ErrNotFound) {
		err = missing(what, fmt.Sprintf("%.128s", id))
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

// isMissing reports whether an error is the exception for what is not there.
func isMissing(err error) bool {
	var x *awsapi.Exception
	return errors.As(err, &x) && x.Name == notFound
}
