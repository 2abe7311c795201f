package caddymodule

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/invoker/push"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/trace"
)

func init() {
	caddy.RegisterModule(Receive{})
}

// Receive takes events that sources push: object stores, SNS, GitHub and others. It
// verifies the sender, keeps each event for the functions that it is for, and answers
// only then; the functions run after that, and again when they fail.
type Receive struct {
	// The kind of source: s3, sns, eventbridge, cloudevents, eventgrid, github,
	// standard_webhooks or generic.
	Source string `json:"source,omitempty"`

	// Tokens that the sender may have, as "Authorization: Bearer TOKEN" or ?token=TOKEN.
	// Caddy logs the latter where access logs are on, unless their format is one with a
	// filter: request>uri query { replace token REDACTED }.
	Tokens []string `json:"tokens,omitempty"`

	// Keys of signatures (github, standard_webhooks, generic).
	Secrets []string `json:"secrets,omitempty"`

	// Take events from anyone, because something in front of this handler checks the
	// sender.
	Open bool `json:"open,omitempty"`

	// ARNs of the SNS topics that may send (sns, and s3 by SNS).
	Topics []string `json:"topics,omitempty"`

	// The header that has the signature (generic). Default: X-Signature-256.
	SignatureHeader string `json:"signature_header,omitempty"`

	// The region that events name when the sender does not. Default: that of the
	// hearth app.
	Region string `json:"region,omitempty"`

	// How old or far ahead a signed time may be. Default: 5m.
	Tolerance caddy.Duration `json:"tolerance,omitempty"`

	// How long the handler recognises a second delivery of the same event and does not run
	// it. Negative: never. Default: 10m; 24h if a signature has no time (github, generic
	// with secrets). If it has one, at least for as long as the signature is valid.
	Dedupe caddy.Duration `json:"dedupe,omitempty"`

	// The rules that select functions for events. Each function whose rule matches gets
	// the event. Without rules, the last part of the URL's path names the function.
	Rules []ReceiveRule `json:"rules,omitempty"`

	// Run the functions that the notification configurations of buckets name, which clients
	// put by the API of S3 (s3). The option s3 of the hearth app has notify then.
	Notifications bool `json:"notifications,omitempty"`

	log    *zap.Logger
	app    *App
	source push.Source
	rules  []push.Rule
}

// ReceiveRule sends events to a function. All that it names must fit.
type ReceiveRule struct {
	// Name of events, where * is any text, e.g. ObjectCreated:*. Default: any.
	Event string `json:"event,omitempty"`

	// The subjects of the events, for objects bucket/key, with * (within a folder) and **.
	// Default: anything.
	Subject string `json:"subject,omitempty"`

	// An event pattern of EventBridge, JSON. Default: any.
	Pattern string `json:"pattern,omitempty"`

	// The function, with a version or an alias: NAME or NAME:QUALIFIER.
	Function string `json:"function,omitempty"`

	// Run the events of one object one after the other, in the order they came. A
	// failing event holds up those behind it until it is given up.
	Ordered bool `json:"ordered,omitempty"`
}

// How long a delivery is remembered, and one whose signature has no end.
const (
	dedupeFor        = 10 * time.Minute
	dedupeEndlessFor = 24 * time.Hour
)

// CaddyModule returns the Caddy module information.
func (Receive) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_receive",
		New: func() caddy.Module { return new(Receive) },
	}
}

// Provision reads the rules and replaces placeholders.
func (h *Receive) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	h.app, h.log = module.(*App), ctx.Logger().With(zap.String("source", h.Source))
	repl := caddy.NewReplacer()
	if h.source, err = h.newSource(h.app.Region, repl); err != nil {
		return err
	}
	if h.Notifications && (h.Source != "s3" || !h.app.setup.Notifies()) {
		return fmt.Errorf("receive %s: notifications is an option of receive s3, and needs notify in the option s3 of hearth", h.Source)
	}
	h.app.takesEvents = h.app.takesEvents || h.Notifications
	for n, r := range h.Rules {
		rule, err := r.prepare(repl)
		if err != nil {
			return fmt.Errorf("receive %s: rule %d: %w", h.Source, n+1, err)
		}
		if err := h.app.setup.NamedBySource(rule.Target.Function, rule.Target.Qualifier); err != nil {
			return err
		}
		h.rules = append(h.rules, rule)
	}
	return nil
}

