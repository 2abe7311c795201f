package caddymodule

import (
	"encoding/json"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/hearthfn/hearth/warmpool/function"
)

// unmarshalUsagePlan parses:
//
//	usage_plan <name> {
//		rate  <requests per second>
//		burst <n>
//		quota <n> per day|week|month
//		key   <name> <value>
//	}
func (a *App) unmarshalUsagePlan(d *caddyfile.Dispenser) error {
	var name string
	if err := text(d, &name); err != nil {
		return err
	}
	switch {
	case !function.ValidName(name):
		return d.Errf("usage_plan '%s': a name is 1 to 64 letters, digits, hyphens and underscores", name)
	case a.UsagePlans[name] != nil:
		return d.Errf("usage_plan '%s' is defined twice", name)
	}
	p := &UsagePlan{Keys: make(map[string]string)}
	if err := readBlock(d, "option '%s' of a usage_plan", []option{
		{"rate", p.unmarshalRate},
		{"burst", into(number(1), &p.Burst)},
		{"quota", p.unmarshalQuota},
		{"key", p.unmarshalKey},
	}); err != nil {
		return err
	}
	switch {
	case len(p.Keys) == 0:
		return d.Errf("usage_plan '%s' has no key: nobody could call the routes that name it", name)
	case p.Burst > 0 && p.Rate == 0:
		return d.Errf("usage_plan '%s': a burst needs a rate", name)
	}
	if a.UsagePlans == nil {
		a.UsagePlans = make(map[string]*UsagePlan)
	}
	a.UsagePlans[name] = p
	return nil
}

func (p *UsagePlan) unmarshalRate(d *caddyfile.Dispenser) error {
	var word string
	if err := text(d, &word); err != nil {
		return err
	}
	var err error
	if p.Rate, err = strconv.ParseFloat(word, 64); err != nil || !(p.Rate > 0 && p.Rate <= maxRate) {
		return d.Errf("rate: '%s' is not a number of requests per second", word)
	}
	return nil
}

func (p *UsagePlan) unmarshalQuota(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 3 || args[1] != "per" || periods[args[2]] == "" {
		return d.Errf("quota takes a number of requests and a period: quota 10000 per day, week or month")
	}
	var err error
	if p.Quota, err = strconv.ParseInt(args[0], 10, 64); err != nil || p.Quota < 1 {
		return d.Errf("quota: '%s' is not a whole number of at least 1", args[0])
	}
	p.Period = args[2]
	return nil
}

func (p *UsagePlan) unmarshalKey(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("key takes a name and a value: key acme {env.ACME_KEY}")
	}
	switch {
	case !function.ValidName(args[0]):
		return d.Errf("key '%s': a name is 1 to 64 letters, digits, hyphens and underscores", args[0])
	case p.Keys[args[0]] != "":
		return d.Errf("key '%s' is there twice", args[0])
	}
	p.Keys[args[0]] = args[1]
	return nil
}

// definedUsagePlans are the names of those of the global option.
func definedUsagePlans(h httpcaddyfile.Helper) []string {
	option, ok := h.Option("hearth").(httpcaddyfile.App)
	if !ok {
		return nil
	}
	var app struct {
		UsagePlans map[string]json.RawMessage `json:"usage_plans"`
	}
	if json.Unmarshal(option.Value, &app) != nil {
		return nil
	}
	return sortedKeys(app.UsagePlans)
}
