package authorizer

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	iam "github.com/hearthfn/hearth/caddymodule/awsapi/policy"
)

// maxCompared bounds a header that conditions compare, in bytes: patterns cost the product of both
// lengths.
const maxCompared = 2 << 10

// conditions has the values of the condition keys that a policy may ask for. Of others nothing is
// known, and nil says that nothing is known at all: a header is too long to compare.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (q *Question) conditions(r *http.Request, now time.Time) *iam.Request {
	secure := r.TLS != nil || q.Context.TrustedProxy && r.Header.Get("X-Forwarded-Proto") == "https"
	values := map[string][]string{
		"aws:currenttime":     {now.UTC().Format(time.RFC3339)},
		"aws:epochtime":       {strconv.FormatInt(now.Unix(), 10)},
		"aws:securetransport": {strconv.FormatBool(secure)},
	}
	if q.Context.SourceIP != "" {
		values["aws:sourceip"] = []string{q.Context.SourceIP}
	}
	for key, value := range map[string]string{"aws:useragent": r.UserAgent(), "aws:referer": r.Referer()} {
		switch {
		case value == "":
			values[key] = nil // known not to be there
		case len(value) > maxCompared:
			return nil
		default:
			values[key] = []string{value}
		}
	}
	return &iam.Request{Context: values}
}

// texts says that the function's context has only strings, numbers and booleans.
func (q *Question) texts() bool { return q.REST || q.Route.Payload == apigateway.V1 }

// arns are the ARNs of a request: with the path that the function is told, and with the path in
// the other form, decoded or as the client wrote it, if that is different. A policy that closes
// /admin closes /%61dmin, which the same route takes.
func (q *Question) arns(r *http.Request) []string {
	if q.ARN != "" {
		return []string{q.ARN}
	}
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

// values are the identity in a request to a Lambda authorizer, as its event has it: several if
// a header or a parameter comes several times.
func (s Source) values(r *http.Request, q *Question) []string {
	var one string
	switch {
	case s.kind == fromStage:
		one = q.Route.StageVariables[s.name]
	case s.kind == fromContext:
		one = q.part(r, s.name)
	case s.kind == fromQuery:
		return apigateway.QueryValues(r.URL.RawQuery, s.name)
	case s.name == "Host":
		one = r.Host
	case s.name == "X-Forwarded-For": // events have the gateway's own
		one = q.Context.SourceIP
	default:
		return r.Header[s.name]
	}
	return []string{one}
}

// identityOf is one value of several: all of them, or of REST APIs the last, as the function
// finds them in its event. An answer must be about what the function could see.
func (q *Question) identityOf(values []string) string {
	switch {
	case len(values) == 0:
		return ""
	case q.texts():
		return values[len(values)-1]
	}
	return strings.Join(values, ",")
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
