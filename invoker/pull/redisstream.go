package pull

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
)

// A redisStream reads a stream of Redis by a consumer group. Records that are being worked
// on are pending there. If a node dies, other nodes claim its records.
// https://redis.io/docs/latest/develop/data-types/streams/
type redisStream struct {
	*batcher
	options               *redis.Options
	client                *redis.Client
	name, group, consumer string
	address               string // without what is secret
	mu                    sync.Mutex
	claimAt               time.Time // when to look for what others had; guarded by mu
	claimFrom             string    // where to go on at once; guarded by mu
	begun                 bool
	inHand                map[string]struct{} // IDs that are worked on; guarded by mu
}

// Times of streams of Redis.
const (
	redisBlock       = 5 * time.Second  // one wait for records
	redisExtendEvery = 5 * time.Second  // how often the claims on what is worked on are extended
	redisDeadAfter   = 15 * time.Second // after this time records that nobody works on are claimed
	redisForget      = time.Hour        // after this time the name of a reader that has gone is removed
	redisWithin      = 5 * time.Second  // an answer
)

// consumerPrefix begins the names of Hearth's consumers, one for each run of a poller.
const consumerPrefix = "hearth-"

func newRedisStream(b *batcher) (*redisStream, error) {
	m := &b.mapping
	options, err := redis.ParseURL(m.EventSourceArn)
	if err != nil {
		return nil, fmt.Errorf("the address is not one such as redis://localhost:6379/0: %w", err)
	}
	s := &redisStream{batcher: b, name: m.Topics[0], address: m.EventSourceArn, inHand: make(map[string]struct{})}
	s.group, s.consumer = "hearth-"+m.UUID, consumerPrefix+function.NewRequestID()
	if c := m.Connection; c != nil {
		options.Username, options.Password = c.Username, c.Password
		if c.Group != "" {
			s.group = c.Group
		}
		if c.TLS && options.TLSConfig == nil {
			return nil, errors.New("tls is for rediss:// addresses")
		}
		if options.TLSConfig != nil {
			name := options.TLSConfig.ServerName
			if options.TLSConfig, err = tlsOf(c); err != nil {
				return nil, err
			}
			options.TLSConfig.ServerName = name
		}
	}
	options.PoolSize = 2*s.pollers() + 2 // each reader's, what each acknowledges by, and one to extend and to claim
	options.MaxRetries = -1              // the engine tries again, and says so
	options.ContextTimeoutEnabled = true
	s.options = options
	return s, nil
}

func (s *redisStream) pollers() int {
	if n := s.mapping.MaximumConcurrency; n != nil {
		return *n
	}
	return defaultPollers
}

func (s *redisStream) run(ctx context.Context) error {
	s.client = redis.NewClient(s.options)
	defer s.client.Close()
	if err := s.begin(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.leave()
	var all sync.WaitGroup
	all.Go(func() { s.every(ctx, redisExtendEvery, s.extendClaims) })
	all.Go(func() { s.every(ctx, redisForget, s.forgetReaders) })
	s.poll(ctx, cancel, &all)
	all.Wait()
	return context.Cause(ctx)
}

// poll starts a reader, and more as each finds a whole batch. One always reads.
func (s *redisStream) poll(ctx context.Context, cancel context.CancelCauseFunc, all *sync.WaitGroup) {
	readers := 1 // guarded by s.mu
	change := func(by int) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := readers + by; n < 1 || n > s.pollers() {
			return false
		}
		readers += by
		return true
	}
	var read func()
	read = func() {
		reader := s.newReader(ctx)
		defer reader.close()
		for ctx.Err() == nil {
			messages, err := s.claim(ctx)
			if err == nil && len(messages) == 0 {
				messages, err = reader.gather(ctx)
			}
			if err != nil {
				s.release(messages)
				cancel(err)
				return
			}
			if len(messages) == 0 {
				if change(-1) {
					return // the others are enough
				}
				continue
			}
			if len(messages) == s.size() && change(+1) {
				all.Go(read)
			}
			if err := s.deliver(ctx, messages); err != nil {
				cancel(err)
				return
			}
		}
	}
	all.Go(read)
}

