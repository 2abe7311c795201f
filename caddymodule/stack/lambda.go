package stack

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Types of Lambda.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html

var functionSpec = &spec{
	service: "lambda", create: "CreateFunction", update: "UpdateFunctionConfiguration", remove: "DeleteFunction", read: "GetFunctionConfiguration",
	named: "FunctionName", longest: 64, tags: tagMap, required: []string{"Code", "Role"},
	immutable:  []string{"PackageType"},
	attributes: map[string]string{"Arn": "FunctionArn"},
	extra: []string{
		"Code", "ReservedConcurrentExecutions", "RuntimeManagementConfig", "RecursiveLoop", "KmsKeyArn", "Architectures", "CodeSigningConfigArn", "PackageType",
	},
	foreign: []string{"Publish", "PublishTo", "KMSKeyArn"},
	refused: map[string]string{
		"CapacityProviderConfig": "functions run on this machine, there are no capacity providers", "DurableConfig": "there are no durable executions here",
		"FunctionScalingConfig": "functions run on this machine, there are no capacity providers", "PublishToLatestPublished": "there are no capacity providers here",
	},
	removed: map[string]any{
		"Timeout": 3, "MemorySize": 128, "Environment": map[string]any{"Variables": map[string]any{}}, "EphemeralStorage": map[string]any{"Size": 512},
		"DeadLetterConfig": map[string]any{"TargetArn": ""}, "TracingConfig": map[string]any{"Mode": "PassThrough"}, "SnapStart": map[string]any{"ApplyOn": "None"},
		"LoggingConfig": map[string]any{"LogFormat": "Text"}, "VpcConfig": map[string]any{"SubnetIds": []any{}, "SecurityGroupIds": []any{}},
		"ImageConfig": map[string]any{},
	},
	before: func(w *Work, input map[string]any) error {
		if key, given := w.New["KmsKeyArn"]; given {
			input["KMSKeyArn"] = key
		}
		return nil
	},
}

// lambdaFunction is AWS::Lambda::Function.
func lambdaFunction() *Type {
	s := functionSpec
	t := s.typed("AWS::Lambda::Function")
	t.create = func(ctx context.Context, w *Work) error {
		input, err := s.input(w, s.create)
		if err != nil {
			return err
		}
		input["FunctionName"] = w.ID
		for _, name := range []string{"Architectures", "CodeSigningConfigArn", "PackageType"} {
			if v, given := w.New[name]; given {
				input[name] = v
			}
		}
		if err := s.before(w, input); err != nil {
			return err
		}
		if input["Code"], err = codeOf(w); err != nil {
			return err
		}
		out, err := w.call(ctx, s.service, s.create, input)
		if err != nil {
			return err
		}
		w.Attributes["Arn"] = value(out, "FunctionArn")
		return functionExtras(ctx, w)
	}
	t.update = updateFunction
	t.replaces = func(w *Work) bool {
		_, had := w.Old["Architectures"]
		_, has := w.New["Architectures"]
		return had && !has || s.isReplaced(w)
	}
	return t
}

// notConfiguration are the properties of a function that other operations change.
var notConfiguration = []string{
	"Code", "ReservedConcurrentExecutions", "RuntimeManagementConfig", "RecursiveLoop", "Architectures", "CodeSigningConfigArn", "Tags", "FunctionName",
}

func updateFunction(ctx context.Context, w *Work) error {
	s := functionSpec
	changed := w.changed()
	if slices.ContainsFunc(changed, func(name string) bool { return !slices.Contains(notConfiguration, name) }) {
		if err := s.change(ctx, w); err != nil {
			return err
		}
	}
	if w.differs("CodeSigningConfigArn") {
		operation, input := "DeleteFunctionCodeSigningConfig", map[string]any{"FunctionName": w.ID}
		if arn := w.text("CodeSigningConfigArn"); arn != "" {
			operation, input["CodeSigningConfigArn"] = "PutFunctionCodeSigningConfig", arn
		}
		if _, err := w.call(ctx, s.service, operation, input); err != nil {
			return err
		}
	}
	if w.differs("Code", "Architectures") {
		input, err := codeOf(w)
		if err != nil {
			return err
		}
		input["FunctionName"] = w.ID
		if v, given := w.New["Architectures"]; given {
			input["Architectures"] = v
		}
		if _, err := w.call(ctx, s.service, "UpdateFunctionCode", input); err != nil {
			return err
		}
	}
	if w.differs("ReservedConcurrentExecutions") && w.New["ReservedConcurrentExecutions"] == nil {
		if _, err := w.call(ctx, s.service, "DeleteFunctionConcurrency", map[string]any{"FunctionName": w.ID}); err != nil {
			return err
		}
	}
	if err := retag(ctx, w, "lambda", text(w.Attributes["Arn"]), tagsOf(w.Old["Tags"]), tagsOf(w.New["Tags"])); err != nil {
		return err
	}
	return functionExtras(ctx, w)
}

