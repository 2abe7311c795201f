package pull

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
)

// A shardSource is a stream of shards.
type shardSource interface {
	// shards are all that the stream has now.
	shards(ctx context.Context) ([]shard, error)
	// iterator begins after a sequence number, or for "" where the mapping says.
	iterator(ctx context.Context, shard, after string, from position) (string, error)
	// read returns up to limit records, and the iterator of the next ones: "" at the end
	// of a shard that gets no more. errExpired says that a new iterator is needed.
	read(ctx context.Context, shard, iterator string, limit int) (records []record, next string, err error)
	// batchInfo names the batch info of a record for an on-failure destination.
	batchInfo() string
}

type shard struct{ id, parent string }

// A position is where a mapping begins in shards that have no checkpoint.
type position struct {
	kind string // TRIM_HORIZON, LATEST or AT_TIMESTAMP
	at   time.Time
}

var errExpired = errors.New("the iterator has expired")

// A stream reads the shards whose leases this node gets.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
type stream struct {
	*batcher
	source shardSource

	mu      sync.Mutex // guards running
	running map[string]struct{}
}

// Times of a stream.
const (
	shardsEvery   = 5 * time.Second
	leaseFor      = 30 * time.Second
	renewEvery    = 10 * time.Second
	readPause     = time.Second            // after nothing, as Lambda does
	readAgain     = 200 * time.Millisecond // a shard may be read five times a second
	maxReadAtOnce = 1000
)

func (s *stream) run(ctx context.Context) error {
	s.running = make(map[string]struct{})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	defer all.Wait()
	first := true
	for ctx.Err() == nil {
		shards, err := s.source.shards(ctx)
		if err != nil {
			cancel(err)
			break
		}
		open, err := s.open(ctx, shards)
		if err != nil {
			cancel(err)
			break
		}
		for _, one := range open {
			s.mu.Lock()
			_, runs := s.running[one.id]
			s.mu.Unlock()
			if runs {
				continue
			}
			grant, err := s.engine.Store.Take(ctx, state.Claim{Name: s.leaseName(one.id), Limit: 1, Count: 1, For: leaseFor})
			if err != nil {
				cancel(err)
				break
			}
			if grant.Count == 0 {
				continue // another node reads it
			}
			s.mu.Lock()
			s.running[one.id] = struct{}{}
			s.mu.Unlock()
			from := s.start(first)
			all.Go(func() {
				defer func() {
					s.mu.Lock()
					delete(s.running, one.id)
					s.mu.Unlock()
				}()
				if err := s.hold(ctx, one.id, grant, from); err != nil && ctx.Err() == nil {
					cancel(err)
				}
			})
		}
		first = false
		sleep(ctx, shardsEvery)
	}
	return context.Cause(ctx)
}

// start is where a shard without a checkpoint begins. One that appears later is the child
// of another, and is read whole.
func (s *stream) start(first bool) position {
	p := position{kind: s.mapping.StartingPosition}
	if p.kind == "" || !first {
		p.kind = "TRIM_HORIZON"
	}
	if at := s.mapping.StartingPositionTimestamp; at != nil {
		p.at = *at
	}
	return p
}

func (s *stream) leaseName(shard string) string { return "mapping/" + s.mapping.UUID + "/" + shard }

func (s *stream) owner() string { return checkpointOwner + s.mapping.UUID }

// A checkpoint is how far a shard has been read.
type checkpoint struct {
	Sequence string `json:"sequence"`
	Ended    bool   `json:"ended,omitempty"`

	revision state.Revision
}

func (s *stream) readCheckpoint(ctx context.Context, shard string) (checkpoint, error) {
	var c checkpoint
	r, err := s.engine.Store.Read(ctx, state.Key{Owner: s.owner(), Name: shard})
	if errors.Is(err, state.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.revision = r.Revision
	return c, json.Unmarshal(r.Value, &c)
}

// open are the shards that are to be read now: those that are not read to their end, and
// whose parents are, or are gone.
func (s *stream) open(ctx context.Context, shards []shard) ([]shard, error) {
	ended := make(map[string]bool, len(shards))
	for _, one := range shards {
		c, err := s.readCheckpoint(ctx, one.id)
		if err != nil {
			return nil, err
		}
		ended[one.id] = c.Ended
	}
	var open []shard
	for _, one := range shards {
		over, there := ended[one.parent]
		if !ended[one.id] && (one.parent == "" || !there || over) {
			open = append(open, one)
		}
	}
	return open, nil
}

// hold reads a shard while its lease lasts.
func (s *stream) hold(ctx context.Context, id string, grant state.Grant, from position) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			sleep(ctx, renewEvery)
			if ctx.Err() != nil {
				return
			}
			renewed, err := s.engine.Store.Renew(ctx, grant, 1, leaseFor)
			switch {
			case err == nil:
				grant = renewed
			case errors.Is(err, state.ErrLeaseLost) || time.Until(grant.Until) < renewEvery:
				cancel(state.ErrLeaseLost) // somebody else may read it by now
				return
			}
		}
	}()
	r := &reader{stream: s, id: id}
	err := r.read(ctx, from)
	cancel(nil)
	<-done
	back, stop := context.WithTimeout(context.Background(), renewEvery)
	defer stop()
	if returned := s.engine.Store.Return(back, grant); returned != nil && !errors.Is(returned, state.ErrLeaseLost) {
		s.engine.Log.Warn("the lease of a shard could not be given back: it ends by its time", zap.Error(returned))
	}
	if errors.Is(err, state.ErrLeaseLost) || errors.Is(err, state.ErrConflict) || errors.Is(context.Cause(ctx), state.ErrLeaseLost) {
		s.engine.Log.Warn("the lease of a shard was lost", zap.String("source", s.mapping.EventSourceArn), zap.String("shard", id))
		return nil
	}
	return err
}

