package pull

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/trace"
)

// A queue polls an SQS queue, or one with its API.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
type queue struct {
	*batcher
	client *sqs.Client
	url    string

	invisible time.Duration // how long a message does not come to others once it was received
}

// Limits of SQS, and how many batches run at once without a MaximumConcurrency.
const (
	maxReceive       = 10
	longPoll         = 5 // seconds; so long may it take to end
	askQueueWithin   = 15 * time.Second
	defaultPollers   = 5
	minInvisible     = time.Second // queues with less are polled as if they had this
	deleteWithin     = 10 * time.Second
	receiveForWindow = time.Second

	readMappingWithin = 5 * time.Second
)

func (q *queue) run(ctx context.Context) error {
	source, err := arn.Parse(q.mapping.EventSourceArn)
	if err != nil {
		return err
	}
	found, err := q.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &source.Resource})
	if err != nil {
		return err
	}
	q.url = aws.ToString(found.QueueUrl)
	if err := q.askInvisible(ctx); err != nil {
		return err
	}
	pollers := defaultPollers
	if m := q.mapping.MaximumConcurrency; m != nil {
		pollers = *m
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	// One poller while there is nothing to do; more as each finds a whole batch.
	room := make(chan struct{}, pollers)
	var poll func()
	poll = func() {
		defer func() { <-room }()
		for ctx.Err() == nil {
			messages, err := q.receive(ctx)
			if err != nil {
				cancel(err)
				return
			}
			if len(messages) == 0 {
				if len(room) > 1 {
					return // the others are enough
				}
				continue
			}
			if len(messages) >= min(q.size(), maxReceive) {
				select {
				case room <- struct{}{}:
					all.Go(poll)
				default:
				}
			}
			q.deliver(ctx, messages)
		}
	}
	room <- struct{}{}
	all.Go(poll)
	all.Wait()
	return context.Cause(ctx)
}

func (q *queue) askInvisible(ctx context.Context) error {
	const name = types.QueueAttributeNameVisibilityTimeout
	got, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{name}})
	if err != nil {
		return err
	}
	seconds, err := strconv.Atoi(got.Attributes[string(name)])
	if err != nil {
		return fmt.Errorf("the queue has a %s of %.20q", name, got.Attributes[string(name)])
	}
	q.invisible = max(time.Duration(seconds)*time.Second, minInvisible)
	return nil
}

// receive gathers a batch.
func (q *queue) receive(ctx context.Context) ([]types.Message, error) {
	var all []types.Message
	var until time.Time
	size := 0 // bytes, about
	for len(all) < q.size() && (len(all) == 0 || ctx.Err() == nil) {
		wait := int32(longPoll)
		if len(all) > 0 {
			left := time.Until(until)
			if left <= 0 {
				break
			}
			wait = int32(max(min(left, receiveForWindow)/time.Second, 0))
		}
		asked := time.Now()
		out, err := q.ask(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &q.url, VisibilityTimeout: int32(q.invisible / time.Second), MaxNumberOfMessages: int32(min(q.size()-len(all), maxReceive)), WaitTimeSeconds: wait,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			if len(all) > 0 {
				break
			}
			return nil, err
		}
		if len(out.Messages) == 0 && len(all) == 0 {
			if time.Since(asked) < minPause { // it knows no long polling
				sleep(ctx, minPause)
			}
			return nil, nil
		}
		if len(all) == 0 {
			// Messages must not come to others while they wait for more.
			until = time.Now().Add(min(q.window(), q.invisible/2))
		}
		all = append(all, out.Messages...)
		for i := range out.Messages {
			size += len(aws.ToString(out.Messages[i].Body))
		}
		if q.window() == 0 || size >= maxEvent {
			break
		}
	}
	return all, nil
}

// changed is q with the mapping's present settings, if polling has ended because the mapping
// has changed. The queue may have handed out a message that was sent after the change. Such a
// message is for the function that the mapping names now. A mapping that was deleted or
// disabled, or cannot be read, changes nothing.
func (q *queue) changed(ctx context.Context) *queue {
	if ctx.Err() == nil {
		return q
	}
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readMappingWithin)
	defer cancel()
	m, err := q.engine.Registry().Mapping(reading, q.mapping.UUID)
	if err != nil || m.State != q.mapping.State || m.EventSourceArn != q.mapping.EventSourceArn {
		return q
	}
	b, err := newBatcher(q.engine, settingsOf(m))
	if err != nil {
		return q
	}
	now := *q
	now.batcher = b
	return &now
}

