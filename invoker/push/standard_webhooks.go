package push

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// standardWebhooks takes webhooks signed as Standard Webhooks has it, with a shared key
// (v1) or the sender's public key (v1a).
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type standardWebhooks struct {
	config  Config
	secrets [][]byte
	public  []ed25519.PublicKey
}

func newStandardWebhooks(c Config) (Source, error) {
	s := &standardWebhooks{config: c}
	for _, secret := range c.Secrets {
		if text, ok := strings.CutPrefix(secret, "whpk_"); ok {
			key, err := base64.StdEncoding.DecodeString(text)
			if err != nil || len(key) != ed25519.PublicKeySize {
				return nil, errors.New("a whpk_ key is not 32 bytes in base64")
			}
			s.public = append(s.public, key)
			continue
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) < 24 || len(key) > 64 {
			return nil, errors.New("a secret is not whsec_ and 24 to 64 bytes in base64")
		}
		s.secrets = append(s.secrets, key)
	}
	return s, nil
}

func (s *standardWebhooks) Admit(r *Request) (int64, error) {
	if err := onlyPOST(r); err != nil {
		return 0, err
	}
	_, _, err := s.claim(r)
	return MaxBody, err
}

func (s *standardWebhooks) Decode(_ context.Context, r *Request) (Delivery, error) {
	id, at, err := s.claim(r)
	if err != nil {
		return Delivery{}, err
	}
	signed := []byte(id + "." + r.Header.Get("webhook-timestamp") + ".")
	signed = append(signed, r.Body...)
	if !s.fits(signed, r.Header.Get("webhook-signature")) {
		return Delivery{}, fmt.Errorf("%w: webhook-signature does not fit", ErrUnauthorized)
	}
	body, err := decodeObject(r.Body)
	if err != nil {
		return Delivery{}, err
	}
	name := str(body, "type")
	if name == "" {
		name = "webhook"
	}
	payload, err := envelope(id, "standard_webhooks", name, s.config.Region, at, body)
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{Signed: true, Until: at.Add(s.config.Tolerance), Events: []Event{{
		Payload: payload, Source: "standard_webhooks", Name: name, Once: once("standard_webhooks", id),
	}}}, nil
}

// claim is what the header says of a delivery.
func (s *standardWebhooks) claim(r *Request) (id string, at time.Time, err error) {
	id = r.Header.Get("webhook-id")
	stamp, signatures := r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature")
	if !isToken(id, 256) || stamp == "" || signatures == "" {
		return "", at, fmt.Errorf("%w: no webhook-id, webhook-timestamp or webhook-signature", ErrUnauthorized)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return "", at, fmt.Errorf("%w: webhook-timestamp is not in seconds", ErrUnauthorized)
	}
	at = time.Unix(seconds, 0)
	if at.Before(r.Received.Add(-s.config.Tolerance)) || at.After(r.Received.Add(s.config.Tolerance)) {
		return "", at, fmt.Errorf("%w: webhook-timestamp is more than %v from now", ErrUnauthorized, s.config.Tolerance)
	}
	return id, at, nil
}

// maxSignatures bounds the work that a request without a valid signature can ask for.
const maxSignatures = 10

func (s *standardWebhooks) fits(signed []byte, signatures string) bool {
	list := strings.Fields(signatures)
	for _, one := range list[:min(len(list), maxSignatures)] {
		version, text, _ := strings.Cut(one, ",")
		have, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		switch version {
		case "v1":
			for _, key := range s.secrets {
				mac := hmac.New(sha256.New, key)
				mac.Write(signed)
				if hmac.Equal(mac.Sum(nil), have) {
					return true
				}
			}
		case "v1a":
			for _, key := range s.public {
				if ed25519.Verify(key, signed, have) {
					return true
				}
			}
		}
	}
	return false
}