// A reader reads one shard.
type reader struct {
	*stream
	id         string
	checkpoint checkpoint
}

func (r *reader) read(ctx context.Context, from position) error {
	var err error
	if r.checkpoint, err = r.readCheckpoint(ctx, r.id); err != nil {
		return err
	}
	last := r.checkpoint.Sequence // of what is in buffer
	iterator, err := r.source.iterator(ctx, r.id, last, from)
	if err != nil {
		return err
	}
	if last == "" && from.kind == "LATEST" {
		// From now on, whatever happens before the first record: a restart must not begin
		// later. Sources know no sequence number of "now", so the time is kept.
		from = position{kind: "AT_TIMESTAMP", at: time.Now()}
	}
	var buffer []record
	var due time.Time
	for ctx.Err() == nil {
		records, next, err := r.source.read(ctx, r.id, iterator, min(r.size(), maxReadAtOnce))
		if errors.Is(err, errExpired) {
			if iterator, err = r.source.iterator(ctx, r.id, last, from); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if len(records) > 0 {
			if len(buffer) == 0 {
				due = time.Now().Add(r.window())
			}
			buffer = append(buffer, records...)
			last = records[len(records)-1].id
		}
		for len(buffer) > 0 {
			n := fits(buffer, r.size())
			if n == len(buffer) && n < r.size() && next != "" && time.Now().Before(due) {
				break // there is room for more, and time
			}
			if err := r.deliver(ctx, buffer[:n]); err != nil {
				return err
			}
			buffer = buffer[n:]
		}
		if next == "" {
			r.checkpoint.Ended = true
			return r.keep(ctx)
		}
		iterator = next
		if len(records) == 0 {
			sleep(ctx, readPause)
		} else {
			sleep(ctx, readAgain)
		}
	}
	return ctx.Err()
}

// keep writes the checkpoint, if nobody else has meanwhile.
func (r *reader) keep(ctx context.Context) error {
	value, err := json.Marshal(r.checkpoint)
	if err != nil {
		return err
	}
	revision, err := r.engine.Store.Change(ctx, r.owner(), state.Put(r.id, r.checkpoint.revision, value))
	if err != nil {
		return err
	}
	r.checkpoint.revision = revision
	return nil
}

// pass writes that everything up to a record is done.
func (r *reader) pass(ctx context.Context, last *record) error {
	r.checkpoint.Sequence = last.id
	return r.keep(ctx)
}

// deliver sees a batch through: it returns nil when the checkpoint is behind it.
func (r *reader) deliver(ctx context.Context, batch []record) error {
	wanted := make([]record, 0, len(batch))
	for n := range batch {
		if r.wants(&batch[n]) {
			wanted = append(wanted, batch[n])
		}
	}
	if err := r.see(ctx, wanted); err != nil {
		return err
	}
	return r.pass(ctx, &batch[len(batch)-1])
}

// see runs the function until it is done with all records, or they are given up.
func (r *reader) see(ctx context.Context, records []record) error {
	attempts := 0
	for len(records) > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if old := r.tooOld(records); old > 0 {
			if err := r.giveUp(ctx, records[:old], "RecordAgeExceeded", attempts, nil); err != nil {
				return err
			}
			records, attempts = records[old:], 0
			continue
		}
		r.engine.metrics.age.WithLabelValues(r.mapping.FunctionName, r.mapping.EventSourceArn).Set(time.Since(records[len(records)-1].at).Seconds())
		failed, call, err := r.invoke(context.WithoutCancel(ctx), records)
		r.engine.metrics.records.WithLabelValues(r.mapping.FunctionName).Add(float64(len(records)))
		if err == nil && len(failed) == 0 {
			r.engine.result(r.mapping.UUID, "OK")
			return nil
		}
		r.engine.metrics.failures.WithLabelValues(r.mapping.FunctionName).Inc()
		r.engine.result(r.mapping.UUID, "PROBLEM: Function call failed")
		if err != nil && !isFunctions(err) {
			r.engine.Log.Warn("a batch's function cannot be run now", zap.String("function", r.mapping.FunctionName), zap.Error(err))
			sleep(ctx, minPause)
			continue
		}
		for n := range records { // those before the first that failed are done
			if failed[records[n].id] {
				if n > 0 {
					if err := r.pass(ctx, &records[n-1]); err != nil {
						return err
					}
					records, attempts = records[n:], 0
				}
				break
			}
		}
		if bisects := r.mapping.BisectBatchOnFunctionError; bisects != nil && *bisects && len(records) > 1 {
			// This does not count as a retry.
			half := len(records) / 2
			if err := r.see(ctx, records[:half]); err != nil {
				return err
			}
			if err := r.pass(ctx, &records[half-1]); err != nil {
				return err
			}
			records, attempts = records[half:], 0
			continue
		}
		attempts++
		if most := r.mapping.MaximumRetryAttempts; most != nil && *most >= 0 && attempts > *most {
			functionError := ""
			if call != nil {
				functionError = "Unhandled"
			}
			return r.giveUp(ctx, records, "RetryAttemptsExhausted", attempts, &responseContext{200, call.Version, functionError})
		}
		sleep(ctx, min(100*time.Millisecond<<min(attempts, 10), maxPause))
	}
	return nil
}

