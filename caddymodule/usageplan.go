package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/usageplan"
)

// UsagePlan says which API keys open routes that name it, and how often their owners may call.
type UsagePlan struct {
	// Requests per second of each key. More are refused with 429. Default: no limit.
	Rate float64 `json:"rate,omitempty"`

	// How many requests of a key may come at once. Default: as many as one second's, at least 1.
	Burst int `json:"burst,omitempty"`

	// How many requests a key may make in a period, over all nodes. Default: no limit.
	Quota int64 `json:"quota,omitempty"`

	// The period of the quota, in UTC: day, week (from Sunday) or month.
	Period string `json:"period,omitempty"`

	// The values of the API keys by their names, 20 to 128 bytes each. Placeholders such as
	// {env.KEY} or {file./run/secrets/key} keep them out of the configuration.
	Keys map[string]string `json:"keys,omitempty"`

	plan *usageplan.Plan
}

// periods as the configuration writes them.
var periods = map[string]usageplan.Period{"": "", "day": usageplan.Day, "week": usageplan.Week, "month": usageplan.Month}

// provision checks the plan and makes it ready. release undoes it.
func (p *UsagePlan) provision(app *App, name string, repl *caddy.Replacer) error {
	period, ok := periods[p.Period]
	if !ok || (p.Quota > 0) != (period != "") {
		return fmt.Errorf("quota %d per %q: a number per day, week or month", p.Quota, p.Period)
	}
	c := usageplan.Config{ID: name, Rate: p.Rate, Burst: p.Burst, Quota: p.Quota, Period: period, Counters: app.setup.Counters()}
	for _, key := range sortedKeys(p.Keys) {
		c.Keys = append(c.Keys, usageplan.Key{ID: key, Name: key, Value: strings.TrimSpace(repl.ReplaceAll(p.Keys[key], ""))}) // a file ends in a newline mostly
	}
	if len(c.Keys) == 0 {
		return errors.New("it has no key: nobody could call the routes that name it")
	}
	var err error
	p.plan, err = usageplan.New(c)
	return err
}

// release undoes provision.
func (p *UsagePlan) release() {
	if p.plan != nil {
		p.plan.Close()
		p.plan = nil
	}
}

// usagePlans are the plans of a route.
func (a *App) usagePlans(names []string) ([]*usageplan.Plan, error) {
	plans := make([]*usageplan.Plan, len(names))
	for n, name := range names {
		p := a.UsagePlans[name]
		if p == nil {
			return nil, errUnknownUsagePlan(name, sortedKeys(a.UsagePlans))
		}
		plans[n] = p.plan
		for before := range n {
			if one, other, same := plans[before].Shares(p.plan); same {
				return nil, fmt.Errorf("key %q of usage plan %q and key %q of %q have the same value: which plan would count?", one, names[before], other, name)
			}
		}
	}
	return plans, nil
}

func errUnknownUsagePlan(name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("usage plan %q is not defined: the global option hearth has none (usage_plan %s { ... })", name, name)
	}
	return fmt.Errorf("usage plan %q is not defined: the global option hearth has %q", name, known)
}

// errNoKey is the error of requests to routes with a usage plan.
var errNoKey = errors.New("the request has no API key of the route's usage plans")

// A planFinder finds the usage plans that open a stage now.
type planFinder func(ctx context.Context) ([]*usageplan.Plan, error)

// plansOf finds the usage plans of AWS's API that open a stage.
func (a *App) plansOf(api, stage string) planFinder {
	plans := a.setup.Plans()
	return func(ctx context.Context) ([]*usageplan.Plan, error) { return plans.Of(ctx, api, stage) }
}

// apiKey is the API key of a request. given is the one that its authorizer gives.
func (s *apiServer) apiKey(r *http.Request, given string) string {
	if s.api.KeySource == gateway.KeyByAuthorizer {
		return given
	}
	if lines := r.Header["X-Api-Key"]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}

// client is who has an API key of the route's usage plans.
func (route *servedRoute) client(ctx context.Context, key string) (*usageplan.Client, error) {
	find := route.keyed
	if find == nil {
		find = func(context.Context) ([]*usageplan.Plan, error) { return route.plans, nil }
	}
	return findClient(ctx, find, key)
}

// findClient is who has an API key of the plans.
func findClient(ctx context.Context, find planFinder, key string) (*usageplan.Client, error) {
	if key == "" {
		return nil, errNoKey
	}
	plans, err := find(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range plans {
		if c := p.Find(key); c != nil {
			return c, nil
		}
	}
	return nil, errNoKey
}

// refuseClient refuses a request of a client that is over its plan.
func (s *apiServer) refuseClient(w http.ResponseWriter, r *http.Request, err error) error {
	if errors.Is(err, usageplan.ErrExhausted) {
		return refuseAPI(w, r, s.api.Protocol.Exhausted(), err)
	}
	return refuseAPI(w, r, s.api.Protocol.Throttled(), err)
}
