package gateway

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAMappingChangesARequestByWhatItWas(t *testing.T) {
	m, err := NewMapper(Mapping{
		"overwrite:header.a": "$request.header.b", "overwrite:header.b": "x${request.header.a}y", "append:querystring.q": "2", "remove:querystring.gone": "",
		"append:header.none": "$request.header.none", "overwrite:path": "/to/${request.path.id}",
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/from?q=1&gone=1", nil)
	values := map[string]string{"request.header.a": "A", "request.header.b": "B", "request.path.id": "a b/c?"}
	path, err := m.Request(r, func(name string) string { return values[name] })
	if err != nil || path != "/to/a%20b/c%3F" || r.Header.Get("A") != "B" || r.Header.Get("B") != "xAy" || r.URL.RawQuery != "q=1&q=2" || len(r.Header["None"]) != 0 {
		t.Errorf("%v %s %v %s", err, path, r.Header, r.URL.RawQuery)
	}
	for _, hostile := range []string{"../admin", "a\r\nX: y", strings.Repeat("x", 1<<17)} {
		values["request.path.id"] = hostile
		if _, err := m.Request(r, func(name string) string { return values[name] }); !errors.Is(err, ErrMapped) {
			t.Errorf("%.20q: %v", hostile, err)
		}
	}
}

func TestAMappingChangesAnAnswer(t *testing.T) {
	m, err := NewMapper(Mapping{"overwrite:statuscode": "204", "append:header.X": "$response.header.y", "remove:header.y": ""}, true)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"X": {"1"}, "Y": {"2"}}
	status, err := m.Response(h, func(name string) string { return h.Get(strings.TrimPrefix(name, "response.header.")) })
	if err != nil || status != 204 || len(h["X"]) != 2 || h["X"][1] != "2" || h["Y"] != nil {
		t.Errorf("%v %d %v", err, status, h)
	}
}

func TestMappingsThatAreWrongAreRefused(t *testing.T) {
	for key, value := range map[string]string{
		"replace:header.a": "x", "append:body.a": "x", "append:header.": "x", "append:header.content-length": "1", "append:header.a b": "x", "overwrite:statuscode": "200",
		"append:header.a": "$request.body.a", "append:header.b": "${env.HOME}", "append:path": "/", "overwrite:path.x": "/", "append:header.c": "$context.none",
	} {
		if _, err := NewMapper(Mapping{key: value}, false); err == nil {
			t.Errorf("%s: %s is taken", key, value)
		}
	}
	for key, value := range map[string]string{"overwrite:statuscode": "99", "append:querystring.a": "x", "overwrite:path": "/", "append:header.a": "$request.header.a"} {
		if _, err := NewMapper(Mapping{key: value}, true); err == nil {
			t.Errorf("%s: %s is taken of an answer", key, value)
		}
	}
}

func TestStageVariablesAreReplacedInURIs(t *testing.T) {
	got, err := WithVariables("https://${stageVariables.host}:${stageVariables.port}/${other}", map[string]string{"host": "a.example", "port": "1"})
	if err != nil || got != "https://a.example:1/${other}" || !HasVariables("${stageVariables.a}") || HasVariables("${other}") {
		t.Errorf("%s %v", got, err)
	}
	if _, err := WithVariables("${stageVariables.none}", map[string]string{}); err == nil {
		t.Error("a variable that is not there is taken")
	}
	i := Integration{Type: HTTPProxy, URI: "http://a b"}
	if i.Resolve(HTTP, "GET /", nil); i.Broken == "" {
		t.Error("a URI that is none is not broken")
	}
}