// newSource makes the source from the values of the configuration.
func (h *Receive) newSource(region string, repl *caddy.Replacer) (push.Source, error) {
	all := func(texts []string) (replaced []string, err error) {
		for _, text := range texts {
			value := repl.ReplaceAll(text, "")
			if value == "" {
				return nil, fmt.Errorf("receive %s: %q is empty", h.Source, text) // would let anyone in
			}
			replaced = append(replaced, value)
		}
		return replaced, nil
	}
	config := push.Config{
		Open: h.Open, SignatureHeader: repl.ReplaceAll(h.SignatureHeader, ""), Region: repl.ReplaceAll(h.Region, ""),
		Tolerance: time.Duration(h.Tolerance), SNS: services.NewSNSClient(),
	}
	if config.Region == "" {
		config.Region = region
	}
	var errTokens, errSecrets, errTopics error
	config.Tokens, errTokens = all(h.Tokens)
	config.Secrets, errSecrets = all(h.Secrets)
	config.Topics, errTopics = all(h.Topics)
	if err := errors.Join(errTokens, errSecrets, errTopics); err != nil {
		return nil, err
	}
	source, err := push.New(h.Source, config)
	if err != nil {
		return nil, fmt.Errorf("receive %s: %w", h.Source, err)
	}
	return source, nil
}

func (r *ReceiveRule) prepare(repl *caddy.Replacer) (push.Rule, error) {
	target, err := push.ParseTarget(repl.ReplaceAll(r.Function, ""))
	if err != nil {
		return push.Rule{}, err
	}
	rule := push.Rule{Name: strings.TrimPrefix(repl.ReplaceAll(r.Event, ""), "s3:"), Subject: repl.ReplaceAll(r.Subject, ""), Target: target}
	if r.Pattern != "" {
		if rule.Pattern, err = pattern.Parse([]byte(repl.ReplaceKnown(r.Pattern, ""))); err != nil {
			return rule, fmt.Errorf("pattern: %w", err)
		}
	}
	return rule, nil
}

// ServeHTTP answers when all events of the request are kept.
func (h *Receive) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	id := function.NewRequestID()
	w.Header()["X-Amzn-Requestid"] = []string{id}
	var share bodies.Share
	defer share.End()
	delivery, err := h.accept(w, r, &share)
	if err != nil {
		return h.refuse(w, r, id, err)
	}
	if answer := delivery.Response; answer != nil {
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body) // the sender may be gone
		return nil
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *Receive) accept(w http.ResponseWriter, r *http.Request, share *bodies.Share) (*push.Delivery, error) {
	request := &push.Request{Method: r.Method, Query: r.URL.Query(), Header: r.Header, Received: time.Now()}
	most, err := h.source.Admit(request)
	if err != nil {
		return nil, err
	}
	// The events of a body may take as much again.
	intake := bodies.Intake{Most: most, Weight: 6, Budget: h.app.engine.Bodies(), Rate: slowest}
	request.Body, err = intake.Read(w, r, nil, share)
	switch {
	case err == nil:
	case errors.Is(err, bodies.ErrFull), errors.Is(err, bodies.ErrSlow):
		return nil, err
	case errors.Is(err, bodies.ErrTooLarge):
		return nil, fmt.Errorf("%w: the body is over %d bytes", push.ErrTooLarge, most)
	default:
		return nil, fmt.Errorf("%w: the body could not be read", push.ErrMalformed)
	}
	delivery, err := h.source.Decode(r.Context(), request)
	if err != nil {
		return nil, err
	}
	messages, bridged, err := h.messages(r, &delivery)
	if err != nil {
		return nil, err
	}
	for _, e := range bridged {
		if err := h.bridge(r, &delivery, e); err != nil {
			return nil, err
		}
	}
	if len(messages) == 0 {
		return &delivery, nil
	}
	return &delivery, h.app.engine.Push(r.Context(), messages...)
}

// messages are the events of a request, one for each function. bridged are those that EventBridge gets.
func (h *Receive) messages(r *http.Request, delivery *push.Delivery) (all []*invoker.Message, bridged []*push.Event, err error) {
	header := r.Header.Get(traceHeader)
	if h.Source != "sns" { // which hands on that of who published
		header = trace.Foreign(header)
	}
	for n := range delivery.Events {
		e := &delivery.Events[n]
		targets, bridge, err := h.targets(r, e)
		if err != nil {
			return nil, nil, err
		}
		if bridge {
			bridged = append(bridged, e)
		}
		for _, target := range targets {
			m := &invoker.Message{
				RequestID: function.NewRequestID(), Function: target.Function, Qualifier: target.Qualifier, TraceID: header,
				Source: h.Source, Subject: e.Subject, Payload: target.payload,
			}
			if m.Qualifier == "" {
				m.Qualifier = function.Latest
			}
			if err := h.app.setup.CheckTarget(r.Context(), m.Function, m.Qualifier); err != nil {
				return nil, nil, err
			}
			if e.Once != "" && h.Dedupe >= 0 {
				m.Once, m.OnceFor = h.once(r, e, m, target.configuration, delivery.Signed), h.onceFor(delivery, time.Now())
			}
			if e.Order != "" && target.configuration == "" && h.ordered(target.Target, e) {
				m.Order = e.Order
			}
			all = append(all, m)
		}
	}
	return all, bridged, nil
}

// An addressed target gets a payload of its own.
type addressed struct {
	push.Target
	payload       []byte
	configuration string // ID of the notification configuration; "": a rule names the function
}

