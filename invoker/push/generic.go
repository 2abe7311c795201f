package push

import (
	"context"
	"encoding/json"
	"fmt"
)

// generic takes any JSON, from a sender with a token or with a signed body. The event
// is the body, as with Invoke; its name is its type or event field, if that is a string.
type generic struct{ config Config }

func newGeneric(c Config) (Source, error) { return &generic{c}, nil }

// Admit wants a signature where there are secrets, a token where there are tokens, and both
// where there are both.
func (g *generic) Admit(r *Request) (int64, error) {
	if err := onlyPOST(r); err != nil {
		return 0, err
	}
	if len(g.config.Secrets) > 0 {
		if _, err := bodyHMAC(r, g.config.SignatureHeader); err != nil || len(g.config.Tokens) == 0 {
			return MaxBody, err
		}
	}
	return MaxBody, g.config.authorize(r)
}

func (g *generic) Decode(_ context.Context, r *Request) (Delivery, error) {
	if len(g.config.Secrets) > 0 {
		if err := g.config.verifyHMAC(r, g.config.SignatureHeader); err != nil {
			return Delivery{}, err
		}
	}
	fields, err := fieldsOf(r.Body)
	if err != nil {
		return Delivery{}, err
	}
	e := Event{Payload: r.Body, Source: "generic"}
	for _, name := range []string{"type", "event"} {
		if e.Name != "" || len(fields[name]) == 0 || fields[name][0] != '"' {
			continue
		}
		if err := json.Unmarshal(fields[name], &e.Name); err != nil {
			return Delivery{}, fmt.Errorf("%w: the name of the event: %w", ErrMalformed, err)
		}
	}
	// The name of the header is the one that IETF's draft has for the purpose.
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		e.Once = once("generic", key)
	}
	return Delivery{Signed: len(g.config.Secrets) > 0, Events: []Event{e}}, nil
}
