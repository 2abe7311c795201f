package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
)

func routes(keys ...string) []gateway.Route {
	var all []gateway.Route
	for _, key := range keys {
		all = append(all, gateway.Route{Key: key})
	}
	return all
}

func TestTheMostSpecificRouteTakesARequest(t *testing.T) {
	// The first five are the example of AWS's documentation.
	keys := []string{
		"GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default",
		"POST /{kind}/{id}/photos", "POST /pets/{any+}", "ANY /both", "GET /both", "GET /", "GET /a b/é",
		"GET /{x}/b/c", "GET /lit/{y}/d", "DELETE /deep/{a}/{b}", "ANY /deep/{rest+}",
	}
	for _, test := range []struct{ method, path, http, rest string }{
		{"GET", "/pets/dog/1", "GET /pets/dog/1", "GET /pets/dog/1"},
		{"GET", "/pets/dog/2", "GET /pets/dog/{id}", "GET /pets/dog/{id}"},
		{"GET", "/pets/cat/1", "GET /pets/{proxy+}", "GET /pets/{proxy+}"},
		{"POST", "/test/5", "ANY /{proxy+}", "ANY /{proxy+}"},
		{"GET", "/", "GET /", "GET /"},
		{"POST", "/", "$default", ""},
		{"GET", "", "GET /", "GET /"},
		{"*", "*", "ANY /{proxy+}", "ANY /{proxy+}"},
		// The whole path before a longer beginning; a REST API goes by the tree.
		{"POST", "/pets/1/photos", "POST /{kind}/{id}/photos", "POST /pets/{any+}"},
		// The method before ANY, and ANY for the others.
		{"GET", "/both", "GET /both", "GET /both"},
		{"PUT", "/both", "ANY /both", "ANY /both"},
		// A path that there is only for another method.
		{"DELETE", "/pets/dog/1", "ANY /{proxy+}", ""},
		{"POST", "/deep/1/2", "ANY /deep/{rest+}", ""},
		{"DELETE", "/deep/1/2", "DELETE /deep/{a}/{b}", "DELETE /deep/{a}/{b}"},
		// One slash at the end.
		{"GET", "/pets/dog/1/", "GET /pets/{proxy+}", "GET /pets/dog/1"},
		{"GET", "/pets/", "ANY /{proxy+}", "ANY /{proxy+}"},
		// Words are compared without percent-encoding, and a coded slash is none.
		{"GET", "/a%20b/%C3%A9", "GET /a b/é", "GET /a b/é"},
		{"GET", "/pets/dog/a%2Fb", "GET /pets/dog/{id}", "GET /pets/dog/{id}"},
		{"GET", "/%zz/dog", "ANY /{proxy+}", "ANY /{proxy+}"},
		// A word that leads nowhere gives way to a parameter.
		{"GET", "/lit/b/c", "GET /{x}/b/c", "GET /{x}/b/c"},
		{"GET", "/lit/b/d", "GET /lit/{y}/d", "GET /lit/{y}/d"},
		// Parameters take something.
		{"GET", "/pets/dog//", "GET /pets/{proxy+}", "GET /pets/{proxy+}"},
	} {
		for protocol, want := range map[gateway.Protocol]string{gateway.HTTP: test.http, gateway.REST: test.rest} {
			of := routes(keys...)
			if protocol == gateway.REST {
				of = slices.DeleteFunc(of, func(r gateway.Route) bool { return r.Key == "$default" })
			}
			table, err := gateway.NewTable(protocol, of)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if n, ok := table.Find(test.method, test.path); ok {
				got = of[n].Key
			}
			if got != want {
				t.Errorf("%s: %s %s is taken by %q, want %q", protocol, test.method, test.path, got, want)
			}
		}
	}
}

func TestTwoRoutesForTheSameRequestsAreAnError(t *testing.T) {
	for _, test := range []struct{ one, other, want string }{
		{"GET /a", "GET /a", "there twice"},
		{"GET /{a}/x", "GET /{b}/x", `the same requests as route "GET /{a}/x"`},
		{"ANY /{a+}", "ANY /{b+}", "the same requests"},
		{"$default", "$default", "there twice"},
	} {
		_, err := gateway.NewTable(gateway.HTTP, routes(test.one, test.other))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s and %s: %v, want %q", test.one, test.other, err, test.want)
		}
	}
	if _, err := gateway.NewTable(gateway.HTTP, routes("GET /a", "POST /a", "ANY /a", "GET /a/{b}", "GET /a/{b+}")); err != nil {
		t.Error(err)
	}
}

