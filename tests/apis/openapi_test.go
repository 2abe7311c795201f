package apis

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const swagger = `swagger: "2.0"
paths:
  /items/{id}:
    get:
      x-amazon-apigateway-integration: { type: aws_proxy, httpMethod: POST, uri: f }
    options:
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: { application/json: "{statusCode:204}" }
        responses: { default: { statusCode: 204, responseParameters: { method.response.header.Access-Control-Allow-Origin: "'*'" } } }
`

func TestAnAPIHasTheRoutesOfItsOpenAPIDocument(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	file := s.Code("api", map[string]string{"old.yaml": swagger}) + "/old.yaml"
	s.Configure(functions(s, "f"), "api old rest {\n\topenapi "+file+"\n}")
	s.Start()
	if got := read(t, s.Get("/items/7")); got.Name != "f" || got.Event.Resource != "/items/{id}" || got.Event.PathParameters["id"] != "7" {
		t.Errorf("%+v", got)
	}
	if got := s.Do(s.Request("OPTIONS", "/items/7", nil)); got.Status != 204 || got.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	s.Do(s.Request("PUT", "/items/7", nil)).Want(t, 403, "Missing Authentication Token")
}
