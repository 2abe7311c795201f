package caddymodule

import (
	"encoding/json"

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
func (a *App) unmarshalAuthorizer(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("authorizer takes a name and a type: authorizer users jwt { ... }")
	}
	name := args[0]
	switch {
	case !function.ValidName(name):
		return d.Errf("authorizer '%s': a name is 1 to 64 letters, digits, hyphens and underscores", name)
	case a.Authorizers[name] != nil:
		return d.Errf("authorizer '%s' is defined twice", name)
	case args[1] != authorizerJWT:
		return d.Errf("authorizer '%s': the type is jwt, not '%s'", name, args[1])
	}
	z := &Authorizer{Type: args[1]}
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
	if a.Authorizers == nil {
		a.Authorizers = make(map[string]*Authorizer)
	}
	a.Authorizers[name] = z
	return nil
}

func (z *Authorizer) unmarshalSource(d *caddyfile.Dispenser) error {
	var sources []string
	if err := texts(d, &sources); err != nil {
		return err
	}
	for _, s := range sources {
		if _, err := authorizer.ParseSource(s); err != nil {
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
