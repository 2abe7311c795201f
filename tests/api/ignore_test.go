package api

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// otherArchitecture is what this machine is not.
func otherArchitecture() types.Architecture {
	if runtime.GOARCH == "arm64" {
		return types.ArchitectureX8664
	}
	return types.ArchitectureArm64
}

func TestSettingsAreRefusedByNameUnlessTheyAreIgnored(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	key := "arn:aws:kms:us-east-1:000000000000:key/1"
	efs := "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
	names := []string{"vpc_config", "kms_key_arn", "file_system_configs", "architectures", "tenancy_config", "source_kms_key_arn"}
	changes := []func(*lambda.CreateFunctionInput){
		func(in *lambda.CreateFunctionInput) {
			in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}}
		},
		func(in *lambda.CreateFunctionInput) { in.KMSKeyArn = &key },
		func(in *lambda.CreateFunctionInput) {
			in.FileSystemConfigs = []types.FileSystemConfig{{Arn: &efs, LocalMountPath: aws.String("/mnt/data")}}
		},
		func(in *lambda.CreateFunctionInput) { in.Architectures = []types.Architecture{otherArchitecture()} },
		func(in *lambda.CreateFunctionInput) {
			in.TenancyConfig = &types.TenancyConfig{TenantIsolationMode: types.TenantIsolationModePerTenant}
		},
		func(in *lambda.CreateFunctionInput) { in.Code.SourceKMSKeyArn = &key },
	}
	ctx := context.Background()
	code := harness.NodeZip(t, "return 'runs';")
	create := func(change ...func(*lambda.CreateFunctionInput)) error {
		in := &lambda.CreateFunctionInput{FunctionName: aws.String("f"), Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x,
			Handler: aws.String("index.handler"), Code: &types.FunctionCode{ZipFile: code}}
		for _, f := range change {
			f(in)
		}
		_, err := a.CreateFunction(ctx, in)
		return err
	}
	for i, name := range names {
		err := create(changes[i])
		harness.Refused(t, err, 400, "InvalidParameterValueException", "")
		if err == nil || !strings.Contains(err.Error(), "is not supported: ") || !strings.Contains(err.Error(), "`ignore "+name+"`") {
			t.Errorf("%s: %v", name, err)
		}
	}

	a.Configure("ignore vpc_config kms_key_arn file_system_configs architectures\nignore tenancy_config source_kms_key_arn", "")
	a.Reload()
	a.Connect() // connections to the old configuration end at any time
	a.Check(create(append(changes, func(in *lambda.CreateFunctionInput) {
		in.Publish, in.TracingConfig = true, &types.TracingConfig{Mode: types.TracingModeActive}
	})...))
	for _, qualifier := range []string{"$LATEST", "1"} {
		got, err := a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("f"), Qualifier: &qualifier})
		a.Check(err)
		c := got.Configuration
		if c.VpcConfig == nil || !slices.Equal(c.VpcConfig.SubnetIds, []string{"subnet-1"}) || !slices.Equal(c.VpcConfig.SecurityGroupIds, []string{"sg-1"}) ||
			aws.ToString(c.KMSKeyArn) != key || len(c.FileSystemConfigs) != 1 || *c.FileSystemConfigs[0].Arn != efs || *c.FileSystemConfigs[0].LocalMountPath != "/mnt/data" ||
			len(c.Architectures) != 1 || c.Architectures[0] != otherArchitecture() || c.TenancyConfig == nil || c.TenancyConfig.TenantIsolationMode != "PER_TENANT" ||
			aws.ToString(got.Code.SourceKMSKeyArn) != key || c.TracingConfig.Mode != "Active" {
			t.Errorf("%s: got %+v", qualifier, c)
		}
	}
	a.WantCall("f", "{}", "runs")
	out, err := a.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f"), TenantId: aws.String("t")})
	a.Check(err)
	if string(out.Payload) != `"runs"` {
		t.Errorf("for a tenant: %s", out.Payload)
	}
	_, err = a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"),
		KMSKeyArn: aws.String(""), VpcConfig: &types.VpcConfig{SubnetIds: []string{}, SecurityGroupIds: []string{}}, FileSystemConfigs: []types.FileSystemConfig{}})
	a.Check(err)
	got, err := a.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
	a.Check(err)
	if got.KMSKeyArn != nil || len(got.FileSystemConfigs) != 0 || got.VpcConfig == nil || len(got.VpcConfig.SubnetIds) != 0 {
		t.Errorf("taken away: %+v", got)
	}
	for _, member := range []string{"VpcConfig", "KMSKeyArn", "FileSystemConfigs", "Architectures", "TenancyConfig", "SourceKMSKeyArn", "TracingConfig"} {
		if n := strings.Count(a.Output(), `"setting":"`+member+`"`); n != 1 {
			t.Errorf("the log tells %d times of %s", n, member)
		}
	}
}

