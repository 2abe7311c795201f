package sigv4_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// The pair of AWS's own examples.
const (
	exampleID     = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var signedAt = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func verifier(t testing.TB, change ...func(*sigv4.Config)) *sigv4.Verifier {
	t.Helper()
	c := sigv4.Config{
		Keys:   []sigv4.Key{{ID: exampleID, Secret: exampleSecret}, {ID: "AKIAREADER", Secret: strings.Repeat("r", 40), ReadOnly: true}},
		Region: "us-east-1", Services: []string{"lambda", "logs"},
		Now: func() time.Time { return signedAt },
	}
	for _, f := range change {
		f(&c)
	}
	v, err := sigv4.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func verify(v *sigv4.Verifier, r *http.Request, body string) (*sigv4.Key, error) {
	check, err := v.Begin(r, serviceOf(r))
	if err != nil {
		return nil, err
	}
	return check.Finish([]byte(body))
}

// received is a request as a server sees it.
func received(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Del("Content-Type")
	return r
}

// sign signs by AWS's own signer.
func sign(t testing.TB, r *http.Request, body string, change ...func(*signing)) *http.Request {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	s := signing{id: exampleID, secret: exampleSecret, hash: hex.EncodeToString(sum[:]), region: "us-east-1", service: "lambda", at: signedAt}
	for _, f := range change {
		f(&s)
	}
	r.URL.Scheme, r.URL.Host = "http", r.Host
	key := aws.Credentials{AccessKeyID: s.id, SecretAccessKey: s.secret, SessionToken: s.token}
	if s.presign {
		query := r.URL.Query()
		query.Set("X-Amz-Expires", "900")
		r.URL.RawQuery = query.Encode()
		signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), key, r, s.hash, s.service, s.region, s.at)
		if err != nil {
			t.Fatal(err)
		}
		return received(r.Method, signed, body)
	}
	if err := v4.NewSigner().SignHTTP(context.Background(), key, r, s.hash, s.service, s.region, s.at); err != nil {
		t.Fatal(err)
	}
	return r
}

type signing struct {
	id, secret, token, hash, region, service string
	at                                       time.Time
	presign                                  bool
}

func TestSignaturesOfAWSsGoSignerAreVerified(t *testing.T) {
	v := verifier(t)
	const body = `{"a": 1}`
	for _, target := range []string{
		"/", "/2015-03-31/functions", "/2015-03-31/functions/",
		"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations?Qualifier=%24LATEST",
		"/2015-03-31/functions/a:b/x?c&b=2&a=z&a=b&a=%2B%20%2F&%C3%BC=1",
		"/2017-03-31/tags/x%2Fy%20z?tagKeys=a~b&tagKeys=*",
	} {
		for _, presign := range []bool{false, true} {
			r := received("POST", target, body)
			r.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
			r.Header.Set("Content-Type", "application/json;   charset=utf-8")
			if presign {
				r = received("POST", target, body)
			}
			r = sign(t, r, body, func(s *signing) { s.presign = presign })
			key, err := verify(v, r, body)
			if err != nil || key.ID != exampleID || key.ReadOnly {
				t.Errorf("POST %s, presigned %v: key %+v, error %v", target, presign, key, err)
			}
		}
	}
}

