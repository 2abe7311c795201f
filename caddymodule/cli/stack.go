package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
)

// maxBody is CloudFormation's limit of a template in a request, in bytes. Larger ones are uploaded.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const maxBody = 51_200

// stackWithin bounds the wait for a stack. A custom resource alone may take an hour.
const stackWithin = 2 * time.Hour

// A stackDeploy is the deployment of one stack.
type stackDeploy struct {
	*Context
	target     *target
	api        *cloudformation.Client
	name       string
	template   []byte
	names      []string // of the template's parameters
	parameters map[string]string
	tags       map[string]string
	protect    bool // termination protection, as the CDK's manifest says

	seen map[string]bool // events that were printed, or that are of an operation before
}

// A deployedStack is the output of deploy for a stack.
type deployedStack struct {
	Stack   string            `json:"stack"`
	ID      string            `json:"id"`
	Status  string            `json:"status"`
	Changed bool              `json:"changed"`
	Changes []stackChange     `json:"changes"`
	Outputs map[string]string `json:"outputs"`
	URLs    []string          `json:"urls"`
}

// A stackChange is what becomes of a resource.
type stackChange struct {
	Action     string   `json:"action"` // add, change, replace or remove
	Resource   string   `json:"resource"`
	Type       string   `json:"type"`
	Properties []string `json:"properties,omitempty"` // that change
}

// run shows what changes, asks, and makes it so.
func (d *stackDeploy) run(ctx context.Context) error {
	before, err := d.describe(ctx)
	if err != nil {
		return err
	}
	set, err := d.changeSet(ctx, before)
	if err != nil {
		return err
	}
	out := &deployedStack{Stack: d.name, Changes: changesOf(set), Outputs: map[string]string{}, URLs: []string{}}
	if set.Status == types.ChangeSetStatusFailed {
		if err := d.discard(ctx, set, before); err != nil {
			return err
		}
		if !strings.Contains(aws.ToString(set.StatusReason), "didn't contain changes") {
			return errors.New(aws.ToString(set.StatusReason))
		}
		return d.finish(ctx, out, before)
	}
	d.show(out.Changes)
	if err := d.confirm(); err != nil {
		return errors.Join(err, d.discard(ctx, set, before))
	}
	if err := d.skipEvents(ctx); err != nil {
		return err
	}
	if _, err := d.api.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: set.ChangeSetId, StackName: set.StackId}); err != nil {
		return err
	}
	out.Changed = true
	after, err := d.settled(ctx, aws.ToString(set.StackId))
	if err != nil {
		return err
	}
	if status := after.StackStatus; status != types.StackStatusCreateComplete && status != types.StackStatusUpdateComplete {
		return fmt.Errorf("stack %s is %s: %s", d.name, status, cmp.Or(aws.ToString(after.StackStatusReason), "see its events above"))
	}
	if d.protect {
		in := &cloudformation.UpdateTerminationProtectionInput{StackName: set.StackId, EnableTerminationProtection: aws.Bool(true)}
		if _, err := d.api.UpdateTerminationProtection(ctx, in); err != nil {
			return err
		}
	}
	return d.finish(ctx, out, after)
}

// describe is the stack; nil if there is none.
func (d *stackDeploy) describe(ctx context.Context) (*types.Stack, error) {
	s, err := describeStack(ctx, d.api, d.name)
	if errors.As(err, new(missingError)) {
		return nil, nil
	}
	return s, err
}

// describeStack returns a missingError for a stack that is not there.
func describeStack(ctx context.Context, api *cloudformation.Client, name string) (*types.Stack, error) {
	out, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	var refused smithy.APIError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" && strings.Contains(refused.ErrorMessage(), "does not exist"):
		return nil, missingError{"there is no stack " + name}
	case err != nil:
		return nil, err
	case len(out.Stacks) != 1:
		return nil, fmt.Errorf("the server knows %s of the name %s", plural(len(out.Stacks), "stack"), name)
	}
	return &out.Stacks[0], nil
}

