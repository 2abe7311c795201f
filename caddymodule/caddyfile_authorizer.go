package caddymodule

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
	"github.com/hearthfn/hearth/warmpool/function"
)

// unmarshalAuthorizer parses:
//
//	authorizer <name> jwt {
//		issuer          <address>
//		audience        <name>...
//		identity_source <source>...
//		jwks            <address>
//		insecure
//	}
//	authorizer <name> lambda <function>[:<qualifier>] {
//		identity_source <source>...
//		payload         1.0|2.0
//		token           [<expression>]
//		cache           <duration>|off
//	}
func (a *App) unmarshalAuthorizer(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.Errf("authorizer takes a name and a type: authorizer users jwt { ... }")
	}
	name := args[0]
	switch {
	case !function.ValidName(name):
		return d.Errf("authorizer '%s': a name is 1 to 64 letters, digits, hyphens and underscores", name)
	case a.Authorizers[name] != nil:
		return d.Errf("authorizer '%s' is defined twice", name)
	}
	z := &Authorizer{Type: args[1]}
	var err error
	switch z.Type {
	case authorizerJWT:
		err = z.unmarshalJWT(d, name, args[2:])
	case authorizerLambda:
		err = z.unmarshalLambda(d, name, args[2:])
	default:
		err = d.Errf("authorizer '%s': the type is jwt or lambda, not '%s'", name, z.Type)
	}
	if err != nil {
		return err
	}
	if a.Authorizers == nil {
		a.Authorizers = make(map[string]*Authorizer)
	}
	a.Authorizers[name] = z
	return nil
}

func (z *Authorizer) unmarshalJWT(d *caddyfile.Dispenser, name string, args []string) error {
	if len(args) > 0 {
		return d.Errf("authorizer '%s': jwt takes a block: issuer, audience", name)
	}
	if err := readBlock(d, "option '%s' of an authorizer", []option{
		{"issuer", into(text, &z.Issuer)},
		{"audience", into(texts, &z.Audience)},
		{"identity_source", z.unmarshalSource},
		{"jwks", into(text, &z.JWKS)},
		{"insecure", into(present, &z.Insecure)},
	}); err != nil {
		return err
	}
	if z.Issuer == "" || len(z.Audience) == 0 {
		return d.Errf("authorizer '%s': issuer and audience are needed; without them every token would do", name)
	}
	return nil
}

func (z *Authorizer) unmarshalLambda(d *caddyfile.Dispenser, name string, args []string) (err error) {
	if len(args) != 1 {
		return d.Errf("authorizer '%s': lambda takes a function: authorizer %s lambda check-caller", name, name)
	}
	if z.Function, z.Qualifier, err = function.ParseReference(args[0]); err != nil {
		return d.WrapErr(fmt.Errorf("authorizer %q: %w", name, err))
	}
	return readBlock(d, "option '%s' of an authorizer that is a function", []option{
		{"identity_source", z.unmarshalSource},
		{"payload", into(payload, &z.Payload)},
		{"token", z.unmarshalToken},
		{"cache", z.unmarshalCache},
	})
}

// unmarshalToken reads token [<expression>].
func (z *Authorizer) unmarshalToken(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) > 1 {
		return d.ArgErr()
	}
	z.Token = true
	if len(args) == 1 {
		if _, err := authorizer.NewExpression(args[0]); err != nil {
			return d.WrapErr(err)
		}
		z.TokenPattern = args[0]
	}
	return nil
}

// unmarshalCache reads cache <duration>|off.
func (z *Authorizer) unmarshalCache(d *caddyfile.Dispenser) error {
	var word string
	if err := text(d, &word); err != nil {
		return err
	}
	z.Cache = new(caddy.Duration)
	if word == "off" {
		return nil
	}
	kept, err := caddy.ParseDuration(word)
	if err != nil || kept <= 0 || kept > authorizer.MaxTTL {
		return d.Errf("cache '%s': off, or a duration up to 1h", word)
	}
	*z.Cache = caddy.Duration(kept)
	return nil
}

func (z *Authorizer) unmarshalSource(d *caddyfile.Dispenser) error {
	var sources []string
	if err := texts(d, &sources); err != nil {
		return err
	}
	parse := authorizer.ParseSource
	if z.Type == authorizerLambda {
		parse = authorizer.ParseLambdaSource
	}
	for _, s := range sources {
		if _, err := parse(s); err != nil {
			return d.WrapErr(err)
		}
	}
	z.IdentitySource = append(z.IdentitySource, sources...)
	return nil
}

// definedAuthorizers are the names of those of the global option.
func definedAuthorizers(h httpcaddyfile.Helper) []string {
	option, ok := h.Option("hearth").(httpcaddyfile.App)
	if !ok {
		return nil
	}
	var app struct {
		Authorizers map[string]json.RawMessage `json:"authorizers"`
	}
	if json.Unmarshal(option.Value, &app) != nil {
		return nil
	}
	return sortedKeys(app.Authorizers)
}
