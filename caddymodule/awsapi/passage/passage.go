package passage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/foreign"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
)

// A Backend is a service of the configuration.
type Backend struct {
	Endpoint *url.URL
	Region   string
	aws.CredentialsProvider
}

// Config of a Passage. All fields but Bodies are required.
type Config struct {
	Backends map[string]*Backend // by the service's name in signatures
	Verifier *sigv4.Verifier
	Access   *access.Authority
	Account  function.Account
	Bodies   *bodies.Budget // the memory for bodies that wait; nil: they are not bounded
	Refusals *flood.Gate    // bounds what failed requests write to the log
	Log      *zap.Logger
}

// A Passage passes calls on.
type Passage struct {
	Config
	signer *v4.Signer
	client *http.Client
	busy   chan struct{} // has one element for each call that is passed on
}

// Bounds of calls.
const (
	maxBody    = 16 << 20 // DynamoDB's largest, in bytes
	slowest    = 16 << 10 // bytes per second of a body, when there is no memory left
	maxCalls   = 1024     // at once
	answerTime = 70 * time.Second
)

// New makes a passage.
func New(c Config) *Passage {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout, transport.DisableCompression, transport.Proxy = answerTime, true, nil
	transport.MaxIdleConnsPerHost = 64
	return &Passage{
		Config: c, signer: v4.NewSigner(), busy: make(chan struct{}, maxCalls),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// Services are the names of the services that are passed on.
func (p *Passage) Services() (names []string) {
	for name := range p.Backends {
		names = append(names, name)
	}
	return names
}

// Serve answers a request for a service of the configuration, and reports whether it is one.
func (p *Passage) Serve(w http.ResponseWriter, r *http.Request) bool {
	service := foreign.Service(r)
	to := p.Backends[service]
	if to == nil {
		return false
	}
	if err := p.pass(w, r, service, to); err != nil {
		p.refuse(w, r, service, err)
	}
	return true
}

func (p *Passage) pass(w http.ResponseWriter, r *http.Request, service string, to *Backend) error {
	check, err := p.Verifier.Begin(r, service)
	if err != nil {
		return err
	}
	var share bodies.Share
	defer share.End()
	intake := bodies.Intake{Most: maxBody, Weight: 6, Budget: p.Bodies, Rate: slowest}
	if check.Proven() {
		intake.Rate = 0
	}
	body, err := intake.Read(w, r, nil, &share)
	if err != nil {
		return err
	}
	key, err := check.Finish(body)
	if err != nil {
		return err
	}
	c, err := readCall(r, service, body)
	if err != nil {
		return err
	}
	if err := p.permit(r, key, c); err != nil {
		return err
	}
	select {
	case p.busy <- struct{}{}:
		defer func() { <-p.busy }()
	default:
		return refusal{"ThrottlingException", "Too many calls are passed on at once. Try again.", http.StatusServiceUnavailable}
	}
	return p.forward(w, r, c, to)
}

// permit asks what a key may do.
func (p *Passage) permit(r *http.Request, key *sigv4.Key, c *call) error {
	if key.ReadOnly && !readOnly(c.operation) {
		return refusal{"AccessDeniedException", "User: " + key.ARN(p.Account.ID) + " is not authorized to perform: " + c.service + ":" + c.operation + " because its access key is read-only", http.StatusForbidden}
	}
	if key.Role == nil || p.Access.Off {
		return nil
	}
	if c.opaque {
		return refusal{"SerializationException", "Bodies in CBOR are not read here, and so the policies of a role cannot be asked: have the client write JSON (AWS_CBOR_DISABLE=true).", http.StatusBadRequest}
	}
	needs, err := p.Access.Needs(r.Context(), c.service, c.operation, &access.Input{JSON: c.object, Form: c.form, HTTP: r})
	if err != nil {
		return err
	}
	for n := range needs { // the queue may have an ARN of the service's own account
		if c.service == "sqs" && len(needs[n].Resources) == 1 && c.account != "" && c.account != p.Account.ID {
			own := needs[n].Resources[0]
			needs[n].Resources = append(needs[n].Resources, strings.Replace(own, ":"+p.Account.ID+":", ":"+c.account+":", 1))
		}
	}
	return p.Access.Check(r.Context(), key, r, needs...)
}

// readOnly reports whether an operation changes nothing.
func readOnly(operation string) bool {
	for _, verb := range []string{"Get", "List", "Describe", "BatchGet", "TransactGet", "Query", "Scan"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

// forward sends a call, signed anew, and copies the answer.
func (p *Passage) forward(w http.ResponseWriter, r *http.Request, c *call, to *Backend) error {
	body := c.encode(to.Endpoint)
	address := *to.Endpoint
	address.Path, address.RawPath, address.RawQuery = "/", "", ""
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, address.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	for _, name := range []string{"Content-Type", "Accept", "User-Agent", "X-Amzn-Trace-Id", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "X-Amzn-Query-Mode"} {
		if v := r.Header.Get(name); v != "" {
			request.Header.Set(name, v)
		}
	}
	if c.target != "" {
		request.Header.Set("X-Amz-Target", c.target)
	}
	own, err := to.Retrieve(r.Context())
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if err := p.signer.SignHTTP(r.Context(), own, request, hex.EncodeToString(sum[:]), c.service, to.Region, time.Now()); err != nil {
		return err
	}
	answer, err := p.client.Do(request)
	if err != nil {
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err
		}
		return &unreachable{err}
	}
	defer answer.Body.Close()
	return c.answer(w, r, answer)
}

// An unreachable service is one that did not answer.
type unreachable struct{ err error }

func (u *unreachable) Error() string { return "the service does not answer: " + u.err.Error() }

func (u *unreachable) Unwrap() error { return u.err }

// hopByHop are headers of one connection.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// maxRewritten bounds answers that are read to be changed, in bytes.
const maxRewritten = 4 << 20

// answer copies the answer of a service. Addresses of queues are those of this server.
func (c *call) answer(w http.ResponseWriter, r *http.Request, from *http.Response) error {
	body := io.Reader(from.Body)
	if c.service == "sqs" && strings.Contains(c.operation, "Queue") {
		text, err := io.ReadAll(io.LimitReader(from.Body, maxRewritten+1))
		if err != nil || len(text) > maxRewritten {
			return &unreachable{errors.New("its answer cannot be read")}
		}
		text = c.ownAddresses(text, r)
		from.Header.Del("Content-Length")
		body = bytes.NewReader(text)
	}
	for name, values := range from.Header {
		w.Header()[name] = values
	}
	for _, name := range hopByHop {
		w.Header().Del(name)
	}
	w.WriteHeader(from.StatusCode)
	_, _ = io.Copy(w, body) // the client may be gone, or the service
	return nil
}

// refuse answers with an error.
func (p *Passage) refuse(w http.ResponseWriter, r *http.Request, service string, err error) {
	x := exceptionOf(err)
	if x == nil {
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return // nobody is there to tell
		}
		p.Refusals.Tell(p.Log, zap.ErrorLevel, "a call could not be passed on", service, func() []zap.Field {
			return []zap.Field{zap.String("source", service), zap.Error(err)}
		})
		x = &refusal{"ServiceUnavailable", "The " + service + " service of this server's configuration cannot be called now.", http.StatusServiceUnavailable}
	}
	x.write(w, r)
}
