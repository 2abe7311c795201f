package lambda

import (
	"encoding/json"
	"errors"
	"regexp"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type permissionInput struct {
	FunctionName, Qualifier, StatementId, Action, Principal string
	SourceArn, SourceAccount, EventSourceToken              string
	FunctionUrlAuthType, PrincipalOrgID, RevisionId         string
	InvokedViaFunctionUrl                                   *bool
}

var (
	accountPattern = regexp.MustCompile(`^\d{12}$`)
	servicePattern = regexp.MustCompile(`^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$`)
	arnPattern     = regexp.MustCompile(`^arn:[a-z0-9-]+:(iam|sts)::\d{12}:.+$`)
)

// principal is the one to whom a permission is given, as IAM writes it.
func principal(text string) (json.RawMessage, error) {
	var value any
	switch {
	case text == "*":
		value = "*"
	case accountPattern.MatchString(text):
		value = map[string]string{"AWS": "arn:aws:iam::" + text + ":root"}
	case arnPattern.MatchString(text):
		value = map[string]string{"AWS": text}
	case servicePattern.MatchString(text):
		value = map[string]string{"Service": text}
	default:
		return nil, invalid("The provided principal was invalid. Please check the principal and try again.")
	}
	return json.Marshal(value)
}

// condition is when a permission holds, as IAM writes it; nil for always.
func (in *permissionInput) condition() (json.RawMessage, error) {
	conditions := make(map[string]map[string]string)
	add := func(operator, key, value string) {
		if value == "" {
			return
		}
		if conditions[operator] == nil {
			conditions[operator] = make(map[string]string)
		}
		conditions[operator][key] = value
	}
	add("ArnLike", "AWS:SourceArn", in.SourceArn)
	add("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	add("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	add("StringEquals", "lambda:EventSourceToken", in.EventSourceToken)
	add("StringEquals", "lambda:FunctionUrlAuthType", in.FunctionUrlAuthType)
	if in.InvokedViaFunctionUrl != nil && *in.InvokedViaFunctionUrl {
		add("Bool", "lambda:InvokedViaFunctionUrl", "true")
	}
	if len(conditions) == 0 {
		return nil, nil
	}
	return json.Marshal(conditions)
}

type statementOutput struct {
	Statement  string
	RevisionId string `json:",omitempty"` // of layers
}

// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func addPermission(a *API, r *request, in *permissionInput) (*statementOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if f.qualifier == function.Latest {
		return nil, invalid("We currently do not support adding policies for $LATEST.")
	}
	if _, err := a.lookup(r, f); err != nil {
		return nil, a.missingQualifier(err, f)
	}
	s := registry.Statement{Sid: in.StatementId, Effect: "Allow", Action: in.Action, Resource: a.arn(f)}
	if s.Principal, err = principal(in.Principal); err != nil {
		return nil, err
	}
	if s.Condition, err = in.condition(); err != nil {
		return nil, err
	}
	_, err = a.Registry.Policies.Put(r.Context(), f.name, f.orLatest(), func(p *registry.Policy, exists bool) error {
		if exists {
			err = p.Check(in.RevisionId)
		} else {
			err = a.checkRevision(r, f, in.RevisionId)
		}
		if err != nil {
			return err
		}
		return addStatement(p, s)
	})
	if err != nil {
		return nil, outdated(a.notFound(err, f), "GetPolicy")
	}
	text, err := json.Marshal(s)
	return &statementOutput{Statement: string(text)}, err
}

// checkRevision holds a call to the revision of what has no policy yet.
func (a *API) checkRevision(r *request, f reference, id string) error {
	if id == "" {
		return nil
	}
	v, err := a.lookup(r, f)
	if err != nil {
		return err
	}
	latest := v.RevisionID
	if f.orLatest() != function.Latest && !isNumber(f.qualifier) {
		alias, err := a.Registry.Alias(r.Context(), f.name, f.qualifier)
		if err != nil {
			return err
		}
		latest = alias.RevisionID
	}
	if id != latest {
		return registry.ErrPrecondition
	}
	return nil
}

// maxPolicy is AWS's limit, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPolicy = 20 << 10

func addStatement(p *registry.Policy, s registry.Statement) error {
	err := p.Add(s)
	if errors.Is(err, registry.ErrConflict) {
		return exception("ResourceConflictException", "The statement id ("+s.Sid+") provided already exists. Please provide a new statement id, or remove the existing statement.")
	}
	if err != nil {
		return err
	}
	if text, err := policyText(p); err != nil || len(text) <= maxPolicy {
		return err
	}
	return exception("PolicyLengthExceededException", "The final policy size is bigger than the limit (20480).")
}

// policyText is a policy as IAM writes it.
func policyText(p *registry.Policy) (string, error) {
	text, err := json.Marshal(struct {
		Version, Id string
		Statement   []registry.Statement
	}{"2012-10-17", "default", p.Statements})
	return string(text), err
}

type policyOutput struct{ Policy, RevisionId string }

func newPolicyOutput(p *registry.Policy) (*policyOutput, error) {
	if len(p.Statements) == 0 {
		return nil, exception("ResourceNotFoundException", noPolicy)
	}
	text, err := policyText(p)
	return &policyOutput{text, p.RevisionID}, err
}

const noPolicy = "The resource you requested does not exist."

// https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
func getPolicy(a *API, r *request, in *functionInput) (*policyOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	p, err := a.Registry.Policies.Read(r.Context(), f.name, f.orLatest())
	if err != nil {
		return nil, missing(err, noPolicy)
	}
	return newPolicyOutput(&p)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html
func removePermission(a *API, r *request, in *permissionInput) (none, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return none{}, err
	}
	if _, err := a.lookup(r, f); err != nil {
		if f.qualifier == "" {
			return none{}, missing(err, "No policy found for: "+a.arn(f))
		}
		return none{}, a.missingQualifier(err, f)
	}
	_, err = a.Registry.Policies.Put(r.Context(), f.name, f.orLatest(), func(p *registry.Policy, exists bool) error {
		if !exists || len(p.Statements) == 0 {
			return exception("ResourceNotFoundException", "No policy is associated with the given resource.")
		}
		if err := p.Check(in.RevisionId); err != nil {
			return err
		}
		return removeStatement(p, in.StatementId)
	})
	return none{}, outdated(a.notFound(err, f), "GetPolicy")
}

func removeStatement(p *registry.Policy, sid string) error {
	return missing(p.Remove(sid), "Statement "+sid+" is not found in resource policy.")
}