func (d *stackDeploy) changeSet(ctx context.Context, before *types.Stack) (*cloudformation.DescribeChangeSetOutput, error) {
	if before != nil && before.StackStatus == types.StackStatusRollbackComplete {
		return nil, fmt.Errorf("stack %s was never made (%s): remove what is left with caddy hearth delete --stack %s, and deploy again", d.name, before.StackStatus, d.name)
	}
	in := &cloudformation.CreateChangeSetInput{
		StackName: &d.name, ChangeSetName: aws.String(fmt.Sprintf("hearth-%d", time.Now().UnixNano())), ChangeSetType: types.ChangeSetTypeUpdate,
		// The change set is shown before anything is made.
		Capabilities: []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand},
	}
	if before == nil || before.StackStatus == types.StackStatusReviewInProgress {
		in.ChangeSetType = types.ChangeSetTypeCreate
	}
	if len(d.template) <= maxBody {
		in.TemplateBody = aws.String(string(d.template))
	} else {
		bucket, key, err := (&artefacts{Context: d.Context, target: d.target}).put(ctx, "template", d.template, ".template")
		if err != nil {
			return nil, err
		}
		in.TemplateURL = aws.String(objectURL(bucket, key))
	}
	for key, value := range d.parameters {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: &key, ParameterValue: &value})
	}
	for key, value := range d.tags {
		in.Tags = append(in.Tags, types.Tag{Key: &key, Value: &value})
	}
	if in.ChangeSetType == types.ChangeSetTypeUpdate {
		kept := make(map[string]bool)
		for _, p := range before.Parameters {
			kept[aws.ToString(p.ParameterKey)] = true
		}
		for _, name := range d.names {
			if _, given := d.parameters[name]; !given && kept[name] {
				in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: &name, UsePreviousValue: aws.Bool(true)})
			}
		}
		if d.tags == nil {
			in.Tags = before.Tags
		}
	}
	made, err := d.api.CreateChangeSet(ctx, in)
	if err != nil {
		return nil, err
	}
	return d.describeSet(ctx, made)
}

// describeSet returns a change set with all its changes, when it is ready.
func (d *stackDeploy) describeSet(ctx context.Context, made *cloudformation.CreateChangeSetOutput) (*cloudformation.DescribeChangeSetOutput, error) {
	in := &cloudformation.DescribeChangeSetInput{ChangeSetName: made.Id, StackName: made.StackId}
	var all *cloudformation.DescribeChangeSetOutput
	for {
		page, err := d.api.DescribeChangeSet(ctx, in)
		if err != nil {
			return nil, err
		}
		if page.Status == types.ChangeSetStatusCreateInProgress || page.Status == types.ChangeSetStatusCreatePending {
			if err := pause(ctx, 200*time.Millisecond); err != nil {
				return nil, err
			}
			continue
		}
		if all == nil {
			all = page
		} else {
			all.Changes = append(all.Changes, page.Changes...)
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return all, nil
		}
	}
}

// discard removes a change set that is not executed, and the stack that was there for it alone.
func (d *stackDeploy) discard(ctx context.Context, set *cloudformation.DescribeChangeSetOutput, before *types.Stack) error {
	_, err := d.api.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: set.ChangeSetId, StackName: set.StackId})
	if err == nil && before == nil {
		_, err = d.api.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: set.StackId})
	}
	return err
}

func changesOf(set *cloudformation.DescribeChangeSetOutput) []stackChange {
	changes := []stackChange{}
	for _, one := range set.Changes {
		r := one.ResourceChange
		if r == nil {
			continue
		}
		change := stackChange{Resource: aws.ToString(r.LogicalResourceId), Type: aws.ToString(r.ResourceType)}
		switch {
		case r.Action == types.ChangeActionAdd:
			change.Action = "add"
		case r.Action == types.ChangeActionRemove:
			change.Action = "remove"
		case r.Action == types.ChangeActionModify && r.Replacement == types.ReplacementTrue:
			change.Action = "replace"
		default:
			change.Action = "change"
		}
		for _, detail := range r.Details {
			if detail.Target != nil && detail.Target.Name != nil {
				change.Properties = append(change.Properties, *detail.Target.Name)
			}
		}
		changes = append(changes, change)
	}
	return changes
}

