package events

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/invoker/bus"
)

// maxTargets is AWS's limit of a rule.
const maxTargets = 5

// A Target is what gets the events of a rule.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
type Target struct {
	Id, Arn string
	RoleArn string `json:",omitempty"`

	Input            string           `json:",omitempty"`
	InputPath        string           `json:",omitempty"`
	InputTransformer *bus.Transformer `json:",omitempty"`

	RetryPolicy      *bus.Retry       `json:",omitempty"`
	DeadLetterConfig *deadLetter      `json:",omitempty"`
	SqsParameters    *queueParameters `json:",omitempty"`

	// Since is when a rule with a schedule got the target. It is not shown.
	Since *time.Time `json:",omitempty"`
}

func (t *Target) input() *bus.Input {
	return &bus.Input{Input: t.Input, InputPath: t.InputPath, InputTransformer: t.InputTransformer}
}

type deadLetter struct {
	Arn string `json:",omitempty"`
}

type queueParameters struct {
	MessageGroupId string `json:",omitempty"`
}

// queue is the dead-letter queue of the target, "" if it has none.
func (t *Target) queue() string {
	if t.DeadLetterConfig == nil {
		return ""
	}
	return t.DeadLetterConfig.Arn
}

// A givenTarget is a target with what nothing here acts on.
type givenTarget struct {
	Target
	KinesisParameters, RunCommandParameters, EcsParameters, BatchParameters, HttpParameters, RedshiftDataParameters any

	SageMakerPipelineParameters, AppSyncParameters any
}

func (t *givenTarget) check(s *service) error {
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"KinesisParameters", t.KinesisParameters != nil}, {"RunCommandParameters", t.RunCommandParameters != nil},
		{"EcsParameters", t.EcsParameters != nil}, {"BatchParameters", t.BatchParameters != nil},
		{"HttpParameters", t.HttpParameters != nil}, {"RedshiftDataParameters", t.RedshiftDataParameters != nil},
		{"SageMakerPipelineParameters", t.SageMakerPipelineParameters != nil}, {"AppSyncParameters", t.AppSyncParameters != nil},
	} {
		if member.given {
			return invalid("%s of target %s is not supported: targets are functions, queues and topics here.", member.name, t.Id)
		}
	}
	if t.RoleArn != "" {
		return invalid("RoleArn is not supported for target %s: the policy of a function says which rule may invoke it.", t.Arn)
	}
	if err := s.checkTarget(t.Arn); err != nil {
		return err
	}
	if t.SqsParameters != nil && !strings.HasPrefix(t.Arn, "arn:aws:sqs:") {
		return invalid("Parameter(s) SqsParameters not valid for target %s.", t.Id)
	}
	if strings.HasSuffix(t.Arn, ".fifo") && strings.HasPrefix(t.Arn, "arn:aws:sqs:") && (t.SqsParameters == nil || t.SqsParameters.MessageGroupId == "") {
		return invalid("Parameter(s) SqsParameters must be specified for target: %s.", t.Id)
	}
	if err := t.input().Check(); err != nil {
		return invalid("Parameter Input of target %s is not valid. Reason: %v.", t.Id, err)
	}
	if queue := t.queue(); queue != "" {
		if !strings.HasPrefix(queue, "arn:aws:sqs:") || strings.HasSuffix(queue, ".fifo") {
			return invalid("Parameter DeadLetterConfig of target %s is not valid. Reason: it is not the ARN of a standard queue.", t.Id)
		}
		if err := s.Check(queue); err != nil {
			return invalid("DeadLetterConfig of target %s cannot be delivered to: %v.", t.Id, err)
		}
	}
	return nil
}

// checkTarget says whether something can be a target.
func (s *service) checkTarget(to string) error {
	a, err := arn.Parse(to)
	if err != nil {
		return invalid("Parameter %.200s is not valid. Reason: Provided Arn is not in correct format.", to)
	}
	switch a.Service {
	case "lambda":
		if _, _, err := s.Account.Parse(to); err != nil {
			return invalid("Parameter %.200s is not valid. Reason: %v.", to, err)
		}
		return nil
	case "sqs", "sns":
		if err := s.Check(to); err != nil {
			return invalid("Target %.200s cannot be delivered to: %v.", to, err)
		}
		return nil
	}
	return invalid("Targets of %s are not supported: functions, queues of SQS and topics of SNS are.", a.Service)
}

