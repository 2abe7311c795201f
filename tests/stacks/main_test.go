package stacks

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// A shell runs clients with what a user gives them: the address and the credentials.
type shell struct {
	*harness.API
	work string // the working directory
}

func newShell(t *testing.T, options string) *shell {
	t.Helper()
	return &shell{harness.NewAPI(t, options, ""), harness.TempDir(t)}
}

func (s *shell) env() []string {
	// Not the settings of whoever runs the tests.
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(env,
		"AWS_ACCESS_KEY_ID="+s.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+s.Credentials.SecretAccessKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+s.URL(""),
		"AWS_CONFIG_FILE="+s.work+"/none", "AWS_SHARED_CREDENTIALS_FILE="+s.work+"/none", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")
}

// write puts a file into the working directory.
func (s *shell) write(name, content string) {
	s.T.Helper()
	path := filepath.Join(s.work, name)
	s.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	s.Check(os.WriteFile(path, []byte(content), 0o600))
}

// run runs a program, which must succeed, and returns what it prints.
func (s *shell) run(program string, args ...string) string {
	s.T.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = s.work, s.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.T.Fatalf("%s %.80q: %v\n%s", program, args, err, harness.Tail(string(out), 40))
	}
	return string(out)
}

// python runs a script with boto3 and what is common to the scripts here, to its end.
func (s *shell) python(script string) {
	s.T.Helper()
	s.write("script.py", common+script+"\nprint('finished')\n")
	if out := s.run(botoPython(s.T), "script.py"); !strings.Contains(out, "finished") {
		s.T.Errorf("the script did not come to its end:\n%s", harness.Tail(out, 40))
	}
}

func botoPython(t *testing.T) string {
	t.Helper()
	// The system's has what its packages bring, whatever comes first on PATH.
	for _, candidate := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(candidate, "-c", "import boto3").Run() == nil {
			return candidate
		}
	}
	t.Fatal("no Python here has boto3: install it (Debian: python3-boto3)")
	return ""
}

// common begins the scripts.
const common = `
import io, json, os, time, urllib.error, urllib.parse, urllib.request, zipfile
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

once = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
def client(service):
    return boto3.client(service, config=once, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
cfn, lam, iam, logs, ssm, s3 = (client(name) for name in ["cloudformation", "lambda", "iam", "logs", "ssm", "s3"])

def refused(code, text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, str(error))
        assert text in error.response["Error"]["Message"], (text, str(error))
    else:
        raise AssertionError((code, text, answer))

def stack(name):
    return cfn.describe_stacks(StackName=name)["Stacks"][0]

def settled(name, status):
    for _ in range(2400):
        s = stack(name)
        if not s["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(0.05)
    assert s["StackStatus"] == status, (s["StackStatus"], s.get("StackStatusReason"), told(name))
    return s

def told(name):
    return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in cfn.describe_stack_events(StackName=name)["StackEvents"]]

def outputs(name):
    return {o["OutputKey"]: o["OutputValue"] for o in stack(name)["Outputs"]}

def made(name):
    return {r["LogicalResourceId"]: r for r in cfn.list_stack_resources(StackName=name)["StackResourceSummaries"]}

def create(name, template, **more):
    return cfn.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"], **more)["StackId"]

def update(name, template, **more):
    return cfn.update_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"], **more)["StackId"]

def call(name, event={}):
    return json.loads(lam.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())

def get(address, **headers):
    # Names below localhost are this machine's, whether its resolver knows it or not.
    u = urllib.parse.urlsplit(address)
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (u.port, u.path or "/"), headers=dict(headers, Host=u.netloc))
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()

trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]}}

def function(text, **more):
    return {"Type": "AWS::Lambda::Function", "Properties": {
        "Runtime": "nodejs22.x", "Handler": "index.handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": "exports.handler = async () => ({ statusCode: 200, body: %s });" % json.dumps(text)}, **more}}
`
