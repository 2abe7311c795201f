package api

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

const arnOf = "arn:aws:lambda:us-east-1:000000000000:function:"

func TestAPIErrorsAreAWSs(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, harness.Answers("x")))
	f, missing := aws.String("f"), aws.String("missing")
	valid := func(change func(*lambda.CreateFunctionInput)) *lambda.CreateFunctionInput {
		in := &lambda.CreateFunctionInput{
			FunctionName: aws.String("new"), Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"),
			Code: &types.FunctionCode{ZipFile: harness.NodeZip(t, harness.Answers("x"))},
		}
		change(in)
		return in
	}
	create := func(change func(*lambda.CreateFunctionInput)) error {
		_, err := a.CreateFunction(ctx, valid(change))
		return err
	}
	invoke := func(in lambda.InvokeInput) error {
		_, err := a.Invoke(ctx, &in)
		return err
	}
	for _, test := range []struct {
		err           error
		status        int
		name, message string
	}{
		{invoke(lambda.InvokeInput{FunctionName: missing}), 404, "ResourceNotFoundException", "Function not found: " + arnOf + "missing"},
		{invoke(lambda.InvokeInput{FunctionName: f, Qualifier: aws.String("9")}), 404, "ResourceNotFoundException", "Function not found: " + arnOf + "f:9"},
		{invoke(lambda.InvokeInput{FunctionName: aws.String("arn:aws:lambda:eu-west-1:000000000000:function:f")}), 404, "ResourceNotFoundException",
			"Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
		{create(func(in *lambda.CreateFunctionInput) { in.FunctionName = f }), 409, "ResourceConflictException", "Function already exist: f"},
		{create(func(in *lambda.CreateFunctionInput) { in.Handler = nil }), 400, "InvalidParameterValueException", "Runtime and Handler are mandatory parameters"},
		{create(func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = []byte("no zip") }), 400, "InvalidParameterValueException", "Could not unzip uploaded file."},
		{create(func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = nil }), 400, "InvalidParameterValueException", "Please provide a source for function code."},
		{create(func(in *lambda.CreateFunctionInput) {
			in.Code = &types.FunctionCode{S3Bucket: aws.String("bucket"), S3Key: aws.String("key")}
		}), 400,
			"InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchBucket."},
		{create(func(in *lambda.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AA": strings.Repeat("x", 4096)}}
		}), 400, "InvalidParameterValueException", "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit."},
		{create(func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(5401) }), 400, "ValidationException",
			"1 validation error detected: Value '5401' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 5400"},
		{create(func(in *lambda.CreateFunctionInput) { in.Role = aws.String("nobody") }), 400, "ValidationException", "1 validation error detected: Value 'nobody' at 'role' failed to satisfy constraint: "},
		{create(func(in *lambda.CreateFunctionInput) { in.Runtime = "cobol" }), 400, "InvalidParameterValueException", "Value cobol at 'runtime' failed to satisfy constraint: "},
		{create(func(in *lambda.CreateFunctionInput) { in.Runtime = types.RuntimeDotnet8 }), 400, "InvalidParameterValueException", "function \"new\": runtime \"dotnet8\" is not supported: publish"},
		{invoke(lambda.InvokeInput{FunctionName: f, Payload: []byte("{")}), 400, "InvalidRequestContentException", "Could not parse request body into json: "},
		{invoke(lambda.InvokeInput{FunctionName: f, ClientContext: aws.String("no base64")}), 400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."},
		{invoke(lambda.InvokeInput{FunctionName: f, Payload: []byte(`"` + strings.Repeat("x", 6<<20) + `"`)}), 413, "RequestTooLargeException",
			"Request must be smaller than 6291456 bytes for the InvokeFunction operation"},
		{invoke(lambda.InvokeInput{FunctionName: f, InvocationType: types.InvocationTypeEvent, Payload: []byte(`"` + strings.Repeat("x", 1<<20) + `"`)}), 413,
			"RequestTooLargeException", "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)"},
		{func() error {
			_, err := a.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: f, ZipFile: harness.NodeZip(t, "1"), RevisionId: aws.String("old")})
			return err
		}(), 412, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id."},
		{func() error {
			_, err := a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: f, CodeSha256: aws.String("other")})
			return err
		}(), 400, "InvalidParameterValueException", "CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ("},
		{func() error {
			_, err := a.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: f})
			return err
		}(), 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		{func() error {
			_, err := a.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: f})
			return err
		}(), 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		{func() error {
			_, err := a.LogGroups.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("/aws/lambda/missing")})
			return err
		}(), 400, "ResourceNotFoundException", "The specified log group does not exist."},

		// What is not supported is refused by its name.
		{create(func(in *lambda.CreateFunctionInput) {
			in.PackageType, in.Code = types.PackageTypeImage, &types.FunctionCode{ImageUri: aws.String("x/y:z")}
		}), 400, "InvalidParameterValueException", "PackageType Image is not supported"},
		{create(func(in *lambda.CreateFunctionInput) {
			in.DurableConfig = &types.DurableConfig{ExecutionTimeout: aws.Int32(60)}
		}), 400, "InvalidParameterValueException", "DurableConfig is not supported"},
		{create(func(in *lambda.CreateFunctionInput) { in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}} }), 400, "InvalidParameterValueException", "VpcConfig is not supported"},
		{func() error {
			_, err := a.ListDurableExecutionsByFunction(ctx, &lambda.ListDurableExecutionsByFunctionInput{FunctionName: f})
			return err
		}(), 400, "InvalidParameterValueException", "operation ListDurableExecutionsByFunction is not supported: there are no durable executions here"},
		{func() error {
			_, err := a.ListCapacityProviders(ctx, &lambda.ListCapacityProvidersInput{})
			return err
		}(), 400, "InvalidParameterValueException", "operation ListCapacityProviders is not supported"},
	} {
		harness.Refused(t, test.err, test.status, test.name, test.message)
	}
	if _, err := a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("new")}); !errors.As(err, new(*types.ResourceNotFoundException)) {
		t.Errorf("a refused function is there: %v", err)
	}
}

