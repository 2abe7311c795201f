package api

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// terraformAPI is a function with an HTTP API and a REST API in front of it.
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
  access_log_settings {
    destination_arn = "arn:aws:logs:us-east-1:000000000000:log-group:shop"
    format          = "$context.requestId $context.status"
  }
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
resource "aws_apigatewayv2_api" "chat" {
  name                       = "chat"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}
resource "aws_apigatewayv2_integration" "chat" {
  api_id             = aws_apigatewayv2_api.chat.id
  integration_type   = "AWS_PROXY"
  integration_uri    = aws_lambda_function.items.invoke_arn
  integration_method = "POST"
}
resource "aws_apigatewayv2_authorizer" "chat" {
  api_id           = aws_apigatewayv2_api.chat.id
  authorizer_type  = "REQUEST"
  authorizer_uri   = aws_lambda_function.items.invoke_arn
  identity_sources = ["route.request.querystring.token"]
  name             = "chat"
}
resource "aws_apigatewayv2_route" "connect" {
  api_id             = aws_apigatewayv2_api.chat.id
  route_key          = "$connect"
  target             = "integrations/${aws_apigatewayv2_integration.chat.id}"
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.chat.id
}
resource "aws_apigatewayv2_route" "say" {
  api_id                              = aws_apigatewayv2_api.chat.id
  route_key                           = "say"
  target                              = "integrations/${aws_apigatewayv2_integration.chat.id}"
  route_response_selection_expression = "$default"
}
resource "aws_apigatewayv2_route_response" "say" {
  api_id             = aws_apigatewayv2_api.chat.id
  route_id           = aws_apigatewayv2_route.say.id
  route_response_key = "$default"
}
resource "aws_apigatewayv2_deployment" "chat" {
  api_id     = aws_apigatewayv2_api.chat.id
  depends_on = [aws_apigatewayv2_route.connect, aws_apigatewayv2_route.say, aws_apigatewayv2_route_response.say]
}
resource "aws_apigatewayv2_stage" "chat" {
  api_id        = aws_apigatewayv2_api.chat.id
  name          = "dev"
  deployment_id = aws_apigatewayv2_deployment.chat.id
}
resource "aws_api_gateway_rest_api" "store" {
  name = "store"
  tags = { team = "store" }
  endpoint_configuration { types = ["REGIONAL"] }
}
resource "aws_api_gateway_resource" "goods" {
  rest_api_id = aws_api_gateway_rest_api.store.id
  parent_id   = aws_api_gateway_rest_api.store.root_resource_id
  path_part   = "goods"
}
resource "aws_api_gateway_resource" "good" {
  rest_api_id = aws_api_gateway_rest_api.store.id
  parent_id   = aws_api_gateway_resource.goods.id
  path_part   = "{proxy+}"
}
resource "aws_api_gateway_method" "good" {
  rest_api_id        = aws_api_gateway_rest_api.store.id
  resource_id        = aws_api_gateway_resource.good.id
  http_method        = "ANY"
  authorization      = "NONE"
  request_parameters = { "method.request.path.proxy" = true }
}
resource "aws_api_gateway_integration" "good" {
  rest_api_id             = aws_api_gateway_rest_api.store.id
  resource_id             = aws_api_gateway_resource.good.id
  http_method             = aws_api_gateway_method.good.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.items.invoke_arn
}
resource "aws_api_gateway_method" "preflight" {
  rest_api_id   = aws_api_gateway_rest_api.store.id
  resource_id   = aws_api_gateway_resource.goods.id
  http_method   = "OPTIONS"
  authorization = "NONE"
}
resource "aws_api_gateway_method_response" "preflight" {
  rest_api_id         = aws_api_gateway_rest_api.store.id
  resource_id         = aws_api_gateway_resource.goods.id
  http_method         = aws_api_gateway_method.preflight.http_method
  status_code         = "200"
  response_models     = { "application/json" = "Empty" }
  response_parameters = { "method.response.header.Access-Control-Allow-Origin" = true }
}
resource "aws_api_gateway_integration" "preflight" {
  rest_api_id       = aws_api_gateway_rest_api.store.id
  resource_id       = aws_api_gateway_resource.goods.id
  http_method       = aws_api_gateway_method.preflight.http_method
  type              = "MOCK"
  request_templates = { "application/json" = jsonencode({ statusCode = 200 }) }
}
resource "aws_api_gateway_integration_response" "preflight" {
  rest_api_id         = aws_api_gateway_rest_api.store.id
  resource_id         = aws_api_gateway_resource.goods.id
  http_method         = aws_api_gateway_integration.preflight.http_method
  status_code         = aws_api_gateway_method_response.preflight.status_code
  response_parameters = { "method.response.header.Access-Control-Allow-Origin" = "'*'" }
}
resource "aws_api_gateway_deployment" "store" {
  rest_api_id = aws_api_gateway_rest_api.store.id
  depends_on  = [aws_api_gateway_integration.good, aws_api_gateway_integration_response.preflight]
}
resource "aws_api_gateway_stage" "live" {
  rest_api_id   = aws_api_gateway_rest_api.store.id
  deployment_id = aws_api_gateway_deployment.store.id
  stage_name    = "live"
  variables     = { table = "goods" }
  tags          = { stage = "live" }
}
resource "aws_api_gateway_method_settings" "live" {
  rest_api_id = aws_api_gateway_rest_api.store.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  method_path = "*/*"
  settings {
    throttling_rate_limit  = 1000
    throttling_burst_limit = 500
  }
}
resource "aws_lambda_permission" "store" {
  statement_id  = "store"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.items.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.store.execution_arn}/*/*"
}
resource "aws_api_gateway_authorizer" "gate" {
  name           = "gate"
  rest_api_id    = aws_api_gateway_rest_api.store.id
  authorizer_uri = aws_lambda_function.items.invoke_arn
}
resource "aws_api_gateway_api_key" "acme" {
  name = "acme"
}
resource "aws_api_gateway_usage_plan" "partners" {
  name = "partners"
  api_stages {
    api_id = aws_api_gateway_rest_api.store.id
    stage  = aws_api_gateway_stage.live.stage_name
  }
  quota_settings {
    limit  = 1000
    period = "MONTH"
  }
  throttle_settings {
    burst_limit = 5
    rate_limit  = 10
  }
}
resource "aws_api_gateway_usage_plan_key" "acme" {
  key_id        = aws_api_gateway_api_key.acme.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.partners.id
}
resource "aws_apigatewayv2_domain_name" "shop" {
  domain_name = "shop.example.com"
  domain_name_configuration {
    certificate_arn = "arn:aws:acm:us-east-1:000000000000:certificate/00000000-0000-0000-0000-000000000000"
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}
resource "aws_apigatewayv2_api_mapping" "shop" {
  api_id          = aws_apigatewayv2_api.shop.id
  domain_name     = aws_apigatewayv2_domain_name.shop.id
  stage           = aws_apigatewayv2_stage.live.id
  api_mapping_key = "v1"
}
resource "aws_api_gateway_base_path_mapping" "store" {
  api_id      = aws_api_gateway_rest_api.store.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  domain_name = aws_apigatewayv2_domain_name.shop.domain_name
  base_path   = "store"
}
output "store" { value = aws_api_gateway_rest_api.store.id }
output "endpoint" { value = aws_apigatewayv2_api.shop.api_endpoint }
`

func TestTerraformMakesAPIs(t *testing.T) {
	harness.Slow(t, "terraform starts its provider six times")
	harness.Parallel(t)
	plugins := harness.TerraformPlugins(t)
	a := harness.NewAPI(t, "ignore certificate_arn\n", "")
	s := newShell(a)
	s.write("code.zip", harness.NodeZip(t, "return { statusCode: 200, body: (event.routeKey ?? event.path) + ' of ' + event.stageVariables.table };"))
	s.write("main.tf", []byte(terraformAPI))
	s.env = append(s.env, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+filepath.Join(s.work, "terraformrc"))
	s.write("terraformrc", nil)
	s.run("terraform", "init", "-no-color", "-plugin-dir="+plugins)
	s.run("terraform", "apply", "-no-color", "-auto-approve")
	s.want(s.run("terraform", "plan", "-no-color", "-detailed-exitcode"), "No changes")
	var outputs struct{ Endpoint, Store struct{ Value string } }
	a.Check(json.Unmarshal([]byte(s.run("terraform", "output", "-json")), &outputs))
	endpoint, err := url.Parse(outputs.Endpoint.Value)
	if err != nil || endpoint.Port() != strconv.Itoa(a.Port) {
		t.Fatalf("the API is at %q, and the server's port is %d", outputs.Endpoint.Value, a.Port)
	}
	ask := func(method, host, path string) harness.Response {
		r := a.Request(method, path, nil)
		r.Host = host
		return a.Do(r)
	}
	get := func(path string) harness.Response { return ask("GET", endpoint.Host, path) }
	get("/items").Want(t, 200, "GET /items of items")
	get("/items/1").Want(t, 200, "GET /items/{id} of items")
	get("/else").Want(t, 404, `{"message":"Not Found"}`)
	get("/closed").Want(t, 401, `{"message":"Unauthorized"}`)
	get("/users").Want(t, 401, `{"message":"Unauthorized"}`)
	store := outputs.Store.Value + ".execute-api.us-east-1.localhost"
	ask("PUT", store, "/live/goods/1").Want(t, 200, "/goods/1 of goods")
	ask("GET", store, "/live/else").Want(t, 403, `{"message":"Missing Authentication Token"}`)
	if got := ask("OPTIONS", store, "/live/goods"); got.Status != 200 || got.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	s.run("terraform", "destroy", "-no-color", "-auto-approve")
	get("/items").Want(t, 404, `{"message":"Not Found"}`)
}
