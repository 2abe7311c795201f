package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Request is what somebody wants to do.
type Request struct {
	Action   string // lambda:InvokeFunction
	Resource string // an ARN; "*" for actions that have none
	// Context are the values of condition keys, by their names in small letters. A key with
	// no values is known not to be there.
	Context map[string][]string

	// Principals are the names of who asks, of which a policy of a resource may name one: ARNs,
	// the account. Services are the names of services.
	Principals, Services []string
}

// An Effect is what policies say of a request.
type Effect int

// Nothing allows no more than no policy does. A Deny is stronger than any Allow.
const (
	Nothing Effect = iota
	Allow
	Deny
)

// A Document is a policy.
type Document struct {
	statements []statement
	variables  bool // ${...} stand for values
}

type statement struct {
	deny                    bool
	action, notAction       texts
	resource, notResource   texts
	principal, notPrincipal *principal
	conditions              []condition
}

// texts are one text or several.
type texts []string

// UnmarshalJSON implements json.Unmarshaler. A boolean or a number stands for its text.
func (t *texts) UnmarshalJSON(data []byte) error {
	var all []any
	if len(data) == 0 || data[0] != '[' {
		data = append(append([]byte{'['}, data...), ']')
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		return err
	}
	for _, one := range all {
		switch v := one.(type) {
		case string:
			*t = append(*t, v)
		case bool, json.Number:
			*t = append(*t, fmt.Sprint(v))
		default:
			return fmt.Errorf("%v is no text", v)
		}
	}
	return nil
}

// A principal is who a statement of a resource's policy is about.
type principal struct {
	anyone   bool
	aws      texts
	services texts
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *principal) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		p.anyone = text == "*"
		return nil
	}
	var kinds struct{ AWS, Service texts } // federated principals do not come here
	if err := json.Unmarshal(data, &kinds); err != nil {
		return err
	}
	p.aws, p.services = kinds.AWS, kinds.Service
	return nil
}

func (p *principal) matches(r *Request) bool {
	if p.anyone {
		return true
	}
	for _, name := range p.aws {
		if name == "*" || slices.Contains(r.Principals, name) {
			return true
		}
	}
	return slices.ContainsFunc(p.services, func(name string) bool { return slices.Contains(r.Services, name) })
}

// Parse reads a policy.
func Parse(text string) (*Document, error) {
	var raw struct {
		Version   string
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, err
	}
	list := raw.Statement
	if len(list) > 0 && list[0] == '{' {
		list = append(append(json.RawMessage{'['}, list...), ']')
	}
	var all []struct {
		Effect                  string
		Action, NotAction       texts
		Resource, NotResource   texts
		Principal, NotPrincipal *principal
		Condition               map[string]map[string]texts
	}
	if err := json.Unmarshal(list, &all); err != nil {
		return nil, err
	}
	d := &Document{variables: raw.Version == "2012-10-17"}
	for _, st := range all {
		if st.Effect != "Allow" && st.Effect != "Deny" {
			return nil, fmt.Errorf("effect %q is neither Allow nor Deny", st.Effect)
		}
		one := statement{
			deny: st.Effect == "Deny", action: st.Action, notAction: st.NotAction, resource: st.Resource, notResource: st.NotResource,
			principal: st.Principal, notPrincipal: st.NotPrincipal,
		}
		for operator, keys := range st.Condition {
			for key, values := range keys {
				one.conditions = append(one.conditions, newCondition(operator, key, values))
			}
		}
		d.statements = append(d.statements, one)
	}
	return d, nil
}

// Of is what the policy says of a request.
func (d *Document) Of(r *Request) Effect {
	effect := Nothing
	for n := range d.statements {
		st := &d.statements[n]
		if !st.matches(r, d.variables) {
			continue
		}
		if st.deny {
			return Deny
		}
		effect = Allow
	}
	return effect
}

// Names reports whether an allowing statement names one of the principals itself, and not only
// the account or everybody. Then the policies of the principal need not allow it too.
func (d *Document) Names(r *Request, principals []string) bool {
	for n := range d.statements {
		st := &d.statements[n]
		if st.deny || st.principal == nil || !st.matches(r, d.variables) {
			continue
		}
		if slices.ContainsFunc(st.principal.aws, func(name string) bool { return slices.Contains(principals, name) }) {
			return true
		}
	}
	return false
}

func (st *statement) matches(r *Request, variables bool) bool {
	switch {
	case st.principal != nil && !st.principal.matches(r),
		st.notPrincipal != nil && st.notPrincipal.matches(r),
		st.action != nil && !matchesAction(st.action, r.Action),
		st.notAction != nil && matchesAction(st.notAction, r.Action):
		return false
	}
	if st.resource != nil && !st.matchesResource(st.resource, r, variables, st.deny) ||
		st.notResource != nil && st.matchesResource(st.notResource, r, variables, !st.deny) {
		return false
	}
	return fulfilled(st.conditions, r, variables, st.deny)
}

func matchesAction(patterns texts, action string) bool {
	action = strings.ToLower(action)
	return slices.ContainsFunc(patterns, func(p string) bool { return Like(strings.ToLower(p), action) })
}

// matchesResource compares a resource with patterns. A * stays within one of the six parts of an
// ARN, unless wide: then it need not, which is for what denies.
func (st *statement) matchesResource(patterns texts, r *Request, variables, wide bool) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		pattern, ok := expand(p, r, variables)
		if !ok {
			return wide
		}
		if p == "*" || arnLike(pattern, r.Resource) {
			return true
		}
		return wide && like(pattern, r.Resource)
	})
}

// Decide is what the policies of a role say together, and what is to blame for a refusal. nil
// for boundary: there is none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func Decide(r *Request, policies []*Document, boundary *Document) (allowed bool, because string) {
	effect := Nothing
	for _, d := range policies {
		switch d.Of(r) {
		case Deny:
			return false, "with an explicit deny in an identity-based policy"
		case Allow:
			effect = Allow
		}
	}
	if boundary != nil {
		switch boundary.Of(r) {
		case Deny:
			return false, "with an explicit deny in a permissions boundary"
		case Nothing:
			if effect == Allow {
				return false, "because no permissions boundary allows the " + r.Action + " action"
			}
		}
	}
	if effect != Allow {
		return false, "because no identity-based policy allows the " + r.Action + " action"
	}
	return true, ""
}