func TestSignaturesOfBotocoreAreVerified(t *testing.T) {
	data, err := os.ReadFile("testdata/botocore.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded []struct {
		Name, Method, URL, Body string
		Header                  map[string]string
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	v := verifier(t)
	for _, r := range recorded {
		request := received(r.Method, r.URL, r.Body)
		for name, value := range r.Header {
			request.Header.Set(name, value)
		}
		if _, err := verify(v, request, r.Body); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		request.Method = "PATCH"
		if _, err := verify(v, request, r.Body); err == nil {
			t.Errorf("%s: verified with another method", r.Name)
		}
	}
}

func TestASignatureOfAKnownHashIsComparedBeforeTheBody(t *testing.T) {
	v := verifier(t)
	const body = "the body"
	signed := func(header string, change ...func(*signing)) *http.Request {
		r := received("POST", "/2015-03-31/functions", body)
		if header != "" {
			r.Header.Set("X-Amz-Content-Sha256", header)
		}
		return sign(t, r, body, append(change, func(s *signing) {
			if header != "" {
				s.hash = header
			}
		})...)
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	wrongSecret := func(s *signing) { s.secret = strings.Repeat("wrong", 8) }
	var refused *sigv4.Error
	for _, header := range []string{hash, strings.ToUpper(hash), "UNSIGNED-PAYLOAD"} {
		if _, err := v.Begin(signed(header, wrongSecret), "lambda"); !errors.As(err, &refused) || refused.Status != 403 || !strings.HasPrefix(refused.Message, "The request signature we calculated does not match") {
			t.Errorf("a wrong secret with %s: %v", header, err)
		}
		check, err := v.Begin(signed(header), "lambda")
		if err != nil || !check.Proven() {
			t.Fatalf("%s: %v", header, err)
		}
		if _, err := check.Finish([]byte(body)); err != nil {
			t.Errorf("%s: %v", header, err)
		}
		if _, err := check.Finish([]byte("another")); header != "UNSIGNED-PAYLOAD" && err == nil {
			t.Errorf("%s: another body is taken", header)
		}
	}
	check, err := v.Begin(signed("", wrongSecret), "lambda")
	if err != nil || check.Proven() {
		t.Fatalf("without a hash: %v, or proven", err)
	}
	if _, err := check.Finish([]byte(body)); !errors.As(err, &refused) {
		t.Errorf("without a hash a wrong secret is taken: %v", err)
	}
}

// The request of AWS's test suite that is called get-vanilla.
func TestTheSignatureOfAWSsTestSuiteIsVerified(t *testing.T) {
	v := verifier(t, func(c *sigv4.Config) {
		c.Services = []string{"service"}
		c.Now = func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }
	})
	r := received("GET", "http://example.amazonaws.com/", "")
	r.Header.Set("X-Amz-Date", "20150830T123600Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "+
		"Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
	if _, err := verify(v, r, ""); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotSignedAsItCameIsRefused(t *testing.T) {
	const target = "/2015-03-31/functions/f/invocations?Qualifier=live"
	const body = `{"a":1}`
	const mismatch = "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
	tests := []struct {
		name   string
		signed func(*signing)
		change func(*http.Request)
		body   string
		want   string // what the error begins with
	}{
		{name: "no signature", change: func(r *http.Request) { r.Header.Del("Authorization") }, want: "MissingAuthenticationTokenException: Missing Authentication Token"},
		{name: "an unknown key", signed: func(s *signing) { s.id = "AKIAUNKNOWN" }, want: "UnrecognizedClientException: The security token included in the request is invalid."},
		{name: "a session", signed: func(s *signing) { s.token = "token" }, want: "UnrecognizedClientException: The security token"},
		{name: "a wrong secret", signed: func(s *signing) { s.secret = "wrong" }, want: mismatch},
		{name: "another body", body: `{"a":2}`, want: mismatch},
		{name: "another path", change: func(r *http.Request) { r.URL.Path = "/2015-03-31/functions/g/invocations" }, want: mismatch},
		{name: "another query", change: func(r *http.Request) { r.URL.RawQuery = "Qualifier=test" }, want: mismatch},
		{name: "another host", change: func(r *http.Request) { r.Host = "elsewhere" }, want: mismatch},
		{name: "another header", change: func(r *http.Request) { r.Header.Set("X-Amz-Log-Type", "None") }, want: mismatch},
		{
			name: "a header that is not signed", change: func(r *http.Request) { r.Header.Set("X-Amz-Invocation-Type", "Event") },
			want: "InvalidSignatureException: 'X-Amz-Invocation-Type' must be a 'SignedHeader' in the AWS Authorization.",
		},
		{
			name: "no host", change: func(r *http.Request) {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";host", "", 1))
			}, want: "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader'",
		},
		{name: "another region", signed: func(s *signing) { s.region = "eu-west-1" }, want: "InvalidSignatureException: Credential should be scoped to a valid region. "},
		{name: "another service", signed: func(s *signing) { s.service = "s3" }, want: "InvalidSignatureException: Credential should be scoped to correct service: 'lambda'. "},
		{
			name: "an old signature", signed: func(s *signing) { s.at = signedAt.Add(-301 * time.Second) },
			want: "InvalidSignatureException: Signature expired: 20261123T085459Z is now earlier than 20261123T085500Z (20261123T090000Z - 5 min.)",
		},
		{
			name: "a clock ahead", signed: func(s *signing) { s.at = signedAt.Add(301 * time.Second) },
			want: "InvalidSignatureException: Signature not yet current: 20261123T090501Z is still later than 20261123T090500Z (20261123T090000Z + 5 min.)",
		},
		{
			name: "another day", change: func(r *http.Request) {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/20261123/", "/20261122/", 1))
			}, want: "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261122' != '20261123', from '20261123T090000Z'.",
		},
		{name: "another scheme", change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, want: "IncompleteSignatureException: Unsupported AWS 'algorithm': 'Bearer'."},
		{
			name: "half a header", change: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a") },
			want: "IncompleteSignatureException: Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter.",
		},
		{
			name: "both forms", change: func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Algorithm=AWS4-HMAC-SHA256" },
			want: "IncompleteSignatureException: Only one auth mechanism allowed",
		},
		{
			name: "a chunked payload", change: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") },
			want: "InvalidSignatureException: 'X-Amz-Content-Sha256' must be a 'SignedHeader'",
		},
		{name: "a presigned wrong secret", signed: func(s *signing) { s.secret, s.presign = "wrong", true }, want: mismatch},
		{
			name: "an expired presigned request", signed: func(s *signing) { s.presign, s.at = true, signedAt.Add(-901*time.Second) },
			want: "InvalidSignatureException: Signature expired: 20261123T084459Z is now earlier than 20261123T084500Z (20261123T090000Z - 15m0s)",
		},
		{
			name: "a presigned request for too long", signed: func(s *signing) { s.presign = true },
			change: func(r *http.Request) {
				r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "Expires=900", "Expires=604801", 1)
			},
			want: "IncompleteSignatureException: X-Amz-Expires must be a number of seconds",
		},
		{
			name: "a presigned request for longer", signed: func(s *signing) { s.presign = true },
			change: func(r *http.Request) {
				r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "Expires=900", "Expires=901", 1)
			},
			want: mismatch,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := received("POST", target, body)
			r.Header.Set("X-Amz-Log-Type", "Tail")
			sent := body
			if test.body != "" {
				sent = test.body
			}
			var change []func(*signing)
			if test.signed != nil {
				change = append(change, test.signed)
				if s := (signing{}); func() bool { test.signed(&s); return s.presign }() {
					r.Header.Del("X-Amz-Log-Type")
				}
			}
			r = sign(t, r, body, change...)
			if test.change != nil {
				test.change(r)
			}
			_, err := verify(verifier(t), r, sent)
			var refused *sigv4.Error
			if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %q, want %q...", err, test.want)
			}
		})
	}
}

