package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Scope is the service's name in signatures.
const Scope = "scheduler"

// Config of the service.
type Config struct {
	Records   state.Records
	Schedules *Schedules // are told of what changes
	Account   function.Account
	// Check says why this server cannot deliver to a queue or a topic.
	Check func(arn string) error
	Now   func() time.Time // default time.Now
	// Role finds a role by its ARN, nil if there is none.
	Role func(ctx context.Context, arn string) (*access.Grant, error)
}

type service struct{ Config }

// maxBody is more than the largest schedule takes, in bytes.
const maxBody = 512 << 10

// New makes the service.
func New(c Config) *awsapi.Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &service{c}
	return &awsapi.Service{
		Model: newModel(),
		Operations: map[string]awsapi.Operation{
			"CreateSchedule": s.checked(s.createSchedule),
			"GetSchedule":    awsapi.Answer(s.getSchedule),
			"UpdateSchedule": s.checked(s.updateSchedule),
			"DeleteSchedule": awsapi.Answer(s.deleteSchedule),
			"ListSchedules":  awsapi.Answer(s.listSchedules),

			"CreateScheduleGroup": awsapi.Answer(s.createGroup),
			"GetScheduleGroup":    awsapi.Answer(s.getGroup),
			"DeleteScheduleGroup": awsapi.Answer(s.deleteGroup),
			"ListScheduleGroups":  awsapi.Answer(s.listGroups),

			"TagResource":         awsapi.Answer(s.tagResource),
			"UntagResource":       awsapi.Answer(s.untagResource),
			"ListTagsForResource": awsapi.Answer(s.listTags),
		},
		Unsupported: func(string) string { return "this server does not have it" },
		Exception:   exceptionOf, Invalid: "ValidationException", MaxBody: maxBody,
	}
}

func exception(name, format string, args ...any) error {
	return &awsapi.Exception{Name: name, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return exception("ValidationException", format, args...)
}

func missing(format string, args ...any) error {
	return exception("ResourceNotFoundException", format, args...)
}

func exceptionOf(err error) *awsapi.Exception {
	if errors.Is(err, state.ErrConflict) {
		return &awsapi.Exception{Name: "ConflictException", Message: "The resource is changed by another request. Try again."}
	}
	return nil
}

func (s *service) arn(resource string) string {
	return "arn:aws:scheduler:" + s.Account.Region + ":" + s.Account.ID + ":" + resource
}

func (s *service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// Records.
const (
	owner         = "scheduler"
	groupPrefix   = "group/"
	schedulePrefx = "schedule/"

	// recordFormat is the format of the records that this package writes.
	recordFormat = 1

	// maxTries is how often a writer reads and decides again because others wrote.
	maxTries = 32

	// page is how many records are read at once.
	page = 256
)

type envelope struct {
	Format int             `json:"format"`
	Data   json.RawMessage `json:"data"`
}

func decode(r state.Record, into any) error {
	var e envelope
	err := json.Unmarshal(r.Value, &e)
	if err == nil && e.Format > recordFormat {
		return fmt.Errorf("record %q of %q has format %d, this Hearth knows %d: %w", r.Name, r.Owner, e.Format, recordFormat, state.ErrNewer)
	}
	if err == nil {
		err = json.Unmarshal(e.Data, into)
	}
	if err != nil {
		return fmt.Errorf("record %q of %q: %w: %w", r.Name, r.Owner, state.ErrDamaged, err)
	}
	return nil
}

func encode(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{recordFormat, data})
}

// read returns nil if there is no record of that name.
func read[T any](ctx context.Context, records state.Records, name string) (*T, state.Revision, error) {
	r, err := records.Read(ctx, state.Key{Owner: owner, Name: name})
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil, state.Absent, nil
	case err != nil:
		return nil, 0, err
	}
	value := new(T)
	return value, r.Revision, decode(r, value)
}

// change lets decide say what a record is to be, given what it is or nil, until no other writer
// came between. nil removes it. more are changes of other records, or checks.
func change[T any](ctx context.Context, s *service, name string, decide func(had *T) (*T, []state.Change, error)) error {
	for range maxTries {
		had, revision, err := read[T](ctx, s.Records, name)
		if err != nil {
			return err
		}
		existed := had != nil
		next, more, err := decide(had)
		if err != nil || next == nil && !existed {
			return err
		}
		one := state.Delete(name, revision)
		if next != nil {
			value, err := encode(next)
			if err != nil {
				return err
			}
			one = state.Put(name, revision, value)
		}
		_, err = s.Records.Change(ctx, owner, append(more, one)...)
		s.Schedules.changed()
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%q is changed by too many at once: %w", name, state.ErrConflict)
}

// list reads the records whose names begin with prefix and come after the name after, up to
// limit of them that take finds right; 0: all. next is the name to go on with, "" at the end.
func list[T any](ctx context.Context, records state.Records, prefix, after string, limit int, take func(*T) bool) (all []*T, next string, err error) {
	for {
		some, err := records.List(ctx, owner, prefix, after, page)
		if err != nil {
			return nil, "", err
		}
		for _, r := range some {
			value := new(T)
			if err := decode(r, value); err != nil {
				return nil, "", err
			}
			if !take(value) {
				continue
			}
			if limit > 0 && len(all) == limit {
				return all, next, nil
			}
			all, next = append(all, value), r.Name
		}
		if len(some) < page {
			return all, "", nil
		}
		after = some[len(some)-1].Name
	}
}

// A timestamp is seconds since 1970, as the protocol has it.
type timestamp time.Time

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(t).UnixMilli()) / 1000)
}

func stamp(t *time.Time) *timestamp {
	if t == nil {
		return nil
	}
	at := timestamp(*t)
	return &at
}
