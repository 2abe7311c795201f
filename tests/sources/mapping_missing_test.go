package sources

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestMappingsOfSourcesThatAreNotThereAreRefused(t *testing.T) {
	harness.Parallel(t)
	a, _ := polled(t, logRecords)
	for arn, want := range map[string]string{
		"arn:aws:sqs:us-east-1:123456789012:nowhere":                                           "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue.",
		"arn:aws:kinesis:us-east-1:123456789012:stream/nowhere":                                "Stream not found: arn:aws:kinesis:us-east-1:123456789012:stream/nowhere",
		"arn:aws:dynamodb:us-east-1:123456789012:table/nowhere/stream/2026-01-01T00:00:00.000": "Stream not found: arn:aws:dynamodb:us-east-1:123456789012:table/nowhere/stream/2026-01-01T00:00:00.000",
	} {
		in := &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: &arn}
		if !strings.Contains(arn, ":sqs:") {
			in.StartingPosition = types.EventSourcePositionLatest
		}
		_, err := a.CreateEventSourceMapping(t.Context(), in)
		harness.Refused(t, err, 400, "InvalidParameterValueException", want)
	}
}
