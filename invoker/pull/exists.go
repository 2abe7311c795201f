package pull

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// existsWithin is how long the caller of CreateEventSourceMapping waits for its source.
const existsWithin = 3 * time.Second

// Exists fails, in AWS's words, when the queue or stream of a mapping does not exist. A
// source that does not answer, or refuses this question, may exist.
func Exists(ctx context.Context, clients Clients, m *registry.Mapping) error {
	ctx, cancel := context.WithTimeout(ctx, existsWithin)
	defer cancel()
	arn := m.EventSourceArn
	var refused smithy.APIError
	switch kindOf(m) {
	case "sqs":
		name := arn[strings.LastIndexByte(arn, ':')+1:]
		_, err := clients.SQS(m).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name}, func(o *sqs.Options) { o.RetryMaxAttempts = 1 })
		if errors.As(err, &refused) && (strings.HasSuffix(refused.ErrorCode(), "NonExistentQueue") || refused.ErrorCode() == "QueueDoesNotExist") {
			//lint:ignore ST1005 AWS's words
			return errors.New("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. " +
				"SQS Error Message: The specified queue does not exist.")
		}
	case "kinesis":
		_, err := clients.Kinesis(m).DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: &arn}, func(o *kinesis.Options) { o.RetryMaxAttempts = 1 })
		if errors.As(err, &refused) && refused.ErrorCode() == "ResourceNotFoundException" {
			return errors.New("Stream not found: " + arn)
		}
	case "dynamodb":
		_, err := clients.DynamoDB(m).DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn}, func(o *dynamodbstreams.Options) { o.RetryMaxAttempts = 1 })
		if errors.As(err, &refused) && refused.ErrorCode() == "ResourceNotFoundException" {
			return errors.New("Stream not found: " + arn)
		}
	}
	return nil
}
