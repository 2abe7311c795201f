package tests

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// urlFunction answers with what it sees of a request.
const urlFunction = `const c = event.requestContext;
	return { statusCode: 201, headers: { 'x-own': 'own', 'access-control-allow-origin': 'https://own.example' }, cookies: ['a=b'],
		body: [c.http.method, event.rawPath, event.rawQueryString, c.accountId, c.authorizer?.iam?.accessKey, c.domainName, event.body, context.functionVersion].join(' ') };`

// urlRequest is a request to a function URL. Its name leads to this machine only where
// the resolver knows *.localhost, so the request goes to the address.
func (a *api) urlRequest(method, address, path, body string) *http.Request {
	a.t.Helper()
	u, err := url.Parse(address)
	a.check(err)
	r := a.request(method, path, strings.NewReader(body))
	r.Host = u.Host
	r.Header.Set("Content-Type", "text/plain")
	return r
}

func (a *api) createURL(in lambda.CreateFunctionUrlConfigInput) string {
	a.t.Helper()
	out, err := a.CreateFunctionUrlConfig(context.Background(), &in)
	a.check(err)
	return *out.FunctionUrl
}

func TestAPIPublicFunctionURLIsServedUntilItIsDeleted(t *testing.T) {
	a := newAPI(t, "", "respond /site site")
	ctx := context.Background()
	a.create("f", nodeZip(t, urlFunction), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := a.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	a.check(err)
	latest := a.createURL(lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	live := a.createURL(lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String("live"), AuthType: types.FunctionUrlAuthTypeNone})
	u, err := url.Parse(latest)
	a.check(err)
	if !strings.HasSuffix(u.Hostname(), ".fn.localhost") || u.Path != "/" || latest == live {
		t.Errorf("the addresses are %s and %s", latest, live)
	}
	got := a.do(a.urlRequest("POST", latest, "/a/b?c=d", "text"))
	got.want(t, 201, "POST /a/b c=d anonymous  "+u.Host+" text $LATEST")
	if got.header.Get("X-Own") != "own" || got.header.Get("Set-Cookie") != "a=b" {
		t.Errorf("headers %v", got.header)
	}
	a.do(a.urlRequest("GET", live, "/", "")).want(t, 201, " 1")
	_, err = a.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	refused(t, err, 409, "ResourceConflictException", "Failed to create function url config for [functionArn = "+arnOf+"f].")
	listed, err := a.ListFunctionUrlConfigs(ctx, &lambda.ListFunctionUrlConfigsInput{FunctionName: aws.String("f")})
	a.check(err)
	if len(listed.FunctionUrlConfigs) != 2 {
		t.Errorf("listed %+v", listed.FunctionUrlConfigs)
	}
	a.get("/site").want(t, 200, "site") // the other site goes on as it was

	_, err = a.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: aws.String("f")})
	a.check(err)
	if got := a.do(a.urlRequest("GET", latest, "/", "")); got.header.Get("X-Own") != "" {
		t.Errorf("a deleted URL answers %d %s", got.status, got.body)
	}
	a.do(a.urlRequest("GET", live, "/", "")).want(t, 201, " 1")
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("f")})
	a.check(err)
	if got := a.do(a.urlRequest("GET", live, "/", "")); got.header.Get("X-Own") != "" {
		t.Errorf("the URL of a deleted function answers %d %s", got.status, got.body)
	}
}