// targets are the functions that an event goes to: by rules, and by the notification
// configuration of its bucket. bridge says whether EventBridge gets it.
func (h *Receive) targets(r *http.Request, e *push.Event) (all []addressed, bridge bool, err error) {
	if h.rules != nil || !h.Notifications {
		targets, err := push.Targets(h.rules, e, r.URL.Path)
		if err != nil {
			return nil, false, err
		}
		for _, target := range targets {
			all = append(all, addressed{target, e.Payload, ""})
		}
	}
	if !h.Notifications {
		return all, false, nil
	}
	notified, bridge, err := h.app.setup.Notified(r.Context(), e)
	if err != nil {
		return nil, false, err
	}
	for _, n := range notified {
		payload, err := e.Configured(n.Configuration)
		if err != nil {
			return nil, false, err
		}
		all = append(all, addressed{n.Target, payload, n.Configuration})
	}
	return all, bridge, nil
}

// bridge sends an event to the default bus of EventBridge.
func (h *Receive) bridge(r *http.Request, delivery *push.Delivery, e *push.Event) error {
	once := ""
	if e.Once != "" && h.Dedupe >= 0 {
		once = h.once(r, e, new(invoker.Message), "EventBridge", delivery.Signed)
	}
	return h.app.setup.Bridge(r.Context(), e, once, h.onceFor(delivery, time.Now()))
}

// once names a delivery. Two senders may give the same name: without a signature at two
// addresses, with one by two keys. What is signed is the same at whatever address it comes
// again, for the signature does not hold that.
func (h *Receive) once(r *http.Request, e *push.Event, m *invoker.Message, configuration string, signed bool) string {
	parts := []string{h.Source, r.Host, r.URL.Path, e.Once, m.Function, m.Qualifier}
	if signed {
		parts = append([]string{h.Source, "signed", e.Once, m.Function, m.Qualifier}, h.Secrets...)
	}
	if configuration != "" {
		parts = append(parts, "notification", configuration)
	}
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s,", len(part), part)
	}
	return base64.RawStdEncoding.EncodeToString(sum.Sum(nil))
}

// onceFor is for how long a delivery that comes now is remembered: as long as its signature
// is taken at least.
func (h *Receive) onceFor(d *push.Delivery, now time.Time) time.Duration {
	remember := time.Duration(h.Dedupe)
	switch {
	case remember == 0 && d.Signed && d.Until.IsZero():
		remember = dedupeEndlessFor
	case remember == 0:
		remember = dedupeFor
	}
	if d.Until.IsZero() {
		return remember
	}
	return max(remember, d.Until.Sub(now)+time.Second) // the last moment included
}

// ordered reports whether a rule wants the events of this target in order.
func (h *Receive) ordered(target push.Target, e *push.Event) bool {
	for n := range h.rules {
		if h.Rules[n].Ordered && h.rules[n].Target == target && h.rules[n].Matches(e) {
			return true
		}
	}
	return false
}

// retryAfter is when a sender should come again whose event could not be kept.
const retryAfter = 5 * time.Second

// receiveStatus is the one table of what a sender is answered.
func receiveStatus(err error) (status int, message string) {
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return http.StatusNotFound, "no such function"
	case errors.Is(err, invoker.ErrTooLarge):
		return http.StatusRequestEntityTooLarge, err.Error()
	case errors.Is(err, bodies.ErrFull):
		return http.StatusServiceUnavailable, "the events being taken have all the memory they may have"
	case errors.Is(err, bodies.ErrSlow):
		return http.StatusRequestTimeout, err.Error()
	case errors.Is(err, invoker.ErrFull):
		return http.StatusServiceUnavailable, "as many events wait as may"
	}
	known := []error{push.ErrMalformed, push.ErrUnauthorized, push.ErrForbidden, push.ErrMethod, push.ErrNoFunction, push.ErrTooLarge, push.ErrMediaType, push.ErrUnavailable}
	if slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
		return push.Status(err), err.Error()
	}
	return http.StatusServiceUnavailable, "the event could not be kept"
}

// refuse answers a sender whose request was not taken.
func (h *Receive) refuse(w http.ResponseWriter, r *http.Request, id string, err error) error {
	status, message := receiveStatus(err)
	header := w.Header()
	switch {
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	case status == http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	}
	level := zapcore.WarnLevel
	if status >= http.StatusInternalServerError {
		level = zapcore.ErrorLevel
	}
	h.app.setup.Refusals().Tell(h.log, level, "event refused", strconv.Itoa(status)+message, func() []zap.Field {
		return []zap.Field{zap.String("request_id", id), zap.Int("status", status), zap.String("path", r.URL.Path), zap.Error(err)}
	})
	header.Set("Content-Type", "application/json")
	bodies.Refuse(w, r, status, fmt.Appendf(nil, `{"message":%q}`, message))
	return nil
}

var (
	_ caddy.Provisioner           = (*Receive)(nil)
	_ caddyhttp.MiddlewareHandler = (*Receive)(nil)
)
