package harness

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
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const APIRole = "arn:aws:iam::000000000000:role/r"

// An API is a server with the Lambda API, and AWS's SDK as a user has it: told the
// address and the credentials, nothing else.
type API struct {
	*Server
	*lambda.Client
	LogGroups   *cloudwatchlogs.Client
	Credentials aws.Credentials
}

// NewAPI starts a server whose site has the Lambda API before what site says.
func NewAPI(t *testing.T, functions, site string) *API {
	t.Helper()
	a := &API{Server: NewServer(t, "", "")}
	a.Configure(functions, site)
	a.Start()
	a.Connect()
	return a
}

// Configure writes the Caddyfile with the Lambda API and sites for function URLs and APIs.
func (a *API) Configure(functions, site string) {
	a.T.Helper()
	a.Server.Configure(fmt.Sprintf("function_url http://*.fn.localhost:%[1]d\napi_url http://*.execute-api.us-east-1.localhost:%[1]d\n%[2]s", a.Port, functions), "lambda_api\n"+site)
	f, err := os.OpenFile(a.Config, os.O_APPEND|os.O_WRONLY, 0)
	a.Check(err)
	_, err = fmt.Fprintf(f, "http://*.fn.localhost:%[1]d {\n\tfunction_urls\n}\nhttp://*.execute-api.us-east-1.localhost:%[1]d {\n\tapis\n}\n", a.Port)
	a.Check(err)
	a.Check(f.Close())
}

// CloudWatch makes a client of the metrics.
func (a *API) CloudWatch() *cloudwatch.Client {
	return cloudwatch.New(cloudwatch.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(a.URL("")), Credentials: Keys(a.Credentials.AccessKeyID, a.Credentials.SecretAccessKey),
	})
}

// Connect makes the clients with the key that the server keeps.
func (a *API) Connect() {
	a.T.Helper()
	f, err := os.Open(filepath.Join(a.Dir, "data", "credentials"))
	a.Check(err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			a.Credentials.AccessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			a.Credentials.SecretAccessKey = strings.TrimSpace(value)
		}
	}
	a.Client = a.ClientWith(a.Credentials.AccessKeyID, a.Credentials.SecretAccessKey)
	a.LogGroups = cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(a.URL("")), Credentials: Keys(a.Credentials.AccessKeyID, a.Credentials.SecretAccessKey),
	})
}

// ClientWith is a client with other keys. It tries once: what fails once is a failure.
func (a *API) ClientWith(id, secret string) *lambda.Client {
	return lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: aws.String(a.URL("")), Credentials: Keys(id, secret), RetryMaxAttempts: 1})
}

func Keys(id, secret string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
	})
}

func (a *API) Check(err error) {
	a.T.Helper()
	if err != nil {
		a.T.Fatal(err)
	}
}

// ZipOf is an archive of files by name. All are executable, as a bootstrap must be.
func ZipOf(t testing.TB, files map[string]string) []byte {
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

// NodeZip is a Node function whose handler has that body.
func NodeZip(t testing.TB, body string) []byte {
	return ZipOf(t, map[string]string{"index.mjs": "export const handler = async (event, context) => {" + body + "\n};"})
}

// Answers is the body of a handler that answers text, by HTTP and by Invoke.
func Answers(text string) string { return fmt.Sprintf("return { statusCode: 200, body: %q };", text) }

// Create makes a Node function and waits until it is active.
func (a *API) Create(name string, code []byte, change ...func(*lambda.CreateFunctionInput)) *lambda.CreateFunctionOutput {
	a.T.Helper()
	in := &lambda.CreateFunctionInput{
		FunctionName: &name, Role: aws.String(APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"),
		Code: &types.FunctionCode{ZipFile: code}, Timeout: aws.Int32(10),
	}
	for _, f := range change {
		f(in)
	}
	ctx := context.Background()
	out, err := a.CreateFunction(ctx, in)
	a.Check(err)
	get := &lambda.GetFunctionInput{FunctionName: &name}
	a.Check(lambda.NewFunctionExistsWaiter(a).Wait(ctx, get, time.Minute))
	a.Check(lambda.NewFunctionActiveV2Waiter(a).Wait(ctx, get, time.Minute))
	return out
}

// UpdateCode gives a function other code and waits until that runs.
func (a *API) UpdateCode(name string, code []byte) *lambda.UpdateFunctionCodeOutput {
	a.T.Helper()
	ctx := context.Background()
	out, err := a.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &name, ZipFile: code})
	a.Check(err)
	a.Check(lambda.NewFunctionUpdatedV2Waiter(a).Wait(ctx, &lambda.GetFunctionInput{FunctionName: &name}, time.Minute))
	return out
}

// Call invokes a function, which may have a qualifier after a colon.
func (a *API) Call(name, event string) *lambda.InvokeOutput {
	a.T.Helper()
	out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(event)})
	a.Check(err)
	return out
}

// WantCall fails unless a function answers without an error and with text in it.
func (a *API) WantCall(name, event, text string) {
	a.T.Helper()
	out := a.Call(name, event)
	if out.FunctionError != nil || !strings.Contains(string(out.Payload), text) {
		a.T.Errorf("%s answers %s %.300s, want %q", name, aws.ToString(out.FunctionError), out.Payload, text)
	}
}

// Restart starts the server again after it has ended, with the same data.
func (a *API) Restart() {
	a.T.Helper()
	a.Mu.Lock()
	a.Out.Reset() // start waits for what the first start has printed already
	a.Mu.Unlock()
	a.Start()
}

// Refused fails unless err is AWS's exception, with a message that begins so.
func Refused(t testing.TB, err error, status int, name, message string) {
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

// Sign signs a request as a client does whose body is body and whose clock says now.
func (a *API) Sign(r *http.Request, body string, now time.Time) {
	a.T.Helper()
	digest := sha256.Sum256([]byte(body))
	a.Check(v4.NewSigner().SignHTTP(context.Background(), a.Credentials, r, hex.EncodeToString(digest[:]), "lambda", "us-east-1", now))
}

// EventConfig has a function tried once, with destinations.
func (a *API) EventConfig(name, qualifier, success, failure string) {
	a.T.Helper()
	in := &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: &name, MaximumRetryAttempts: aws.Int32(0), MaximumEventAgeInSeconds: aws.Int32(60), DestinationConfig: &types.DestinationConfig{},
	}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	if success != "" {
		in.DestinationConfig.OnSuccess = &types.OnSuccess{Destination: &success}
	}
	if failure != "" {
		in.DestinationConfig.OnFailure = &types.OnFailure{Destination: &failure}
	}
	_, err := a.PutFunctionEventInvokeConfig(context.Background(), in)
	a.Check(err)
}

// OpenURL lets everybody call the URL of a function that has AuthType NONE.
func (a *API) OpenURL(function string, qualifier *string) {
	a.T.Helper()
	_, err := a.AddPermission(context.Background(), &lambda.AddPermissionInput{
		FunctionName: &function, Qualifier: qualifier, StatementId: aws.String("FunctionURLAllowPublicAccess"), Action: aws.String("lambda:InvokeFunctionUrl"),
		Principal: aws.String("*"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone,
	})
	if !errors.As(err, new(*types.ResourceConflictException)) {
		a.Check(err)
	}
}
