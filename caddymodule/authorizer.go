package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
)

// Authorizer says who may call the routes of APIs that name it.
type Authorizer struct {
	// jwt: a token of an OpenID Connect issuer; lambda: what a function says.
	Type string `json:"type,omitempty"`

	// The issuer of the tokens, as they have it in iss: https://id.example.com/realms/shop.
	// Its /.well-known/openid-configuration names its keys.
	Issuer string `json:"issuer,omitempty"`

	// What tokens have in aud, or in client_id if they have no aud. One of these is enough.
	Audience []string `json:"audience,omitempty"`

	// The address of the issuer's keys. Default: the issuer's document has it.
	JWKS string `json:"jwks,omitempty"`

	// Where the identity is: $request.header.NAME or $request.querystring.NAME, of a function
	// also $context.NAME or $stageVariables.NAME. Of jwt the first that is there counts; a
	// function is not asked if one is missing. Default: $request.header.Authorization.
	IdentitySource []string `json:"identity_source,omitempty"`

	// Fetch keys by http from other machines. Whoever is between can then make tokens.
	// Default: false.
	Insecure bool `json:"insecure,omitempty"`

	// The function of type lambda.
	Function string `json:"function,omitempty"`

	// A version or an alias of it. Default: $LATEST.
	Qualifier string `json:"qualifier,omitempty"`

	// The payload format of the function's event, 2.0 or 1.0. REST APIs have 1.0 always.
	// Default: 2.0.
	Payload string `json:"payload,omitempty"`

	// The function gets the identity alone, as authorizers of type TOKEN of REST APIs do.
	// Default: it gets the request.
	Token bool `json:"token,omitempty"`

	// A regular expression that such a token must match as a whole. Default: any is taken.
	TokenPattern string `json:"token_pattern,omitempty"`

	// How long the function's answers are kept, up to 1h. 0: they are not. Default: 5m.
	Cache *caddy.Duration `json:"cache,omitempty"`

	policiesOnly bool                           // {"isAuthorized": ...} is no answer
	permitted    func(ctx context.Context) bool // the function may be called; nil: it may

	jwt    *authorizer.JWT
	pool   string // the key of its keys in keySets
	lambda *authorizer.Lambda
}

// Types of authorizers.
const (
	authorizerJWT    = "jwt"
	authorizerLambda = "lambda"
)

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
func (a *Authorizer) provision(app *App, repl *caddy.Replacer) error {
	switch a.Type {
	case authorizerJWT:
		return a.provisionJWT(repl)
	case authorizerLambda:
		return a.provisionLambda(app)
	}
	return fmt.Errorf("type %q: there are %s and %s", a.Type, authorizerJWT, authorizerLambda)
}

func (a *Authorizer) provisionJWT(repl *caddy.Replacer) error {
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
	sources, err := a.sources(authorizer.ParseSource)
	if err != nil {
		return err
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

func (a *Authorizer) provisionLambda(app *App) (err error) {
	if a.Function == "" {
		return errors.New("the function is missing")
	}
	if a.Payload = cmp.Or(a.Payload, string(apigateway.V2)); a.Payload != string(apigateway.V1) && a.Payload != string(apigateway.V2) {
		return fmt.Errorf("payload %q: there are 1.0 and 2.0", a.Payload)
	}
	c := authorizer.LambdaConfig{
		Invoke: app.invokeAuthorizer(a.Function, a.Qualifier, a.permitted), Token: a.Token,
		Simple: !a.policiesOnly && a.Payload == string(apigateway.V2), TTL: authorizer.DefaultTTL,
	}
	if a.Cache != nil {
		c.TTL = time.Duration(*a.Cache)
	}
	if c.Sources, err = a.sources(authorizer.ParseLambdaSource); err != nil {
		return err
	}
	if a.TokenPattern != "" {
		if c.Expression, err = authorizer.NewExpression(a.TokenPattern); err != nil {
			return err
		}
	}
	a.lambda, err = authorizer.NewLambda(c)
	return err
}

// defaultSource is where an identity is that the configuration does not say.
const defaultSource = "$request.header.Authorization"

func (a *Authorizer) sources(parse func(string) (authorizer.Source, error)) ([]authorizer.Source, error) {
	texts := a.IdentitySource
	if texts == nil {
		texts = []string{defaultSource}
	}
	var sources []authorizer.Source
	for _, text := range texts {
		s, err := parse(text)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, nil
}

// release undoes provision.
func (a *Authorizer) release() error {
	if a.lambda != nil {
		a.lambda.Close()
		a.lambda = nil
	}
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
