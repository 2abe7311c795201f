package authorizer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	iam "github.com/hearthfn/hearth/caddymodule/awsapi/policy"
)

const (
	// DefaultTTL is how long AWS keeps what a Lambda authorizer answers.
	DefaultTTL = 300 * time.Second
	// MaxTTL is the longest time that AWS keeps it.
	MaxTTL = time.Hour
	// maxIdentity bounds the identity sources of a request together, in bytes.
	maxIdentity = 16 << 10
	// maxKept bounds the answers that are kept, of up to maxAnswer bytes each.
	maxKept = 1024
	// answerWithin is how long an authorizer may take, as on AWS.
	answerWithin = 30 * time.Second
	// drainWithin bounds the wait of Close.
	drainWithin = 10 * time.Second
)

// A FunctionError is an invocation of an authorizer that ended in an error of the function.
type FunctionError struct{ Payload []byte }

func (e *FunctionError) Error() string { return fmt.Sprintf("the function failed: %.2000s", e.Payload) }

// LambdaConfig says how a function decides.
type LambdaConfig struct {
	// Invoke calls the function. The error is a *FunctionError if the function failed.
	Invoke func(ctx context.Context, event []byte) ([]byte, error)
	// Token says that the function gets the first source alone, as authorizers of type TOKEN of
	// REST APIs do. Otherwise it gets the request.
	Token bool
	// Expression is what a token must match; see NewExpression. nil: anything does.
	Expression *regexp.Regexp
	// Sources are the identity sources. A request that lacks one is refused without a call.
	Sources []Source
	// Simple says that {"isAuthorized": ...} is an answer. A policy always is one.
	Simple bool
	// TTL is how long answers are kept; 0: they are not.
	TTL time.Duration
	Now func() time.Time // default time.Now
}

// NewExpression makes a validation expression, which tokens match as a whole.
func NewExpression(text string) (*regexp.Regexp, error) {
	e, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil, fmt.Errorf("validation expression: %w", err)
	}
	return e, nil
}

// A Lambda asks a function who may call. Its answer is kept for the same identity at the same
// ARN, which names the API, the stage, the method and the path. AWS keeps it for all routes of
// an API; a function that decided for one path would then have decided for others.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
type Lambda struct {
	LambdaConfig
	kept   *lru.Cache[key, keptAnswer]
	ctx    context.Context // of the calls; Close ends it
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex          // guards what follows
	calls  map[key]*lambdaCall // those that run, for others to wait for
	closed bool
}

type key [sha256.Size]byte

type keptAnswer struct {
	*answer
	until time.Time
}

// A lambdaCall is a call that several requests wait for.
type lambdaCall struct {
	done   chan struct{} // closed when answer and err are set
	answer *answer
	err    error
}

// NewLambda makes an authorizer. Close ends it.
func NewLambda(c LambdaConfig) (*Lambda, error) {
	switch {
	case c.TTL < 0 || c.TTL > MaxTTL:
		return nil, fmt.Errorf("answers are kept for 0 to %s, not %s", MaxTTL, c.TTL)
	case c.TTL > 0 && len(c.Sources) == 0:
		return nil, errors.New("answers are kept by identity sources, and there are none: name one, or keep no answers")
	case c.Token && len(c.Sources) != 1:
		return nil, errors.New("an authorizer that gets the token alone has one identity source")
	case c.Expression != nil && !c.Token:
		return nil, errors.New("a validation expression is for authorizers that get the token alone")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	kept, err := lru.New[key, keptAnswer](maxKept)
	if err != nil {
		return nil, err
	}
	l := &Lambda{LambdaConfig: c, kept: kept, calls: make(map[key]*lambdaCall)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Close waits for the calls that others may wait for, up to drainWithin, and ends them.
// Requests that come later ask each for itself.
func (l *Lambda) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	drained := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(drained)
	}()
	timer := time.NewTimer(drainWithin)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	}
	l.cancel()
	<-drained
}

// A Question is what a Lambda authorizer is told of a request beside the request itself.
type Question struct {
	// Route makes the event. It is prepared, in the authorizer's payload format.
	Route *apigateway.Route
	// Context is that of the event.
	Context *apigateway.Context
	// Path is the request's path without the stage, with its percent-encoding.
	Path string
	// Region is in ARNs.
	Region string
	REST   bool
	// ARN and Event, if set, are in place of what the request's path makes: of a client that
	// connects to a WebSocket API.
	ARN   string
	Event func(arn string) []byte
}

