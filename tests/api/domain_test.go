package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hearthfn/hearth/tests/harness"
)

const domainScript = `
import boto3
from botocore.exceptions import ClientError

v2 = boto3.client("apigatewayv2")
gw = boto3.client("apigateway")
fn = boto3.client("lambda")
arn = fn.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]

def refused(code, text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code and text in error.response["Error"]["Message"], str(error)
    else:
        raise AssertionError((text, answer))

api = v2.create_api(Name="web", ProtocolType="HTTP", Target=arn)["ApiId"]
rest = gw.create_rest_api(name="old")
at = dict(restApiId=rest["id"], resourceId=gw.create_resource(restApiId=rest["id"], parentId=rest["rootResourceId"], pathPart="pets")["id"], httpMethod="GET")
gw.put_method(authorizationType="NONE", **at)
gw.put_integration(type="AWS_PROXY", integrationHttpMethod="POST", uri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % arn, **at)
gw.create_deployment(restApiId=rest["id"], stageName="live")
for n, id in enumerate([api, rest["id"]]):
    fn.add_permission(FunctionName="echo", StatementId="s%d" % n, Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*" % id)

name = v2.create_domain_name(DomainName="Shop.Example.com", Tags={"a": "b"})
assert name["DomainName"] == "shop.example.com" and name["DomainNameConfigurations"][0]["DomainNameStatus"] == "AVAILABLE", name
assert name["DomainNameConfigurations"][0]["ApiGatewayDomainName"].endswith(".execute-api.us-east-1.localhost"), name
refused("ConflictException", "already exists", v2.create_domain_name, DomainName="shop.example.com")
refused("BadRequestException", "names with a star", v2.create_domain_name, DomainName="*.example.com")
refused("BadRequestException", "certificateArn is not supported", v2.create_domain_name, DomainName="a.example.com", DomainNameConfigurations=[{"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/x"}])
refused("NotFoundException", "Invalid domain name identifier", v2.get_domain_name, DomainName="none.example.com")
refused("NotFoundException", "Invalid API identifier", v2.create_api_mapping, DomainName="shop.example.com", ApiId="none", Stage="$default")
refused("NotFoundException", "Invalid stage identifier", v2.create_api_mapping, DomainName="shop.example.com", ApiId=api, Stage="none")
mapping = v2.create_api_mapping(DomainName="shop.example.com", ApiId=api, Stage="$default", ApiMappingKey="web/v2")
refused("ConflictException", "key already exists", v2.create_api_mapping, DomainName="shop.example.com", ApiId=api, Stage="$default", ApiMappingKey="web/v2")
v2.update_api_mapping(DomainName="shop.example.com", ApiId=api, ApiMappingId=mapping["ApiMappingId"], ApiMappingKey="web/v1")
assert sorted(m["ApiMappingKey"] for m in v2.get_api_mappings(DomainName="shop.example.com")["Items"]) == ["web/v1"]

chat = v2.create_api(Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")["ApiId"]
target = "integrations/" + v2.create_integration(ApiId=chat, IntegrationType="AWS_PROXY", IntegrationUri=arn)["IntegrationId"]
route = v2.create_route(ApiId=chat, RouteKey="$default", Target=target)["RouteId"]
v2.create_route_response(ApiId=chat, RouteId=route, RouteResponseKey="$default")
v2.create_stage(ApiId=chat, StageName="dev", AutoDeploy=True)
fn.add_permission(FunctionName="echo", StatementId="chat", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*" % chat)
talk = v2.create_api_mapping(DomainName="shop.example.com", ApiId=chat, Stage="dev", ApiMappingKey="talk")
assert sorted(m["ApiMappingKey"] for m in v2.get_api_mappings(DomainName="shop.example.com")["Items"]) == ["talk", "web/v1"]

gw.create_base_path_mapping(domainName="shop.example.com", restApiId=rest["id"], stage="live", basePath="old")
gw.create_base_path_mapping(domainName="shop.example.com", restApiId=rest["id"], basePath="any")
assert sorted(m["basePath"] for m in gw.get_base_path_mappings(domainName="shop.example.com")["items"]) == ["any", "old", "talk", "web/v1"]
assert gw.update_base_path_mapping(domainName="shop.example.com", basePath="any", patchOperations=[{"op": "replace", "path": "/basePath", "value": "some"}])["basePath"] == "some"
assert gw.get_domain_name(domainName="shop.example.com")["regionalDomainName"] == name["DomainNameConfigurations"][0]["ApiGatewayDomainName"]
gone = gw.create_domain_name(domainName="gone.example.com", endpointConfiguration={"types": ["REGIONAL"]})
assert gone["domainNameStatus"] == "AVAILABLE", gone
gw.delete_domain_name(domainName="gone.example.com")
assert [d["DomainName"] for d in v2.get_domain_names()["Items"]] == ["shop.example.com"]
assert v2.get_tags(ResourceArn="arn:aws:apigateway:us-east-1::/domainnames/shop.example.com")["Tags"] == {"a": "b"}
refused("BadRequestException", "Please remove all API mappings for the API", v2.delete_api, ApiId=api)
refused("BadRequestException", "related to the RestApi in your domains: shop.example.com", gw.delete_rest_api, restApiId=rest["id"])
print("finished")
`

