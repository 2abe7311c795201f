package registry_test

import (
	"encoding/json"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

func TestAPolicyLetsTheServicesInvokeThatItNames(t *testing.T) {
	const api = "arn:aws:execute-api:us-east-1:000000000000:a1b2/dev/GET/pets/{id}"
	service := `{"Service":"apigateway.amazonaws.com"}`
	source := func(arn string) string { return `{"ArnLike":{"AWS:SourceArn":"` + arn + `"}}` }
	for _, test := range []struct {
		principal, action, condition string
		want                         bool
	}{
		{service, "lambda:InvokeFunction", "", true},
		{`"*"`, "lambda:InvokeFunction", "", true},
		{service, "lambda:InvokeFunctionUrl", "", false},
		{service, "lambda:GetFunction", "", false},
		{`{"Service":"s3.amazonaws.com"}`, "lambda:InvokeFunction", "", false},
		{`{"AWS":"arn:aws:iam::000000000000:root"}`, "lambda:InvokeFunction", "", false},
		{service, "lambda:InvokeFunction", source("arn:aws:execute-api:us-east-1:000000000000:a1b2/*/*"), true},
		{service, "lambda:InvokeFunction", source("arn:aws:execute-api:us-east-1:000000000000:a1b2/*/*/pets/{id}"), true},
		{service, "lambda:InvokeFunction", source("arn:aws:execute-api:us-east-1:000000000000:a1b?/dev/G*T/*"), true},
		{service, "lambda:InvokeFunction", source("arn:aws:execute-api:*:*:*"), true},
		{service, "lambda:InvokeFunction", source("arn:aws:execute-api:us-east-1::a1b2/*/*"), true},
		{service, "lambda:InvokeFunction", source("arn:aws:execute-api:us-east-1:000000000000:a1b2/*/POST/*"), false},
		{service, "lambda:InvokeFunction", source("arn:aws:execute-api:us-east-1:000000000000:other/*"), false},
		{service, "lambda:InvokeFunction", source("arn:aws:execute-api:*"), false}, // it has not six parts
		{service, "lambda:InvokeFunction", source("*"), false},
		{service, "lambda:InvokeFunction", `{"StringEquals":{"AWS:SourceAccount":"000000000000"}}`, true},
		{service, "lambda:InvokeFunction", `{"StringEquals":{"AWS:SourceAccount":"111111111111"}}`, false},
		{service, "lambda:InvokeFunction", `{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`, false},
		{service, "lambda:InvokeFunction", `{"StringLike":[]}`, false},
	} {
		s := registry.Statement{Effect: "Allow", Principal: json.RawMessage(test.principal), Action: test.action, Condition: json.RawMessage(test.condition)}
		p := registry.Policy{Statements: []registry.Statement{s}}
		caller := registry.Caller{Service: "apigateway.amazonaws.com", ARN: api, Account: "000000000000"}
		if got := p.Allows(caller); got != test.want {
			t.Errorf("%+v: %v, want %v", test, got, test.want)
		}
	}
	if (&registry.Policy{}).Allows(registry.Caller{Service: "apigateway.amazonaws.com"}) {
		t.Error("an empty policy allows")
	}
}

func TestAPolicyOpensFunctionURLs(t *testing.T) {
	none := `{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}`
	for _, test := range []struct {
		principal, action, condition string
		want                         bool
	}{
		{`"*"`, "lambda:InvokeFunctionUrl", none, true},
		{`{"AWS":"*"}`, "lambda:InvokeFunctionUrl", none, true},
		{`"*"`, "lambda:InvokeFunctionUrl", "", true},
		{`"*"`, "lambda:InvokeFunction", none, false},
		{`"*"`, "lambda:InvokeFunctionUrl", `{"StringEquals":{"lambda:FunctionUrlAuthType":"AWS_IAM"}}`, false},
		{`"*"`, "lambda:InvokeFunctionUrl", `{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`, false},
		{`{"AWS":"arn:aws:iam::000000000000:root"}`, "lambda:InvokeFunctionUrl", none, false},
		{`{"Service":"apigateway.amazonaws.com"}`, "lambda:InvokeFunctionUrl", none, false},
	} {
		s := registry.Statement{Effect: "Allow", Principal: json.RawMessage(test.principal), Action: test.action, Condition: json.RawMessage(test.condition)}
		if got := (&registry.Policy{Statements: []registry.Statement{s}}).AllowsURL(); got != test.want {
			t.Errorf("%+v: %v, want %v", test, got, test.want)
		}
	}
}
