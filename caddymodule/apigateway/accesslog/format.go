// Package accesslog makes the lines of access logs, as API Gateway does: a format with
// $context variables, filled with what is known of a request.
package accesslog

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Default is the format of an access log that names none: AWS's suggestion for JSON.
const Default = `{"requestId":"$context.requestId","ip":"$context.identity.sourceIp","requestTime":"$context.requestTime",` +
	`"httpMethod":"$context.httpMethod","routeKey":"$context.routeKey","path":"$context.path","status":"$context.status",` +
	`"protocol":"$context.protocol","responseLength":"$context.responseLength","responseLatency":"$context.responseLatency"}`

// maxFormat bounds a format, in bytes.
const maxFormat = 4 << 10

// A Format makes lines. It does not change.
type Format struct {
	parts []part
	// JSON says that the format is a JSON object, and XML that it is an element.
	JSON, XML bool
}

// A part is text, and then the value of a variable unless name is "".
type part struct{ text, name string }

// variable is one in a format. Names of what authorizers say have more characters.
var variable = regexp.MustCompile(`\$context\.(authorizer\.[A-Za-z0-9_.:-]*[A-Za-z0-9_]|[A-Za-z0-9_.]*[A-Za-z0-9_])`)

// known are the variables that have values here.
var known = []string{
	"accountId", "apiId", "awsEndpointRequestId", "domainName", "domainPrefix", "error.message", "error.messageString", "error.responseType",
	"extendedRequestId", "httpMethod", "identity.accessKey", "identity.accountId", "identity.apiKey", "identity.apiKeyId", "identity.caller",
	"identity.sourceIp", "identity.user", "identity.userAgent", "identity.userArn", "integration.error", "integration.integrationStatus",
	"integration.latency", "integration.status", "integrationErrorMessage", "integrationLatency", "integrationStatus",
	"path", "protocol", "requestId", "requestTime", "requestTimeEpoch", "resourceId", "resourcePath", "responseLatency", "responseLength",
	"routeKey", "stage", "status",
}

// empty are variables of AWS that never have a value here, as they often have none on AWS.
var empty = []string{
	"awsEndpointRequestId2", "customDomain.basePathMatched", "dataProcessed", "identity.cognitoAuthenticationProvider", "identity.cognitoAuthenticationType",
	"identity.cognitoIdentityId", "identity.cognitoIdentityPoolId", "identity.principalOrgId", "integration.requestId", "xrayTraceId",
	"waf.error", "waf.latency", "waf.status", "wafResponseCode", "webaclArn",
	"authorizer.error", "authorizer.status", "authorizer.latency", "authorizer.integrationLatency", "authorizer.integrationStatus", "authorizer.requestId",
}

// Parse reads a format. A variable that AWS does not have is an error.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
func Parse(text string) (*Format, error) {
	text = strings.TrimRight(text, "\r\n")
	switch {
	case text == "":
		return nil, errors.New("the format is empty")
	case len(text) > maxFormat:
		return nil, fmt.Errorf("the format has %d bytes, %d at most", len(text), maxFormat)
	case strings.ContainsAny(text, "\r\n"):
		return nil, errors.New("the format must be a single line")
	}
	f := &Format{JSON: strings.HasPrefix(text, "{"), XML: strings.HasPrefix(text, "<")}
	after := 0
	for _, at := range variable.FindAllStringSubmatchIndex(text, -1) {
		name := text[at[2]:at[3]]
		if !strings.HasPrefix(name, "authorizer.") && !slices.Contains(known, name) && !slices.Contains(empty, name) {
			return nil, fmt.Errorf("there is no $context.%s", name)
		}
		f.parts = append(f.parts, part{text[after:at[0]], name})
		after = at[1]
	}
	if len(f.parts) == 0 {
		return nil, errors.New("the format has no $context variable: write $context.requestId")
	}
	f.parts = append(f.parts, part{text: text[after:]})
	if strings.Contains(text[after:], "$context.") {
		return nil, errors.New("$context. without a name")
	}
	return f, nil
}

// Names reports whether the format has a variable whose name begins with prefix.
func (f *Format) Names(prefix string) bool {
	return slices.ContainsFunc(f.parts, func(p part) bool { return strings.HasPrefix(p.name, prefix) })
}

// Append appends a line. value is the value of a variable, "" if it has none; the line has a
// hyphen for it, as on AWS.
func (f *Format) Append(dst []byte, value func(dst []byte, name string) []byte) []byte {
	var room [256]byte
	for _, p := range f.parts {
		dst = append(dst, p.text...)
		if p.name == "" {
			continue
		}
		text := value(room[:0], p.name)
		switch {
		case len(text) == 0:
			dst = append(dst, '-')
		case f.XML:
			dst = appendXML(dst, text)
		default:
			dst = appendEscaped(dst, text)
		}
	}
	return dst
}

// appendEscaped appends text as it stands between the quotes of a JSON string. So a client
// neither ends a line nor a value of it.
func appendEscaped(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func appendXML(dst, text []byte) []byte {
	for _, c := range text {
		switch {
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '"':
			dst = append(dst, "&quot;"...)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '?') // XML has no escape for it
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
