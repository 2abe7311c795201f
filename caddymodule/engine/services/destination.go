package services

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Kinds of destinations, by how their names begin.
const (
	LambdaARN = "arn:aws:lambda:" // the caller invokes those
	sqsARN    = "arn:aws:sqs:"
	snsARN    = "arn:aws:sns:"
	s3ARN     = "arn:aws:s3:::"
)

// CheckDestination says whether something can be a destination at all.
func CheckDestination(to string) error {
	for _, begin := range []string{LambdaARN, sqsARN, snsARN, s3ARN, "https://", "http://"} {
		if strings.HasPrefix(to, begin) {
			return nil
		}
	}
	return fmt.Errorf("destination %q is neither the ARN of a function, an SQS queue, an SNS topic or an S3 bucket, nor a URL", to)
}

// Send hands a record to a destination that is no function, as invoker.Sender says.
func (s *Services) Send(ctx context.Context, to string, d *invoker.Delivery) error {
	if strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "http://") {
		return sendToURL(ctx, to, d)
	}
	err := s.send(ctx, to, d)
	if isGone(err) {
		return fmt.Errorf("%w: %w", invoker.ErrNoDestination, err)
	}
	return err
}

// isGone reports whether a service answered that the destination does not exist. Then another
// try is useless. All other errors, also a refusal of the credentials, may be repaired
// meanwhile.
func isGone(err error) bool {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.ErrorCode() {
	case "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "NotFound", "NotFoundException", "NoSuchBucket":
		return true
	}
	return false
}

// Check says whether a destination that is no function can be delivered to.
func (s *Services) Check(to string) error {
	switch {
	case strings.HasPrefix(to, sqsARN) && s.sqs == nil:
		return missingService("sqs")
	case strings.HasPrefix(to, snsARN) && s.sns == nil:
		return missingService("sns")
	case strings.HasPrefix(to, s3ARN) && s.bucket == nil:
		return missingService("s3")
	case strings.HasPrefix(to, sqsARN), strings.HasPrefix(to, snsARN), strings.HasPrefix(to, s3ARN):
		return nil
	}
	return fmt.Errorf("destination %.200q is neither a function, an SQS queue, an SNS topic nor an S3 bucket", to)
}

func missingService(name string) error {
	return fmt.Errorf("%w: no %s is configured: set %s in the hearth global option", invoker.ErrNoDestination, name, name)
}

func (s *Services) send(ctx context.Context, to string, what *invoker.Delivery) error {
	switch {
	case strings.HasPrefix(to, sqsARN) && s.sqs == nil:
		return missingService("sqs")
	case strings.HasPrefix(to, sqsARN):
		return s.sendToQueue(ctx, to, what)
	case strings.HasPrefix(to, snsARN) && s.sns == nil:
		return missingService("sns")
	case strings.HasPrefix(to, snsARN):
		in := &sns.PublishInput{TopicArn: &to, Message: aws.String(string(what.Body))}
		for name, value := range attributes(what) {
			if in.MessageAttributes == nil {
				in.MessageAttributes = make(map[string]snstypes.MessageAttributeValue)
			}
			in.MessageAttributes[name] = snstypes.MessageAttributeValue{DataType: aws.String(value.kind), StringValue: aws.String(value.text)}
		}
		_, err := s.sns.Publish(ctx, in)
		return err
	case strings.HasPrefix(to, s3ARN) && s.bucket == nil:
		return missingService("s3")
	case strings.HasPrefix(to, s3ARN):
		name, prefix, _ := strings.Cut(strings.TrimPrefix(to, s3ARN), "/")
		return s.bucket.Put(ctx, name, prefix+objectName(what.Folder, time.Now().UTC()), what.Body)
	}
	return fmt.Errorf("%w: %.200q is not the ARN of a queue, a topic or a bucket", invoker.ErrNoDestination, to)
}

// objectName is that of a record in a bucket, as Lambda makes it.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func objectName(folder string, at time.Time) string {
	return "aws/lambda/" + folder + "/" + at.Format("2006/01/02/2006-01-02T15.04.05-") + function.NewRequestID()
}

func (s *Services) sendToQueue(ctx context.Context, to string, what *invoker.Delivery) error {
	at, err := arn.Parse(to)
	if err != nil || strings.Contains(at.Resource, ":") {
		return fmt.Errorf("%w: %.200q is not the ARN of a queue", invoker.ErrNoDestination, to)
	}
	queue, err := s.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &at.Resource})
	if err != nil {
		return err
	}
	in := &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String(string(what.Body))}
	if what.GroupID != "" {
		in.MessageGroupId, in.MessageDeduplicationId = &what.GroupID, &what.Once
	}
	if what.Trace != "" {
		in.MessageSystemAttributes = map[string]sqstypes.MessageSystemAttributeValue{
			string(sqstypes.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String("String"), StringValue: aws.String(what.Trace)},
		}
	}
	for name, value := range attributes(what) {
		if in.MessageAttributes == nil {
			in.MessageAttributes = make(map[string]sqstypes.MessageAttributeValue)
		}
		in.MessageAttributes[name] = sqstypes.MessageAttributeValue{DataType: aws.String(value.kind), StringValue: aws.String(value.text)}
	}
	_, err = s.sqs.SendMessage(ctx, in)
	return err
}

// An attribute of a message.
type attribute struct{ kind, text string }

// attributes say why a dead-letter queue gets an event.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
func attributes(d *invoker.Delivery) map[string]attribute {
	letter := d.Letter
	if letter == nil {
		all := make(map[string]attribute, len(d.Attributes))
		for name, text := range d.Attributes {
			if text != "" {
				all[name] = attribute{"String", text}
			}
		}
		return all
	}
	return map[string]attribute{
		"RequestID":    {"String", letter.RequestID},
		"ErrorCode":    {"Number", strconv.Itoa(letter.ErrorCode)},
		"ErrorMessage": {"String", cmp.Or(letter.ErrorMessage, "unknown")},
	}
}

// destinationClient follows no redirects: a destination is where it says it is.
var destinationClient = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// sendToURL posts the record.
func sendToURL(ctx context.Context, to string, d *invoker.Delivery) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(d.Body))
	if err != nil {
		return errors.New("the address of the destination is not a URL") // without the address, which may have a secret
	}
	r.Header.Set("Content-Type", "application/json")
	if d.Trace != "" {
		r.Header.Set("X-Amzn-Trace-Id", d.Trace)
	}
	answer, err := destinationClient.Do(r)
	if err != nil {
		return errors.New(reason(err))
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the destination answered %s", answer.Status)
	}
	return nil
}
