package authorizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	iam "github.com/hearthfn/hearth/caddymodule/awsapi/policy"
)

// maxAnswer is AWS's bound of what a Lambda authorizer answers, in bytes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
const maxAnswer = 8 << 10

// An answer is what a Lambda authorizer says of an identity. It does not change.
type answer struct {
	simple bool
	open   bool // of a simple answer: the request goes on
	policy policy
	grant  *Grant
}

// parseAnswer reads an answer. simple says that {"isAuthorized": ...} is one. texts says that
// the context has only strings, numbers and booleans, as it must for REST APIs and format 1.0.
func parseAnswer(payload []byte, simple, texts bool) (*answer, error) {
	if len(payload) > maxAnswer {
		return nil, fmt.Errorf("the answer has %d bytes, %d at most", len(payload), maxAnswer)
	}
	var fields struct {
		IsAuthorized   *bool                      `json:"isAuthorized"`
		PrincipalID    any                        `json:"principalId"`
		PolicyDocument json.RawMessage            `json:"policyDocument"`
		Context        map[string]json.RawMessage `json:"context"`
		UsageKey       string                     `json:"usageIdentifierKey"`
	}
	if err := json.Unmarshal(payload, &fields); err != nil {
		return nil, fmt.Errorf("the answer is no answer of an authorizer: %w", err)
	}
	a := &answer{}
	principal, _ := fields.PrincipalID.(string)
	switch {
	case simple && fields.IsAuthorized != nil:
		a.simple, a.open = true, *fields.IsAuthorized
	case len(fields.PolicyDocument) > 0 && string(fields.PolicyDocument) != "null":
		if texts && principal == "" {
			return nil, errors.New("the answer has no principalId")
		}
		var err error
		if a.policy, err = parsePolicy(fields.PolicyDocument); err != nil {
			return nil, err
		}
	case simple:
		return nil, errors.New("the answer has neither isAuthorized nor policyDocument")
	default:
		return nil, errors.New("the answer has no policyDocument")
	}
	var err error
	if a.grant, err = contextGrant(principal, fields.Context, texts); err != nil {
		return nil, err
	}
	a.grant.UsageKey = fields.UsageKey
	return a, nil
}

// contextGrant is what functions learn of the authorizer's context. Format 1.0 has strings
// beside the principal, format 2.0 has the values as they are.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func contextGrant(principal string, context map[string]json.RawMessage, texts bool) (*Grant, error) {
	v1, v2 := []byte{'{'}, []byte(`{"lambda":`)
	if principal != "" {
		v1 = appendMember(v1, "principalId", quote(principal))
	}
	if context == nil {
		v2 = append(v2, "null"...)
	} else {
		v2 = append(v2, '{')
	}
	names := make([]string, 0, len(context))
	for name := range context {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := context[name]
		switch c := value[0]; {
		case c == '{' || c == '[':
			if texts {
				return nil, fmt.Errorf("the context has an object or a list in %.100q: only strings, numbers and booleans are allowed", name)
			}
			v1 = appendMember(v1, name, quote(string(compact(value))))
		case c == '"' || string(value) == "null":
			v1 = appendMember(v1, name, value)
		default:
			v1 = appendMember(v1, name, quote(string(value)))
		}
		v2 = appendMember(v2, name, compact(value))
	}
	if context != nil {
		v2 = append(v2, '}')
	}
	return &Grant{V1: append(v1, '}'), V2: append(v2, '}')}, nil
}

func appendMember(dst []byte, name string, value []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(append(dst, quote(name)...), ':')
	return append(dst, value...)
}

func quote(text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always encode
	}
	return quoted
}

func compact(value []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return value
	}
	return b.Bytes()
}

// decide lets a request with these ARNs through, or not. asked has the values of condition keys.
func (a *answer) decide(arns []string, asked func() *iam.Request) (*Grant, error) {
	if a.simple {
		if a.open {
			return a.grant, nil
		}
		return nil, &Denial{Status: http.StatusForbidden, Policy: true, Reason: errors.New("the authorizer says no")}
	}
	switch a.policy.check(arns, asked()) {
	case allowed:
		return a.grant, nil
	case explicitDeny:
		return nil, &Denial{Status: http.StatusForbidden, Policy: true, Explicit: true, Reason: errors.New("the policy of the authorizer denies the request")}
	}
	return nil, &Denial{Status: http.StatusForbidden, Policy: true, Reason: errors.New("the policy of the authorizer does not allow the request")}
}