func TestCheckNamesWhatIsWrongWithAnAPI(t *testing.T) {
	lambda := gateway.Integration{Type: gateway.Lambda, Function: "f"}
	for _, test := range []struct {
		api  gateway.API
		want string
	}{
		{gateway.API{Protocol: "SOAP"}, `protocol "SOAP"`},
		{gateway.API{Routes: []gateway.Route{{Key: "TRACE /", Integration: lambda}}}, "method TRACE"},
		{gateway.API{Routes: []gateway.Route{{Key: "GET /"}}}, `integration type ""`},
		{gateway.API{Routes: []gateway.Route{{Key: "GET /", Integration: gateway.Integration{Type: gateway.Lambda}}}}, "name of a function is missing"},
		{gateway.API{Protocol: gateway.REST, Routes: []gateway.Route{{Key: "$default", Integration: lambda}}}, "REST APIs have none"},
		{gateway.API{Protocol: gateway.REST, Routes: []gateway.Route{{Key: "GET /", Integration: gateway.Integration{Type: gateway.Lambda, Function: "f", Payload: apigateway.V2}}}}, "REST APIs have 1.0"},
		{gateway.API{Routes: []gateway.Route{{Key: "GET /", Integration: lambda, Throttle: &gateway.Throttle{Rate: -1}}}}, "throttle -1"},
		{gateway.API{Routes: []gateway.Route{{Key: "GET /", Integration: lambda, Authorization: gateway.Authorization{Scopes: []string{"a"}}}}}, "scopes without an authorizer"},
		{gateway.API{KeySource: "COOKIE"}, `API key source "COOKIE"`},
		{gateway.API{KeySource: gateway.KeyByAuthorizer, Routes: []gateway.Route{{Key: "GET /", Integration: lambda, UsagePlans: []string{"p"}}}}, "the authorizer gives the API key"},
		{gateway.API{Stages: []gateway.Stage{{Name: "s", AccessLog: &gateway.AccessLog{Format: "$context.x"}}}}, "no $context.x"},
		{gateway.API{Stages: []gateway.Stage{{Name: "a/b"}}}, `stage "a/b"`},
		{gateway.API{Cors: &gateway.Cors{AllowOrigins: []string{"example.com"}}}, `origin "example.com"`},
		{gateway.API{Cors: &gateway.Cors{AllowOrigins: []string{"https://*.example.com"}}}, `origin "https://*.example.com"`},
		{gateway.API{Cors: &gateway.Cors{AllowOrigins: []string{"https://www.example*"}}}, "no other star"},
		{gateway.API{Cors: &gateway.Cors{AllowOrigins: []string{"http*://www.example.com"}}}, "no other star"},
		{gateway.API{Cors: &gateway.Cors{AllowOrigins: []string{"*"}, AllowCredentials: true}}, "not for every origin"},
		{gateway.API{Cors: &gateway.Cors{MaxAge: 86401}}, "max_age 86401"},
		{gateway.API{Routes: []gateway.Route{{Key: "GET /" + strings.Repeat("a", 5000), Integration: lambda}}}, "longer than 4096"},
	} {
		err := test.api.Check()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.api, err, test.want)
		}
	}
}

