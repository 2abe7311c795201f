package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Scope is the service's name in signatures.
const Scope = "events"

// Config of the service.
type Config struct {
	Store   *document.Store
	Rules   *Rules // are told of what changes
	Account function.Account
	// Check says why this server cannot deliver to a queue or a topic.
	Check func(arn string) error
	// Dispatch keeps an event for a target. Once it returns nil the target gets it.
	Dispatch func(ctx context.Context, d *bus.Dispatch) error
	Now      func() time.Time // default time.Now
}

type service struct {
	Config
	// turn has one place: the changes of this node come one after the other.
	turn chan struct{}
}

// maxBody has room for the largest events, escaped, in bytes.
const maxBody = 4 << 20

// New makes the service.
func New(c Config) *awsapi.Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &service{c, make(chan struct{}, 1)}
	return &awsapi.Service{
		Model: newModel(),
		Operations: map[string]awsapi.Operation{
			"CreateEventBus":   awsapi.Answer(s.createBus),
			"DescribeEventBus": awsapi.Answer(s.describeBus),
			"ListEventBuses":   awsapi.Answer(s.listBuses),
			"DeleteEventBus":   awsapi.Answer(s.deleteBus),

			"PutRule":      awsapi.Answer(s.putRule),
			"DescribeRule": awsapi.Answer(s.describeRule),
			"ListRules":    awsapi.Answer(s.listRules),
			"EnableRule":   awsapi.Answer(s.enableRule),
			"DisableRule":  awsapi.Answer(s.disableRule),
			"DeleteRule":   awsapi.Answer(s.deleteRule),

			"PutTargets":            awsapi.Answer(s.putTargets),
			"RemoveTargets":         awsapi.Answer(s.removeTargets),
			"ListTargetsByRule":     awsapi.Answer(s.listTargets),
			"ListRuleNamesByTarget": awsapi.Answer(s.listRuleNames),

			"TagResource":         awsapi.Answer(s.tagResource),
			"UntagResource":       awsapi.Answer(s.untagResource),
			"ListTagsForResource": awsapi.Answer(s.listTags),

			"PutEvents":        awsapi.Answer(s.putEvents),
			"TestEventPattern": awsapi.Answer(s.testPattern),
		},
		Unsupported: unsupported, Exception: exceptionOf, Invalid: "ValidationException", MaxBody: maxBody,
	}
}

// unsupported says why an operation is not answered.
func unsupported(operation string) string {
	for _, reason := range []struct{ part, text string }{
		{"Archive", "events are not archived here"},
		{"Replay", "events are not archived here"},
		{"ApiDestination", "targets are functions, queues and topics"},
		{"Connection", "targets are functions, queues and topics"},
		{"Partner", "there are no partners here"},
		{"EventSource", "there are no partners here"},
		{"Endpoint", "there is one region here"},
		{"Permission", "there is one account here"},
	} {
		if strings.Contains(operation, reason.part) {
			return reason.text
		}
	}
	return "this server has event buses, rules, targets and PutEvents"
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

func exceeded() error {
	return exception("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
}

func exceptionOf(err error) *awsapi.Exception {
	switch {
	case errors.Is(err, document.ErrTooLarge):
		return &awsapi.Exception{Name: "LimitExceededException", Message: "It is larger than this server keeps: " + err.Error()}
	case errors.Is(err, state.ErrConflict):
		return &awsapi.Exception{Name: "ConcurrentModificationException", Message: "There is concurrent modification on a resource. Try again."}
	}
	return nil
}

func (s *service) arn(resource string) string {
	return "arn:aws:events:" + s.Account.Region + ":" + s.Account.ID + ":" + resource
}

// now is to the millisecond: a rule has no ticks from before it was made.
func (s *service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

type tag struct{ Key, Value string }

// maxTags is AWS's limit.
const maxTags = 50

// merge is tags with those of more, in the order of their keys.
func merge(tags, more []tag) ([]tag, error) {
	out := slices.Clone(tags)
	for _, t := range more {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, invalid("Tag keys that begin with aws: are reserved for system tags.")
		}
		out = append(slices.DeleteFunc(out, func(had tag) bool { return had.Key == t.Key }), t)
	}
	if len(out) > maxTags {
		return nil, exceeded()
	}
	slices.SortFunc(out, func(x, y tag) int { return strings.Compare(x.Key, y.Key) })
	return out, nil
}

type tagInput struct {
	ResourceARN string
	Tags        []tag
	TagKeys     []string
}

type tagsOutput struct{ Tags []tag }

// tagged reads or changes the tags of a rule or an event bus. change is nil for a reader.
func (s *service) tagged(ctx context.Context, in *tagInput, change func(tags []tag) ([]tag, error)) (tags []tag, err error) {
	rest, ours := strings.CutPrefix(in.ResourceARN, s.arn(""))
	kind, name, _ := strings.Cut(rest, "/")
	if !ours || name == "" || kind != "rule" && kind != "event-bus" {
		return nil, invalid("Parameter ResourceArn is not valid. Reason: Provided Arn is not in correct format.")
	}
	on := name
	if kind == "rule" {
		if on = defaultBus; strings.Contains(name, "/") {
			on, name, _ = strings.Cut(name, "/")
		}
	}
	decide := func(e *document.Edit) error {
		if kind == "event-bus" {
			b, err := findBus(&e.Set, on)
			if err != nil {
				return err
			}
			if tags = b.Tags; change == nil {
				return nil
			}
			if b.Tags, err = change(b.Tags); err != nil {
				return err
			}
			return e.Put(docBus+on, b)
		}
		r, err := findRule(&e.Set, on, name)
		if err != nil {
			return err
		}
		if tags = r.Tags; change == nil {
			return nil
		}
		if r.Tags, err = change(r.Tags); err != nil {
			return err
		}
		return e.Put(ruleKey(on, name), r)
	}
	return tags, s.change(ctx, decide)
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TagResource.html
func (s *service) tagResource(ctx context.Context, in *tagInput) (*struct{}, error) {
	_, err := s.tagged(ctx, in, func(tags []tag) ([]tag, error) { return merge(tags, in.Tags) })
	return &struct{}{}, err
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UntagResource.html
func (s *service) untagResource(ctx context.Context, in *tagInput) (*struct{}, error) {
	_, err := s.tagged(ctx, in, func(tags []tag) ([]tag, error) {
		return slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) }), nil
	})
	return &struct{}{}, err
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTagsForResource.html
func (s *service) listTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	tags, err := s.tagged(ctx, in, nil)
	return &tagsOutput{append([]tag{}, tags...)}, err
}

// change changes documents, and has the rules read again.
func (s *service) change(ctx context.Context, decide func(e *document.Edit) error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	err := s.Store.Change(ctx, owner, decide)
	s.Rules.changed()
	return err
}

// paging is how lists are asked for.
type paging struct {
	NextToken string
	Limit     int
}

// cut cuts a page of things, which are in the order of their keys.
func cut[T any](all []T, key func(T) string, in paging) ([]T, string) {
	if in.Limit == 0 {
		in.Limit = 100
	}
	return awsapi.Page(all, key, in.NextToken, in.Limit)
}
