package gateway

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// A stranger is a request whose sender proves nothing, and what it is answered.
type stranger struct {
	name, host, path string
	header           http.Header
	status           int
	says             string
}

// signed is the header of a request to the Lambda API that is signed with a key at a time.
// promised says which hash its body has.
func signed(t *testing.T, a *harness.API, key aws.Credentials, host, path string, at time.Time, promised bool) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+host+path, nil)
	a.Check(err)
	sum := sha256.Sum256([]byte("the body"))
	hash := hex.EncodeToString(sum[:])
	if promised {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	a.Check(v4.NewSigner().SignHTTP(context.Background(), key, r, hash, "lambda", "us-east-1", at))
	return r.Header
}

func strangers(t *testing.T, a *harness.API) []stranger {
	t.Helper()
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, harness.Answers("ran")))
	url, err := a.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeAwsIam})
	a.Check(err)
	urlHost := strings.TrimSuffix(strings.TrimPrefix(*url.FunctionUrl, "http://"), "/")
	host := net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	const create = "/2015-03-31/functions"
	wrong := a.Credentials
	wrong.SecretAccessKey = strings.Repeat("wrong", 8)
	unknown := aws.Credentials{AccessKeyID: "AKIAUNKNOWN", SecretAccessKey: strings.Repeat("x", 40)}
	now := time.Now()
	unsignedHost := signed(t, a, a.Credentials, host, create, now, false)
	unsignedHost.Set("Authorization", strings.Replace(unsignedHost.Get("Authorization"), "host;", "", 1))
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header.Set(pairs[i], pairs[i+1])
		}
		return header
	}
	return []stranger{
		{"receive without a token", host, "/in/generic/f", nil, 401, "no token"},
		{"receive with a wrong token", host, "/in/generic/f", h("Authorization", "Bearer wrong"), 401, "wrong token"},
		{"s3 without a token", host, "/in/s3/f", nil, 401, "no token"},
		{"s3 by SNS", host, "/in/s3/f", h("X-Amz-Sns-Message-Type", "Notification"), 403, "their topic"},
		{"cloudevents without a token", host, "/in/cloudevents/f", nil, 401, "no token"},
		{"github without a signature", host, "/in/github/f", nil, 401, "no X-Hub-Signature-256"},
		{"webhook of long ago", host, "/in/webhooks/f", h("Webhook-Id", "1", "Webhook-Signature", "v1,AAAA", "Webhook-Timestamp", "1700000000"), 401, "webhook-timestamp is more than"},
		{"the API without a signature", host, create, nil, 403, "MissingAuthenticationTokenException"},
		{"the API with an unknown key", host, create, signed(t, a, unknown, host, create, now, false), 403, "UnrecognizedClientException"},
		{"the API with an old signature", host, create, signed(t, a, a.Credentials, host, create, now.Add(-time.Hour), false), 403, "InvalidSignatureException"},
		{"the API without a signed host", host, create, unsignedHost, 403, "InvalidSignatureException"},
		{"the API with a wrong secret", host, create, signed(t, a, wrong, host, create, now, true), 403, "InvalidSignatureException"},
		{"a call of another service", host, "/", h("X-Amz-Target", "DynamoDB_20120810.PutItem", "Content-Type", "application/x-amz-json-1.0"), 400, "UnknownOperationException"},
		{"a function URL that there is not", strings.Replace(urlHost, urlHost[:8], "abcdefgh", 1), "/", nil, 403, "Forbidden"},
		{"a function URL without a signature", urlHost, "/", nil, 403, "Forbidden"},
		{"a function URL with a wrong secret", urlHost, "/", signed(t, a, wrong, urlHost, "/", now, true), 403, "Forbidden"},
	}
}

// receivers take events from those who prove who they are, beside the Lambda API.
const receivers = `
	receive /in/generic/* generic {
		token the-right-token
	}
	receive /in/s3/* s3 {
		token the-right-token
	}
	receive /in/cloudevents/* cloudevents {
		token the-right-token
	}
	receive /in/github/* github {
		secret the-secret-of-github
	}
	receive /in/webhooks/* standard_webhooks {
		secret whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
	}`

// newAPIWithHTTP2 starts a server with the Lambda API, receivers and HTTP/2 without TLS.
func newAPIWithHTTP2(t *testing.T) *harness.API {
	t.Helper()
	return harness.NewAPI(t, "}\nservers {\nprotocols h1 h2c\n", receivers)
}