// ask receives messages. It waits for the answer even when polling ends. The queue would not
// notice that the receiver has gone, and its next message would be lost until its visibility
// timeout ends.
func (q *queue) ask(ctx context.Context, in *sqs.ReceiveMessageInput) (*sqs.ReceiveMessageOutput, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askQueueWithin)
	defer cancel()
	return q.client.ReceiveMessage(ctx, in)
}

// deliver runs a batch, and deletes the messages that were done. The others come back when
// their visibility timeout ends.
func (q *queue) deliver(ctx context.Context, messages []types.Message) {
	q = q.changed(ctx)
	receipts := make(map[string]string)
	var batch []record
	var drop []string
	for i := range messages {
		r, err := q.recordOf(&messages[i])
		if err != nil {
			q.engine.Log.Error("a message cannot be read", zap.String("source", q.mapping.EventSourceArn), zap.Error(err))
			continue
		}
		receipts[r.id] = aws.ToString(messages[i].ReceiptHandle)
		if !q.wants(&r) {
			drop = append(drop, r.id) // as Lambda does
			continue
		}
		batch = append(batch, r)
	}
	q.remove(drop, receipts)
	stop := q.extendVisibility(batch, receipts)
	defer stop()
	if !q.isFIFO() {
		q.lastLoops(batch)
	}
	for len(batch) > 0 {
		n := fits(batch, q.size())
		if end := q.loops(batch[:n]); end > 0 && !q.isFIFO() {
			n = end
		}
		if done := q.runEvent(ctx, batch[:n], receipts); !done && q.isFIFO() {
			return // what comes behind in a group waits for what comes before
		}
		batch = batch[n:]
	}
}

// lastLoops puts the messages of recursive loops behind the others, which must not be
// stopped with them.
func (q *queue) lastLoops(batch []record) {
	slices.SortStableFunc(batch, func(a, b record) int { return btoi(q.isLoop(&a)) - btoi(q.isLoop(&b)) })
}

// loops is where in a batch the messages of recursive loops begin; 0 when it has none,
// or nothing else.
func (q *queue) loops(batch []record) int {
	return max(slices.IndexFunc(batch, func(r record) bool { return q.isLoop(&r) }), 0)
}

func (q *queue) isLoop(r *record) bool {
	if r.trace == "" {
		return false
	}
	_, runs := trace.Next(r.trace, q.engine.Account.Key(q.mapping.FunctionName))
	return runs >= trace.MaxRuns
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (q *queue) isFIFO() bool { return strings.HasSuffix(q.mapping.EventSourceArn, ".fifo") }

// runEvent runs the function with what makes one event, and deletes what was done. It reports
// whether that is all.
func (q *queue) runEvent(ctx context.Context, batch []record, receipts map[string]string) bool {
	// A batch that has been received runs to its end, also when polling ends.
	failed, _, err := q.invoke(context.WithoutCancel(ctx), batch)
	q.engine.metrics.records.WithLabelValues(q.mapping.FunctionName).Add(float64(len(batch)))
	if err != nil {
		q.failed(batch, 0, err)
		if !isFunctions(err) {
			sleep(ctx, minPause)
		}
		return false
	}
	if len(failed) > 0 {
		q.failed(batch, 0, itemsFailed(len(failed)))
	}
	done := make([]string, 0, len(batch))
	for _, r := range batch {
		if !failed[r.id] {
			done = append(done, r.id)
		}
	}
	q.remove(done, receipts)
	if len(failed) == 0 {
		q.engine.result(q.mapping.UUID, "OK")
	}
	return len(done) == len(batch)
}

// extendVisibility hides messages from other pollers while they are worked on, until stop.
func (q *queue) extendVisibility(batch []record, receipts map[string]string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			sleep(ctx, q.invisible/3)
			if ctx.Err() != nil {
				return
			}
			for page := range slices.Chunk(batch, maxReceive) {
				in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url}
				for n, r := range page {
					in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
						Id: aws.String(strconv.Itoa(n)), ReceiptHandle: aws.String(receipts[r.id]), VisibilityTimeout: int32(q.invisible / time.Second),
					})
				}
				if _, err := q.client.ChangeMessageVisibilityBatch(ctx, in); err != nil && ctx.Err() == nil {
					q.engine.Log.Warn("messages may come to another poller too", zap.String("source", q.mapping.EventSourceArn), zap.Error(err))
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// remove deletes messages. If a deletion fails, the message comes again.
func (q *queue) remove(ids []string, receipts map[string]string) {
	for page := range slices.Chunk(ids, maxReceive) {
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.url}
		for n, id := range page {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(n)), ReceiptHandle: aws.String(receipts[id])})
		}
		ctx, cancel := context.WithTimeout(context.Background(), deleteWithin)
		out, err := q.client.DeleteMessageBatch(ctx, in)
		cancel()
		if err == nil && len(out.Failed) > 0 {
			err = fmt.Errorf("%d of %d: %s", len(out.Failed), len(page), aws.ToString(out.Failed[0].Message))
		}
		if err != nil {
			q.engine.Log.Warn("messages that were done cannot be deleted: they come again", zap.String("source", q.mapping.EventSourceArn), zap.Error(err))
		}
	}
}

