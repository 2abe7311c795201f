package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Stacks by CloudFormation's calls, from the request until DescribeStacks says that they are complete.
const (
	stacksScenario = "stacks"

	stackCreated = "a function and an HTTP API, CreateStack to CREATE_COMPLETE, p50, ms"
	stackUpdated = "other code of the function, UpdateStack to UPDATE_COMPLETE, p50, ms"
	stackLarge   = "200 resources, CreateStack to CREATE_COMPLETE, ms"

	stacksOfRound  = 10
	stackResources = 200
)

func stackScenarios(m machine, s settings) []scenario {
	return []scenario{{name: stacksScenario, group: stacksGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		with := *shared
		with.options += "\t\tapi_url http://*.execute-api.us-east-1.localhost\n"
		own, err := newAPIStage(ctx, &with, "")
		if err != nil {
			return nil, err
		}
		defer own.close()
		return measureStacks(ctx, own.stacks(), m, s.rounds)
	}}}
}

func (s *apiStage) stacks() *cloudformation.Client {
	return cloudformation.New(cloudformation.Options{
		Region: apiRegion, BaseEndpoint: aws.String(s.address[hearthStack]), HTTPClient: newClient(1), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return s.key, nil }),
	})
}

func measureStacks(ctx context.Context, api *cloudformation.Client, m machine, rounds int) ([]figure, error) {
	var created, updated, large []time.Duration
	for round := range rounds {
		for i := range stacksOfRound {
			name := fmt.Sprintf("hello-%d-%d", round, i)
			took, err := makeStack(ctx, api, name, helloStack(m, "one"), false)
			if err != nil {
				return nil, err
			}
			created = append(created, took)
			if took, err = makeStack(ctx, api, name, helloStack(m, "two"), true); err != nil {
				return nil, err
			}
			updated = append(updated, took)
		}
		took, err := makeStack(ctx, api, fmt.Sprintf("large-%d", round), largeStack(round), false)
		if err != nil {
			return nil, err
		}
		large = append(large, took)
		progress("round %d/%d, %d resources in %s", round+1, rounds, stackResources, took.Round(time.Millisecond))
	}
	return []figure{
		{stacksScenario, stackCreated, milliseconds(median(created))},
		{stacksScenario, strings.Replace(stackCreated, "p50", "p99", 1), milliseconds(percentile(created, 99))},
		{stacksScenario, stackUpdated, milliseconds(median(updated))},
		{stacksScenario, strings.Replace(stackUpdated, "p50", "p99", 1), milliseconds(percentile(updated, 99))},
		{stacksScenario, stackLarge, milliseconds(median(large))},
	}, nil
}

// makeStack makes or updates a stack, and returns how long that took.
func makeStack(ctx context.Context, api *cloudformation.Client, name, template string, update bool) (time.Duration, error) {
	began, done := time.Now(), types.StackStatusCreateComplete
	capabilities := []types.Capability{types.CapabilityCapabilityIam}
	var err error
	if update {
		done = types.StackStatusUpdateComplete
		_, err = api.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: &name, TemplateBody: &template, Capabilities: capabilities})
	} else {
		_, err = api.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &template, Capabilities: capabilities})
	}
	for err == nil {
		var out *cloudformation.DescribeStacksOutput
		if out, err = api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name}); err != nil {
			break
		}
		is := out.Stacks[0]
		switch {
		case is.StackStatus == done:
			return time.Since(began), nil
		case !strings.HasSuffix(string(is.StackStatus), "_IN_PROGRESS"):
			return 0, fmt.Errorf("stack %s is %s: %s", name, is.StackStatus, firstFailure(ctx, api, name))
		}
		err = wait(ctx, 5*time.Millisecond)
	}
	return 0, err
}

// firstFailure is the reason of the first event that says that something failed.
func firstFailure(ctx context.Context, api *cloudformation.Client, name string) (reason string) {
	out, err := api.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &name})
	if err != nil {
		return err.Error()
	}
	for _, event := range out.StackEvents { // the newest first
		if strings.HasSuffix(string(event.ResourceStatus), "_FAILED") {
			reason = aws.ToString(event.LogicalResourceId) + ": " + aws.ToString(event.ResourceStatusReason)
		}
	}
	return reason
}

type object = map[string]any

func attribute(id, name string) object { return object{"Fn::GetAtt": []string{id, name}} }

// helloStack is a template of a function that answers text, with its role, behind an HTTP API.
func helloStack(m machine, text string) string {
	return templateOf(object{
		"Role": object{"Type": "AWS::IAM::Role", "Properties": object{"AssumeRolePolicyDocument": object{"Version": "2012-10-17", "Statement": []object{
			{"Effect": "Allow", "Principal": object{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
		}}}},
		"Fn": object{"Type": "AWS::Lambda::Function", "Properties": object{
			"Runtime": m.nodeRuntime(), "Handler": "index.handler", "Role": attribute("Role", "Arn"),
			"Code": object{"ZipFile": fmt.Sprintf("exports.handler = async () => %q;", text)},
		}},
		"Api":         object{"Type": "AWS::ApiGatewayV2::Api", "Properties": object{"Name": "hello", "ProtocolType": "HTTP"}},
		"Integration": object{"Type": "AWS::ApiGatewayV2::Integration", "Properties": object{"ApiId": object{"Ref": "Api"}, "IntegrationType": "AWS_PROXY", "IntegrationUri": attribute("Fn", "Arn"), "PayloadFormatVersion": "2.0"}},
		"Route":       object{"Type": "AWS::ApiGatewayV2::Route", "Properties": object{"ApiId": object{"Ref": "Api"}, "RouteKey": "$default", "Target": object{"Fn::Sub": "integrations/${Integration}"}}},
		"Stage":       object{"Type": "AWS::ApiGatewayV2::Stage", "Properties": object{"ApiId": object{"Ref": "Api"}, "StageName": "$default", "AutoDeploy": true}},
		"Permission":  object{"Type": "AWS::Lambda::Permission", "Properties": object{"FunctionName": object{"Ref": "Fn"}, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}},
	})
}

// largeStack is a template of parameters and log groups, ten of which follow one another.
func largeStack(round int) string {
	resources := object{}
	for i := range stackResources {
		one := object{"Type": "AWS::SSM::Parameter", "Properties": object{"Name": fmt.Sprintf("/large/%d/%d", round, i), "Type": "String", "Value": "x"}}
		if i%2 == 1 {
			one = object{"Type": "AWS::Logs::LogGroup", "Properties": object{"LogGroupName": fmt.Sprintf("/large/%d/%d", round, i)}}
		}
		if i%10 > 0 {
			one["DependsOn"] = fmt.Sprintf("R%d", i-1)
		}
		resources[fmt.Sprintf("R%d", i)] = one
	}
	return templateOf(resources)
}

func templateOf(resources object) string {
	text, _ := json.Marshal(object{"Resources": resources}) // texts and maps: it never fails
	return string(text)
}
