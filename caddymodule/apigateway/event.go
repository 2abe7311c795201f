package apigateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eventRoom is the size of most events without their bodies.
const eventRoom = 2 << 10

// appendQuoted appends text, which is JSON already, and then s as a JSON string.
func appendQuoted(dst []byte, text, s string) []byte {
	return appendString(append(dst, text...), s)
}

// appendTime appends text and then a time as API Gateway writes it, quoted.
func appendTime(dst []byte, text string, t time.Time) []byte {
	dst = append(append(dst, text...), '"')
	dst = t.UTC().AppendFormat(dst, "02/Jan/2006:15:04:05 -0700")
	return append(dst, '"')
}

// rawPath is the path with its percent-encoding.
func rawPath(r *http.Request) string {
	if path := r.URL.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// resource is the path without the stage. Recorded from REST APIs: several slashes after the stage
// are one.
func (c *Context) resource(path string) string {
	if c.StagePath == "" {
		return path
	}
	if rest := OneSlash(strings.TrimPrefix(path, c.StagePath)); rest != "" {
		return rest
	}
	return "/"
}

// paths are rawPath and requestContext.http.path of an event of format 2.0.
//
// Recorded from AWS in 2026: a function URL gives the first as the client wrote it,
// the second decoded; an HTTP API decodes both.
// https://github.com/hotsock/voker/tree/main/vokerhttp/testdata
// https://github.com/fastify/aws-lambda-fastify/issues/169 and
// https://github.com/honojs/hono/issues/2156 say the same of HTTP APIs. The event is
// not copied where those lose data: an HTTP API decodes "%252F" twice, ends a path at
// a "%3F" and refuses "%25".
func (rt *Route) paths(escaped string) (raw, decoded string) {
	decoded = unescape(escaped, false)
	if rt.FunctionURL {
		return escaped, decoded
	}
	return decoded, decoded
}

// contextHead is how the request context of both formats begins. The domain name
// that follows it has the port that the client named: AWS has none but the usual
// ones, and functions build redirects from it.
func (rt *Route) contextHead() []byte {
	dst := appendQuoted(nil, `,"requestContext":{"accountId":`, rt.AccountID)
	dst = appendQuoted(dst, `,"apiId":`, rt.APIID)
	return append(dst, `,"domainName":`...)
}

// prepareV2 writes what the events of format 2.0 have in common.
func (rt *Route) prepareV2() {
	head := appendQuoted(nil, `{"version":"2.0","routeKey":`, rt.Key)
	tail := appendQuoted(nil, `,"routeKey":`, rt.Key)
	tail = appendQuoted(tail, `,"stage":`, rt.Stage)
	rt.fixed = fixedParts{head: string(head), context: string(rt.contextHead()), tail: string(tail)}
	if len(rt.StageVariables) > 0 {
		rt.fixed.variables = `,"stageVariables":` + rt.variables()
	}
}

// appendV2 appends an event of format 2.0. Keys without a value are absent.
func (rt *Route) appendV2(dst []byte, r *http.Request, body []byte, c *Context) []byte {
	dst = slices.Grow(dst, eventRoom+len(body))
	path := rawPath(r)
	domain, port := splitHost(r.Host)
	headers := requestHeaders{header: r.Header, host: r.Host, bodySize: len(body), cookies: rt.FunctionURL}
	headers.forward(r, c, port)
	raw, decoded := rt.paths(path)

	dst = append(dst, rt.fixed.head...)
	dst = appendQuoted(dst, `,"rawPath":`, raw)
	dst = appendQuoted(dst, `,"rawQueryString":`, r.URL.RawQuery)
	dst = headers.appendCookies(dst)
	dst = headers.appendObject(append(dst, `,"headers":`...), joined)
	var pairs [manyPairs]pair
	if q := parseQuery(r.URL.RawQuery, pairs[:0]); len(q.pairs) > 0 {
		dst = q.appendJoined(append(dst, `,"queryStringParameters":`...))
	}

	dst = append(dst, rt.fixed.context...)
	dst = appendString(dst, r.Host)
	if c.IAM != nil {
		dst = rt.appendIdentity(dst, c.IAM)
	} else if c.Authorizer != nil {
		dst = append(append(dst, `,"authorizer":`...), c.Authorizer...)
	}
	if !rt.FunctionURL {
		if with, ok := appendClientCert(dst, `,"authentication":{"clientCert":`, r.TLS); ok {
			dst = append(with, '}')
		}
	}
	dst = appendQuoted(dst, `,"domainPrefix":`, domainPrefix(domain))
	dst = appendQuoted(dst, `,"http":{"method":`, r.Method)
	dst = appendQuoted(dst, `,"path":`, decoded)
	dst = appendQuoted(dst, `,"protocol":`, r.Proto)
	dst = appendQuoted(dst, `,"sourceIp":`, c.SourceIP)
	dst = appendQuoted(dst, `,"userAgent":`, r.UserAgent())
	dst = appendQuoted(dst, `},"requestId":`, c.RequestID)
	dst = append(dst, rt.fixed.tail...)
	dst = appendTime(dst, `,"time":`, c.Time)
	dst = strconv.AppendInt(append(dst, `,"timeEpoch":`...), c.Time.UnixMilli(), 10)
	dst = append(dst, '}')

	const key = `,"pathParameters":`
	if with, any := rt.appendPathParameters(append(dst, key...), c.resource(path), c); any {
		dst = with
	}
	dst = append(dst, rt.fixed.variables...)
	isBase64 := false
	if len(body) > 0 {
		dst, isBase64 = rt.appendBody(append(dst, `,"body":`...), r.Header, body)
	}
	dst = strconv.AppendBool(append(dst, `,"isBase64Encoded":`...), isBase64)
	return append(dst, '}')
}

// appendIdentity appends the caller's identity, as function URLs of AuthType AWS_IAM do.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
func (rt *Route) appendIdentity(dst []byte, id *Identity) []byte {
	dst = appendQuoted(dst, `,"authorizer":{"iam":{"accessKey":`, id.AccessKey)
	dst = appendQuoted(dst, `,"accountId":`, rt.AccountID)
	dst = appendQuoted(dst, `,"callerId":`, id.UserID)
	dst = appendQuoted(dst, `,"cognitoIdentity":null,"principalOrgId":null,"userArn":`, id.UserARN)
	dst = appendQuoted(dst, `,"userId":`, id.UserID)
	return append(dst, "}}"...)
}

// prepareV1 writes what the events of format 1.0 have in common.
func (rt *Route) prepareV1(resource string) {
	tail := []byte(`,"resourceId":null`)
	if rt.ResourceID != "" {
		tail = appendQuoted(nil, `,"resourceId":`, rt.ResourceID)
	}
	tail = appendQuoted(tail, `,"resourcePath":`, resource)
	tail = appendQuoted(tail, `,"stage":`, rt.Stage)
	rt.fixed = fixedParts{
		head:      string(appendQuoted(nil, `{"resource":`, resource)),
		context:   string(rt.contextHead()),
		tail:      string(tail),
		variables: `,"stageVariables":null`,
	}
	if len(rt.StageVariables) > 0 {
		rt.fixed.variables = `,"stageVariables":` + rt.variables()
	}
}

// appendV1 appends an event of format 1.0. Keys without a value are null.
func (rt *Route) appendV1(dst []byte, r *http.Request, body []byte, c *Context) []byte {
	dst = slices.Grow(dst, eventRoom+len(body))
	path := rawPath(r)
	domain, port := splitHost(r.Host)
	headers := requestHeaders{header: r.Header, host: r.Host, v1: true}
	headers.forward(r, c, port)

	dst = append(dst, rt.fixed.head...)
	if c.Mapped {
		dst = appendQuoted(dst, `,"path":`, path)
	} else {
		dst = appendQuoted(dst, `,"path":`, c.resource(path))
	}
	dst = appendQuoted(dst, `,"httpMethod":`, r.Method)
	dst = headers.appendObject(append(dst, `,"headers":`...), last)
	dst = headers.appendObject(append(dst, `,"multiValueHeaders":`...), lists)
	var pairs [manyPairs]pair
	if q := parseQuery(r.URL.RawQuery, pairs[:0]); len(q.pairs) > 0 {
		dst = q.appendLast(append(dst, `,"queryStringParameters":`...))
		dst = q.appendLists(append(dst, `,"multiValueQueryStringParameters":`...))
	} else {
		dst = append(dst, `,"queryStringParameters":null,"multiValueQueryStringParameters":null`...)
	}
	dst, any := rt.appendPathParameters(append(dst, `,"pathParameters":`...), c.resource(path), c)
	if !any {
		dst = append(dst, "null"...)
	}
	dst = append(dst, rt.fixed.variables...)

	dst = append(dst, rt.fixed.context...)
	dst = appendString(dst, r.Host)
	if c.Authorizer != nil {
		dst = append(append(dst, `,"authorizer":`...), c.Authorizer...)
	}
	dst = appendQuoted(dst, `,"domainPrefix":`, domainPrefix(domain))
	dst = appendQuoted(dst, `,"extendedRequestId":`, c.RequestID)
	dst = appendQuoted(dst, `,"httpMethod":`, r.Method)
	dst = rt.appendCaller(dst, r, c)
	dst = appendQuoted(dst, `,"path":`, path)
	dst = appendQuoted(dst, `,"protocol":`, r.Proto)
	dst = appendQuoted(dst, `,"requestId":`, c.RequestID)
	dst = appendTime(dst, `,"requestTime":`, c.Time)
	dst = strconv.AppendInt(append(dst, `,"requestTimeEpoch":`...), c.Time.UnixMilli(), 10)
	dst = append(dst, rt.fixed.tail...)

	isBase64 := false
	if len(body) > 0 {
		dst, isBase64 = rt.appendBody(append(dst, `},"body":`...), r.Header, body)
	} else {
		dst = append(dst, `},"body":null`...)
	}
	dst = strconv.AppendBool(append(dst, `,"isBase64Encoded":`...), isBase64)
	return append(dst, '}')
}

// appendCaller appends requestContext.identity of format 1.0: who signed the request, and where
// it is from.
func (rt *Route) appendCaller(dst []byte, r *http.Request, c *Context) []byte {
	dst = append(dst, `,"identity":{`...)
	if c.IAM != nil {
		dst = appendQuoted(dst, `"accessKey":`, c.IAM.AccessKey)
		dst = appendQuoted(dst, `,"accountId":`, rt.AccountID)
		dst = appendQuoted(dst, `,"caller":`, c.IAM.UserID)
	} else {
		dst = append(dst, `"accessKey":null,"accountId":null,"caller":null`...)
	}
	if c.APIKeyID != "" {
		dst = appendQuoted(dst, `,"apiKey":`, c.APIKey)
		dst = appendQuoted(dst, `,"apiKeyId":`, c.APIKeyID)
	}
	dst, _ = appendClientCert(dst, `,"clientCert":`, r.TLS)
	dst = append(dst, `,"cognitoAuthenticationProvider":null,"cognitoAuthenticationType":null,`+
		`"cognitoIdentityId":null,"cognitoIdentityPoolId":null,"principalOrgId":null`...)
	dst = appendQuoted(dst, `,"sourceIp":`, c.SourceIP)
	if c.IAM != nil {
		dst = appendQuoted(dst, `,"user":`, c.IAM.UserID)
	} else {
		dst = append(dst, `,"user":null`...)
	}
	if agent := r.UserAgent(); agent != "" {
		dst = appendQuoted(dst, `,"userAgent":`, agent)
	} else {
		dst = append(dst, `,"userAgent":null`...)
	}
	if c.IAM != nil {
		return append(appendQuoted(dst, `,"userArn":`, c.IAM.UserARN), '}')
	}
	return append(dst, `,"userArn":null}`...)
}
