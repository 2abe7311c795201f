package ssm

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
)

// Limits of an account and of values, in parameters and in characters.
// https://docs.aws.amazon.com/general/latest/gr/ssm.html
const (
	maxParameters = 10000
	maxStandard   = 4096
	maxAdvanced   = 8192
)

const (
	secure   = "SecureString"
	standard = "Standard"
	advanced = "Advanced"
)

type putInput struct {
	Name, Value, Type, KeyId string
	Description              *string
	Overwrite                bool
	AllowedPattern, Tier     string
	Policies, DataType       string
	Tags                     []tag
}

type putOutput struct {
	Version int
	Tier    string
}

// check refuses what nothing acts on.
func (in *putInput) check() error {
	if err := checkName(in.Name); err != nil {
		return err
	}
	switch {
	case in.Policies != "" && in.Policies != "[]":
		return exception("InvalidPolicyTypeException", "Policies of parameters are not supported: parameters of this server do not expire.")
	case in.DataType != "" && in.DataType != "text":
		return invalid("DataType %s is not supported: there are parameters of the data type text alone.", in.DataType)
	case in.KeyId != "" && in.Type != secure:
		return invalid("KeyId is allowed for parameters of the type SecureString alone.")
	case in.KeyId != "" && in.KeyId != defaultKey:
		return exception("InvalidKeyId", "KeyId %s is not supported: there is no KMS here. Parameters are encrypted by a key of this server, %s.", in.KeyId, defaultKey)
	case in.Value == "":
		return invalid("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	case in.Overwrite && len(in.Tags) > 0:
		return invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	if in.AllowedPattern == "" {
		return nil
	}
	pattern, err := regexp.Compile(in.AllowedPattern)
	switch {
	case err != nil:
		return exception("InvalidAllowedPatternException", "The request does not meet the regular expression requirement: %v", err)
	case !pattern.MatchString(in.Value):
		return exception("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", in.AllowedPattern)
	}
	return nil
}

// tier is the tier that a value gets.
func (in *putInput) tier(old string) (string, error) {
	size, tier := utf8.RuneCountInString(in.Value), cmp.Or(in.Tier, old, standard)
	if tier == "Intelligent-Tiering" {
		if tier = cmp.Or(old, standard); size > maxStandard {
			tier = advanced
		}
	}
	switch {
	case tier == standard && old == advanced:
		return "", invalid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier.")
	case tier == standard && size > maxStandard:
		return "", invalid("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.", maxStandard)
	case size > maxAdvanced:
		return "", invalid("Advanced tier parameters support a maximum parameter value of %d characters.", maxAdvanced)
	}
	return tier, nil
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func (s *service) put(ctx context.Context, in *putInput) (*putOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	var out putOutput
	return &out, s.change(ctx, in.Name, func(old *parameter) (*parameter, error) {
		p := &parameter{Name: in.Name}
		switch {
		case old == nil && in.Type == "":
			return nil, invalid("A parameter type is required when you create a parameter.")
		case old == nil:
			if n, err := s.count(ctx); err != nil {
				return nil, err
			} else if n >= maxParameters {
				return nil, exception("ParameterLimitExceeded", "There are %d parameters, which is the most.", n)
			}
		case !in.Overwrite:
			return nil, exception("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		case in.Type != "" && in.Type != old.Type:
			return nil, exception("HierarchyTypeMismatchException", "Parameter Store does not support changing a parameter type in a hierarchy: %s is a %s.", in.Name, old.Type)
		default:
			p = old
		}
		var err error
		if p.Tier, err = in.tier(p.Tier); err != nil {
			return nil, err
		}
		if p.Tags, err = merge(p.Tags, in.Tags); err != nil {
			return nil, err
		}
		p.Type, p.Value = cmp.Or(in.Type, p.Type), in.Value
		if p.Type == secure {
			p.Value = s.seal(p.Name, in.Value)
		}
		if in.Description != nil {
			p.Description = *in.Description
		}
		p.Pattern = in.AllowedPattern
		p.Version++
		p.Modified = s.Now().UTC()
		out = putOutput{p.Version, p.Tier}
		return p, nil
	})
}

// A timestamp is seconds since 1970, as the JSON protocol has it.
type timestamp time.Time

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(t).UnixMilli()) / 1000)
}

// A shown is a parameter as answers have it.
type shown struct {
	Name, Type, Value string
	Version           int
	Selector          string `json:",omitempty"`
	LastModifiedDate  timestamp
	ARN, DataType     string
}

// show decrypts if the client asks for that. Else it shows what is kept, as AWS.
func (s *service) show(p *parameter, decrypt bool) (*shown, error) {
	value, err := p.Value, error(nil)
	if p.Type == secure && decrypt {
		value, err = s.open(p.Name, p.Value)
	}
	return &shown{
		Name: p.Name, Type: p.Type, Value: value, Version: p.Version, LastModifiedDate: timestamp(p.Modified), ARN: s.arn(p.Name), DataType: "text",
	}, err
}

// find finds the parameter that a reader names, with its current version. nil: there is none.
func (s *service) find(ctx context.Context, r reference) (*parameter, error) {
	for _, name := range r.names {
		if name == "" || checkName(name) != nil {
			continue
		}
		if p, _, err := s.read(ctx, name); p != nil || err != nil {
			return p, err
		}
		if name == bootstrapParameter {
			return &parameter{Name: name, Type: "String", Value: bootstrapVersion, Version: 1, Modified: time.Unix(0, 0).UTC(), Tier: "Standard"}, nil
		}
	}
	return nil, nil
}

// The CDK asks by a parameter whether somebody has bootstrapped the account. All that it needs is
// here by itself, so the parameter is, too, until somebody puts another value.
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
const (
	bootstrapParameter = "/cdk-bootstrap/hnb659fds/version"
	bootstrapVersion   = "30"
)

type getInput struct {
	Name           string
	WithDecryption bool
}

type getOutput struct{ Parameter *shown }

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
func (s *service) get(ctx context.Context, in *getInput) (*getOutput, error) {
	r := s.refer(in.Name)
	p, err := s.find(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, missing(in.Name)
	case !r.takes(p):
		return nil, exception("ParameterVersionNotFound", "Systems Manager could not find version %.100s of %s. This server keeps the current version alone, and no labels.", r.selector[1:], p.Name)
	}
	v, err := s.show(p, in.WithDecryption)
	if err != nil {
		return nil, err
	}
	v.Selector = r.selector
	return &getOutput{v}, nil
}

type someInput struct {
	Names          []string
	WithDecryption bool
}

type someOutput struct {
	Parameters        []*shown
	InvalidParameters []string
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
func (s *service) getSome(ctx context.Context, in *someInput) (*someOutput, error) {
	out := &someOutput{[]*shown{}, []string{}}
	for _, name := range in.Names {
		r := s.refer(name)
		p, err := s.find(ctx, r)
		if err != nil {
			return nil, err
		}
		if p == nil || !r.takes(p) {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		v, err := s.show(p, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		v.Selector = r.selector
		out.Parameters = append(out.Parameters, v)
	}
	return out, nil
}

// remove reports whether there was a parameter.
func (s *service) remove(ctx context.Context, name string) (found bool, err error) {
	p, err := s.find(ctx, reference{names: []string{name}})
	if p == nil || err != nil {
		return false, err
	}
	err = s.change(ctx, name, func(p *parameter) (*parameter, error) {
		found = p != nil
		return nil, nil
	})
	return found, err
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html
func (s *service) delete(ctx context.Context, in *getInput) (awsapi.None, error) {
	found, err := s.remove(ctx, in.Name)
	if err == nil && !found {
		err = missing(in.Name)
	}
	return awsapi.None{}, err
}

type deletedOutput struct{ DeletedParameters, InvalidParameters []string }

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html
func (s *service) deleteSome(ctx context.Context, in *someInput) (*deletedOutput, error) {
	out := &deletedOutput{[]string{}, []string{}}
	for _, name := range in.Names {
		found, err := s.remove(ctx, name)
		switch {
		case err != nil:
			return nil, err
		case found:
			out.DeletedParameters = append(out.DeletedParameters, name)
		default:
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}
