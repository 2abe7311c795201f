package gateway

import "github.com/hearthfn/hearth/caddymodule/apigateway"

// An AuthorizerType is how an authorizer decides.
type AuthorizerType string

// The types of authorizers.
const (
	JWT     AuthorizerType = "JWT"     // by a token that an issuer has signed
	Request AuthorizerType = "REQUEST" // a function gets the request
	Token   AuthorizerType = "TOKEN"   // a function gets one header; REST APIs have it
)

// An Authorizer says who may call the routes that name it.
type Authorizer struct {
	// ID names it in the API, and in the ARN by which its function's policy knows it.
	ID   string         `json:"id"`
	Type AuthorizerType `json:"type"`
	// Sources are the identity sources as AWS writes them.
	Sources []string `json:"sources,omitempty"`
	// Issuer and Audience are those of a JWT's tokens.
	Issuer   string   `json:"issuer,omitempty"`
	Audience []string `json:"audience,omitempty"`
	// Function and Qualifier are what the other types call.
	Function  string `json:"function,omitempty"`
	Qualifier string `json:"qualifier,omitempty"`
	// Payload is the format of a Request's event. REST APIs have 1.0.
	Payload apigateway.Payload `json:"payload,omitempty"`
	// Simple says that {"isAuthorized": true} is an answer, beside policies.
	Simple bool `json:"simple,omitempty"`
	// Expression is what tokens of the type Token match. "": any.
	Expression string `json:"expression,omitempty"`
	// TTL is how long answers of functions are kept, in seconds. 0: they are not.
	TTL int `json:"ttl,omitempty"`
}

// Authorizer finds an authorizer of the API, nil if it has none of that ID.
func (a *API) Authorizer(id string) *Authorizer {
	for n := range a.Authorizers {
		if a.Authorizers[n].ID == id {
			return &a.Authorizers[n]
		}
	}
	return nil
}
