package push

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// The secret, body and signature are GitHub's own example:
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
func TestGitHubsExampleSignatureFits(t *testing.T) {
	c := Config{Secrets: []string{"It's a Secret to Everybody"}}
	r := post("Hello, World!", "X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
	if err := c.verifyHMAC(r, "X-Hub-Signature-256"); err != nil {
		t.Error(err)
	}
}

func TestGitHubsWebhookBecomesAnEventOfEventBridge(t *testing.T) {
	source := newSource(t, "github", Config{Secrets: []string{"old", "s3cret"}})
	body := `{"ref":"refs/heads/main","repository":{"full_name":"hearthfn/hearth","id":12345678901234567890}}`
	request := func() *Request {
		return post(body, "X-Hub-Signature-256", sign("s3cret", body), "X-GitHub-Event", "push", "X-GitHub-Delivery", "72d3162e", "Content-Type", "application/json")
	}
	e := decodeOne(t, source, request())
	if e.Name != "push" || e.Subject != "hearthfn/hearth" || e.Once == "" {
		t.Errorf("event = %+v", e)
	}
	if !strings.Contains(string(e.Payload), "12345678901234567890") {
		t.Errorf("a number lost digits: %s", e.Payload)
	}
	wantJSON(t, e.Payload, `{"version":"0","id":"72d3162e","detail-type":"push","source":"github.com","account":"000000000000","time":"2026-11-23T05:00:00Z","region":"us-east-1","resources":[],"detail":`+body+`}`)

	again := request()
	again.Header.Set("X-GitHub-Delivery", "another")
	again.Header.Set("X-GitHub-Event", "release")
	if replay := decodeOne(t, source, again); replay.Once != e.Once {
		t.Errorf("with other headers, which are not signed, Once is %q, want %q", replay.Once, e.Once)
	}
	ping := request()
	ping.Header.Set("X-GitHub-Event", "ping")
	if d, err := source.Decode(t.Context(), ping); err != nil || len(d.Events) > 0 {
		t.Errorf("a ping gives %+v, %v", d, err)
	}
	changed := request()
	changed.Body = append(changed.Body, ' ')
	wantError(t, source, changed, ErrUnauthorized, "does not fit the body")
	for _, signature := range []string{"", "sha256=", "sha1=00", "sha256=zz", sign("wrong", body)} {
		r := request()
		r.Header.Set("X-Hub-Signature-256", signature)
		wantError(t, source, r, ErrUnauthorized, "X-Hub-Signature-256")
	}
	form := request()
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	wantError(t, source, form, ErrMediaType, "application/json")
	nameless := request()
	nameless.Header.Del("X-GitHub-Event")
	wantError(t, source, nameless, ErrMalformed, "X-GitHub-Event")
}

func TestStandardWebhooksAreVerified(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	seed := ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", ed25519.SeedSize)))
	source := newSource(t, "standard_webhooks", Config{Secrets: []string{
		"whsec_" + base64.StdEncoding.EncodeToString(key),
		"whpk_" + base64.StdEncoding.EncodeToString(seed.Public().(ed25519.PublicKey)),
	}})
	const body = `{"type":"user.created","data":{}}`
	request := func(at time.Time, asymmetric bool) *Request {
		signed := fmt.Sprintf("msg_1.%d.%s", at.Unix(), body)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed))
		signature := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if asymmetric {
			signature = "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(seed, []byte(signed)))
		}
		return post(body, "webhook-id", "msg_1", "webhook-timestamp", fmt.Sprint(at.Unix()), "webhook-signature", "v1,AAAA "+signature)
	}
	e := decodeOne(t, source, request(received, false))
	if e.Name != "user.created" || e.Once != decodeOne(t, source, request(received.Add(time.Second), true)).Once {
		t.Errorf("event = %+v", e)
	}
	wantError(t, source, request(received.Add(-6*time.Minute), false), ErrUnauthorized, "more than 5m0s from now")
	wantError(t, source, request(received.Add(6*time.Minute), true), ErrUnauthorized, "more than 5m0s from now")
	for field, value := range map[string]string{
		"webhook-id": "msg_2", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA", "Webhook-Signature": "",
	} {
		r := request(received, false)
		r.Header.Set(field, value)
		wantError(t, source, r, ErrUnauthorized, "webhook-")
	}
	many := request(received, false)
	many.Header.Set("webhook-signature", strings.Repeat("v1,AAAA ", maxSignatures)+many.Header.Get("webhook-signature"))
	wantError(t, source, many, ErrUnauthorized, "does not fit")
}

func TestGenericPassesTheBodyOn(t *testing.T) {
	const body = `{ "type": "order", "n": 1.50 }`
	source := newSource(t, "generic", Config{Secrets: []string{"k"}, SignatureHeader: "X-Shop-Signature"})
	e := decodeOne(t, source, post(body, "X-Shop-Signature", strings.TrimPrefix(sign("k", body), "sha256="), "Idempotency-Key", "a"))
	if string(e.Payload) != body || e.Name != "order" || e.Once == "" {
		t.Errorf("event = %+v", e)
	}
	wantError(t, source, post(body), ErrUnauthorized, "no X-Shop-Signature header")

	both := newSource(t, "generic", Config{Secrets: []string{"k"}, Tokens: []string{"t"}})
	wantError(t, both, post(body, DefaultSignatureHeader, sign("k", body)), ErrUnauthorized, "no token")
	wantError(t, both, post(body, "Authorization", "Bearer t"), ErrUnauthorized, "no X-Signature-256")
	decodeOne(t, both, post(body, "Authorization", "Bearer t", DefaultSignatureHeader, sign("k", body)))
}