func TestAPISignedFunctionURLAsksForAKey(t *testing.T) {
	const id, secret = "AKIAREADER", "0123456789012345678901234567890123456789"
	a := newAPI(t, "access_key "+id+" "+secret+" read_only", "")
	a.create("f", nodeZip(t, urlFunction))
	address := a.createURL(lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeAwsIam})
	signed := func(sent, body string) response {
		t.Helper()
		r := a.urlRequest("POST", address, "/x?y=z", sent)
		a.sign(r, body, time.Now())
		return a.do(r)
	}
	signed("text", "text").want(t, 201, "POST /x y=z 000000000000 "+a.credentials.AccessKeyID)
	for what, got := range map[string]response{
		"no signature": a.do(a.urlRequest("POST", address, "/x", "text")),
		"another body": signed("other", "text"),
		"a read-only key": func() response {
			key := a.credentials
			defer func() { a.credentials = key }()
			a.credentials = aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
			return signed("text", "text")
		}(),
	} {
		if got.status != 403 || got.header.Get("X-Own") != "" {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	// Made public, it needs no signature from the next request on.
	_, err := a.UpdateFunctionUrlConfig(context.Background(), &lambda.UpdateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	a.check(err)
	a.do(a.urlRequest("GET", address, "/x", "")).want(t, 201, "GET /x  anonymous")
}

func TestAPIFunctionURLTellsBrowsersWhatMayBe(t *testing.T) {
	a := newAPI(t, "", "")
	a.create("f", nodeZip(t, urlFunction))
	address := a.createURL(lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone, Cors: &types.Cors{
		AllowOrigins: []string{"https://a.example"}, AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"x-custom"},
		ExposeHeaders: []string{"x-own"}, MaxAge: aws.Int32(600), AllowCredentials: aws.Bool(true),
	}})
	ask := func(method, origin string) response {
		t.Helper()
		r := a.urlRequest(method, address, "/", "")
		r.Header.Set("Origin", origin)
		if method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "x-custom")
		}
		return a.do(r)
	}
	wantHeaders := func(got response, want map[string]string) {
		t.Helper()
		for name, value := range want {
			if got.header.Get(name) != value {
				t.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
			}
		}
	}
	preflight := ask("OPTIONS", "https://a.example")
	if preflight.status != 200 || preflight.body != "" || preflight.header.Get("X-Own") != "" {
		t.Errorf("the preflight is answered by %d %s", preflight.status, preflight.body)
	}
	wantHeaders(preflight, map[string]string{
		"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Methods": "GET,POST", "Access-Control-Allow-Headers": "x-custom",
		"Access-Control-Max-Age": "600", "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
	})
	wantHeaders(ask("OPTIONS", "https://b.example"), map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": ""})
	got := ask("GET", "https://a.example")
	got.want(t, 201, "GET / ")
	wantHeaders(got, map[string]string{"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Expose-Headers": "x-own", "X-Own": "own"})
	got = ask("GET", "https://b.example")
	got.want(t, 201, "GET / ")
	wantHeaders(got, map[string]string{"Access-Control-Allow-Origin": "", "X-Own": "own"}) // instead of the function's own
}

func TestAPIFunctionURLStreamsWhenAskedTo(t *testing.T) {
	a := newAPI(t, "", "")
	streaming := func(lines string) []byte {
		return zipOf(t, map[string]string{"index.mjs": "export const handler = awslambda.streamifyResponse(async (event, stream) => {" + lines + "\n});"})
	}
	const wait = "await new Promise(r => setTimeout(r, 1000));"
	a.create("prelude", streaming("stream = awslambda.HttpResponseStream.from(stream, { statusCode: 202 }); stream.write('first'); "+wait+" stream.end(' last');"))
	// Gathered, it is an answer as every function gives it.
	a.create("json", streaming(`stream.write('{"statusCode":202,'); `+wait+` stream.end('"body":"first last"}');`))
	for _, test := range []struct {
		name string
		mode types.InvokeMode
	}{{"prelude", types.InvokeModeResponseStream}, {"prelude", types.InvokeModeBuffered}, {"json", types.InvokeModeBuffered}} {
		name, mode := test.name, test.mode
		address := a.createURL(lambda.CreateFunctionUrlConfigInput{FunctionName: &name, AuthType: types.FunctionUrlAuthTypeNone, InvokeMode: mode})
		begun := time.Now()
		res, err := client.Do(a.urlRequest("GET", address, "/", ""))
		a.check(err)
		early := time.Since(begun) < 900*time.Millisecond
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 202 || string(body) != "first last" || early != (mode == types.InvokeModeResponseStream) {
			t.Errorf("%s %s: %d %s (%v), early %t", name, mode, res.StatusCode, body, err, early)
		}
		_, err = a.DeleteFunctionUrlConfig(context.Background(), &lambda.DeleteFunctionUrlConfigInput{FunctionName: &name})
		a.check(err)
	}
}

