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
}

// NotFound refuses a request that no route takes.
func (p Protocol) NotFound() Refusal {
	if p == REST {
		return Refusal{http.StatusForbidden, "Missing Authentication Token", "MissingAuthenticationTokenException"}
	}
	return Refusal{Status: http.StatusNotFound, Message: "Not Found"}
}

// Invalid refuses a request that is not one.
func (p Protocol) Invalid() Refusal {
	return p.refusal(http.StatusBadRequest, "Bad Request", "BadRequestException")
}

// Throttled refuses a request above the rate of a stage, a route or a usage plan.
func (p Protocol) Throttled() Refusal {
	return p.refusal(http.StatusTooManyRequests, "Too Many Requests", "TooManyRequestsException")
}

// Exhausted refuses a request above the quota of a usage plan.
func (p Protocol) Exhausted() Refusal {
	return p.refusal(http.StatusTooManyRequests, "Limit Exceeded", "LimitExceededException")
}

// Denied refuses a request that an authorizer does not let through: 401, 403, or what the
// authorizer itself failed by.
func (p Protocol) Denied(status int) Refusal {
	switch status {
	case http.StatusUnauthorized:
		return p.refusal(status, "Unauthorized", "UnauthorizedException")
	case http.StatusForbidden:
		return p.refusal(status, "Forbidden", "ForbiddenException")
	case http.StatusServiceUnavailable:
		return p.refusal(status, "Service Unavailable", "ServiceUnavailableException")
	}
	if p == REST {
		return Refusal{Status: http.StatusInternalServerError, Type: "AuthorizerConfigurationException"}
	}
	return Refusal{Status: http.StatusInternalServerError, Message: "Internal Server Error"}
}

// accessDenied is the type of what a policy refuses. Its body has a member of its own.
const accessDenied = "AccessDeniedException"

// DeniedByPolicy refuses a request that the policy of a Lambda authorizer does not allow.
// explicit says that a statement of it denies the request.
func (p Protocol) DeniedByPolicy(explicit bool) Refusal {
	if p != REST {
		return p.Denied(http.StatusForbidden)
	}
	r := Refusal{http.StatusForbidden, "User is not authorized to access this resource", accessDenied}
	if explicit {
		r.Message += " with an explicit deny"
	}
	return r
}

// Unsigned refuses a request whose signature is missing or wrong, as package sigv4 says it.
func (p Protocol) Unsigned(code, message string) Refusal {
	if p != REST {
		return p.Denied(http.StatusForbidden)
	}
	return Refusal{http.StatusForbidden, message, code}
}

// internalError is the type of failures. Their bodies have a space, as on AWS.
const internalError = "InternalServerErrorException"

// Failed refuses a request whose integration failed with status: 502 if the function failed,
// 504 if it was too slow, 404 if there is none. Other statuses are the same in all APIs.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
func (p Protocol) Failed(status int, message string) Refusal {
	switch {
	case (status == http.StatusBadGateway || status == http.StatusNotFound) && p == REST:
		return Refusal{http.StatusBadGateway, "Internal server error", internalError}
	case status == http.StatusBadGateway || status == http.StatusNotFound:
		return Refusal{Status: http.StatusInternalServerError, Message: "Internal Server Error"}
	case status == http.StatusGatewayTimeout && p == REST:
		return Refusal{status, "Endpoint request timed out", internalError}
	case status == http.StatusGatewayTimeout:
		return Refusal{Status: http.StatusServiceUnavailable, Message: "Service Unavailable"}
	case status == http.StatusTooManyRequests:
		return p.Throttled()
	case status == http.StatusUnsupportedMediaType:
		return p.refusal(status, "Unsupported Media Type", "BadRequestException")
	case status == http.StatusInternalServerError && p == REST:
		return Refusal{status, "Internal server error", internalError}
	case status == http.StatusRequestEntityTooLarge:
		return p.refusal(status, message, "RequestEntityTooLargeException")
	}
	return Refusal{Status: status, Message: message}
}

// Unreached refuses a request whose HTTP integration did not answer, or not in time.
func (p Protocol) Unreached(late bool) Refusal {
	if p == REST && !late {
		return Refusal{http.StatusGatewayTimeout, "Network error communicating with endpoint", internalError}
	}
	return p.Failed(http.StatusGatewayTimeout, "")
}

// refusal is one that all kinds of APIs have. Only REST APIs name its type.
func (p Protocol) refusal(status int, message, kind string) Refusal {
	if p != REST {
		kind = ""
	}
	return Refusal{status, message, kind}
}

// Body is the JSON that the client gets.
func (r Refusal) Body() []byte {
	message, err := json.Marshal(r.Message)
	if err != nil {
		panic(err) // strings always encode
	}
	head := `{"message":`
	switch {
	case r.Type == internalError:
		head = `{"message": `
	case r.Type == accessDenied:
		head = `{"Message":`
	case r.Message == "": // recorded from REST APIs whose authorizer fails
		message = []byte("null")
	}
	return append(append([]byte(head), message...), '}')
}
