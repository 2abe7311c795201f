package openapi

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const yamlDocument = `openapi: 3.0.1
info: { title: shop, version: "1" }
servers:
  - url: https://shop.example.com/{base}
    variables: { base: { default: /v1 } }
security: [ { users: [ read ] } ]
paths:
  /items/{id}:
    parameters: [ { name: id, in: path } ]
    get:
      operationId: item
      parameters: [ { name: q, in: query, required: true } ]
      responses: { 200: { headers: { X-A: {} } } }
      x-amazon-apigateway-integration: { type: aws_proxy, httpMethod: POST, uri: arn, payloadFormatVersion: 2.0 }
    options:
      security: []
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: { application/json: "{statusCode:200}" }
        responses: { default: { statusCode: 200, responseParameters: { method.response.header.X-A: "'a'" } } }
  /$default:
    x-amazon-apigateway-any-method:
      x-amazon-apigateway-integration: { $ref: "#/components/x-amazon-apigateway-integrations/web" }
components:
  x-amazon-apigateway-integrations:
    web: { type: http_proxy, httpMethod: ANY, uri: https://web.example.com }
  securitySchemes:
    users:
      type: oauth2
      x-amazon-apigateway-authorizer: { type: jwt, identitySource: $request.header.Authorization, jwtConfiguration: { issuer: https://id.example.com, audience: [ shop ] } }
x-amazon-apigateway-cors: { allowOrigins: [ "https://www.example.com" ], maxAge: 60 }
`

