package events

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// Owners and names of documents.
const (
	owner   = "events"
	docBus  = "bus/"
	docRule = "rule/"

	defaultBus = "default"
)

// Quotas. AWS's are 100 event buses, and 300 rules of each.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const (
	maxBuses   = 100
	maxRules   = 300
	maxAll     = 2000 // rules of all event buses
	maxBusName = 180  // AWS: 256. The name is part of a record's
)

// A busDocument is the document of a custom event bus.
type busDocument struct {
	Name        string
	Description string `json:",omitempty"`
	Created     time.Time
	Tags        []tag `json:",omitempty"`
}

// busName is the name of a bus, of its name or ARN. "" is the default one.
func (s *service) busName(given string) (string, error) {
	if given == "" {
		return defaultBus, nil
	}
	if !strings.HasPrefix(given, "arn:") {
		return given, nil
	}
	name, ours := strings.CutPrefix(given, s.arn("event-bus/"))
	if !ours {
		return "", missing("Event bus %.200s does not exist: this server has one account and one region.", given)
	}
	return name, nil
}

// findBus finds a bus among its documents. The default one is always there.
func findBus(set *document.Set, name string) (*busDocument, error) {
	b := &busDocument{Name: name}
	err := set.Get(docBus+name, b)
	if errors.Is(err, document.ErrNotFound) {
		if name == defaultBus {
			return b, nil
		}
		err = missing("Event bus %s does not exist.", name)
	}
	return b, err
}

type createBusInput struct {
	Name, Description, EventSourceName, KmsKeyIdentifier string

	DeadLetterConfig, LogConfig any
	Tags                        []tag
}

type createBusOutput struct {
	EventBusArn string
	Description string `json:",omitempty"`
}

func (in *createBusInput) check() error {
	switch {
	case in.EventSourceName != "":
		return invalid("EventSourceName is not supported: there are no partners here.")
	case in.KmsKeyIdentifier != "":
		return invalid("KmsKeyIdentifier is not supported: there is no KMS here.")
	case in.DeadLetterConfig != nil:
		return invalid("DeadLetterConfig of an event bus is not supported: that of a target is.")
	case in.LogConfig != nil:
		return invalid("LogConfig is not supported: event buses have no logs here.")
	case strings.Contains(in.Name, "/"):
		return invalid("Event bus name must not contain '/'.")
	case strings.HasPrefix(in.Name, "aws."):
		return invalid("Event bus name starting with 'aws.' is not valid.")
	case len(in.Name) > maxBusName:
		return invalid("Event bus names have up to %d characters here.", maxBusName)
	}
	return nil
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html
func (s *service) createBus(ctx context.Context, in *createBusInput) (*createBusOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	tags, err := merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, func(e *document.Edit) error {
		if in.Name == defaultBus || e.Has(docBus+in.Name) {
			return exception("ResourceAlreadyExistsException", "Event bus %s already exists.", in.Name)
		}
		if len(e.Names(docBus)) >= maxBuses {
			return exceeded()
		}
		return e.Put(docBus+in.Name, &busDocument{Name: in.Name, Description: in.Description, Created: s.now(), Tags: tags})
	})
	return &createBusOutput{s.arn("event-bus/" + in.Name), in.Description}, err
}

// A timestamp is seconds since 1970, as the JSON protocol has it.
type timestamp time.Time

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(t).UnixMilli()) / 1000)
}

type shownBus struct {
	Name, Arn        string
	Description      string     `json:",omitempty"`
	CreationTime     *timestamp `json:",omitempty"`
	LastModifiedTime *timestamp `json:",omitempty"`
}

func (s *service) showBus(b *busDocument) *shownBus {
	out := &shownBus{Name: b.Name, Arn: s.arn("event-bus/" + b.Name), Description: b.Description}
	if !b.Created.IsZero() {
		at := timestamp(b.Created)
		out.CreationTime, out.LastModifiedTime = &at, &at
	}
	return out
}

type busInput struct{ Name string }

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeEventBus.html
func (s *service) describeBus(ctx context.Context, in *busInput) (*shownBus, error) {
	name, err := s.busName(in.Name)
	if err != nil {
		return nil, err
	}
	set, err := s.Store.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	b, err := findBus(set, name)
	if err != nil {
		return nil, err
	}
	return s.showBus(b), nil
}

type listBusesInput struct {
	NamePrefix string
	paging
}

type busesOutput struct {
	EventBuses []*shownBus
	NextToken  string `json:",omitempty"`
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListEventBuses.html
func (s *service) listBuses(ctx context.Context, in *listBusesInput) (*busesOutput, error) {
	set, err := s.Store.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	all, err := document.All[busDocument](set, docBus)
	if err != nil {
		return nil, err
	}
	if !set.Has(docBus + defaultBus) { // else it has tags
		all = append(all, &busDocument{Name: defaultBus})
	}
	slices.SortFunc(all, func(x, y *busDocument) int { return strings.Compare(x.Name, y.Name) })
	all = slices.DeleteFunc(all, func(b *busDocument) bool { return !strings.HasPrefix(b.Name, in.NamePrefix) })
	page, next := cut(all, func(b *busDocument) string { return b.Name }, in.paging)
	out := &busesOutput{[]*shownBus{}, next}
	for _, b := range page {
		out.EventBuses = append(out.EventBuses, s.showBus(b))
	}
	return out, nil
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteEventBus.html
func (s *service) deleteBus(ctx context.Context, in *busInput) (*struct{}, error) {
	name, err := s.busName(in.Name)
	if err != nil {
		return nil, err
	}
	if name == defaultBus {
		return nil, invalid("Cannot delete event bus default.")
	}
	return &struct{}{}, s.change(ctx, func(e *document.Edit) error {
		if len(e.Names(docRule+name+"/")) > 0 {
			return invalid("Event bus %s can't be deleted since it has rules.", name)
		}
		if e.Has(docBus + name) {
			e.Delete(docBus + name)
		}
		return nil
	})
}
