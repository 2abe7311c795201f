package authorizer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

// An asked is a Lambda authorizer whose function answers what the test says.
type asked struct {
	*Lambda
	answer func(event string) (string, error)
	calls  atomic.Int32
	last   atomic.Pointer[string]
	now    atomic.Int64
}

const (
	yes       = `{"isAuthorized":true,"context":{"n":1,"s":"x","b":true,"o":{"k": [1]},"z":null}}`
	no        = `{"isAuthorized":false}`
	allPolicy = `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"*"}]},"context":{"n":1,"s":"x"}}`
)

func newAsked(t *testing.T, c LambdaConfig, answer string) *asked {
	t.Helper()
	a := &asked{answer: func(string) (string, error) { return answer, nil }}
	c.Invoke = func(_ context.Context, event []byte) ([]byte, error) {
		a.calls.Add(1)
		text := string(event)
		a.last.Store(&text)
		answer, err := a.answer(text)
		return []byte(answer), err
	}
	c.Now = func() time.Time { return time.Unix(1_700_000_000+a.now.Load(), 0) }
	if c.Sources == nil {
		s, _ := ParseSource("$request.header.Authorization")
		c.Sources = []Source{s}
	}
	var err error
	if a.Lambda, err = NewLambda(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// question is that of a request to a route of an API.
func question(t *testing.T, rest bool, payload apigateway.Payload, key, path string) *Question {
	t.Helper()
	route := &apigateway.Route{Payload: payload, Key: key, Stage: "live", APIID: "shop", StageVariables: map[string]string{"tenant": "t1"}}
	if err := route.Prepare(); err != nil {
		t.Fatal(err)
	}
	return &Question{Route: route, Context: &apigateway.Context{RequestID: "id", SourceIP: "192.0.2.1"}, Path: path, Region: "us-east-1", REST: rest}
}

func (a *asked) ask(t *testing.T, q *Question, header ...string) (*Grant, error) {
	t.Helper()
	r := httptest.NewRequest("GET", "http://shop.example.com"+q.Path, nil)
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	return a.Authorize(r, q)
}

func TestAnswersOfFunctions(t *testing.T) {
	failed := func(payload string) func(string) (string, error) {
		return func(string) (string, error) { return "", &FunctionError{[]byte(payload)} }
	}
	says := func(answer string) func(string) (string, error) {
		return func(string) (string, error) { return answer, nil }
	}
	policyOf := func(effect string) string {
		return strings.Replace(allPolicy, `"Allow"`, `"`+effect+`"`, 1)
	}
	for _, test := range []struct {
		name     string
		rest     bool
		payload  apigateway.Payload
		simple   bool
		answer   func(string) (string, error)
		status   int
		explicit bool
		v2, v1   string
	}{
		{name: "yes", payload: apigateway.V2, simple: true, answer: says(yes),
			v2: `{"lambda":{"b":true,"n":1,"o":{"k":[1]},"s":"x","z":null}}`, v1: `{"b":"true","n":"1","o":"{\"k\":[1]}","s":"x","z":null}`},
		{name: "yes without a context", payload: apigateway.V2, simple: true, answer: says(`{"isAuthorized":true}`), v2: `{"lambda":null}`, v1: `{}`},
		{name: "no", payload: apigateway.V2, simple: true, answer: says(no), status: 403},
		{name: "yes where a policy is asked for", payload: apigateway.V2, answer: says(yes), status: 500},
		{name: "a policy", payload: apigateway.V1, answer: says(allPolicy), v2: `{"lambda":{"n":1,"s":"x"}}`, v1: `{"principalId":"me","n":"1","s":"x"}`},
		{name: "a policy of 2.0", payload: apigateway.V2, simple: true, answer: says(allPolicy), v1: `{"principalId":"me","n":"1","s":"x"}`},
		{name: "a policy of REST", rest: true, payload: apigateway.V1, answer: says(allPolicy), v1: `{"principalId":"me","n":"1","s":"x"}`},
		{name: "Deny", rest: true, payload: apigateway.V1, answer: says(policyOf("Deny")), status: 403, explicit: true},
		{name: "nothing allowed", rest: true, payload: apigateway.V1, answer: says(strings.Replace(allPolicy, `"*"`, `"arn:x"`, 1)), status: 403},
		{name: "no principal", rest: true, payload: apigateway.V1, answer: says(strings.Replace(allPolicy, `"me"`, `""`, 1)), status: 500},
		{name: "an object in the context", rest: true, payload: apigateway.V1, answer: says(strings.Replace(allPolicy, `"n":1`, `"n":{}`, 1)), status: 500},
		{name: "no JSON", payload: apigateway.V2, simple: true, answer: says(`yes`), status: 500},
		{name: "null", payload: apigateway.V2, simple: true, answer: says(`null`), status: 500},
		{name: "a word for yes", payload: apigateway.V2, simple: true, answer: says(`{"isAuthorized":"true"}`), status: 500},
		{name: "an answer too long", payload: apigateway.V2, simple: true, answer: says(`{"isAuthorized":true,"context":{"a":"` + strings.Repeat("x", maxAnswer) + `"}}`), status: 500},
		{name: "a condition", payload: apigateway.V1, answer: says(strings.Replace(allPolicy, `"Effect"`, `"Condition":{"Like":{"a":"b"}},"Effect"`, 1)), status: 500},
		{name: "an error", payload: apigateway.V2, answer: failed(`{"errorMessage":"boom"}`), status: 500},
		{name: "Unauthorized", rest: true, payload: apigateway.V1, answer: failed(`{"errorMessage":"Unauthorized","errorType":"Error"}`), status: 401},
		{name: "no such function", payload: apigateway.V2, answer: func(string) (string, error) { return "", errors.New("not found") }, status: 500},
	} {
		a := newAsked(t, LambdaConfig{Simple: test.simple, TTL: time.Minute}, "")
		a.answer = test.answer
		grant, err := a.ask(t, question(t, test.rest, test.payload, "GET /items", "/items"), "Authorization", "me")
		if test.status == 0 {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			} else if test.v2 != "" && string(grant.V2) != test.v2 || string(grant.V1) != test.v1 {
				t.Errorf("%s: %s and %s", test.name, grant.V2, grant.V1)
			}
			continue
		}
		var d *Denial
		if !errors.As(err, &d) || d.Status != test.status || d.Explicit != test.explicit || d.Policy != (test.status == 403) || grant != nil {
			t.Errorf("%s: %v %+v, want %d", test.name, grant, err, test.status)
		}
	}
}

func TestTheFunctionIsAskedAsByAPIGateway(t *testing.T) {
	type event struct {
		Version, Type, RouteArn, MethodArn, AuthorizationToken, RouteKey, Resource, HTTPMethod string
		IdentitySource                                                                         any
		Headers, PathParameters, StageVariables, QueryStringParameters                         map[string]string
		RequestContext                                                                         struct{ APIID, Stage string }
		Body, IsBase64Encoded                                                                  any
	}
	sources := func(texts ...string) (list []Source) {
		for _, text := range texts {
			s, err := ParseLambdaSource(text)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
		}
		return list
	}
	told := func(a *asked, q *Question) (e event) {
		t.Helper()
		if _, err := a.ask(t, q, "X-User", "me", "Authorization", "Bearer x"); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(*a.last.Load()), &e); err != nil {
			t.Fatalf("%s: %v", *a.last.Load(), err)
		}
		if e.Body != nil || e.IsBase64Encoded != nil || strings.Contains(*a.last.Load(), "ody") {
			t.Errorf("the event has a body: %s", *a.last.Load())
		}
		return e
	}
	const arn = "arn:aws:execute-api:us-east-1:000000000000:shop/live/GET/items/7"
	two := newAsked(t, LambdaConfig{Simple: true, Sources: sources("$request.header.x-user", "$stageVariables.tenant", "$context.routeKey")}, yes)
	e := told(two, question(t, false, apigateway.V2, "GET /items/{id}", "/items/7"))
	if identity, _ := json.Marshal(e.IdentitySource); string(identity) != `["me","t1","GET /items/{id}"]` || e.Version != "2.0" || e.Type != "REQUEST" ||
		e.RouteArn != arn || e.RouteKey != "GET /items/{id}" || e.PathParameters["id"] != "7" || e.RequestContext.APIID != "shop" || e.StageVariables["tenant"] != "t1" {
		t.Errorf("%s", *two.last.Load())
	}
	one := newAsked(t, LambdaConfig{Sources: sources("$request.header.x-user", "$request.header.authorization")}, allPolicy)
	e = told(one, question(t, false, apigateway.V1, "GET /items/{id}", "/items/7"))
	if e.Version != "1.0" || e.Type != "REQUEST" || e.MethodArn != arn || e.IdentitySource != "me,Bearer x" || e.AuthorizationToken != "me,Bearer x" || e.Resource != "/items/{id}" {
		t.Errorf("%s", *one.last.Load())
	}
	rest := newAsked(t, LambdaConfig{Sources: sources("method.request.header.X-User")}, allPolicy)
	e = told(rest, question(t, true, apigateway.V1, "GET /items/{id}", "/items/7/"))
	if e.Version != "" || e.Type != "REQUEST" || e.MethodArn != arn || e.IdentitySource != nil || e.Headers["X-User"] != "me" || e.HTTPMethod != "GET" {
		t.Errorf("%s", *rest.last.Load())
	}
	expression, err := NewExpression(`Bearer [a-z]+`)
	if err != nil {
		t.Fatal(err)
	}
	token := newAsked(t, LambdaConfig{Token: true, Expression: expression}, allPolicy)
	told(token, question(t, true, apigateway.V1, "GET /items/{id}", "/items/7"))
	if got := *token.last.Load(); got != `{"type":"TOKEN","methodArn":"`+arn+`","authorizationToken":"Bearer x"}` {
		t.Error(got)
	}
	for _, wrong := range []string{"x", "Bearer 7", "Bearer x ", "", strings.Repeat("a", 1<<20)} {
		if _, err := token.ask(t, question(t, true, apigateway.V1, "GET /items", "/items"), "Authorization", wrong); denialStatus(err) != http.StatusUnauthorized {
			t.Errorf("%.20q: %v", wrong, err)
		}
	}
	if n := token.calls.Load(); n != 1 {
		t.Errorf("%d calls for tokens that do not match", n-1)
	}
}

