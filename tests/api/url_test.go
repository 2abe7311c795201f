package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// urlFunction answers with what it sees of a request.
const urlFunction = `const c = event.requestContext;
	return { statusCode: 201, headers: { 'x-own': 'own', 'access-control-allow-origin': 'https://own.example' }, cookies: ['a=b'],
		body: [c.http.method, event.rawPath, event.rawQueryString, c.accountId, c.authorizer?.iam?.accessKey, c.domainName, event.body, context.functionVersion].join(' ') };`

// urlRequest is a request to a function URL. Its name leads to this machine only where
// the resolver knows *.localhost, so the request goes to the address.
func urlRequest(a *harness.API, method, address, path, body string) *http.Request {
	a.T.Helper()
	u, err := url.Parse(address)
	a.Check(err)
	r := a.Request(method, path, strings.NewReader(body))
	r.Host = u.Host
	r.Header.Set("Content-Type", "text/plain")
	return r
}

func createURL(a *harness.API, in lambda.CreateFunctionUrlConfigInput) string {
	a.T.Helper()
	out, err := a.CreateFunctionUrlConfig(context.Background(), &in)
	a.Check(err)
	a.OpenURL(*in.FunctionName, in.Qualifier)
	return *out.FunctionUrl
}

func TestAPIPublicFunctionURLIsServedUntilItIsDeleted(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "respond /site site")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, urlFunction), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := a.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	a.Check(err)
	closed, err := a.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	a.Check(err)
	// Nothing lets anybody call it yet.
	a.Do(urlRequest(a, "GET", *closed.FunctionUrl, "/x", "")).Want(t, 403, "Forbidden. For troubleshooting Function URL authorization issues")
	a.OpenURL("f", nil)
	harness.Eventually(t, "the URL is open", func() bool { return a.Do(urlRequest(a, "GET", *closed.FunctionUrl, "/x", "")).Status == 201 })
	_, err = a.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: aws.String("f")})
	a.Check(err)
	latest := createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	live := createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String("live"), AuthType: types.FunctionUrlAuthTypeNone})
	u, err := url.Parse(latest)
	a.Check(err)
	if !strings.HasSuffix(u.Hostname(), ".fn.localhost") || u.Path != "/" || latest == live {
		t.Errorf("the addresses are %s and %s", latest, live)
	}
	got := a.Do(urlRequest(a, "POST", latest, "/a/b?c=d", "text"))
	got.Want(t, 201, "POST /a/b c=d anonymous  "+u.Host+" text $LATEST")
	if got.Header.Get("X-Own") != "own" || got.Header.Get("Set-Cookie") != "a=b" {
		t.Errorf("headers %v", got.Header)
	}
	a.Do(urlRequest(a, "GET", live, "/", "")).Want(t, 201, " 1")
	_, err = a.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	harness.Refused(t, err, 409, "ResourceConflictException", "Failed to create function url config for [functionArn = "+arnOf+"f].")
	listed, err := a.ListFunctionUrlConfigs(ctx, &lambda.ListFunctionUrlConfigsInput{FunctionName: aws.String("f")})
	a.Check(err)
	if len(listed.FunctionUrlConfigs) != 2 {
		t.Errorf("listed %+v", listed.FunctionUrlConfigs)
	}
	a.Get("/site").Want(t, 200, "site") // the other site goes on as it was

	_, err = a.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: aws.String("f")})
	a.Check(err)
	if got := a.Do(urlRequest(a, "GET", latest, "/", "")); got.Header.Get("X-Own") != "" {
		t.Errorf("a deleted URL answers %d %s", got.Status, got.Body)
	}
	a.Do(urlRequest(a, "GET", live, "/", "")).Want(t, 201, " 1")
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("f")})
	a.Check(err)
	if got := a.Do(urlRequest(a, "GET", live, "/", "")); got.Header.Get("X-Own") != "" {
		t.Errorf("the URL of a deleted function answers %d %s", got.Status, got.Body)
	}
}