type putTargetsInput struct {
	Rule, EventBusName string
	Targets            []givenTarget
}

// A failedEntry is a target that could not be put or removed.
type failedEntry struct{ TargetId, ErrorCode, ErrorMessage string }

type failedOutput struct {
	FailedEntryCount int
	FailedEntries    []failedEntry
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
func (s *service) putTargets(ctx context.Context, in *putTargetsInput) (*failedOutput, error) {
	seen := make(map[string]bool)
	for n := range in.Targets {
		t := &in.Targets[n]
		if err := t.check(s); err != nil {
			return nil, err
		}
		if seen[t.Id] {
			return nil, invalid("Target %s is there twice.", t.Id)
		}
		seen[t.Id] = true
	}
	return &failedOutput{FailedEntries: []failedEntry{}}, s.changeRule(ctx, in.Rule, in.EventBusName, func(_ *document.Edit, r *rule) error {
		now := s.now()
		for n := range in.Targets {
			t := in.Targets[n].Target
			t.Since = &now
			at, found := slices.BinarySearchFunc(r.Targets, t.Id, func(had *Target, id string) int { return strings.Compare(had.Id, id) })
			if found {
				t.Since = r.Targets[at].Since
				r.Targets[at] = &t
				continue
			}
			r.Targets = slices.Insert(r.Targets, at, &t)
		}
		if len(r.Targets) > maxTargets {
			return exceeded()
		}
		return nil
	})
}

type removeTargetsInput struct {
	Rule, EventBusName string
	Ids                []string
	Force              bool
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RemoveTargets.html
func (s *service) removeTargets(ctx context.Context, in *removeTargetsInput) (*failedOutput, error) {
	var out *failedOutput
	return out, s.changeRule(ctx, in.Rule, in.EventBusName, func(_ *document.Edit, r *rule) error {
		out = &failedOutput{FailedEntries: []failedEntry{}}
		for _, id := range in.Ids {
			before := len(r.Targets)
			r.Targets = slices.DeleteFunc(r.Targets, func(t *Target) bool { return t.Id == id })
			if len(r.Targets) == before {
				out.FailedEntries = append(out.FailedEntries, failedEntry{id, "ResourceNotFoundException", "Rule " + r.Name + " does not have a target with the Id " + id + "."})
			}
		}
		out.FailedEntryCount = len(out.FailedEntries)
		return nil
	})
}

type listTargetsInput struct {
	Rule, EventBusName string
	paging
}

type targetsOutput struct {
	Targets   []Target
	NextToken string `json:",omitempty"`
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTargetsByRule.html
func (s *service) listTargets(ctx context.Context, in *listTargetsInput) (*targetsOutput, error) {
	r, err := s.readRule(ctx, in.Rule, in.EventBusName)
	if err != nil {
		return nil, err
	}
	page, next := cut(r.Targets, func(t *Target) string { return t.Id }, in.paging)
	out := &targetsOutput{[]Target{}, next}
	for _, t := range page {
		shown := *t
		shown.Since = nil
		out.Targets = append(out.Targets, shown)
	}
	return out, nil
}

type ruleNamesInput struct {
	TargetArn, EventBusName string
	paging
}

type ruleNamesOutput struct {
	RuleNames []string
	NextToken string `json:",omitempty"`
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRuleNamesByTarget.html
func (s *service) listRuleNames(ctx context.Context, in *ruleNamesInput) (*ruleNamesOutput, error) {
	rules, err := s.readRules(ctx, in.EventBusName, "")
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, r := range rules {
		if slices.ContainsFunc(r.Targets, func(t *Target) bool { return t.Arn == in.TargetArn }) {
			names = append(names, r.Name)
		}
	}
	out := new(ruleNamesOutput)
	out.RuleNames, out.NextToken = cut(names, func(name string) string { return name }, in.paging)
	return out, nil
}
