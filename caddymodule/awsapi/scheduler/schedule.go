package scheduler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/state"
)

// maxSchedules is how many schedules there may be. AWS's quota is a million.
const maxSchedules = 10_000

const (
	enabled  = "ENABLED"
	disabled = "DISABLED"

	flexible = "FLEXIBLE"
	deleting = "DELETE"
)

// A window is when a schedule runs after its time.
type window struct {
	Mode                   string
	MaximumWindowInMinutes int `json:",omitempty"`
}

// A target is what a schedule sends to.
type target struct {
	Arn, RoleArn     string
	Input            string           `json:",omitempty"`
	RetryPolicy      *bus.Retry       `json:",omitempty"`
	DeadLetterConfig *deadLetter      `json:",omitempty"`
	SqsParameters    *queueParameters `json:",omitempty"`
}

type deadLetter struct {
	Arn string `json:",omitempty"`
}

type queueParameters struct {
	MessageGroupId string `json:",omitempty"`
}

// A definition is what clients say of a schedule.
type definition struct {
	Name, GroupName            string
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	State                      string
	Description                string `json:",omitempty"`
	ActionAfterCompletion      string
	StartDate, EndDate         *time.Time `json:",omitempty"`
	FlexibleTimeWindow         window
	Target                     target
}

// A record is the record of a schedule.
type record struct {
	definition
	Created, Modified time.Time
	// Since is when the times of the schedule became as they are: it has no ticks from before.
	Since time.Time
	Token string `json:",omitempty"` // of the call that made it
	// RoleHere: the role was here when the schedule was written.
	RoleHere bool `json:",omitempty"`
}

// A given is a schedule of a request, with what nothing here acts on.
type given struct {
	Name, GroupName, ScheduleExpression, ScheduleExpressionTimezone, State, Description, ActionAfterCompletion string

	StartDate, EndDate     *time.Time
	FlexibleTimeWindow     window
	Target                 givenTarget
	ClientToken, KmsKeyArn string
}

type givenTarget struct {
	Arn, RoleArn, Input string
	RetryPolicy         *bus.Retry
	DeadLetterConfig    *deadLetter
	SqsParameters       *queueParameters

	EcsParameters, EventBridgeParameters, KinesisParameters, SageMakerPipelineParameters any
}

func (in *given) definition() definition {
	t := &in.Target
	return definition{
		Name: in.Name, GroupName: cmp.Or(in.GroupName, defaultGroup), ScheduleExpression: in.ScheduleExpression,
		ScheduleExpressionTimezone: cmp.Or(in.ScheduleExpressionTimezone, "UTC"), State: cmp.Or(in.State, enabled), Description: in.Description,
		ActionAfterCompletion: cmp.Or(in.ActionAfterCompletion, "NONE"), StartDate: in.StartDate, EndDate: in.EndDate, FlexibleTimeWindow: in.FlexibleTimeWindow,
		Target: target{t.Arn, t.RoleArn, t.Input, t.RetryPolicy, t.DeadLetterConfig, t.SqsParameters},
	}
}

// check refuses what is wrong, and what nothing acts on.
func (in *given) check(s *service) error {
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"EcsParameters", in.Target.EcsParameters != nil}, {"EventBridgeParameters", in.Target.EventBridgeParameters != nil},
		{"KinesisParameters", in.Target.KinesisParameters != nil}, {"SageMakerPipelineParameters", in.Target.SageMakerPipelineParameters != nil},
	} {
		if member.given {
			return invalid("%s is not supported: targets are functions, queues and topics here.", member.name)
		}
	}
	if in.KmsKeyArn != "" {
		return invalid("KmsKeyArn is not supported: there is no KMS here.")
	}
	if err := in.checkTimes(); err != nil {
		return err
	}
	return s.checkTarget(&in.Target)
}

func (in *given) checkTimes() error {
	zone, err := location(in.ScheduleExpressionTimezone)
	if err != nil {
		return invalid("Provided ScheduleExpressionTimezone is not valid.")
	}
	if _, err := schedule.Parse(in.ScheduleExpression, zone); err != nil {
		return invalid("Invalid Schedule Expression %s.", in.ScheduleExpression)
	}
	w := in.FlexibleTimeWindow
	switch {
	case w.Mode == flexible && w.MaximumWindowInMinutes == 0:
		return invalid("Maximum window must be specified when FlexibleTimeWindow mode is FLEXIBLE.")
	case w.Mode != flexible && w.MaximumWindowInMinutes != 0:
		return invalid("MaximumWindowInMinutes must not be specified when FlexibleTimeWindow mode is OFF.")
	case in.StartDate != nil && in.EndDate != nil && !in.EndDate.After(*in.StartDate):
		return invalid("The StartDate must come before the EndDate.")
	}
	return nil
}

