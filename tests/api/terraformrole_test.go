package api

import (
	"path/filepath"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// terraformShop is a function with its role and its log group. The provider is not told to
// skip anything of what it asks AWS before.
const terraformShop = `
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  default_tags { tags = { team = "shop" } }
}
variable "days" { default = 7 }
data "aws_caller_identity" "me" {}
data "aws_iam_policy" "basic" { name = "AWSLambdaBasicExecutionRole" }
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}
resource "aws_iam_role" "shop" {
  name               = "shop"
  path               = "/svc/"
  description        = "of the shop"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
resource "aws_iam_role_policy_attachment" "basic" {
  role       = aws_iam_role.shop.name
  policy_arn = data.aws_iam_policy.basic.arn
}
resource "aws_iam_role_policy" "read" {
  name   = "read"
  role   = aws_iam_role.shop.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::goods/*" }] })
}
resource "aws_iam_policy" "write" {
  name   = "write"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:PutObject", Resource = "arn:aws:s3:::goods/days-${var.days}/*" }] })
}
resource "aws_iam_role_policy_attachment" "write" {
  role       = aws_iam_role.shop.name
  policy_arn = aws_iam_policy.write.arn
}
resource "aws_cloudwatch_log_group" "shop" {
  name              = "/aws/lambda/shop"
  retention_in_days = var.days
}
resource "aws_lambda_function" "shop" {
  function_name    = "shop"
  role             = aws_iam_role.shop.arn
  runtime          = "nodejs20.x"
  handler          = "index.handler"
  filename         = "code.zip"
  source_code_hash = filebase64sha256("code.zip")
  depends_on       = [aws_iam_role_policy_attachment.basic, aws_cloudwatch_log_group.shop]
}
resource "aws_ssm_parameter" "url" {
  name  = "/shop/url"
  type  = "String"
  value = "https://shop.example.com/${var.days}"
}
resource "aws_ssm_parameter" "key" {
  name  = "/shop/key"
  type  = "SecureString"
  value = "top secret"
  tags  = { stage = "dev" }
}
output "me" { value = data.aws_caller_identity.me.arn }
`

func TestTerraformMakesAFunctionWithItsRole(t *testing.T) {
	harness.Slow(t, "terraform starts its provider six times")
	harness.Parallel(t)
	plugins := harness.TerraformPlugins(t)
	a := harness.NewAPI(t, "", "")
	s := newShell(a)
	s.write("code.zip", harness.NodeZip(t, "return 'sold'"))
	s.write("main.tf", []byte(terraformShop))
	s.env = append(s.env, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+filepath.Join(s.work, "terraformrc"))
	s.write("terraformrc", nil)
	s.run("terraform", "init", "-no-color", "-plugin-dir="+plugins)
	s.run("terraform", "apply", "-no-color", "-auto-approve")
	s.want(s.run("terraform", "plan", "-no-color", "-detailed-exitcode"), "No changes")
	s.want(s.run("terraform", "output", "-raw", "me"), "arn:aws:iam::000000000000:user/"+a.Credentials.AccessKeyID)
	s.want(s.run("aws", "lambda", "invoke", "--function-name", "shop", "out"), "200")
	s.run("terraform", "apply", "-no-color", "-auto-approve", "-var", "days=14")
	s.want(s.run("terraform", "plan", "-no-color", "-detailed-exitcode", "-var", "days=14"), "No changes")
	s.want(s.run("aws", "logs", "describe-log-groups", "--query", "logGroups[].retentionInDays", "--output", "text"), "14")
	s.want(s.run("aws", "iam", "list-policy-versions", "--policy-arn", "arn:aws:iam::000000000000:policy/write", "--query", "Versions[].VersionId", "--output", "text"), "v2\tv1")
	s.want(s.run("aws", "ssm", "get-parameter", "--name", "/shop/url", "--query", "Parameter.Value", "--output", "text"), "https://shop.example.com/14")
	s.run("terraform", "destroy", "-no-color", "-auto-approve")
	s.want(s.run("aws", "iam", "list-roles", "--query", "length(Roles)"), "0")
	s.want(s.run("aws", "iam", "list-policies", "--scope", "Local", "--query", "length(Policies)"), "0")
	s.want(s.run("aws", "ssm", "describe-parameters", "--query", "length(Parameters)"), "0")
}