// Authorize asks who calls, or knows it. The error is a *Denial.
func (l *Lambda) Authorize(r *http.Request, q *Question) (*Grant, error) {
	identity := make([]string, len(l.Sources))
	var given []string // all that the sources have, in the key of the answer
	size := 0
	for n, s := range l.Sources {
		values := s.values(r, q)
		if identity[n] = q.identityOf(values); identity[n] == "" {
			return nil, unauthorized("", "the identity source %d of the authorizer is missing", n+1)
		}
		given = append(append(given, strconv.Itoa(len(values))), values...)
		for _, value := range values {
			size += len(value) + 1
		}
	}
	if size > maxIdentity {
		return nil, unauthorized("", "the identity has %d bytes, %d at most", size, maxIdentity)
	}
	if l.Expression != nil && !l.Expression.MatchString(identity[0]) {
		return nil, unauthorized("", "the token does not match the validation expression")
	}
	arns := q.arns(r)
	a, err := l.ask(r, q, identity, given, arns)
	if err != nil {
		return nil, denialOf(err)
	}
	return a.decide(arns, func() *iam.Request { return q.conditions(r, l.Now()) })
}

// denialOf is what a client is told when the function gives no answer. A function that fails
// with the word Unauthorized answers 401.
func denialOf(err error) *Denial {
	var failed *FunctionError
	if errors.As(err, &failed) {
		var of struct {
			Message string `json:"errorMessage"`
		}
		if json.Unmarshal(failed.Payload, &of) == nil && of.Message == "Unauthorized" {
			return &Denial{Status: http.StatusUnauthorized, Reason: err}
		}
	}
	return &Denial{Status: http.StatusInternalServerError, Reason: err}
}

// ask returns the function's answer: one that was kept, that of a call that runs, or a new one.
func (l *Lambda) ask(r *http.Request, q *Question, identity, given, arns []string) (*answer, error) {
	var k key
	if l.TTL > 0 {
		k = keyOf(given, arns[0], q)
		if kept, ok := l.kept.Get(k); ok && l.Now().Before(kept.until) {
			return kept.answer, nil
		}
		if c := l.running(k); c != nil {
			return c.wait(r.Context())
		}
	}
	event, err := l.event(r, q, identity, arns[0])
	if err != nil {
		return nil, err
	}
	if l.TTL > 0 {
		if c := l.begin(k, event, q.texts()); c != nil {
			return c.wait(r.Context())
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	return l.call(ctx, event, q.texts())
}

func (c *lambdaCall) wait(ctx context.Context) (*answer, error) {
	select {
	case <-c.done:
		return c.answer, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// running is the call that runs for a key, nil if none does.
func (l *Lambda) running(k key) *lambdaCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[k]
}

// begin begins a call for a key, unless one has begun meanwhile. It goes on without the client
// that began it: others wait for it. nil: the authorizer is closed.
func (l *Lambda) begin(k key, event []byte, texts bool) *lambdaCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.calls[k]; c != nil || l.closed {
		return c
	}
	c := &lambdaCall{done: make(chan struct{})}
	l.calls[k] = c
	l.wg.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, answerWithin)
		defer cancel()
		c.answer, c.err = l.call(ctx, event, texts)
		if c.err == nil {
			l.kept.Add(k, keptAnswer{c.answer, l.Now().Add(l.TTL)})
		}
		l.mu.Lock()
		delete(l.calls, k)
		l.mu.Unlock()
		close(c.done)
	})
	return c
}

func (l *Lambda) event(r *http.Request, q *Question, identity []string, arn string) ([]byte, error) {
	if q.Event != nil {
		return q.Event(arn), nil
	}
	if l.Token {
		return apigateway.AppendTokenEvent(nil, identity[0], arn), nil
	}
	return q.Route.AppendAuthorizerEvent(nil, r, q.Context, &apigateway.AuthorizerQuestion{ARN: arn, Identity: identity, REST: q.REST})
}

func (l *Lambda) call(ctx context.Context, event []byte, texts bool) (*answer, error) {
	payload, err := l.Invoke(ctx, event)
	if err != nil {
		return nil, err
	}
	return parseAnswer(payload, l.Simple, texts)
}

// keyOf names what identity sources have at an ARN.
func keyOf(given []string, arn string, q *Question) (k key) {
	h := sha256.New()
	var size [8]byte
	for _, part := range append([]string{arn, q.Route.Key}, given...) {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	h.Sum(k[:0])
	return k
}