func TestIgnoredSettingIsOneThatThereIs(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "ignore everything", "")
	s.StartFails(`there is no setting \"everything\" that can be; there are architectures, certificate_arn, file_system_configs,`)
}

func TestSnapStartIsAcceptedAndTellsThatNothingIsOptimised(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	snap := func(in *lambda.CreateFunctionInput) {
		in.SnapStart = &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions}
	}
	a.Create("p", harness.ZipOf(t, map[string]string{"f.py": "def h(event, context):\n    return 'runs'\n"}), snap, func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler, in.Publish = types.RuntimePython312, aws.String("f.h"), true
	})
	for _, qualifier := range []string{"$LATEST", "1"} {
		got, err := a.GetFunctionConfiguration(context.Background(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("p"), Qualifier: &qualifier})
		a.Check(err)
		if got.SnapStart.ApplyOn != "PublishedVersions" || got.SnapStart.OptimizationStatus != "Off" {
			t.Errorf("%s: %+v", qualifier, got.SnapStart)
		}
	}
	a.WantCall("p:1", "{}", "runs")
	in := &lambda.CreateFunctionInput{FunctionName: aws.String("n"), Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x,
		Handler: aws.String("index.handler"), Code: &types.FunctionCode{ZipFile: harness.NodeZip(t, "return 1;")}}
	snap(in)
	_, err := a.CreateFunction(context.Background(), in)
	harness.Refused(t, err, 400, "InvalidParameterValueException", "nodejs20.x is not supported for SnapStart enabled functions.")
}

func TestSettingsOfMappingsAndRuntimesAreRefusedUnlessTheyAreIgnored(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, "return 1;"))
	key, runtimeARN := "arn:aws:kms:us-east-1:000000000000:key/1", "arn:aws:lambda:us-east-1::runtime:1"
	mapping := func(change func(*lambda.CreateEventSourceMappingInput)) (*lambda.CreateEventSourceMappingOutput, error) {
		in := &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: aws.String("arn:aws:sqs:us-east-1:000000000000:q"), Enabled: aws.Bool(false)}
		change(in)
		return a.CreateEventSourceMapping(ctx, in)
	}
	keyed := func(in *lambda.CreateEventSourceMappingInput) { in.KMSKeyArn = &key }
	counted := func(in *lambda.CreateEventSourceMappingInput) {
		in.MetricsConfig = &types.EventSourceMappingMetricsConfig{Metrics: []types.EventSourceMappingMetric{"EventCount"}}
	}
	manual := func() error {
		_, err := a.PutRuntimeManagementConfig(ctx, &lambda.PutRuntimeManagementConfigInput{FunctionName: aws.String("f"), UpdateRuntimeOn: types.UpdateRuntimeOnManual, RuntimeVersionArn: &runtimeARN})
		return err
	}
	_, err := mapping(keyed)
	harness.Refused(t, err, 400, "InvalidParameterValueException", "KMSKeyArn is not supported: ")
	_, err = mapping(counted)
	harness.Refused(t, err, 400, "InvalidParameterValueException", "MetricsConfig is not supported: ")
	harness.Refused(t, manual(), 400, "InvalidParameterValueException", "UpdateRuntimeOn Manual is not supported: ")

	// Queues are not polled here, so that a mapping needs an address for them.
	a.Configure("ignore kms_key_arn metrics_config runtime_management mapping_logging_config\nsqs {\n endpoint http://127.0.0.1:9\n region us-east-1\n access_key k s\n}", "")
	a.Reload()
	a.Connect() // connections to the old configuration end at any time
	made, err := mapping(func(in *lambda.CreateEventSourceMappingInput) { keyed(in); counted(in) })
	a.Check(err)
	got, err := a.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: made.UUID})
	a.Check(err)
	if aws.ToString(got.KMSKeyArn) != key || got.MetricsConfig == nil || len(got.MetricsConfig.Metrics) != 1 {
		t.Errorf("mapping %+v", got)
	}
	a.Check(manual())
	m, err := a.GetRuntimeManagementConfig(ctx, &lambda.GetRuntimeManagementConfigInput{FunctionName: aws.String("f")})
	a.Check(err)
	if m.UpdateRuntimeOn != "Manual" || aws.ToString(m.RuntimeVersionArn) != runtimeARN {
		t.Errorf("management %+v", m)
	}
}
