package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/invoker/push"
	"github.com/hearthfn/hearth/warmpool/function"
)

func parseFunction(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	f := new(FunctionHandler)
	return f, f.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from the directive:
//
//	function [<matcher>] <function>[:<qualifier>] {
//		payload        1.0|2.0
//		route          "<method> <path pattern>"
//		stage          <name>
//		stage_variable <name> <value>
//		path_parameter <name> <value>
//		binary_types   <content types...>
//	}
func (h *FunctionHandler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	var reference string
	if err := text(d, &reference); err != nil {
		return err
	}
	var err error
	if h.Function, h.Qualifier, err = function.ParseReference(reference); err != nil {
		return d.WrapErr(err)
	}
	return readBlock(d, "option '%s' of the directive function, which routes to a function that the global option hearth defines", []option{
		{"payload", into(payload, &h.Payload)},
		{"route", into(text, &h.Route)},
		{"stage", into(text, &h.Stage)},
		{"stage_variable", into(pairs("stage_variable"), &h.StageVariables)},
		{"path_parameter", into(pairs("path_parameter"), &h.PathParameters)},
		{"binary_types", into(texts, &h.BinaryTypes)},
	})
}

func parseLambdaAPI(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	l := new(LambdaAPI)
	return l, l.UnmarshalCaddyfile(h.Dispenser)
}

func parseFunctionURLs(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	f := new(FunctionURLs)
	return f, f.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from the directive:
//
//	lambda_api [<matcher>]
func (l *LambdaAPI) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return bare(d) }

// UnmarshalCaddyfile sets up the handler from the directive:
//
//	function_urls [<matcher>]
func (f *FunctionURLs) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return bare(d) }

func parseAPIs(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(APIs)
	return a, a.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from the directive:
//
//	apis [<matcher>]
func (a *APIs) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return bare(d) }

func parseReceive(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	r := new(Receive)
	return r, r.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from the directive:
//
//	receive [<matcher>] <source> {
//		token            <token>
//		secret           <secret>
//		open
//		topic            <ARN>
//		signature_header <name>
//		region           <name>
//		tolerance        <duration>
//		dedupe           <duration>|off
//		notifications
//		on <event> [<subject>] <function>[:<qualifier>] {
//			pattern <JSON>
//			ordered
//		}
//	}
func (h *Receive) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if err := text(d, &h.Source); err != nil {
		return err
	}
	if !slices.Contains(push.Names(), h.Source) {
		return d.Errf("receive: there is no source '%s'; there are %s", h.Source, strings.Join(push.Names(), ", "))
	}
	lines, file, line := make(optionLines), d.File(), d.Line()
	if err := readBlock(d, "receive option '%s'", lines.of([]option{
		{"token", into(texts, &h.Tokens)},
		{"secret", into(texts, &h.Secrets)},
		{"open", into(present, &h.Open)},
		{"topic", into(texts, &h.Topics)},
		{"signature_header", into(text, &h.SignatureHeader)},
		{"region", into(text, &h.Region)},
		{"tolerance", into(duration, &h.Tolerance)},
		{"dedupe", into(durationOrOff, &h.Dedupe)},
		{"notifications", into(present, &h.Notifications)},
		{"on", h.unmarshalRule},
	})); err != nil || hasPlaceholder(h) {
		return err
	}
	if _, err := h.newSource(function.DefaultAccount.Region, caddy.NewReplacer()); err != nil {
		return lines.place(err, file, line)
	}
	return nil
}

func (h *Receive) unmarshalRule(d *caddyfile.Dispenser) error {
	words := d.RemainingArgs()
	if _, err := push.ParseRule(words...); err != nil {
		return d.WrapErr(err)
	}
	rule := ReceiveRule{Event: words[0], Function: words[len(words)-1]}
	if len(words) == 3 {
		rule.Subject = words[1]
	}
	err := readBlock(d, "option '%s' of a rule", []option{
		{"pattern", rule.unmarshalPattern},
		{"ordered", into(present, &rule.Ordered)},
	})
	h.Rules = append(h.Rules, rule)
	return err
}

func (r *ReceiveRule) unmarshalPattern(d *caddyfile.Dispenser) error {
	if err := text(d, &r.Pattern); err != nil {
		return err
	}
	if _, err := pattern.Parse([]byte(r.Pattern)); err != nil {
		return d.Errf("pattern: %v", err)
	}
	return nil
}

// bare reads a directive that has neither arguments nor options.
func bare(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	name := d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	return readBlock(d, name+" option '%s'", nil)
}