func denialStatus(err error) int {
	var d *Denial
	if !errors.As(err, &d) {
		return 0
	}
	return d.Status
}

func TestAnswersAreKeptForTheSameIdentityAtTheSamePath(t *testing.T) {
	a := newAsked(t, LambdaConfig{Simple: true, TTL: time.Minute}, yes)
	items, other := question(t, false, apigateway.V2, "GET /{proxy+}", "/items"), question(t, false, apigateway.V2, "GET /{proxy+}", "/other")
	want := func(calls int, q *Question, identity string, status int) {
		t.Helper()
		if _, err := a.ask(t, q, "Authorization", identity); denialStatus(err) != status {
			t.Errorf("%v, want %d", err, status)
		}
		if n := int(a.calls.Load()); n != calls {
			t.Errorf("%d calls, want %d", n, calls)
		}
	}
	want(1, items, "me", 0)
	want(1, items, "me", 0)
	a.answer = func(string) (string, error) { return no, nil }
	want(2, other, "me", 403) // another path is another question
	want(2, items, "me", 0)
	want(3, items, "you", 403)
	want(3, items, "you", 403)
	want(3, items, "", 401)
	a.now.Store(60)
	want(4, items, "me", 403)
	// Errors are not kept.
	a.answer = func(string) (string, error) { return "", errors.New("away") }
	want(5, items, "they", 500)
	want(6, items, "they", 500)
	// Neither is anything without a TTL.
	a = newAsked(t, LambdaConfig{Simple: true}, yes)
	want(1, items, "me", 0)
	want(2, items, "me", 0)
}