func TestAPIThrottlesWithTheReason(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "concurrency 2", "")
	ctx := context.Background()
	for _, name := range []string{"reserved", "slow", "other"} {
		a.Create(name, harness.NodeZip(t, "await new Promise(r => setTimeout(r, event.ms ?? 0)); return 1;"))
	}
	throttled := func(name string, reason types.ThrottleReason) {
		t.Helper()
		_, err := a.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name})
		harness.Refused(t, err, 429, "TooManyRequestsException", "Rate Exceeded.")
		var e *types.TooManyRequestsException
		if !errors.As(err, &e) || e.Reason != reason || e.RetryAfterSeconds != nil {
			t.Errorf("%s is throttled by %+v, want reason %s", name, e, reason)
		}
	}
	_, err := a.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("reserved"), ReservedConcurrentExecutions: aws.Int32(0)})
	a.Check(err)
	throttled("reserved", types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded)
	_, err = a.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: aws.String("reserved")})
	a.Check(err)
	a.WantCall("reserved", "{}", "1")

	// Both environments that the server may have are busy for longer than a call waits.
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := a.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("slow"), Payload: []byte(`{"ms":6000}`)})
			ended <- err
		}()
	}
	harness.Eventually(t, "both are busy", func() bool { return strings.Count(a.Logs("slow"), "START RequestId") == 2 })
	throttled("other", types.ThrottleReasonConcurrentInvocationLimitExceeded)
	for range 2 {
		a.Check(<-ended)
	}
	a.WantCall("other", "{}", "1")
}