func TestBrowsersAreToldWhatTheAPISays(t *testing.T) {
	cors := &gateway.Cors{
		AllowOrigins: []string{"https://www.example.com", "http://*"}, AllowMethods: []string{"GET", "POST"},
		AllowHeaders: []string{"X-A"}, ExposeHeaders: []string{"X-B"}, AllowCredentials: true, MaxAge: 60,
	}
	for _, test := range []struct {
		origin    string
		preflight bool
		want      map[string]string
	}{
		{"https://www.example.com", false, map[string]string{"Access-Control-Allow-Origin": "https://www.example.com", "Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "X-B"}},
		{"http://any.example", true, map[string]string{"Access-Control-Allow-Origin": "http://any.example", "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": "GET,POST", "Access-Control-Allow-Headers": "X-A", "Access-Control-Max-Age": "60"}},
		{"https://evil.example", true, nil},
		{"", false, nil},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		// What the function says gives way.
		h := http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Foo": {"x"}, "X-Own": {"stays"}}
		cors.Apply(h, r, test.preflight)
		if h.Get("Vary") != "Origin" || h.Get("X-Own") != "stays" {
			t.Errorf("%s: %v", test.origin, h)
		}
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") && h.Get(name) != test.want[name] {
				t.Errorf("%s: %s: %q, want %q", test.origin, name, h.Get(name), test.want[name])
			}
		}
		for name, value := range test.want {
			if h.Get(name) != value {
				t.Errorf("%s: %s: %q, want %q", test.origin, name, h.Get(name), value)
			}
		}
	}
}

// Functions of an HTTP API see %2F as a slash. It must not lead past the route, and so past the
// authorizer, of the path that they see.
func TestAnEncodedSlashDoesNotPassBeforeAMoreSpecificRoute(t *testing.T) {
	keys := []string{"ANY /admin", "ANY /admin/{proxy+}", "GET /files/{path}", "GET /files/a/secret", "ANY /{proxy+}", "$default"}
	table, err := gateway.NewTable(gateway.HTTP, routes(keys...))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/admin%2Fx": "ANY /admin/{proxy+}", "/admin%2fx/y": "ANY /admin/{proxy+}", "/%61dmin%2f%2Fx": "ANY /admin/{proxy+}",
		"/admin/a%2Fb": "ANY /admin/{proxy+}", "/other%2Fx": "ANY /{proxy+}", "/admin%252Fx": "ANY /{proxy+}",
		"/files/a%2Fb": "GET /files/{path}", "/files/a%2Fsecret": "GET /files/a/secret",
	} {
		n, _ := table.Find("GET", path)
		if keys[n] != want {
			t.Errorf("%s is taken by %q, want %q", path, keys[n], want)
		}
		_, pattern, err := apigateway.ParseKey(keys[n])
		if err != nil {
			t.Fatal(err)
		}
		if got := len(pattern.Match(nil, path)); got != len(pattern.Names()) {
			t.Errorf("%s of %q: %d parameters", path, keys[n], got)
		}
	}
}

// A path goes to the route that its own pattern matches, however it is written.
func FuzzFind(f *testing.F) {
	f.Add("GET /a/{b}", "ANY /{c+}", "/a/b")
	f.Add("$default", "POST /{x}/y/{z+}", "/%2F//y/")
	f.Add("GET /", "GET /{a+}", "")
	f.Add("GET /a/{b}", "GET /{a+}", "/a%2Fb")
	f.Add("GET /a b/{c}", "GET /{a+}", "/a%20b/1")
	f.Fuzz(func(t *testing.T, one, other, path string) {
		for _, protocol := range []gateway.Protocol{gateway.HTTP, gateway.REST} {
			of := routes(one, other)
			table, err := gateway.NewTable(protocol, of)
			if err != nil {
				return
			}
			n, ok := table.Find("GET", path)
			if !ok {
				continue
			}
			method, pattern, err := apigateway.ParseKey(of[n].Key)
			if err != nil {
				t.Fatal(err)
			}
			if method != "" && method != "GET" && method != "ANY" {
				t.Errorf("GET %q went to %q", path, of[n].Key)
			}
			if got := len(pattern.Match(nil, path)); got != len(pattern.Names()) {
				t.Errorf("%q of %q: %d parameters", path, of[n].Key, got)
			}
		}
	})
}

// 1,000 routes cost what 10 do.
func BenchmarkFind(b *testing.B) {
	for _, count := range []int{10, 1000} {
		b.Run(map[int]string{10: "10 routes", 1000: "1000 routes"}[count], func(b *testing.B) {
			var keys []string
			for n := range count {
				keys = append(keys, "GET /r"+strings.Repeat("x", n%7)+string(rune('a'+n%26))+"/"+strings.Repeat("y", n/26)+"/{id}")
			}
			keys = append(keys, "ANY /{proxy+}")
			table, err := gateway.NewTable(gateway.HTTP, routes(keys...))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := table.Find("GET", "/rxxxd//42"); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}
