package apigateway

import (
	"bytes"
	"net/http"
)

// An AuthorizerQuestion is what the event of a Lambda authorizer has beside that of the
// function behind it.
type AuthorizerQuestion struct {
	// ARN is that of the request: arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/path.
	ARN string
	// Identity are the values of the identity sources.
	Identity []string
	// REST says that a REST API asks. Its event has neither a version nor the identity.
	REST bool
}

// AppendAuthorizerEvent appends the event by which an authorizer of type REQUEST is asked. It
// is the event of r without a body, in the format of the Route.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html and
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
func (rt *Route) AppendAuthorizerEvent(dst []byte, r *http.Request, c *Context, q *AuthorizerQuestion) ([]byte, error) {
	event, err := rt.AppendEvent(nil, r, nil, c)
	if err != nil {
		return dst, err
	}
	if rt.v1 {
		event = bytes.TrimSuffix(event, []byte(`,"body":null,"isBase64Encoded":false}`))
		if q.REST {
			dst = append(dst, `{"type":"REQUEST"`...)
		} else {
			var joined []byte
			for n, value := range q.Identity {
				if n > 0 {
					joined = append(joined, ',')
				}
				joined = append(joined, value...)
			}
			dst = append(dst, `{"version":"1.0","type":"REQUEST"`...)
			dst = appendQuoted(dst, `,"identitySource":`, string(joined))
			dst = appendQuoted(dst, `,"authorizationToken":`, string(joined))
		}
		dst = appendQuoted(dst, `,"methodArn":`, q.ARN)
	} else {
		event = bytes.TrimSuffix(event, []byte(`,"isBase64Encoded":false}`))
		event = bytes.TrimPrefix(event, []byte(`{"version":"2.0"`))
		event[0] = '{' // the comma before what follows
		dst = appendQuoted(dst, `{"version":"2.0","type":"REQUEST","routeArn":`, q.ARN)
		dst = append(dst, `,"identitySource":[`...)
		for n, value := range q.Identity {
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, value)
		}
		dst = append(dst, ']')
	}
	dst = append(dst, ',')
	dst = append(dst, event[1:]...)
	return append(dst, '}'), nil
}

// AppendTokenEvent appends the event by which an authorizer of type TOKEN is asked.
func AppendTokenEvent(dst []byte, token, arn string) []byte {
	dst = appendQuoted(dst, `{"type":"TOKEN","methodArn":`, arn)
	dst = appendQuoted(dst, `,"authorizationToken":`, token)
	return append(dst, '}')
}
