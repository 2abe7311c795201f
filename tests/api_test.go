package tests

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const apiRole = "arn:aws:iam::000000000000:role/r"

// An api is a server with the Lambda API, and AWS's SDK as a user has it: told the
// address and the credentials, nothing else.
type api struct {
	*server
	*lambda.Client
	logGroups   *cloudwatchlogs.Client
	credentials aws.Credentials
}

// newAPI starts a server whose site has the Lambda API before what site says.
func newAPI(t *testing.T, functions, site string) *api {
	t.Helper()
	a := &api{server: newServer(t, "", "")}
	a.configure(functions, site)
	a.start()
	a.connect()
	return a
}

// configure writes the Caddyfile with the Lambda API and a site for function URLs.
func (a *api) configure(functions, site string) {
	a.t.Helper()
	a.server.configure(fmt.Sprintf("function_url http://*.fn.localhost:%d\n%s", a.port, functions), "lambda_api\n"+site)
	f, err := os.OpenFile(a.config, os.O_APPEND|os.O_WRONLY, 0)
	a.check(err)
	_, err = fmt.Fprintf(f, "http://*.fn.localhost:%d {\n\tfunction_urls\n}\n", a.port)
	a.check(err)
	a.check(f.Close())
}

// connect makes the clients with the key that the server keeps.
func (a *api) connect() {
	a.t.Helper()
	f, err := os.Open(filepath.Join(a.dir, "data", "credentials"))
	a.check(err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			a.credentials.AccessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			a.credentials.SecretAccessKey = strings.TrimSpace(value)
		}
	}
	a.Client = a.client(a.credentials.AccessKeyID, a.credentials.SecretAccessKey)
	a.logGroups = cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(a.url("")), Credentials: keys(a.credentials.AccessKeyID, a.credentials.SecretAccessKey),
	})
}

// client is a client with other keys. It tries once: what fails once is a failure.
func (a *api) client(id, secret string) *lambda.Client {
	return lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: aws.String(a.url("")), Credentials: keys(id, secret), RetryMaxAttempts: 1})
}

func keys(id, secret string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
	})
}

func (a *api) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// zipOf is an archive of files by name. All are executable, as a bootstrap must be.
func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o755)
		f, err := z.CreateHeader(header)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// nodeZip is a Node function whose handler has that body.
func nodeZip(t testing.TB, body string) []byte {
	return zipOf(t, map[string]string{"index.mjs": "export const handler = async (event, context) => {" + body + "\n};"})
}

// answers is the body of a handler that answers text, by HTTP and by Invoke.
func answers(text string) string { return fmt.Sprintf("return { statusCode: 200, body: %q };", text) }

// create makes a Node function and waits until it is active.
func (a *api) create(name string, code []byte, change ...func(*lambda.CreateFunctionInput)) *lambda.CreateFunctionOutput {
	a.t.Helper()
	in := &lambda.CreateFunctionInput{
		FunctionName: &name, Role: aws.String(apiRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"),
		Code: &types.FunctionCode{ZipFile: code}, Timeout: aws.Int32(10),
	}
	for _, f := range change {
		f(in)
	}
	ctx := context.Background()
	out, err := a.CreateFunction(ctx, in)
	a.check(err)
	get := &lambda.GetFunctionInput{FunctionName: &name}
	a.check(lambda.NewFunctionExistsWaiter(a).Wait(ctx, get, time.Minute))
	a.check(lambda.NewFunctionActiveV2Waiter(a).Wait(ctx, get, time.Minute))
	return out
}

// updateCode gives a function other code and waits until that runs.
func (a *api) updateCode(name string, code []byte) *lambda.UpdateFunctionCodeOutput {
	a.t.Helper()
	ctx := context.Background()
	out, err := a.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &name, ZipFile: code})
	a.check(err)
	a.check(lambda.NewFunctionUpdatedV2Waiter(a).Wait(ctx, &lambda.GetFunctionInput{FunctionName: &name}, time.Minute))
	return out
}

// call invokes a function, which may have a qualifier after a colon.
func (a *api) call(name, event string) *lambda.InvokeOutput {
	a.t.Helper()
	out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(event)})
	a.check(err)
	return out
}

// wantCall fails unless a function answers without an error and with text in it.
func (a *api) wantCall(name, event, text string) {
	a.t.Helper()
	out := a.call(name, event)
	if out.FunctionError != nil || !strings.Contains(string(out.Payload), text) {
		a.t.Errorf("%s answers %s %.300s, want %q", name, aws.ToString(out.FunctionError), out.Payload, text)
	}
}

// restart starts the server again after it has ended, with the same data.
func (a *api) restart() {
	a.t.Helper()
	a.mu.Lock()
	a.out.Reset() // start waits for what the first start has printed already
	a.mu.Unlock()
	a.start()
}

// refused fails unless err is AWS's exception, with a message that begins so.
func refused(t testing.TB, err error, status int, name, message string) {
	t.Helper()
	var exception smithy.APIError
	var response *smithyhttp.ResponseError
	if !errors.As(err, &exception) || !errors.As(err, &response) {
		t.Errorf("error %v, want %s", err, name)
		return
	}
	if exception.ErrorCode() != name || !strings.HasPrefix(exception.ErrorMessage(), message) || response.HTTPStatusCode() != status {
		t.Errorf("refused with %d %s: %q, want %d %s: %q",
			response.HTTPStatusCode(), exception.ErrorCode(), exception.ErrorMessage(), status, name, message)
	}
}

// sign signs a request as a client does whose body is body and whose clock says now.
func (a *api) sign(r *http.Request, body string, now time.Time) {
	a.t.Helper()
	digest := sha256.Sum256([]byte(body))
	a.check(v4.NewSigner().SignHTTP(context.Background(), a.credentials, r, hex.EncodeToString(digest[:]), "lambda", "us-east-1", now))
}
