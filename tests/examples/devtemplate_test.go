package examples

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// devRun is `caddy hearth dev` of a folder that a test writes.
type devRun struct {
	t    *testing.T
	dir  string
	port int
	out  harness.Server // keeps what is written
	cmd  *exec.Cmd
	// ended has how dev ended.
	ended chan error
}

func newDevRun(t *testing.T, files map[string]string) *devRun {
	r := &devRun{t: t, dir: harness.TempDir(t), port: harness.FreePort(t)}
	for name, text := range files {
		r.write(name, text)
	}
	return r
}

func (r *devRun) write(name, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(r.dir, name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *devRun) command(args ...string) *exec.Cmd {
	cmd := exec.Command(harness.CaddyBinary(r.t), append([]string{"hearth", "dev"}, args...)...)
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), "TMPDIR="+r.dir, "XDG_DATA_HOME="+r.dir)
	return cmd
}

// start runs dev until the test ends.
func (r *devRun) start(args ...string) {
	r.t.Helper()
	r.cmd = r.command(append(args, "--port", fmt.Sprint(r.port))...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.cmd.Wait() }()
	r.t.Cleanup(func() {
		_ = r.cmd.Process.Signal(syscall.SIGINT)
		if err := <-r.ended; err != nil {
			r.t.Errorf("dev ends with %v:\n%s", err, r.out.Output())
		}
		if r.t.Failed() {
			r.t.Logf("dev printed:\n%s", r.out.Output())
		}
	})
}

func (r *devRun) seen(text string) {
	r.t.Helper()
	harness.Eventually(r.t, "dev prints "+text+" or ends", func() bool {
		return strings.Contains(r.out.Output(), text) || len(r.ended) > 0
	})
	if !strings.Contains(r.out.Output(), text) {
		r.t.Fatalf("dev does not print %s:\n%s", text, r.out.Output())
	}
}

// refused is what dev prints in place of serving.
func (r *devRun) refused(args ...string) string {
	r.t.Helper()
	out, err := r.command(args...).CombinedOutput()
	if err == nil {
		r.t.Errorf("dev %v ends well:\n%s", args, out)
	}
	return string(out)
}

func (r *devRun) get(path string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	got, err := harness.Try(request)
	if err != nil {
		r.t.Fatal(err)
	}
	return got.Status, got.Body
}

func (r *devRun) answers(path string, status int, part string) {
	r.t.Helper()
	if got, body := r.get(path); got != status || !strings.Contains(body, part) {
		r.t.Errorf("%s answers %d %s, not %d with %s", path, got, body, status, part)
	}
}

const devTemplate = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String}
Globals:
  Function:
    Runtime: nodejs22.x
    Timeout: 10
    Environment: {Variables: {GREETING: !Ref Greeting}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello/
      Handler: app.handler
      AutoPublishAlias: live
      Layers: [!Ref Words]
      Environment: {Variables: {TABLE: !Ref Orders, SELF: !Sub "${AWS::Region}/${Orders.Arn}"}}
      Policies: [{DynamoDBCrudPolicy: {TableName: !Ref Orders}}]
      Events:
        Get: {Type: HttpApi, Properties: {Path: "/hello/{name}", Method: get}}
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}
  Old:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        exports.handler = async (e) => ({statusCode: 200, body: 'rest ' + e.resource + ' ' + e.requestContext.stage});
      Handler: index.handler
      Events:
        Get: {Type: Api, Properties: {Path: "/old/{proxy+}", Method: any}}
  Broken:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ./broken
      Handler: app.handler
      Events:
        Get: {Type: HttpApi, Properties: {Path: /broken, Method: get}}
  Plain:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: plain-one
      Runtime: python3.13
      Handler: main.handler
      Code: plain
      Role: !GetAtt Rights.Arn
  Rights: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}}}
  Picture: {Type: AWS::Lambda::Function, Properties: {PackageType: Image, Role: x, Code: {ImageUri: "x/y:z"}}}
  Words: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: words}}
  Orders: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: orders}}
  Jobs: {Type: AWS::SQS::Queue}
