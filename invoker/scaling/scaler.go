package scaling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/invoker/schedule"
)

// Functions are what scales.
type Functions interface {
	// Provisioned is how many environments are kept initialised, 0 if nothing is said. The
	// error wraps registry.ErrNotFound if the function has no such version or alias.
	Provisioned(ctx context.Context, r Resource) (int, error)
	// Provision changes it. 0 removes the setting.
	Provision(ctx context.Context, r Resource, environments int) error
	// Calls is how many calls of a resource this node has now.
	Calls(ctx context.Context, r Resource) int
}

// Config of a Scaler. All fields are required.
type Config struct {
	Store Store
	Node  string // the name of this node
	// Functions are those of now. nil: they cannot be changed, so nothing is done.
	Functions func() Functions
	Log       *zap.Logger
}

// A Scaler carries out what the documents ask for.
type Scaler struct {
	Config

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup

	// Of the goroutine that runs.
	targets map[Resource]*target
}

// A target is what a scaler knows of a resource.
type target struct {
	*Document
	due     time.Time // of the next scheduled action; zero: there is none
	checked time.Time // when the capacity was compared with the bounds

	minute  int64 // that the samples are of
	samples int
	calls   int // sum of the samples
}

// Times of a Scaler.
const (
	// resync is how often everything is read and compared again, in case that a hint was lost
	// or that somebody else changed the capacity.
	resync = time.Minute
	// judgeAfter is how long after a minute it is judged: the other nodes have said by then
	// what they had.
	judgeAfter = 10 * time.Second
	// mostMissed bounds how many missed ticks of an action are looked at.
	mostMissed = 2000
	// restWithout is how long a scaler sleeps that has no target.
	restWithout = time.Hour
	// stepWithin bounds what is done to one target.
	stepWithin = 10 * time.Second
)

// New starts a scaler. Close ends it.
func New(c Config) (*Scaler, error) {
	s := &Scaler{Config: c, targets: make(map[Resource]*target)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	hints, err := c.Store.Records.Watch(s.ctx, ownerPrefix)
	if err != nil {
		s.stop()
		return nil, err
	}
	s.done.Go(func() { s.run(hints) })
	return s, nil
}

// Close ends the scaler. What it has provisioned stays.
func (s *Scaler) Close() {
	s.stop()
	s.done.Wait()
}

func (s *Scaler) run(hints <-chan string) {
	s.readAll()
	read := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case owner, open := <-hints:
			if !open {
				return
			}
			if name, qualifier, ok := strings.Cut(strings.TrimPrefix(owner, ownerPrefix), ":"); ok {
				s.read(Resource{name, qualifier})
			} else {
				s.readAll()
				read = time.Now()
			}
		case <-timer.C:
			if time.Since(read) >= resync {
				s.readAll()
				read = time.Now()
			}
		}
		if functions := s.Functions(); functions != nil {
			for r, t := range s.targets {
				s.step(functions, r, t)
			}
		}
		if len(s.targets) > 0 {
			timer.Reset(time.Second)
		} else {
			timer.Reset(restWithout)
		}
	}
}

func (s *Scaler) readAll() {
	ctx, cancel := context.WithTimeout(s.ctx, stepWithin)
	defer cancel()
	all, err := s.Store.All(ctx)
	if err != nil {
		s.complain("scalable targets cannot be read", Resource{}, err)
		return
	}
	for r := range s.targets {
		if !slices.Contains(all, r) {
			delete(s.targets, r)
		}
	}
	for _, r := range all {
		s.read(r)
	}
}

func (s *Scaler) read(r Resource) {
	ctx, cancel := context.WithTimeout(s.ctx, stepWithin)
	defer cancel()
	d, err := s.Store.Read(ctx, r)
	if errors.Is(err, ErrNotFound) {
		delete(s.targets, r)
		return
	}
	if err != nil {
		s.complain("a scalable target cannot be read", r, err)
		return
	}
	t := s.targets[r]
	if t == nil {
		t = new(target)
		s.targets[r] = t
	}
	if t.Document == nil || t.Min != d.Min || t.Max != d.Max {
		t.checked = time.Time{}
	}
	t.Document, t.due = d, d.due()
}

// complain logs an error, unless the scaler ends.
func (s *Scaler) complain(what string, r Resource, err error) {
	if s.ctx.Err() == nil {
		s.Log.Warn(what, zap.Stringer("resource", r), zap.Error(err))
	}
}

