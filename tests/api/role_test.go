package api

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// actingCode calls AWS's APIs as the event says, by the credentials in its environment: a service, a
// path, an X-Amz-Target, a body and the credentials of somebody else. It signs itself: the machine
// may have no SDK for functions.
const actingCode = `
import datetime, hashlib, hmac, http.client, json, os, urllib.parse

def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()

def handler(event, context):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")
    own = [os.environ.get(name, "") for name in names]
    if event.get("tell"):
        return own
    key, secret, token, _ = event.get("as") or own
    url = urllib.parse.urlsplit(event.get("url") or own[3])
    service, path, body = event["service"], event.get("path", "/"), event.get("body", "")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": url.netloc, "x-amz-date": now, "x-amz-security-token": token, "x-amz-content-sha256": hashlib.sha256(body.encode()).hexdigest()}
    if event.get("target"):
        headers["x-amz-target"] = event["target"]
    names = ";".join(sorted(headers))
    text = "\n".join([event.get("method", "POST"), path, ""] + ["%s:%s" % (n, headers[n]) for n in sorted(headers)] + ["", names, headers["x-amz-content-sha256"]])
    scope = "%s/us-east-1/%s/aws4_request" % (now[:8], service)
    signing = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        signing = sign(signing, part)
    mac = sign(signing, "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(text.encode()).hexdigest()])).hex()
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (key, scope, names, mac)
    if event.get("target"):
        headers["Content-Type"] = "application/x-amz-json-1.1"
    elif service in ("sts", "iam", "cloudformation"):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    to = http.client.HTTPConnection(url.netloc, timeout=20)
    to.request(event.get("method", "POST"), path, body, headers)
    answer = to.getresponse()
    return {"status": answer.status, "body": answer.read().decode()}
`

// An actor is a function that acts by a role.
type actor struct {
	a    *harness.API
	name string
}

func newActor(a *harness.API, name, role string, change ...func(*lambda.CreateFunctionInput)) actor {
	change = append([]func(*lambda.CreateFunctionInput){func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler, in.Role, in.Timeout = types.RuntimePython311, aws.String("app.handler"), aws.String("arn:aws:iam::000000000000:role/"+role), aws.Int32(25)
	}}, change...)
	a.Create(name, harness.ZipOf(a.T, map[string]string{"app.py": actingCode}), change...)
	return actor{a, name}
}

type does map[string]any

// do has the function call, and returns the status and what is answered.
func (f actor) do(what does) (int, string) {
	f.a.T.Helper()
	event, err := json.Marshal(what)
	f.a.Check(err)
	out := f.a.Call(f.name, string(event))
	var answer struct {
		Status int
		Body   string
	}
	if err := json.Unmarshal(out.Payload, &answer); err != nil || out.FunctionError != nil {
		f.a.T.Fatalf("%s: %s", event, out.Payload)
	}
	return answer.Status, answer.Body
}

func (f actor) may(what does, text string) {
	f.a.T.Helper()
	if status, body := f.do(what); status/100 != 2 || !strings.Contains(body, text) {
		f.a.T.Errorf("%v: %d %s, want %s", what, status, body, text)
	}
}

func (f actor) mayNot(what does, status int, texts ...string) {
	f.a.T.Helper()
	got, body := f.do(what)
	if got != status {
		f.a.T.Errorf("%v: %d %s", what, got, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			f.a.T.Errorf("%v: %s, want %s", what, body, text)
		}
	}
}

// keys are the credentials of the function.
func (f actor) keys() (all []string) {
	f.a.T.Helper()
	out := f.a.Call(f.name, `{"tell":true}`)
	f.a.Check(json.Unmarshal(out.Payload, &all))
	return all
}

const lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// role makes a role by aws's command.
func (s *shell) role(name, trust, policy string) {
	s.want(s.run("aws", "iam", "create-role", "--role-name", name, "--assume-role-policy-document", trust), "role/"+name)
	if policy != "" {
		s.run("aws", "iam", "put-role-policy", "--role-name", name, "--policy-name", "p", "--policy-document", `{"Version":"2012-10-17","Statement":`+policy+`}`)
	}
}

