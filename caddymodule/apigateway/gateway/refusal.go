package gateway

import (
	"encoding/json"
	"net/http"
)

// A Refusal is what a client is told when no integration answers it.
type Refusal struct {
	Status  int
	Message string
	// Type is the header X-Amzn-ErrorType, which only REST APIs have. "": there is none.
	Type string
	// Response is the type of the gateway response.
	Response ResponseType
}

// Types of refusals.
const (
	badRequest    = "BadRequestException"
	forbidden     = "ForbiddenException"
	internalError = "InternalServerErrorException"
	accessDenied  = "AccessDeniedException" // its body has a member of its own
)

// NotFound refuses a request that no route takes.
func (p Protocol) NotFound() Refusal {
	if p == REST {
		return Refusal{http.StatusForbidden, "Missing Authentication Token", "MissingAuthenticationTokenException", MissingAuthenticationToken}
	}
	return Refusal{Status: http.StatusNotFound, Message: "Not Found", Response: MissingAuthenticationToken}
}

// Invalid refuses a request that is not one.
func (p Protocol) Invalid() Refusal {
	return p.refusal(http.StatusBadRequest, "Bad Request", badRequest, Default4XX)
}

// Throttled refuses a request above the rate of a stage, a route or a usage plan.
func (p Protocol) Throttled() Refusal {
	return p.refusal(http.StatusTooManyRequests, "Too Many Requests", "TooManyRequestsException", Throttled)
}

// Exhausted refuses a request above the quota of a usage plan.
func (p Protocol) Exhausted() Refusal {
	return p.refusal(http.StatusTooManyRequests, "Limit Exceeded", "LimitExceededException", QuotaExceeded)
}

// Keyless refuses a request without an API key that the route takes.
func (p Protocol) Keyless() Refusal {
	return p.refusal(http.StatusForbidden, "Forbidden", forbidden, InvalidAPIKey)
}

// Denied refuses a request that an authorizer does not let through: 401, 403, or what the
// authorizer itself failed by.
func (p Protocol) Denied(status int) Refusal {
	switch status {
	case http.StatusUnauthorized:
		return p.refusal(status, "Unauthorized", "UnauthorizedException", Unauthorized)
	case http.StatusForbidden:
		return p.refusal(status, "Forbidden", forbidden, AccessDenied)
	case http.StatusServiceUnavailable:
		return p.refusal(status, "Service Unavailable", "ServiceUnavailableException", AuthorizerFailure)
	}
	if p == REST {
		return Refusal{Status: http.StatusInternalServerError, Type: "AuthorizerConfigurationException", Response: AuthorizerConfigurationError}
	}
	return Refusal{Status: http.StatusInternalServerError, Message: "Internal Server Error", Response: AuthorizerFailure}
}

// DeniedByPolicy refuses a request that the policy of a Lambda authorizer does not allow.
// explicit says that a statement of it denies the request.
func (p Protocol) DeniedByPolicy(explicit bool) Refusal {
	if p != REST {
		return p.Denied(http.StatusForbidden)
	}
	r := Refusal{http.StatusForbidden, "User is not authorized to access this resource", accessDenied, AccessDenied}
	if explicit {
		r.Message += " with an explicit deny"
	}
	return r
}

// Unsigned refuses a request whose signature is missing or wrong, as package sigv4 says it.
func (p Protocol) Unsigned(code, message string) Refusal {
	response := InvalidSignature
	switch code {
	case "MissingAuthenticationTokenException":
		response = MissingAuthenticationToken
	case "ExpiredTokenException":
		response = ExpiredToken
	case accessDenied:
		response = AccessDenied
	}
	if p != REST {
		r := p.Denied(http.StatusForbidden)
		r.Response = response
		return r
	}
	return Refusal{http.StatusForbidden, message, code, response}
}

// Misconfigured refuses a request whose integration may not be asked: the policy of the function
// does not let the API call it.
func (p Protocol) Misconfigured() Refusal {
	r := p.Failed(http.StatusInternalServerError, "Internal Server Error")
	r.Response = APIConfigurationError
	return r
}

// Failed refuses a request whose integration failed with status: 502 if the function failed,
// 504 if it was too slow, 404 if there is none. Other statuses are the same in all APIs.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
func (p Protocol) Failed(status int, message string) Refusal {
	switch {
	case (status == http.StatusBadGateway || status == http.StatusNotFound) && p == REST:
		return Refusal{http.StatusBadGateway, "Internal server error", internalError, Default5XX}
	case status == http.StatusBadGateway || status == http.StatusNotFound:
		return Refusal{Status: http.StatusInternalServerError, Message: "Internal Server Error", Response: IntegrationFailure}
	case status == http.StatusGatewayTimeout && p == REST:
		return Refusal{status, "Endpoint request timed out", internalError, IntegrationTimeout}
	case status == http.StatusGatewayTimeout:
		return Refusal{Status: http.StatusServiceUnavailable, Message: "Service Unavailable", Response: IntegrationTimeout}
	case status == http.StatusTooManyRequests:
		return p.Throttled()
	case status == http.StatusUnsupportedMediaType:
		return p.refusal(status, "Unsupported Media Type", badRequest, UnsupportedMediaType)
	case status == http.StatusInternalServerError && p == REST:
		return Refusal{status, "Internal server error", internalError, Default5XX}
	case status == http.StatusRequestEntityTooLarge:
		return p.refusal(status, message, "RequestEntityTooLargeException", RequestTooLarge)
	case status >= http.StatusInternalServerError:
		return Refusal{Status: status, Message: message, Response: Default5XX}
	}
	return Refusal{Status: status, Message: message, Response: Default4XX}
}

// Unreached refuses a request whose HTTP integration did not answer, or not in time.
func (p Protocol) Unreached(late bool) Refusal {
	if p == REST && !late {
		return Refusal{http.StatusGatewayTimeout, "Network error communicating with endpoint", internalError, IntegrationFailure}
	}
	r := p.Failed(http.StatusGatewayTimeout, "")
	if !late {
		r.Response = IntegrationFailure
	}
	return r
}

// refusal is one that all kinds of APIs have. Only REST APIs name its type.
func (p Protocol) refusal(status int, message, kind string, response ResponseType) Refusal {
	if p != REST {
		kind = ""
	}
	return Refusal{status, message, kind, response}
}

// spaced are the gateway responses whose bodies have a space, as recorded from AWS.
var spaced = map[ResponseType]bool{BadRequestBody: true, BadRequestParameters: true}

// Body is the JSON that the client gets.
func (r Refusal) Body() []byte {
	message, err := json.Marshal(r.Message)
	if err != nil {
		panic(err) // strings always encode
	}
	head := `{"message":`
	switch {
	case r.Type == internalError || spaced[r.Response]:
		head = `{"message": `
	case r.Type == accessDenied:
		head = `{"Message":`
	case r.Message == "": // recorded from REST APIs whose authorizer fails
		message = []byte("null")
	}
	return append(append([]byte(head), message...), '}')
}