func TestAPISignedFunctionURLAsksForAKey(t *testing.T) {
	harness.Parallel(t)
	const id, secret = "AKIAREADER", "0123456789012345678901234567890123456789"
	a := harness.NewAPI(t, "access_key "+id+" "+secret+" read_only", "")
	a.Create("f", harness.NodeZip(t, urlFunction))
	address := createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeAwsIam})
	signed := func(sent, body string) harness.Response {
		t.Helper()
		r := urlRequest(a, "POST", address, "/x?y=z", sent)
		a.Sign(r, body, time.Now())
		return a.Do(r)
	}
	signed("text", "text").Want(t, 201, "POST /x y=z 000000000000 "+a.Credentials.AccessKeyID)
	for what, got := range map[string]harness.Response{
		"no signature": a.Do(urlRequest(a, "POST", address, "/x", "text")),
		"another body": signed("other", "text"),
		"a read-only key": func() harness.Response {
			key := a.Credentials
			defer func() { a.Credentials = key }()
			a.Credentials = aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
			return signed("text", "text")
		}(),
	} {
		if got.Status != 403 || got.Header.Get("X-Own") != "" {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
	}
	// Made public, it needs no signature from the next request on.
	_, err := a.UpdateFunctionUrlConfig(context.Background(), &lambda.UpdateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	a.Check(err)
	a.Do(urlRequest(a, "GET", address, "/x", "")).Want(t, 201, "GET /x  anonymous")
}

func TestAPIFunctionURLTellsBrowsersWhatMayBe(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", harness.NodeZip(t, urlFunction))
	address := createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone, Cors: &types.Cors{
		AllowOrigins: []string{"https://a.example"}, AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"x-custom"},
		ExposeHeaders: []string{"x-own"}, MaxAge: aws.Int32(600), AllowCredentials: aws.Bool(true),
	}})
	ask := func(method, origin string) harness.Response {
		t.Helper()
		r := urlRequest(a, method, address, "/", "")
		r.Header.Set("Origin", origin)
		if method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "x-custom")
		}
		return a.Do(r)
	}
	wantHeaders := func(got harness.Response, want map[string]string) {
		t.Helper()
		for name, value := range want {
			if got.Header.Get(name) != value {
				t.Errorf("%s is %q, want %q", name, got.Header.Get(name), value)
			}
		}
	}
	preflight := ask("OPTIONS", "https://a.example")
	if preflight.Status != 200 || preflight.Body != "" || preflight.Header.Get("X-Own") != "" {
		t.Errorf("the preflight is answered by %d %s", preflight.Status, preflight.Body)
	}
	wantHeaders(preflight, map[string]string{
		"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Methods": "GET,POST", "Access-Control-Allow-Headers": "x-custom",
		"Access-Control-Max-Age": "600", "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
	})
	wantHeaders(ask("OPTIONS", "https://b.example"), map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": ""})
	got := ask("GET", "https://a.example")
	got.Want(t, 201, "GET / ")
	wantHeaders(got, map[string]string{"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Expose-Headers": "x-own", "X-Own": "own"})
	got = ask("GET", "https://b.example")
	got.Want(t, 201, "GET / ")
	wantHeaders(got, map[string]string{"Access-Control-Allow-Origin": "", "X-Own": "own"}) // instead of the function's own
}

func TestAPIFunctionURLStreamsWhenAskedTo(t *testing.T) {
	harness.Quiet(t)
	a := harness.NewAPI(t, "", "")
	streaming := func(lines string) []byte {
		return harness.ZipOf(t, map[string]string{"index.mjs": "export const handler = awslambda.streamifyResponse(async (event, stream) => {" + lines + "\n});"})
	}
	const wait = "await new Promise(r => setTimeout(r, 1000));"
	a.Create("prelude", streaming("stream = awslambda.HttpResponseStream.from(stream, { statusCode: 202 }); stream.write('first'); "+wait+" stream.end(' last');"))
	// Gathered, it is an answer as every function gives it.
	a.Create("json", streaming(`stream.write('{"statusCode":202,'); `+wait+` stream.end('"body":"first last"}');`))
	for _, test := range []struct {
		name string
		mode types.InvokeMode
	}{{"prelude", types.InvokeModeResponseStream}, {"prelude", types.InvokeModeBuffered}, {"json", types.InvokeModeBuffered}} {
		name, mode := test.name, test.mode
		address := createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: &name, AuthType: types.FunctionUrlAuthTypeNone, InvokeMode: mode})
		res, err := harness.Client.Do(urlRequest(a, "GET", address, "/", ""))
		a.Check(err)
		begun := time.Now()
		body, err := io.ReadAll(res.Body)
		early := time.Since(begun) > 500*time.Millisecond // it had begun before its last part was written
		res.Body.Close()
		if err != nil || res.StatusCode != 202 || string(body) != "first last" || early != (mode == types.InvokeModeResponseStream) {
			t.Errorf("%s %s: %d %s (%v), early %t", name, mode, res.StatusCode, body, err, early)
		}
		_, err = a.DeleteFunctionUrlConfig(context.Background(), &lambda.DeleteFunctionUrlConfigInput{FunctionName: &name})
		a.Check(err)
	}
}

