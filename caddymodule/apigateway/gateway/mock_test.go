package gateway

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway/vtl"
)

func TestAMockChoosesItsResponseByTheStatusOfItsTemplate(t *testing.T) {
	mock := &Mock{
		Requests: map[string]string{
			"application/json": `{"statusCode": #if($input.params("fail") == "1")500#{else}200#end}`, "text/plain": "{ statusCode: 204 }", "text/x": "nothing",
		},
		Responses: []MockResponse{
			{Status: 200, Headers: map[string]string{"X-A": "'a'", "X-B": "stageVariables.b", "X-C": "context.stage"}},
			{Status: 502, Pattern: "5..", Bodies: map[string]string{"text/html": "<p>$context.stage</p>"}},
			{Status: 204, Pattern: "204", Bodies: map[string]string{"application/json": "#set($context.responseOverride.header.X-D = 'd')#set($context.responseOverride.status = 202)"}},
		},
	}
	k, err := NewMocker(mock, false)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(kind, query string) *Answer {
		in := &vtl.Input{Query: map[string][]string{"fail": {query}}, Header: http.Header{}, Context: map[string]string{"stage": "live"}, StageVariables: map[string]string{"b": "c"}}
		a, err := k.Answer(kind, in)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			return &Answer{}
		}
		return a
	}
	if a := ask("", ""); a.Status != 200 || a.Header.Get("X-A")+a.Header.Get("X-B")+a.Header.Get("X-C") != "aclive" || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", a)
	}
	if a := ask("application/json; charset=utf-8", "1"); a.Status != 502 || string(a.Body) != "<p>live</p>" || a.Header.Get("Content-Type") != "text/html" {
		t.Errorf("%+v", a)
	}
	if a := ask("text/plain", ""); a.Status != 202 || a.Header.Get("X-D") != "d" {
		t.Errorf("%+v", a)
	}
	if _, err := k.Answer("text/x", &vtl.Input{}); !errors.Is(err, errNoStatus) {
		t.Error(err)
	}
	k.strict = true
	if _, err := k.Answer("image/png", &vtl.Input{}); !errors.Is(err, ErrMediaType) {
		t.Error(err)
	}
}

func TestAMockThatIsNotSupportedIsRefused(t *testing.T) {
	for _, test := range []struct {
		mock *Mock
		want string
	}{
		{nil, "says nothing"},
		{&Mock{Requests: map[string]string{"a/b": "#macro"}}, "#macro is not supported"},
		{&Mock{Responses: []MockResponse{{Status: 99}}}, "status 99"},
		{&Mock{Responses: []MockResponse{{Status: 200, Pattern: "("}}}, "selection pattern"},
		{&Mock{Responses: []MockResponse{{Status: 200, Headers: map[string]string{"X": "integration.response.header.Y"}}}}, "is not supported"},
	} {
		if err := test.mock.check(false); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.mock, err)
		}
	}
}
