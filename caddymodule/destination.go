package caddymodule

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
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Kinds of destinations, by how their names begin.
const (
	lambdaARN = "arn:aws:lambda:"
	sqsARN    = "arn:aws:sqs:"
	snsARN    = "arn:aws:sns:"
	s3ARN     = "arn:aws:s3:::"
)

// checkDestination says whether something can be a destination at all.
func checkDestination(to string) error {
	for _, begin := range []string{lambdaARN, sqsARN, snsARN, s3ARN, "https://", "http://"} {
		if strings.HasPrefix(to, begin) {
			return nil
		}
	}
	return fmt.Errorf("destination %q is neither the ARN of a function, an SQS queue, an SNS topic or an S3 bucket, nor a URL", to)
}

// Send implements invoker.Sender.
func (s *Engine) Send(ctx context.Context, to string, d *invoker.Delivery) error {
	a := s.current.Load()
	if a == nil {
		return warmpool.ErrClosed
	}
	switch {
	case strings.HasPrefix(to, lambdaARN):
		return s.sendToFunction(ctx, a, to, d)
	case strings.HasPrefix(to, "https://"), strings.HasPrefix(to, "http://"):
		return sendToURL(ctx, to, d)
	}
	err := a.services.send(ctx, to, d)
	if isGone(err) {
		return fmt.Errorf("%w: %w", invoker.ErrNoDestination, err)
	}
	return err
}

// isGone says whether a service told that what is sent to is not there: trying again is no
// use, while all else, a refusal of the credentials included, may be mended meanwhile.
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

// destinations are the services that destinations are at; nil: not configured.
type destinations struct {
	s3  *bucket
	sqs *sqs.Client
	sns *sns.Client

	gateway *gateway
}

func (a *App) resolveServices() error {
	var err error
	if a.Gateway != nil {
		if a.services.gateway, err = a.Gateway.gateway(); err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
	}
	if a.S3 != nil {
		if a.services.s3, err = a.S3.bucket(); err != nil {
			return fmt.Errorf("s3: %w", err)
		}
	}
	if a.SQS != nil {
		c, err := a.SQS.resolve()
		if err != nil {
			return fmt.Errorf("sqs: %w", err)
		}
		a.services.sqs = c.sqs()
	}
	for name, service := range map[string]*Service{"kinesis": a.Kinesis, "dynamodb": a.DynamoDB} {
		if service != nil {
			if _, err := service.resolve(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if a.SNS != nil {
		c, err := a.SNS.resolve()
		if err != nil {
			return fmt.Errorf("sns: %w", err)
		}
		a.services.sns = c.sns()
	}
	return nil
}

// check says whether a destination that is no function can be delivered to.
func (d *destinations) check(to string) error {
	for begin, there := range map[string]bool{sqsARN: d.sqs != nil, snsARN: d.sns != nil, s3ARN: d.s3 != nil} {
		if strings.HasPrefix(to, begin) {
			if !there {
				return missingService(strings.Split(begin, ":")[2])
			}
			return nil
		}
	}
	return errors.New("it is neither a function, an SQS queue, an SNS topic nor an S3 bucket")
}

func missingService(name string) error {
	return fmt.Errorf("%w: no %s is configured: set %s in the hearth global option", invoker.ErrNoDestination, name, name)
}

func (d *destinations) send(ctx context.Context, to string, what *invoker.Delivery) error {
	switch {
	case strings.HasPrefix(to, sqsARN) && d.sqs == nil:
		return missingService("sqs")
	case strings.HasPrefix(to, sqsARN):
		return d.sendToQueue(ctx, to, what)
	case strings.HasPrefix(to, snsARN) && d.sns == nil:
		return missingService("sns")
	case strings.HasPrefix(to, snsARN):
		in := &sns.PublishInput{TopicArn: &to, Message: aws.String(string(what.Body))}
		for name, value := range attributes(what.Letter) {
			if in.MessageAttributes == nil {
				in.MessageAttributes = make(map[string]snstypes.MessageAttributeValue)
			}
			in.MessageAttributes[name] = snstypes.MessageAttributeValue{DataType: aws.String(value.kind), StringValue: aws.String(value.text)}
		}
		_, err := d.sns.Publish(ctx, in)
		return err
	case strings.HasPrefix(to, s3ARN) && d.s3 == nil:
		return missingService("s3")
	case strings.HasPrefix(to, s3ARN):
		name, prefix, _ := strings.Cut(strings.TrimPrefix(to, s3ARN), "/")
		return d.s3.Put(ctx, name, prefix+objectName(what.Folder, time.Now().UTC()), what.Body)
	}
	return invoker.ErrNoDestination
}

// objectName is that of a record in a bucket, as Lambda makes it.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func objectName(folder string, at time.Time) string {
	return "aws/lambda/" + folder + "/" + at.Format("2006/01/02/2006-01-02T15.04.05-") + newRequestID()
}

func (d *destinations) sendToQueue(ctx context.Context, arn string, what *invoker.Delivery) error {
	parts := strings.Split(arn, ":") // arn:aws:sqs:REGION:ACCOUNT:NAME
	if len(parts) != 6 {
		return fmt.Errorf("%w: it is not the ARN of a queue", invoker.ErrNoDestination)
	}
	queue, err := d.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &parts[5]})
	if err != nil {
		return err
	}
	in := &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String(string(what.Body))}
	if what.Trace != "" {
		in.MessageSystemAttributes = map[string]sqstypes.MessageSystemAttributeValue{
			string(sqstypes.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String("String"), StringValue: aws.String(what.Trace)},
		}
	}
	for name, value := range attributes(what.Letter) {
		if in.MessageAttributes == nil {
			in.MessageAttributes = make(map[string]sqstypes.MessageAttributeValue)
		}
		in.MessageAttributes[name] = sqstypes.MessageAttributeValue{DataType: aws.String(value.kind), StringValue: aws.String(value.text)}
	}
	_, err = d.sqs.SendMessage(ctx, in)
	return err
}

// An attribute of a message.
type attribute struct{ kind, text string }

// attributes say why a dead-letter queue gets an event.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
func attributes(letter *invoker.Letter) map[string]attribute {
	if letter == nil {
		return nil
	}
	return map[string]attribute{
		"RequestID":    {"String", letter.RequestID},
		"ErrorCode":    {"Number", strconv.Itoa(letter.ErrorCode)},
		"ErrorMessage": {"String", cmp.Or(letter.ErrorMessage, "unknown")},
	}
}

// sendToFunction invokes another function with the record, asynchronously.
func (s *Engine) sendToFunction(ctx context.Context, a *App, arn string, d *invoker.Delivery) error {
	name, qualifier, err := a.account().Parse(arn)
	if err != nil {
		return err
	}
	if qualifier == "" {
		qualifier = function.Latest
	}
	if err := a.checkTarget(ctx, name, qualifier); err != nil {
		return err
	}
	return s.delivers().Push(ctx, &invoker.Message{RequestID: newRequestID(), Function: name, Qualifier: qualifier, TraceID: d.Trace, Payload: d.Body})
}

// checkTarget says whether there is a function for an event. Those of a gateway are
// known there alone.
func (a *App) checkTarget(ctx context.Context, name, qualifier string) error {
	if a.isElsewhere(name) {
		return nil
	}
	_, err := a.registry.Resolve(ctx, name, qualifier)
	return err
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
		return errors.New("its address is not a URL") // which may hold a secret
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
		return fmt.Errorf("it answered %s", answer.Status)
	}
	return nil
}