// answered fails unless an answer is the one that a stranger gets.
func (s *stranger) answered(t *testing.T, name string, answer *http.Response, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != s.status || !strings.Contains(answer.Header.Get("X-Amzn-Errortype")+string(body), s.says) {
		t.Errorf("%s: %d %q (%v), want %d %q", name, answer.StatusCode, body, err, s.status, s.says)
	}
}

// soon is by when a server has answered that waits for no body: it would wait for half a
// minute at least.
const soon = 15 * time.Second

func TestWhoProvesNothingIsAnsweredBeforeTheBody(t *testing.T) {
	harness.Parallel(t)
	a := newAPIWithHTTP2(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	http2 := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: soon}
	defer http2.CloseIdleConnections()
	server := net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	var slowest time.Duration
	for _, s := range strangers(t, a) {
		for _, length := range []int64{1000, 200_000, 5_000_000, 50_000_000, -1} {
			slowest = max(slowest, s.ask(t, a, length))
		}
		name := s.name + " over HTTP/2"
		begun := time.Now()
		rest, sender := io.Pipe()
		r, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+server+s.path, io.MultiReader(strings.NewReader("0123456789"), rest))
		a.Check(err)
		r.Host, r.ContentLength = s.host, 200_000
		for field, values := range s.header {
			r.Header[field] = values
		}
		answer, err := http2.Do(r)
		if err == nil && answer.ProtoMajor != 2 {
			t.Errorf("%s: %s", name, answer.Proto)
		}
		slowest = max(slowest, time.Since(begun))
		sender.Close() // the client closes the answer's body when it has no more to send
		s.answered(t, name, answer, err)
	}
	t.Logf("the slowest answer took %v", slowest)
}

// ask sends the header of a stranger's request and ten bytes of its body, and waits for the
// answer.
func (s *stranger) ask(t *testing.T, a *harness.API, length int64) (took time.Duration) {
	t.Helper()
	begun := time.Now()
	conn, err := net.Dial("tcp", net.JoinHostPort(a.Host, strconv.Itoa(a.Port)))
	a.Check(err)
	defer conn.Close()
	a.Check(conn.SetDeadline(begun.Add(soon)))
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\n", s.path, s.host)
	for field, values := range s.header {
		head += field + ": " + values[0] + "\r\n"
	}
	if length < 0 {
		head += "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n"
	} else {
		head += fmt.Sprintf("Content-Length: %d\r\n\r\n0123456789", length)
	}
	_, err = io.WriteString(conn, head)
	a.Check(err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	s.answered(t, fmt.Sprintf("%s, a body of %d over HTTP/1", s.name, length), answer, err)
	return time.Since(begun)
}

// A site's own pages for errors come as early.
func TestPagesForErrorsComeBeforeTheBody(t *testing.T) {
	harness.Parallel(t)
	a := newAPIWithHTTP2(t)
	all := strangers(t, a)
	config, err := os.ReadFile(a.Config)
	a.Check(err)
	const site = "\tfunction_urls\n"
	a.Check(os.WriteFile(a.Config, []byte(strings.Replace(string(config), site, site+"\thandle_errors {\n\t\trespond \"a page for {err.status_code}\"\n\t}\n", 1)), 0o600))
	a.Reload()
	s := all[len(all)-1] // a function URL with a wrong secret
	s.says = "a page for 403"
	for _, length := range []int64{1000, 200_000, 5_000_000, -1} {
		s.ask(t, a, length)
	}
}

// Bodies of those who prove nothing take no memory, however many there are.
func TestBodiesWithoutProofTakeNoMemory(t *testing.T) {
	harness.Quiet(t)
	a := newAPIWithHTTP2(t)
	all := strangers(t, a)
	server := net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	before := peakMB(a.Server)
	part := strings.Repeat("x", 100_000)
	var senders sync.WaitGroup
	for n := range 1000 {
		senders.Go(func() {
			s := all[n%len(all)]
			conn, err := net.Dial("tcp", server)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
			head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 5000000\r\n", s.path, s.host)
			for field, values := range s.header {
				head += field + ": " + values[0] + "\r\n"
			}
			if _, err := io.WriteString(conn, head+"\r\n"+part); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			s.answered(t, s.name, answer, err)
		})
	}
	senders.Wait()
	after := peakMB(a.Server)
	t.Logf("the server had %d MB before, and %d MB at most", before, after)
	if after > before+120 {
		t.Errorf("1000 bodies of 5 MB without proof took %d MB", after-before)
	}
	if held := a.Metric("hearth_body_memory_bytes"); held != 0 {
		t.Errorf("%v bytes are held", held)
	}
	// A sender who proves itself is heard.
	a.Post("/in/generic/f", `{"a":1}`, "Authorization", "Bearer the-right-token").Want(t, 200, "")
}
