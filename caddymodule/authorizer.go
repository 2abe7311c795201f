package caddymodule

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
)

// Authorizer says who may call the routes of APIs that name it.
type Authorizer struct {
	// jwt: a token of an OpenID Connect issuer.
	Type string `json:"type,omitempty"`

	// The issuer of the tokens, as they have it in iss: https://id.example.com/realms/shop.
	// Its /.well-known/openid-configuration names its keys.
	Issuer string `json:"issuer,omitempty"`

	// What tokens have in aud, or in client_id if they have no aud. One of these is enough.
	Audience []string `json:"audience,omitempty"`

	// The address of the issuer's keys. Default: the issuer's document has it.
	JWKS string `json:"jwks,omitempty"`

	// Where the token is: $request.header.NAME or $request.querystring.NAME; the first that
	// is there counts. Default: $request.header.Authorization.
	IdentitySource []string `json:"identity_source,omitempty"`

	// Fetch keys by http from other machines. Whoever is between can then make tokens.
	// Default: false.
	Insecure bool `json:"insecure,omitempty"`

	jwt  *authorizer.JWT
	pool string // the key of its keys in keySets
}

// Types of authorizers.
const authorizerJWT = "jwt"

// keySets outlive a reload: an issuer that is away then does not matter.
var keySets = caddy.NewUsagePool()

// A pooledKeySet is a key set in the usage pool.
type pooledKeySet struct{ *authorizer.KeySet }

// Destruct implements caddy.Destructor.
func (p pooledKeySet) Destruct() error {
	p.Close()
	return nil
}

// provision checks the authorizer and makes it ready. release undoes it, also after an error.
func (a *Authorizer) provision(repl *caddy.Replacer) error {
	if a.Type != authorizerJWT {
		return fmt.Errorf("type %q: there is %s", a.Type, authorizerJWT)
	}
	source := authorizer.KeySource{Issuer: repl.ReplaceAll(a.Issuer, ""), JWKS: repl.ReplaceAll(a.JWKS, ""), Insecure: a.Insecure}
	if err := source.Check(); err != nil {
		return err
	}
	var audience []string
	for _, name := range a.Audience {
		if name = repl.ReplaceAll(name, ""); name != "" {
			audience = append(audience, name)
		}
	}
	var sources []authorizer.Source
	for _, text := range a.IdentitySource {
		s, err := authorizer.ParseSource(text)
		if err != nil {
			return err
		}
		sources = append(sources, s)
	}
	key, err := json.Marshal(source)
	if err != nil {
		return err
	}
	keys, _, err := keySets.LoadOrNew(string(key), func() (caddy.Destructor, error) {
		return pooledKeySet{authorizer.NewKeySet(source)}, nil
	})
	if err != nil {
		return err
	}
	a.pool = string(key)
	a.jwt, err = authorizer.NewJWT(keys.(pooledKeySet).KeySet, audience, sources...)
	return err
}

// release undoes provision.
func (a *Authorizer) release() error {
	if a.pool == "" {
		return nil
	}
	_, err := keySets.Delete(a.pool)
	a.pool = ""
	return err
}

// authorizer finds an authorizer of the configuration.
func (a *App) authorizer(name string) (*Authorizer, error) {
	if found := a.Authorizers[name]; found != nil {
		return found, nil
	}
	return nil, errUnknownAuthorizer(name, sortedKeys(a.Authorizers))
}

func errUnknownAuthorizer(name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("authorizer %q is not defined: the global option hearth has none (authorizer %s jwt { ... })", name, name)
	}
	return fmt.Errorf("authorizer %q is not defined: the global option hearth has %q", name, known)
}
