package authorizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	iam "github.com/hearthfn/hearth/caddymodule/awsapi/policy"
)

// A policy is an IAM policy that a Lambda authorizer answers with.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
type policy []statement

type statement struct {
	deny      bool
	actions   patterns
	resources patterns
	condition *iam.Conditions // nil: there is none
}

// patterns match texts with * (any characters) and ? (one character).
type patterns struct {
	list []string
	not  bool // what no pattern of list matches
	fold bool // upper and lower case are the same
}

// maxStatements bounds what one check costs.
const maxStatements = 1024

// parsePolicy reads a policy. Whatever it cannot check is an error: a condition that is left
// out could open what it closes.
func parsePolicy(text json.RawMessage) (policy, error) {
	var document struct {
		Version   string
		Statement oneOrMore[struct {
			Sid                                      string
			Effect                                   string
			Action, NotAction, Resource, NotResource oneOrMore[string]
			Principal, Condition, NotPrincipal       json.RawMessage
		}]
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("policyDocument is no policy: %w", err)
	}
	if len(document.Statement) == 0 || len(document.Statement) > maxStatements {
		return nil, fmt.Errorf("policyDocument has %d statements: 1 to %d are expected", len(document.Statement), maxStatements)
	}
	var p policy
	for _, s := range document.Statement {
		var condition *iam.Conditions
		if len(s.Condition) > 0 && string(s.Condition) != "null" {
			var err error
			if condition, err = iam.ParseConditions(s.Condition, document.Version == "2012-10-17"); err != nil {
				return nil, fmt.Errorf("policyDocument: %w", err)
			}
		}
		switch {
		case s.Effect != "Allow" && s.Effect != "Deny":
			return nil, fmt.Errorf("policyDocument: Effect %.20q: Allow or Deny is expected", s.Effect)
		case len(s.NotPrincipal) > 0:
			return nil, errors.New("policyDocument: NotPrincipal is not supported")
		case (len(s.Action) == 0) == (len(s.NotAction) == 0):
			return nil, errors.New("policyDocument: a statement has Action or NotAction")
		case (len(s.Resource) == 0) == (len(s.NotResource) == 0):
			return nil, errors.New("policyDocument: a statement has Resource or NotResource")
		}
		p = append(p, statement{
			deny:      s.Effect == "Deny",
			actions:   patterns{append(s.Action, s.NotAction...), len(s.NotAction) > 0, true},
			resources: patterns{append(s.Resource, s.NotResource...), len(s.NotResource) > 0, false},
			condition: condition,
		})
	}
	return p, nil
}

// oneOrMore is a JSON list, or one element without the brackets.
type oneOrMore[T any] []T

func (o *oneOrMore[T]) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]T)(o))
	}
	var one T
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*o = []T{one}
	return nil
}

// A verdict is what a policy says of a request.
type verdict uint8

const (
	implicitDeny verdict = iota // no statement allows it
	explicitDeny                // a statement denies it
	allowed
)

// invokeAction is what clients of an API do.
const invokeAction = "execute-api:Invoke"

// check evaluates the policy for a request that has several ARNs: its path as the client wrote
// it, and decoded. A statement denies it if it denies one of them, and allows it only if it
// allows all. r has the values of condition keys: a statement that asks for others allows nothing,
// and denies. nil: no value is known.
func (p policy) check(arns []string, r *iam.Request) verdict {
	all := implicitDeny
	for n := range p {
		s := &p[n]
		if !s.actions.match(invokeAction) || !s.fulfilled(r) {
			continue
		}
		matched := 0
		for _, arn := range arns {
			if s.resources.match(arn) {
				matched++
			}
		}
		switch {
		case s.deny && matched > 0:
			return explicitDeny
		case !s.deny && matched == len(arns):
			all = allowed
		}
	}
	return all
}

func (s *statement) fulfilled(r *iam.Request) bool {
	switch {
	case s.condition == nil:
		return true
	case r == nil:
		return s.deny
	}
	return s.condition.Fulfilled(r, s.deny)
}

func (p *patterns) match(text string) bool {
	for _, pattern := range p.list {
		if p.fold {
			pattern, text = strings.ToLower(pattern), strings.ToLower(text)
		}
		if glob(pattern, text) {
			return !p.not
		}
	}
	return p.not
}

// glob matches text by a pattern with * and ?. It costs at most the product of both lengths.
func glob(pattern, text string) bool {
	star, mark := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
