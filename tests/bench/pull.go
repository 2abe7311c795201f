package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/redis/go-redis/v9"
)

const (
	pullBatch    = 10
	pullReaders  = 5 // as many batches as a mapping runs at once
	pullWanted   = 5000
	idleMappings = 500
	idleFor      = 20 * time.Second
)

// A pullSource is a source that runs on this machine, with queues of its own making.
type pullSource interface {
	// begin starts the server in a folder.
	begin(ctx context.Context, folder string) (*server, error)
	// fill puts n records into a queue, which it makes.
	fill(ctx context.Context, queue string, n int) error
	// drain reads records as a bare client does, and has them done; none: 0.
	drain(ctx context.Context, queue string) (n int, err error)
	// options are those of the hearth option that poll queues for the function take.
	options(queues ...string) string
}

func pullScenarios(m machine, s settings) []scenario {
	return []scenario{
		pullScenario(m, s, "Redis stream", 60000, func() pullSource { return &redisSource{} }),
		pullScenario(m, s, "SQS", 300, func() pullSource { return &sqsSource{} }),
		idleScenario(m, "Redis streams", func() pullSource { return &redisSource{} }),
		idleScenario(m, "SQS queues", func() pullSource { return &sqsSource{} }),
	}
}

// newPullStage is a server of its own that polls queues for the function take.
func newPullStage(ctx context.Context, shared *stage, m machine, options string) (_ *stage, err error) {
	own := &stage{caddy: shared.caddy, address: map[stack]string{}, roots: map[stack][]int{}}
	if own.folder, err = os.MkdirTemp(shared.folder, pullGroup); err != nil {
		return nil, err
	}
	if err := os.CopyFS(own.folder, assets); err != nil {
		return nil, err
	}
	global, site := own.hearthBlocks([]function{{"take", m.nodeRuntime(), "index.handler", "events", pullReaders, false}})
	global = strings.Replace(global, "\thearth {\n", "\thearth {\n"+options, 1)
	if err := own.startCaddy(ctx, own.caddy, hearthStack, global, site+"\trespond /ready ok\n\tmetrics /metrics\n", "/ready", "ok"); err != nil {
		own.close()
		return nil, err
	}
	return own, nil
}

// pullScenario measures how many records a second a function takes, beside what the
// source gives to a bare client with as many readers.
func pullScenario(m machine, s settings, kind string, n int, source func() pullSource) scenario {
	name := "pull " + kind
	return scenario{name: name, group: pullGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		from := source()
		server, err := from.begin(ctx, shared.folder)
		if err != nil {
			return nil, err
		}
		defer server.stop()
		var bare, pulled, shares []float64
		for round := range s.rounds {
			queue := fmt.Sprintf("bare-%d", round)
			if err := from.fill(ctx, queue, n); err != nil {
				return nil, err
			}
			alone, err := drainAll(ctx, from, queue, n)
			if err != nil {
				return nil, err
			}
			queue = fmt.Sprintf("hearth-%d", round)
			if err := from.fill(ctx, queue, n); err != nil {
				return nil, err
			}
			own, err := newPullStage(ctx, shared, m, from.options(queue))
			if err != nil {
				return nil, err
			}
			got, err := pullAll(ctx, own, n)
			own.close()
			if err != nil {
				return nil, err
			}
			bare, pulled, shares = append(bare, alone), append(pulled, got), append(shares, got/alone)
		}
		return []figure{
			{name, pullRate, median(pulled)},
			{name, "a bare client, records/s", median(bare)},
			{name, pullShare, median(shares)},
		}, nil
	}}
}

const (
	pullRate  = "records/s in batches of 10"
	pullShare = "share of a bare client"
)

// drainAll is how many records a second a bare client has done.
func drainAll(ctx context.Context, from pullSource, queue string, n int) (float64, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var done atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range pullReaders {
		all.Go(func() {
			for ctx.Err() == nil && done.Load() < int64(n) {
				got, err := from.drain(ctx, queue)
				if err != nil {
					stop(err)
				}
				done.Add(int64(got))
			}
		})
	}
	all.Wait()
	return float64(n) / time.Since(began).Seconds(), context.Cause(ctx)
}

