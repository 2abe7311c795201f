package api

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestAFunctionOfTheCaddyfileActsByItsRole(t *testing.T) {
	harness.Parallel(t)
	const role = "arn:aws:iam::000000000000:role/writer"
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	dir := a.Code("own", map[string]string{"app.py": actingCode})
	own := func(options string) string {
		return "function own {\n runtime python3.11\n handler app.handler\n code " + dir + "\n timeout 25s\n role " + role + "\n" + options + "}\n"
	}
	a.Server.Configure(own(""), "")
	a.StartFails(`function \"own\"`, "no site has lambda_api")

	a.Configure(own(""), "")
	a.Start()
	a.Connect()
	s := newShell(a)
	f := actor{a, "own"}
	if keys := f.keys(); strings.Join(keys, "") != "" {
		t.Errorf("a function whose role is not here has %q", keys)
	}
	harness.Eventually(t, "the log tells that the role is not here", func() bool { return strings.Contains(a.Output(), "its role is not here") })
	s.role("writer", lambdaTrust, `[{"Effect":"Allow","Action":"ssm:PutParameter","Resource":"*"}]`)
	a.Configure(own(" memory 256\n"), "") // new environments
	a.Reload()
	put := does{"service": "ssm", "target": "AmazonSSM.PutParameter", "body": `{"Name":"/own","Value":"v","Type":"String"}`}
	f.may(put, `"Version":1`)
	f.mayNot(does{"service": "ssm", "target": "AmazonSSM.GetParameter", "body": `{"Name":"/own"}`}, 403, "assumed-role/writer/own")
	shown, err := a.GetFunctionConfiguration(context.Background(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("own")})
	a.Check(err)
	if aws.ToString(shown.Role) != role {
		t.Errorf("the API shows the role %q", aws.ToString(shown.Role))
	}
}