// A message is one as Lambda gives it to a function.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
type message struct {
	MessageID         string               `json:"messageId"`
	ReceiptHandle     string               `json:"receiptHandle"`
	Body              any                  `json:"body"`
	Attributes        map[string]string    `json:"attributes"`
	MessageAttributes map[string]attribute `json:"messageAttributes"`
	MD5OfBody         string               `json:"md5OfBody"`
	MD5OfAttributes   json.RawMessage      `json:"md5OfMessageAttributes,omitempty"`
	EventSource       string               `json:"eventSource"`
	EventSourceARN    string               `json:"eventSourceARN"`
	AWSRegion         string               `json:"awsRegion"`
}

type attribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      *string  `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues []string `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// md5OfAttributes is that of a message's attributes. Recorded from AWS: of one that has
// none it is null where the mapping has a batching window, and absent where it has not.
func (q *queue) md5OfAttributes(m *types.Message) json.RawMessage {
	switch {
	case m.MD5OfMessageAttributes != nil:
		return json.RawMessage(strconv.Quote(*m.MD5OfMessageAttributes))
	case q.window() > 0:
		return json.RawMessage("null")
	}
	return nil
}

func (q *queue) recordOf(m *types.Message) (record, error) {
	out := message{
		MessageID: aws.ToString(m.MessageId), ReceiptHandle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body),
		Attributes: maps.Clone(m.Attributes), MessageAttributes: map[string]attribute{}, MD5OfBody: aws.ToString(m.MD5OfBody),
		MD5OfAttributes: q.md5OfAttributes(m), EventSource: "aws:sqs", EventSourceARN: q.mapping.EventSourceArn, AWSRegion: regionOf(q.mapping.EventSourceArn),
	}
	for name, a := range m.MessageAttributes {
		one := attribute{StringValue: a.StringValue, StringListValues: []string{}, BinaryListValues: []string{}, DataType: aws.ToString(a.DataType)}
		if a.BinaryValue != nil {
			one.BinaryValue = aws.String(base64.StdEncoding.EncodeToString(a.BinaryValue))
		}
		out.MessageAttributes[name] = one
	}
	event, err := json.Marshal(out)
	if err != nil {
		return record{}, err
	}
	r := record{id: out.MessageID, event: event, filters: event, data: []string{"body"}, trace: m.Attributes[string(types.MessageSystemAttributeNameAWSTraceHeader)]}
	if millis, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		r.at = time.UnixMilli(millis)
	}
	if len(q.filters) > 0 && json.Valid([]byte(aws.ToString(m.Body))) {
		out.Body = json.RawMessage(aws.ToString(m.Body))
		if r.filters, err = json.Marshal(out); err != nil {
			return record{}, err
		}
	}
	return r, nil
}
