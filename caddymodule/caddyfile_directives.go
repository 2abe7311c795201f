package caddymodule

import (
	"slices"
	"strings"

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
	for d.NextBlock(0) {
		switch d.Val() {
		case "payload":
			err = text(d, &h.Payload)
			if err == nil && h.Payload != "1.0" && h.Payload != "2.0" {
				err = d.Errf("payload is 1.0 or 2.0, not '%s'", h.Payload)
			}
		case "route":
			err = text(d, &h.Route)
		case "stage":
			err = text(d, &h.Stage)
		case "stage_variable":
			err = pairs(d, &h.StageVariables, "stage_variable")
		case "path_parameter":
			err = pairs(d, &h.PathParameters, "path_parameter")
		case "binary_types":
			if h.BinaryTypes = append(h.BinaryTypes, d.RemainingArgs()...); len(h.BinaryTypes) == 0 {
				err = d.ArgErr()
			}
		default:
			err = d.Errf("unrecognized option '%s' of the directive function, which routes to a function that the global option hearth defines; there are payload, route, stage, stage_variable, path_parameter and binary_types", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
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
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "token":
			err = texts(d, &h.Tokens)
		case "secret":
			err = texts(d, &h.Secrets)
		case "topic":
			err = texts(d, &h.Topics)
		case "open":
			h.Open = true
			if d.NextArg() {
				err = d.ArgErr()
			}
		case "signature_header":
			err = text(d, &h.SignatureHeader)
		case "region":
			err = text(d, &h.Region)
		case "tolerance":
			err = duration(d, &h.Tolerance)
		case "dedupe":
			err = durationOrOff(d, &h.Dedupe)
		case "on":
			err = h.unmarshalRule(d)
		default:
			err = d.Errf("unrecognized receive option '%s'; there are token, secret, open, topic, signature_header, region, tolerance, dedupe and on", d.Val())
		}
		if err != nil {
			return err
		}
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
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "pattern":
			if err = text(d, &rule.Pattern); err == nil {
				if _, bad := pattern.Parse([]byte(rule.Pattern)); bad != nil {
					err = d.Errf("pattern: %v", bad)
				}
			}
		case "ordered":
			rule.Ordered = true
			if d.NextArg() {
				err = d.ArgErr()
			}
		default:
			err = d.Errf("unrecognized option '%s' of a rule; there are pattern and ordered", d.Val())
		}
		if err != nil {
			return err
		}
	}
	h.Rules = append(h.Rules, rule)
	return nil
}

// texts reads one value or more, and adds them to those there are.
func texts(d *caddyfile.Dispenser, to *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	*to = append(*to, args...)
	return nil
}

// bare reads a directive that has neither arguments nor options.
func bare(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	name := d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	if d.NextBlock(0) {
		return d.Errf("unrecognized %s option '%s'; there are none", name, d.Val())
	}
	return nil
}
