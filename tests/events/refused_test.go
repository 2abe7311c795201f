package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

const (
	hookSecret  = "s3cret-of-the-hook"
	wrongToken  = "wr0ng-token-of-somebody"
	queryToken  = "t0k-in-a-query"
	signingSeed = "0123456789abcdef0123456789abcdef"
)

func mac(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// github signs a body as GitHub does.
func postGitHub(s *harness.Server, delivery, body, secret string) harness.Response {
	s.T.Helper()
	return s.Post("/github/f", body, "X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac(secret, body)), "X-GitHub-Event", "push", "X-GitHub-Delivery", delivery)
}

// webhook signs a body as Standard Webhooks has it.
func postWebhook(s *harness.Server, id string, at time.Time, body string) harness.Response {
	s.T.Helper()
	stamp := fmt.Sprint(at.Unix())
	return s.Post("/webhooks/f", body, "Webhook-Id", id, "Webhook-Timestamp", stamp,
		"Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac(signingSeed, id+"."+stamp+"."+body)))
}

func newHooks(t *testing.T) (*harness.Server, *harness.Recorder) {
	t.Helper()
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	s.Configure(r.Function(s, "f", ""), fmt.Sprintf(`
	receive /s3/* s3 {
		token %[1]s %[2]s
	}
	receive /generic/* generic {
		token %[1]s %[2]s
	}
	receive /signed/* generic {
		secret %[3]s
	}
	receive /github/* github {
		secret %[3]s
	}
	receive /webhooks/* standard_webhooks {
		secret whsec_%[4]s
	}
	}
	log {
		format filter {
			request>uri query {
				replace token REDACTED
			}
		}`, harness.HookToken, queryToken, hookSecret, base64.StdEncoding.EncodeToString([]byte(signingSeed))))
	return s.Start(), r
}

func TestEventsThatAreNotProvenOrNotUnderstoodAreRefused(t *testing.T) {
	harness.Parallel(t)
	s, r := newHooks(t)
	bearer := "Bearer " + harness.HookToken
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for name, test := range map[string]struct {
		method, path, authorization, body string
		status                            int
		text                              string
	}{
		"no token":         {"POST", "/generic/f", "", `{}`, 401, "no token"},
		"wrong token":      {"POST", "/generic/f", "Bearer " + wrongToken, `{}`, 401, "wrong token"},
		"wrong query":      {"POST", "/s3/f?token=" + wrongToken, "", `{}`, 401, "wrong token"},
		"longer token":     {"POST", "/generic/f", bearer + "x", `{}`, 401, "wrong token"},
		"password":         {"POST", "/generic/f", "Basic " + harness.HookToken, `{}`, 401, "not a bearer token"},
		"unknown function": {"POST", "/generic/nobody", bearer, `{}`, 404, "no such function"},
		"unknown version":  {"POST", "/generic/f:7", bearer, `{}`, 404, "no such function"},
		"no function":      {"POST", "/generic/", bearer, `{}`, 404, "names it"},
		"odd function":     {"POST", "/generic/a%20b", bearer, `{}`, 404, "names it"},
		"not JSON":         {"POST", "/generic/f", bearer, `{"a":`, 400, "not JSON"},
		"two values":       {"POST", "/generic/f", bearer, `{} {}`, 400, "after top-level value"},
		"empty":            {"POST", "/generic/f", bearer, ``, 400, "empty body"},
		"not UTF-8":        {"POST", "/generic/f", bearer, "\"\xff\"", 400, "not UTF-8"},
		"nothing of S3":    {"POST", "/s3/f", bearer, `{"Records":7}`, 400, ""},
		"record of none":   {"POST", "/s3/f", bearer, `{"Records":[null]}`, 400, ""},
		"deep":             {"POST", "/generic/f", bearer, deep, 400, "levels deep"},
		"deep of S3":       {"POST", "/s3/f", bearer, deep, 400, "levels deep"},
		"10 MB and more":   {"POST", "/generic/f", bearer, `"` + strings.Repeat("x", 10<<20) + `"`, 413, "the body is over"},
		"over 1 MB":        {"POST", "/generic/f", bearer, `"` + strings.Repeat("x", 1<<20) + `"`, 413, "too large"},
		"GET":              {"GET", "/generic/f", bearer, ``, 405, "by POST"},
		"DELETE":           {"DELETE", "/s3/f", bearer, `{}`, 405, "by POST"},
		"no signature":     {"POST", "/signed/f", "", `{}`, 401, "no X-Signature-256"},
		"other's delivery": {"POST", "/github/f", "", `{}`, 401, "no X-Hub-Signature-256"},
		"no id":            {"POST", "/webhooks/f", "", `{}`, 401, "no webhook-id"},
	} {
		request := s.Request(test.method, test.path, strings.NewReader(test.body))
		if test.authorization != "" {
			request.Header.Set("Authorization", test.authorization)
		}
		got, err := harness.Try(request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Status != test.status || !strings.Contains(got.Body, test.text) {
			t.Errorf("%s: got %d %.300s, want %d with %q", name, got.Status, got.Body, test.status, test.text)
		}
		if test.status == http.StatusUnauthorized && got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: the answer names no way to prove who one is", name)
		}
		for _, secret := range []string{harness.HookToken, wrongToken, hookSecret} {
			if strings.Contains(got.Body, secret) {
				t.Errorf("%s: the answer repeats a secret: %s", name, got.Body)
			}
		}
	}
	if kept := append(s.Events(""), s.Events("?dead=true")...); len(kept) != 0 || len(r.Of("f")) != 0 {
		t.Errorf("kept: %+v, run: %q", kept, r.Of("f"))
	}
	s.Post("/generic/f?token="+queryToken, `{"still":"serves"}`).Want(t, 200, "")
	r.Wait("f", 1)
	s.TellsNone(harness.HookToken, wrongToken, queryToken, hookSecret, signingSeed)
}

func TestDeliveriesThatAreRepeatedRunOnce(t *testing.T) {
	harness.Parallel(t)
	s, r := newHooks(t)
	body := `{"ref":"refs/heads/main","repository":{"full_name":"o/r"}}`
	postGitHub(s, "d-1", body, "another secret").Want(t, 401, "does not fit")
	for range 3 {
		postGitHub(s, "d-1", body, hookSecret).Want(t, 200, "")
	}
	postGitHub(s, "d-2", `{"ref":"refs/heads/next","repository":{"full_name":"o/r"}}`, hookSecret).Want(t, 200, "")
	r.Wait("f", 2)

	now := time.Now()
	postWebhook(s, "m-1", now.Add(-10*time.Minute), `{"type":"a"}`).Want(t, 401, "webhook-timestamp")
	postWebhook(s, "m-1", now.Add(10*time.Minute), `{"type":"a"}`).Want(t, 401, "webhook-timestamp")
	for range 2 {
		postWebhook(s, "m-1", now, `{"type":"a"}`).Want(t, 200, "")
	}
	postWebhook(s, "m-1", now.Add(time.Second), `{"type":"a"}`).Want(t, 200, "") // signed again, the same message
	r.Wait("f", 3)
	for range 2 {
		s.Post("/generic/f", `{"n":1}`, "Authorization", "Bearer "+harness.HookToken, "Idempotency-Key", "k-1").Want(t, 200, "")
		s.Post("/s3/f", minioEvent("ObjectCreated:Put", "b", "k", "0A"), "Authorization", "Bearer "+harness.HookToken).Want(t, 200, "")
	}
	s.NothingWaits()
	r.Wait("f", 5)

	// Who read a delivery changes what is not signed: address, names and numbers.
	stamp := fmt.Sprint(now.Unix())
	for _, path := range []string{"f", "/f", "again/f", "f:$LATEST", "%66", "f?n=1"} {
		for _, host := range []string{fmt.Sprintf("127.0.0.1:%d", s.Port), "127.0.0.1"} {
			replay := func(to, body string, header ...string) {
				t.Helper()
				request := s.Request("POST", to+path, strings.NewReader(body))
				request.Host = host
				for n := 0; n < len(header); n += 2 {
					request.Header.Set(header[n], header[n+1])
				}
				request.Header.Set("Content-Type", "application/json")
				s.Do(request).Want(t, 200, "")
			}
			replay("/github/", body, "X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac(hookSecret, body)), "X-GitHub-Event", "release", "X-GitHub-Delivery", "d-3")
			replay("/webhooks/", `{"type":"a"}`, "Webhook-Id", "m-1", "Webhook-Timestamp", stamp,
				"Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac(signingSeed, "m-1."+stamp+`.{"type":"a"}`)))
		}
	}
	s.NothingWaits()
	r.Wait("f", 5)

	// What was kept before a crash is known after it.
	_ = s.Cmd.Process.Kill()
	<-s.Exited
	s.Mu.Lock()
	s.Out.Reset()
	s.Mu.Unlock()
	s.Start()
	postGitHub(s, "d-1", body, hookSecret).Want(t, 200, "")
	postWebhook(s, "m-1", now, `{"type":"a"}`).Want(t, 200, "")
	s.NothingWaits()
	r.Wait("f", 5)
	s.TellsNone(harness.HookToken, hookSecret, signingSeed)
}
