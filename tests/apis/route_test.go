package apis

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// echo answers with the parts of its event that tests look at.
const echo = `exports.handler = async (e) => {
  if (e.queryStringParameters?.fail) throw new Error('as asked');
  if (e.queryStringParameters?.slow) await new Promise(done => setTimeout(done, 60000));
  return { statusCode: 200, headers: { 'content-type': 'application/json', 'access-control-allow-origin': 'https://own.example' },
    body: JSON.stringify({ name: process.env.AWS_LAMBDA_FUNCTION_NAME, event: e }) };
}`

// An answer is what echo says.
type answer struct {
	Name  string
	Event struct {
		Version, RouteKey, Resource, Path, RawPath string
		PathParameters, StageVariables             map[string]string
		RequestContext                             struct {
			APIID, Stage, RouteKey, ResourcePath, Path string
			HTTP                                       struct{ Method, Path string }
			Authorizer                                 json.RawMessage
		}
	}
}

func read(t *testing.T, r harness.Response) (a answer) {
	t.Helper()
	if r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r.Body)
		return a
	}
	if err := json.Unmarshal([]byte(r.Body), &a); err != nil {
		t.Errorf("%s: %v", r.Body, err)
	}
	return a
}

// functions makes functions of that code, by their names.
func functions(s *harness.Server, names ...string) string {
	dir := s.Code("echo", map[string]string{"index.js": echo})
	var text strings.Builder
	for _, name := range names {
		text.WriteString(harness.NodeFunction(name, dir, ""))
	}
	return text.String()
}

func TestAnHTTPAPIRoutesByTheMostSpecificRoute(t *testing.T) {
	harness.Parallel(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s of %s", r.Method, r.RequestURI, r.Header.Get("X-Shop"))
	}))
	t.Cleanup(upstream.Close)
	s := harness.NewServer(t, "", "")
	s.Configure(functions(s, "items", "files", "web"), fmt.Sprintf(`api shop {
	stage live
	stage_variable table items
	default web
	GET /items items
	GET /files/{path} files
	ANY /files/* web {
		payload 1.0
	}
	GET /feed/{proxy+} %[1]s
	ANY /moved/{id}/{proxy+} %[1]s/to/{id}/x/{proxy} {
		reverse_proxy {
			header_up X-Shop {http.hearth.path.id}
		}
	}
}`, upstream.URL))
	s.Start()
	for path, want := range map[string]struct{ name, key, parameters string }{
		"/items":        {"items", "GET /items", "{}"},
		"/":             {"web", "$default", "{}"},
		"/items/1":      {"web", "$default", "{}"},
		"/files/a%2Fb":  {"files", "GET /files/{path}", `{"path":"a/b"}`},
		"/files/a%3F/b": {"web", "ANY /files/{proxy+}", `{"proxy":"a%3F/b"}`},
	} {
		got := read(t, s.Get(path))
		if got.Name != want.name {
			t.Errorf("%s went to %q, want %q", path, got.Name, want.name)
		}
		parameters, _ := json.Marshal(got.Event.PathParameters)
		if want.parameters == "{}" {
			want.parameters = "null"
		}
		if string(parameters) != want.parameters {
			t.Errorf("%s: parameters %s, want %s", path, parameters, want.parameters)
		}
		context := got.Event.RequestContext
		if context.APIID != "shop" || context.Stage != "live" || got.Event.StageVariables["table"] != "items" {
			t.Errorf("%s: %+v", path, got.Event)
		}
		if strings.HasPrefix(want.key, "ANY") { // payload 1.0
			if got.Event.Version != "" && got.Event.Version != "1.0" || "ANY "+got.Event.Resource != want.key {
				t.Errorf("%s: %+v", path, got.Event)
			}
		} else if got.Event.RouteKey != want.key || context.RouteKey != want.key || got.Event.Version != "2.0" {
			t.Errorf("%s: route %q of version %s, want %q", path, got.Event.RouteKey, got.Event.Version, want.key)
		}
	}
	s.Get("/feed/a%2Fb/c?q=1").Want(t, 200, "GET /feed/a%2Fb/c?q=1 of ")
	for _, path := range []string{"/feed/../items", "/feed/%2e%2e/items", "/feed/x%2f..%2f..%2fitems"} {
		s.Get(path).Want(t, 400, `{"message":"Bad Request"}`)
	}
	s.Do(s.Request("PUT", "/moved/7/a%20b/c?q=1", strings.NewReader("x"))).Want(t, 200, "PUT /to/7/x/a%20b/c?q=1 of 7")
}

