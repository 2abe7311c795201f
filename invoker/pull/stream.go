package pull

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"maps"
	"sync"
	"time"

	"github.com/aws/smithy-go"

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

type shard struct {
	id, parent string
	child      bool // of a shard that was read to its end
}

// A position is where a mapping begins in shards that have no checkpoint.
type position struct {
	kind string // TRIM_HORIZON, LATEST or AT_TIMESTAMP
	at   time.Time
}

// isThrottle reports whether a service asks to be asked less often.
func isThrottle(err error) bool {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.ErrorCode() {
	case "ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException", "KMSThrottlingException":
		return true
	}
	return false
}

var errExpired = errors.New("the iterator has expired")

// A stream reads the shards whose leases this node gets.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
type stream struct {
	*batcher
	source shardSource

	mu      sync.Mutex // guards running
	running map[string]context.CancelFunc
}

// Times of a stream.
const (
	shardsEvery   = 5 * time.Second
	leaseFor      = 15 * time.Second
	renewEvery    = 5 * time.Second
	saveWithin    = 5 * time.Second
	readPause     = time.Second            // after nothing, as Lambda does
	readAgain     = 200 * time.Millisecond // a shard may be read five times a second
	maxReadAtOnce = 1000
)

func (s *stream) run(ctx context.Context) error {
	s.running = make(map[string]context.CancelFunc)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	defer all.Wait()
	var membership membership
	defer func() { membership.leave(s) }()
	for first := true; ctx.Err() == nil; first = false {
		if err := s.assign(ctx, &membership, func(one shard, grant state.Grant) {
			id := one.id
			own, stop := context.WithCancel(ctx)
			s.mu.Lock()
			s.running[id] = stop
			s.mu.Unlock()
			from := s.start(one, first)
			all.Go(func() {
				defer func() {
					stop()
					s.mu.Lock()
					delete(s.running, id)
					s.mu.Unlock()
				}()
				read := func(ctx context.Context) error { return (&reader{stream: s, id: id}).read(ctx, from) }
				if err := s.withLease(own, id, grant, read); err != nil && own.Err() == nil {
					cancel(err)
				}
			})
		}); err != nil {
			cancel(err)
			break
		}
		sleep(ctx, shardsEvery)
	}
	return context.Cause(ctx)
}

// assign begins to read shards that nobody reads, up to this node's part of all, and stops
// reading those that are more than that.
func (s *stream) assign(ctx context.Context, membership *membership, begin func(one shard, grant state.Grant)) error {
	shards, err := s.source.shards(ctx)
	if err != nil {
		return err
	}
	open, err := s.open(ctx, shards)
	if err != nil {
		return err
	}
	readers, err := membership.join(ctx, s)
	if err != nil {
		return err
	}
	part := (len(open) + readers - 1) / readers
	s.mu.Lock()
	running := maps.Clone(s.running)
	s.mu.Unlock()
	over := len(running) - part
	for _, one := range open {
		stop, runs := running[one.id]
		switch {
		case runs && over > 0:
			over--
			stop()
		case runs || over >= 0: // it has its part
		default:
			grant, err := s.engine.Store.Take(ctx, state.Claim{Name: s.leaseName(one.id), Limit: 1, Count: 1, For: leaseFor})
			if err != nil {
				return err
			}
			if grant.Count == 1 {
				over++
				begin(one, grant)
			}
		}
	}
	return nil
}

// A membership is that of a node among the readers of a stream. The number of readers says
// how large each one's part is.
type membership struct{ grant state.Grant }

func (t *membership) join(ctx context.Context, s *stream) (readers int, err error) {
	name := "readers/" + s.mapping.UUID
	if t.grant.Count > 0 {
		if t.grant, err = s.engine.Store.Renew(ctx, t.grant, 1, leaseFor); errors.Is(err, state.ErrLeaseLost) {
			t.grant, err = state.Grant{}, nil
		}
	}
	if err == nil && t.grant.Count == 0 {
		t.grant, err = s.engine.Store.Take(ctx, state.Claim{Name: name, Limit: 1 << 20, Count: 1, For: leaseFor})
	}
	if err != nil {
		return 0, err
	}
	readers, err = s.engine.Store.Taken(ctx, name)
	return max(readers, 1), err
}

func (t *membership) leave(s *stream) {
	if t.grant.Count > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), renewEvery)
		defer cancel()
		_ = s.engine.Store.Return(ctx, t.grant) // else it ends by its time
	}
}

// start is where reading of a shard without a checkpoint begins. A shard that appears later is
// the child of another, and is read from its beginning.
func (s *stream) start(one shard, first bool) position {
	p := position{kind: s.mapping.StartingPosition}
	if p.kind == "" || one.child || !first {
		p.kind = "TRIM_HORIZON"
	}
	if at := s.mapping.StartingPositionTimestamp; at != nil {
		p.at = *at
	}
	return p
}

// A checkpoint is how far a shard has been read.
type checkpoint struct {
	Sequence string `json:"sequence"`
	Ended    bool   `json:"ended,omitempty"`

	// From is when a shard without a sequence number was begun at its end: a restart must
	// not begin later. Sources know no sequence number of "now".
	From *time.Time `json:"from,omitempty"`

	Window *window `json:"window,omitempty"` // the tumbling window that is open

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

// open returns the shards that can be read now: they were not read to their end yet, and their
// parents were, or no longer exist.
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
			one.child = over
			open = append(open, one)
		}
	}
	return open, nil
}

// A reader reads one shard.
type reader struct {
	*stream
	id         string
	checkpoint checkpoint
	lane       bool // one of several: the checkpoint is not its business
}

