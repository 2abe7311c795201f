package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi/policy"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/function"
)

type roles map[string]*Grant

func (r roles) Grant(_ context.Context, name string) (*Grant, error) { return r[name], nil }

func document(t *testing.T, statement string) *policy.Document {
	t.Helper()
	d, err := policy.Parse(`{"Version":"2012-10-17","Statement":[` + statement + `]}`)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOperationsNeedTheirActionOnTheirResource(t *testing.T) {
	a := &Authority{Account: function.DefaultAccount, Roles: roles{"r": {Name: "r", ARN: "arn:aws:iam::000000000000:role/ci/r"}}}
	const here = "us-east-1:000000000000:"
	for name, want := range map[string]string{
		`logs CreateLogStream {"logGroupName":"g","logStreamName":"s"}`:                     "logs:CreateLogStream arn:aws:logs:" + here + "log-group:g:log-stream:s",
		`logs TagResource {"resourceArn":"arn:aws:logs:` + here + `log-group:g:*"}`:         "logs:TagResource arn:aws:logs:" + here + "log-group:g:* arn:aws:logs:" + here + "log-group:g",
		`logs StartQuery {"logGroupIdentifiers":["arn:aws:logs:` + here + `log-group:g:"]}`: "logs:StartQuery arn:aws:logs:" + here + "log-group:g:* arn:aws:logs:" + here + "log-group:g",
		`logs StartQuery {"logGroupNames":["g:*"]}`:                                         "logs:StartQuery arn:aws:logs:" + here + "log-group:g:* arn:aws:logs:" + here + "log-group:g",
		`logs DescribeLogGroups {}`:                                                         "logs:DescribeLogGroups",
		`iam DeleteRole RoleName=r`:                                                         "iam:DeleteRole arn:aws:iam::000000000000:role/ci/r",
		`iam CreateRole RoleName=n&Path=/x/`:                                                "iam:CreateRole arn:aws:iam::000000000000:role/x/n",
		`iam GetPolicy PolicyArn=arn:p`:                                                     "iam:GetPolicy arn:p",
		`ssm GetParameters {"Names":["/a/b:3","c"]}`:                                        "ssm:GetParameters arn:aws:ssm:" + here + "parameter/a/b; ssm:GetParameters arn:aws:ssm:" + here + "parameter/c",
		`ssm GetParametersByPath {"Path":"/a"}`:                                             "ssm:GetParametersByPath arn:aws:ssm:" + here + "parameter/a",
		`events PutEvents {"Entries":[{"Source":"a"},{"EventBusName":"own"},{}]}`:           "events:PutEvents arn:aws:events:" + here + "event-bus/default; events:PutEvents arn:aws:events:" + here + "event-bus/own",
		`events PutTargets {"Rule":"r"}`:                                                    "events:PutTargets arn:aws:events:" + here + "rule/r",
		`events DeleteRule {"Name":"r","EventBusName":"own"}`:                               "events:DeleteRule arn:aws:events:" + here + "rule/own/r",
		`scheduler CreateSchedule {"Name":"s","Target":{"RoleArn":"arn:role"}}`:             "scheduler:CreateSchedule arn:aws:scheduler:" + here + "schedule/default/s; iam:PassRole arn:role",
		`cloudformation CreateChangeSet StackName=s&RoleARN=arn:role`:                       "cloudformation:CreateChangeSet arn:aws:cloudformation:" + here + "stack/s/*; iam:PassRole arn:role",
		`cloudformation DeleteStack StackName=arn:s`:                                        "cloudformation:DeleteStack arn:s",
		`cloudformation ListStacks NextToken=1`:                                             "cloudformation:ListStacks",
		`sqs SendMessageBatch {"QueueUrl":"http://sqs.example/123456789012/q"}`:             "sqs:SendMessage arn:aws:sqs:" + here + "q",
		`sns Publish TopicArn=arn:t`:                                                        "sns:Publish arn:t",
		`kinesis PutRecord {"StreamName":"s"}`:                                              "kinesis:PutRecord arn:aws:kinesis:" + here + "stream/s",
		`dynamodb Query {"TableName":"t","IndexName":"i"}`:                                  "dynamodb:Query arn:aws:dynamodb:" + here + "table/t/index/i",
		`dynamodb BatchGetItem {"RequestItems":{"t":{}}}`:                                   "dynamodb:BatchGetItem arn:aws:dynamodb:" + here + "table/t",
		`dynamodb TransactWriteItems {"TransactItems":[{"Put":{"TableName":"a"}},{"Put":{"TableName":"a"}},{"Delete":{"TableName":"b"}}]}`: "dynamodb:PutItem arn:aws:dynamodb:" + here + "table/a; dynamodb:DeleteItem arn:aws:dynamodb:" + here + "table/b",
		`dynamodb ListTables {}`:                                                    "dynamodb:ListTables",
		`lambda Invoke function=f:live`:                                             "lambda:InvokeFunction arn:aws:lambda:" + here + "function:f:live",
		`lambda GetFunction function=arn:aws:lambda:` + here + `function:f`:         "lambda:GetFunction arn:aws:lambda:" + here + "function:f",
		`lambda UpdateFunctionConfiguration {"FunctionName":"f","Role":"arn:role"}`: "lambda:UpdateFunctionConfiguration arn:aws:lambda:" + here + "function:f; iam:PassRole arn:role",
		`s3 HeadObject b/k`:                                                         "s3:GetObject arn:aws:s3:::b/k",
		`s3 ListBuckets `:                                                           "s3:ListAllMyBuckets",
		`cloudformation DeleteStack StackName=s`:                                    "cloudformation:DeleteStack arn:aws:cloudformation:" + here + "stack/s/*",
		// What names something in a member that the service does not look at gives no right.
		`dynamodb ExecuteStatement {"Statement":"SELECT * FROM secret","TableName":"own"}`:                  "dynamodb:PartiQLSelect; dynamodb:PartiQLInsert; dynamodb:PartiQLUpdate; dynamodb:PartiQLDelete",
		`dynamodb RestoreTableFromBackup {"TargetTableName":"x","TableName":"own"}`:                         "dynamodb:RestoreTableFromBackup",
		`dynamodb PutItem {"TableName":"t","IndexName":"own"}`:                                              "dynamodb:PutItem arn:aws:dynamodb:" + here + "table/t",
		`sns Unsubscribe SubscriptionArn=arn:s&TopicArn=arn:own`:                                            "sns:Unsubscribe arn:own; sns:Unsubscribe arn:s",
		`sqs StartMessageMoveTask {"SourceArn":"arn:q","QueueUrl":"/1/own"}`:                                "sqs:StartMessageMoveTask arn:aws:sqs:" + here + "own; sqs:StartMessageMoveTask arn:q",
		`kinesis PutRecord {"StreamName":"s","StreamARN":"arn:own"}`:                                        "kinesis:PutRecord arn:own; kinesis:PutRecord arn:aws:kinesis:" + here + "stream/s",
		`logs TagResource {"resourceArn":"g","logGroupName":"own"}`:                                         "logs:TagResource arn:aws:logs:" + here + "log-group:own:* arn:aws:logs:" + here + "log-group:own; logs:TagResource arn:aws:logs:" + here + "log-group:g:* arn:aws:logs:" + here + "log-group:g",
		`logs GetLogEvents {"LOGGROUPNAME":"g"}`:                                                            "logs:GetLogEvents arn:aws:logs:" + here + "log-group:g:* arn:aws:logs:" + here + "log-group:g",
		`logs DescribeLogGroups {"logGroupName":"own"}`:                                                     "logs:DescribeLogGroups",
		`ssm GetParameter {"Name":"arn:aws:ssm:` + here + `parameter/a:3"}`:                                 "ssm:GetParameter arn:aws:ssm:" + here + "parameter/a",
		`ssm GetParametersByPath {"Path":"/a/"}`:                                                            "ssm:GetParametersByPath arn:aws:ssm:" + here + "parameter/a",
		`lambda UpdateFunctionCode {"FunctionName":"f","S3Bucket":"b","S3Key":"k"}`:                         "lambda:UpdateFunctionCode arn:aws:lambda:" + here + "function:f; s3:GetObject arn:aws:s3:::b/k",
		`lambda CreateFunction {"FunctionName":"f","Code":{"S3Bucket":"b","S3Key":"k"},"Layers":["arn:l"]}`: "lambda:CreateFunction arn:aws:lambda:" + here + "function:f; s3:GetObject arn:aws:s3:::b/k; lambda:GetLayerVersion arn:l",
		`unheard Of {"Name":"x"}`:                                                                           "unheard:Of",
	} {
		parts := strings.SplitN(name, " ", 3)
		in := &Input{HTTP: httptest.NewRequest("POST", "/", nil)}
		switch {
		case strings.HasPrefix(parts[2], "{"):
			if err := json.Unmarshal([]byte(parts[2]), &in.JSON); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(parts[2], "function="):
			in.JSON = map[string]any{"FunctionName": parts[2][len("function="):]}
		default:
			in.Form, _ = url.ParseQuery(parts[2])
		}
		var needs []Need
		var err error
		switch parts[0] {
		case "lambda":
			needs = a.Lambda(parts[1], in)
		case "s3":
			bucket, key, _ := strings.Cut(parts[2], "/")
			needs = S3(parts[1], bucket, key)
		default:
			needs, err = a.Needs(t.Context(), parts[0], parts[1], in)
		}
		var got []string
		for _, n := range needs {
			got = append(got, strings.Join(append([]string{n.Action}, n.Resources...), " "))
		}
		if text := strings.Join(got, "; "); text != want || err != nil {
			t.Errorf("%s: %s %v, want %s", name, text, err, want)
		}
	}
}

func TestMembersAreReadInOneWay(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"logGroupName":"a","limit":1}`: true, ``: true, `{}`: true,
		`{"logGroupName":"a","logGroupName":"b"}`: false, `{"logGroupName":"a","LogGroupName":null}`: false, `{"resource\u017frn":"a"}`: false,
		`{"a":1}{}`: false, `[]`: false, `{"a"`: false, `{"a":1`: false,
	} {
		if _, err := Members([]byte(body)); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestARoleIsWhatItWasWhenItsCredentialsWereMade(t *testing.T) {
	all := document(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	a := &Authority{Account: function.DefaultAccount, Roles: roles{"r": {Name: "r", ID: "AROA1", ARN: "arn:r", Policies: []*policy.Document{all}}}}
	r := httptest.NewRequest("POST", "/", nil)
	key := func(name, id string) *sigv4.Key {
		return &sigv4.Key{Role: &sigv4.Role{Name: name, ID: id, Session: "s"}}
	}
	var denied *Denied
	for _, test := range []struct {
		key  *sigv4.Key
		may  bool
		need Need
	}{
		{key("r", "AROA1"), true, Need{Action: "a:b"}},
		{key("r", "AROA2"), false, Need{Action: "a:b"}},
		{key("gone", "AROA1"), false, Need{Action: "a:b"}},
		{&sigv4.Key{ID: "AKIA"}, true, Need{Action: "a:b"}},
		{key("r", "AROA1"), false, Need{Action: "a:b", Resources: []string{"x", "y"}, Policy: document(t, `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalArn":"arn:r"}}}`)}},
	} {
		if err := a.Check(t.Context(), test.key, r, test.need); (err == nil) != test.may || err != nil && !errors.As(err, &denied) {
			t.Errorf("%+v: %v", test.key, err)
		}
	}
	// A policy of a resource that allows the account leaves the rest to the policies of the role.
	a.Roles = roles{"n": {Name: "n", ID: "AROA1", ARN: "arn:aws:iam::000000000000:role/n"}}
	for principal, may := range map[string]bool{
		"000000000000": false, "arn:aws:iam::000000000000:root": false, "arn:aws:iam::000000000000:role/n": true, "*": true, "arn:aws:sts::000000000000:assumed-role/n/s": true,
	} {
		own := document(t, `{"Effect":"Allow","Principal":{"AWS":"`+principal+`"},"Action":"*","Resource":"*"}`)
		if err := a.Check(t.Context(), key("n", "AROA1"), r, Need{Action: "a:b", Policy: own}); (err == nil) != may {
			t.Errorf("a policy for %s: %v", principal, err)
		}
	}
	own := document(t, `{"Effect":"Deny","Principal":{"AWS":"000000000000"},"Action":"*","Resource":"*"}`)
	a.Roles = roles{"r": {Name: "r", ID: "AROA1", ARN: "arn:r", Policies: []*policy.Document{all}}}
	if err := a.Check(t.Context(), key("r", "AROA1"), r, Need{Action: "a:b", Policy: own}); err == nil {
		t.Error("a policy that denies the account does not deny its role")
	}
	a.Off = true
	if err := a.Check(t.Context(), key("gone", ""), r, Need{Action: "a:b"}); err != nil {
		t.Errorf("policies are off: %v", err)
	}
	if err := a.Check(t.Context(), key("r", ""), r); err != nil {
		t.Error(fmt.Sprint(err))
	}
}
