package api

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const restStreamScript = `
import boto3
from botocore.exceptions import ClientError
gw = boto3.client("apigateway")
fn = boto3.client("lambda")
arn = fn.get_function(FunctionName="f")["Configuration"]["FunctionArn"]
whole = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % arn
stream = "arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/%s/response-streaming-invocations" % arn
integration = '"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "responseTransferMode": "%s", "uri": "%s"}'
def document(mode, uri):
    return '{"swagger": "2.0", "info": {"title": "s"}, "paths": {"/whole": {"get": {%s}}, "/stream": {"get": {%s}}}}' % (integration % ("BUFFERED", whole), integration % (mode, uri))
try:
    gw.import_rest_api(body=document("STREAM", whole))
except ClientError as error:
    assert "response-streaming-invocations" in error.response["Error"]["Message"], str(error)
else:
    raise AssertionError("a stream by the other URI")
id = gw.import_rest_api(body=document("STREAM", stream))["id"]
gw.create_deployment(restApiId=id, stageName="live")
fn.add_permission(FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*" % id)
print(id)
`

func TestARESTAPIStreamsWhereTheIntegrationSaysSo(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", harness.ZipOf(t, map[string]string{"index.mjs": `export const handler = awslambda.streamifyResponse(async (event, stream) => {
	const out = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-path': event.path } });
	out.write('one ');
	out.end('two');
});`}))
	s := newShell(a)
	s.write("make.py", []byte(restStreamScript))
	id := strings.TrimSpace(s.run(botoPython(t), "make.py"))
	for path, size := range map[string]string{"/whole": "7", "/stream": ""} {
		r := a.Request("GET", "/live"+path, nil)
		r.Host = id + ".execute-api.us-east-1.localhost"
		got := a.Do(r)
		if got.Status != 201 || got.Body != "one two" || got.Header.Get("X-Path") != path || got.Header.Get("Content-Length") != size {
			t.Errorf("%s: %d %q %v, want a Content-Length of %q", path, got.Status, got.Body, got.Header, size)
		}
	}
}