func TestAPIRefusesWhatIsNotSignedByAKey(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	list := func(c *lambda.Client, change ...func(*lambda.Options)) error {
		_, err := c.ListFunctions(context.Background(), &lambda.ListFunctionsInput{}, change...)
		return err
	}
	a.Check(list(a.Client))
	harness.Refused(t, list(a.ClientWith(a.Credentials.AccessKeyID, "wrong")), 403, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
	harness.Refused(t, list(a.ClientWith("AKIAUNKNOWN", a.Credentials.SecretAccessKey)), 403, "UnrecognizedClientException", "The security token included in the request is invalid.")
	harness.Refused(t, list(a.Client, func(o *lambda.Options) { o.Region = "eu-west-1" }), 403, "InvalidSignatureException", "Credential should be scoped to a valid region")
	got := a.Get("/2015-03-31/functions/")
	got.Want(t, 403, `{"message":"Missing Authentication Token"}`)
	if name := got.Header.Get("X-Amzn-ErrorType"); name != "MissingAuthenticationTokenException" {
		t.Errorf("the error's type is %q", name)
	}
	// A clock that is late by an hour. The SDK corrects its clock by the answer and
	// would try again, so this client tries once.
	r := a.Request("GET", "/2015-03-31/functions/", nil)
	a.Sign(r, "", time.Now().Add(-time.Hour))
	a.Do(r).Want(t, 403, "Signature expired: ")
	r = a.Request("GET", "/2015-03-31/functions/", nil)
	a.Sign(r, "", time.Now().Add(time.Hour))
	a.Do(r).Want(t, 403, "Signature not yet current: ")
	// Signed for another body.
	r = a.Request("POST", "/2015-03-31/functions/f/invocations", strings.NewReader(`{"a":2}`))
	a.Sign(r, `{"a":1}`, time.Now())
	a.Do(r).Want(t, 403, "")
	r = a.Request("GET", "/2015-03-31/functions/", nil)
	a.Sign(r, "", time.Now())
	a.Do(r).Want(t, 200, `{"Functions":[]}`)
}

func TestAPIReadOnlyKeyChangesAndRunsNothing(t *testing.T) {
	harness.Parallel(t)
	const id, secret = "AKIAREADER", "0123456789012345678901234567890123456789"
	a := harness.NewAPI(t, "access_key "+id+" "+secret+" read_only", "")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, harness.Answers("x")))
	reader := a.ClientWith(id, secret)
	got, err := reader.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	a.Check(err)
	if *got.Configuration.FunctionName != "f" {
		t.Errorf("read %+v", got.Configuration)
	}
	for action, err := range map[string]error{
		"lambda:InvokeFunction": func() error {
			_, err := reader.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f")})
			return err
		}(),
		"lambda:DeleteFunction": func() error {
			_, err := reader.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("f")})
			return err
		}(),
		"lambda:PublishVersion": func() error {
			_, err := reader.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("f")})
			return err
		}(),
	} {
		harness.Refused(t, err, 403, "AccessDeniedException", "User: arn:aws:iam::000000000000:user/"+id+" is not authorized to perform: "+action)
	}
	a.WantCall("f", "{}", "x")
}

func TestAPICannotChangeAFunctionOfTheCaddyfile(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	a := &harness.API{Server: s}
	dir := s.Code("fixed", map[string]string{"index.mjs": "export const handler = async () => ({ statusCode: 200, body: 'fixed' });"})
	a.Configure(harness.NodeFunction("fixed", dir, ""), "function fixed")
	a.Start()
	a.Connect()
	ctx := context.Background()
	fixed := aws.String("fixed")
	got, err := a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: fixed})
	a.Check(err)
	if len(got.Tags) != 1 || got.Tags["hearth:defined-in"] == "" {
		t.Errorf("its tags are %v", got.Tags)
	}
	a.WantCall("fixed", "{}", "fixed")
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: fixed})
	harness.Refused(t, err, 400, "InvalidParameterValueException", "")
	_, err = a.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: fixed, ZipFile: harness.NodeZip(t, "1")})
	harness.Refused(t, err, 400, "InvalidParameterValueException", "")
	_, err = a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: fixed, Timeout: aws.Int32(1)})
	harness.Refused(t, err, 400, "InvalidParameterValueException", "")
	_, err = a.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: fixed, Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"), Code: &types.FunctionCode{ZipFile: harness.NodeZip(t, "1")},
	})
	harness.Refused(t, err, 409, "ResourceConflictException", "Function already exist: fixed")
	a.Get("/").Want(t, 200, "fixed")
}

// What is provisioned for a version is taken from the others, and given back with it.
func TestAPIKeepsReservedConcurrencyForTheVersionThatProvisionsIt(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	f, one := aws.String("reserved"), aws.Int32(1)
	a.Create("reserved", harness.NodeZip(t, "return 1;"))
	_, err := a.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: one})
	a.Check(err)
	published, err := a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: f})
	a.Check(err)
	a.WantCall("reserved", "{}", "1")
	_, err = a.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: published.Version, ProvisionedConcurrentExecutions: one})
	a.Check(err)
	for range 2 {
		_, err = a.Invoke(ctx, &lambda.InvokeInput{FunctionName: f})
		var e *types.TooManyRequestsException
		if !errors.As(err, &e) || e.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded {
			t.Errorf("$LATEST ends with %v", err)
		}
		got, err := a.Invoke(ctx, &lambda.InvokeInput{FunctionName: f, Qualifier: published.Version})
		a.Check(err)
		if string(got.Payload) != "1" {
			t.Errorf("the version answers %s", got.Payload)
		}
	}
	_, err = a.DeleteProvisionedConcurrencyConfig(ctx, &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: published.Version})
	a.Check(err)
	a.WantCall("reserved", "{}", "1")
}
