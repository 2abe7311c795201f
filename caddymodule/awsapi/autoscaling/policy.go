package autoscaling

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/invoker/scaling"
)

const (
	targetTracking = "TargetTrackingScaling"
	utilization    = "LambdaProvisionedConcurrencyUtilization"
)

type predefined struct {
	PredefinedMetricType string
	ResourceLabel        string `json:",omitempty"`
}

type tracking struct {
	TargetValue                       *float64
	PredefinedMetricSpecification     *predefined `json:",omitempty"`
	CustomizedMetricSpecification     any         `json:",omitempty"`
	ScaleOutCooldown, ScaleInCooldown *int        `json:",omitempty"`
	DisableScaleIn                    *bool       `json:",omitempty"`
}

type policyInput struct {
	ServiceNamespace, ResourceID, ScalableDimension                      string
	PolicyName, PolicyType                                               string
	TargetTrackingScalingPolicyConfiguration                             *tracking
	StepScalingPolicyConfiguration, PredictiveScalingPolicyConfiguration any
}

type alarm struct{}

type policyOutput struct {
	PolicyARN string
	Alarms    []alarm // none: nothing here is a CloudWatch alarm
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html
func (a *API) putPolicy(ctx context.Context, in *policyInput) (*policyOutput, error) {
	given := in.TargetTrackingScalingPolicyConfiguration
	switch kind := cmp.Or(in.PolicyType, "StepScaling"); {
	case in.PolicyName == "" || len(in.PolicyName) > 256 || strings.ContainsFunc(in.PolicyName, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, invalid("PolicyName %.260q: 1 to 256 printable characters.", in.PolicyName)
	case kind != targetTracking || in.StepScalingPolicyConfiguration != nil || in.PredictiveScalingPolicyConfiguration != nil:
		return nil, invalid("PolicyType %.64s is not supported for lambda: it is TargetTrackingScaling.", kind)
	case given == nil:
		return nil, missing("targetTrackingScalingPolicyConfiguration")
	case given.CustomizedMetricSpecification != nil:
		return nil, invalid("CustomizedMetricSpecification is not supported: the use of the provisioned concurrency is measured (PredefinedMetricSpecification %s).", utilization)
	case given.PredefinedMetricSpecification == nil:
		return nil, invalid("PredefinedMetricSpecification is required: %s.", utilization)
	case given.PredefinedMetricSpecification.PredefinedMetricType != utilization || given.PredefinedMetricSpecification.ResourceLabel != "":
		return nil, invalid("PredefinedMetricType %.64s is not supported for lambda: it is %s, without a ResourceLabel.", given.PredefinedMetricSpecification.PredefinedMetricType, utilization)
	case given.TargetValue == nil:
		return nil, missing("targetTrackingScalingPolicyConfiguration.targetValue")
	case !(*given.TargetValue > 0 && *given.TargetValue <= 1):
		return nil, invalid("TargetValue is %v, and has to be above 0, and at most 1: the part of the provisioned concurrency that is in use.", *given.TargetValue)
	}
	p := scaling.Policy{Name: in.PolicyName, ID: uuid.NewString(), Created: time.Now().UTC(), Value: *given.TargetValue}
	p.GivenOut, p.GivenIn, p.GivenDisable = given.ScaleOutCooldown != nil, given.ScaleInCooldown != nil, given.DisableScaleIn != nil
	set(&p.OutCooldown, given.ScaleOutCooldown)
	set(&p.InCooldown, given.ScaleInCooldown)
	set(&p.DisableScaleIn, given.DisableScaleIn)
	if p.OutCooldown < 0 || p.InCooldown < 0 {
		return nil, invalid("A cooldown cannot be less than 0 seconds.")
	}
	at := place{in.ServiceNamespace, in.ResourceID, in.ScalableDimension}
	r, err := at.resource()
	if err != nil {
		return nil, err
	}
	out := &policyOutput{Alarms: []alarm{}}
	return out, a.change(ctx, at, func(d *scaling.Document) (*scaling.Document, error) {
		if old := d.Policy(p.Name); old != nil {
			p.ID, p.Created, p.LastOut, p.LastIn = old.ID, old.Created, old.LastOut, old.LastIn
			*old = p
		} else {
			if len(d.Policies) >= scaling.MaxPolicies {
				return nil, &apiError{"LimitExceededException", "A scalable target has up to " + strconv.Itoa(scaling.MaxPolicies) + " policies."}
			}
			d.Policies = append(d.Policies, p)
			slices.SortFunc(d.Policies, func(a, b scaling.Policy) int { return strings.Compare(a.Name, b.Name) })
		}
		out.PolicyARN = a.policyARN(r, p)
		return d, nil
	})
}

func (a *API) policyARN(r scaling.Resource, p scaling.Policy) string {
	return a.partARN("scalingPolicy", p.ID, r, "policyName/"+p.Name)
}

type deletePolicyInput struct {
	ServiceNamespace, ResourceID, ScalableDimension, PolicyName string
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeleteScalingPolicy.html
func (a *API) deletePolicy(ctx context.Context, in *deletePolicyInput) (struct{}, error) {
	at := place{in.ServiceNamespace, in.ResourceID, in.ScalableDimension}
	return struct{}{}, a.change(ctx, at, func(d *scaling.Document) (*scaling.Document, error) {
		if d.Policy(in.PolicyName) == nil {
			return nil, notFound("scaling policy", at)
		}
		d.Policies = slices.DeleteFunc(d.Policies, func(one scaling.Policy) bool { return one.Name == in.PolicyName })
		return d, nil
	})
}

type policy struct {
	named
	PolicyARN, PolicyName, PolicyType        string
	TargetTrackingScalingPolicyConfiguration tracking
	Alarms                                   []alarm
	CreationTime                             timestamp
}

type policiesOutput struct {
	ScalingPolicies []policy
	NextToken       string `json:",omitempty"`
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingPolicies.html
func (a *API) describePolicies(ctx context.Context, in *listInput) (*policiesOutput, error) {
	var all []policy
	err := a.eachOf(ctx, in, func(r scaling.Resource, d *scaling.Document) {
		for _, one := range d.Policies {
			if len(in.PolicyNames) > 0 && !slices.Contains(in.PolicyNames, one.Name) {
				continue
			}
			t := tracking{TargetValue: &one.Value, PredefinedMetricSpecification: &predefined{PredefinedMetricType: utilization}}
			if one.GivenOut {
				t.ScaleOutCooldown = &one.OutCooldown
			}
			if one.GivenIn {
				t.ScaleInCooldown = &one.InCooldown
			}
			if one.GivenDisable {
				t.DisableScaleIn = &one.DisableScaleIn
			}
			all = append(all, policy{nameOf(r), a.policyARN(r, one), one.Name, targetTracking, t, []alarm{}, timestamp(one.Created)})
		}
	})
	if err != nil {
		return nil, err
	}
	out := new(policiesOutput)
	out.ScalingPolicies, out.NextToken, err = page(all, in.MaxResults, in.NextToken)
	return out, err
}
