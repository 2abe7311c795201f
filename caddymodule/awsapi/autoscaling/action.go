package autoscaling

import (
	"context"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/invoker/scaling"
	"github.com/hearthfn/hearth/invoker/schedule"
)

type targetAction struct {
	MinCapacity, MaxCapacity *int `json:",omitempty"`
}

type actionInput struct {
	ServiceNamespace, ResourceID, ScalableDimension string
	ScheduledActionName, Schedule, Timezone         string
	StartTime, EndTime                              *timestamp
	ScalableTargetAction                            *targetAction
}

// actionName are names that AWS takes: no control characters, no : / and |, no blank at an end.
var actionName = regexp.MustCompile(`^[^\x00-\x1f\x7f-\x9f:/| ]([^\x00-\x1f\x7f-\x9f:/|]{0,254}[^\x00-\x1f\x7f-\x9f:/| ])?$`)

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html
func (a *API) putAction(ctx context.Context, in *actionInput) (struct{}, error) {
	if !actionName.MatchString(in.ScheduledActionName) {
		return struct{}{}, invalid("ScheduledActionName %.260q: 1 to 256 characters, without :, / and |.", in.ScheduledActionName)
	}
	location, err := time.LoadLocation(in.Timezone)
	if err != nil || in.Timezone == "Local" {
		return struct{}{}, invalid("Timezone %.64q is none of the IANA database.", in.Timezone)
	}
	if in.Schedule != "" {
		e, err := schedule.Parse(in.Schedule, location)
		if err != nil {
			return struct{}{}, invalid("Schedule %v.", err)
		}
		if _, comes := e.Next(time.Now()); !comes {
			return struct{}{}, invalid("Schedule %s is in the past.", e)
		}
	}
	p := place{in.ServiceNamespace, in.ResourceID, in.ScalableDimension}
	return struct{}{}, a.change(ctx, p, func(d *scaling.Document) (*scaling.Document, error) {
		one := d.Action(in.ScheduledActionName)
		if one == nil {
			switch {
			case in.Schedule == "":
				return nil, missing("schedule")
			case len(d.Actions) >= scaling.MaxActions:
				return nil, &apiError{"LimitExceededException", "A scalable target has up to " + strconv.Itoa(scaling.MaxActions) + " scheduled actions."}
			}
			d.Actions = append(d.Actions, scaling.Action{Name: in.ScheduledActionName, ID: uuid.NewString(), Created: time.Now().UTC()})
			slices.SortFunc(d.Actions, func(a, b scaling.Action) int { return strings.Compare(a.Name, b.Name) })
			one = d.Action(in.ScheduledActionName)
		}
		if in.Schedule != "" {
			one.Schedule, one.Timezone = in.Schedule, in.Timezone
		}
		// "If you omit a parameter, it is deleted" is said of these.
		one.Start, one.End = timeOf(in.StartTime), timeOf(in.EndTime)
		if one.Start != nil && one.End != nil && !one.End.After(*one.Start) {
			return nil, invalid("EndTime has to be after StartTime.")
		}
		if to := in.ScalableTargetAction; to != nil {
			one.Min, one.Max = to.MinCapacity, to.MaxCapacity
		}
		switch {
		case one.Min == nil && one.Max == nil:
			return nil, invalid("ScalableTargetAction has to name MinCapacity, MaxCapacity or both.")
		case one.Min != nil && *one.Min < 0 || one.Max != nil && *one.Max < 0, one.Min != nil && one.Max != nil && *one.Min > *one.Max:
			return nil, invalid("Maximum capacity cannot be less than minimum capacity, and neither less than 0.")
		}
		one.Covered = time.Now().UTC() // what was before is not made up for
		return d, nil
	})
}

func timeOf(t *timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := time.Time(*t)
	return &at
}