func TestFunctionURLAnswersAnyJSONAndTellsPathsAsAWSDoes(t *testing.T) {
	a := newAPI(t, "", "")
	a.create("json", nodeZip(t, `return { statusCode: 202, body: { path: event.requestContext.http.path, raw: event.rawPath, domain: event.requestContext.domainName, cookie: event.headers.cookie } };`))
	a.create("plain", zipOf(t, map[string]string{"f.py": "def h(event, context):\n    return {'hello': [1, 2.5, event['rawPath']]}\n"}), func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler = types.RuntimePython312, aws.String("f.h")
	})
	a.create("fails", nodeZip(t, `if (event.rawPath === '/exit') process.exit(1); if (event.rawPath === '/sleep') await new Promise(r => setTimeout(r, 60000)); throw new Error('secret');`),
		func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(1) })
	urls := map[string]string{}
	for _, name := range []string{"json", "plain", "fails"} {
		urls[name] = a.createURL(lambda.CreateFunctionUrlConfigInput{FunctionName: &name, AuthType: types.FunctionUrlAuthTypeNone})
	}
	u, err := url.Parse(urls["json"])
	a.check(err)
	r := a.urlRequest("GET", urls["json"], "/a%20b%2Fc", "")
	r.Header.Set("Cookie", "k=v; l=w")
	got := a.do(r)
	if want := `{"path":"/a b/c","raw":"/a%20b%2Fc","domain":"` + u.Host + `","cookie":"k=v; l=w"}`; got.status != 202 || got.body != want || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s, want 202 %s", got.status, got.header, got.body, want)
	}
	if got := a.do(a.urlRequest("GET", urls["plain"], "/x", "")); got.status != 200 || got.body != `{"hello":[1,2.5,"/x"]}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, path := range []string{"/throw", "/exit", "/sleep"} {
		if got := a.do(a.urlRequest("GET", urls["fails"], path, "")); got.status != 502 || got.body != "Internal Server Error" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	_, err = a.UpdateFunctionUrlConfig(context.Background(), &lambda.UpdateFunctionUrlConfigInput{FunctionName: aws.String("json"), InvokeMode: types.InvokeModeResponseStream})
	a.check(err)
	if got := a.do(a.urlRequest("GET", urls["json"], "/", "")); got.status != 200 || !strings.HasPrefix(got.body, `{"statusCode":202,"body":{"path":"/"`) {
		t.Errorf("streaming URL, no stream: %d %s", got.status, got.body)
	}
}

// The bytes are what a client may send: bodies of any kind, and header values and
// queries that are no UTF-8.
func TestAnyBytesReachAFunctionByEveryWayOverHTTP(t *testing.T) {
	const echo = `import base64, json
def h(event, context):
    if 'requestContext' not in event:
        return event
    body = event['body']
    if event['isBase64Encoded']:
        body = base64.b64decode(body).hex()
    headers = {k.lower(): v for k, v in event['headers'].items()}
    return {'statusCode': 200, 'body': json.dumps([body, event['isBase64Encoded'], headers['x-odd'], (event['queryStringParameters'] or {}).get('q')])}
`
	a := newAPI(t, "", "@v1 path /v1/*\n@v2 path /v2/*\ninvoke @v1 f {\n\tpayload 1.0\n}\ninvoke @v2 f\ninvoke n\n")
	a.create("f", zipOf(t, map[string]string{"f.py": echo}), func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler = types.RuntimePython312, aws.String("f.h")
	})
	a.create("n", nodeZip(t, `const h = Object.fromEntries(Object.entries(event.headers).map(([k, v]) => [k.toLowerCase(), v]));
		const body = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString('hex') : event.body;
		return { statusCode: 200, body: JSON.stringify([body, event.isBase64Encoded, h['x-odd'], event.queryStringParameters?.q]) };`))
	address := a.createURL(lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	odd := string([]byte{'c', 'a', 'f', 0xE9, 0xFF, 0x80, 0})
	for _, way := range []string{"/v1/x", "/v2/x", "/node", address} {
		for _, contentType := range []string{"application/json", "text/plain", "image/png", ""} {
			r := a.urlRequest("POST", address, "/?q=%ff%00", odd)
			if way != address {
				r = a.request("POST", way+"?q=%ff%00", strings.NewReader(odd))
			}
			r.Header.Del("Content-Type")
			if contentType != "" {
				r.Header.Set("Content-Type", contentType)
			}
			r.Header["X-Odd"] = []string{"a\xe9b\xff"}
			r.Header["X-Amzn-Trace-Id"] = []string{"Root=1-\xe9"}
			got := a.do(r)
			if got.status != 200 || !strings.Contains(strings.ReplaceAll(got.body, " ", ""), `["636166e9ff8000",true,`) {
				t.Errorf("%s of type %q: %d %s", way, contentType, got.status, got.body)
			}
		}
	}
	for _, kind := range []types.InvocationType{types.InvocationTypeRequestResponse, types.InvocationTypeEvent} {
		for payload, words := range map[string]string{
			"{\"a\":\"caf\xe9\"}": "Invalid UTF-8 middle byte 0x22 at byte 11",
			"\"\xff\"":            "Invalid UTF-8 start byte 0xff at byte 2",
			"{":                   "",
		} {
			_, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: kind, Payload: []byte(payload)})
			refused(t, err, 400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: "+words)
		}
	}
	_, err := a.InvokeWithResponseStream(context.Background(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("f"), Payload: []byte("\"\xe9\"")})
	refused(t, err, 400, "InvalidRequestContentException", "Could not parse request body into json: ")
}