func TestADocumentBecomesOperations(t *testing.T) {
	d, err := Parse([]byte(yamlDocument))
	if err != nil {
		t.Fatal(err)
	}
	if d.Title != "shop" || d.BasePath != "/v1" || d.Swagger2 || d.Cors.MaxAge != 60 || d.Schemes["users"].Authorizer.JWT.Audience[0] != "shop" {
		t.Errorf("%+v", d)
	}
	var got []string
	for _, o := range d.Operations {
		got = append(got, fmt.Sprintf("%s %s %s %s %v", o.Method, o.Path, o.Integration.Type, o.Integration.URI, o.Security))
	}
	want := []string{
		"ANY $default HTTP_PROXY https://web.example.com [map[users:[read]]]", "GET /items/{id} AWS_PROXY arn [map[users:[read]]]", "OPTIONS /items/{id} MOCK  []",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
	get, preflight := d.Operations[1], d.Operations[2]
	if !get.Parameters["method.request.path.id"] || !get.Parameters["method.request.querystring.q"] || get.Responses["200"][0] != "X-A" || get.Integration.Payload != "2.0" {
		t.Errorf("%+v", get)
	}
	if preflight.Integration.Responses["default"].StatusCode != "200" {
		t.Errorf("%+v", preflight.Integration)
	}
}

func TestADocumentThatIsWrittenIsReadAgain(t *testing.T) {
	d, err := Parse([]byte(yamlDocument))
	if err != nil {
		t.Fatal(err)
	}
	d.BasePath = "" // is not written
	for _, f := range []Format{{}, {YAML: true}} {
		text, err := d.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil || !reflect.DeepEqual(d.Operations[1], again.Operations[1]) || !reflect.DeepEqual(d.Schemes, again.Schemes) || !reflect.DeepEqual(d.Cors, again.Cors) {
			t.Errorf("%v %s", err, text)
		}
	}
	text, err := d.Encode(Format{Plain: true, Swagger2: true})
	if err != nil || strings.Contains(string(text), extension+"integration") || !strings.Contains(string(text), `"swagger": "2.0"`) {
		t.Errorf("%v %s", err, text)
	}
}

const modelDocument = `swagger: "2.0"
info: { title: shop, version: "1" }
consumes: [ application/json, application/vnd.shop+json ]
parameters: { Trace: { name: X-Trace, in: header, required: true, type: string } }
paths:
  /items:
    post:
      parameters: [ { in: body, name: item, schema: { $ref: "#/definitions/Item" } }, { $ref: "#/parameters/Trace" } ]
      responses: { 200: { description: ok, schema: { $ref: "#/definitions/Item" } } }
    put:
      x-amazon-apigateway-request-validator: none
      parameters: [ { in: body, name: item, schema: { type: array, items: { $ref: "#/definitions/Item" } } } ]
definitions:
  Item: { type: object, required: [ name ], properties: { name: { type: string }, parts: { items: { $ref: "#/definitions/Item" } } } }
x-amazon-apigateway-request-validators:
  all: { validateRequestBody: true, validateRequestParameters: true }
  none: { validateRequestBody: false, validateRequestParameters: false }
x-amazon-apigateway-request-validator: all
x-amazon-apigateway-gateway-responses:
  DEFAULT_4XX: { statusCode: 418, responseParameters: { gatewayresponse.header.X-A: "'a'" } }
`

func TestModelsAndValidatorsOfADocumentAreRead(t *testing.T) {
	d, err := Parse([]byte(modelDocument))
	if err != nil {
		t.Fatal(err)
	}
	post, put := d.Operations[0], d.Operations[1]
	if post.Validator != "all" || post.Models["application/json"] != "Item" || post.Models["application/vnd.shop+json"] != "Item" ||
		post.ResponseModels["200"]["application/json"] != "Item" || !post.Parameters["method.request.header.X-Trace"] {
		t.Errorf("%+v", post)
	}
	inline := put.Models["application/json"]
	if put.Validator != "none" || !strings.HasPrefix(inline, "MODEL") || d.Models[inline] == nil {
		t.Errorf("%+v", put)
	}
	if !d.Validators["all"].Body || d.Responses["DEFAULT_4XX"].StatusCode != "418" || d.RESTOnly() == "" {
		t.Errorf("%+v", d)
	}
	text, err := d.Schema("Item", "abc")
	if err != nil || !strings.Contains(text, `"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Item"`) {
		t.Errorf("%s %v", text, err)
	}
	for _, f := range []Format{{}, {Swagger2: true}, {YAML: true}} {
		out := &Document{Operations: d.Operations, Validators: d.Validators, Responses: d.Responses}
		for name := range d.Models {
			text, err := d.Schema(name, "abc")
			if err != nil {
				t.Fatal(err)
			}
			if err := out.SetSchema(name, text, f); err != nil {
				t.Fatal(err)
			}
		}
		written, err := out.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(written)
		if err != nil || !reflect.DeepEqual(again.Operations[0].Models, post.Models) || !reflect.DeepEqual(again.Validators, d.Validators) ||
			!reflect.DeepEqual(again.Responses, d.Responses) || again.Operations[1].Validator != "none" {
			t.Errorf("%v %s", err, written)
			continue
		}
		if back, err := again.Schema("Item", "abc"); err != nil || back != text {
			t.Errorf("%s %v", back, err)
		}
	}
}

func TestDocumentsThatAreNotSupportedAreRefusedByName(t *testing.T) {
	head := `{"openapi":"3.0.1","paths":`
	for document, want := range map[string]string{
		"":                              "is no object",
		"[]":                            "is no object",
		"{":                             "no JSON",
		"a: [":                          "no YAML",
		`{"openapi":"3.0.1"} x`:         "more after its end",
		`{"swagger":"1.2"}`:             "neither OpenAPI 3",
		`{"openapi":"3.0.1","paths":1}`: "not as OpenAPI has it",
		`{"openapi":"3.0.1","x-amazon-apigateway-policy":{}}`:                    "x-amazon-apigateway-policy is not supported",
		head + `{"/a":{"get":{"x-amazon-apigateway-request-validator":"all"}}}}`: `request validator "all" is not in`,
		`{"openapi":"3.0.1","x-amazon-apigateway-request-validators":{"all":{}},"paths":{"/a":{"post":{"x-amazon-apigateway-request-validator":"all","parameters":[{"$ref":"#/components/parameters/q"}]}}}}`:                        "names nothing of the document",
		`{"openapi":"3.0.1","x-amazon-apigateway-request-validators":{"all":{}},"paths":{"/a":{"post":{"x-amazon-apigateway-request-validator":"all","requestBody":{"content":{"a/b":{"schema":{"$ref":"http://a.example/b"}}}}}}}}`: "names no schema",
		`{"openapi":"3.0.1","x-amazon-apigateway-gateway-responses":{"DEFAULT_4XX":null}}`: "is empty",
		head + `{"/a":{"$ref":"#/b"}}}`: "a $ref of a whole path",
		head + `{"/a":{"get":{"x-amazon-apigateway-integration":{"type":"mock","x":1}}}}}`:     `unknown field "x"`,
		head + `{"/a":{"get":{"x-amazon-apigateway-integration":{}}}}}`:                        "its type is missing",
		head + `{"/a":{"get":{"x-amazon-apigateway-integration":{"$ref":"#/components/x"}}}}}`: "names nothing",
		strings.Repeat("[", 200) + strings.Repeat("]", 200):                                    "nested deeper",
		`{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}":                    "nested deeper",
		strings.Repeat(" ", MaxSize+1):                                                         "bytes",
		"a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n" +
			"e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\ng: [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]\n": "",
		"a: &a\n  b: *a\n": "",
	} {
		if _, err := Parse([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v, want %q", document, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(yamlDocument))
	f.Add([]byte(modelDocument))
	f.Add([]byte(`{"swagger":"2.0","basePath":"/v1","paths":{"/a":{"get":{"responses":{"200":{"headers":{"A":{}}}},"x-amazon-apigateway-integration":{"type":"mock","responses":{"5..":{"statusCode":"502"}}}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		for _, o := range d.Operations {
			if o.Integration != nil && o.Integration.Type == "" {
				t.Errorf("%+v", o)
			}
		}
	})
}
