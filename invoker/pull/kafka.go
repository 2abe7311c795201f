package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// A topic of Kafka is read by a consumer group: Kafka shares its partitions among all
// nodes, and keeps how far each was done.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
type topic struct {
	*batcher
	name, group string
	servers     string
	options     []kgo.Opt
}

// Times of Kafka.
const (
	kafkaWindow    = 500 * time.Millisecond // as Lambda's, if none is asked for
	sessionTimeout = 15 * time.Second       // after which others read what a node had that died
	moveWithin     = 16 * time.Minute       // partitions, when members come and go: longer than any function runs
	askWithin      = 10 * time.Second       // an answer of a broker
	askEvery       = 10 * time.Second       // a broker that has sent nothing
)

// kafkaRetries is how often a batch is tried again when nothing is said but where it goes
// then. https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
const kafkaRetries = 10

func newTopic(b *batcher) (*topic, error) {
	t := &topic{batcher: b}
	m := &b.mapping
	brokers, err := brokersOf(m)
	if err != nil {
		return nil, err
	}
	if t.options, err = connect(m); err != nil {
		return nil, err
	}
	if t.group, err = groupOf(m); err != nil {
		return nil, err
	}
	t.name, t.servers = m.Topics[0], strings.Join(brokers, ",")
	m.EventSourceArn = kafkaScheme + t.servers // for logs and metrics: mappings of the API have none
	if m.OnFailure != "" && (m.MaximumRetryAttempts == nil || *m.MaximumRetryAttempts < 0) {
		retries := kafkaRetries
		m.MaximumRetryAttempts = &retries
	}
	b.event = t.eventOf
	return t, nil
}

func (t *topic) run(ctx context.Context) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	consumers := 1
	if n := t.mapping.MaximumConcurrency; n != nil {
		consumers = *n
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for range consumers {
		all.Go(func() { cancel(t.consume(ctx)) })
	}
	all.Wait()
	return context.Cause(ctx)
}

// begin checks that the topic exists, and stores where a group without offsets begins.
// From then on the group decides: new partitions are read whole.
func (t *topic) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	client, err := kgo.NewClient(t.options...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("no broker of Kafka answers: %w", err)
	}
	ask := kadm.NewClient(client)
	topics, err := ask.ListTopics(ctx, t.name)
	if err != nil {
		return err
	}
	if err := topics[t.name].Err; err != nil {
		return fmt.Errorf("topic %s: %w", t.name, err)
	}
	if t.mapping.StartingPosition == "TRIM_HORIZON" || t.hasBegun(ctx, ask) {
		return nil
	}
	var from kadm.ListedOffsets
	if at := t.mapping.StartingPositionTimestamp; at != nil && t.mapping.StartingPosition == "AT_TIMESTAMP" {
		from, err = ask.ListOffsetsAfterMilli(ctx, at.UnixMilli(), t.name)
	} else {
		from, err = ask.ListEndOffsets(ctx, t.name)
	}
	if err == nil {
		err = from.Error()
	}
	if err != nil {
		return err
	}
	if err := ask.CommitAllOffsets(ctx, t.group, from.Offsets()); err != nil && !t.hasBegun(ctx, ask) { // else another node was first
		return fmt.Errorf("consumer group %s: %w", t.group, err)
	}
	return nil
}

// hasBegun reports whether the group has offsets.
func (t *topic) hasBegun(ctx context.Context, ask *kadm.Client) bool {
	offsets, err := ask.FetchOffsetsForTopics(ctx, t.group, t.name)
	if err != nil {
		return false
	}
	for _, one := range offsets[t.name] {
		if one.Err == nil && one.At >= 0 {
			return true
		}
	}
	return false
}

// A consumer is one member of the group.
type consumer struct {
	*topic
	client *kgo.Client

	fetched map[string]*kgo.Record // the records of the batch, by ID

	mu    sync.Mutex         // guards hurry
	hurry context.CancelFunc // ends the batch early: the group shares its partitions anew
}

// consume reads the partitions that the group gives to this member, until ctx ends or it
// cannot.
func (t *topic) consume(ctx context.Context) error {
	c := &consumer{topic: t}
	var err error
	c.client, err = kgo.NewClient(append(slices.Clone(t.options),
		kgo.ConsumerGroup(t.group), kgo.ConsumeTopics(t.name), kgo.DisableAutoCommit(), kgo.SessionTimeout(sessionTimeout), kgo.RebalanceTimeout(moveWithin),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// A partition goes to another member when the batch that runs is done, and its
		// offsets are committed.
		kgo.BlockRebalanceOnPoll(), kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.hurry()
		}),
	)...)
	if err != nil {
		return err
	}
	defer c.client.CloseAllowingRebalance()
	for ctx.Err() == nil {
		if err := c.batch(ctx); err != nil {
			return err
		}
		c.client.AllowRebalance()
	}
	return ctx.Err()
}

