package stacks

import (
	"fmt"
	"os"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// domainsScript gives a REST API and an HTTP API names of the user's own.
const domainsScript = `
agw, v2 = client("apigateway"), client("apigatewayv2")
def ref(name): return {"Ref": name}
certificate = "arn:aws:acm:us-east-1:000000000000:certificate/12345678-1234-1234-1234-123456789012"
resources = {
    "Role": role, "Fn": function("x", FunctionName="answers"),
    "May": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": ref("Fn"), "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}},
    "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
    "Get": {"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": ref("Api"), "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "HttpMethod": "GET", "AuthorizationType": "NONE",
        "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"}}}},
    "Live": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Get", "Properties": {"RestApiId": ref("Api"), "StageName": "live"}},
    "Name": {"Type": "AWS::ApiGateway::DomainName", "Properties": {"DomainName": "rest.example.com", "RegionalCertificateArn": certificate, "EndpointConfiguration": {"Types": ["REGIONAL"]}, "SecurityPolicy": "TLS_1_2", "Tags": [{"Key": "of", "Value": "a"}]}},
    "Path": {"Type": "AWS::ApiGateway::BasePathMapping", "DependsOn": "Live", "Properties": {"DomainName": ref("Name"), "BasePath": "v1", "RestApiId": ref("Api"), "Stage": "live"}},
    "Http": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "http", "ProtocolType": "HTTP", "Target": {"Fn::GetAtt": ["Fn", "Arn"]}}},
    "HttpName": {"Type": "AWS::ApiGatewayV2::DomainName", "Properties": {"DomainName": "http.example.com", "DomainNameConfigurations": [{"CertificateArn": certificate, "EndpointType": "REGIONAL"}]}},
    "HttpPath": {"Type": "AWS::ApiGatewayV2::ApiMapping", "Properties": {"DomainName": ref("HttpName"), "ApiId": ref("Http"), "Stage": "$default"}},
}
template = {"Resources": resources, "Outputs": {name + of: {"Value": {"Fn::GetAtt": [name, "Regional" + of]}} for name in ("Name", "HttpName") for of in ("DomainName", "HostedZoneId")}}
create("t", template)
settled("t", "CREATE_COMPLETE")
assert all(outputs("t").values()), outputs("t")
def get(host, path="/"):
    port = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
    try:
        answer = urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), headers={"Host": "%s:%d" % (host, port)}))
        return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""
assert get("rest.example.com", "/v1") == (200, b"x") and get("http.example.com") == (200, b"x"), (get("rest.example.com", "/v1"), get("http.example.com"))
assert get("rest.example.com", "/v2")[0] in (403, 404)
assert agw.get_domain_name(domainName="rest.example.com")["tags"]["of"] == "a"

# A base path takes the place of another, and a name that of another.
resources["Path"]["Properties"]["BasePath"] = "v2"
resources["HttpName"]["Properties"]["DomainName"] = "other.example.com"
resources["Name"]["Properties"]["Tags"][0]["Value"] = "b"
update("t", template)
settled("t", "UPDATE_COMPLETE")
assert get("rest.example.com", "/v2") == (200, b"x") and get("other.example.com") == (200, b"x")
assert get("rest.example.com", "/v1")[0] in (403, 404)
assert [i["DomainName"] for i in v2.get_domain_names()["Items"] if "rest" not in i["DomainName"]] == ["other.example.com"], v2.get_domain_names()
assert agw.get_domain_name(domainName="rest.example.com")["tags"]["of"] == "b"
id = stack("t")["StackId"]
cfn.delete_stack(StackName="t")
settled(id, "DELETE_COMPLETE")
assert agw.get_domain_names()["items"] == [] and v2.get_domain_names()["Items"] == []
`

func TestStacksGiveAPIsDomainNames(t *testing.T) {
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	a.Configure("ignore certificate_arn", "")
	config, err := os.ReadFile(a.Config)
	a.Check(err)
	a.Check(os.WriteFile(a.Config, fmt.Appendf(config, "http://*.example.com:%d {\n\tapis\n}\n", a.Port), 0o600))
	a.Start()
	a.Connect()
	s := &shell{a, harness.TempDir(t)}
	s.python(domainsScript)
}
