package authorizer

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

// A Source says where in a request an identity is.
type Source struct {
	kind sourceKind
	name string
}

type sourceKind uint8

const (
	fromHeader sourceKind = iota
	fromQuery
	fromStage   // a stage variable
	fromContext // what is known of the request beside itself
)

// contextNames are the parts of a request's context that may be an identity source.
var contextNames = []string{"routeKey", "httpMethod", "path", "resourcePath", "stage", "apiId", "accountId", "domainName", "identity.sourceIp", "identity.userAgent"}

// ParseLambdaSource reads an identity source of a Lambda authorizer. Beside those of ParseSource
// it is $context.NAME or $stageVariables.NAME, and of REST APIs context.NAME or
// stageVariables.NAME.
func ParseLambdaSource(text string) (Source, error) {
	bare := strings.TrimPrefix(text, "$")
	if name, found := strings.CutPrefix(bare, "stageVariables."); found && name != "" {
		return Source{fromStage, name}, nil
	}
	if name, found := strings.CutPrefix(bare, "context."); found {
		if !slices.Contains(contextNames, name) {
			return Source{}, fmt.Errorf("identity source %q: of the context there are %s", text, strings.Join(contextNames, ", "))
		}
		return Source{fromContext, name}, nil
	}
	s, err := ParseSource(text)
	if err == nil && s.kind == fromHeader && (s.name == "X-Forwarded-Port" || s.name == "X-Forwarded-Proto") {
		return Source{}, fmt.Errorf("identity source %q: the gateway sets this header, and it says nothing of who calls", text)
	}
	return s, err
}

// ParseSource reads an identity source as AWS writes it: $request.header.NAME or
// $request.querystring.NAME, method.request... of REST APIs, and route.request... of WebSocket APIs. A word without a dot is a
// header.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html#http-api-lambda-authorizer.identity-sources
func ParseSource(text string) (Source, error) {
	rest, found := strings.CutPrefix(text, "$request.")
	if !found {
		rest, found = strings.CutPrefix(text, "method.request.")
	}
	if !found {
		rest, found = strings.CutPrefix(text, "route.request.")
	}
	if !found {
		if text == "" || strings.ContainsAny(text, ".$ :") {
			return Source{}, fmt.Errorf("identity source %q: write $request.header.NAME or $request.querystring.NAME", text)
		}
		return Source{fromHeader, textproto.CanonicalMIMEHeaderKey(text)}, nil
	}
	kind, name, _ := strings.Cut(rest, ".")
	switch {
	case kind == "header" && name != "":
		return Source{fromHeader, textproto.CanonicalMIMEHeaderKey(name)}, nil
	case kind == "querystring" && name != "":
		return Source{fromQuery, name}, nil
	}
	return Source{}, fmt.Errorf("identity source %q: write $request.header.NAME or $request.querystring.NAME", text)
}

// Of is the identity in a request, as API Gateway's events have it: several values of a name are
// joined by commas, so that one that was checked cannot bring in another that is not. "": there
// is none.
func (s Source) Of(r *http.Request) string {
	if s.kind == fromQuery {
		return strings.Join(apigateway.QueryValues(r.URL.RawQuery, s.name), ",")
	}
	if lines := r.Header[s.name]; len(lines) > 1 {
		return strings.Join(lines, ",")
	}
	return r.Header.Get(s.name)
}