func location(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" {
		return nil, invalid("Local is no time zone")
	}
	return time.LoadLocation(name)
}

func (s *service) checkTarget(t *givenTarget) error {
	a, err := arn.Parse(t.Arn)
	if err != nil {
		return invalid("Provided Arn is not in correct format.")
	}
	role, err := arn.Parse(t.RoleArn)
	if err != nil || role.AccountID != s.Account.ID {
		return invalid("The execution role you provide must be in the account %s.", s.Account.ID)
	}
	switch {
	case a.Service == "lambda":
		if _, _, err := s.Account.Parse(t.Arn); err != nil {
			return invalid("Target %.200s is not valid: %v", t.Arn, err)
		}
		if t.Input != "" && !json.Valid([]byte(t.Input)) {
			return invalid("The Input of a function is not valid JSON.")
		}
	case a.Service == "sqs", a.Service == "sns":
		if err := s.Check(t.Arn); err != nil {
			return invalid("Target %.200s cannot be delivered to: %v", t.Arn, err)
		}
	default:
		return invalid("Targets of %s are not supported: functions, queues of SQS and topics of SNS are.", a.Service)
	}
	if fifo := a.Service == "sqs" && strings.HasSuffix(t.Arn, ".fifo"); fifo != (t.SqsParameters != nil && t.SqsParameters.MessageGroupId != "") {
		return invalid("SqsParameters with a MessageGroupId are for FIFO queues, which need them.")
	}
	if t.DeadLetterConfig != nil && t.DeadLetterConfig.Arn != "" {
		if err := s.Check(t.DeadLetterConfig.Arn); err != nil {
			return invalid("The dead-letter queue cannot be delivered to: %v", err)
		}
	}
	return nil
}

// checked makes an operation of one that writes a schedule. Who acts by a role must give a role that
// is here. One that is not is asked nothing: the schedule could do more than its maker.
func (s *service) checked(run func(context.Context, *given) (*scheduleARN, error)) awsapi.Operation {
	return func(r *awsapi.Request) (any, error) {
		in := new(given)
		if err := r.Read(in); err != nil {
			return nil, err
		}
		if r.Key.Role != nil {
			g, err := s.Role(r.Context(), in.Target.RoleArn)
			if err != nil {
				return nil, err
			}
			if g == nil {
				return nil, invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
			}
		}
		return run(r.Context(), in)
	}
}

type scheduleARN struct{ ScheduleArn string }

func key(group, name string) string { return schedulePrefx + group + "/" + name }

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
func (s *service) createSchedule(ctx context.Context, in *given) (*scheduleARN, error) {
	return s.put(ctx, in, func(had *record) error {
		if had != nil && in.ClientToken != "" && had.Token == in.ClientToken {
			return errMade
		}
		if had != nil {
			return exception("ConflictException", "Schedule %s already exists.", in.Name)
		}
		n, err := s.count(ctx)
		if err == nil && n >= maxSchedules {
			err = exception("ServiceQuotaExceededException", "There are %d schedules, which is the most.", n)
		}
		return err
	})
}

// updateSchedule replaces all that is said of a schedule, as AWS does.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
func (s *service) updateSchedule(ctx context.Context, in *given) (*scheduleARN, error) {
	return s.put(ctx, in, func(had *record) error {
		if had == nil {
			return s.missing(cmp.Or(in.GroupName, defaultGroup), in.Name)
		}
		return nil
	})
}

func (s *service) missing(group, name string) error {
	return missing("Schedule %s does not exist.", name)
}

// put writes a schedule, if allowed finds it right.
func (s *service) put(ctx context.Context, in *given, allowed func(had *record) error) (*scheduleARN, error) {
	if err := in.check(s); err != nil {
		return nil, err
	}
	next := in.definition()
	err := change(ctx, s, key(next.GroupName, next.Name), func(had *record) (*record, []state.Change, error) {
		g, revision, err := s.findGroup(ctx, next.GroupName)
		if err != nil {
			return nil, nil, err
		}
		if err := allowed(had); err != nil {
			return nil, nil, err
		}
		role, err := s.Role(ctx, next.Target.RoleArn)
		if err != nil {
			return nil, nil, err
		}
		now := s.now()
		out := &record{definition: next, Created: now, Modified: now, Since: now, Token: in.ClientToken, RoleHere: role != nil}
		if had != nil {
			out.Created, out.Token = had.Created, had.Token
			if had.sameTimes(&next) {
				out.Since = had.Since
			}
		}
		var more []state.Change
		if g.Name != defaultGroup { // so that it is not deleted meanwhile
			more = append(more, state.Check(groupPrefix+g.Name, revision))
		}
		return out, more, nil
	})
	if errors.Is(err, errMade) {
		err = nil
	}
	return &scheduleARN{s.arn("schedule/" + next.GroupName + "/" + next.Name)}, err
}

