package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hearthfn/hearth/tests/harness"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestAPILayersAreUnderOptEvenOnceTheyAreDeleted(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	publish := func(text string) *lambda.PublishLayerVersionOutput {
		out, err := a.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{
			LayerName: aws.String("words"), CompatibleRuntimes: []types.Runtime{types.RuntimeNodejs20x},
			Content: &types.LayerVersionContentInput{ZipFile: harness.ZipOf(t, map[string]string{
				"nodejs/node_modules/words/index.js": "module.exports = '" + text + "';", "words.txt": text,
			})},
		})
		a.Check(err)
		return out
	}
	first, second := publish("first"), publish("second")
	if first.Version != 1 || second.Version != 2 || *first.LayerVersionArn != "arn:aws:lambda:us-east-1:000000000000:layer:words:1" {
		t.Errorf("published %s and %s", *first.LayerVersionArn, *second.LayerVersionArn)
	}
	code := harness.ZipOf(t, map[string]string{"index.js": "exports.handler = async () => require('words') + ' ' + require('fs').readFileSync('/opt/words.txt');"})
	created := a.Create("f", code, func(in *lambda.CreateFunctionInput) { in.Layers = []string{*first.LayerVersionArn} })
	if len(created.Layers) != 1 || *created.Layers[0].Arn != *first.LayerVersionArn {
		t.Errorf("created %+v", created.Layers)
	}
	a.WantCall("f", "{}", "first first")
	_, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Layers: []string{*second.LayerVersionArn}})
	a.Check(err)
	a.WantCall("f", "{}", "second second")
	_, err = a.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: aws.String("words"), VersionNumber: aws.Int64(2)})
	a.Check(err)
	_, err = a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Layers: []string{*second.LayerVersionArn}})
	harness.Refused(t, err, 400, "InvalidParameterValueException", "Layer version "+*second.LayerVersionArn+" does not exist.")
	a.Stop()
	a.Restart()
	a.WantCall("f", "{}", "second second")
	if third := publish("third"); third.Version != 3 {
		t.Errorf("version %d comes after 2, which is deleted", third.Version)
	}
}

func TestAPIProvisionedConcurrencyIsReadyBeforeTheFirstCall(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, "return process.env.AWS_LAMBDA_INITIALIZATION_TYPE;"), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	f, version := aws.String("f"), aws.String("1")
	_, err := a.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("$LATEST"), ProvisionedConcurrentExecutions: aws.Int32(2)})
	harness.Refused(t, err, 400, "InvalidParameterValueException", "Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	_, err = a.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: version, ProvisionedConcurrentExecutions: aws.Int32(2)})
	a.Check(err)
	ready := func() bool {
		out, err := a.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: version})
		a.Check(err)
		return out.Status == types.ProvisionedConcurrencyStatusEnumReady && *out.AvailableProvisionedConcurrentExecutions == 2
	}
	harness.Eventually(t, "two environments are ready", ready)
	a.WantCall("f:1", "{}", "provisioned-concurrency")
	a.WantCall("f", "{}", "on-demand")
	a.Stop()
	a.Restart()
	harness.Eventually(t, "two environments are ready after a restart", ready)
	_, err = a.DeleteProvisionedConcurrencyConfig(ctx, &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: version})
	a.Check(err)
	_, err = a.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: version})
	harness.Refused(t, err, 404, "ProvisionedConcurrencyConfigNotFoundException", "")
	a.WantCall("f:1", "{}", "")
}

// What is wanted ahead is tried again until it starts, and Get says how it stands meanwhile.
func TestAPIProvisionedConcurrencyFailsWithTheInitPhase(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	code := harness.ZipOf(t, map[string]string{"index.mjs": "if (Date.now() < Number(process.env.FROM)) throw new Error('not yet');\nexport const handler = async () => 1;"})
	from := func(name string, at time.Time) {
		a.Create(name, code, func(in *lambda.CreateFunctionInput) {
			in.Publish = true
			in.Environment = &types.Environment{Variables: map[string]string{"FROM": strconv.FormatInt(at.UnixMilli(), 10)}}
		})
		out, err := a.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: &name, Qualifier: aws.String("1"), ProvisionedConcurrentExecutions: aws.Int32(1)})
		a.Check(err)
		if out.Status != types.ProvisionedConcurrencyStatusEnumInProgress {
			t.Errorf("it begins as %s", out.Status)
		}
	}
	state := func(name string) string {
		out, err := a.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &name, Qualifier: aws.String("1")})
		a.Check(err)
		return fmt.Sprintf("%s %q %d", out.Status, aws.ToString(out.StatusReason), *out.AvailableProvisionedConcurrentExecutions)
	}
	from("never", time.Now().Add(24*time.Hour))
	harness.Eventually(t, "it has failed", func() bool { return state("never") == `FAILED "FUNCTION_ERROR_INIT_FAILURE" 0` })
	from("later", time.Now().Add(2*time.Second))
	harness.Eventually(t, "it is ready at a later try", func() bool { return state("later") == `READY "" 1` })
	if got := state("never"); got != `FAILED "FUNCTION_ERROR_INIT_FAILURE" 0` {
		t.Errorf("what never starts is %s", got)
	}
}

