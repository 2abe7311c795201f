package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// A groupName is how calls name a log group.
type groupName struct {
	LogGroupName       string `json:"logGroupName"`
	LogGroupIdentifier string `json:"logGroupIdentifier"` // a name or an ARN
}

// identified is the name of the group that an identifier means, a name or an ARN, "" when it is not of
// this account and region. DescribeLogGroups gives ARNs that end in ":*"; Grafana cuts the * alone.
func (a *API) identified(identifier string) string {
	name := strings.TrimSuffix(identifier, ":*")
	if !strings.HasPrefix(name, "arn:") {
		return name
	}
	name, found := strings.CutPrefix(strings.TrimSuffix(name, ":"), a.arn(""))
	if !found {
		return ""
	}
	return name
}

// find returns the group that a call names.
func (a *API) find(ctx context.Context, n groupName) (*logs.Group, error) {
	name := n.LogGroupName
	switch {
	case name != "" && n.LogGroupIdentifier != "":
		return nil, invalid("Either logGroupName or logGroupIdentifier is allowed, not both.")
	case name == "" && n.LogGroupIdentifier == "":
		return nil, invalid("1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null")
	case name == "":
		if name = a.identified(n.LogGroupIdentifier); name == "" {
			return nil, errNoGroup
		}
	}
	if err := a.store.Flush(ctx); err != nil {
		return nil, err
	}
	for _, g := range a.store.Groups() { // Store.Group would make one
		if g.Name() == name {
			return g, nil
		}
	}
	return nil, errNoGroup
}

func (a *API) arn(group string) string {
	return "arn:aws:logs:" + a.account.Region + ":" + a.account.ID + ":log-group:" + group
}

type describeLogGroupsInput struct {
	LogGroupNamePrefix  string   `json:"logGroupNamePrefix"`
	LogGroupNamePattern string   `json:"logGroupNamePattern"`
	LogGroupIdentifiers []string `json:"logGroupIdentifiers"`
	AccountIdentifiers  []string `json:"accountIdentifiers"`
	LogGroupClass       string   `json:"logGroupClass"`
	NextToken           string   `json:"nextToken"`
	Limit               *int     `json:"limit"`
	// includeLinkedAccounts changes nothing: there is one account.
}

type logGroup struct {
	LogGroupName      string `json:"logGroupName"`
	CreationTime      int64  `json:"creationTime"`
	RetentionInDays   int    `json:"retentionInDays,omitempty"`
	MetricFilterCount int    `json:"metricFilterCount"`
	ARN               string `json:"arn"`
	StoredBytes       int64  `json:"storedBytes"`
	LogGroupClass     string `json:"logGroupClass"`
	LogGroupARN       string `json:"logGroupArn"`
}

type describeLogGroupsOutput struct {
	LogGroups []logGroup `json:"logGroups"`
	NextToken string     `json:"nextToken,omitempty"`
}

// describeLimit is the default and the most of both Describe calls.
const describeLimit = 50

func limitOf(limit *int, most int) (int, error) {
	if limit == nil {
		return most, nil
	}
	if *limit < 1 || *limit > most {
		bound := "less than or equal to"
		value := most
		if *limit < 1 {
			bound, value = "greater than or equal to", 1
		}
		return 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value %s %d", *limit, bound, value)
	}
	return *limit, nil
}

func (a *API) describeLogGroups(ctx context.Context, in *describeLogGroupsInput) (*describeLogGroupsOutput, error) {
	limit, err := limitOf(in.Limit, describeLimit)
	switch {
	case err != nil:
		return nil, err
	case in.LogGroupNamePrefix != "" && in.LogGroupNamePattern != "":
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	case len(in.AccountIdentifiers) > 0 && !slices.Contains(in.AccountIdentifiers, a.account.ID):
		return nil, invalid("there are no other accounts here")
	}
	if err := a.store.Flush(ctx); err != nil {
		return nil, err
	}
	identified := make([]string, len(in.LogGroupIdentifiers))
	for i, identifier := range in.LogGroupIdentifiers {
		identified[i] = a.identified(identifier)
	}
	out := &describeLogGroupsOutput{LogGroups: []logGroup{}}
	for _, g := range a.store.Groups() {
		name := g.Name()
		switch {
		case !strings.HasPrefix(name, in.LogGroupNamePrefix),
			!strings.Contains(strings.ToLower(name), strings.ToLower(in.LogGroupNamePattern)),
			in.LogGroupClass != "" && in.LogGroupClass != "STANDARD",
			len(identified) > 0 && !slices.Contains(identified, name),
			in.NextToken != "" && name <= in.NextToken:
			continue
		}
		if len(out.LogGroups) == limit {
			out.NextToken = out.LogGroups[limit-1].LogGroupName
			break
		}
		out.LogGroups = append(out.LogGroups, logGroup{
			LogGroupName: name, CreationTime: g.Created().UnixMilli(), RetentionInDays: g.Retention(),
			ARN: a.arn(name) + ":*", LogGroupARN: a.arn(name), StoredBytes: g.Size(), LogGroupClass: "STANDARD",
		})
	}
	return out, nil
}

type retentionInput struct {
	groupName
	RetentionInDays *int `json:"retentionInDays"`
}

// retentions are the numbers of days that CloudWatch allows.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (a *API) putRetentionPolicy(ctx context.Context, in *retentionInput) (struct{}, error) {
	g, err := a.find(ctx, in.groupName)
	switch {
	case err != nil:
		return struct{}{}, err
	case in.RetentionInDays == nil:
		return struct{}{}, invalid("1 validation error detected: Value null at 'retentionInDays' failed to satisfy constraint: Member must not be null")
	case !slices.Contains(retentions, *in.RetentionInDays):
		return struct{}{}, invalid("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %v", *in.RetentionInDays, retentions)
	}
	return struct{}{}, g.SetRetention(*in.RetentionInDays)
}

func (a *API) deleteRetentionPolicy(ctx context.Context, in *groupName) (struct{}, error) {
	g, err := a.find(ctx, *in)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, g.SetRetention(0)
}

func (a *API) deleteLogGroup(ctx context.Context, in *groupName) (struct{}, error) {
	g, err := a.find(ctx, *in)
	if err != nil {
		return struct{}{}, err
	}
	if err := a.subscriptions.Node.Store.DeleteAll(ctx, g.Name()); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, g.Remove(ctx)
}