type deleteActionInput struct {
	ServiceNamespace, ResourceID, ScalableDimension, ScheduledActionName string
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeleteScheduledAction.html
func (a *API) deleteAction(ctx context.Context, in *deleteActionInput) (struct{}, error) {
	p := place{in.ServiceNamespace, in.ResourceID, in.ScalableDimension}
	return struct{}{}, a.change(ctx, p, func(d *scaling.Document) (*scaling.Document, error) {
		if d.Action(in.ScheduledActionName) == nil {
			return nil, notFound("scheduled action", p)
		}
		d.Actions = slices.DeleteFunc(d.Actions, func(one scaling.Action) bool { return one.Name == in.ScheduledActionName })
		return d, nil
	})
}

// A listInput asks for what hangs on targets.
type listInput struct {
	ServiceNamespace, ResourceID, ScalableDimension string
	ScheduledActionNames, PolicyNames               []string
	IncludeNotScaledActivities                      bool
	MaxResults                                      *int
	NextToken                                       string
}

// eachOf visits the documents that a list is about.
func (a *API) eachOf(ctx context.Context, in *listInput, visit func(scaling.Resource, *scaling.Document)) error {
	if err := checkNamespace(in.ServiceNamespace, in.ScalableDimension, false); err != nil {
		return err
	}
	return a.each(ctx, func(r scaling.Resource, d *scaling.Document) {
		if in.ResourceID == "" || in.ResourceID == r.String() {
			visit(r, d)
		}
	})
}

type action struct {
	named
	ScheduledActionName, ScheduledActionARN, Schedule string
	Timezone                                          string       `json:",omitempty"`
	StartTime, EndTime                                *timestamp   `json:",omitempty"`
	ScalableTargetAction                              targetAction `json:"ScalableTargetAction"`
	CreationTime                                      timestamp
}

type actionsOutput struct {
	ScheduledActions []action
	NextToken        string `json:",omitempty"`
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScheduledActions.html
func (a *API) describeActions(ctx context.Context, in *listInput) (*actionsOutput, error) {
	var all []action
	err := a.eachOf(ctx, in, func(r scaling.Resource, d *scaling.Document) {
		for _, one := range d.Actions {
			if len(in.ScheduledActionNames) > 0 && !slices.Contains(in.ScheduledActionNames, one.Name) {
				continue
			}
			all = append(all, action{
				named: nameOf(r), ScheduledActionName: one.Name, ScheduledActionARN: a.partARN("scheduledAction", one.ID, r, "scheduledActionName/"+one.Name),
				Schedule: one.Schedule, Timezone: one.Timezone, StartTime: (*timestamp)(one.Start), EndTime: (*timestamp)(one.End),
				ScalableTargetAction: targetAction{one.Min, one.Max}, CreationTime: timestamp(one.Created),
			})
		}
	})
	if err != nil {
		return nil, err
	}
	out := new(actionsOutput)
	out.ScheduledActions, out.NextToken, err = page(all, in.MaxResults, in.NextToken)
	return out, err
}

// partARN is the ARN of something that hangs on a target.
func (a *API) partARN(kind, id string, r scaling.Resource, name string) string {
	return "arn:aws:autoscaling:" + a.account.Region + ":" + a.account.ID + ":" + kind + ":" + id + ":resource/" + namespace + "/" + r.String() + ":" + name
}

type activity struct {
	named
	ActivityID                                    string `json:"ActivityId"`
	Description, Cause, StatusCode, StatusMessage string
	StartTime, EndTime                            timestamp
}

type activitiesOutput struct {
	ScalingActivities []activity
	NextToken         string `json:",omitempty"`
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingActivities.html
func (a *API) describeActivities(ctx context.Context, in *listInput) (*activitiesOutput, error) {
	var all []activity
	err := a.eachOf(ctx, in, func(r scaling.Resource, d *scaling.Document) {
		for _, one := range d.Activities {
			all = append(all, activity{nameOf(r), one.ID, one.Description, one.Cause, one.Status, one.StatusMessage, timestamp(one.Start), timestamp(one.End)})
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b activity) int { return time.Time(b.StartTime).Compare(time.Time(a.StartTime)) })
	out := new(activitiesOutput)
	out.ScalingActivities, out.NextToken, err = page(all, in.MaxResults, in.NextToken)
	return out, err
}

// A token is the number of the first item of a page.
func newToken(first int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(first)))
}

func parseToken(token string) (first int, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	first, err = strconv.Atoi(string(text))
	return first, err == nil && first >= 0
}