// functionExtras does what other operations do with a function.
func functionExtras(ctx context.Context, w *Work) error {
	if n, given := w.New["ReservedConcurrentExecutions"]; given && w.differs("ReservedConcurrentExecutions") {
		if _, err := w.call(ctx, "lambda", "PutFunctionConcurrency", map[string]any{"FunctionName": w.ID, "ReservedConcurrentExecutions": n}); err != nil {
			return err
		}
	}
	if v, given := w.New["RecursiveLoop"]; given && w.differs("RecursiveLoop") {
		if _, err := w.call(ctx, "lambda", "PutFunctionRecursionConfig", map[string]any{"FunctionName": w.ID, "RecursiveLoop": v}); err != nil {
			return err
		}
	}
	config, given := w.New["RuntimeManagementConfig"].(map[string]any)
	if given && w.differs("RuntimeManagementConfig") {
		input := map[string]any{"FunctionName": w.ID, "UpdateRuntimeOn": config["UpdateRuntimeOn"]}
		if arn := config["RuntimeVersionArn"]; arn != nil {
			input["RuntimeVersionArn"] = arn
		}
		if _, err := w.call(ctx, "lambda", "PutRuntimeManagementConfig", input); err != nil {
			return err
		}
	}
	return nil
}

// retag changes the tags of a resource from old to now, both maps.
func retag(ctx context.Context, w *Work, service, arn string, old, now any) error {
	before, _ := old.(map[string]any)
	after, _ := now.(map[string]any)
	var gone []any
	for key := range before {
		if _, still := after[key]; !still {
			gone = append(gone, key)
		}
	}
	put := make(map[string]any)
	for key, v := range after {
		if text(before[key]) != text(v) || before[key] == nil {
			put[key] = v
		}
	}
	resource, keys := "Resource", "TagKeys"
	switch service {
	case "apigatewayv2", "apigateway":
		resource = "ResourceArn"
	}
	if len(gone) > 0 {
		if _, err := w.call(ctx, service, "UntagResource", map[string]any{resource: arn, keys: gone}); err != nil {
			return err
		}
	}
	if len(put) > 0 {
		if _, err := w.call(ctx, service, "TagResource", map[string]any{resource: arn, "Tags": put}); err != nil {
			return err
		}
	}
	return nil
}

// codeOf is the code of a function as calls have it. Text in the template becomes an archive.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-code.html
func codeOf(w *Work) (map[string]any, error) {
	given, ok := w.New["Code"].(map[string]any)
	if !ok {
		return nil, errors.New("#/Code: expected type: JSONObject")
	}
	code := make(map[string]any, len(given))
	for name, v := range given {
		code[name] = v
	}
	source, inline := code["ZipFile"]
	if !inline {
		return code, nil
	}
	archive, err := zipOf(text(source), w.text("Runtime"))
	code["ZipFile"] = archive
	return code, err
}

// maxInline is AWS's limit of code in a template, in bytes.
const maxInline = 4 << 20

// zipOf makes an archive of code in a template.
func zipOf(source, runtime string) ([]byte, error) {
	if len(source) > maxInline {
		return nil, fmt.Errorf("#/Code/ZipFile: expected maxLength: %d, actual: %d", maxInline, len(source))
	}
	var files [][2]string
	switch {
	case strings.HasPrefix(runtime, "nodejs"):
		files = [][2]string{{"index.js", source}, {"node_modules/cfn-response/index.js", responseNode}}
	case strings.HasPrefix(runtime, "python"):
		files = [][2]string{{"index.py", source}, {"cfnresponse.py", responsePython}}
	default:
		return nil, fmt.Errorf("ZipFile can only be used when Runtime is set to either of nodejs, python. Runtime: %s", runtime)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, file := range files {
		w, err := z.Create(file[0])
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(file[1])); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// responseNode and responsePython are what AWS puts beside code in a template: custom resources
// answer by them.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html
const (
	responseNode = `'use strict';
exports.SUCCESS = 'SUCCESS';
exports.FAILED = 'FAILED';
exports.send = (event, context, status, data, physicalResourceId, noEcho) => new Promise((resolve, reject) => {
  const body = JSON.stringify({
    Status: status, Reason: 'See the log stream ' + context.logStreamName,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false, Data: data,
  });
  const url = new URL(event.ResponseURL);
  const request = require(url.protocol === 'http:' ? 'http' : 'https').request(url, {
    method: 'PUT', headers: { 'content-type': '', 'content-length': Buffer.byteLength(body) },
  }, (response) => {
    response.resume();
    response.on('end', () => { resolve(); context.done(); });
  });
  request.on('error', (error) => { reject(error); context.done(error); });
  request.end(body);
});
`
	responsePython = `import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    body = json.dumps({
        "Status": responseStatus,
        "Reason": reason or "See the log stream " + context.log_stream_name,
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }).encode()
    request = urllib.request.Request(event["ResponseURL"], data=body, method="PUT", headers={"content-type": ""})
    with urllib.request.urlopen(request) as response:
        response.read()
`
)
