package apis

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// guard answers by what the caller says of itself, and how often it was asked.
const guard = `let asked = 0;
exports.handler = async (e) => {
  const who = e.authorizationToken ?? e.identitySource?.[0] ?? e.headers['X-User'] ?? e.headers['x-user'];
  if (who === 'fail') throw new Error('as asked');
  if (who === 'nobody') throw 'Unauthorized';
  if (e.version === '2.0') return { isAuthorized: who !== 'thief', context: { who, asked: ++asked, id: e.requestContext.requestId } };
  return { principalId: who, context: { asked: ++asked }, policyDocument: { Version: '2012-10-17', Statement: [
    { Effect: who === 'thief' ? 'Deny' : 'Allow', Action: 'execute-api:Invoke', Resource: who === 'guest' ? e.methodArn + 'x' : e.methodArn } ] } };
};`

func TestAFunctionSaysWhoMayCall(t *testing.T) {
	harness.Parallel(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("upstream"))
	}))
	t.Cleanup(upstream.Close)
	s := harness.NewServer(t, "", "")
	s.Configure(functions(s, "f")+harness.NodeFunction("guard", s.Code("guard", map[string]string{"index.js": guard}), "")+`authorizer simple lambda guard {
	identity_source $request.header.X-User
}
authorizer fresh lambda guard {
	identity_source $request.header.X-User
	payload 1.0
	cache off
}
authorizer tokens lambda guard {
	token "[a-z ]+"
}
authorizer absent lambda none {
	identity_source $request.header.X-User
}
`, `handle /2015-03-31/* {
	lambda_api
}
handle /http/* {
	api web {
		GET /http/simple/{id} f {
			authorizer simple
		}
		GET /http/old f {
			payload 1.0
			authorizer fresh
		}
		GET /http/up `+upstream.URL+` {
			authorizer simple
		}
		GET /http/absent f {
			authorizer absent
		}
		GET /http/signed `+upstream.URL+` {
			iam
		}
	}
}
handle {
	api old rest {
		GET /rest/request f {
			authorizer fresh
		}
		GET /rest/token f {
			authorizer tokens
		}
		GET /rest/signed f {
			iam
		}
	}
}`)
	s.Start()
	get := func(path, who string) harness.Response {
		r := s.Request("GET", path, nil)
		if who != "" {
			r.Header.Set("X-User", who)
			r.Header.Set("Authorization", who)
		}
		return s.Do(r)
	}
	const deny = `{"Message":"User is not authorized to access this resource with an explicit deny"}`
	for _, test := range []struct {
		path, who string
		status    int
		body      string
		kind      string
	}{
		{"/http/simple/1", "", 401, `{"message":"Unauthorized"}`, ""},
		{"/http/simple/1", "thief", 403, `{"message":"Forbidden"}`, ""},
		{"/http/simple/1", "nobody", 401, `{"message":"Unauthorized"}`, ""},
		{"/http/simple/1", "fail", 500, `{"message":"Internal Server Error"}`, ""},
		{"/http/simple/1", strings.Repeat("x", 1<<20), 431, "431 Request Header Fields Too Large", ""}, // by the server itself
		{"/http/old", "guest", 403, `{"message":"Forbidden"}`, ""},
		{"/http/up", "thief", 403, `{"message":"Forbidden"}`, ""},
		{"/http/up", "me", 200, "upstream", ""},
		{"/http/absent", "me", 500, `{"message":"Internal Server Error"}`, ""},
		{"/http/signed", "me", 403, `{"message":"Forbidden"}`, ""},
		{"/rest/request", "", 401, `{"message":"Unauthorized"}`, "UnauthorizedException"},
		{"/rest/request", "thief", 403, deny, "AccessDeniedException"},
		{"/rest/request", "guest", 403, `{"Message":"User is not authorized to access this resource"}`, "AccessDeniedException"},
		{"/rest/request", "fail", 500, `{"message":null}`, "AuthorizerConfigurationException"},
		{"/rest/token", "UPPER", 401, `{"message":"Unauthorized"}`, "UnauthorizedException"},
		{"/rest/token", "thief", 403, deny, "AccessDeniedException"},
		{"/rest/signed", "", 403, `{"message":"Missing Authentication Token"}`, "MissingAuthenticationTokenException"},
	} {
		got := get(test.path, test.who)
		if got.Status != test.status || got.Body != test.body || got.Header.Get("X-Amzn-Errortype") != test.kind {
			t.Errorf("%s by %.20q: %d %s %s, want %+v", test.path, test.who, got.Status, got.Header.Get("X-Amzn-Errortype"), got.Body, test)
		}
	}
	type authorizer struct {
		Lambda struct {
			Who   string
			Asked int
			ID    string
		}
		PrincipalID, Asked string
	}
	var last string // request ID
	told := func(path string) (a authorizer) {
		t.Helper()
		got := get(path, "me")
		last = got.Header.Get("X-Amzn-Requestid")
		answer := read(t, got)
		if err := json.Unmarshal(answer.Event.RequestContext.Authorizer, &a); err != nil {
			t.Errorf("%s: %s: %v", path, answer.Event.RequestContext.Authorizer, err)
		}
		return a
	}
	first := told("/http/simple/1")
	if first.Lambda.ID != last || last == "" {
		t.Errorf("the function that decides is told of the request %q, the client of %q", first.Lambda.ID, last)
	}
	if first.Lambda.Who != "me" || told("/http/simple/1") != first {
		t.Errorf("%+v: the answer is not kept", first)
	}
	if other := told("/http/simple/2"); other.Lambda.Asked == first.Lambda.Asked {
		t.Errorf("%+v: the answer counts for another path", other)
	}
	if a, b := told("/http/old"), told("/http/old"); a.PrincipalID != "me" || a.Asked == "" || a == b {
		t.Errorf("%+v, %+v", a, b)
	}
	if a, b := told("/rest/token"), told("/rest/token"); a.PrincipalID != "me" || a != b {
		t.Errorf("%+v, %+v", a, b)
	}
}
