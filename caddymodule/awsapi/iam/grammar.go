package iam

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	evaluation "github.com/hearthfn/hearth/caddymodule/awsapi/policy"
)

// Sizes of policies, in characters that are no white space.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxTrust   = 2048
	maxManaged = 6144
)

// length is the size of a policy as AWS counts it.
func length(policy string) (n int) {
	for _, r := range policy {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// malformed is the exception for a policy that the grammar does not allow.
func malformed(format string, args ...any) error {
	return &awsapi.Exception{Name: "MalformedPolicyDocument", Message: fmt.Sprintf(format, args...)}
}

var errSyntax = malformed("Syntax errors in policy.")

// checkTrust checks who may assume a role.
func checkTrust(text string) error {
	if err := check(text, (*statement).checkTrust); err != nil {
		return err
	}
	if length(text) > maxTrust {
		return exceeded("Cannot exceed quota for ACLSizePerRole: %d", maxTrust)
	}
	return nil
}

// checkPolicy checks what a role may do.
func checkPolicy(text string) error { return check(text, (*statement).checkIdentity) }

// checkManaged is checkPolicy for a managed policy.
func checkManaged(text string) error {
	if err := checkPolicy(text); err != nil {
		return err
	}
	if length(text) > maxManaged {
		return exceeded("Cannot exceed quota for PolicySize: %d", maxManaged)
	}
	return nil
}

// A statement is one of a policy's.
type statement struct {
	Sid, Effect             string
	Principal, NotPrincipal json.RawMessage
	Action, NotAction       texts
	Resource, NotResource   texts
	Condition               map[string]map[string]json.RawMessage
}

// texts are one text or several.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*t = make(texts, 1)
		return json.Unmarshal(data, &(*t)[0])
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// check checks a policy after its grammar, and its statements.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func check(text string, checkStatement func(*statement) error) error {
	var policy struct {
		Version, Id string
		Statement   json.RawMessage
	}
	if !json.Valid([]byte(text)) {
		return malformed("This policy contains invalid Json")
	}
	if err := strict(text, &policy); err != nil {
		return err
	}
	switch policy.Version {
	case "", "2008-10-17", "2012-10-17":
	default:
		return malformed("The policy must contain a valid version string")
	}
	var all []statement
	if list := policy.Statement; len(list) > 0 && list[0] == '{' {
		list = append(append(json.RawMessage{'['}, list...), ']')
		policy.Statement = list
	}
	if len(policy.Statement) == 0 {
		return errSyntax
	}
	if err := strict(string(policy.Statement), &all); err != nil {
		return err
	}
	if len(all) == 0 {
		return errSyntax
	}
	seen := make(map[string]bool)
	for i := range all {
		st := &all[i]
		if st.Sid != "" && seen[st.Sid] {
			return malformed("Statement IDs (SID) in a single policy must be unique.")
		}
		seen[st.Sid] = true
		if err := st.check(); err != nil {
			return err
		}
		if err := checkStatement(st); err != nil {
			return err
		}
	}
	if _, err := evaluation.Parse(text); err != nil {
		return errSyntax
	}
	return nil
}

// strict reads JSON without members that are not known.
func strict(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if decoder.Decode(into) != nil {
		return errSyntax
	}
	return nil
}

func (st *statement) check() error {
	switch {
	case st.Effect != "Allow" && st.Effect != "Deny",
		st.Action != nil && st.NotAction != nil,
		st.Resource != nil && st.NotResource != nil,
		st.Principal != nil && st.NotPrincipal != nil:
		return errSyntax
	case len(st.Action) == 0 && len(st.NotAction) == 0:
		return malformed("Policy statement must contain actions.")
	}
	for _, action := range append(append(texts{}, st.Action...), st.NotAction...) {
		if vendor, name, found := strings.Cut(action, ":"); action != "*" && (!found || vendor == "" || name == "") {
			return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
		}
	}
	for operator := range st.Condition {
		if !evaluation.KnownOperator(operator) {
			return malformed("Invalid Condition type : %.64s.", operator)
		}
	}
	return nil
}

// checkIdentity checks a statement of a policy of a role.
func (st *statement) checkIdentity() error {
	switch {
	case st.Principal != nil || st.NotPrincipal != nil:
		return malformed("Policy document should not specify a principal.")
	case len(st.Resource) == 0 && len(st.NotResource) == 0:
		return malformed("Policy statement must contain resources.")
	}
	for _, resource := range append(append(texts{}, st.Resource...), st.NotResource...) {
		if resource != "*" && strings.Count(resource, ":") < 5 {
			return malformed("Resource %.256s must be in ARN format or \"*\".", resource)
		}
	}
	return nil
}

// checkTrust checks a statement of a trust policy.
func (st *statement) checkTrust() error {
	switch {
	case st.Resource != nil || st.NotResource != nil:
		return malformed("Has prohibited field Resource")
	case st.Principal == nil && st.NotPrincipal == nil:
		return malformed("Missing required field Principal")
	}
	for _, action := range append(append(texts{}, st.Action...), st.NotAction...) {
		if action != "*" && !strings.HasPrefix(strings.ToLower(action), "sts:") {
			return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
		}
	}
	principal := st.Principal
	if principal == nil {
		principal = st.NotPrincipal
	}
	if string(principal) == `"*"` {
		return nil
	}
	var kinds map[string]texts
	if json.Unmarshal(principal, &kinds) != nil || len(kinds) == 0 {
		return malformed("Invalid principal in policy.")
	}
	for kind, names := range kinds {
		switch kind {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return malformed("Invalid principal in policy: %.64q", kind)
		}
		if len(names) == 0 {
			return malformed("Invalid principal in policy.")
		}
	}
	return nil
}
