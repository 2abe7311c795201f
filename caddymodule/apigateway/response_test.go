package apigateway_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

var jsonType = http.Header{"Content-Type": {"application/json"}}

func TestResponsesAreUnderstoodAsInAWS(t *testing.T) {
	const v1, v2 = apigateway.V1, apigateway.V2
	for name, test := range map[string]struct {
		payload  apigateway.Payload
		response string
		status   int // 0: refused
		header   http.Header
		body     string
		errorHas string
	}{
		// Recorded from function URLs.
		"a string":         {v2, `"hello"`, 200, jsonType, `hello`, ""},
		"a number":         {v2, `3.1`, 200, jsonType, `3.1`, ""},
		"a boolean":        {v2, `true`, 200, jsonType, `true`, ""},
		"an array":         {v2, `["hello",3,true]`, 200, jsonType, `["hello",3,true]`, ""},
		"an object":        {v2, `{"hello":"world"}`, 200, jsonType, `{"hello":"world"}`, ""},
		"a text body":      {v2, `{"statusCode": 200, "body": "body123"}`, 200, jsonType, `body123`, ""},
		"a JSON body":      {v2, `{"statusCode": 200, "body": "{\"hello\": \"world\"}"}`, 200, jsonType, `{"hello": "world"}`, ""},
		"status as string": {v2, `{"statusCode":"418","body":"i'm a teapot","isBase64Encoded":false}`, 418, jsonType, `i'm a teapot`, ""},
		"cookies": {v2, `{"statusCode":201,"headers":{"Content-Type":"text/plain","My-Custom-Header":"Custom Value"},"cookies":["a=1; Max-Age=9","b=2"]}`,
			201, http.Header{"Content-Type": {"text/plain"}, "My-Custom-Header": {"Custom Value"}, "Set-Cookie": {"a=1; Max-Age=9", "b=2"}}, "", ""},

		// Recorded from REST APIs.
		"1.0: no body":      {v1, `{"statusCode": 200}`, 200, jsonType, "", ""},
		"1.0: headers":      {v1, `{"statusCode": 200, "headers": {"test-header": "value", "header-bool": true}}`, 200, http.Header{"Content-Type": {"application/json"}, "Test-Header": {"value"}, "Header-Bool": {"true"}}, "", ""},
		"1.0: null":         {v1, `{"statusCode": 200, "headers": null}`, 200, jsonType, "", ""},
		"1.0: unknown":      {v1, `{"statusCode": 200, "wrongValue": "value"}`, 0, nil, "", "field wrongValue is unknown"},
		"1.0: many":         {v1, `{"statusCode": 200, "multiValueHeaders": {"test-multi": ["value1", "value2"]}}`, 200, http.Header{"Content-Type": {"application/json"}, "Test-Multi": {"value1", "value2"}}, "", ""},
		"1.0: both":         {v1, `{"multiValueHeaders": {"tesT-Multi": ["value-multi"]}, "headers": {"test-multi": "value-solo"}}`, 200, http.Header{"Content-Type": {"application/json"}, "Test-Multi": {"value-multi", "value-solo"}}, "", ""},
		"1.0: in both":      {v1, `{"multiValueHeaders": {"a": ["1","2"]}, "headers": {"a": "2", "b": "3"}}`, 200, http.Header{"Content-Type": {"application/json"}, "A": {"1", "2"}, "B": {"3"}}, "", ""},
		"1.0: no list":      {v1, `{"statusCode": 200, "multiValueHeaders": {"test-multi-invalid": "value1"}}`, 0, nil, "", "want an array"},
		"1.0: wrong status": {v1, `{"statusCode": "test"}`, 0, nil, "", `statusCode is "test"`},
		"1.0: 201":          {v1, `{"statusCode": "201"}`, 201, jsonType, "", ""},
		"1.0: a string":     {v1, `"justAString"`, 0, nil, "", "want an object"},
		"1.0: only headers": {v1, `{"headers": {"test-header": "value"}}`, 200, http.Header{"Content-Type": {"application/json"}, "Test-Header": {"value"}}, "", ""},
		"1.0: cookies":      {v1, `{"statusCode": 200, "cookies": ["a=1"]}`, 0, nil, "", "field cookies is unknown"},
		"1.0: null result":  {v1, `null`, 0, nil, "", "want an object"},

		// By the manual, or where it is silent.
		"nothing but an escape": {v2, `"a\n\"\u00e9\ud83d\ude00\ud800"`, 200, jsonType, "a\n\"é😀\ufffd", ""},
		"null":                  {v2, ` null `, 200, jsonType, `null`, ""},
		"status null":           {v2, `{"statusCode":null,"body":"x"}`, 200, jsonType, `{"statusCode":null,"body":"x"}`, ""},
		"base64":                {v2, `{"statusCode":200,"headers":{"content-type":"image/png"},"body":"iVBORw==","isBase64Encoded":true}`, 200, http.Header{"Content-Type": {"image/png"}}, "\x89PNG", ""},
		"base64 unpadded":       {v2, `{"statusCode":200,"body":"iVBORw","isBase64Encoded":true}`, 200, jsonType, "\x89PNG", ""},
		"base64 escaped":        {v2, `{"statusCode":200,"body":"\/\/8=","isBase64Encoded":true}`, 200, jsonType, "\xff\xff", ""},
		"bad base64":            {v2, `{"statusCode":200,"body":"***","isBase64Encoded":true}`, 0, nil, "", "body is no base64"},
		"base64 wanted oddly":   {v2, `{"statusCode":200,"body":"","isBase64Encoded":"yes"}`, 0, nil, "", "isBase64Encoded is"},
		"numbers in headers":    {v2, `{"statusCode":200,"headers":{"X-Total":12,"X-Rate":1.5e3,"X-Not":null}}`, 200, http.Header{"Content-Type": {"application/json"}, "X-Total": {"12"}, "X-Rate": {"1.5e3"}}, "", ""},
		"array in headers":      {v2, `{"statusCode":200,"headers":{"x":["a"]}}`, 0, nil, "", `header x is ["a"], want a string`},
		"headers no object":     {v2, `{"statusCode":200,"headers":[]}`, 0, nil, "", "headers is []"},
		"lists no object":       {v2, `{"statusCode":200,"multiValueHeaders":1}`, 0, nil, "", "multiValueHeaders is 1"},
		"list of objects":       {v2, `{"statusCode":200,"multiValueHeaders":{"a":[{}]}}`, 0, nil, "", "header a is {}"},
		"smuggled header":       {v2, `{"statusCode":200,"headers":{"x-a":"b\r\nSet-Cookie: c=1"}}`, 0, nil, "", "control character"},
		"smuggled cookie":       {v2, `{"statusCode":200,"cookies":["a=b\nX: y"]}`, 0, nil, "", "control character"},
		"smuggled in a list":    {v2, `{"statusCode":200,"multiValueHeaders":{"a":["\u0000"]}}`, 0, nil, "", "control character"},
		"bad header name":       {v2, `{"statusCode":200,"headers":{"x a:":"b"}}`, 0, nil, "", "header x a:"},
		"empty header name":     {v2, `{"statusCode":200,"headers":{"":"b"}}`, 0, nil, "", "the name is none"},
		"cookies no array":      {v2, `{"statusCode":200,"cookies":"a=1"}`, 0, nil, "", "cookies is"},
		"cookie no string":      {v2, `{"statusCode":200,"cookies":[1]}`, 0, nil, "", "cookies: 1 in it"},
		"body no string":        {v2, `{"statusCode":200,"body":{"a":1}}`, 0, nil, "", "JSON.stringify"},
		"status 100":            {v2, `{"statusCode":100}`, 0, nil, "", "statusCode is 100"},
		"status 600":            {v2, `{"statusCode":600}`, 0, nil, "", "statusCode is 600"},
		"status 599":            {v2, `{"statusCode":599}`, 599, jsonType, "", ""},
		"status of a fraction":  {v2, `{"statusCode":200.5}`, 0, nil, "", "statusCode is 200.5"},
		"status of words":       {v2, `{"statusCode":"abc","body":1}`, 0, nil, "", `statusCode is "abc"`},
		"204 has no body":       {v2, `{"statusCode":204,"body":"x","headers":{"x-a":"b"}}`, 204, http.Header{"X-A": {"b"}}, "", ""},
		"304 has no body":       {v2, `{"statusCode":304,"body":"x"}`, 304, http.Header{}, "", ""},
		"connection": {v2, `{"statusCode":200,"headers":{"connection":"close, X-Own","x-own":"1","keep-alive":"timeout=5","content-length":"99","transfer-encoding":"chunked","proxy-authenticate":"x","te":"x","trailer":"x","upgrade":"x","x-kept":"1"}}`,
			200, http.Header{"Content-Type": {"application/json"}, "X-Kept": {"1"}}, "", ""},
		"connection in lists": {v2, `{"statusCode":200,"multiValueHeaders":{"Connection":["x-own"],"x-own":["1"],"Content-Length":["1"]}}`, 200, jsonType, "", ""},
		"last of a field":     {v2, `{"statusCode":500,"body":1,"statusCode":201,"body":"x"}`, 201, jsonType, "x", ""},
		"escaped field":       {v2, `{"status\u0043ode":201}`, 201, jsonType, "", ""},
		"half a surrogate":    {v2, `"\ud83dxxde00"`, 200, jsonType, "\ufffdxxde00", ""},
		"control character":   {v2, "\"a long text\x01, then more\"", 0, nil, "", "control character within a string"},
		"ends early":          {v2, `{"statusCode":200`, 0, nil, "", "ends too early"},
		"no JSON":             {v2, `hello`, 0, nil, "", "no JSON"},
		"two values":          {v2, `{} {}`, 0, nil, "", "after the value"},
		"empty":               {v2, ``, 0, nil, "", "ends too early"},
		"not UTF-8":           {v2, "\"\xff\"", 0, nil, "", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			status, body, err := prepared(t, apigateway.Route{Payload: test.payload}).DecodeResponse([]byte(test.response), h)
			if test.status == 0 {
				if !errors.Is(err, apigateway.ErrMalformedResponse) || !strings.Contains(err.Error(), test.errorHas) {
					t.Errorf("error %v, want one with %q", err, test.errorHas)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if status != test.status || string(body) != test.body || !reflect.DeepEqual(h, test.header) {
				t.Errorf("%d %v %q, want %d %v %q", status, h, body, test.status, test.header, test.body)
			}
		})
	}
}

func TestResponsesOfFunctionURLsMayBeAnyJSON(t *testing.T) {
	for response, test := range map[string]struct {
		status int
		body   string
	}{
		// Recorded: 17 and 16 bytes of what Python writes with spaces.
		`{"hello": "world"}`:              {200, `{"hello":"world"}`},
		`["hello", 3, true]`:              {200, `["hello",3,true]`},
		` "hello" `:                       {200, `hello`},
		`3.10`:                            {200, `3.10`},
		`null`:                            {200, `null`},
		"{\n \"a b\" : [ 1 , \" x \" ] }": {200, `{"a b":[1," x "]}`},
		`{"statusCode": 201, "body": {"a": [1, 2]}}`:                     {201, `{"a":[1,2]}`},
		`{"statusCode": 200, "body": [1, {"b": null}]}`:                  {200, `[1,{"b":null}]`},
		`{"statusCode": 200, "body": 12.5}`:                              {200, `12.5`},
		`{"statusCode": 200, "body": false}`:                             {200, `false`},
		`{"statusCode": 200, "body": null}`:                              {200, ``},
		`{"statusCode": 200, "body": {"a": 1}, "isBase64Encoded": true}`: {200, `{"a":1}`},
		`{"statusCode": 200, "body": "{ \"kept\": 1 }"}`:                 {200, `{ "kept": 1 }`},
	} {
		h := http.Header{}
		status, body, err := prepared(t, apigateway.Route{FunctionURL: true}).DecodeResponse([]byte(response), h)
		if err != nil || status != test.status || string(body) != test.body || !reflect.DeepEqual(h, jsonType) {
			t.Errorf("%s: %d %v %q %v, want %d %q", response, status, h, body, err, test.status, test.body)
		}
	}
}

func TestResponseKeepsHeadersThatAreThereAlready(t *testing.T) {
	h := http.Header{"X-Amzn-Requestid": {"id"}, "Vary": {"Origin"}, "Content-Type": {"text/css"}, "Set-Cookie": {"lb=1"}}
	_, _, err := prepared(t, apigateway.Route{}).DecodeResponse([]byte(`{"statusCode":200,"headers":{"vary":"Accept"},"cookies":["a=1"]}`), h)
	want := http.Header{"X-Amzn-Requestid": {"id"}, "Vary": {"Accept"}, "Content-Type": {"text/css"}, "Set-Cookie": {"lb=1", "a=1"}}
	if err != nil || !reflect.DeepEqual(h, want) {
		t.Errorf("%v %v", h, err)
	}
}

func TestPreludeSetsStatusAndHeaders(t *testing.T) {
	for _, test := range []struct {
		prelude string
		status  int
		header  http.Header
	}{
		{`{"statusCode":201,"headers":{"x-kind":"stream","content-type":"text/plain"},"cookies":["a=1"]}`, 201,
			http.Header{"X-Kind": {"stream"}, "Content-Type": {"text/plain"}, "Set-Cookie": {"a=1"}}},
		{`{"multiValueHeaders":{"x":["1","2"]},"more":1}`, 200, http.Header{"X": {"1", "2"}, "Content-Type": {"application/octet-stream"}}},
		{`{"statusCode":204}`, 204, http.Header{}},
		{`{"statusCode":99}`, 0, nil},
		{`{"statusCode":200,"headers":{"a":"\n"}}`, 0, nil},
		{`"hello"`, 0, nil},
		{`{`, 0, nil},
	} {
		h := http.Header{}
		status, err := prepared(t, apigateway.Route{}).DecodePrelude([]byte(test.prelude), h)
		if test.status == 0 {
			if !errors.Is(err, apigateway.ErrMalformedResponse) {
				t.Errorf("%s: error %v", test.prelude, err)
			}
			continue
		}
		if err != nil || status != test.status || !reflect.DeepEqual(h, test.header) {
			t.Errorf("%s: %d %v %v", test.prelude, status, h, err)
		}
	}
}

func TestErrorsFitOneLineOfALog(t *testing.T) {
	long := `{"statusCode":["` + strings.Repeat("é", 5000) + "\",\n2]}"
	_, _, err := prepared(t, apigateway.Route{}).DecodeResponse([]byte(long), http.Header{})
	if err == nil || len(err.Error()) > 200 || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

func TestDeepNestingIsRefusedNotFatal(t *testing.T) {
	rt := prepared(t, apigateway.Route{})
	for _, test := range []struct {
		depth int
		ok    bool
	}{{10_000, true}, {10_001, false}, {3_000_000, false}} {
		text := strings.Repeat("[", test.depth) + strings.Repeat("]", test.depth)
		if _, _, err := rt.DecodeResponse([]byte(text), http.Header{}); (err == nil) != test.ok {
			t.Errorf("depth %d: %v", test.depth, err)
		}
		if test.depth <= 10_001 && json.Valid([]byte(text)) != test.ok {
			t.Errorf("depth %d: encoding/json has another limit", test.depth)
		}
	}
}

func TestDecodeResponseAllocatesLittle(t *testing.T) {
	rt := prepared(t, apigateway.Route{})
	const payload = `{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\"a\":1}"}`
	h, buf := http.Header{}, make([]byte, len(payload))
	allocs := testing.AllocsPerRun(100, func() {
		clear(h)
		copy(buf, payload)
		_, _, _ = rt.DecodeResponse(buf, h)
	})
	if allocs > 2 { // the header's value, and the slice that holds it
		t.Errorf("%v allocations", allocs)
	}
}

func TestHeadersOfTheServerAreNotTheFunctions(t *testing.T) {
	for _, name := range []string{"Date", "server", "X-Amzn-RequestId", "content-length", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authenticate"} {
		h := http.Header{"Server": {"Caddy"}, "X-Amzn-Requestid": {"id"}}
		_, _, err := prepared(t, apigateway.Route{}).DecodeResponse([]byte(`{"statusCode":200,"headers":{"`+name+`":"forged","x":"y"}}`), h)
		for set, values := range h {
			if strings.Contains(strings.Join(values, ""), "forged") {
				t.Errorf("a function set %s", set)
			}
		}
		if err != nil || h.Get("X") != "y" || h.Get("Server") != "Caddy" || h.Get("X-Amzn-Requestid") != "id" {
			t.Errorf("%s: got %v, %v", name, h, err)
		}
	}
}