// begin makes the consumer group, and the stream, if they do not exist. If they existed before
// and were deleted, the new stream is read from its beginning.
func (s *redisStream) begin(ctx context.Context) error {
	from := "0"
	switch {
	case s.begun:
	case s.mapping.StartingPosition == "LATEST":
		from = "$"
	case s.mapping.StartingPosition == "AT_TIMESTAMP":
		// A group begins behind the ID that it is given.
		from = fmt.Sprintf("%d-%d", s.mapping.StartingPositionTimestamp.UnixMilli()-1, uint64(1<<64-1))
	}
	ctx, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	err := s.client.XGroupCreateMkStream(ctx, s.name, s.group, from).Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return err
	}
	s.begun = true
	return nil
}

// leave removes this reader's name if nothing is pending.
func (s *redisStream) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), redisWithin)
	defer cancel()
	pending, err := s.client.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: s.name, Group: s.group, Start: "-", End: "+", Count: 1, Consumer: s.consumer}).Result()
	if err == nil && len(pending) == 0 {
		s.client.XGroupDelConsumer(ctx, s.name, s.group, s.consumer)
	}
}

// every does something again and again until ctx ends. What fails will fail for reading
// too, which says so.
func (s *redisStream) every(ctx context.Context, interval time.Duration, do func(context.Context) error) {
	for {
		sleep(ctx, interval)
		if ctx.Err() != nil {
			return
		}
		if err := do(ctx); err != nil && ctx.Err() == nil {
			s.engine.Log.Debug("a stream is not looked after", zap.String("source", s.address), zap.Error(err))
		}
	}
}

// extendClaims prevents others from claiming the records that are being worked on.
func (s *redisStream) extendClaims(ctx context.Context) error {
	s.mu.Lock()
	ids := slices.Collect(maps.Keys(s.inHand))
	s.mu.Unlock()
	for page := range slices.Chunk(ids, 1000) {
		own, cancel := context.WithTimeout(ctx, redisWithin)
		err := s.client.XClaimJustID(own, &redis.XClaimArgs{Stream: s.name, Group: s.group, Consumer: s.consumer, Messages: page}).Err()
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// claim takes a batch of the records of nodes that have died, if it is time to ask for them.
func (s *redisStream) claim(ctx context.Context) ([]redis.XMessage, error) {
	s.mu.Lock()
	from := s.claimFrom
	if from == "" {
		if time.Now().Before(s.claimAt) {
			s.mu.Unlock()
			return nil, nil
		}
		from = "0-0"
	}
	s.claimAt, s.claimFrom = time.Now().Add(redisExtendEvery), ""
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	messages, next, err := s.client.XAutoClaim(ctx, &redis.XAutoClaimArgs{
		Stream: s.name, Group: s.group, Consumer: s.consumer, MinIdle: redisDeadAfter, Start: from, Count: int64(s.size()),
	}).Result()
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	s.claimed(messages)
	if next != "0-0" {
		s.mu.Lock()
		s.claimFrom = next // the next claim continues there
		s.mu.Unlock()
	}
	return s.exhausted(ctx, messages)
}

// exhausted gives up claimed messages that were delivered more often than allowed: their
// readers died, maybe because of them. It returns the others.
func (s *redisStream) exhausted(ctx context.Context, messages []redis.XMessage) ([]redis.XMessage, error) {
	most := s.mapping.MaximumRetryAttempts
	if most == nil || *most < 0 {
		return messages, nil
	}
	pending, err := s.client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: s.name, Group: s.group, Start: messages[0].ID, End: messages[len(messages)-1].ID, Count: int64(10 * len(messages)), Consumer: s.consumer,
	}).Result()
	if err != nil {
		return messages, err
	}
	times := make(map[string]int64, len(pending))
	for _, one := range pending {
		times[one.ID] = one.RetryCount
	}
	var left []redis.XMessage
	for i := range messages {
		if n := times[messages[i].ID]; n <= int64(*most)+1 {
			left = append(left, messages[i])
			continue
		}
		r, err := s.recordOf(&messages[i])
		if err == nil {
			err = s.giveUp(ctx, s, []record{r}, "RetryAttemptsExhausted", int(times[r.id]-1), nil, "")
		}
		if err == nil {
			err = s.markDone(ctx, []record{r})
		}
		s.release(messages[i : i+1])
		if err != nil {
			return left, err
		}
	}
	return left, nil
}