// marks are the first characters of the lines of a diff.
var marks = map[string]string{"add": "+", "change": "~", "replace": "±", "remove": "-"}

// show prints the changes and their number.
func (d *stackDeploy) show(changes []stackChange) {
	d.say("stack %s", d.Err.bold(d.name))
	count := make(map[string]int)
	for _, c := range changes {
		count[c.Action]++
		line := fmt.Sprintf("%s %-7s %s (%s)", marks[c.Action], c.Action, c.Resource, c.Type)
		if len(c.Properties) > 0 {
			line += ": " + strings.Join(c.Properties, ", ")
		}
		d.say("  %s", line)
	}
	d.say("%d to add, %d to change, %d to replace, %d to remove", count["add"], count["change"], count["replace"], count["remove"])
}

// confirm asks, unless --yes was given.
func (c *Context) confirm() error {
	if c.is("yes") {
		return nil
	}
	if c.json() {
		return usage("with --json nobody is asked: give --yes")
	}
	fmt.Fprint(c.Err, "Deploy this? [y/N] ")
	answer := make([]byte, 0, 16)
	for one := make([]byte, 1); len(answer) < cap(answer); {
		n, err := c.In.Read(one)
		if n == 0 && err != nil || one[0] == '\n' {
			if len(answer) == 0 && err != nil {
				fmt.Fprintln(c.Err)
				return usage("nobody answered: give --yes to deploy without being asked")
			}
			break
		}
		answer = append(answer, one[:n]...)
	}
	switch strings.ToLower(strings.TrimSpace(string(answer))) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was changed")
}

// finish prints outputs and addresses.
func (d *stackDeploy) finish(ctx context.Context, out *deployedStack, s *types.Stack) error {
	if s == nil {
		return fmt.Errorf("the template of stack %s makes nothing", d.name)
	}
	out.ID, out.Status = aws.ToString(s.StackId), string(s.StackStatus)
	for _, o := range s.Outputs {
		out.Outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	shown := make(map[string]bool)
	for _, value := range out.Outputs {
		shown[value] = true
	}
	urls, err := d.functionURLs(ctx)
	if err != nil {
		return err
	}
	for _, url := range urls {
		if !shown[url] {
			out.URLs = append(out.URLs, url)
		}
	}
	return d.print(out, func(w io.Writer) {
		if out.Changed {
			fmt.Fprintf(w, "%s is %s\n", d.Out.bold(d.name), out.Status)
		} else {
			fmt.Fprintf(w, "%s is as it was: %s\n", d.Out.bold(d.name), out.Status)
		}
		table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		for _, o := range s.Outputs {
			fmt.Fprintf(table, "%s\t%s\n", aws.ToString(o.OutputKey), aws.ToString(o.OutputValue))
		}
		table.Flush() // to a buffer or a terminal
		for _, url := range out.URLs {
			fmt.Fprintln(w, url)
		}
	})
}

// functionURLs are the addresses of the stack's functions.
func (d *stackDeploy) functionURLs(ctx context.Context) (urls []string, err error) {
	pages := cloudformation.NewListStackResourcesPaginator(d.api, &cloudformation.ListStackResourcesInput{StackName: &d.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.StackResourceSummaries {
			if aws.ToString(r.ResourceType) != "AWS::Lambda::Url" {
				continue
			}
			url, err := d.target.lambda().GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: r.PhysicalResourceId})
			if err != nil {
				return nil, err
			}
			urls = append(urls, aws.ToString(url.FunctionUrl))
		}
	}
	return urls, nil
}
