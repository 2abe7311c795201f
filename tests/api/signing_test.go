package api

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// Errors are those recorded from AWS.
func TestCodeSigningConfigurationsAreKeptAndObeyed(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	profile := "arn:aws:signer:us-east-1:000000000000:/signing-profiles/test"
	made, err := a.CreateCodeSigningConfig(ctx, &lambda.CreateCodeSigningConfigInput{
		Description: aws.String("Testing"), AllowedPublishers: &types.AllowedPublishers{SigningProfileVersionArns: []string{profile}},
		CodeSigningPolicies: &types.CodeSigningPolicies{UntrustedArtifactOnDeployment: types.CodeSigningPolicyEnforce}, Tags: map[string]string{"k": "v"},
	})
	a.Check(err)
	arn := made.CodeSigningConfig.CodeSigningConfigArn
	if c := made.CodeSigningConfig; *c.Description != "Testing" || c.AllowedPublishers.SigningProfileVersionArns[0] != profile ||
		c.CodeSigningPolicies.UntrustedArtifactOnDeployment != "Enforce" || !strings.HasSuffix(*arn, ":code-signing-config:"+*c.CodeSigningConfigId) {
		t.Errorf("made %+v", c)
	}
	tags, err := a.ListTags(ctx, &lambda.ListTagsInput{Resource: arn})
	a.Check(err)
	if tags.Tags["k"] != "v" {
		t.Errorf("tags %v", tags.Tags)
	}

	// Enforce: there is no signature that is verified here, so no code is taken.
	code := harness.NodeZip(t, "return 'runs';")
	in := &lambda.CreateFunctionInput{FunctionName: aws.String("f"), Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x,
		Handler: aws.String("index.handler"), Code: &types.FunctionCode{ZipFile: code}, CodeSigningConfigArn: arn}
	const words = "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not configured to accept. Check the provided signature for "
	_, err = a.CreateFunction(ctx, in)
	harness.Refused(t, err, 400, "CodeVerificationFailedException", words+"f.")
	_, err = a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: in.FunctionName})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "")

	// Warn: it is, and the log tells.
	policy := func(p types.CodeSigningPolicy) {
		t.Helper()
		out, err := a.UpdateCodeSigningConfig(ctx, &lambda.UpdateCodeSigningConfigInput{CodeSigningConfigArn: arn,
			CodeSigningPolicies: &types.CodeSigningPolicies{UntrustedArtifactOnDeployment: p}})
		a.Check(err)
		if c := out.CodeSigningConfig; c.CodeSigningPolicies.UntrustedArtifactOnDeployment != p || *c.Description != "Testing" {
			t.Errorf("updated to %+v", c)
		}
	}
	policy(types.CodeSigningPolicyWarn)
	_, err = a.CreateFunction(ctx, in)
	a.Check(err)
	a.WantCall("f", "{}", "runs")
	if !strings.Contains(a.Output(), "code is taken without a verified signature") {
		t.Error("the log does not tell that code is not verified")
	}
	got, err := a.GetFunctionCodeSigningConfig(ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: in.FunctionName})
	a.Check(err)
	if aws.ToString(got.CodeSigningConfigArn) != *arn || aws.ToString(got.FunctionName) != "f" {
		t.Errorf("the function has %v", got)
	}
	listed, err := a.ListFunctionsByCodeSigningConfig(ctx, &lambda.ListFunctionsByCodeSigningConfigInput{CodeSigningConfigArn: arn})
	a.Check(err)
	if len(listed.FunctionArns) != 1 || !strings.HasSuffix(listed.FunctionArns[0], ":function:f") {
		t.Errorf("functions %v", listed.FunctionArns)
	}

	// What was deployed runs on, what comes is refused.
	policy(types.CodeSigningPolicyEnforce)
	_, err = a.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: in.FunctionName, ZipFile: harness.NodeZip(t, "return 'other';")})
	harness.Refused(t, err, 400, "CodeVerificationFailedException", words+"f.")
	layer, err := a.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: harness.ZipOf(t, map[string]string{"a": "b"})}})
	a.Check(err)
	_, err = a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: in.FunctionName, Layers: []string{*layer.LayerVersionArn}})
	harness.Refused(t, err, 400, "CodeVerificationFailedException", words+"f.")
	_, err = a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: in.FunctionName, Description: aws.String("new")})
	a.Check(err)
	a.WantCall("f", "{}", "runs")

	_, err = a.DeleteCodeSigningConfig(ctx, &lambda.DeleteCodeSigningConfigInput{CodeSigningConfigArn: arn})
	harness.Refused(t, err, 409, "ResourceConflictException", "")
	for range 2 { // recorded: the second time too
		_, err = a.DeleteFunctionCodeSigningConfig(ctx, &lambda.DeleteFunctionCodeSigningConfigInput{FunctionName: in.FunctionName})
		a.Check(err)
	}
	none, err := a.GetFunctionCodeSigningConfig(ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: in.FunctionName})
	a.Check(err)
	if none.CodeSigningConfigArn != nil || none.FunctionName != nil {
		t.Errorf("a function without has %v", none)
	}
	a.UpdateCode("f", harness.NodeZip(t, "return 'other';"))
	a.WantCall("f", "{}", "other")
	put, err := a.PutFunctionCodeSigningConfig(ctx, &lambda.PutFunctionCodeSigningConfigInput{FunctionName: in.FunctionName, CodeSigningConfigArn: arn})
	a.Check(err)
	if *put.CodeSigningConfigArn != *arn || *put.FunctionName != "f" {
		t.Errorf("put %v", put)
	}

	// A restart keeps all of it; the function's goes with the function.
	a.Stop()
	a.Restart()
	kept, err := a.GetFunctionCodeSigningConfig(ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: in.FunctionName})
	a.Check(err)
	if aws.ToString(kept.CodeSigningConfigArn) != *arn {
		t.Errorf("after a restart %v", kept)
	}
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: in.FunctionName})
	a.Check(err)

	second, err := a.CreateCodeSigningConfig(ctx, &lambda.CreateCodeSigningConfigInput{AllowedPublishers: &types.AllowedPublishers{SigningProfileVersionArns: []string{profile}}})
	a.Check(err)
	if p := second.CodeSigningConfig.CodeSigningPolicies.UntrustedArtifactOnDeployment; p != "Warn" {
		t.Errorf("the default policy is %s", p)
	}
	seen := 0
	pages := lambda.NewListCodeSigningConfigsPaginator(a, &lambda.ListCodeSigningConfigsInput{MaxItems: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		a.Check(err)
		seen += len(page.CodeSigningConfigs)
	}
	if seen != 2 {
		t.Errorf("%d are listed, want 2", seen)
	}
	_, err = a.DeleteCodeSigningConfig(ctx, &lambda.DeleteCodeSigningConfigInput{CodeSigningConfigArn: arn})
	a.Check(err)

	missing := aws.String("arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdefg")
	gone := "The Lambda code signing configuration " + *missing + " can not be found."
	_, err = a.GetCodeSigningConfig(ctx, &lambda.GetCodeSigningConfigInput{CodeSigningConfigArn: missing})
	harness.Refused(t, err, 404, "ResourceNotFoundException", gone)
	_, err = a.UpdateCodeSigningConfig(ctx, &lambda.UpdateCodeSigningConfigInput{CodeSigningConfigArn: missing})
	harness.Refused(t, err, 404, "ResourceNotFoundException", gone)
	_, err = a.DeleteCodeSigningConfig(ctx, &lambda.DeleteCodeSigningConfigInput{CodeSigningConfigArn: missing})
	harness.Refused(t, err, 404, "ResourceNotFoundException", gone)
	_, err = a.ListFunctionsByCodeSigningConfig(ctx, &lambda.ListFunctionsByCodeSigningConfigInput{CodeSigningConfigArn: missing})
	harness.Refused(t, err, 404, "ResourceNotFoundException", gone)
	_, err = a.PutFunctionCodeSigningConfig(ctx, &lambda.PutFunctionCodeSigningConfigInput{FunctionName: aws.String("nobody"), CodeSigningConfigArn: missing})
	harness.Refused(t, err, 404, "CodeSigningConfigNotFoundException", "The code signing configuration cannot be found. Check that the provided configuration is not deleted: "+*missing+".")
	in.CodeSigningConfigArn = missing
	_, err = a.CreateFunction(ctx, in)
	harness.Refused(t, err, 404, "CodeSigningConfigNotFoundException", "")
	_, err = a.PutFunctionCodeSigningConfig(ctx, &lambda.PutFunctionCodeSigningConfigInput{FunctionName: aws.String("nobody"), CodeSigningConfigArn: second.CodeSigningConfig.CodeSigningConfigArn})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody")
	_, err = a.DeleteFunctionCodeSigningConfig(ctx, &lambda.DeleteFunctionCodeSigningConfigInput{FunctionName: aws.String("nobody")})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found: ")
	_, err = a.GetFunctionCodeSigningConfig(ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: aws.String("nobody")})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found: ")
}
