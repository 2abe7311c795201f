package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/warmpool/function"
)

// maxEvents bounds the entries of a call together, in bytes. An event must fit into the queue.
const maxEvents = 1 << 20

type entry struct {
	Time                                                  *time.Time
	Source, DetailType, Detail, EventBusName, TraceHeader string
	Resources                                             []string
}

// size is the size of an entry, as AWS counts it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevents-size
func (in *entry) size() int {
	n := len(in.Source) + len(in.DetailType) + len(in.Detail)
	if in.Time != nil {
		n += 14
	}
	for _, r := range in.Resources {
		n += len(r)
	}
	return n
}

type putEventsInput struct {
	EndpointId string
	Entries    []entry
}

// A putEntry says what became of an entry: it has an ID, or an error.
type putEntry struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

type putEventsOutput struct {
	FailedEntryCount int
	Entries          []putEntry
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (s *service) putEvents(ctx context.Context, in *putEventsInput) (*putEventsOutput, error) {
	if in.EndpointId != "" {
		return nil, invalid("EndpointId is not supported: there is one region here.")
	}
	size := 0
	for n := range in.Entries {
		size += in.Entries[n].size()
	}
	if size > maxEvents {
		return nil, invalid("Total size of the entries in the request is over the limit.")
	}
	set, err := s.Rules.current(ctx)
	if err != nil {
		return nil, err
	}
	out := &putEventsOutput{Entries: make([]putEntry, len(in.Entries))}
	var all sync.WaitGroup
	for n := range in.Entries {
		all.Go(func() { out.Entries[n] = s.put(ctx, set, &in.Entries[n]) })
	}
	all.Wait()
	for _, e := range out.Entries {
		if e.ErrorCode != "" {
			out.FailedEntryCount++
		}
	}
	return out, nil
}

func refused(code, message string) putEntry { return putEntry{ErrorCode: code, ErrorMessage: message} }

// put sends one event to the targets of the rules that it matches.
func (s *service) put(ctx context.Context, set *ruleSet, in *entry) putEntry {
	for _, required := range []struct{ name, value string }{{"Source", in.Source}, {"DetailType", in.DetailType}, {"Detail", in.Detail}} {
		if required.value == "" {
			return refused("InvalidArgument", "Parameter "+required.name+" is not valid. Reason: "+required.name+" is a required argument.")
		}
	}
	detail := bytes.TrimSpace([]byte(in.Detail))
	if !json.Valid(detail) || detail[0] != '{' {
		return refused("MalformedDetail", "Detail is malformed.")
	}
	if strings.HasPrefix(in.Source, "aws.") {
		return refused("NotAuthorizedForSourceException", "Not authorized for the source.")
	}
	on, err := s.busName(in.EventBusName)
	if err == nil && !set.buses[on] {
		err = missing("Event bus %s does not exist.", on)
	}
	if err != nil {
		var x *awsapi.Exception
		errors.As(err, &x)
		return refused(x.Name, x.Message)
	}
	received := s.now()
	at := received
	if in.Time != nil {
		at = *in.Time
	}
	event := bus.Event{
		Version: "0", ID: function.NewRequestID(), DetailType: in.DetailType, Source: in.Source, Account: s.Account.ID, Time: bus.Stamp(at),
		Region: s.Account.Region, Resources: in.Resources, Detail: detail,
	}
	if err := route(ctx, s.Account, s.Dispatch, set.rules[on], event.Encode(), received, func(d *bus.Dispatch) { d.Trace = in.TraceHeader }); err != nil {
		if errors.Is(err, invoker.ErrFull) {
			return refused("ThrottlingException", "As many events wait as may. Try again.")
		}
		return refused("InternalFailure", "The event could not be kept for all targets. Try again.")
	}
	return putEntry{EventID: event.ID}
}

// A dispatcher keeps an event for its target.
type dispatcher = func(context.Context, *bus.Dispatch) error

// Publish sends an event of a service, whose name begins with aws., to the targets of the rules of
// the default bus that it matches. complete adds to what is on its way to a target.
func (r *Rules) Publish(ctx context.Context, account function.Account, keep dispatcher, event *bus.Event, complete func(*bus.Dispatch)) error {
	set, err := r.current(ctx)
	if err != nil {
		return err
	}
	return route(ctx, account, keep, set.rules[defaultBus], event.Encode(), time.Now(), complete)
}

// route sends an event to the targets of the rules that it matches.
func route(ctx context.Context, account function.Account, keep dispatcher, rules []*readyRule, event []byte, received time.Time, complete func(*bus.Dispatch)) error {
	value, err := pattern.Decode(event)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.State != enabled || r.pattern == nil || !r.pattern.MatchValue(value) {
			continue
		}
		for _, t := range r.Targets {
			d, err := r.dispatch(t, account, event, received)
			if err != nil {
				return err
			}
			complete(d)
			if err := keep(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

type patternInput struct{ Event, EventPattern string }

type patternOutput struct{ Result bool }

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
func (s *service) testPattern(_ context.Context, in *patternInput) (*patternOutput, error) {
	p, err := pattern.Parse([]byte(in.EventPattern))
	if err != nil {
		return nil, exception("InvalidEventPatternException", "Event pattern is not valid. Reason: %v", err)
	}
	event := make(map[string]any)
	if err := json.Unmarshal([]byte(in.Event), &event); err != nil {
		return nil, invalid("Parameter Event is not valid. Reason: it is no JSON object.")
	}
	for _, name := range []string{"id", "account", "source", "time", "region", "resources", "detail-type"} {
		if _, found := event[name]; !found {
			return nil, invalid("Parameter Event is not valid. Reason: it must have a field %q.", name)
		}
	}
	result, err := p.Match([]byte(in.Event))
	if err != nil {
		return nil, invalid("Parameter Event is not valid.")
	}
	return &patternOutput{result}, nil
}