func (r *reader) read(ctx context.Context, from position) error {
	var err error
	if r.checkpoint, err = r.readCheckpoint(ctx, r.id); err != nil {
		return err
	}
	last := r.checkpoint.Sequence // of what is in buffer
	if begun := r.checkpoint.From; begun != nil {
		from = position{kind: "AT_TIMESTAMP", at: *begun}
	}
	iterator, err := r.source.iterator(ctx, r.id, last, from)
	if err != nil {
		return err
	}
	if last == "" && from.kind == "LATEST" {
		now := time.Now()
		from = position{kind: "AT_TIMESTAMP", at: now}
		r.checkpoint.From = &now
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	var buffer []record
	var due time.Time
	for ctx.Err() == nil {
		records, next, err := r.source.read(ctx, r.id, iterator, maxReadAtOnce)
		if errors.Is(err, errExpired) {
			if iterator, err = r.source.iterator(ctx, r.id, last, from); err != nil {
				return err
			}
			continue
		}
		if isThrottle(err) { // the shard's readers share what it gives
			sleep(ctx, readPause)
			continue
		}
		if err != nil {
			return err
		}
		if len(records) > 0 {
			if len(buffer) == 0 {
				due = time.Now().Add(r.window())
			}
			last = records[len(records)-1].id
			for _, one := range records {
				// Not all sources begin at a time; some know seconds alone.
				if r.checkpoint.Sequence != "" || from.kind != "AT_TIMESTAMP" || one.at.IsZero() || one.at.Add(time.Second).After(from.at) {
					buffer = append(buffer, one)
				}
			}
		}
		for lanes := *r.mapping.ParallelizationFactor; len(buffer) > 0; {
			n := min(len(buffer), r.size()*lanes)
			if lanes == 1 {
				n = fits(buffer, n)
			}
			isFull := n >= r.size() || fits(buffer, n) < n // of records, or of bytes
			if n == len(buffer) && !isFull && next != "" && time.Now().Before(due) {
				break // there is room for more, and time
			}
			if err := r.deliver(ctx, buffer[:n], lanes); err != nil {
				return err
			}
			buffer = buffer[n:]
		}
		if w := r.checkpoint.Window; w != nil && (next == "" || len(buffer) == 0 && !time.Now().Before(w.End)) {
			if err := r.closeWindow(ctx); err != nil {
				return err
			}
		}
		if next == "" {
			r.checkpoint.Ended = true
			return r.save(ctx)
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

// save writes the checkpoint, if nobody else has written it meanwhile.
func (r *reader) save(ctx context.Context) error {
	value, err := json.Marshal(r.checkpoint)
	if err != nil {
		return err
	}
	// Records that were done are noted even if reading has just ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWithin)
	defer cancel()
	revision, err := r.engine.Store.Change(ctx, r.owner(), state.Put(r.id, r.checkpoint.revision, value))
	if err != nil {
		return err
	}
	r.checkpoint.revision = revision
	return nil
}

// markDone implements ordered: it writes that all records up to the last of done are done.
func (r *reader) markDone(ctx context.Context, done []record) error {
	if r.lane {
		return nil
	}
	r.checkpoint.Sequence = done[len(done)-1].id
	return r.save(ctx)
}

type batchInfo struct {
	ShardID                         string `json:"shardId"`
	StartSequenceNumber             string `json:"startSequenceNumber"`
	EndSequenceNumber               string `json:"endSequenceNumber"`
	ApproximateArrivalOfFirstRecord string `json:"approximateArrivalOfFirstRecord"`
	ApproximateArrivalOfLastRecord  string `json:"approximateArrivalOfLastRecord"`
	BatchSize                       int    `json:"batchSize"`
	StreamARN                       string `json:"streamArn"`
}

// describe implements ordered.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func (r *reader) describe(records []record) (name, place string, info any) {
	first, last := &records[0], &records[len(records)-1]
	return r.source.batchInfo(), r.id, batchInfo{r.id, first.id, last.id, arrival(first.at), arrival(last.at), len(records), r.mapping.EventSourceArn}
}

// deliver processes a batch. It returns nil when the checkpoint is behind the batch.
func (r *reader) deliver(ctx context.Context, batch []record, lanes int) error {
	wanted := make([]record, 0, len(batch))
	for n := range batch {
		if r.wants(&batch[n]) {
			wanted = append(wanted, batch[n])
		}
	}
	var err error
	switch {
	case lanes > 1:
		err = r.processLanes(ctx, wanted, lanes)
	case *r.mapping.TumblingWindowInSeconds > 0:
		err = r.processWindows(ctx, wanted)
	default:
		err = r.process(ctx, r, wanted)
	}
	if err != nil {
		return err
	}
	return r.markDone(ctx, batch)
}

// processLanes runs batches beside each other; records of one key are in one lane. It ends
// when all lanes have: a checkpoint can be behind all of them alone.
func (r *reader) processLanes(ctx context.Context, records []record, lanes int) error {
	split := make([][]record, lanes)
	for _, one := range records {
		h := fnv.New32a()
		h.Write([]byte(one.key))
		n := int(h.Sum32() % uint32(lanes))
		split[n] = append(split[n], one)
	}
	errs := make([]error, lanes)
	var all sync.WaitGroup
	for n, lane := range split {
		all.Go(func() {
			own := &reader{stream: r.stream, id: r.id, lane: true}
			for len(lane) > 0 && errs[n] == nil {
				size := fits(lane, r.size())
				errs[n] = own.process(ctx, own, lane[:size])
				lane = lane[size:]
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
