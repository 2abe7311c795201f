package push

import (
	"context"
	"fmt"
	"mime"
)

// github takes webhooks of GitHub, signed with a secret. GitHub signs neither a time nor
// the headers. So only the body shows that a delivery is a replay under another delivery ID
// or event name. The bodies of two events differ by the times and numbers in them.
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
type github struct{ config Config }

func newGitHub(c Config) (Source, error) { return &github{c}, nil }

const gitHubSignature = "X-Hub-Signature-256"

func (g *github) Admit(r *Request) (int64, error) {
	if err := onlyPOST(r); err != nil {
		return 0, err
	}
	_, err := bodyHMAC(r, gitHubSignature)
	return MaxBody, err
}

func (g *github) Decode(_ context.Context, r *Request) (Delivery, error) {
	if err := g.config.verifyHMAC(r, gitHubSignature); err != nil {
		return Delivery{}, err
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return Delivery{}, fmt.Errorf("%w: set the webhook's content type to application/json", ErrMediaType)
	}
	name, id := r.Header.Get("X-GitHub-Event"), r.Header.Get("X-GitHub-Delivery")
	if !isToken(name, 128) || !isToken(id, 128) {
		return Delivery{}, fmt.Errorf("%w: no X-GitHub-Event, or no X-GitHub-Delivery", ErrMalformed)
	}
	body, err := decodeObject(r.Body)
	if err != nil {
		return Delivery{}, err
	}
	if name == "ping" {
		return Delivery{}, nil // sent when a webhook is set up
	}
	payload, err := envelope(id, "github.com", name, g.config.Region, r.Received, body)
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{Signed: true, Events: []Event{{
		Payload: payload, Source: "github", Name: name,
		Subject: str(sub(body, "repository"), "full_name"),
		Once:    once("github", string(r.Body)),
	}}}, nil
}
