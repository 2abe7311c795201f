package push

import (
	"context"
	"fmt"
)

// eventBridge takes events that a rule of EventBridge sends to an API destination whose
// connection has a token. Its S3 events have keys that are not encoded, and stay so.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
type eventBridge struct{ config Config }

func newEventBridge(c Config) (Source, error) { return &eventBridge{c}, nil }

func (b *eventBridge) Admit(r *Request) (int64, error) {
	if err := onlyPOST(r); err != nil {
		return 0, err
	}
	return MaxBody, b.config.authorize(r)
}

func (b *eventBridge) Decode(_ context.Context, r *Request) (Delivery, error) {
	event, err := decodeObject(r.Body)
	if err != nil {
		return Delivery{}, err
	}
	for _, name := range []string{"id", "source", "detail-type"} {
		if str(event, name) == "" {
			return Delivery{}, fmt.Errorf("%w: an event of EventBridge without %s; does the rule transform its input?", ErrMalformed, name)
		}
	}
	detail := sub(event, "detail")
	if detail == nil {
		return Delivery{}, fmt.Errorf("%w: an event of EventBridge without detail", ErrMalformed)
	}
	e := Event{
		Payload: r.Body, Source: "eventbridge", Name: str(event, "detail-type"), Subject: str(event, "source"),
		Once: once("eventbridge", str(event, "source"), str(event, "account"), str(event, "region"), str(event, "id")),
	}
	bucket, key := str(sub(detail, "bucket"), "name"), str(sub(detail, "object"), "key")
	if e.Subject == "aws.s3" && bucket != "" && key != "" && len(key) <= MaxKey {
		e.Bucket, e.Key, e.Subject = bucket, key, bucket+"/"+key
		e.Order = once("eventbridge", bucket, key)
	}
	return Delivery{Events: []Event{e}}, nil
}