// A second header is part of the identity: the function may look at it, and its answer must not
// count for requests without it.
func TestAnAnswerCountsForTheWholeIdentity(t *testing.T) {
	var sources []Source
	for _, text := range []string{"$request.header.X-User", "$request.querystring.t", "$request.header.X-Forwarded-For", "$request.header.host"} {
		s, err := ParseLambdaSource(text)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, s)
	}
	for _, rest := range []bool{false, true} {
		payload, answer := apigateway.V2, yes
		if rest {
			payload, answer = apigateway.V1, allPolicy
		}
		a := newAsked(t, LambdaConfig{Simple: !rest, TTL: time.Minute, Sources: sources}, answer)
		q := question(t, rest, payload, "GET /items", "/items")
		calls := int32(0)
		for _, test := range []struct {
			users       []string
			query, want string
		}{
			{[]string{"bob"}, "t=1", `["bob","1","192.0.2.1","shop.example.com"]`},
			{[]string{"bob", "eve"}, "t=1", `["bob,eve","1","192.0.2.1","shop.example.com"]`},
			{[]string{"eve", "bob"}, "t=1", `["eve,bob","1","192.0.2.1","shop.example.com"]`},
			{[]string{"bob"}, "t=1&t=2", `["bob","1,2","192.0.2.1","shop.example.com"]`},
			{[]string{"bob"}, "t=1&t=2;x", `["bob","1,2;x","192.0.2.1","shop.example.com"]`},
			{[]string{"bob,eve"}, "t=1", `["bob,eve","1","192.0.2.1","shop.example.com"]`},
		} {
			for range 2 {
				r := httptest.NewRequest("GET", "http://shop.example.com/items?"+test.query, nil)
				r.Header["X-User"] = test.users
				r.Header.Set("X-Forwarded-For", "203.0.113.9") // what a client claims
				if _, err := a.Authorize(r, q); err != nil {
					t.Fatal(err)
				}
			}
			if calls++; a.calls.Load() != calls {
				t.Errorf("%+v: %d calls, want %d", test, a.calls.Load(), calls)
			}
			if !rest && !strings.Contains(*a.last.Load(), `"identitySource":`+test.want) {
				t.Errorf("%s, want %s", *a.last.Load(), test.want)
			}
		}
	}
	if _, err := ParseLambdaSource("$request.header.X-Forwarded-Proto"); err == nil {
		t.Error("a header that the gateway sets is taken for an identity")
	}
}