`

func TestDevServesATemplateOfSAM(t *testing.T) {
	harness.Parallel(t)
	r := newDevRun(t, map[string]string{
		"template.yaml":  devTemplate,
		"hello/app.mjs":  "import { readFileSync } from 'fs'; export const handler = async (e) => { console.log('from the function'); return [process.env.GREETING, e.pathParameters.name, e.version, process.env.TABLE, process.env.SELF, readFileSync('/opt/word', 'utf8')].join('|'); };",
		"words/word":     "of the layer",
		"broken/app.mjs": "export const handler = async () => { throw new Error('asked for'); };",
		"plain/main.py":  "def handler(event, context):\n    return context.function_name\n",
	})
	// Folders with a template are read by it, though their folders have functions.
	r.start(".", "--parameters", "Greeting=Good morning")
	r.seen("ready: http://localhost:" + fmt.Sprint(r.port) + "/broken  4 functions")
	for _, text := range []string{"not made:", "AWS::DynamoDB::Table Orders", "AWS::SQS::Queue Jobs", "AWS::IAM::Role Rights", "AWS::Lambda::EventSourceMapping HelloQueue", "function Picture, which is an image", "GET /hello/{name}"} {
		r.seen(text)
	}
	if text := r.out.Output(); strings.Contains(text, "HelloRole") || strings.Count(text, "not made:") != 1 {
		t.Errorf("dev names what nobody wrote, or names it again:\n%s", text)
	}
	r.answers("/hello/Ada", 200, "Good morning|Ada|2.0|orders|us-east-1/arn:aws:dynamodb:us-east-1:000000000000:orders|of the layer")
	r.seen("from the function")
	r.answers("/old/way/out", 200, "rest /old/{proxy+} Prod")
	r.answers("/plain-one", 200, "plain-one")
	r.answers("/broken", 500, `"trace"`)
	r.seen(r.dir + "/broken/app.mjs:1")
	r.answers("/nothing", 404, "Not Found")

	r.write("hello/app.mjs", "export const handler = async () => 'edited';")
	harness.Eventually(t, "the edit of the code is served", func() bool { _, body := r.get("/hello/Ada"); return body == "edited" })
	r.write("words/word", "changed")
	r.write("template.yaml", strings.Replace(devTemplate, "/hello/{name}", "/hi", 1))
	harness.Eventually(t, "the edit of the template is served", func() bool { status, _ := r.get("/hi"); return status == 200 })
	r.answers("/hello/Ada", 404, "Not Found")
	r.write("template.yaml", strings.Replace(devTemplate, "CodeUri: ./broken", "CodeUri: ./gone", 1))
	r.seen("not taken over: template.yaml:33: ")
	r.answers("/hi", 200, "edited")
}

func TestDevServesATemplateOfCloudFormation(t *testing.T) {
	harness.Parallel(t)
	r := newDevRun(t, map[string]string{"stack.json": `{"Resources": {
		"Shop": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "nodejs22.x", "Handler": "index.handler", "Role": "arn:aws:iam::000000000000:role/r",
			"Code": {"ZipFile": "exports.handler = async (e) => ({statusCode: 200, body: e.resource || e.routeKey});"}}},
		"Rest": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "rest"}},
		"Items": {"Type": "AWS::ApiGateway::Resource", "Properties": {"RestApiId": {"Ref": "Rest"}, "ParentId": {"Fn::GetAtt": ["Rest", "RootResourceId"]}, "PathPart": "items"}},
		"Item": {"Type": "AWS::ApiGateway::Resource", "Properties": {"RestApiId": {"Ref": "Rest"}, "ParentId": {"Ref": "Items"}, "PathPart": "{id}"}},
		"GetItem": {"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": {"Ref": "Rest"}, "ResourceId": {"Ref": "Item"}, "HttpMethod": "GET", "AuthorizationType": "AWS_IAM",
			"Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Shop.Arn}/invocations"}}}},
		"Http": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "http", "ProtocolType": "HTTP", "CorsConfiguration": {"AllowOrigins": ["https://shop.test"]}}},
		"ToShop": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {"ApiId": {"Ref": "Http"}, "IntegrationType": "AWS_PROXY", "IntegrationUri": {"Fn::GetAtt": ["Shop", "Arn"]}, "PayloadFormatVersion": "2.0"}},
		"All": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"ApiId": {"Ref": "Http"}, "RouteKey": "$default", "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "ToShop"}]]}}},
		"File": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"BodyS3Location": "api.yaml"}},
		"News": {"Type": "AWS::SNS::Topic"}
	}}`, "api.yaml": `swagger: "2.0"
info: {title: file, version: "1"}
paths:
  /file:
    get:
      x-amazon-apigateway-integration: {type: aws_proxy, httpMethod: POST, uri: "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:Shop/invocations"}
`})
	r.start("stack.json")
	r.seen("ready:")
	r.seen("not made: the authorization of GET /items/{id}: everybody may call it; AWS::SNS::Topic News")
	r.answers("/items/7", 200, "/items/{id}")
	r.answers("/file", 200, "/file")
	r.answers("/elsewhere", 200, "$default")
}

func TestDevSaysWhereATemplateIsWrong(t *testing.T) {
	harness.Parallel(t)
	sam := "Transform: AWS::Serverless-2016-10-31\nResources:\n  Hello:\n    Type: AWS::Serverless::Function\n    Properties:\n"
	for _, c := range []struct{ name, text, want string }{
		{"no YAML", "Resources:\n  A: [\n", "bad.yaml:"},
		{"no resources", "Parameters: {}\n", "bad.yaml: has no Resources"},
		{"a folder that is not there", sam + "      Handler: app.handler\n      Runtime: nodejs22.x\n      CodeUri: gone\n", "bad.yaml:8: resource Hello: CodeUri: "},
		{"a property that SAM has not", sam + "      Handler: app.handler\n      Runtime: nodejs22.x\n      InlineCode: x\n      Handlr: y\n", "bad.yaml:9: "},
		{"a runtime that nobody has", sam + "      Handler: app.handler\n      Runtime: node22\n      InlineCode: x\n", "bad.yaml:7: Hello: "},
		{"a parameter without a value", sam + "      Handler: app.handler\n      Runtime: nodejs22.x\n      InlineCode: x\nParameters:\n  Word: {Type: String}\n", "give each by --parameters NAME=VALUE"},
		{"nothing to serve", "Resources:\n  Jobs: {Type: AWS::SQS::Queue}\n", "bad.yaml: it has no function that can be served"},
	} {
		r := newDevRun(t, map[string]string{"bad.yaml": c.text})
		if got := r.refused("bad.yaml"); !strings.Contains(got, c.want) {
			t.Errorf("%s: dev prints %s, without %s", c.name, got, c.want)
		}
	}
	r := newDevRun(t, map[string]string{"index.mjs": "export const handler = async () => 1;"})
	if got := r.refused(".", "--parameters", "A=b"); !strings.Contains(got, "--parameters are for a template") {
		t.Errorf("parameters without a template: %s", got)
	}
}