// tooOld is how many records at the beginning are older than the mapping allows.
func (r *reader) tooOld(records []record) (n int) {
	most := r.mapping.MaximumRecordAgeInSeconds
	if most == nil || *most < 0 {
		return 0
	}
	for n < len(records) && time.Since(records[n].at) > time.Duration(*most)*time.Second {
		n++
	}
	return n
}

type (
	requestContext struct {
		RequestID              string `json:"requestId"`
		FunctionARN            string `json:"functionArn"`
		Condition              string `json:"condition"`
		ApproximateInvokeCount int    `json:"approximateInvokeCount"`
	}
	responseContext struct {
		StatusCode      int    `json:"statusCode"`
		ExecutedVersion string `json:"executedVersion"`
		FunctionError   string `json:"functionError,omitempty"`
	}
	batchInfo struct {
		ShardID                         string `json:"shardId"`
		StartSequenceNumber             string `json:"startSequenceNumber"`
		EndSequenceNumber               string `json:"endSequenceNumber"`
		ApproximateArrivalOfFirstRecord string `json:"approximateArrivalOfFirstRecord"`
		ApproximateArrivalOfLastRecord  string `json:"approximateArrivalOfLastRecord"`
		BatchSize                       int    `json:"batchSize"`
		StreamARN                       string `json:"streamArn"`
	}
)

// giveUp tells the on-failure destination which records the function did not take.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func (r *reader) giveUp(ctx context.Context, records []record, condition string, attempts int, response *responseContext) error {
	r.engine.metrics.given.WithLabelValues(r.mapping.FunctionName).Add(float64(len(records)))
	first, last := &records[0], &records[len(records)-1]
	r.engine.Log.Warn("records are given up", zap.String("function", r.mapping.FunctionName), zap.String("source", r.mapping.EventSourceArn),
		zap.String("condition", condition), zap.Int("records", len(records)), zap.String("first", first.id), zap.String("last", last.id))
	if r.mapping.OnFailure == "" {
		return nil
	}
	const arrival = "2006-01-02T15:04:05.000Z"
	info := batchInfo{r.id, first.id, last.id, first.at.UTC().Format(arrival), last.at.UTC().Format(arrival), len(records), r.mapping.EventSourceArn}
	out := map[string]any{
		"requestContext": requestContext{newRequestID(), r.engine.Account.ARN(r.mapping.FunctionName, r.mapping.Qualifier), condition, attempts},
		"version":        "1.0", "timestamp": time.Now().UTC().Format(arrival), r.source.batchInfo(): info,
	}
	if response != nil {
		out["responseContext"] = response
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	// The shard waits for its destination: what is passed over is told, or nobody knows.
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if err = r.engine.Sender.Send(ctx, r.mapping.OnFailure, body); err == nil || ctx.Err() != nil {
			return err
		}
		r.engine.Log.Error("the on-failure destination does not take a record: its shard waits", zap.String("source", r.mapping.EventSourceArn), zap.Error(err))
		r.engine.result(r.mapping.UUID, fmt.Sprintf("PROBLEM: on-failure destination: %v", err))
		sleep(ctx, pause)
	}
}