func TestFunctionURLAnswersAnyJSONAndTellsPathsAsAWSDoes(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("json", harness.NodeZip(t, `return { statusCode: 202, body: { path: event.requestContext.http.path, raw: event.rawPath, domain: event.requestContext.domainName, cookie: event.headers.cookie } };`))
	a.Create("plain", harness.ZipOf(t, map[string]string{"f.py": "def h(event, context):\n    return {'hello': [1, 2.5, event['rawPath']]}\n"}), func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler = types.RuntimePython312, aws.String("f.h")
	})
	a.Create("fails", harness.NodeZip(t, `if (event.rawPath === '/exit') process.exit(1); if (event.rawPath === '/sleep') await new Promise(r => setTimeout(r, 60000)); throw new Error('secret');`),
		func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(1) })
	urls := map[string]string{}
	for _, name := range []string{"json", "plain", "fails"} {
		urls[name] = createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: &name, AuthType: types.FunctionUrlAuthTypeNone})
	}
	u, err := url.Parse(urls["json"])
	a.Check(err)
	r := urlRequest(a, "GET", urls["json"], "/a%20b%2Fc", "")
	r.Header.Set("Cookie", "k=v; l=w")
	got := a.Do(r)
	if want := `{"path":"/a b/c","raw":"/a%20b%2Fc","domain":"` + u.Host + `","cookie":"k=v; l=w"}`; got.Status != 202 || got.Body != want || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s, want 202 %s", got.Status, got.Header, got.Body, want)
	}
	if got := a.Do(urlRequest(a, "GET", urls["plain"], "/x", "")); got.Status != 200 || got.Body != `{"hello":[1,2.5,"/x"]}` {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	for _, path := range []string{"/throw", "/exit", "/sleep"} {
		if got := a.Do(urlRequest(a, "GET", urls["fails"], path, "")); got.Status != 502 || got.Body != "Internal Server Error" {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	_, err = a.UpdateFunctionUrlConfig(context.Background(), &lambda.UpdateFunctionUrlConfigInput{FunctionName: aws.String("json"), InvokeMode: types.InvokeModeResponseStream})
	a.Check(err)
	if got := a.Do(urlRequest(a, "GET", urls["json"], "/", "")); got.Status != 200 || !strings.HasPrefix(got.Body, `{"statusCode":202,"body":{"path":"/"`) {
		t.Errorf("streaming URL, no stream: %d %s", got.Status, got.Body)
	}
}

// The bytes are what a client may send: bodies of any kind, and header values and
// queries that are no UTF-8.
func TestAnyBytesReachAFunctionByEveryWayOverHTTP(t *testing.T) {
	harness.Parallel(t)
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
	a := harness.NewAPI(t, "", "@v1 path /v1/*\n@v2 path /v2/*\nfunction @v1 f {\n\tpayload 1.0\n}\nfunction @v2 f\nfunction n\n")
	a.Create("f", harness.ZipOf(t, map[string]string{"f.py": echo}), func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler = types.RuntimePython312, aws.String("f.h")
	})
	a.Create("n", harness.NodeZip(t, `const h = Object.fromEntries(Object.entries(event.headers).map(([k, v]) => [k.toLowerCase(), v]));
		const body = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString('hex') : event.body;
		return { statusCode: 200, body: JSON.stringify([body, event.isBase64Encoded, h['x-odd'], event.queryStringParameters?.q]) };`))
	address := createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	odd := string([]byte{'c', 'a', 'f', 0xE9, 0xFF, 0x80, 0})
	for _, way := range []string{"/v1/x", "/v2/x", "/node", address} {
		for _, contentType := range []string{"application/json", "text/plain", "image/png", ""} {
			r := urlRequest(a, "POST", address, "/?q=%ff%00", odd)
			if way != address {
				r = a.Request("POST", way+"?q=%ff%00", strings.NewReader(odd))
			}
			r.Header.Del("Content-Type")
			if contentType != "" {
				r.Header.Set("Content-Type", contentType)
			}
			r.Header["X-Odd"] = []string{"a\xe9b\xff"}
			r.Header["X-Amzn-Trace-Id"] = []string{"Root=1-\xe9"}
			got := a.Do(r)
			if got.Status != 200 || !strings.Contains(strings.ReplaceAll(got.Body, " ", ""), `["636166e9ff8000",true,`) {
				t.Errorf("%s of type %q: %d %s", way, contentType, got.Status, got.Body)
			}
		}
	}
	for _, kind := range []types.InvocationType{types.InvocationTypeRequestResponse, types.InvocationTypeEvent} {
		place := func(line, column int) string {
			return fmt.Sprintf("\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]", line, column)
		}
		for payload, words := range map[string]string{
			"{\"a\":\"caf\xe9\"}":      "Invalid UTF-8 middle byte 0x22" + place(1, 12),
			"\"\xff\"":                 "Invalid UTF-8 start byte 0xff" + place(1, 3),
			"[1,\n \"\x80\"]":          "Invalid UTF-8 start byte 0x80" + place(2, 4),
			"\xaa":                     "Unexpected character ((CTRL-CHAR, code 170)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')" + place(1, 1),
			"{\"a\":\n\n  \xe9 \"b\"}": "Unexpected character ((CTRL-CHAR, code 233)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')" + place(3, 3),
			"{":                        "",
		} {
			_, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: kind, Payload: []byte(payload)})
			harness.Refused(t, err, 400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: "+words)
		}
	}
	_, err := a.InvokeWithResponseStream(context.Background(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("f"), Payload: []byte("\"\xe9\"")})
	harness.Refused(t, err, 400, "InvalidRequestContentException", "Could not parse request body into json: ")
}
