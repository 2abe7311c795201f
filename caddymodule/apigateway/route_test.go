package apigateway_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

func TestPrepareNamesWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		route apigateway.Route
		want  string
	}{
		{apigateway.Route{Payload: "3.0"}, `payload "3.0"`},
		{apigateway.Route{Key: "/pets"}, `route "/pets": write $default`},
		{apigateway.Route{Key: "get /pets"}, `route "get /pets"`},
		{apigateway.Route{Key: "GET pets"}, `path "pets"`},
		{apigateway.Route{Key: "GET /pets/{id"}, `segment "{id"`},
		{apigateway.Route{Key: "GET /pets/x{id}"}, `segment "x{id}"`},
		{apigateway.Route{Key: "GET /pets/{}"}, `segment "{}"`},
		{apigateway.Route{Key: "GET /{all+}/pets"}, `comes last`},
		{apigateway.Route{Key: "GET /{id}/{id}"}, `comes twice`},
		{apigateway.Route{BinaryTypes: []string{"png"}}, `binary type "png"`},
	} {
		err := test.route.Prepare()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want one with %q", test.route, err, test.want)
		}
	}
}

func TestPathParametersAreTakenByTheRoute(t *testing.T) {
	for _, test := range []struct {
		key, path string
		want      map[string]string // decoded
	}{
		{"$default", "/a/b", nil},
		{"GET /pets", "/pets", nil},
		{"GET /pets/{id}", "/pets/12", map[string]string{"id": "12"}},
		{"GET /pets/{id}", "/pets/12/", map[string]string{"id": "12"}},
		{"GET /pets/{id}", "/pets/a%2Fb+c", map[string]string{"id": "a/b+c"}},
		{"GET /pets/{id}", "/pets/", nil},
		{"GET /pets/{id}", "/pets", nil},
		{"GET /pets/{id}", "/pets/12/photos", nil},
		{"GET /pets/{id}", "/dogs/12", nil},
		{"GET /{kind}/{id}/photos", "/dogs/12/photos", map[string]string{"kind": "dogs", "id": "12"}},
		{"GET /{kind}/{id}/photos", "/dogs/12/videos", nil},
		{"ANY /{proxy+}", "/a//b/", map[string]string{"proxy": "a//b"}},
		{"ANY /{proxy+}", "/", nil},
		{"ANY /v1/{proxy+}", "/v1/x/y", map[string]string{"proxy": "x/y"}},
		{"ANY /v1/{proxy+}", "/v2/x/y", nil},
	} {
		r, _ := request(t, "GET "+test.path+" HTTP/1.1\nHost: h\n\n")
		e := decodeEvent(t, prepared(t, apigateway.Route{Key: test.key}), r, nil, &apigateway.Context{})
		if !maps.Equal(e.PathParameters, test.want) {
			t.Errorf("%s of %s: %v, want %v", test.key, test.path, e.PathParameters, test.want)
		}
	}
}

func TestPathParametersOfTheContextWin(t *testing.T) {
	r, _ := request(t, "GET /pets/12 HTTP/1.1\nHost: h\n\n")
	c := apigateway.Context{PathParameters: []apigateway.Parameter{{Name: "id", Value: "twelve"}, {Name: "none"}}}
	empty := apigateway.Context{PathParameters: []apigateway.Parameter{{Name: "id"}}}
	for _, payload := range []apigateway.Payload{apigateway.V2, apigateway.V1} {
		rt := prepared(t, apigateway.Route{Payload: payload, Key: "GET /pets/{id}"})
		if e := decodeEvent(t, rt, r, nil, &c); !maps.Equal(e.PathParameters, map[string]string{"id": "twelve"}) {
			t.Errorf("%s: %v", payload, e.PathParameters)
		}
		if e := decodeEvent(t, rt, r, nil, &empty); !maps.Equal(e.PathParameters, map[string]string{"id": "12"}) {
			t.Errorf("%s, an empty value: %v", payload, e.PathParameters)
		}
	}
}

func TestPreparedRouteServesManyGoroutines(t *testing.T) {
	rt := prepared(t, apigateway.Route{Key: "GET /pets/{id}", StageVariables: map[string]string{"a": "b"}})
	done := make(chan error)
	for range 8 {
		go func() {
			r := browserRequest("GET", "/pets/12", "")
			_, err := rt.AppendEvent(nil, r, []byte("x"), &apigateway.Context{})
			if err == nil {
				_, _, err = rt.DecodeResponse([]byte(`{"statusCode":200,"body":"\n"}`), http.Header{})
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
