package foreign_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi/foreign"
)

const scope = "AWS4-HMAC-SHA256 Credential=AKID/20261128/us-east-1/%/aws4_request, SignedHeaders=host, Signature=00"

func TestCallsAreRefusedInTheProtocolOfTheirService(t *testing.T) {
	form := "application/x-www-form-urlencoded; charset=utf-8"
	for name, test := range map[string]struct {
		service, method, address, body string
		header                         []string
		status                         int
		contentType, wants             string
	}{
		"json 1.0":       {"dynamodb", "POST", "/", "{}", []string{"X-Amz-Target", "DynamoDB_20120810.PutItem"}, 400, "application/x-amz-json-1.1", `"message":"PutItem of dynamodb is`},
		"unsigned":       {"", "POST", "/", "{}", []string{"X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth"}, 400, "application/x-amz-json-1.1", `InitiateAuth of AWSCognitoIdentityProviderService is`},
		"cbor of json":   {"kinesis", "POST", "/", "", []string{"X-Amz-Target", "Kinesis_20131202.PutRecord", "Content-Type", "application/x-amz-cbor-1.1"}, 400, "application/x-amz-cbor-1.1", "\xa2\x66__type\x78\x19UnknownOperationException\x67message\x78"},
		"rpc":            {"monitoring", "POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "", []string{"Smithy-Protocol", "rpc-v2-cbor"}, 400, "application/cbor", "PutMetricData of monitoring is"},
		"rpc, JSON":      {"", "POST", "/service/X/operation/Y", "", []string{"Smithy-Protocol", "rpc-v2-json"}, 400, "application/json", `"message":"Y of X is`},
		"query":          {"sns", "POST", "/", "Action=Publish&Version=2010-03-31", []string{"Content-Type", form}, 400, "text/xml", "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Publish of sns is"},
		"query by GET":   {"iam", "GET", "/?Version=1&Action=ListUsers", "", nil, 400, "text/xml", "ListUsers is no operation of iam"},
		"EC2":            {"ec2", "POST", "/", "Action=DescribeInstances", []string{"Content-Type", form}, 400, "text/xml", "<Response><Errors><Error><Code>InvalidAction</Code><Message>DescribeInstances of ec2 is"},
		"S3":             {"s3", "PUT", "/b/k%20%3C", "data", nil, 501, "application/xml", "<Error><Code>NotImplemented</Code><Message>PUT /b/k%20%3C of s3 is"},
		"Route 53":       {"route53", "GET", "/2013-04-01/hostedzone", "", nil, 400, "text/xml", "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>GET /2013-04-01/hostedzone of route53"},
		"rest-json":      {"apigateway", "POST", "/restapis", "{}", []string{"Content-Type", "application/json"}, 400, "application/json", `{"message":"POST /restapis of apigateway is`},
		"other Lambda":   {"lambda", "GET", "/x", "", nil, 400, "application/json", `GET /x is no operation of lambda`},
		"bytes":          {"", "POST", "/", "", []string{"X-Amz-Target", "a\xff<.b\"\n"}, 400, "application/x-amz-json-1.1", `b\"? of a?`},
		"a long name":    {"", "POST", "/", "", []string{"X-Amz-Target", "a." + strings.Repeat("b", 9999)}, 400, "application/x-amz-json-1.1", strings.Repeat("b", 128) + "... of a"},
		"only a library": {"", "GET", "/x", "", []string{"Amz-Sdk-Invocation-Id", "1"}, 400, "application/json", "GET /x of an unnamed service"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, test.address, strings.NewReader(test.body))
			if test.service != "" {
				r.Header.Set("Authorization", strings.Replace(scope, "%", test.service, 1))
			}
			for i := 0; i < len(test.header); i += 2 {
				r.Header.Set(test.header[i], test.header[i+1])
			}
			if !foreign.Is(r) {
				t.Fatal("it is no call")
			}
			w := httptest.NewRecorder()
			foreign.Of(r).Refuse(w, r, "id", []string{"iam", "lambda"})
			if w.Code != test.status || w.Header().Get("Content-Type") != test.contentType || !strings.Contains(w.Body.String(), test.wants) || w.Header().Get("X-Amzn-Requestid") != "id" {
				t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
			}
		})
	}
}

func TestAddressThatIsSignedIsACall(t *testing.T) {
	r := httptest.NewRequest("GET", "/b/k?X-Amz-Credential=AKID%2F20261128%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0", nil)
	w := httptest.NewRecorder()
	if foreign.Of(r).Refuse(w, r, "id", []string{"iam", "lambda"}); !foreign.Is(r) || !strings.Contains(w.Body.String(), "GET /b/k of s3 is not supported") {
		t.Errorf("%s", w.Body)
	}
}

func TestOthersAreNoCalls(t *testing.T) {
	for _, authorization := range []string{"", "Bearer x", "Basic eA==", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b/c", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e"} {
		r := httptest.NewRequest("POST", "/?Action=Run", strings.NewReader("Action=Run"))
		r.Header.Set("Authorization", authorization)
		if foreign.Is(r) {
			t.Errorf("%q is a call", authorization)
		}
	}
}

func FuzzCalls(f *testing.F) {
	f.Add("s3", "X.Y", "application/x-www-form-urlencoded", "Action=%zz", "/service/a/operation/b")
	f.Fuzz(func(t *testing.T, service, target, contentType, body, path string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.Path = path
		r.Header.Set("Authorization", strings.Replace(scope, "%", service, 1))
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		foreign.Of(r).Refuse(w, r, "id", []string{"iam", "lambda"})
		if w.Code < 400 || w.Body.Len() > 2<<10 {
			t.Errorf("%d %d bytes", w.Code, w.Body.Len())
		}
	})
}