func TestManyRequestsWaitForOneAnswer(t *testing.T) {
	a := newAsked(t, LambdaConfig{Simple: true, TTL: time.Minute}, yes)
	begun, end := make(chan struct{}), make(chan struct{})
	a.answer = func(string) (string, error) {
		close(begun)
		<-end
		return yes, nil
	}
	q := question(t, false, apigateway.V2, "GET /items", "/items")
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		r := httptest.NewRequest("GET", "/items", nil).WithContext(ctx)
		r.Header.Set("Authorization", "me")
		_, err := a.Authorize(r, q)
		left <- err
	}()
	<-begun
	var others sync.WaitGroup
	for range 20 {
		others.Go(func() {
			if _, err := a.ask(t, q, "Authorization", "me"); err != nil {
				t.Error(err)
			}
		})
	}
	cancel() // the client that began the call goes away
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(end)
	others.Wait()
	if n := a.calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
	a.Close()
	a.answer = func(string) (string, error) { return no, nil }
	if _, err := a.ask(t, q, "Authorization", "later"); denialStatus(err) != http.StatusForbidden {
		t.Errorf("after Close: %v", err)
	}
}

func TestLambdaConfigsThatCannotWorkAreRefused(t *testing.T) {
	s, _ := ParseSource("Authorization")
	e, _ := NewExpression("x")
	for _, test := range []struct {
		config LambdaConfig
		want   string
	}{
		{LambdaConfig{TTL: time.Minute}, "none: name one"},
		{LambdaConfig{TTL: 2 * time.Hour, Sources: []Source{s}}, "0 to 1h"},
		{LambdaConfig{Token: true}, "one identity source"},
		{LambdaConfig{Expression: e, Sources: []Source{s}}, "token alone"},
	} {
		if _, err := NewLambda(test.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.config, err, test.want)
		}
	}
	for _, wrong := range []string{"$context.requestId", "$context.", "$stageVariables.", "$request.body", ""} {
		if _, err := ParseLambdaSource(wrong); err == nil {
			t.Errorf("%q is taken for a source", wrong)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, seed := range []string{yes, no, allPolicy, `{"policyDocument":{"Statement":{"Effect":"Deny"}}}`} {
		f.Add([]byte(seed), true, true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, simple, texts bool) {
		a, err := parseAnswer(payload, simple, texts)
		if (a == nil) != (err != nil) {
			t.Fatalf("%v and %v", a, err)
		}
		if err == nil && (!json.Valid(a.grant.V1) || !json.Valid(a.grant.V2)) {
			t.Errorf("%s: %s %s", payload, a.grant.V1, a.grant.V2)
		}
	})
}
