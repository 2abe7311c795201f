package conformance

import (
	"archive/zip"
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const (
	functionARN = "arn:aws:lambda:" + region + ":" + account + ":function:ours"
	queueARN    = "arn:aws:sqs:" + region + ":" + account + ":q"
	role        = "arn:aws:iam::" + account + ":role/r"
)

func archive(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("index.js")
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func lambdaRows(t *testing.T) []row {
	one, two := archive(t, "exports.h = async (e) => e"), archive(t, "exports.h = async () => 2")
	f, none, live := aws.String("ours"), aws.String("none"), aws.String("live")
	const (
		bad      = "InvalidParameterValueException"
		model    = "ValidationException"
		missing  = "ResourceNotFoundException"
		conflict = "ResourceConflictException"
		outdated = "PreconditionFailedException"
		notFound = "Function not found: arn:aws:lambda:" + region + ":" + account + ":function:none"
		noAlias  = "Cannot find alias arn: " + functionARN + ":nobody"
		gone     = "The resource you requested does not exist."
	)
	create := func(change func(*lambda.CreateFunctionInput)) *lambda.CreateFunctionInput {
		in := &lambda.CreateFunctionInput{FunctionName: f, Runtime: types.RuntimeNodejs22x, Handler: aws.String("index.h"), Role: aws.String(role), Code: &types.FunctionCode{ZipFile: one}}
		change(in)
		return in
	}
	destination := func(arn string) *types.DestinationConfig {
		return &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: &arn}}
	}
	mapping := func(arn string, change func(*lambda.CreateEventSourceMappingInput)) *lambda.CreateEventSourceMappingInput {
		in := &lambda.CreateEventSourceMappingInput{FunctionName: f, EventSourceArn: &arn, Enabled: aws.Bool(false)}
		change(in)
		return in
	}
	asIs := func(*lambda.CreateEventSourceMappingInput) {}
	kafka := func(change func(*lambda.CreateEventSourceMappingInput)) *lambda.CreateEventSourceMappingInput {
		in := &lambda.CreateEventSourceMappingInput{
			FunctionName: f, Topics: []string{"topic"}, Enabled: aws.Bool(false),
			SelfManagedEventSource:     &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": {"127.0.0.1:1"}}},
			SourceAccessConfigurations: []types.SourceAccessConfiguration{{Type: types.SourceAccessTypeVpcSubnet, URI: aws.String("subnet:subnet-0123456789abcdef0")}},
		}
		change(in)
		return in
	}
	signing := "arn:aws:lambda:" + region + ":" + account + ":code-signing-config:csc-0123456789abcdef0"
	const uuid = "11111111-2222-3333-4444-555555555555"
	permission := func(change func(*lambda.AddPermissionInput)) *lambda.AddPermissionInput {
		in := &lambda.AddPermissionInput{FunctionName: f, StatementId: aws.String("s"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("s3.amazonaws.com")}
		change(in)
		return in
	}
	return []row{
		// Functions.
		{create(func(in *lambda.CreateFunctionInput) { in.Runtime = "cobol" }), 400, bad, "Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, ", nil},
		{create(func(in *lambda.CreateFunctionInput) { in.Runtime = types.RuntimeNodejs14x }), 400, bad, "The runtime parameter of nodejs14.x is no longer supported", nil},
		{create(func(in *lambda.CreateFunctionInput) { in.FunctionName = aws.String("a!") }), 400, model, "at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: ", nil},
		{create(func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = []byte("none") }), 400, bad, "Could not unzip uploaded file. Please check your file, then try to upload again.", nil},
		{create(func(in *lambda.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{}}
		}), 201, "", "", fields{
			"State": `"Pending"`, "StateReasonCode": `"Creating"`, "StateReason": present, "LastUpdateStatus": absent, "Environment": `{"Variables":{}}`, "RuntimeVersionConfig.RuntimeVersionArn": present,
			"FunctionArn": `"` + functionARN + `"`, "Version": `"$LATEST"`, "TracingConfig.Mode": `"PassThrough"`, "EphemeralStorage.Size": "512", "MemorySize": "128", "Timeout": "3",
			"PackageType": `"Zip"`, "SnapStart": `{"ApplyOn":"None","OptimizationStatus":"Off"}`, "LoggingConfig": `{"LogFormat":"Text","LogGroup":"/aws/lambda/ours"}`, "Layers": absent, "DeadLetterConfig": absent,
		}},
		{create(func(*lambda.CreateFunctionInput) {}), 409, conflict, "Function already exist: ours", nil},
		{create(func(in *lambda.CreateFunctionInput) { in.FunctionName = aws.String("second"); in.Publish = true }), 201, "", "", fields{
			"FunctionArn": `"arn:aws:lambda:` + region + ":" + account + `:function:second"`, "Version": `"1"`, "State": `"Pending"`, "Environment": absent,
		}},
		{&lambda.GetFunctionInput{FunctionName: f}, 200, "", "", fields{"Configuration.State": `"Active"`, "Configuration.StateReason": absent, "Configuration.LastUpdateStatus": `"Successful"`, "Code.RepositoryType": `"S3"`, "Tags": absent, "Concurrency": absent}},
		{&lambda.GetFunctionInput{FunctionName: none}, 404, missing, notFound, fields{"Message": present, "Type": `"User"`}},
		{&lambda.GetFunctionInput{FunctionName: aws.String("arn:aws:lambda:" + region + ":" + account + ":function")}, 404, missing, "Function not found: arn:aws:lambda:" + region + ":" + account + ":function:function", nil},
		{&lambda.GetFunctionInput{FunctionName: aws.String("a23456789012345678901234567890123456789012345678901234567890123456789")}, 404, missing, "Function not found: ", nil},
		{&lambda.GetFunctionConfigurationInput{FunctionName: f}, 200, "", "", fields{"State": `"Active"`, "RevisionId": present}},
		{&lambda.ListFunctionsInput{}, 200, "", "", fields{"Functions.0.FunctionName": `"ours"`, "Functions.0.State": absent, "Functions.0.LastUpdateStatus": absent, "Functions.0.RuntimeVersionConfig": absent, "Functions.0.Environment": `{"Variables":{}}`, "NextMarker": absent}},
		{&lambda.UpdateFunctionConfigurationInput{FunctionName: f, DeadLetterConfig: &types.DeadLetterConfig{}, Timeout: aws.Int32(4)}, 200, "", "", fields{
			"State": `"Active"`, "LastUpdateStatus": `"InProgress"`, "LastUpdateStatusReasonCode": `"Creating"`, "Timeout": "4", "DeadLetterConfig": absent,
		}},
		{&lambda.UpdateFunctionConfigurationInput{FunctionName: f, DeadLetterConfig: &types.DeadLetterConfig{TargetArn: aws.String(queueARN)}}, 200, "", "", fields{"DeadLetterConfig": `{"TargetArn":"` + queueARN + `"}`}},
		{&lambda.UpdateFunctionConfigurationInput{FunctionName: f, DeadLetterConfig: &types.DeadLetterConfig{}}, 200, "", "", fields{"DeadLetterConfig.TargetArn": `"` + queueARN + `"`}}, // an empty one says nothing
		{&lambda.UpdateFunctionConfigurationInput{FunctionName: f, DeadLetterConfig: &types.DeadLetterConfig{TargetArn: aws.String("")}}, 200, "", "", fields{"DeadLetterConfig": absent}},
		{&lambda.UpdateFunctionConfigurationInput{FunctionName: f, RevisionId: aws.String(uuid)}, 412, outdated, "The Revision Id provided does not match the latest Revision Id.", nil},
		{&lambda.UpdateFunctionCodeInput{FunctionName: f, ZipFile: two}, 200, "", "", fields{"LastUpdateStatus": `"InProgress"`}},
		{&lambda.GetAccountSettingsInput{}, 200, "", "", fields{"AccountUsage.FunctionCount": "2", "AccountLimit.UnreservedConcurrentExecutions": present}},
		{&lambda.InvokeInput{FunctionName: f, Payload: []byte("{}")}, 200, "", "", nil},
		{&lambda.InvokeInput{FunctionName: none}, 404, missing, notFound, nil},
		{&lambda.InvokeAsyncInput{FunctionName: none, InvokeArgs: bytes.NewReader([]byte("{}"))}, 404, missing, notFound, nil},
		{&lambda.InvokeWithResponseStreamInput{FunctionName: none}, 404, missing, notFound, nil},

		// Versions and aliases.
		{&lambda.PublishVersionInput{FunctionName: f, CodeSha256: aws.String("other")}, 400, bad, "Please try again with the CodeSHA256 in $LATEST.", nil},
		{&lambda.PublishVersionInput{FunctionName: f}, 201, "", "", fields{"Version": `"1"`, "FunctionArn": `"` + functionARN + `:1"`, "State": `"Active"`, "LastUpdateStatus": `"Successful"`}},
		{&lambda.ListVersionsByFunctionInput{FunctionName: f}, 200, "", "", fields{"Versions.0.FunctionArn": `"` + functionARN + `:$LATEST"`, "Versions.1.Version": `"1"`, "Versions.1.State": absent, "Versions.2": absent}},
		{&lambda.CreateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1")}, 201, "", "", fields{"AliasArn": `"` + functionARN + `:live"`, "Description": `""`, "RoutingConfig": absent, "RevisionId": present}},
		{&lambda.CreateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1")}, 409, conflict, "Alias already exists: " + functionARN + ":live", nil},
		{&lambda.GetAliasInput{FunctionName: f, Name: aws.String("nobody")}, 404, missing, noAlias, nil},
		{&lambda.UpdateAliasInput{FunctionName: f, Name: live, RevisionId: aws.String(uuid)}, 412, outdated, "The Revision Id provided does not match", nil},
		{&lambda.ListAliasesInput{FunctionName: f}, 200, "", "", fields{"Aliases.0.Name": `"live"`, "Aliases.1": absent}},

		// Concurrency.
		{&lambda.PutFunctionConcurrencyInput{FunctionName: none, ReservedConcurrentExecutions: aws.Int32(1)}, 404, missing, notFound + ":$LATEST", nil},
		{&lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(1000)}, 400, bad, "decreases account's UnreservedConcurrentExecution below its minimum value of [100]", fields{"Type": absent}},
		{&lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(2)}, 200, "", "", fields{"ReservedConcurrentExecutions": "2"}},
		{&lambda.GetFunctionConcurrencyInput{FunctionName: f}, 200, "", "", fields{"ReservedConcurrentExecutions": "2"}},
		{&lambda.DeleteFunctionConcurrencyInput{FunctionName: f}, 204, "", "", nil},
		{&lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("nobody"), ProvisionedConcurrentExecutions: aws.Int32(1)}, 404, missing, noAlias, nil},
		{&lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1"), ProvisionedConcurrentExecutions: aws.Int32(1001)}, 400, bad, "is greater than account's unreserved concurrency [1000].", fields{"Type": absent}},
		{&lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1"), ProvisionedConcurrentExecutions: aws.Int32(901)}, 400, bad, "decreases account's UnreservedConcurrentExecution below its minimum value of [100].", fields{"Type": absent}},
		{&lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1"), ProvisionedConcurrentExecutions: aws.Int32(1)}, 202, "", "", fields{"RequestedProvisionedConcurrentExecutions": "1", "Status": present}},
		{&lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: live, ProvisionedConcurrentExecutions: aws.Int32(1)}, 409, conflict, "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version", nil},
		{&lambda.ListProvisionedConcurrencyConfigsInput{FunctionName: f}, 200, "", "", fields{"ProvisionedConcurrencyConfigs.0.FunctionArn": `"` + functionARN + `:1"`}},
		{&lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1")}, 204, "", "", nil},
		{&lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1")}, 204, "", "", nil}, // that there is none is no error
		{&lambda.GetProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1")}, 404, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function", nil},
		{&lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: live, ProvisionedConcurrentExecutions: aws.Int32(1)}, 202, "", "", nil},
		{&lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1"), ProvisionedConcurrentExecutions: aws.Int32(1)}, 409, conflict, "Version is pointed by a Provisioned Concurrency alias", nil},
		{&lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: live}, 204, "", "", nil},

		// Function URLs.
		{&lambda.CreateFunctionUrlConfigInput{FunctionName: none, AuthType: types.FunctionUrlAuthTypeNone}, 404, missing, "Function does not exist", nil},
		{&lambda.CreateFunctionUrlConfigInput{FunctionName: f, AuthType: types.FunctionUrlAuthTypeNone}, 201, "", "", fields{"InvokeMode": absent, "FunctionUrl": present, "Cors": absent}},
		{&lambda.CreateFunctionUrlConfigInput{FunctionName: f, AuthType: types.FunctionUrlAuthTypeNone, InvokeMode: "NONE"}, 400, model, "Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]", nil},
		{&lambda.GetFunctionUrlConfigInput{FunctionName: f}, 200, "", "", fields{"InvokeMode": `"BUFFERED"`}},
		{&lambda.ListFunctionUrlConfigsInput{FunctionName: f}, 200, "", "", fields{"FunctionUrlConfigs.0.InvokeMode": `"BUFFERED"`}},
		{&lambda.UpdateFunctionUrlConfigInput{FunctionName: none}, 404, missing, "Function does not exist", nil},
		{&lambda.UpdateFunctionUrlConfigInput{FunctionName: f, InvokeMode: types.InvokeModeResponseStream}, 200, "", "", fields{"InvokeMode": `"RESPONSE_STREAM"`}},
		{&lambda.DeleteFunctionUrlConfigInput{FunctionName: f}, 204, "", "", nil},
		{&lambda.GetFunctionUrlConfigInput{FunctionName: f}, 404, missing, gone, nil},

		// Asynchronous invocation.
		{&lambda.PutFunctionEventInvokeConfigInput{FunctionName: none, MaximumRetryAttempts: aws.Int32(1)}, 404, missing, "The function doesn't exist.", nil},
		{&lambda.PutFunctionEventInvokeConfigInput{FunctionName: f}, 400, bad, "You must specify at least one of error handling or destination setting.", nil},
		{&lambda.PutFunctionEventInvokeConfigInput{FunctionName: f, DestinationConfig: destination(functionARN)}, 400, bad, "You can't specify the function as a destination for itself.", nil},
		{&lambda.PutFunctionEventInvokeConfigInput{FunctionName: f, DestinationConfig: destination("arn:aws:iam:" + region + ":" + account + ":x")}, 400, bad,
			"The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:iam:" + region + ":" + account + ":x), onFailure=null) is invalid.", nil},
		{&lambda.PutFunctionEventInvokeConfigInput{FunctionName: f, MaximumRetryAttempts: aws.Int32(1)}, 200, "", "", fields{"DestinationConfig": `{"OnFailure":{},"OnSuccess":{}}`, "MaximumRetryAttempts": "1", "MaximumEventAgeInSeconds": absent, "FunctionArn": `"` + functionARN + `:$LATEST"`}},
		{&lambda.UpdateFunctionEventInvokeConfigInput{FunctionName: f, MaximumEventAgeInSeconds: aws.Int32(60)}, 200, "", "", fields{"MaximumRetryAttempts": "1", "MaximumEventAgeInSeconds": "60"}},
		{&lambda.GetFunctionEventInvokeConfigInput{FunctionName: f, Qualifier: live}, 404, missing, "The function " + functionARN + ":live doesn't have an EventInvokeConfig", nil},
		{&lambda.ListFunctionEventInvokeConfigsInput{FunctionName: none}, 404, missing, "The function doesn't exist.", nil},
		{&lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: f}, 204, "", "", nil},

		// Permissions.
		{permission(func(in *lambda.AddPermissionInput) { in.FunctionName = none }), 404, missing, notFound, nil},
		{permission(func(in *lambda.AddPermissionInput) { in.Qualifier = aws.String("nobody") }), 404, missing, noAlias, nil},
		{permission(func(in *lambda.AddPermissionInput) { in.RevisionId = aws.String(uuid) }), 412, outdated, "Call the GetPolicy API", nil},
		{permission(func(*lambda.AddPermissionInput) {}), 201, "", "", fields{"Statement": present}},
		{permission(func(*lambda.AddPermissionInput) {}), 409, conflict, "The statement id (s) provided already exists.", nil},
		{&lambda.GetPolicyInput{FunctionName: f}, 200, "", "", fields{"Policy": present, "RevisionId": present}},
		{&lambda.RemovePermissionInput{FunctionName: none, StatementId: aws.String("s")}, 404, missing, "No policy found for: arn:aws:lambda:" + region + ":" + account + ":function:none", nil},
		{&lambda.RemovePermissionInput{FunctionName: f, StatementId: aws.String("s")}, 204, "", "", nil},
		{&lambda.GetPolicyInput{FunctionName: f}, 404, missing, gone, nil},

		// Tags.
		{&lambda.TagResourceInput{Resource: aws.String(functionARN), Tags: map[string]string{"a": "b"}}, 204, "", "", nil},
		{&lambda.ListTagsInput{Resource: aws.String(functionARN)}, 200, "", "", fields{"Tags": `{"a":"b"}`}},
		{&lambda.UntagResourceInput{Resource: aws.String(functionARN), TagKeys: []string{"a"}}, 204, "", "", nil},
		{&lambda.ListTagsInput{Resource: aws.String("arn:aws:lambda:" + region + ":" + account + ":capacity-provider:x")}, 404, missing, "Capacity provider not found: ", nil},
		{&lambda.ListTagsInput{Resource: aws.String("arn:aws:lambda:" + region + ":" + account + ":other:x")}, 400, model, "at 'resource' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:", nil},

		// Layers.
		{&lambda.PublishLayerVersionInput{LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: one}, CompatibleRuntimes: []types.Runtime{}}, 201, "", "", fields{"Version": "1", "CompatibleRuntimes": "[]", "CompatibleArchitectures": absent, "Description": `""`, "Content.CodeSha256": present}},
		{&lambda.PublishLayerVersionInput{LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: one}, CompatibleRuntimes: []types.Runtime{"cobol"}}, 400, model, "Value '[cobol]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, ", nil},
		{&lambda.PublishLayerVersionInput{LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: one}, CompatibleRuntimes: []types.Runtime{"cobol"}, CompatibleArchitectures: []types.Architecture{"vax"}}, 400, model, "2 validation errors detected: Value '[cobol]' at 'compatibleRuntimes'", nil},
		{&lambda.GetLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(2)}, 404, missing, gone, nil},
		{&lambda.GetLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(0)}, 400, bad, "Layer Version Cannot be less than 1", nil},
		{&lambda.GetLayerVersionByArnInput{Arn: aws.String("arn:aws:lambda:" + region + ":" + account + ":layer:l:1")}, 200, "", "", fields{"Version": "1"}},
		{&lambda.ListLayersInput{}, 200, "", "", fields{"Layers.0.LayerName": `"l"`, "Layers.0.LatestMatchingVersion.Version": "1", "Layers.0.LatestMatchingVersion.Content": absent}},
		{&lambda.ListLayerVersionsInput{LayerName: aws.String("none")}, 200, "", "", fields{"LayerVersions": "[]"}},
		{&lambda.AddLayerVersionPermissionInput{LayerName: aws.String("none"), VersionNumber: aws.Int64(1), StatementId: aws.String("s"), Action: aws.String("lambda:GetLayerVersion"), Principal: aws.String("*")}, 404, missing, ":layer:none:1 does not exist.", nil},
		{&lambda.GetLayerVersionPolicyInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1)}, 404, missing, "No policy is associated with the given resource.", nil},
		{&lambda.RemoveLayerVersionPermissionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1), StatementId: aws.String("s")}, 404, missing, "No policy is associated with the given resource.", nil},
		{&lambda.DeleteLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1)}, 204, "", "", nil},

		// Event source mappings.
		{&lambda.CreateEventSourceMappingInput{FunctionName: f}, 400, bad, "Unrecognized event source.", nil},
		{mapping(queueARN, func(in *lambda.CreateEventSourceMappingInput) { in.FunctionName = none }), 400, bad, "Function does not exist", nil},
		{mapping(queueARN, asIs), 202, "", "", fields{"State": `"Disabled"`, "StateTransitionReason": `"USER_INITIATED"`, "FunctionResponseTypes": "[]", "BatchSize": "10", "MaximumBatchingWindowInSeconds": "0", "LastProcessingResult": absent, "DestinationConfig": absent}},
		{mapping(queueARN+"-on", func(in *lambda.CreateEventSourceMappingInput) { in.Enabled = nil }), 202, "", "", fields{"State": `"Creating"`, "StateTransitionReason": `"USER_INITIATED"`}},
		{mapping(queueARN, asIs), 409, conflict, "An event source mapping with SQS arn (\" " + queueARN + " \") and function (\" ours \") already exists.", nil},
		{mapping(queueARN+"-latest", func(in *lambda.CreateEventSourceMappingInput) { in.FunctionName = aws.String("ours:$LATEST") }), 202, "", "", fields{"FunctionArn": `"` + functionARN + `:$LATEST"`}},
		{&lambda.ListEventSourceMappingsInput{EventSourceArn: aws.String(queueARN + "-latest")}, 200, "", "", fields{"EventSourceMappings.0.FunctionArn": `"` + functionARN + `:$LATEST"`}},
		{mapping("arn:aws:kinesis:"+region+":"+account+":stream/s", asIs), 400, bad, "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.", nil},
		{mapping("arn:aws:kinesis:"+region+":"+account+":stream/s", func(in *lambda.CreateEventSourceMappingInput) { in.StartingPosition = "first" }), 400, model, "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]", nil},
		{mapping("arn:aws:kinesis:"+region+":"+account+":stream/s", func(in *lambda.CreateEventSourceMappingInput) { in.StartingPosition = "LATEST" }), 202, "", "", fields{
			"StateTransitionReason": `"User action"`, "LastProcessingResult": `"No records processed"`, "DestinationConfig": `{"OnFailure":{}}`, "FunctionResponseTypes": "[]", "BatchSize": "100",
			"ParallelizationFactor": "1", "MaximumRetryAttempts": "-1", "MaximumRecordAgeInSeconds": "-1", "TumblingWindowInSeconds": "0", "BisectBatchOnFunctionError": "false",
		}},
		{mapping("arn:aws:dynamodb:"+region+":"+account+":table/t/stream/s", func(in *lambda.CreateEventSourceMappingInput) { in.StartingPosition = "AT_TIMESTAMP" }), 400, bad, "Unsupported starting position for arn type: ", nil},
		{mapping(queueARN, func(in *lambda.CreateEventSourceMappingInput) { in.DestinationConfig = destination(queueARN) }), 400, bad, "Unsupported DestinationConfig parameter for given event source mapping type.", nil},
		{kafka(func(in *lambda.CreateEventSourceMappingInput) { in.SourceAccessConfigurations = nil }), 400, bad, "Required 'sourceAccessConfigurations' parameter is missing.", nil},
		{kafka(asIs), 202, "", "", fields{"StartingPosition": `"TRIM_HORIZON"`, "BatchSize": "100", "SelfManagedKafkaEventSourceConfig.ConsumerGroupId": present, "EventSourceArn": absent}},
		{kafka(func(in *lambda.CreateEventSourceMappingInput) {
			in.SelfManagedEventSource.Endpoints["KAFKA_BOOTSTRAP_SERVERS"] = []string{"127.0.0.1:1", "127.0.0.1:2"}
		}), 409, conflict, "An event source mapping with event source (\"127.0.0.1:1,127.0.0.1:2\"), function (\"" + functionARN + "\"), topics (\"topic\") already exists. Please update or delete the existing mapping with UUID ", nil},
		{&lambda.ListEventSourceMappingsInput{EventSourceArn: aws.String(queueARN)}, 200, "", "", fields{"EventSourceMappings.0.State": `"Disabled"`, "EventSourceMappings.1": absent}},
		{&lambda.GetEventSourceMappingInput{UUID: aws.String(uuid)}, 404, missing, gone, nil},
		{&lambda.UpdateEventSourceMappingInput{UUID: aws.String(uuid)}, 404, missing, gone, nil},
		{&lambda.DeleteEventSourceMappingInput{UUID: aws.String(uuid)}, 404, missing, gone, nil},

		// Management.
		{&lambda.PutRuntimeManagementConfigInput{FunctionName: f, UpdateRuntimeOn: types.UpdateRuntimeOnFunctionUpdate}, 200, "", "", fields{"UpdateRuntimeOn": `"FunctionUpdate"`}},
		{&lambda.GetRuntimeManagementConfigInput{FunctionName: f}, 200, "", "", fields{"UpdateRuntimeOn": `"FunctionUpdate"`}},
		{&lambda.PutFunctionRecursionConfigInput{FunctionName: f, RecursiveLoop: "Maybe"}, 400, model, "Member must satisfy enum value set: [Terminate, Allow]", nil},
		{&lambda.GetFunctionRecursionConfigInput{FunctionName: f}, 200, "", "", fields{"RecursiveLoop": `"Terminate"`}},
		{&lambda.GetFunctionCodeSigningConfigInput{FunctionName: f}, 200, "", "", fields{"CodeSigningConfigArn": absent}},

		// Code signing.
		{&lambda.GetCodeSigningConfigInput{CodeSigningConfigArn: &signing}, 404, missing, signing, fields{"Type": absent}},
		{&lambda.UpdateCodeSigningConfigInput{CodeSigningConfigArn: &signing}, 404, missing, signing, fields{"Type": absent}},
		{&lambda.DeleteCodeSigningConfigInput{CodeSigningConfigArn: &signing}, 404, missing, signing, fields{"Type": absent}},
		{&lambda.ListFunctionsByCodeSigningConfigInput{CodeSigningConfigArn: &signing}, 404, missing, signing, fields{"Type": absent}},
		{&lambda.PutFunctionCodeSigningConfigInput{FunctionName: f, CodeSigningConfigArn: &signing}, 404, "CodeSigningConfigNotFoundException", "", nil},
		{&lambda.DeleteFunctionCodeSigningConfigInput{FunctionName: none}, 404, missing, notFound, nil},
		{&lambda.ListCodeSigningConfigsInput{}, 200, "", "", fields{"CodeSigningConfigs": "[]"}},
		{&lambda.CreateCodeSigningConfigInput{AllowedPublishers: &types.AllowedPublishers{SigningProfileVersionArns: []string{"no ARN"}}}, 400, model, "at 'allowedPublishers.signingProfileVersionArns' failed to satisfy constraint", nil},

		// The end.
		{&lambda.DeleteAliasInput{FunctionName: f, Name: live}, 204, "", "", nil},
		{&lambda.DeleteFunctionInput{FunctionName: f}, 204, "", "", nil},
		{&lambda.DeleteFunctionInput{FunctionName: f}, 404, missing, "Function not found: " + functionARN, nil},
	}
}
