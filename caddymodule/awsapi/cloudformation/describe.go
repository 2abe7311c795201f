package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/stack"
)

// drift is what answers say of drift: nothing is compared.
type drift struct{ StackDriftStatus string }

type resourceDrift struct{ StackResourceDriftStatus string }

// A shownStack is a stack as DescribeStacks has it.
type shownStack struct {
	StackID                     string `json:"StackId"`
	StackName                   string
	ChangeSetID                 string `json:"ChangeSetId,omitempty"`
	Description                 string `json:",omitempty"`
	Parameters                  []stack.Parameter
	CreationTime                string
	DeletionTime                string `json:",omitempty"`
	LastUpdatedTime             string `json:",omitempty"`
	RollbackConfiguration       struct{}
	StackStatus                 string
	StackStatusReason           string `json:",omitempty"`
	DisableRollback             bool
	NotificationARNs            []string
	TimeoutInMinutes            int `json:",omitempty"`
	Capabilities                []string
	Outputs                     []stack.Output
	RoleARN                     string `json:",omitempty"`
	Tags                        []stack.Tag
	EnableTerminationProtection bool
	ParentID                    string `json:"ParentId,omitempty"`
	RootID                      string `json:"RootId,omitempty"`
	DriftInformation            drift
}

func (s *service) show(ctx context.Context, of *stack.Stack) (*shownStack, error) {
	setting, err := s.Engine.Setting(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	out := &shownStack{
		StackID: of.ID, StackName: of.Name, ChangeSetID: of.ChangeSetID, Description: of.Description, Parameters: of.Parameters,
		CreationTime: stamp(of.Created), DeletionTime: stamp(of.Deleted), LastUpdatedTime: stamp(of.Updated), StackStatus: of.Status,
		StackStatusReason: of.Reason, DisableRollback: of.OnFailure == "DO_NOTHING", TimeoutInMinutes: int(of.Timeout.Minutes()),
		Capabilities: of.Capabilities, Outputs: of.Outputs, RoleARN: of.RoleARN, Tags: of.Tags, EnableTerminationProtection: setting.Protected,
		ParentID: of.Parent, RootID: of.Root, DriftInformation: drift{"NOT_CHECKED"},
	}
	if of.Status == stack.Deleted || of.Status == stack.InReview {
		out.Outputs = nil
	}
	return out, nil
}

type describeInput struct{ StackName, NextToken string }

type stacksOutput struct {
	Stacks    []*shownStack
	NextToken string `json:",omitempty"`
}

const pageOfStacks = 100

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func (s *service) describeStacks(ctx context.Context, in *describeInput) (*stacksOutput, error) {
	out := new(stacksOutput)
	var page []*stack.Stack
	if in.StackName != "" {
		of, err := s.Engine.Stack(ctx, in.StackName)
		if err != nil {
			return nil, err
		}
		page = []*stack.Stack{of}
	} else {
		all, err := s.Engine.Stacks(ctx)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(of *stack.Stack) bool { return of.Status == stack.Deleted })
		if page, out.NextToken, err = pageOf(all, in.NextToken, pageOfStacks); err != nil {
			return nil, err
		}
	}
	for _, of := range page {
		one, err := s.show(ctx, of)
		if err != nil {
			return nil, err
		}
		out.Stacks = append(out.Stacks, one)
	}
	return out, nil
}

type listInput struct {
	NextToken         string
	StackStatusFilter []string
}

type summary struct {
	StackID             string `json:"StackId"`
	StackName           string
	TemplateDescription string `json:",omitempty"`
	CreationTime        string
	LastUpdatedTime     string `json:",omitempty"`
	DeletionTime        string `json:",omitempty"`
	StackStatus         string
	StackStatusReason   string `json:",omitempty"`
	ParentID            string `json:"ParentId,omitempty"`
	RootID              string `json:"RootId,omitempty"`
	DriftInformation    drift
}

