package authorizer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"
)

// algorithms are those of signatures by a private key. Neither none nor HS256 is among them,
// so a public key is never taken for a shared secret.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

const (
	maxToken = 16 << 10 // bytes; more is no token
	// skew is how far the issuer's clock may be ahead: nbf and iat count from then on.
	skew = 10 * time.Second
	// maxVerified bounds the tokens whose signature is known to be right.
	maxVerified = 1024
)

// A JWT checks tokens (RFC 7519) as JWT authorizers of HTTP APIs do.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
type JWT struct {
	issuer   string
	audience []string
	sources  []Source
	keys     *KeySet
	now      func() time.Time
	// verified has the claims of tokens whose signature is right, by the token's SHA-256.
	verified *lru.Cache[[sha256.Size]byte, verifiedToken]
}

// A verifiedToken was checked by the keys of a generation.
type verifiedToken struct {
	generation uint64
	claims     *claims
}

// NewJWT makes an authorizer for tokens of the keys' issuer that are for one of audience.
// sources say where the token is; none: in the header Authorization.
func NewJWT(keys *KeySet, audience []string, sources ...Source) (*JWT, error) {
	if len(audience) == 0 {
		return nil, errors.New("audience is missing: write what tokens for this API have in aud or client_id")
	}
	if len(sources) == 0 {
		sources = []Source{{fromHeader, "Authorization"}}
	}
	verified, err := lru.New[[sha256.Size]byte, verifiedToken](maxVerified)
	return &JWT{issuer: keys.source.Issuer, audience: audience, sources: sources, keys: keys, now: time.Now, verified: verified}, err
}

// Authorize checks the token of a request. scopes are those of which it needs one; none: it
// needs none. The error is a *Denial.
func (j *JWT) Authorize(r *http.Request, scopes []string) (*Grant, error) {
	token := j.token(r)
	if token == "" {
		return nil, unauthorized("Bearer", "there is no token")
	}
	c, err := j.check(r.Context(), token)
	var none *ErrNoKeys
	switch {
	case errors.As(err, &none), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, &Denial{Status: http.StatusServiceUnavailable, Reason: err}
	case err != nil:
		return nil, unauthorized(challenge(scopes, "invalid_token"), "%w", err)
	}
	if len(scopes) == 0 {
		return c.grant(nil), nil
	}
	had := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(c.scopes, s) })
	if len(had) == 0 {
		return nil, &Denial{
			Status: http.StatusForbidden, Challenge: challenge(scopes, "insufficient_scope"),
			Reason: fmt.Errorf("the token has none of the scopes %s", strings.Join(scopes, ", ")),
		}
	}
	return c.grant(had), nil
}

// challenge is the header that tells a client what is wrong with its token.
// https://www.rfc-editor.org/rfc/rfc6750#section-3
func challenge(scopes []string, problem string) string {
	if len(scopes) == 0 {
		return `Bearer error="` + problem + `"`
	}
	return `Bearer scope="` + strings.ReplaceAll(strings.Join(scopes, " "), `"`, "") + `" error="` + problem + `"`
}

// token is the token of a request, without the word Bearer.
func (j *JWT) token(r *http.Request) string {
	for _, s := range j.sources {
		text := s.Of(r)
		if word, rest, _ := strings.Cut(text, " "); strings.EqualFold(word, "Bearer") {
			text = strings.TrimLeft(rest, " ")
		}
		if text != "" {
			return text
		}
	}
	return ""
}

// check returns the claims of a token that is right now.
func (j *JWT) check(ctx context.Context, token string) (*claims, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("the token has more than %d bytes", maxToken)
	}
	sum := sha256.Sum256([]byte(token))
	if v, ok := j.verified.Get(sum); ok && v.generation == j.keys.current() {
		return v.claims, v.claims.checkTime(j.now())
	}
	payload, generation, err := j.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	if c.issuer != j.issuer {
		return nil, fmt.Errorf("the token is of the issuer %.200q", c.issuer)
	}
	if !slices.ContainsFunc(j.audience, func(a string) bool { return slices.Contains(c.audience, a) }) {
		return nil, fmt.Errorf("the token is for %.200q", c.audience)
	}
	if err := c.checkTime(j.now()); err != nil {
		return nil, err
	}
	j.verified.Add(sum, verifiedToken{generation, c})
	return c, nil
}

// verify checks the signature, and returns what it signs.
func (j *JWT) verify(ctx context.Context, token string) (payload []byte, generation uint64, err error) {
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, 0, fmt.Errorf("the token: %w", err)
	}
	header := signed.Signatures[0].Header
	if header.KeyID == "" {
		return nil, 0, errors.New("the token names no key (kid)")
	}
	keys, generation, err := j.keys.find(ctx, header.KeyID)
	if err != nil {
		return nil, 0, fmt.Errorf("key %.100q: %w", header.KeyID, err)
	}
	err = errors.New("the key is for another algorithm")
	for n := range keys {
		if keys[n].Algorithm != "" && keys[n].Algorithm != header.Algorithm {
			continue
		}
		if payload, err = signed.Verify(keys[n].Key); err == nil {
			return payload, generation, nil
		}
	}
	return nil, 0, fmt.Errorf("the signature of the token: %w", err)
}