func TestAFunctionMayDoWhatItsRoleSays(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	s := newShell(a)
	const account = "us-east-1:000000000000:"
	s.role("writer", lambdaTrust, `[{"Effect":"Allow","Action":"ssm:*Parameter","Resource":"arn:aws:ssm:`+account+`parameter/shop/*"},{"Effect":"Deny","Action":"ssm:PutParameter","Resource":"arn:aws:ssm:*:*:*/secret"},
		{"Effect":"Allow","Action":["lambda:CreateFunction","lambda:InvokeFunction","iam:PutRolePolicy"],"Resource":["arn:aws:lambda:`+account+`function:w*","arn:aws:iam::000000000000:role/none"]},
		{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::000000000000:role/chained"}]`)
	s.role("reader", lambdaTrust, "")
	s.run("aws", "iam", "attach-role-policy", "--role-name", "reader", "--policy-arn", "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess")
	s.role("chained", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x1"}}}]}`,
		`[{"Effect":"Allow","Action":"*","Resource":"*"}]`)
	s.role("closed", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`, "")
	writer, reader, nobody := newActor(a, "w", "writer"), newActor(a, "r", "reader"), newActor(a, "n", "not-there")
	ssm := func(operation, body string) does {
		return does{"service": "ssm", "target": "AmazonSSM." + operation, "body": body}
	}
	put := func(name string) does {
		return ssm("PutParameter", `{"Name":"`+name+`","Value":"v","Type":"String","Overwrite":true}`)
	}

	writer.may(put("/shop/url"), `"Version":1`)
	writer.may(ssm("GetParameter", `{"Name":"/shop/url"}`), `"Value":"v"`)
	who := "User: arn:aws:sts::000000000000:assumed-role/writer/w is not authorized to perform: "
	writer.mayNot(put("/other"), 403, "AccessDeniedException", who+"ssm:PutParameter on resource: arn:aws:ssm:"+account+"parameter/other because no identity-based policy allows the ssm:PutParameter action")
	writer.mayNot(put("/shop/a/secret"), 403, "with an explicit deny in an identity-based policy")
	writer.mayNot(ssm("GetParameters", `{"Names":["/shop/url","/other"]}`), 403, "ssm:GetParameters")
	reader.may(ssm("GetParameters", `{"Names":["/shop/url"]}`), `"Value":"v"`)
	reader.mayNot(put("/shop/url"), 403, "assumed-role/reader/r")
	caller := does{"service": "sts", "body": "Action=GetCallerIdentity&Version=2011-06-15"}
	writer.may(caller, ":assumed-role/writer/w")

	// Without a role that is known here there are no credentials, and those that a function sets stay.
	if keys := nobody.keys(); strings.Join(keys, "") != "" {
		t.Errorf("a function without a role has %q", keys)
	}
	own := newActor(a, "o", "writer", func(in *lambda.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"AWS_ENDPOINT_URL": "http://own.example"}}
	})
	if keys := own.keys(); keys[0] != "" || keys[3] != "http://own.example" {
		t.Errorf("a function with an endpoint of its own has %q", keys)
	}
	if out := s.run("sh", "-c", "aws lambda update-function-configuration --function-name n --role arn:aws:iam::000000000000:role/closed 2>&1 || true"); !strings.Contains(out, "cannot be assumed by Lambda") {
		t.Errorf("a role that does not trust Lambda: %s", out)
	}

	// To give a role to a function is to use it.
	code := harness.ZipOf(t, map[string]string{"app.py": actingCode})
	create := func(name, role string) does {
		body, err := json.Marshal(map[string]any{"FunctionName": name, "Role": "arn:aws:iam::000000000000:role/" + role, "Runtime": "python3.11", "Handler": "app.handler", "Code": map[string]any{"ZipFile": code}})
		a.Check(err)
		return does{"service": "lambda", "path": "/2015-03-31/functions", "body": string(body)}
	}
	writer.mayNot(create("w2", "reader"), 403, who+"iam:PassRole on resource: arn:aws:iam::000000000000:role/reader because")
	writer.mayNot(create("x2", "writer"), 403, who+"lambda:CreateFunction on resource: arn:aws:lambda:"+account+"function:x2 because")
	writer.mayNot(does{"service": "iam", "body": "Action=PutRolePolicy&Version=2010-05-08&RoleName=writer&PolicyName=all&PolicyDocument=%7B%7D"}, 403, "AccessDenied", who+"iam:PutRolePolicy on resource: arn:aws:iam::000000000000:role/writer")
	invoke := does{"service": "lambda", "path": "/2015-03-31/functions/r/invocations", "body": `{"tell":true}`}
	writer.mayNot(invoke, 403, "lambda:InvokeFunction on resource: arn:aws:lambda:"+account+"function:r because no identity-based policy")
	s.run("aws", "lambda", "add-permission", "--function-name", "r", "--statement-id", "w", "--action", "lambda:InvokeFunction", "--principal", "arn:aws:iam::000000000000:role/writer")
	writer.may(invoke, "ASIA")

	// Other roles by AssumeRole, as the trust policy and the caller's own say.
	assume := func(role, more string) does {
		return does{"service": "sts", "body": "Action=AssumeRole&Version=2011-06-15&RoleSessionName=se&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2F" + role + more}
	}
	writer.mayNot(assume("chained", ""), 403, "sts:AssumeRole")
	reader.mayNot(assume("chained", "&ExternalId=x1"), 403, "sts:AssumeRole")
	writer.mayNot(assume("reader", ""), 403, "sts:AssumeRole")
	_, body := writer.do(assume("chained", "&ExternalId=x1"))
	chained := []string{between(body, "<AccessKeyId>", "<"), between(body, "<SecretAccessKey>", "<"), between(body, "<SessionToken>", "<"), ""}
	as := func(what does, keys []string) does {
		out := does{"as": keys}
		for name, value := range what {
			out[name] = value
		}
		return out
	}
	writer.may(as(put("/any"), chained), `"Version":1`)

	// Whoever has a token without its secret, or with another's key, has nothing.
	mine, theirs := writer.keys(), reader.keys()
	for name, keys := range map[string][]string{
		"another's token": {mine[0], mine[1], theirs[2], ""},
		"another's key":   {theirs[0], mine[1], mine[2], ""},
		"tampered":        {mine[0], mine[1], "A" + mine[2][1:], ""},
		"no token":        {mine[0], mine[1], "", ""},
	} {
		if status, body := writer.do(as(caller, keys)); status != 403 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	writer.mayNot(as(caller, []string{mine[0], theirs[1], mine[2], ""}), 403, "SignatureDoesNotMatch")
	reader.may(as(put("/shop/url"), mine), `"Version":2`) // as on AWS: they are whose has them
	a.TellsNone(mine[1], mine[2])

	// What a role says counts from the next call on. Credentials end with their environment, and
	// so do those that were made with them.
	s.run("aws", "iam", "delete-role-policy", "--role-name", "writer", "--policy-name", "p")
	writer.mayNot(put("/shop/url"), 403, "no identity-based policy")
	s.run("aws", "lambda", "delete-function", "--function-name", "w")
	harness.Eventually(t, "the credentials end", func() bool {
		status, body := reader.do(as(caller, mine))
		return status == 403 && strings.Contains(body, "ExpiredToken")
	})
	reader.mayNot(as(caller, chained), 403, "ExpiredToken")
	s.run("aws", "iam", "detach-role-policy", "--role-name", "reader", "--policy-arn", "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess")
	s.run("aws", "iam", "delete-role", "--role-name", "reader")
	s.role("reader", lambdaTrust, `[{"Effect":"Allow","Action":"*","Resource":"*"}]`)
	reader.mayNot(put("/shop/url"), 403, "the role does not exist any more")
	if data, err := os.ReadFile(a.Dir + "/data/state.db"); err != nil || strings.Contains(string(data), mine[1]) || strings.Contains(string(data), theirs[1]) {
		t.Errorf("the state has the secret of an environment: %v", err)
	}
}

// What names a resource that a role may use beside the one that is meant, in a member that the
// service does not look at, gives no right. And a stack acts as whoever asks for it.
func TestARoleHasNoMoreRightsByDecoysAndStacks(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	s := newShell(a)
	const account = "us-east-1:000000000000:"
	s.role("stacker", lambdaTrust, `[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"},
		{"Effect":"Allow","Action":["lambda:*","logs:*","scheduler:*"],"Resource":["arn:aws:lambda:`+account+`function:own","arn:aws:lambda:`+account+`layer:own","arn:aws:logs:`+account+`log-group:own*","arn:aws:scheduler:*:*:schedule/own/*"]},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::000000000000:role/gone*"}]`)
	f := newActor(a, "own", "stacker")
	a.Create("victim", harness.ZipOf(t, map[string]string{"app.py": "def handler(event, context):\n    return 1\n"}), func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler = types.RuntimePython311, aws.String("app.handler")
	})
	s.run("aws", "ssm", "put-parameter", "--name", "/secret", "--type", "SecureString", "--value", "s3cr3t")
	s.run("aws", "logs", "create-log-group", "--log-group-name", "victim")
	s.run("aws", "s3api", "create-bucket", "--bucket", "private")
	s.run("sh", "-c", `echo '{"Description":"s3cr3t","Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":"v"}}}}' | aws s3 cp - s3://private/t.json`)

	stacks := func(action, template string) does {
		return does{"service": "cloudformation", "body": "Action=" + action + "&Version=2010-05-15&Capabilities.member.1=CAPABILITY_AUTO_EXPAND&Capabilities.member.2=CAPABILITY_NAMED_IAM&" + template}
	}
	of := func(template string) string { return "StackName=st&TemplateBody=" + url.QueryEscape(template) }
	const reads = "ssm:GetParameter on resource: arn:aws:ssm:" + account + "parameter/secret"
	f.mayNot(stacks("CreateStack", of(`{"Parameters":{"P":{"Type":"AWS::SSM::Parameter::Value<String>","Default":"/secret"}},"Resources":{"G":{"Type":"AWS::Logs::LogGroup"}},"Outputs":{"O":{"Value":{"Ref":"P"}}}}`)), 400, reads)
	f.mayNot(stacks("CreateStack", of(`{"Resources":{"G":{"Type":"AWS::Logs::LogGroup"},"Fn::Transform":{"Name":"AWS::Include","Parameters":{"Location":"s3://private/t.json"}}}}`)), 400, "s3:GetObject on resource: arn:aws:s3:::private/t.json")
	for _, action := range []string{"ValidateTemplate", "GetTemplateSummary", "CreateStack", "CreateChangeSet"} {
		name := "StackName=st&ChangeSetName=c&ChangeSetType=CREATE&"
		if action == "GetTemplateSummary" {
			name = ""
		}
		f.mayNot(stacks(action, name+"TemplateURL=https%3A%2F%2Fprivate.s3.amazonaws.com%2Ft.json"), 400, "s3:GetObject on resource: arn:aws:s3:::private/t.json")
	}
	for name, want := range map[string][2]string{
		"dynamic": {`"G":{"Type":"AWS::Logs::LogGroup","Properties":{"LogGroupName":"{{resolve:ssm:/secret}}"}}`, reads},
		"risen":   {`"R":{"Type":"AWS::IAM::Role","Properties":{"RoleName":"risen","AssumeRolePolicyDocument":` + lambdaTrust + `}}`, "assumed-role/stacker/own is not authorized to perform: iam:"},
	} {
		f.may(stacks("CreateStack", "StackName="+name+"&TemplateBody="+url.QueryEscape(`{"Resources":{`+want[0]+`}}`)), "<StackId>")
		harness.Eventually(t, "the stack is undone", func() bool {
			body := s.run("aws", "cloudformation", "describe-stack-events", "--stack-name", name)
			return strings.Contains(body, want[1]) && strings.Contains(body, "ROLLBACK_COMPLETE")
		})
	}

	f.mayNot(does{"service": "lambda", "method": "PUT", "path": "/2015-03-31/functions/victim/configuration", "body": `{"FunctionName":"own","LayerName":"own","Description":"d"}`}, 403, "function:victim")
	f.mayNot(does{"service": "lambda", "path": "/2017-03-31/tags/arn%253Aaws%253Alambda%253A" + strings.ReplaceAll(account, ":", "%253A") + "function%253Avictim", "body": `{"FunctionName":"own","Tags":{"a":"b"}}`}, 403)
	logs := func(operation, body string) does {
		return does{"service": "logs", "target": "Logs_20140328." + operation, "body": body}
	}
	f.may(logs("CreateLogGroup", `{"logGroupName":"own"}`), "")
	f.mayNot(logs("DeleteLogGroup", `{"LogGroupName":"victim","logGroupIdentifier":"own"}`), 403, "log-group:victim")
	f.mayNot(logs("DeleteLogGroup", `{"logGroupName":"own","LogGroupName":"victim"}`), 400, "is there twice")
	schedule := `"ScheduleExpression":"rate(1 hour)","FlexibleTimeWindow":{"Mode":"OFF"},"Target":{"Arn":"arn:aws:lambda:` + account + `function:victim","RoleArn":"arn:aws:iam::000000000000:role/gone1"}}`
	s.run("aws", "scheduler", "create-schedule-group", "--name", "own")
	f.mayNot(does{"service": "scheduler", "path": "/schedules/s", "body": `{"GroupName":"own",` + schedule}, 400, "must allow AWS EventBridge Scheduler to assume the role")
	f.mayNot(does{"service": "scheduler", "method": "DELETE", "path": "/schedules/s", "body": `{"GroupName":"own"}`}, 403, "schedule/default/s")
}

func between(text, begin, end string) string {
	_, text, _ = strings.Cut(text, begin)
	text, _, _ = strings.Cut(text, end)
	return text
}
