package registry

import (
	"encoding/json"
	"slices"
	"strings"
)

// A Caller is an AWS service that invokes a function for one of its resources.
type Caller struct {
	Service string // e.g. apigateway.amazonaws.com
	ARN     string // of the resource
	Account string // of the resource
}

// Allows reports whether the policy lets a service invoke the function. A condition that is
// not known here is not fulfilled.
// https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
func (p *Policy) Allows(c Caller) bool {
	return slices.ContainsFunc(p.Statements, func(s Statement) bool { return s.allows(c) })
}

func (s *Statement) allows(c Caller) bool {
	if s.Effect != "Allow" || s.Action != "lambda:InvokeFunction" && s.Action != "lambda:*" && s.Action != "*" {
		return false
	}
	var principal struct{ Service string }
	var anyone string
	if json.Unmarshal(s.Principal, &anyone) != nil || anyone != "*" {
		if json.Unmarshal(s.Principal, &principal) != nil || principal.Service != c.Service {
			return false
		}
	}
	var conditions map[string]map[string]string
	if len(s.Condition) > 0 && json.Unmarshal(s.Condition, &conditions) != nil {
		return false
	}
	for operator, keys := range conditions {
		for key, value := range keys {
			if !c.fulfils(operator, key, value) {
				return false
			}
		}
	}
	return true
}

// AllowsURL reports whether the policy opens function URLs of AuthType NONE to everybody. A
// condition that is not known here is not fulfilled.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
func (p *Policy) AllowsURL() bool {
	return slices.ContainsFunc(p.Statements, func(s Statement) bool { return s.allowsURL() })
}

func (s *Statement) allowsURL() bool {
	if s.Effect != "Allow" || s.Action != "lambda:InvokeFunctionUrl" && s.Action != "lambda:*" && s.Action != "*" {
		return false
	}
	var principal struct{ AWS string }
	var anyone string
	if (json.Unmarshal(s.Principal, &anyone) != nil || anyone != "*") && (json.Unmarshal(s.Principal, &principal) != nil || principal.AWS != "*") {
		return false
	}
	var conditions map[string]map[string]string
	if len(s.Condition) > 0 && json.Unmarshal(s.Condition, &conditions) != nil {
		return false
	}
	for operator, keys := range conditions {
		for key, value := range keys {
			switch {
			case operator == "StringEquals" && key == "lambda:FunctionUrlAuthType" && value == "NONE":
			case operator == "Bool" && key == "lambda:InvokedViaFunctionUrl" && value == "true":
			default:
				return false
			}
		}
	}
	return true
}

func (c *Caller) fulfils(operator, key, value string) bool {
	switch {
	case operator == "ArnLike" && key == "AWS:SourceArn":
		return arnLike(value, c.ARN)
	case operator == "StringEquals" && key == "AWS:SourceAccount":
		return value == c.Account
	}
	return false
}

// arnLike compares the six parts of ARNs, in which * stands for any text and ? for one byte.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func arnLike(pattern, arn string) bool {
	patterns, parts := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(patterns) == 6 && len(parts) == 6 && patterns[4] == "" {
		// Terraform does not know the account with skip_requesting_account_id. There is one here.
		patterns[4] = parts[4]
	}
	return slices.EqualFunc(patterns, parts, like)
}

// like costs at most the product of both lengths.
func like(pattern, text string) bool {
	star, from := -1, 0
	p := 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
