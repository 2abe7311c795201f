package cloudformation

import (
	"context"

	"github.com/hearthfn/hearth/caddymodule/stack"
)

// A parameter is one as requests have it.
type parameter struct {
	ParameterKey, ParameterValue string
	UsePreviousValue             bool
	ResolvedValue                string
}

// about is what requests say of a template and of what it is used for.
type about struct {
	StackName             string
	TemplateBody          string
	TemplateURL           string
	UsePreviousTemplate   bool
	Parameters            []parameter
	Tags                  *[]stack.Tag
	Capabilities          []string
	NotificationARNs      []string
	ResourceTypes         []string
	RoleARN               string
	RollbackConfiguration *struct {
		RollbackTriggers        []struct{ Arn, Type string }
		MonitoringTimeInMinutes int
	}
	ClientRequestToken string
	DeploymentConfig   *deployment
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeploymentConfig.html
type deployment struct {
	Mode            string
	DisableRollback bool
}

func (d *deployment) check() error {
	if d != nil && d.Mode == "EXPRESS" {
		return invalid("DeploymentConfig with Mode EXPRESS is not supported: operations wait for nothing here once a resource is made. Use Mode STANDARD.")
	}
	return nil
}

// keeps reports whether what an operation has made stays when it fails.
func (d *deployment) keeps() bool { return d != nil && d.DisableRollback }

// maxTemplateBody is the limit of a template in a request, in bytes.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const maxTemplateBody = 51_200

// request is what is asked, with the template read.
func (s *service) request(ctx context.Context, by stack.Identity, in *about, mayUsePrevious bool) (*stack.Request, error) {
	switch {
	case len(in.NotificationARNs) > 0:
		return nil, invalid("NotificationARNs is not supported: events of stacks are not sent to topics. DescribeStackEvents has them.")
	case in.RollbackConfiguration != nil && len(in.RollbackConfiguration.RollbackTriggers) > 0:
		return nil, invalid("RollbackConfiguration with triggers is not supported: there are no alarms here.")
	case in.RollbackConfiguration != nil && in.RollbackConfiguration.MonitoringTimeInMinutes > 0:
		return nil, invalid("RollbackConfiguration with MonitoringTimeInMinutes is not supported: there are no alarms here.")
	case len(in.ResourceTypes) > 0:
		return nil, invalid("ResourceTypes is not supported: a key may make all types that this server has.")
	}
	out := &stack.Request{Name: in.StackName, Capabilities: in.Capabilities, RoleARN: in.RoleARN, Token: in.ClientRequestToken, By: by, KeepTags: in.Tags == nil, Given: stack.Given{Values: make(map[string]string)}}
	if in.Tags != nil {
		out.Tags = *in.Tags
	}
	for _, p := range in.Parameters {
		if p.UsePreviousValue {
			if p.ParameterValue != "" {
				return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true and non empty value for a parameter", p.ParameterKey)
			}
			out.Previous = append(out.Previous, p.ParameterKey)
			continue
		}
		if _, twice := out.Values[p.ParameterKey]; twice {
			return nil, invalid("Parameter %s is given twice", p.ParameterKey)
		}
		out.Values[p.ParameterKey] = p.ParameterValue
	}
	if err := in.DeploymentConfig.check(); err != nil {
		return nil, err
	}
	var err error
	out.Body, err = s.body(ctx, by, in.TemplateBody, in.TemplateURL, in.UsePreviousTemplate && mayUsePrevious)
	return out, err
}

// body is the template of a request; "" if it is the one that the stack has.
func (s *service) body(ctx context.Context, by stack.Identity, body, address string, previous bool) (string, error) {
	switch {
	case body != "" && address != "" || previous && (body != "" || address != ""):
		return "", invalid("Specify only one of TemplateBody, TemplateURL and UsePreviousTemplate.")
	case previous:
		return "", nil
	case body != "":
		if len(body) > maxTemplateBody {
			return "", invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to %d", maxTemplateBody)
		}
		return body, nil
	case address == "":
		return "", invalid("Either Template URL or Template Body must be specified.")
	}
	return s.Engine.Fetch(ctx, by, address)
}
