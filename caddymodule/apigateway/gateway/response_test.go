package gateway

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

func TestAGatewayResponseAnswersInPlaceOfARefusal(t *testing.T) {
	rs, err := NewResponses(map[ResponseType]Response{
		Default4XX: {Headers: map[string]string{"X-A": "'a'"}},
		Default5XX: {Status: 599},
		Throttled: {Bodies: map[string]string{
			"application/json": `{"is":"$context.error.responseType","to":"${stageVariables.a}","cost":"$5 and $context"}`, "text/html": "<p>$method.request.header.X</p>",
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) string { return "<" + name + ">" }
	for _, test := range []struct {
		refusal      Refusal
		accept, body string
		status       int
		header       string
	}{
		{REST.NotFound(), "", `{"message":"Missing Authentication Token"}`, 403, "a"},
		{REST.Failed(504, ""), "", `{"message": "Endpoint request timed out"}`, 599, ""},
		{REST.Throttled(), "*/*", `{"is":"<context.error.responseType>","to":"<stageVariables.a>","cost":"$5 and $context"}`, 429, ""},
		{REST.Throttled(), "image/png, text/html;q=0.9", "<p><method.request.header.X></p>", 429, ""},
	} {
		a, err := rs.Answer(test.refusal, test.accept, value)
		if err != nil || a.Status != test.status || string(a.Body) != test.body || a.Header.Get("X-A") != test.header {
			t.Errorf("%+v: %v %+v %s", test.refusal, err, a, a.Body)
		}
	}
	if a, err := (*Responses)(nil).Answer(REST.NotFound(), "", value); a != nil || err != nil {
		t.Errorf("%v %v", a, err)
	}
	large := func(string) string { return strings.Repeat("x", 1<<19) }
	rs, err = NewResponses(map[ResponseType]Response{Throttled: {Bodies: map[string]string{"a/b": strings.Repeat("$context.stage ", 4)}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rs.Answer(REST.Throttled(), "", large); !errors.Is(err, ErrResponse) {
		t.Error(err)
	}
}

func TestGatewayResponsesThatAreWrongAreRefused(t *testing.T) {
	for want, r := range map[string]Response{
		"status 700":              {Status: 700},
		"\"context.none\" is not": {Headers: map[string]string{"X": "context.none"}},
		"\"x\" is not":            {Headers: map[string]string{"X": "x"}},
		"more than 8192 bytes":    {Headers: map[string]string{"X": "'" + strings.Repeat("x", 9000) + "'"}},
		"\"context.wrong\" is":    {Bodies: map[string]string{"a/b": "$context.wrong"}},
		"at most":                 {Bodies: map[string]string{"a/b": strings.Repeat("x", 400<<10)}},
	} {
		if _, err := NewResponses(map[ResponseType]Response{Throttled: r}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := NewResponses(map[ResponseType]Response{"OTHER": {}}); err == nil {
		t.Error("a type that there is not is taken")
	}
}

func TestARequestIsValidated(t *testing.T) {
	api := &API{Protocol: REST, Models: map[string]string{"Pet": `{"required":["name"]}`}}
	k, err := NewValidators(api)(&Validation{
		Parameters: []string{"querystring.q", "header.x-a", "path.id"}, Models: map[string]string{"application/json": "Pet"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, pattern, err := apigateway.ParseKey("GET /pets/{id}")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/pets/7?q=1", nil)
	r.Header.Set("X-A", "1")
	if err := k.Parameters(r, &pattern, "/pets/7"); err != nil {
		t.Error(err)
	}
	r = httptest.NewRequest("GET", "/pets/7?q=+", nil)
	err = k.Parameters(r, &pattern, "/pets/7")
	var invalid *InvalidRequest
	if !errors.As(err, &invalid) || invalid.Message != "Missing required request parameters: [x-a, q]" {
		t.Error(err)
	}
	for kind, wrong := range map[string]bool{"": true, "Application/JSON; a=b": true, "text/plain": false} {
		if err := k.Body(kind, []byte(`{}`)); (err != nil) != wrong {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for want, of := range map[string]*Validation{"header.NAME": {Parameters: []string{"cookie.a"}}, `"None"`: {Models: map[string]string{"a/b": "None"}}} {
		if _, err := NewValidators(api)(of); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if k, err := NewValidators(api)(nil); k != nil || err != nil || k.ReadsBody() || k.Body("", nil) != nil || k.Parameters(r, &pattern, "/") != nil {
		t.Errorf("%v %v", k, err)
	}
}