func TestTheHashOfThePayloadIsHeld(t *testing.T) {
	v := verifier(t)
	const body = "payload"
	withHash := func(hash, sent string) error {
		r := received("PUT", "/x", body)
		r.Header.Set("X-Amz-Content-Sha256", hash)
		_, err := verify(v, sign(t, r, body, func(s *signing) { s.hash = hash }), sent)
		return err
	}
	sum := sha256.Sum256([]byte(body))
	if err := withHash(hex.EncodeToString(sum[:]), body); err != nil {
		t.Error(err)
	}
	if err := withHash(hex.EncodeToString(sum[:]), "other"); err == nil || !strings.Contains(err.Error(), "does not match what was computed") {
		t.Errorf("another body: error %v", err)
	}
	if err := withHash("UNSIGNED-PAYLOAD", "anything"); err != nil {
		t.Error(err)
	}
	if err := withHash("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", body); err == nil || !strings.Contains(err.Error(), "neither UNSIGNED-PAYLOAD nor a SHA-256 digest") {
		t.Errorf("a chunked payload: error %v", err)
	}
}

func TestAMismatchShowsWhatShouldHaveBeenSigned(t *testing.T) {
	r := sign(t, received("GET", "/2015-03-31/functions", ""), "", func(s *signing) { s.secret = "wrong" })
	_, err := verify(verifier(t), r, "")
	for _, part := range []string{"The Canonical String for this request should have been\n'GET\n/2015-03-31/functions\n", "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20261123T090000Z\n20261123/us-east-1/lambda/aws4_request\n"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %q is without %q", err, part)
		}
	}
}

func TestAKeyIsVerifiedAcrossDays(t *testing.T) {
	now := signedAt
	v := verifier(t, func(c *sigv4.Config) { c.Now = func() time.Time { return now } })
	for range 3 {
		for _, service := range []string{"lambda", "logs"} {
			r := sign(t, received("GET", "/x", ""), "", func(s *signing) {
				s.at, s.service, s.id, s.secret = now, service, "AKIAREADER", strings.Repeat("r", 40)
			})
			key, err := verify(v, r, "")
			if err != nil || !key.ReadOnly {
				t.Errorf("%s, %s: key %+v, error %v", now, service, key, err)
			}
		}
		now = now.AddDate(0, 0, 1)
	}
}