// forgetReaders removes the names of readers that have ended long ago with nothing left.
func (s *redisStream) forgetReaders(ctx context.Context) error {
	readers, err := s.client.XInfoConsumers(ctx, s.name, s.group).Result()
	if err != nil {
		return err
	}
	for _, one := range readers {
		if strings.HasPrefix(one.Name, consumerPrefix) && one.Name != s.consumer && one.Pending == 0 && one.Idle > redisForget {
			s.client.XGroupDelConsumer(ctx, s.name, s.group, one.Name)
		}
	}
	return nil
}

// deliver processes messages, and then releases them.
func (s *redisStream) deliver(ctx context.Context, messages []redis.XMessage) error {
	defer s.release(messages)
	var records, unwanted []record
	for i := range messages {
		r, err := s.recordOf(&messages[i])
		if err != nil {
			return err
		}
		if s.wants(&r) {
			records = append(records, r)
		} else {
			unwanted = append(unwanted, r)
		}
	}
	if err := s.markDone(ctx, unwanted); err != nil {
		return err
	}
	for len(records) > 0 {
		n := fits(records, s.size())
		if err := s.process(ctx, s, records[:n]); err != nil {
			return err
		}
		if err := s.markDone(ctx, records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// claimed notes that messages are being worked on.
func (s *redisStream) claimed(messages []redis.XMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range messages {
		s.inHand[messages[i].ID] = struct{}{}
	}
}

func (s *redisStream) release(messages []redis.XMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range messages {
		delete(s.inHand, messages[i].ID)
	}
}

// call implements ordered.
func (s *redisStream) call(ctx context.Context, records []record) (map[string]bool, *environment.Call, error) {
	return s.invoke(ctx, records)
}

// markDone implements ordered.
func (s *redisStream) markDone(ctx context.Context, done []record) error {
	if len(done) == 0 {
		return nil
	}
	ids := make([]string, len(done))
	for i := range done {
		ids[i] = done[i].id
	}
	// Records that were done are noted even if polling has just ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisWithin)
	defer cancel()
	return s.client.XAck(ctx, s.name, s.group, ids...).Err()
}

// describe implements ordered.
func (s *redisStream) describe(records []record) (name, place string, info any) {
	return "RedisBatchInfo", s.name, map[string]any{
		"stream": s.name, "group": s.group, "startId": records[0].id, "endId": records[len(records)-1].id, "batchSize": len(records),
		"eventSourceARN": s.address,
	}
}

// A redisRecord is one as functions get it.
type redisRecord struct {
	EventID        string            `json:"eventID"`
	EventSource    string            `json:"eventSource"`
	EventSourceARN string            `json:"eventSourceARN"`
	Stream         string            `json:"stream"`
	Group          string            `json:"group"`
	Timestamp      int64             `json:"timestamp"` // milliseconds
	Values         map[string]any    `json:"values"`
	BinaryValues   map[string]string `json:"binaryValues,omitempty"` // in Base64
}

func (s *redisStream) recordOf(m *redis.XMessage) (record, error) {
	out := redisRecord{EventID: m.ID, EventSource: "hearth:redis", EventSourceARN: s.address, Stream: s.name, Group: s.group, Values: make(map[string]any, len(m.Values))}
	millis, _, _ := strings.Cut(m.ID, "-")
	var err error
	if out.Timestamp, err = strconv.ParseInt(millis, 10, 64); err != nil {
		return record{}, fmt.Errorf("the ID %.40q is not one of Redis", m.ID)
	}
	for name, value := range m.Values {
		text, _ := value.(string)
		if utf8.ValidString(text) {
			out.Values[name] = text
			continue
		}
		if out.BinaryValues == nil {
			out.BinaryValues = make(map[string]string)
		}
		out.BinaryValues[name] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	event, err := json.Marshal(out)
	if err != nil {
		return record{}, err
	}
	// Each record stands for itself: what is done is done, whatever came before it.
	r := record{id: m.ID, shard: m.ID, event: event, filters: event, at: time.UnixMilli(out.Timestamp)}
	if len(s.batcher.filters) > 0 {
		for name, value := range out.Values {
			if text := value.(string); len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid([]byte(text)) {
				out.Values[name] = json.RawMessage(text)
			}
		}
		r.filters, err = json.Marshal(out)
	}
	return r, err
}
