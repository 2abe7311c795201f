package push

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// eventGrid takes Azure Event Grid's own schema, and CloudEvents from it.
// https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
type eventGrid struct{ cloud cloudEvents }

func newEventGrid(c Config) (Source, error) { return &eventGrid{cloudEvents{c}}, nil }

func (g *eventGrid) Admit(r *Request) (int64, error) { return g.cloud.Admit(r) }

func (g *eventGrid) Decode(ctx context.Context, r *Request) (Delivery, error) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method == http.MethodOptions || strings.HasPrefix(media, "application/cloudevents") {
		d, err := g.cloud.Decode(ctx, r)
		for i := range d.Events {
			d.Events[i].Source = "eventgrid"
		}
		return d, err
	}
	value, err := decodeJSON(r.Body)
	if err != nil {
		return Delivery{}, err
	}
	events, ok := value.([]any)
	if !ok {
		return Delivery{}, fmt.Errorf("%w: Event Grid sends an array", ErrMalformed)
	}
	kind := r.Header.Get("Aeg-Event-Type")
	switch kind {
	case "SubscriptionValidation":
		return validateSubscription(events)
	case "SubscriptionDeletion", "Unsubscribe":
		return Delivery{}, nil
	case "Notification":
	default:
		return Delivery{}, fmt.Errorf("%w: aeg-event-type %.40q is not known", ErrMalformed, kind)
	}
	var d Delivery
	for i, value := range events {
		event, _ := value.(object)
		e, err := eventGridEvent(event)
		if err != nil {
			return Delivery{}, fmt.Errorf("[%d]: %w", i, err)
		}
		d.Events = append(d.Events, e)
	}
	return d, nil
}

func validateSubscription(events []any) (Delivery, error) {
	if len(events) == 1 {
		event, _ := events[0].(object)
		if code := str(sub(event, "data"), "validationCode"); code != "" && len(code) <= 512 {
			body, err := json.Marshal(map[string]string{"validationResponse": code})
			return Delivery{Response: &Response{
				Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
			}}, err
		}
	}
	return Delivery{}, fmt.Errorf("%w: a validation without a validationCode", ErrMalformed)
}

func eventGridEvent(event object) (Event, error) {
	for _, name := range []string{"id", "subject", "eventType"} {
		if str(event, name) == "" {
			return Event{}, fmt.Errorf("%w: an event of Event Grid without %s", ErrMalformed, name)
		}
	}
	payload, err := encodeJSON(event)
	if err != nil {
		return Event{}, err
	}
	return withObject(Event{
		Payload: payload, Source: "eventgrid", Name: str(event, "eventType"), Subject: str(event, "subject"),
		Once: once("eventgrid", str(event, "topic"), str(event, "id")),
	}, ""), nil
}