func TestAPIsRefuseAsAPIGatewayDoes(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("echo", map[string]string{"index.js": echo})
	s.Configure(harness.NodeFunction("f", dir, "timeout 3s"), `handle /2015-03-31/* {
	lambda_api
}
handle /http/* {
	api web {
		GET /http/f f
		GET /http/none absent
		GET /http/one f {
			throttle 0.001 burst 1
		}
	}
}
handle {
	api old rest {
		GET /rest/f f
		GET /rest/one f {
			throttle 0.001
		}
	}
}`)
	s.Start()
	for _, test := range []struct {
		path   string
		status int
		body   string
		kind   string
	}{
		{"/http/f", 200, "", ""},
		{"/http/f/", 404, `{"message":"Not Found"}`, ""},
		{"/http/f?fail=1", 500, `{"message":"Internal Server Error"}`, ""},
		{"/http/f?slow=1", 503, `{"message":"Service Unavailable"}`, ""},
		{"/http/none", 500, `{"message":"Internal Server Error"}`, ""},
		{"/http/one", 200, "", ""},
		{"/http/one", 429, `{"message":"Too Many Requests"}`, ""},
		{"/rest/f", 200, "", ""},
		{"/rest/f/", 200, "", ""},
		{"/rest/g", 403, `{"message":"Missing Authentication Token"}`, "MissingAuthenticationTokenException"},
		{"/rest/f?fail=1", 502, `{"message": "Internal server error"}`, "InternalServerErrorException"},
		{"/rest/f?slow=1", 504, `{"message": "Endpoint request timed out"}`, "InternalServerErrorException"},
		{"/rest/one", 200, "", ""},
		{"/rest/one", 429, `{"message":"Too Many Requests"}`, "TooManyRequestsException"},
	} {
		got := s.Get(test.path)
		if got.Status != test.status || test.body != "" && got.Body != test.body || got.Header.Get("X-Amzn-Errortype") != test.kind {
			t.Errorf("%s: %d %s %s, want %+v", test.path, got.Status, got.Header.Get("X-Amzn-Errortype"), got.Body, test)
		}
		if got.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: an answer without a request ID", test.path)
		}
	}
	post := s.Do(s.Request("POST", "/rest/f", nil))
	post.Want(t, 403, "Missing Authentication Token")
	got := read(t, s.Get("/rest/f/"))
	if c := got.Event.RequestContext; got.Event.Path != "/rest/f/" || got.Event.Resource != "/rest/f" || c.Stage != "prod" || c.ResourcePath != "/rest/f" || c.APIID != "old" {
		t.Errorf("%+v", got.Event)
	}
}

func TestTheGatewayAnswersBrowsers(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	s.Configure(functions(s, "f"), `api shop {
	cors https://www.example.com {
		max_age 10m
	}
	GET /f f
}`)
	s.Start()
	from := func(method, path, origin string) harness.Response {
		r := s.Request(method, path, nil)
		r.Header.Set("Origin", origin)
		if method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "GET")
		}
		return s.Do(r)
	}
	preflight := from("OPTIONS", "/f", "https://www.example.com")
	if preflight.Status != http.StatusNoContent || preflight.Header.Get("Access-Control-Max-Age") != "600" ||
		preflight.Header.Get("Access-Control-Allow-Methods") != "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS" ||
		!strings.Contains(preflight.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", preflight.Status, preflight.Header)
	}
	for origin, want := range map[string]string{"https://www.example.com": "https://www.example.com", "https://evil.example": ""} {
		for _, path := range []string{"/f", "/f?fail=1", "/none"} {
			if got := from("GET", path, origin).Header["Access-Control-Allow-Origin"]; strings.Join(got, "") != want {
				t.Errorf("%s from %s: %q, want %q", path, origin, got, want)
			}
		}
	}
}