func TestADomainNameIsServedWithACertificateOfItsOwn(t *testing.T) {
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	a.Configure("", "")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	a.Check(err)
	port := listener.Addr().(*net.TCPAddr).Port
	a.Check(listener.Close())
	text, err := os.ReadFile(a.Config)
	a.Check(err)
	config := strings.Replace(string(text), "auto_https off", "auto_https disable_redirects\n\tskip_install_trust\n\ton_demand_tls {\n\t\tpermission hearth\n\t}", 1)
	a.Check(os.WriteFile(a.Config, fmt.Appendf([]byte(config), "https://:%d {\n\ttls internal {\n\t\ton_demand\n\t}\n\tapis\n}\n", port), 0o600))
	a.Start()
	a.Connect()
	a.Create("echo", harness.NodeZip(t, echoEvent))
	s := newShell(a)
	s.write("make.py", []byte(domainScript))
	s.want(s.run(botoPython(t), "make.py"), "finished")
	address := fmt.Sprintf("127.0.0.1:%d", port)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	for _, test := range []struct {
		path   string
		status int
		body   string
	}{
		{"/web/v1/a?q=1", 200, `"rawPath":"/web/v1/a"`},
		{"/old/pets", 200, `"path":"/old/pets"`},
		{"/some/live/pets", 200, `"resource":"/pets"`},
		// A letter that is encoded is the same letter, also in a base path and a stage.
		{"/%6fld/pets", 200, `"path":"/old/pets"`},
		{"/some/%6cive/pets", 200, `"resource":"/pets"`},
		{"//old//pets", 200, `"resource":"/pets"`},
		{"/web%2Fv1/a", 403, `{"message":"Forbidden"}`},
		{"/old/none", 403, `{"message":"Missing Authentication Token"}`},
		{"/web/v2", 403, `{"message":"Forbidden"}`},
	} {
		r, err := client.Get("https://shop.example.com" + test.path)
		if err != nil {
			t.Fatalf("%s: %v", test.path, err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != test.status || !strings.Contains(string(body), test.body) {
			t.Errorf("%s: %d %s %v, want %+v", test.path, r.StatusCode, body, err, test)
		}
		if names := r.TLS.PeerCertificates[0].DNSNames; len(names) != 1 || names[0] != "shop.example.com" {
			t.Errorf("the certificate is for %q", names)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, "wss://shop.example.com/talk", &websocket.DialOptions{HTTPClient: client})
	a.Check(err)
	defer socket.CloseNow()
	a.Check(socket.Write(ctx, websocket.MessageText, []byte(`{}`)))
	if _, text, err := socket.Read(ctx); err != nil || !strings.Contains(string(text), `"domainName":"shop.example.com"`) || !strings.Contains(string(text), `"stage":"dev"`) {
		t.Errorf("%s %v", text, err)
	}
	for path, want := range map[string]int{"/talk": 426, "/talk/dev": 403, "/talk/@connections/x": 403} {
		r, err := client.Get("https://shop.example.com" + path)
		a.Check(err)
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}
	// A name that is not there, or not any more, is not answered by Caddy's empty 200.
	gone, err := http.NewRequestWithContext(ctx, "GET", "https://shop.example.com/", nil)
	a.Check(err)
	gone.Host = "gone.example.com"
	r, err := client.Do(gone)
	a.Check(err)
	if r.Body.Close(); r.StatusCode != http.StatusForbidden {
		t.Errorf("a domain name that was deleted: %d", r.StatusCode)
	}
	for _, name := range []string{"gone.example.com", "other.example.com"} {
		if r, err := client.Get("https://" + name + "/"); err == nil {
			r.Body.Close()
			t.Errorf("%s has a certificate", name)
		}
	}
}
