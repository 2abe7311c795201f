package cloudformation

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/stack"
)

type createInput struct {
	about
	DisableRollback             bool
	OnFailure                   string
	TimeoutInMinutes            int
	StackPolicyBody             string
	StackPolicyURL              string
	EnableTerminationProtection bool
	RetainExceptOnCreate        bool
}

type idOutput struct {
	StackID string `json:"StackId"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
func (s *service) createStack(ctx context.Context, by stack.Identity, in *createInput) (*idOutput, error) {
	if in.DisableRollback && in.OnFailure != "" {
		return nil, invalid("You can specify either DisableRollback or OnFailure, but not both.")
	}
	r, err := s.request(ctx, by, &in.about, false)
	if err != nil {
		return nil, err
	}
	if r.OnFailure = in.OnFailure; in.DisableRollback || in.DeploymentConfig.keeps() {
		r.OnFailure = "DO_NOTHING"
	}
	r.Direct, r.ExceptOnCreate = true, in.RetainExceptOnCreate
	r.Protected, r.TimeoutMin = in.EnableTerminationProtection, in.TimeoutInMinutes
	if r.Policy, err = s.policy(ctx, by, in.StackPolicyBody, in.StackPolicyURL); err != nil {
		return nil, err
	}
	made, err := s.Engine.Create(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.begun(ctx, made.ID), nil
}

// soon is how long the answer to what begins an operation waits for its end. Clients ask after it
// every 30 seconds, so one that is told at once may wait that long for what takes half a second.
const soon = 3 * time.Second

func (s *service) begun(ctx context.Context, id string) *idOutput {
	s.Engine.Await(ctx, id, soon)
	return &idOutput{id}
}

// policy is that of a stack's updates.
func (s *service) policy(ctx context.Context, by stack.Identity, body, address string) (string, error) {
	if body == "" && address == "" {
		return "", nil
	}
	text, err := s.body(ctx, by, body, address, false)
	if err != nil {
		return "", err
	}
	if !json.Valid([]byte(text)) {
		return "", invalid("Error validating stack policy: Invalid stack policy")
	}
	return text, nil
}

type updateInput struct {
	about
	DisableRollback             bool
	StackPolicyBody             string
	StackPolicyURL              string
	StackPolicyDuringUpdateBody string
	StackPolicyDuringUpdateURL  string
	RetainExceptOnCreate        bool
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
func (s *service) updateStack(ctx context.Context, by stack.Identity, in *updateInput) (*idOutput, error) {
	policy, err := s.policy(ctx, by, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	// Policies are not enforced, so one that is set aside for an update only has to be one.
	if _, err := s.policy(ctx, by, in.StackPolicyDuringUpdateBody, in.StackPolicyDuringUpdateURL); err != nil {
		return nil, err
	}
	r, err := s.request(ctx, by, &in.about, true)
	if err != nil {
		return nil, err
	}
	r.Direct, r.ExceptOnCreate = true, in.RetainExceptOnCreate
	if in.DisableRollback || in.DeploymentConfig.keeps() {
		r.OnFailure = "DO_NOTHING"
	}
	changed, err := s.Engine.Update(ctx, r)
	if err != nil {
		return nil, err
	}
	if policy != "" {
		if err := s.Engine.Set(ctx, changed.ID, func(of *stack.Setting) { of.Policy = policy }); err != nil {
			return nil, err
		}
	}
	return s.begun(ctx, changed.ID), nil
}

type deleteInput struct {
	StackName          string
	RetainResources    []string
	RoleARN            string
	ClientRequestToken string
	DeletionMode       string
	DeploymentConfig   *deployment
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
func (s *service) deleteStack(ctx context.Context, by stack.Identity, in *deleteInput) (awsapi.None, error) {
	if in.DeletionMode == "FORCE_DELETE_STACK" {
		return awsapi.None{}, invalid("DeletionMode FORCE_DELETE_STACK is not supported: use RetainResources, which says what stays.")
	}
	if err := in.DeploymentConfig.check(); err != nil {
		return awsapi.None{}, err
	}
	id, err := s.Engine.Delete(ctx, in.StackName, in.ClientRequestToken, in.RoleARN, in.RetainResources, by)
	if err == nil {
		s.Engine.Await(ctx, id, soon)
	}
	return awsapi.None{}, err
}

type protectInput struct {
	StackName                   string
	EnableTerminationProtection bool
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateTerminationProtection.html
func (s *service) protect(ctx context.Context, in *protectInput) (*idOutput, error) {
	of, err := s.living(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	if of.Parent != "" {
		return nil, invalid("TerminationProtection cannot be changed on nested stack [%s]. Use the root stack.", of.Name)
	}
	return &idOutput{of.ID}, s.Engine.Set(ctx, of.ID, func(setting *stack.Setting) { setting.Protected = in.EnableTerminationProtection })
}

// living finds a stack that is not gone.
func (s *service) living(ctx context.Context, name string) (*stack.Stack, error) {
	of, err := s.Engine.Stack(ctx, name)
	if err == nil && of.Status == stack.Deleted {
		err = invalid("Stack [%s] does not exist", of.Name)
	}
	return of, err
}

type policyInput struct{ StackName, StackPolicyBody, StackPolicyURL string }

// setPolicy keeps a policy and gives it back. It is not enforced: docs/stacks.md says so.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SetStackPolicy.html
func (s *service) setPolicy(ctx context.Context, by stack.Identity, in *policyInput) (awsapi.None, error) {
	of, err := s.living(ctx, in.StackName)
	if err != nil {
		return awsapi.None{}, err
	}
	policy, err := s.policy(ctx, by, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return awsapi.None{}, err
	}
	if policy == "" {
		return awsapi.None{}, invalid("Either StackPolicyBody or StackPolicyURL must be specified")
	}
	return awsapi.None{}, s.Engine.Set(ctx, of.ID, func(setting *stack.Setting) { setting.Policy = policy })
}

type policyOutput struct {
	StackPolicyBody string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetStackPolicy.html
func (s *service) getPolicy(ctx context.Context, in *policyInput) (*policyOutput, error) {
	of, err := s.Engine.Stack(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	setting, err := s.Engine.Setting(ctx, of.ID)
	return &policyOutput{setting.Policy}, err
}

type operationInput struct {
	StackName            string
	ClientRequestToken   string
	ResourcesToSkip      []string
	RoleARN              string
	RetainExceptOnCreate bool
	ForceRollback        bool
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html
func (s *service) cancelUpdate(ctx context.Context, in *operationInput) (awsapi.None, error) {
	return awsapi.None{}, s.Engine.Cancel(ctx, in.StackName)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
func (s *service) continueRollback(ctx context.Context, by stack.Identity, in *operationInput) (*struct{}, error) {
	if in.ForceRollback {
		return nil, invalid("ForceRollback is not supported: name the resources that cannot be rolled back in ResourcesToSkip.")
	}
	if err := s.Engine.ContinueRollback(ctx, in.StackName, in.ClientRequestToken, in.RoleARN, in.ResourcesToSkip, by); err != nil {
		return nil, err
	}
	if of, err := s.Engine.Stack(ctx, in.StackName); err == nil {
		s.Engine.Await(ctx, of.ID, soon)
	}
	return &struct{}{}, nil
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html
func (s *service) rollbackStack(ctx context.Context, by stack.Identity, in *operationInput) (*idOutput, error) {
	of, err := s.Engine.Rollback(ctx, in.StackName, in.ClientRequestToken, in.RoleARN, in.RetainExceptOnCreate, by)
	if err != nil {
		return nil, err
	}
	return s.begun(ctx, of.ID), nil
}

type signalInput struct{ StackName, LogicalResourceId, UniqueId, Status string }

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html
func (s *service) signal(ctx context.Context, in *signalInput) (awsapi.None, error) {
	return awsapi.None{}, s.Engine.Signal(ctx, in.StackName, in.LogicalResourceId, in.UniqueId, in.Status)
}