type summariesOutput struct {
	StackSummaries []summary
	NextToken      string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html
func (s *service) listStacks(ctx context.Context, in *listInput) (*summariesOutput, error) {
	all, err := s.Engine.Stacks(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.StackStatusFilter) > 0 {
		all = slices.DeleteFunc(all, func(of *stack.Stack) bool { return !slices.Contains(in.StackStatusFilter, of.Status) })
	}
	page, next, err := pageOf(all, in.NextToken, pageOfStacks)
	if err != nil {
		return nil, err
	}
	out := &summariesOutput{NextToken: next}
	for _, of := range page {
		out.StackSummaries = append(out.StackSummaries, summary{
			of.ID, of.Name, of.Description, stamp(of.Created), stamp(of.Updated), stamp(of.Deleted), of.Status, of.Reason, of.Parent, of.Root, drift{"NOT_CHECKED"},
		})
	}
	return out, nil
}

type shownEvent struct {
	StackID              string `json:"StackId"`
	EventID              string `json:"EventId"`
	StackName            string
	LogicalResourceID    string `json:"LogicalResourceId"`
	PhysicalResourceID   string `json:"PhysicalResourceId"`
	ResourceType         string
	Timestamp            string
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	ResourceProperties   string `json:",omitempty"`
	ClientRequestToken   string `json:",omitempty"`
}

type eventsOutput struct {
	StackEvents []shownEvent
	NextToken   string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
func (s *service) describeEvents(ctx context.Context, in *describeInput) (*eventsOutput, error) {
	of, err := s.Engine.Stack(ctx, in.StackName)
	if err != nil {
		if strings.HasPrefix(in.StackName, "arn:") {
			return nil, err
		}
		return nil, invalid("Stack [%s] does not exist", in.StackName)
	}
	events, err := s.Engine.Events(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(events, in.NextToken, pageOfStacks)
	if err != nil {
		return nil, err
	}
	out := &eventsOutput{NextToken: next}
	for _, e := range page {
		out.StackEvents = append(out.StackEvents, shownEvent{
			of.ID, e.ID, of.Name, e.LogicalID, e.PhysicalID, e.Type, stamp(e.Time), e.Status, e.Reason, e.Properties, e.Token,
		})
	}
	return out, nil
}

type resourceInput struct{ StackName, LogicalResourceId, PhysicalResourceId, NextToken string }

type shownResource struct {
	StackName            string
	StackID              string `json:"StackId"`
	LogicalResourceID    string `json:"LogicalResourceId"`
	PhysicalResourceID   string `json:"PhysicalResourceId,omitempty"`
	ResourceType         string
	Timestamp            string
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	DriftInformation     resourceDrift
}

func shownOf(of *stack.Stack, one *stack.Resource) shownResource {
	return shownResource{of.Name, of.ID, one.LogicalID, one.PhysicalID, one.Type, stamp(one.Changed), one.Status, one.Reason, resourceDrift{"NOT_CHECKED"}}
}

type resourceDetail struct {
	StackName            string
	StackID              string `json:"StackId"`
	LogicalResourceID    string `json:"LogicalResourceId"`
	PhysicalResourceID   string `json:"PhysicalResourceId,omitempty"`
	ResourceType         string
	LastUpdatedTimestamp string
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	Metadata             string `json:",omitempty"`
	DriftInformation     resourceDrift
}

type detailOutput struct{ StackResourceDetail resourceDetail }

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html
func (s *service) describeResource(ctx context.Context, in *resourceInput) (*detailOutput, error) {
	of, err := s.Engine.Stack(ctx, in.StackName)
	if err != nil {
		return nil, invalid("Stack '%s' does not exist", in.StackName)
	}
	one, err := s.Engine.Resource(ctx, of.ID, in.LogicalResourceId)
	if err != nil {
		return nil, err
	}
	if one == nil {
		return nil, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, of.Name)
	}
	return &detailOutput{resourceDetail{
		of.Name, of.ID, one.LogicalID, one.PhysicalID, one.Type, stamp(one.Changed), one.Status, one.Reason, stack.MetadataText(one), resourceDrift{"NOT_CHECKED"},
	}}, nil
}

type resourcesOutput struct{ StackResources []shownResource }

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html
func (s *service) describeResources(ctx context.Context, in *resourceInput) (*resourcesOutput, error) {
	switch {
	case in.StackName != "" && in.PhysicalResourceId != "":
		return nil, invalid("Either stack name or physical resource id can be specified, but not both")
	case in.StackName == "" && in.PhysicalResourceId == "":
		return nil, invalid("Either stack name or physical resource id must be specified")
	}
	out := new(resourcesOutput)
	if in.PhysicalResourceId != "" {
		of, err := s.Engine.StackOf(ctx, in.PhysicalResourceId)
		if err != nil {
			return nil, err
		}
		if of == nil {
			return nil, invalid("Stack for %s does not exist", in.PhysicalResourceId)
		}
		in.StackName = of.ID
	}
	of, err := s.Engine.Stack(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	all, err := s.Engine.Resources(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if in.LogicalResourceId == "" || one.LogicalID == in.LogicalResourceId {
			out.StackResources = append(out.StackResources, shownOf(of, one))
		}
	}
	if in.LogicalResourceId != "" && len(out.StackResources) == 0 {
		return nil, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, of.Name)
	}
	return out, nil
}

type resourceSummary struct {
	LogicalResourceID    string `json:"LogicalResourceId"`
	PhysicalResourceID   string `json:"PhysicalResourceId,omitempty"`
	ResourceType         string
	LastUpdatedTimestamp string
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	DriftInformation     resourceDrift
}

type resourceSummariesOutput struct {
	StackResourceSummaries []resourceSummary
	NextToken              string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html
func (s *service) listResources(ctx context.Context, in *resourceInput) (*resourceSummariesOutput, error) {
	of, err := s.Engine.Stack(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	all, err := s.Engine.Resources(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(all, in.NextToken, pageOfStacks)
	if err != nil {
		return nil, err
	}
	out := &resourceSummariesOutput{NextToken: next}
	for _, one := range page {
		out.StackResourceSummaries = append(out.StackResourceSummaries, resourceSummary{
			one.LogicalID, one.PhysicalID, one.Type, stamp(one.Changed), one.Status, one.Reason, resourceDrift{"NOT_CHECKED"},
		})
	}
	return out, nil
}

type exportsOutput struct {
	Exports   []*stack.Export
	NextToken string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListExports.html
func (s *service) listExports(ctx context.Context, in *describeInput) (*exportsOutput, error) {
	all, err := s.Engine.Exports(ctx)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(all, in.NextToken, pageOfStacks)
	return &exportsOutput{page, next}, err
}

type importsInput struct{ ExportName, NextToken string }

type importsOutput struct {
	Imports   []string
	NextToken string `json:",omitempty"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListImports.html
func (s *service) listImports(ctx context.Context, in *importsInput) (*importsOutput, error) {
	all, err := s.Engine.Importers(ctx, in.ExportName)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, invalid("Export '%s' is not imported by any stack.", in.ExportName)
	}
	page, next, err := pageOf(all, in.NextToken, pageOfStacks)
	return &importsOutput{page, next}, err
}

type limit struct {
	Name  string
	Value int
}

type limitsOutput struct{ AccountLimits []limit }

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeAccountLimits.html
func (s *service) accountLimits(context.Context, *describeInput) (*limitsOutput, error) {
	return &limitsOutput{[]limit{{"StackLimit", stack.MaxStacks}}}, nil
}
