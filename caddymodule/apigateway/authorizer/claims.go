package authorizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// claims are those of one token.
type claims struct {
	issuer   string
	audience []string
	scopes   []string
	exp      float64 // seconds since 1970
	nbf, iat float64 // 0: there is none
	text     []byte  // all of them as a JSON object of strings
	noScopes *Grant  // of a route without scopes
}

// parseClaims reads the claims that are checked, and makes strings of all of them.
func parseClaims(payload []byte) (*claims, error) {
	var all map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&all); err != nil || all == nil {
		return nil, errors.New("the token does not sign a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the token signs more than a JSON object")
	}
	c := &claims{}
	c.issuer, _ = all["iss"].(string)
	c.audience = texts(all["aud"])
	if all["aud"] == nil {
		c.audience = texts(all["client_id"])
	}
	for _, name := range []string{"scope", "scp"} {
		for _, text := range texts(all[name]) {
			c.scopes = append(c.scopes, strings.Fields(text)...)
		}
	}
	if all["exp"] == nil {
		return nil, errors.New("the token does not end (exp)")
	}
	for name, to := range map[string]*float64{"exp": &c.exp, "nbf": &c.nbf, "iat": &c.iat} {
		if err := seconds(all[name], to); err != nil {
			return nil, fmt.Errorf("the token's %s: %w", name, err)
		}
	}
	words := make(map[string]string, len(all))
	for name, value := range all {
		words[name] = word(value)
	}
	var err error
	if c.text, err = json.Marshal(words); err != nil {
		return nil, err
	}
	c.noScopes = makeGrant(c.text, nil)
	return c, nil
}

// texts are the strings of a claim that is one, or a list of them.
func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// seconds reads a time. None is zero.
func seconds(value any, to *float64) error {
	if value == nil {
		return nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return errors.New("it is no number")
	}
	v, err := number.Float64()
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return errors.New("it is no time")
	}
	*to = v
	return nil
}

// word is a claim as HTTP APIs give it to a function: a string. Recorded from AWS: a list is
// its elements between brackets.
func word(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	case nil:
		return ""
	case []any:
		words := make([]string, len(v))
		for n := range v {
			words[n] = word(v[n])
		}
		return "[" + strings.Join(words, " ") + "]"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

// checkTime checks whether the token is right at a time.
func (c *claims) checkTime(now time.Time) error {
	at := float64(now.UnixNano()) / 1e9
	switch {
	case at >= c.exp:
		return errors.New("the token has expired")
	case at+skew.Seconds() < c.nbf:
		return errors.New("the token is not yet valid (nbf)")
	case at+skew.Seconds() < c.iat:
		return errors.New("the token is of the future (iat)")
	}
	return nil
}

// grant is what functions learn of a token. scopes are those of the route that it has.
func (c *claims) grant(scopes []string) *Grant {
	if scopes == nil {
		return c.noScopes
	}
	return makeGrant(c.text, scopes)
}

// makeGrant makes the JSON for functions.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func makeGrant(text []byte, scopes []string) *Grant {
	list := []byte("null")
	if scopes != nil {
		var err error
		if list, err = json.Marshal(scopes); err != nil {
			list = []byte("null")
		}
	}
	v1 := []byte(`{"claims":`)
	v1 = append(append(v1, text...), `,"scopes":`...)
	v1 = append(append(v1, list...), '}')
	v2 := append([]byte(`{"jwt":`), v1...)
	return &Grant{V2: append(v2, '}'), V1: v1}
}
