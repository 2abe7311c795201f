package iam

import (
	"strings"
	"testing"
)

const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

func TestPoliciesAreCheckedAsAWSChecksThem(t *testing.T) {
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	for text, want := range map[string]string{
		allowAll: "",
		statement(`{"Sid":"a","Effect":"Deny","NotAction":["s3:*"],"NotResource":["arn:aws:s3:::b/*"],"Condition":{"StringEquals":{"aws:PrincipalTag/a":["b"]}}}`): "",
		`{`:                "invalid Json",
		`[]`:               "Syntax errors",
		`{}`:               "Syntax errors",
		`{"Statement":[]}`: "Syntax errors",
		`{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`:                                                    "valid version string",
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Else":1}}`:                                                                  "Syntax errors",
		statement(`{"Effect":"allow","Action":"*","Resource":"*"}`):                                                                              "Syntax errors",
		statement(`{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}`):                                                              "Syntax errors",
		statement(`{"Effect":"Allow","Action":[1],"Resource":"*"}`):                                                                              "Syntax errors",
		statement(`{"Effect":"Allow","Resource":"*"}`):                                                                                           "must contain actions",
		statement(`{"Effect":"Allow","Action":[],"Resource":"*"}`):                                                                               "must contain actions",
		statement(`{"Effect":"Allow","Action":"Get","Resource":"*"}`):                                                                            "prefaced by a vendor",
		statement(`{"Effect":"Allow","Action":"s3:Get"}`):                                                                                        "must contain resources",
		statement(`{"Effect":"Allow","Action":"s3:Get","Resource":"bucket"}`):                                                                    `must be in ARN format or "*"`,
		statement(`{"Effect":"Allow","Action":"s3:Get","Resource":"*","Principal":"*"}`):                                                         "should not specify a principal",
		statement(`{"Sid":"a","Effect":"Allow","Action":"s3:Get","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"s3:Get","Resource":"*"}`): "must be unique",
	} {
		wants(t, checkPolicy(text), text, want)
	}
	for text, want := range map[string]string{
		statement(`{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}`):                 "",
		statement(`{"Effect":"Allow","Principal":{"Service":["a","b"],"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession"]}`): "",
		statement(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`):                                                "",
		allowAll: "prohibited field Resource",
		statement(`{"Effect":"Allow","Action":"sts:AssumeRole"}`):                                    "Missing required field Principal",
		statement(`{"Effect":"Allow","Principal":{"Host":"a"},"Action":"sts:AssumeRole"}`):           "Invalid principal",
		statement(`{"Effect":"Allow","Principal":"a","Action":"sts:AssumeRole"}`):                    "Invalid principal",
		statement(`{"Effect":"Allow","Principal":{"Service":"a"},"Action":"lambda:InvokeFunction"}`): "STS AssumeRole actions",
	} {
		wants(t, checkTrust(text), text, want)
	}
	long := strings.Replace(allowAll, `"Action":"*"`, `"Action":["s3:`+strings.Repeat("a", maxManaged)+`"]`, 1)
	wants(t, checkManaged(long), "a long policy", "PolicySize: 6144")
	wants(t, checkManaged(strings.Replace(allowAll, `"Action"`, strings.Repeat(" ", maxManaged)+`"Action"`, 1)), "white space", "")
}

func wants(t *testing.T, err error, what, text string) {
	t.Helper()
	if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("%.200s: %v, want %q", what, err, text)
	}
}

func TestThePoliciesOfAWSsOwnAreGood(t *testing.T) {
	for arn, k := range managed() {
		wants(t, checkPolicy(string(k.Document)), arn, "")
		if p, found := ofAWS(arn); !found || p.ARN != "arn:aws:iam::aws:policy"+p.Path+p.PolicyName || p.Default != k.Version {
			t.Errorf("%s is %+v", arn, p)
		}
	}
	for arn, want := range map[string]bool{
		ownedByAWS + "job-function/Billing":        true,
		ownedByAWS + "AWSLambdaBasicExecutionRole": false, // its path is service-role/
		ownedByAWS:       false,
		ownedByAWS + "/": false,
		"arn:aws:iam::000000000000:policy/AdministratorAccess": false,
	} {
		if _, found := ofAWS(arn); found != want {
			t.Errorf("%s is there: %v", arn, found)
		}
	}
}

func FuzzPolicies(f *testing.F) {
	f.Add(allowAll)
	f.Fuzz(func(t *testing.T, text string) {
		_ = checkPolicy(text)
		_ = checkTrust(text)
	})
}
