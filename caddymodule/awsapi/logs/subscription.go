package logs

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/subscription"
)

// Subscriptions are what the operations on subscription filters work on.
type Subscriptions struct {
	Node *subscription.Node
	// Check says whether a log group may invoke a function, by its ARN. The error is ErrMayNot if
	// it may not, or if there is no such function.
	Check func(ctx context.Context, group, to string) error
}

// ErrMayNot says that a log group may not invoke a function.
var ErrMayNot = errors.New("not allowed to invoke")

type filterName struct {
	groupName
	FilterName string `json:"filterName"`
}

var filterPattern = regexp.MustCompile(`^[^:*]{1,512}$`)

func (in *filterName) check() error {
	switch {
	case in.FilterName == "":
		return missing("filterName")
	case !filterPattern.MatchString(in.FilterName):
		return violation(in.FilterName, "filterName", "Member must satisfy regular expression pattern: [^:*]*")
	}
	return nil
}

type putSubscriptionFilterInput struct {
	filterName
	FilterPattern          *string  `json:"filterPattern"`
	DestinationARN         string   `json:"destinationArn"`
	RoleARN                string   `json:"roleArn"`
	Distribution           string   `json:"distribution"`
	ApplyOnTransformedLogs bool     `json:"applyOnTransformedLogs"`
	FieldSelectionCriteria string   `json:"fieldSelectionCriteria"`
	EmitSystemFields       []string `json:"emitSystemFields"`
}

// byLogStream is the only distribution: what a function gets is of one log stream.
const byLogStream = "ByLogStream"

// checkDestination refuses what is no function, and what a function has no use for.
func (in *putSubscriptionFilterInput) checkDestination() error {
	switch {
	case in.FilterPattern == nil:
		return missing("filterPattern")
	case in.DestinationARN == "":
		return missing("destinationArn")
	case !strings.HasPrefix(in.DestinationARN, "arn:aws:lambda:"):
		return invalid("destinationArn %.256s is not supported: logs are sent to functions here.", in.DestinationARN)
	case in.RoleARN != "":
		return invalid("destinationArn for vendor lambda cannot be used with roleArn")
	case in.Distribution != "" && in.Distribution != byLogStream:
		return invalid("distribution %.64s is not supported: functions get events by log stream.", in.Distribution)
	case in.ApplyOnTransformedLogs:
		return invalid("applyOnTransformedLogs is not supported: logs are not transformed here.")
	case in.FieldSelectionCriteria != "" || len(in.EmitSystemFields) > 0:
		return invalid("fieldSelectionCriteria and emitSystemFields are not supported: logs are not centralized here.")
	}
	return nil
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
func (a *API) putSubscriptionFilter(ctx context.Context, in *putSubscriptionFilterInput) (struct{}, error) {
	if err := in.check(); err != nil {
		return struct{}{}, err
	}
	if err := in.checkDestination(); err != nil {
		return struct{}{}, err
	}
	if _, err := parsePattern(*in.FilterPattern); err != nil {
		return struct{}{}, err
	}
	g, err := a.find(ctx, in.groupName)
	if err != nil {
		return struct{}{}, err
	}
	err = a.subscriptions.Check(ctx, g.Name(), in.DestinationARN)
	if errors.Is(err, ErrMayNot) {
		return struct{}{}, invalid("Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function. (%v)", err)
	}
	if err != nil {
		return struct{}{}, err
	}
	node := a.subscriptions.Node
	err = node.Store.Put(ctx, subscription.Filter{Name: in.FilterName, Group: g.Name(), Pattern: *in.FilterPattern, To: in.DestinationARN},
		func(to string) string { return node.GroupOf(ctx, to) },
		func(id string) error { return node.Begin(ctx, g, id) })
	switch {
	case errors.Is(err, subscription.ErrTooMany):
		err = &apiError{"LimitExceededException", "Resource limit exceeded."}
	case errors.Is(err, subscription.ErrLoop):
		err = invalid("The function logs to a group that feeds it, directly or by other functions: each event would make another. Choose another log group.")
	}
	return struct{}{}, err
}

type describeSubscriptionFiltersInput struct {
	groupName
	FilterNamePrefix string `json:"filterNamePrefix"`
	NextToken        string `json:"nextToken"`
	Limit            *int   `json:"limit"`
}

type subscriptionFilter struct {
	FilterName             string `json:"filterName"`
	LogGroupName           string `json:"logGroupName"`
	FilterPattern          string `json:"filterPattern"`
	DestinationARN         string `json:"destinationArn"`
	Distribution           string `json:"distribution"`
	ApplyOnTransformedLogs bool   `json:"applyOnTransformedLogs"`
	CreationTime           int64  `json:"creationTime"`
}

type subscriptionFiltersOutput struct {
	SubscriptionFilters []subscriptionFilter `json:"subscriptionFilters"`
	NextToken           string               `json:"nextToken,omitempty"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeSubscriptionFilters.html
func (a *API) describeSubscriptionFilters(ctx context.Context, in *describeSubscriptionFiltersInput) (*subscriptionFiltersOutput, error) {
	limit, err := limitOf(in.Limit, describeLimit)
	if err != nil {
		return nil, err
	}
	g, err := a.find(ctx, in.groupName)
	if err != nil {
		return nil, err
	}
	all, err := a.subscriptions.Node.Store.Of(ctx, g.Name())
	if err != nil {
		return nil, err
	}
	out := &subscriptionFiltersOutput{SubscriptionFilters: []subscriptionFilter{}}
	for _, f := range all {
		if strings.HasPrefix(f.Name, in.FilterNamePrefix) {
			out.SubscriptionFilters = append(out.SubscriptionFilters, subscriptionFilter{f.Name, f.Group, f.Pattern, f.To, byLogStream, false, f.Created})
		}
	}
	out.SubscriptionFilters, out.NextToken = awsapi.Page(out.SubscriptionFilters, func(f subscriptionFilter) string { return f.FilterName }, in.NextToken, limit)
	return out, nil
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteSubscriptionFilter.html
func (a *API) deleteSubscriptionFilter(ctx context.Context, in *filterName) (struct{}, error) {
	if err := in.check(); err != nil {
		return struct{}{}, err
	}
	g, err := a.find(ctx, in.groupName)
	if err != nil {
		return struct{}{}, err
	}
	err = a.subscriptions.Node.Store.Delete(ctx, g.Name(), in.FilterName)
	if errors.Is(err, subscription.ErrNotFound) {
		err = &apiError{"ResourceNotFoundException", "The specified subscription filter does not exist."}
	}
	return struct{}{}, err
}