// batch gathers one batch and processes it.
func (c *consumer) batch(ctx context.Context) error {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	c.hurry = cancel
	c.mu.Unlock()
	got, err := c.gather(own)
	if err != nil {
		return err
	}
	if len(got) == 0 {
		return nil
	}
	err = c.deliver(own, got)
	if err != nil && own.Err() != nil && ctx.Err() == nil {
		c.rewind(got)
		return nil
	}
	return err
}

// gather polls for a batch. None is nothing to be done now.
func (c *consumer) gather(ctx context.Context) ([]*kgo.Record, error) {
	got, size, err := c.poll(ctx, askEvery, c.size())
	if err != nil || ctx.Err() != nil {
		return got, err
	}
	if len(got) == 0 {
		// The client does not report fetches without an answer; this does.
		c.client.AllowRebalance()
		ctx, stop := context.WithTimeout(ctx, askWithin)
		defer stop()
		return nil, c.ask(ctx)
	}
	for until := time.Now().Add(c.window()); len(got) < c.size() && size < maxEvent && time.Now().Before(until); {
		more, n, err := c.poll(ctx, time.Until(until), c.size()-len(got))
		if err != nil {
			return nil, err
		}
		got, size = append(got, more...), size+n
	}
	return got, nil
}

// ask reports whether a broker answers.
func (c *consumer) ask(ctx context.Context) error {
	if err := c.client.Ping(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("no broker of Kafka answers: %w", err)
	}
	return nil
}

// poll waits for up to limit records, and tells about how many bytes of an event they are.
func (c *consumer) poll(ctx context.Context, wait time.Duration, limit int) (got []*kgo.Record, size int, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := c.client.PollRecords(ctx, limit)
	for _, e := range fetches.Errors() {
		var lost *kgo.ErrDataLoss
		switch {
		case ctx.Err() != nil && errors.Is(e.Err, ctx.Err()):
		case errors.As(e.Err, &lost):
			c.engine.Log.Error("records of a topic are gone that were not read yet", zap.String("source", c.mapping.EventSourceArn), zap.Error(e.Err))
		default:
			return nil, 0, e.Err
		}
	}
	for r := range fetches.RecordsAll() {
		got = append(got, r)
		size += (len(r.Key) + len(r.Value)) * 4 / 3
	}
	return got, size, nil
}

// window is how long a batch is gathered.
func (t *topic) window() time.Duration {
	if t.mapping.MaximumBatchingWindowInSeconds == nil {
		return kafkaWindow
	}
	return t.batcher.window()
}

// deliver runs a batch to its end, and commits the records that were done.
func (c *consumer) deliver(ctx context.Context, got []*kgo.Record) error {
	// Of each partition in one piece, in order.
	slices.SortStableFunc(got, func(a, b *kgo.Record) int { return int(a.Partition) - int(b.Partition) })
	c.fetched = make(map[string]*kgo.Record, len(got))
	var wanted []record
	for _, one := range got {
		r, err := c.recordOf(one)
		if err != nil {
			return err
		}
		c.fetched[r.id] = one
		if c.wants(&r) {
			wanted = append(wanted, r)
		}
	}
	for len(wanted) > 0 {
		n := fits(wanted, c.size())
		if err := c.process(ctx, c, wanted[:n]); err != nil {
			return err
		}
		if n < len(wanted) {
			if err := c.markDone(ctx, wanted[:n]); err != nil {
				return err
			}
		}
		wanted = wanted[n:]
	}
	return c.commit(ctx, got)
}

// call implements ordered.
func (c *consumer) call(ctx context.Context, records []record) (map[string]bool, *environment.Call, error) {
	return c.invoke(ctx, records)
}

// markDone implements ordered.
func (c *consumer) markDone(ctx context.Context, done []record) error {
	records := make([]*kgo.Record, len(done))
	for n := range done {
		records[n] = c.fetched[done[n].id]
	}
	return c.commit(ctx, records)
}

func (c *consumer) commit(ctx context.Context, done []*kgo.Record) error {
	// Records that were done are committed even if reading has just ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer cancel()
	if err := c.client.CommitRecords(ctx, done...); err != nil {
		return fmt.Errorf("consumer group %s: offsets cannot be committed: %w", c.group, err)
	}
	return nil
}

// rewind resets the offsets of the records of a batch that were not done, so that the next
// owner of its partitions reads them again.
func (c *consumer) rewind(got []*kgo.Record) {
	committed := c.client.CommittedOffsets()[c.name]
	next := make(map[int32]kgo.EpochOffset)
	for _, r := range got {
		if _, ok := next[r.Partition]; ok || r.Offset < committed[r.Partition].Offset {
			continue
		}
		next[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset}
	}
	c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.name: next})
}

// sourceName is what a mapping's source is called in logs.
func sourceName(m *registry.Mapping) string {
	if brokers, err := brokersOf(m); m.EventSourceArn == "" && err == nil {
		return kafkaScheme + strings.Join(brokers, ",")
	}
	return m.EventSourceArn
}

var _ ordered = (*consumer)(nil)
