package api

import (
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// terraformAPI is a function and an API in front of it.
const terraformAPI = `
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
resource "aws_lambda_function" "items" {
  function_name    = "items"
  role             = "arn:aws:iam::000000000000:role/r"
  runtime          = "nodejs20.x"
  handler          = "index.handler"
  filename         = "code.zip"
  source_code_hash = filebase64sha256("code.zip")
}
resource "aws_apigatewayv2_api" "shop" {
  name          = "shop"
  protocol_type = "HTTP"
  description   = "the shop"
  tags          = { team = "shop" }
  cors_configuration {
    allow_origins = ["https://www.example.com"]
    allow_methods = ["GET", "POST"]
    allow_headers = ["content-type"]
    max_age       = 300
  }
}
resource "aws_apigatewayv2_integration" "items" {
  api_id                 = aws_apigatewayv2_api.shop.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_function.items.invoke_arn
  payload_format_version = "2.0"
}
resource "aws_apigatewayv2_route" "items" {
  for_each  = toset(["GET /items", "POST /items", "GET /items/{id}"])
  api_id    = aws_apigatewayv2_api.shop.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.items.id}"
}
resource "aws_apigatewayv2_authorizer" "all" {
  api_id                            = aws_apigatewayv2_api.shop.id
  name                              = "all"
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = aws_lambda_function.items.invoke_arn
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = true
  identity_sources                  = ["$request.header.Authorization"]
}
resource "aws_apigatewayv2_authorizer" "users" {
  api_id           = aws_apigatewayv2_api.shop.id
  name             = "users"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]
  jwt_configuration {
    issuer   = "https://id.example.com"
    audience = ["shop"]
  }
}
resource "aws_apigatewayv2_route" "closed" {
  api_id             = aws_apigatewayv2_api.shop.id
  route_key          = "GET /closed"
  target             = "integrations/${aws_apigatewayv2_integration.items.id}"
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.all.id
}
resource "aws_apigatewayv2_route" "users" {
  api_id               = aws_apigatewayv2_api.shop.id
  route_key            = "GET /users"
  target               = "integrations/${aws_apigatewayv2_integration.items.id}"
  authorization_type   = "JWT"
  authorization_scopes = ["read", "write"]
  authorizer_id        = aws_apigatewayv2_authorizer.users.id
}
resource "aws_apigatewayv2_stage" "live" {
  api_id          = aws_apigatewayv2_api.shop.id
  name            = "$default"
  auto_deploy     = true
  stage_variables = { table = "items" }
  default_route_settings {
    throttling_burst_limit = 500
    throttling_rate_limit  = 1000
  }
}
resource "aws_lambda_permission" "shop" {
  statement_id  = "shop"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.items.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.shop.execution_arn}/*/*"
}
output "endpoint" { value = aws_apigatewayv2_api.shop.api_endpoint }
`

// terraformPlugins is the folder that has the AWS provider. A machine without it, or without
// terraform, skips the test.
func terraformPlugins(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not on this machine")
	}
	for _, folder := range []string{"/opt/tf-plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"} {
		if provider, err := fs.Glob(os.DirFS(folder), "registry.terraform.io/hashicorp/aws/*"); err == nil && len(provider) > 0 {
			return folder
		}
	}
	t.Skip("terraform's AWS provider is not on this machine")
	return ""
}

func TestTerraformMakesAnAPI(t *testing.T) {
	harness.Slow(t, "terraform starts its provider six times")
	harness.Parallel(t)
	plugins := terraformPlugins(t)
	a := harness.NewAPI(t, "", "")
	s := newShell(a)
	s.write("code.zip", harness.NodeZip(t, "return { statusCode: 200, body: event.routeKey + ' of ' + event.stageVariables.table };"))
	s.write("main.tf", []byte(terraformAPI))
	s.env = append(s.env, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+filepath.Join(s.work, "terraformrc"))
	s.write("terraformrc", nil)
	s.run("terraform", "init", "-no-color", "-plugin-dir="+plugins)
	s.run("terraform", "apply", "-no-color", "-auto-approve")
	s.want(s.run("terraform", "plan", "-no-color", "-detailed-exitcode"), "No changes")
	var outputs struct{ Endpoint struct{ Value string } }
	a.Check(json.Unmarshal([]byte(s.run("terraform", "output", "-json")), &outputs))
	endpoint, err := url.Parse(outputs.Endpoint.Value)
	if err != nil || endpoint.Port() != strconv.Itoa(a.Port) {
		t.Fatalf("the API is at %q, and the server's port is %d", outputs.Endpoint.Value, a.Port)
	}
	get := func(path string) harness.Response {
		r := a.Request("GET", path, nil)
		r.Host = endpoint.Host
		return a.Do(r)
	}
	get("/items").Want(t, 200, "GET /items of items")
	get("/items/1").Want(t, 200, "GET /items/{id} of items")
	get("/else").Want(t, 404, `{"message":"Not Found"}`)
	get("/closed").Want(t, 401, `{"message":"Unauthorized"}`)
	get("/users").Want(t, 401, `{"message":"Unauthorized"}`)
	s.run("terraform", "destroy", "-no-color", "-auto-approve")
	get("/items").Want(t, 404, `{"message":"Not Found"}`)
}