// due is when the next scheduled action is to be carried out.
func (d *Document) due() (first time.Time) {
	for _, a := range d.Actions {
		if at := a.due(); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// due is when an action is to be carried out next, zero if never.
func (a *Action) due() time.Time { return a.after(a.Covered) }

// after is the first tick after a time, zero if there is none.
func (a *Action) after(from time.Time) time.Time {
	location, err := time.LoadLocation(a.Timezone)
	if err != nil {
		return time.Time{} // it was checked; the database of zones has changed since
	}
	e, err := schedule.Parse(a.Schedule, location)
	if err != nil {
		return time.Time{}
	}
	if a.Start != nil && a.Start.After(from) {
		from = a.Start.Add(-time.Second)
	}
	at, ok := e.Next(from)
	if !ok || a.End != nil && at.After(*a.End) {
		return time.Time{}
	}
	return at
}

// last is the last tick that is due, zero if none is. Of an action that was missed several
// times, because no node ran, only that one counts.
func (a *Action) last(now time.Time) (at time.Time) {
	for range mostMissed {
		next := a.after(laterOf(at, a.Covered))
		if next.IsZero() || next.After(now) {
			break
		}
		at = next
	}
	return at
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// step does what is to be done to a target now.
func (s *Scaler) step(functions Functions, r Resource, t *target) {
	ctx, cancel := context.WithTimeout(s.ctx, stepWithin)
	defer cancel()
	now := time.Now()
	err := s.carryOut(ctx, r, t, now)
	if err == nil && len(t.Policies) > 0 {
		err = s.track(ctx, functions, r, t, now)
	}
	if err == nil && now.Sub(t.checked) >= resync {
		t.checked = now
		err = s.keepBounds(ctx, functions, r, t)
	}
	if err != nil {
		s.complain("scaling a function failed", r, err)
	}
}

// carryOut carries out the scheduled actions that are due, in the order of their times.
func (s *Scaler) carryOut(ctx context.Context, r Resource, t *target, now time.Time) error {
	if t.due.IsZero() || t.due.After(now) {
		return nil
	}
	err := s.Store.Change(ctx, r, func(d *Document) (*Document, error) {
		if d == nil {
			return nil, ErrNothing
		}
		type tick struct {
			*Action
			at time.Time
		}
		var ticks []tick
		for i := range d.Actions {
			if at := d.Actions[i].last(now); !at.IsZero() {
				ticks = append(ticks, tick{&d.Actions[i], at})
			}
		}
		if len(ticks) == 0 {
			return nil, ErrNothing // another node did it
		}
		slices.SortStableFunc(ticks, func(a, b tick) int { return a.at.Compare(b.at) })
		for _, one := range ticks {
			one.Covered = now
			if !d.ScheduledSuspended {
				d.apply(one.Action, now)
			}
		}
		return d, nil
	})
	if errors.Is(err, ErrNothing) {
		err = nil
	}
	s.read(r)
	return err
}

// apply gives a target the bounds of a scheduled action.
func (d *Document) apply(a *Action, now time.Time) {
	least, most := d.Min, d.Max
	var parts []string
	if a.Min != nil {
		least = *a.Min
		parts = append(parts, fmt.Sprint("min capacity to ", least))
	}
	if a.Max != nil {
		most = *a.Max
		parts = append(parts, fmt.Sprint("max capacity to ", most))
	}
	what := strings.Join(parts, " and ")
	cause := "scheduled action name " + a.Name + " was triggered"
	if least > most {
		d.record(now, "Setting "+what, cause, fmt.Errorf("the minimum capacity of %d would be more than the maximum capacity of %d", least, most), "")
		return
	}
	d.Min, d.Max = least, most
	d.record(now, "Setting "+what, cause, nil, "Successfully set "+what)
}

// record notes an activity, with the error that it ended with. A failure that is the latest
// activity already is not noted again.
func (d *Document) record(now time.Time, description, cause string, failed error, success string) {
	a := Activity{ID: uuid.NewString(), Description: description, Cause: cause, Start: now, End: now, Status: "Successful", StatusMessage: success}
	if failed != nil {
		a.Status, a.StatusMessage = "Failed", "Failed: "+failed.Error()
	}
	if len(d.Activities) > 0 {
		latest := d.Activities[0]
		if failed != nil && latest.Description == a.Description && latest.StatusMessage == a.StatusMessage {
			return
		}
	}
	d.Activities = slices.Insert(d.Activities, 0, a)
}

// keepBounds sets the capacity to a bound if it is outside.
func (s *Scaler) keepBounds(ctx context.Context, functions Functions, r Resource, t *target) error {
	have, err := functions.Provisioned(ctx, r)
	if err != nil {
		return err
	}
	want, cause := have, ""
	switch {
	case have < t.Min:
		want, cause = t.Min, fmt.Sprint("minimum capacity was set to ", t.Min)
	case have > t.Max:
		want, cause = t.Max, fmt.Sprint("maximum capacity was set to ", t.Max)
	default:
		return nil
	}
	return s.provision(ctx, functions, r, want, cause, func(*Document) {})
}

// provision changes the capacity and notes it. also changes the document in the same step, if
// it succeeded.
func (s *Scaler) provision(ctx context.Context, functions Functions, r Resource, want int, cause string, also func(*Document)) error {
	failed := functions.Provision(ctx, r, want)
	now := time.Now()
	err := s.Store.Change(ctx, r, func(d *Document) (*Document, error) {
		if d == nil {
			return nil, ErrNothing
		}
		text := fmt.Sprint("provisioned concurrency to ", want)
		d.record(now, "Setting "+text+".", cause, failed, "Successfully set "+text+". Change successfully fulfilled by lambda.")
		if failed == nil {
			also(d)
		}
		return d, nil
	})
	if errors.Is(err, ErrNothing) {
		err = nil
	}
	s.read(r)
	return errors.Join(failed, err)
}
