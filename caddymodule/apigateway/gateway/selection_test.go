package gateway

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestASelectionMakesTheKeyOfAMessage(t *testing.T) {
	for _, test := range []struct {
		expression, message, key string
		ok                       bool
	}{
		{"$request.body.action", `{"action":"say"}`, "say", true},
		{"$request.body.action", ` { "action" : "say" , "x":[{}] } `, "say", true},
		{"${request.body.action}", `{"action":"a\"ä\u0041"}`, `a"äA`, true},
		{"$request.body.action", `{"action":7}`, "7", true},
		{"$request.body.action", `{"action":true}`, "true", true},
		{"$request.body.action", `{"action":""}`, "", true},
		{"$request.body.action", `{"action":null}`, "", false},
		{"$request.body.action", `{"action":{}}`, "", false},
		{"$request.body.action", `{"Action":"say"}`, "", false},
		{"$request.body.action", `{"action":"a","action":"b"}`, "b", true},
		{"$request.body.action", `["action"]`, "", false},
		{"$request.body.action", `{"action":"say"`, "", false},
		{"$request.body.action", ``, "", false},
		{"$request.body.a.b-c", `{"a":{"b-c":"x"}}`, "x", true},
		{"$request.body.a[1].b[0][0]", `{"a":[0,{"b":[["x"]]}]}`, "x", true},
		{"$request.body.a[2]", `{"a":[0,1]}`, "", false},
		{"${request.body.service}/${request.body.v}-beta", `{"service":"chat","v":2}`, "chat/2-beta", true},
		{"${request.body.a}$request.body.b", `{"a":"$request.body.b","b":"y"}`, "$request.body.by", true}, // once
		{"${request.body.a}", `{"a":"x"}`, "x", true},
		{`\$default`, `{}`, "$default", true},
		{"fixed", `no JSON`, "fixed", true},
	} {
		s, err := ParseSelection(test.expression)
		if err != nil {
			t.Errorf("%s: %v", test.expression, err)
			continue
		}
		if key, ok := s.Key([]byte(test.message)); ok != test.ok || key != test.key {
			t.Errorf("%s of %s is %q, %v; want %q, %v", test.expression, test.message, key, ok, test.key, test.ok)
		}
	}
}

func TestSelectionsThatAreWrongAreRefused(t *testing.T) {
	for expression, want := range map[string]string{
		"":                           "1 to 256 bytes",
		strings.Repeat("x", 257):     "1 to 256 bytes",
		"$request.header.x":          "$request.header.x is not supported",
		"$context.routeKey":          "$context.routeKey is not supported",
		"$request.body":              "$request.body is not supported",
		"${request.body.action":      "a brace is not closed",
		"$request.body..a":           "a name between the dots is missing",
		"$request.body.":             "a name between the dots is missing",
		"$request.body.a[x]":         "a bracket has the index of a list",
		"$request.body.a[-1]":        "a bracket has the index of a list",
		"$request.body.a[1":          "a bracket is not closed",
		"$request.body.a[1]b":        "a dot is missing after ]",
		"$":                          "is not supported",
		"${request.body.a['action']": "not",
	} {
		if _, err := ParseSelection(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", expression, err, want)
		}
	}
}

func FuzzSelection(f *testing.F) {
	f.Add("$request.body.action", []byte(`{"action":"say"}`))
	f.Add("${request.body.a[0].b}-$request.body.c", []byte(`{"a":[{"b":1}],"c":"x"}`))
	f.Add(`\$${request.body.a`, []byte(`[`))
	f.Fuzz(func(t *testing.T, expression string, message []byte) {
		s, err := ParseSelection(expression)
		if err != nil {
			return
		}
		if _, ok := s.Key(message); ok && strings.Contains(strings.ReplaceAll(expression, `\$`, ""), "$request") && !json.Valid(message) {
			t.Errorf("%q of %q is taken for JSON", expression, message)
		}
	})
}

func TestWhatWebSocketAPIsDoNotHaveIsRefused(t *testing.T) {
	to := Integration{Type: Lambda, Function: "f"}
	for want, a := range map[string]API{
		"is there twice":                      {Routes: []Route{{Key: "a", Integration: to}, {Key: "a", Integration: to}}},
		"a dollar sign":                       {Routes: []Route{{Key: "$other", Integration: to}}},
		"1 to 512 bytes":                      {Routes: []Route{{Integration: to}}},
		"integration type":                    {Routes: []Route{{Key: "a", Integration: Integration{Type: HTTPProxy}}}},
		"function is missing":                 {Routes: []Route{{Key: "a", Integration: Integration{Type: Lambda}}}},
		"only $connect has an":                {Routes: []Route{{Key: "a", Integration: to, Authorization: Authorization{Authorizer: "users"}}}},
		"scopes without":                      {Routes: []Route{{Key: "$connect", Integration: to, Authorization: Authorization{Scopes: []string{"a"}}}}},
		"only messages have a":                {Routes: []Route{{Key: "$disconnect", Integration: to, Responds: true}}},
		"only $connect takes an API key":      {Routes: []Route{{Key: "x", Integration: to, KeyRequired: true}}},
		"no usage plans of the configuration": {Routes: []Route{{Key: "$connect", Integration: to, UsagePlans: []string{"p"}}}},
		"is not supported":                    {RouteSelection: "$context.routeKey"},
		"no permission":                       {Cors: &Cors{}},
	} {
		a.Protocol = WebSocket
		if err := a.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	whole := API{Protocol: WebSocket, Routes: []Route{
		{Key: "$connect", Integration: to, Authorization: Authorization{Authorizer: "users"}}, {Key: "say", Integration: to, Responds: true},
	}}
	if err := whole.Check(); err != nil || whole.Stages[0].Name != "prod" || whole.RouteSelection != DefaultSelection {
		t.Errorf("%v, %+v", err, whole)
	}
}
