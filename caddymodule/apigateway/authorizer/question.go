package authorizer

import (
	"net/http"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

// texts says that the function's context has only strings, numbers and booleans.
func (q *Question) texts() bool { return q.REST || q.Route.Payload == apigateway.V1 }

// arns are the ARNs of a request: with the path that the function is told, and with the path in
// the other form, decoded or as the client wrote it, if that is different. A policy that closes
// /admin closes /%61dmin, which the same route takes.
func (q *Question) arns(r *http.Request) []string {
	path := strings.TrimPrefix(q.Path, "/")
	if q.REST {
		path = strings.TrimSuffix(path, "/") // it does not count in REST APIs
	}
	prefix := "arn:aws:execute-api:" + q.Region + ":" + q.Route.AccountID + ":" + q.Route.APIID + "/" + q.Route.Stage + "/" + r.Method + "/"
	decoded := apigateway.Unescape(path)
	if decoded == path {
		return []string{prefix + path}
	}
	if q.REST {
		return []string{prefix + path, prefix + decoded}
	}
	return []string{prefix + decoded, prefix + path}
}

// of is the identity in a request to a Lambda authorizer. "": there is none.
func (s Source) of(r *http.Request, q *Question) string {
	switch s.kind {
	case fromStage:
		return q.Route.StageVariables[s.name]
	case fromContext:
		return q.part(r, s.name)
	}
	return s.Of(r)
}

// part is a part of the request's context; contextNames has the names.
func (q *Question) part(r *http.Request, name string) string {
	switch name {
	case "routeKey":
		return q.Route.Key
	case "httpMethod":
		return r.Method
	case "path":
		return r.URL.EscapedPath()
	case "resourcePath":
		_, path, _ := strings.Cut(q.Route.Key, " ")
		return path
	case "stage":
		return q.Route.Stage
	case "apiId":
		return q.Route.APIID
	case "accountId":
		return q.Route.AccountID
	case "domainName":
		return r.Host
	case "identity.sourceIp":
		return q.Context.SourceIP
	case "identity.userAgent":
		return r.UserAgent()
	}
	return ""
}