// As recorded from AWS: which environment a call runs in as an alias takes its provisioned
// concurrency along from version to version, and of code that fails only ahead.
func TestAPIProvisionedEnvironmentsAreOthersThanThoseOfCalls(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	const handler = "export const handler = async () => process.env.AWS_LAMBDA_INITIALIZATION_TYPE;"
	const onDemand, ahead = `"on-demand"`, `"provisioned-concurrency"`
	put := func(name, qualifier string) {
		_, err := a.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: &name, Qualifier: &qualifier, ProvisionedConcurrentExecutions: aws.Int32(1)})
		a.Check(err)
	}
	await := func(name, qualifier string, want types.ProvisionedConcurrencyStatusEnum) {
		t.Helper()
		harness.Eventually(t, "it is "+string(want), func() bool {
			out, err := a.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &name, Qualifier: &qualifier})
			a.Check(err)
			return out.Status == want
		})
	}
	a.Create("f", harness.ZipOf(t, map[string]string{"index.mjs": handler}), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := a.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	a.Check(err)
	a.WantCall("f:1", "{}", onDemand)
	put("f", "live")
	await("f", "live", types.ProvisionedConcurrencyStatusEnumReady)
	a.WantCall("f:1", "{}", ahead)
	a.WantCall("f:live", "{}", ahead)
	_, err = a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Description: aws.String("the second")})
	a.Check(err)
	_, err = a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("f")})
	a.Check(err)
	_, err = a.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("2")})
	a.Check(err)
	await("f", "live", types.ProvisionedConcurrencyStatusEnumReady)
	a.WantCall("f:1", "{}", onDemand)
	a.WantCall("f:2", "{}", ahead)
	a.WantCall("f:live", "{}", ahead)

	broken := "if (process.env.AWS_LAMBDA_INITIALIZATION_TYPE !== 'on-demand') throw new Error('ahead');\n" + handler
	a.Create("g", harness.ZipOf(t, map[string]string{"index.mjs": broken}), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	put("g", "1")
	a.WantCall("g:1", "{}", onDemand)
	await("g", "1", types.ProvisionedConcurrencyStatusEnumFailed)
	a.WantCall("g:1", "{}", onDemand)
}

func TestAPIFunctionOfADeletedOnesNameInheritsNothing(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /f f")
	ctx := context.Background()
	f := aws.String("f")
	a.Create("f", harness.NodeZip(t, "globalThis.n = (globalThis.n ?? 0) + 1; await new Promise(r => setTimeout(r, event.ms ?? 0)); return { body: `old ${n}` };"), func(in *lambda.CreateFunctionInput) {
		in.Publish, in.Tags = true, map[string]string{"team": "a"}
		in.Environment = &types.Environment{Variables: map[string]string{"OWN": "old"}}
	})
	_, err := a.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("1")})
	a.Check(err)
	_, err = a.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(5)})
	a.Check(err)
	_, err = a.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: f, StatementId: aws.String("s"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("s3.amazonaws.com")})
	a.Check(err)
	address := createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: f, AuthType: types.FunctionUrlAuthTypeNone})
	a.WantCall("f", "{}", "old 1")

	// A call in flight ends as it began.
	ended := make(chan string, 1)
	go func() {
		out, err := a.Invoke(ctx, &lambda.InvokeInput{FunctionName: f, Payload: []byte(`{"ms":1500}`)})
		if err != nil {
			ended <- err.Error()
			return
		}
		ended <- string(out.Payload)
	}()
	harness.Eventually(t, "the call runs", func() bool { return strings.Count(a.Logs("f"), "START RequestId") == 2 })
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: f})
	a.Check(err)
	a.Create("f", harness.NodeZip(t, "globalThis.n = (globalThis.n ?? 0) + 1; return { body: `new ${n} ${process.env.OWN}` };"))
	a.WantCall("f", "{}", "new 1 undefined")
	if got := <-ended; !strings.Contains(got, "old 2") {
		t.Errorf("the call in flight got %s", got)
	}
	a.WantCall("f", "{}", "new 2 undefined")

	got, err := a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: f})
	a.Check(err)
	if len(got.Tags) != 0 || got.Concurrency != nil {
		t.Errorf("it has tags %v and concurrency %+v", got.Tags, got.Concurrency)
	}
	for _, qualifier := range []string{"1", "live"} {
		_, err = a.Invoke(ctx, &lambda.InvokeInput{FunctionName: f, Qualifier: &qualifier})
		harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found: "+arnOf+"f:"+qualifier)
	}
	_, err = a.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: f})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "")
	if got := a.Do(urlRequest(a, "GET", address, "/", "")); strings.Contains(got.Body, "new") {
		t.Errorf("the old one's URL runs the new one: %s", got.Body)
	}
}

func TestAPITakesPresignedRequestsWhileTheyAreValid(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", harness.NodeZip(t, urlFunction))
	address := createURL(a, lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeAwsIam})
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of ""
	presigned := func(r *http.Request, age time.Duration) harness.Response {
		t.Helper()
		r.Header.Del("Content-Type")
		query := r.URL.Query()
		query.Set("X-Amz-Expires", "60")
		r.URL.RawQuery = query.Encode()
		signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), a.Credentials, r, nothing, "lambda", "us-east-1", time.Now().Add(-age))
		a.Check(err)
		r.URL, err = url.Parse(signed)
		a.Check(err)
		r.URL.Host = strings.TrimPrefix(a.URL(""), "http://") // the host is signed, the address is ours
		return a.Do(r)
	}
	list := func() *http.Request { return a.Request("GET", "/2015-03-31/functions/", nil) }
	presigned(list(), 0).Want(t, 200, `"FunctionName":"f"`)
	presigned(list(), 2*time.Minute).Want(t, 403, "Signature expired")
	call := func() *http.Request { return urlRequest(a, "GET", address, "/x", "") }
	presigned(call(), 0).Want(t, 201, "GET /x")
	if got := presigned(call(), 2*time.Minute); got.Status != 403 {
		t.Errorf("an old link is answered by %d %s", got.Status, got.Body)
	}
}
