package cloudformation

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hearthfn/hearth/caddymodule/stack"
)

type createSetInput struct {
	about
	ChangeSetName           string
	ClientToken             string
	Description             string
	ChangeSetType           string
	ResourcesToImport       []struct{ ResourceType string }
	IncludeNestedStacks     bool
	OnStackFailure          string
	ImportExistingResources bool
	DeploymentMode          string
}

type setOutput struct {
	ID      string `json:"Id"`
	StackID string `json:"StackId"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
func (s *service) createChangeSet(ctx context.Context, by stack.Identity, in *createSetInput) (*setOutput, error) {
	switch {
	case len(in.ResourcesToImport) > 0, in.ChangeSetType == "IMPORT":
		return nil, invalid("Imports of resources are not supported: a stack has what it made.")
	case in.DeploymentMode != "":
		return nil, invalid("DeploymentMode %s is not supported: there is no drift here.", in.DeploymentMode)
	}
	if in.ChangeSetType == "" {
		in.ChangeSetType = "UPDATE"
	}
	r, err := s.request(ctx, by, &in.about, true)
	if err != nil {
		return nil, err
	}
	if in.DeploymentConfig.keeps() {
		in.OnStackFailure = "DO_NOTHING"
	}
	r.OnFailure, r.Token, r.Import = in.OnStackFailure, in.ClientToken, in.ImportExistingResources
	made, err := s.Engine.CreateChangeSet(ctx, r, in.ChangeSetName, in.ChangeSetType, in.Description)
	if err != nil {
		return nil, err
	}
	return &setOutput{made.ID, made.StackID}, nil
}

type setInput struct {
	ChangeSetName, StackName, NextToken, ClientRequestToken string
	IncludePropertyValues                                   bool
	DisableRollback                                         *bool
	RetainExceptOnCreate                                    bool
}

type changeDetail struct {
	Target struct {
		Attribute          string
		Name               string `json:",omitempty"`
		RequiresRecreation string

		Path, BeforeValue, AfterValue, AttributeChangeType string `json:",omitempty"`
	}
	Evaluation   string
	ChangeSource string
}

type resourceChange struct {
	Action             string
	LogicalResourceID  string `json:"LogicalResourceId"`
	PhysicalResourceID string `json:"PhysicalResourceId,omitempty"`
	ResourceType       string
	Replacement        string `json:",omitempty"`
	Scope              []string
	Details            []changeDetail
	BeforeContext      string `json:",omitempty"`
	AfterContext       string `json:",omitempty"`
}

type shownChange struct {
	Type           string
	ResourceChange resourceChange
}

type shownSet struct {
	ChangeSetName         string
	ChangeSetID           string `json:"ChangeSetId"`
	StackID               string `json:"StackId"`
	StackName             string
	Description           string `json:",omitempty"`
	Parameters            []stack.Parameter
	CreationTime          string
	ExecutionStatus       string
	Status                string
	StatusReason          string `json:",omitempty"`
	NotificationARNs      []string
	RollbackConfiguration struct{}
	Capabilities          []string
	Tags                  []stack.Tag
	Changes               []shownChange
	NextToken             string `json:",omitempty"`
	IncludeNestedStacks   bool
	OnStackFailure        string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html
func (s *service) describeChangeSet(ctx context.Context, in *setInput) (*shownSet, error) {
	set, of, err := s.Engine.ChangeSet(ctx, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	if in.IncludePropertyValues {
		if err := s.Engine.ReadValues(ctx, set); err != nil {
			return nil, err
		}
	}
	page, next, err := pageOf(set.Changes, in.NextToken, pageOfStacks)
	if err != nil {
		return nil, err
	}
	out := &shownSet{
		ChangeSetName: set.Name, ChangeSetID: set.ID, StackID: set.StackID, StackName: of.Name, Description: set.Description, Parameters: set.Parameters,
		CreationTime: stamp(set.Created), ExecutionStatus: set.Execution, Status: set.Status, StatusReason: set.Reason,
		Capabilities: set.Request.Capabilities, Tags: set.Request.Tags, NextToken: next, OnStackFailure: set.Request.OnFailure,
	}
	for _, c := range page {
		out.Changes = append(out.Changes, shownChange{"Resource", shownChangeOf(&c)})
	}
	return out, nil
}

func shownChangeOf(c *stack.Change) resourceChange {
	out := resourceChange{Action: c.Action, LogicalResourceID: c.LogicalID, PhysicalResourceID: c.PhysicalID, ResourceType: c.ResourceType, Replacement: c.Replacement}
	out.BeforeContext, out.AfterContext = contextOf(c.Before), contextOf(c.After)
	if c.Action != "Modify" {
		return out
	}
	for _, name := range c.Properties {
		scope := "Properties"
		if name == "Tags" {
			scope = "Tags"
		}
		if !slices.Contains(out.Scope, scope) {
			out.Scope = append(out.Scope, scope)
		}
		detail := changeDetail{Evaluation: "Static", ChangeSource: "DirectModification"}
		detail.Target.Attribute, detail.Target.Name, detail.Target.RequiresRecreation = scope, name, "Never"
		if c.Replacement == "True" {
			detail.Target.RequiresRecreation = "Conditionally"
		}
		if c.Before != nil || c.After != nil {
			detail.Target.Path = "/" + scope
			if scope == "Properties" {
				detail.Target.Path += "/" + name
			}
			before, had := c.Before[name]
			after, has := c.After[name]
			detail.Target.BeforeValue, detail.Target.AfterValue = valueOf(before), valueOf(after)
			switch {
			case !had:
				detail.Target.AttributeChangeType = "Add"
			case !has:
				detail.Target.AttributeChangeType = "Remove"
			default:
				detail.Target.AttributeChangeType = "Modify"
			}
		}
		out.Details = append(out.Details, detail)
	}
	if len(out.Scope) == 0 {
		out.Scope = []string{"Metadata"}
	}
	return out
}

// contextOf is a resource before or after a change, as JSON; "" if there are no properties.
func contextOf(properties map[string]any) string {
	if properties == nil {
		return ""
	}
	return valueOf(map[string]any{"Properties": properties})
}

// valueOf is a text as it is, and other values as JSON.
func valueOf(v any) string {
	if text, ok := v.(string); ok || v == nil {
		return text
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "" // it came from JSON
	}
	return string(data)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
func (s *service) executeChangeSet(ctx context.Context, by stack.Identity, in *setInput) (*struct{}, error) {
	onFailure := ""
	if in.DisableRollback != nil && *in.DisableRollback {
		onFailure = "DO_NOTHING"
	}
	id, err := s.Engine.Execute(ctx, in.StackName, in.ChangeSetName, in.ClientRequestToken, by, onFailure, in.RetainExceptOnCreate)
	if err == nil {
		s.Engine.Await(ctx, id, soon)
	}
	return &struct{}{}, err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html
func (s *service) deleteChangeSet(ctx context.Context, in *setInput) (*struct{}, error) {
	return &struct{}{}, s.Engine.DeleteChangeSet(ctx, in.StackName, in.ChangeSetName)
}

type setSummary struct {
	StackID             string `json:"StackId"`
	StackName           string
	ChangeSetID         string `json:"ChangeSetId"`
	ChangeSetName       string
	ExecutionStatus     string
	Status              string
	StatusReason        string `json:",omitempty"`
	CreationTime        string
	Description         string `json:",omitempty"`
	IncludeNestedStacks bool
}

type setsOutput struct {
	Summaries []setSummary
	NextToken string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListChangeSets.html
func (s *service) listChangeSets(ctx context.Context, in *setInput) (*setsOutput, error) {
	of, err := s.Engine.Stack(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	all, err := s.Engine.ChangeSets(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(all, in.NextToken, pageOfStacks)
	if err != nil {
		return nil, err
	}
	out := &setsOutput{NextToken: next}
	for _, set := range page {
		out.Summaries = append(out.Summaries, setSummary{
			set.StackID, of.Name, set.ID, set.Name, set.Execution, set.Status, set.Reason, stamp(set.Created), set.Description, false,
		})
	}
	return out, nil
}