func TestKeysThatCannotBeUsedAreRefused(t *testing.T) {
	secret := strings.Repeat("s", 40)
	for _, test := range []struct {
		keys []sigv4.Key
		want string
	}{
		{nil, "no access keys"},
		{[]sigv4.Key{{ID: "a/b", Secret: secret}}, `access key ID "a/b"`},
		{[]sigv4.Key{{ID: "AKIA", Secret: "short"}}, "access key AKIA: its secret is too short"},
		{[]sigv4.Key{{ID: "AKIA", Secret: secret}, {ID: "AKIA", Secret: secret}}, "access key AKIA is there twice"},
	} {
		if _, err := sigv4.New(sigv4.Config{Keys: test.keys, Services: []string{"lambda"}}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}

// Whatever AWS's signer signs is verified, and not with anything changed.
func FuzzSignedRequests(f *testing.F) {
	f.Add("GET", "/a%2Fb", "x=1&y", "X-Amz-Log-Type", " a  b ", "body", false)
	f.Add("POST", "/", "a=%zz", "User-Agent", "u", "", true)
	f.Add("PUT", "/ü/ö", "%C3%BC=+;", "Accept", "\t", "{}", true)
	v := verifier(f)
	f.Fuzz(func(t *testing.T, method, path, query, name, value, body string, presign bool) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(path, "/") || u.Host != "" || u.RawQuery != "" {
			return
		}
		wire, err := http.NewRequest(method, "http://h"+path+"?"+query, strings.NewReader(body))
		if err != nil || strings.Contains(query, "X-Amz-") || wire.URL.Fragment != "" || strings.Contains(path+query, "#") {
			return
		}
		// The signer decodes the query as forms are; what it cannot decode it drops.
		if _, err := url.ParseQuery(query); err != nil {
			return
		}
		if name = http.CanonicalHeaderKey(name); name == "X-Amz-Log-Type" && !presign {
			wire.Header.Set(name, value)
		}
		wire = sign(t, wire, body, func(s *signing) { s.presign = presign })
		if _, err := verify(v, wire, body); err != nil {
			t.Fatalf("%s %s: %v", wire.Method, wire.URL, err)
		}
		if _, err := verify(v, wire, body+"x"); err == nil {
			t.Fatal("verified with another body")
		}
	})
}

// Whatever a stranger sends is refused by an *Error.
func FuzzForeignRequests(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64), "20261123T090000Z", "")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-east-1%2Flambda%2Faws4_request&X-Amz-Date=20261123T090000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature="+strings.Repeat("0", 64))
	v := verifier(f)
	f.Fuzz(func(t *testing.T, header, date, query string) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/x", RawQuery: query}, Host: "h", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
		if header != "" {
			r.Header["Authorization"] = []string{header}
		}
		if date != "" {
			r.Header["X-Amz-Date"] = []string{date}
		}
		_, err := verify(v, r, "")
		var refused *sigv4.Error
		if !errors.As(err, &refused) {
			t.Fatalf("error %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	v := verifier(b)
	body := strings.Repeat("x", 1<<10)
	r := received("POST", "/2015-03-31/functions/thumbnail/invocations", body)
	r.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
	r = sign(b, r, body)
	payload := []byte(body)
	b.ReportAllocs()
	for b.Loop() {
		check, err := v.Begin(r, serviceOf(r))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := check.Finish(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleVerifier() {
	v, err := sigv4.New(sigv4.Config{Keys: []sigv4.Key{{ID: exampleID, Secret: exampleSecret}}, Region: "us-east-1", Services: []string{"lambda"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest("GET", "/2015-03-31/functions", nil)
	_, err = v.Begin(r, serviceOf(r))
	fmt.Println(err)
	// Output: MissingAuthenticationTokenException: Missing Authentication Token
}

// serviceOf is the service that a test's request is for: the one it is signed for, if
// there is such a one.
func serviceOf(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if scope == "" {
		scope = r.URL.Query().Get("X-Amz-Credential")
	}
	parts := strings.Split(scope, "/")
	if len(parts) >= 5 && (parts[3] == "logs" || parts[3] == "service") {
		return parts[3]
	}
	return "lambda"
}

func TestASignatureForOneServiceIsNoneForAnother(t *testing.T) {
	v, err := sigv4.New(sigv4.Config{Keys: []sigv4.Key{{ID: "AKIAKEY", Secret: "0123456789abcdef"}}, Region: "us-east-1", Services: []string{"lambda", "logs"}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://localhost/2015-03-31/functions/", nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAKEY/20261123/us-east-1/logs/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	r.Header.Set("X-Amz-Date", "20261123T000000Z")
	_, err = v.Begin(r, "lambda")
	var refused *sigv4.Error
	if !errors.As(err, &refused) || !strings.Contains(refused.Message, "correct service: 'lambda'") {
		t.Errorf("%v", err)
	}
}