// errMade: the call was made before, and its answer got lost.
var errMade = errors.New("it was made by the same call")

// sameTimes reports whether a definition runs at the same times.
func (r *record) sameTimes(next *definition) bool {
	same := func(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }
	return r.ScheduleExpression == next.ScheduleExpression && r.ScheduleExpressionTimezone == next.ScheduleExpressionTimezone && r.State == next.State &&
		same(r.StartDate, next.StartDate) && same(r.EndDate, next.EndDate) && r.FlexibleTimeWindow == next.FlexibleTimeWindow
}

// count is how many schedules there are.
func (s *service) count(ctx context.Context) (n int, err error) {
	for after := ""; ; {
		some, err := s.Records.List(ctx, owner, schedulePrefx, after, page)
		if n += len(some); err != nil || len(some) < page {
			return n, err
		}
		after = some[len(some)-1].Name
	}
}

type scheduleInput struct{ Name, GroupName, ClientToken string }

type shownSchedule struct {
	definition
	StartDate    *timestamp `json:",omitempty"`
	EndDate      *timestamp `json:",omitempty"`
	Arn          string
	CreationDate *timestamp

	LastModificationDate *timestamp
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html
func (s *service) getSchedule(ctx context.Context, in *scheduleInput) (*shownSchedule, error) {
	group := cmp.Or(in.GroupName, defaultGroup)
	r, _, err := read[record](ctx, s.Records, key(group, in.Name))
	if err == nil && r == nil {
		err = s.missing(group, in.Name)
	}
	if err != nil {
		return nil, err
	}
	return &shownSchedule{r.definition, stamp(r.StartDate), stamp(r.EndDate), s.arn("schedule/" + group + "/" + r.Name), stamp(&r.Created), stamp(&r.Modified)}, nil
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteSchedule.html
func (s *service) deleteSchedule(ctx context.Context, in *scheduleInput) (*struct{}, error) {
	group := cmp.Or(in.GroupName, defaultGroup)
	return &struct{}{}, change(ctx, s, key(group, in.Name), func(had *record) (*record, []state.Change, error) {
		if had == nil {
			return nil, nil, s.missing(group, in.Name)
		}
		return nil, nil, nil
	})
}

type listInput struct {
	GroupName, NamePrefix, State, NextToken string
	MaxResults                              int
}

type targetSummary struct{ Arn string }

type summary struct {
	Arn, Name, GroupName, State string
	CreationDate                *timestamp
	LastModificationDate        *timestamp
	Target                      targetSummary
}

type listOutput struct {
	Schedules []*summary
	NextToken string `json:",omitempty"`
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_ListSchedules.html
func (s *service) listSchedules(ctx context.Context, in *listInput) (*listOutput, error) {
	prefix := schedulePrefx
	if in.GroupName != "" {
		if _, _, err := s.findGroup(ctx, in.GroupName); err != nil {
			return nil, err
		}
		prefix = key(in.GroupName, in.NamePrefix)
	}
	if in.NextToken != "" && !strings.HasPrefix(in.NextToken, schedulePrefx) {
		return nil, invalid("Invalid NextToken.")
	}
	all, next, err := list(ctx, s.Records, prefix, in.NextToken, cmp.Or(in.MaxResults, 100), func(r *record) bool {
		return strings.HasPrefix(r.Name, in.NamePrefix) && (in.State == "" || r.State == in.State)
	})
	if err != nil {
		return nil, err
	}
	out := &listOutput{[]*summary{}, next}
	for _, r := range all {
		out.Schedules = append(out.Schedules, &summary{
			s.arn("schedule/" + r.GroupName + "/" + r.Name), r.Name, r.GroupName, r.State, stamp(&r.Created), stamp(&r.Modified), targetSummary{r.Target.Arn},
		})
	}
	return out, nil
}

// cut cuts a page of things, which are in the order of their keys.
func cut[T any](all []T, key func(T) string, after string, limit int) ([]T, string) {
	return awsapi.Page(all, key, after, cmp.Or(limit, 100))
}
