package push

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// check refuses a configuration that proves nothing, and fields that the source would
// ignore.
func (c *Config) check(u uses) error {
	if slices.Contains(c.Tokens, "") || slices.Contains(c.Secrets, "") {
		return errors.New("an empty token or secret; is the variable it comes from set?")
	}
	var unused []string
	for _, field := range []struct {
		name      string
		set, used bool
	}{
		{"token", len(c.Tokens) > 0, u.tokens},
		{"open", c.Open, u.tokens},
		{"secret", len(c.Secrets) > 0, u.secrets},
		{"signature header", c.SignatureHeader != "", u.header},
		{"topic", len(c.Topics) > 0, u.topics},
		{"tolerance", c.Tolerance != 0, u.tolerance},
	} {
		if field.set && !field.used {
			unused = append(unused, field.name)
		}
	}
	if len(unused) > 0 {
		return fmt.Errorf("%s has no use here", strings.Join(unused, ", "))
	}
	if len(c.Topics) > 0 && c.SNS == nil {
		return errors.New("topics without a client that fetches the certificates of SNS")
	}
	if c.Tolerance < 0 {
		return errors.New("a tolerance below zero")
	}
	proven := len(c.Tokens) > 0 || len(c.Secrets) > 0 || len(c.Topics) > 0
	if c.Open && proven {
		return errors.New("open to anyone, yet with a token, a secret or a topic; choose one")
	}
	if c.Open || proven {
		return nil
	}
	var ways []string
	for _, way := range []struct {
		name string
		used bool
	}{{"a token", u.tokens}, {"a secret", u.secrets}, {"the topics", u.topics}} {
		if way.used {
			ways = append(ways, way.name)
		}
	}
	if u.tokens {
		ways = append(ways, "open if something else checks the sender")
	}
	return fmt.Errorf("nothing proves who sends; set %s", strings.Join(ways, ", or "))
}

// authorize accepts a token of the header or the query. It takes the same time
// whichever token is wrong, and wherever.
func (c *Config) authorize(r *Request) error {
	if c.Open {
		return nil
	}
	token := r.Query.Get("token")
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, value, ok := strings.Cut(header, " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			return fmt.Errorf("%w: Authorization is not a bearer token", ErrUnauthorized)
		}
		token = value
	}
	if token == "" {
		return fmt.Errorf("%w: no token; send it as Authorization: Bearer, or as ?token=", ErrUnauthorized)
	}
	have := sha256.Sum256([]byte(token))
	found := 0
	for _, want := range c.Tokens {
		sum := sha256.Sum256([]byte(want))
		found |= subtle.ConstantTimeCompare(have[:], sum[:])
	}
	if found == 0 {
		return fmt.Errorf("%w: wrong token", ErrUnauthorized)
	}
	return nil
}

// bodyHMAC reads the HMAC-SHA256 of the body that a header has.
func bodyHMAC(r *Request, header string) ([]byte, error) {
	value := r.Header.Get(header)
	if value == "" {
		return nil, fmt.Errorf("%w: no %s header", ErrUnauthorized, header)
	}
	mac, err := hex.DecodeString(strings.TrimPrefix(value, "sha256="))
	if err != nil || len(mac) != sha256.Size {
		return nil, fmt.Errorf("%w: %s is not sha256=HEX", ErrUnauthorized, header)
	}
	return mac, nil
}

// verifyHMAC checks the body by the HMAC-SHA256 that a header has.
func (c *Config) verifyHMAC(r *Request, header string) error {
	have, err := bodyHMAC(r, header)
	if err != nil {
		return err
	}
	found := false
	for _, secret := range c.Secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(r.Body)
		if hmac.Equal(mac.Sum(nil), have) {
			found = true
		}
	}
	if !found {
		return fmt.Errorf("%w: %s does not fit the body", ErrUnauthorized, header)
	}
	return nil
}

func onlyPOST(r *Request) error {
	if r.Method != http.MethodPost {
		return fmt.Errorf("%w: events are sent by POST", ErrMethod)
	}
	return nil
}

// once makes a fixed-size name of what tells an event from all others. The lengths go
// in, so that no two lists of parts make one name.
func once(kind string, parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return kind + ":" + hex.EncodeToString(h.Sum(nil)[:20])
}