// pullAll is how many records a second the function takes, from the first that are seen
// to have been taken until all are.
func pullAll(ctx context.Context, own *stage, n int) (float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("not all records were taken within 2 minutes"))
	defer cancel()
	var began time.Time
	first := 0.0
	for ctx.Err() == nil {
		taken, err := takenBy(ctx, own)
		if err != nil {
			return 0, err
		}
		if taken > 0 && began.IsZero() {
			began, first = time.Now(), taken
		}
		if taken >= float64(n) {
			return (taken - first) / time.Since(began).Seconds(), nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, context.Cause(ctx)
}

func takenBy(ctx context.Context, s *stage) (float64, error) {
	metrics := call(ctx, http.DefaultClient, s.address[hearthStack]+"/metrics")
	if metrics.err != nil {
		return 0, metrics.err
	}
	_, rest, found := strings.Cut(metrics.body, "\nhearth_mapping_records_total{function=\"take\"} ")
	if !found {
		return 0, nil // none yet
	}
	count, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseFloat(count, 64)
}

// idleScenario measures what many mappings cost whose sources have nothing.
func idleScenario(m machine, kind string, source func() pullSource) scenario {
	name := fmt.Sprintf("idle mappings of %d %s", idleMappings, kind)
	return scenario{name: name, group: pullGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		from := source()
		server, err := from.begin(ctx, shared.folder)
		if err != nil {
			return nil, err
		}
		defer server.stop()
		var queues []string
		for n := range idleMappings {
			queues = append(queues, fmt.Sprintf("idle-%d", n))
			if err := from.fill(ctx, queues[n], 0); err != nil {
				return nil, err
			}
		}
		own, err := newPullStage(ctx, shared, m, from.options(queues...))
		if err != nil {
			return nil, err
		}
		defer own.close()
		if err := wait(ctx, idleFor); err != nil { // until all have begun to wait
			return nil, err
		}
		before, err := cpuOf(own.roots[hearthStack])
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := wait(ctx, idleFor); err != nil {
			return nil, err
		}
		after, err := cpuOf(own.roots[hearthStack])
		if err != nil {
			return nil, err
		}
		return []figure{{name, idleShare, 100 * float64(after-before) / float64(time.Since(began))}}, nil
	}}
}

const idleShare = "of one core, %"

// A redisSource is a redis-server with streams.
type redisSource struct {
	client  *redis.Client
	address string
}

func (r *redisSource) begin(ctx context.Context, folder string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r.address = fmt.Sprintf("127.0.0.1:%d", port)
	s, err := startServer("redis", folder, "redis-server", "--port", strconv.Itoa(port), "--save", "", "--dir", folder)
	if err != nil {
		return nil, err
	}
	r.client = redis.NewClient(&redis.Options{Addr: r.address})
	return s, s.answers(ctx, func(ctx context.Context) error { return r.client.Ping(ctx).Err() })
}

func (r *redisSource) fill(ctx context.Context, queue string, n int) error {
	err := r.client.XGroupCreateMkStream(ctx, queue, "bare", "0").Err()
	for sent := 0; sent < n && err == nil; {
		_, err = r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range min(1000, n-sent) {
				p.XAdd(ctx, &redis.XAddArgs{Stream: queue, Values: []string{"order", strconv.Itoa(sent), "text", strings.Repeat("x", 100)}})
				sent++
			}
			return nil
		})
	}
	return err
}

func (r *redisSource) drain(ctx context.Context, queue string) (int, error) {
	got, err := r.client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "bare", Consumer: "bare", Streams: []string{queue, ">"}, Count: pullBatch, Block: time.Millisecond}).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var ids []string
	for _, one := range got[0].Messages {
		ids = append(ids, one.ID)
	}
	return len(ids), r.client.XAck(ctx, queue, "bare", ids...).Err()
}

func (r *redisSource) options(queues ...string) string {
	var b strings.Builder
	for n, queue := range queues {
		// A database apart makes a source apart; the streams are told apart by topic.
		fmt.Fprintf(&b, "\t\tevent_source redis://%s/0 take {\n\t\t\ttopic %s\n\t\t\tgroup hearth-%d\n\t\t\tbatch_size %d\n\t\t}\n", r.address, queue, n, pullBatch)
	}
	return b.String()
}

// A sqsSource is moto, which has the API of SQS.
type sqsSource struct {
	client *sqs.Client
	url    string
}

func (q *sqsSource) begin(ctx context.Context, folder string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	q.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	s, err := startServer("moto", folder, "python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	q.client = sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &q.url, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "bench", SecretAccessKey: "bench"}, nil
	})})
	return s, s.answers(ctx, func(ctx context.Context) error { return call(ctx, http.DefaultClient, q.url+"/moto-api/").err })
}

func (q *sqsSource) address(queue string) *string {
	return aws.String(q.url + "/123456789012/" + queue)
}

func (q *sqsSource) fill(ctx context.Context, queue string, n int) error {
	if _, err := q.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &queue, Attributes: map[string]string{"VisibilityTimeout": "60"}}); err != nil {
		return err
	}
	for sent := 0; sent < n; {
		in := &sqs.SendMessageBatchInput{QueueUrl: q.address(queue)}
		for range min(pullBatch, n-sent) {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(sent)), MessageBody: aws.String(strings.Repeat("x", 100))})
			sent++
		}
		if _, err := q.client.SendMessageBatch(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

func (q *sqsSource) drain(ctx context.Context, queue string) (int, error) {
	got, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: q.address(queue), MaxNumberOfMessages: pullBatch,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}, MessageAttributeNames: []string{"All"},
	})
	if err != nil || len(got.Messages) == 0 {
		return 0, err
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: q.address(queue)}
	for n, m := range got.Messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(n)), ReceiptHandle: m.ReceiptHandle})
	}
	_, err = q.client.DeleteMessageBatch(ctx, in)
	return len(got.Messages), err
}

func (q *sqsSource) options(queues ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\t\tsqs {\n\t\t\tendpoint %s\n\t\t\taccess_key bench bench\n\t\t}\n", q.url)
	for _, queue := range queues {
		fmt.Fprintf(&b, "\t\tevent_source arn:aws:sqs:us-east-1:123456789012:%s take\n", queue)
	}
	return b.String()
}
