package scheduler

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Service is the principal that roles trust.
const Service = "scheduler.amazonaws.com"

// Schedules are the schedules for the clock.
type Schedules struct {
	records state.Records
	wake    chan struct{}

	stop     context.CancelFunc
	ended    chan struct{}
	removals sync.WaitGroup
}

// NewSchedules starts to follow changes, until Close.
func NewSchedules(records state.Records) (*Schedules, error) {
	ctx, stop := context.WithCancel(context.Background())
	hints, err := records.Watch(ctx, owner)
	if err != nil {
		stop()
		return nil, fmt.Errorf("following changes of schedules: %w", err)
	}
	s := &Schedules{records: records, wake: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for of := range hints {
			if of == owner || of == "" {
				s.changed()
			}
		}
	}()
	return s, nil
}

// Close stops to follow changes. The records stay open.
func (s *Schedules) Close() {
	s.stop()
	<-s.ended
	s.removals.Wait()
}

// Changed receives when schedules may have changed. It is for one receiver.
func (s *Schedules) Changed() <-chan struct{} { return s.wake }

func (s *Schedules) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// catchUp is how late a tick of a recurring schedule may run that was missed while no node ran.
// A time runs as late as its retry policy lets an event get old.
const catchUp = time.Minute

// Schedules reads all schedules. dispatch keeps an event.
func (s *Schedules) Schedules(ctx context.Context, account function.Account, dispatch func(context.Context, *bus.Dispatch) error, log *zap.Logger) ([]schedule.Schedule, error) {
	groups, _, err := list(ctx, s.records, groupPrefix, "", 0, func(*group) bool { return true })
	if err != nil {
		return nil, err
	}
	known := map[string]bool{defaultGroup: true}
	for _, g := range groups {
		known[g.Name] = true
	}
	records, _, err := list(ctx, s.records, schedulePrefx, "", 0, func(r *record) bool { return known[r.GroupName] && r.State == enabled })
	if err != nil {
		return nil, err
	}
	all := make([]schedule.Schedule, 0, len(records))
	for _, r := range records {
		one, err := r.schedule(account, dispatch)
		if err != nil {
			log.Error("a schedule does not run", zap.String("schedule", r.GroupName+"/"+r.Name), zap.Error(err))
			continue
		}
		if r.ActionAfterCompletion == deleting {
			one.Ended = func() { s.remove(r, log) }
		}
		all = append(all, one)
	}
	return all, nil
}

// removeWithin bounds the removal of a schedule that has ended.
const removeWithin = 10 * time.Second

// remove removes a schedule after its last tick, unless it has changed. If it fails, it is
// tried when schedules are read again.
func (s *Schedules) remove(r *record, log *zap.Logger) {
	s.removals.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), removeWithin)
		defer cancel()
		now, revision, err := read[record](ctx, s.records, key(r.GroupName, r.Name))
		if err == nil && now != nil && now.Modified.Equal(r.Modified) {
			_, err = s.records.Change(ctx, owner, state.Delete(key(r.GroupName, r.Name), revision))
		}
		if err != nil {
			log.Warn("a schedule that has ended is not deleted yet", zap.String("schedule", r.GroupName+"/"+r.Name), zap.Error(err))
		}
	})
}

// schedule is the record for the clock.
func (r *record) schedule(account function.Account, dispatch func(context.Context, *bus.Dispatch) error) (schedule.Schedule, error) {
	var out schedule.Schedule
	zone, err := location(r.ScheduleExpressionTimezone)
	if err != nil {
		return out, err
	}
	expression, err := schedule.Parse(r.ScheduleExpression, zone)
	if err != nil {
		return out, err
	}
	retry := r.Target.RetryPolicy
	if retry == nil {
		retry = new(bus.Retry)
	}
	name, qualifier, _ := account.Parse(r.Target.Arn) // for lists; other targets have none
	out = schedule.Schedule{
		Name: r.GroupName + "/" + r.Name, Expression: expression, Function: name, Qualifier: qualifier, CatchUp: catchUp, Since: r.Since,
		Window: time.Duration(r.FlexibleTimeWindow.MaximumWindowInMinutes) * time.Minute, Tries: retry.Tries(), Late: retry.Age(),
		Pusher: &clock{r, account, dispatch},
	}
	if strings.HasPrefix(r.ScheduleExpression, "at(") {
		out.CatchUp = retry.Age()
		return out, nil // its time alone counts
	}
	if r.StartDate != nil {
		out.Start = *r.StartDate
	}
	if r.EndDate != nil {
		out.End = *r.EndDate
	}
	return out, nil
}

// A clock sends the events of a schedule's ticks to its target.
type clock struct {
	record   *record
	account  function.Account
	dispatch func(context.Context, *bus.Dispatch) error
}

// PushTick implements schedule.Pusher. The event of a schedule without Input was recorded from
// AWS: its detail is a string.
func (c *clock) PushTick(ctx context.Context, e *schedule.Event) error {
	t := &c.record.Target
	arn := "arn:aws:scheduler:" + c.account.Region + ":" + c.account.ID + ":schedule/" + c.record.GroupName + "/" + c.record.Name
	payload := []byte(keywords(arn, e).Replace(t.Input))
	if t.Input == "" {
		event := bus.Event{
			Version: "0", ID: e.RequestID, DetailType: "Scheduled Event", Source: "aws.scheduler", Account: c.account.ID, Time: bus.Stamp(e.Tick),
			Region: c.account.Region, Resources: []string{arn}, Detail: []byte(`"{}"`),
		}
		payload = event.Encode()
	}
	d := &bus.Dispatch{
		ID: e.RequestID, To: t.Arn, Payload: payload, Since: e.Tick, Service: Service, Source: arn, Role: t.RoleArn, RoleHere: c.record.RoleHere, Once: e.Once, OnceFor: e.OnceFor,
		Attributes: map[string]string{"SCHEDULE_ARN": arn, "TARGET_ARN": t.Arn, "SCHEDULED_TIME": bus.Stamp(e.Tick), "EXECUTION_ID": e.RequestID, "IS_PAYLOAD_TRUNCATED": "false"},
	}
	if t.RetryPolicy != nil {
		d.Retry = *t.RetryPolicy
	}
	if t.DeadLetterConfig != nil {
		d.DeadLetter = t.DeadLetterConfig.Arn
	}
	if t.SqsParameters != nil {
		d.GroupID = t.SqsParameters.MessageGroupId
	}
	return c.dispatch(ctx, d)
}

// keywords are what inputs may say of a tick.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
func keywords(arn string, e *schedule.Event) *strings.Replacer {
	return strings.NewReplacer("<aws.scheduler.schedule-arn>", arn, "<aws.scheduler.scheduled-time>", bus.Stamp(e.Tick),
		"<aws.scheduler.execution-id>", e.RequestID, "<aws.scheduler.attempt-number>", strconv.Itoa(1))
}

var _ schedule.Pusher = (*clock)(nil)
