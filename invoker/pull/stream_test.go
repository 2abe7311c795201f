package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A river is a source with shards of records that the test fills, and the function that
// gets them.
type river struct {
	t *testing.T

	mu     sync.Mutex
	shard  map[string][]record
	parent map[string]string
	ended  map[string]bool
	play   func(e *riverEvent) (answer string, failed bool)
	calls  []riverEvent
	atOnce int
	most   int
	sent   []string
}

// A riverEvent is what the function got.
type riverEvent struct {
	Records []string
	State   map[string]int
	Final   bool `json:"isFinalInvokeForWindow"`
	Window  struct{ Start, End string }
	at      time.Time
}

func newRiver(t *testing.T) *river {
	return &river{t: t, shard: map[string][]record{"a": nil}, parent: map[string]string{}, ended: map[string]bool{}}
}

// put adds records, whose key is their first letter.
func (r *river) put(shard string, texts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range texts {
		event, _ := json.Marshal(text)
		r.shard[shard] = append(r.shard[shard], record{id: fmt.Sprintf("%06d", len(r.shard[shard])+1), event: event, filters: event, at: time.Now(), key: text[:1]})
	}
}

func (*river) batchInfo() string { return "KinesisBatchInfo" }

func (r *river) shards(context.Context) (all []shard, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.shard {
		all = append(all, shard{id: id, parent: r.parent[id]})
	}
	return all, nil
}

// An iterator is SHARD/N, with the place of the next record.
func (r *river) iterator(_ context.Context, id, after string, from position) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	if after != "" {
		n = 1 + slices.IndexFunc(r.shard[id], func(one record) bool { return one.id == after })
	} else if from.kind == "LATEST" {
		n = len(r.shard[id])
	}
	return fmt.Sprintf("%s/%d", id, n), nil
}

func (r *river) read(_ context.Context, id, iterator string, limit int) ([]record, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(strings.TrimPrefix(iterator, id+"/"), "%d", &n); err != nil {
		return nil, "", err
	}
	records := slices.Clone(r.shard[id][n:min(n+limit, len(r.shard[id]))])
	if n += len(records); n == len(r.shard[id]) && r.ended[id] {
		return records, "", nil
	}
	return records, fmt.Sprintf("%s/%d", id, n), nil
}

func (r *river) Invoke(_ context.Context, call *environment.Call) error {
	e := riverEvent{at: time.Now()}
	if err := json.Unmarshal(call.Frame[bytes.Index(call.Frame, []byte(`{"Records"`)):], &e); err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	r.calls = append(r.calls, e)
	r.atOnce++
	r.most = max(r.most, r.atOnce)
	play := r.play
	r.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	call.Version, call.Outcome, call.Payload = "$LATEST", environment.OutcomeResult, []byte("null")
	if play != nil {
		answer, failed := play(&e)
		if call.Payload = []byte(answer); failed {
			call.Outcome = environment.OutcomeError
		}
	}
	r.mu.Lock()
	r.atOnce--
	r.mu.Unlock()
	return nil
}

func (r *river) Send(_ context.Context, _ string, d *Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, string(d.Body))
	return nil
}

// got are all records that the function had, in that order.
func (r *river) got() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, e := range r.calls {
		all = append(all, e.Records...)
	}
	return strings.Join(all, " ")
}

// done are the records of the calls that had not the poison.
func (r *river) done(poison string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, e := range r.calls {
		if !slices.Contains(e.Records, poison) {
			all = append(all, e.Records...)
		}
	}
	return strings.Join(all, " ")
}

// last is the newest call.
func (r *river) last() riverEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[len(r.calls)-1]
}

// told is what the destination got.
func (r *river) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

func (r *river) want(texts string) {
	r.t.Helper()
	if got := r.got(); got != texts {
		r.t.Errorf("the function got %s, want %s", got, texts)
	}
}

// A bank is a store and a registry for readers of rivers.
type bank struct {
	*Engine
	store *boltstore.Store
	reg   *registry.Registry
}

func newBank(t *testing.T, r interface {
	warmpool.Runner
	Sender
}) *bank {
	t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.New(registry.Config{Records: store, CodePath: func(registry.Code) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return &bank{store: store, reg: reg, Engine: New(Config{
		Registry: func() *registry.Registry { return reg }, Store: store, Runner: r, Sender: r, Account: function.DefaultAccount, Log: zap.NewNop(),
	})}
}

func (b *bank) close() {
	b.Close(context.Background())
	b.reg.Close()
	b.store.Close()
}

// flow reads a river until stop.
func (b *bank) flow(t *testing.T, r *river, change func(m *registry.Mapping)) (stop func()) {
	t.Helper()
	_, stop = b.read(t, r, change)
	return stop
}

// batcher is that of a mapping as Check leaves it.
func (b *bank) batcher(t *testing.T, source string, change func(m *registry.Mapping)) *batcher {
	t.Helper()
	m := registry.Mapping{UUID: "00000000-0000-0000-0000-000000000000", FunctionName: "f", Qualifier: "$LATEST", EventSourceArn: source}
	if change != nil {
		change(&m)
	}
	if err := Check(&m); err != nil {
		t.Fatal(err)
	}
	batcher, err := newBatcher(b.Engine, m)
	if err != nil {
		t.Fatal(err)
	}
	return batcher
}

func (b *bank) read(t *testing.T, r *river, change func(m *registry.Mapping)) (s *stream, stop func()) {
	t.Helper()
	batcher := b.batcher(t, "arn:aws:kinesis:us-east-1:000000000000:stream/s", change)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	s = &stream{batcher: batcher, source: r}
	go func() {
		defer close(done)
		if err := s.run(ctx); ctx.Err() == nil {
			t.Error(err)
		}
	}()
	return s, func() { cancel(); <-done }
}

func ptr[T any](v T) *T { return &v }

func inBubble(t *testing.T, test func(t *testing.T, r *river, b *bank)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRiver(t)
		b := newBank(t, r)
		defer b.close()
		test(t, r, b)
	})
}

func TestShardsAreReadInOrderFromTheirCheckpoint(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		r.put("a", "a1", "a2", "a3")
		stop := b.flow(t, r, func(m *registry.Mapping) { m.BatchSize = ptr(2) })
		time.Sleep(5 * time.Second)
		r.want("a1 a2 a3")
		stop()
		r.put("a", "a4")
		stop = b.flow(t, r, nil)
		time.Sleep(5 * time.Second)
		stop()
		r.want("a1 a2 a3 a4")
	})
}

func TestChildrenAreReadAfterTheirParents(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		r.put("a", "a1", "a2")
		r.put("b", "b1")
		r.put("c", "c1")
		r.parent["b"], r.parent["c"] = "a", "b"
		defer b.flow(t, r, nil)()
		time.Sleep(time.Minute)
		r.want("a1 a2") // a is open still
		r.mu.Lock()
		r.ended["a"], r.ended["b"] = true, true
		r.mu.Unlock()
		time.Sleep(time.Minute)
		r.want("a1 a2 b1 c1")
	})
}

func TestABatchThatFailsIsBisectedDownToItsPoison(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		r.play = func(e *riverEvent) (string, bool) {
			return "{}", slices.Contains(e.Records, "bad")
		}
		r.put("a", "r1", "r2", "r3", "bad", "r5", "r6")
		defer b.flow(t, r, func(m *registry.Mapping) {
			m.BisectBatchOnFunctionError, m.MaximumRetryAttempts, m.OnFailure = ptr(true), ptr(2), "arn:aws:sqs:us-east-1:000000000000:dead"
		})()
		time.Sleep(time.Minute)
		if got := r.done("bad"); got != "r1 r2 r3 r5 r6" {
			t.Errorf("done were %s", got)
		}
		if told := r.told(); len(told) != 1 || !strings.Contains(told[0], `"batchSize":1`) || !strings.Contains(told[0], `"startSequenceNumber":"000004"`) {
			t.Errorf("told was %s", told)
		}
	})
}

func TestWhatIsReportedAsFailedIsTriedFromThereOn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		tries := 0
		r.play = func(e *riverEvent) (string, bool) {
			if tries++; tries == 1 {
				return `{"batchItemFailures":[{"itemIdentifier":"000002"}]}`, false
			}
			return `{"batchItemFailures":[]}`, false
		}
		r.put("a", "r1", "r2", "r3")
		defer b.flow(t, r, func(m *registry.Mapping) { m.FunctionResponseTypes = []string{"ReportBatchItemFailures"} })()
		time.Sleep(time.Minute)
		r.want("r1 r2 r3 r2 r3")
	})
}

// As recorded from AWS: what is left after a success of the first records has all attempts.
func TestPartOfABatchThatFailedHasAllOfItsAttempts(t *testing.T) {
	for _, bisect := range []bool{false, true} {
		inBubble(t, func(t *testing.T, r *river, b *bank) {
			r.play = func(*riverEvent) (string, bool) {
				return `{"batchItemFailures":[{"itemIdentifier":"000003"}]}`, false
			}
			r.put("a", "r1", "r2", "r3")
			defer b.flow(t, r, func(m *registry.Mapping) {
				m.FunctionResponseTypes, m.BisectBatchOnFunctionError = []string{"ReportBatchItemFailures"}, &bisect
				m.MaximumRetryAttempts, m.OnFailure = ptr(3), "arn:aws:sqs:us-east-1:000000000000:dead"
			})()
			time.Sleep(time.Minute)
			r.want("r1 r2 r3 r3 r3 r3 r3")
			if told := r.told(); len(told) != 1 || !strings.Contains(told[0], `"approximateInvokeCount":4`) {
				t.Errorf("told was %s", told)
			}
		})
	}
}

func TestRecordsThatAreTooOldAreGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		r.put("a", "old")
		time.Sleep(2 * time.Minute)
		r.put("a", "new")
		defer b.flow(t, r, func(m *registry.Mapping) {
			m.MaximumRecordAgeInSeconds, m.OnFailure = ptr(60), "arn:aws:sqs:us-east-1:000000000000:dead"
		})()
		time.Sleep(5 * time.Second)
		r.want("new")
		if told := r.told(); len(told) != 1 || !strings.Contains(told[0], `"condition":"RecordAgeExceeded","approximateInvokeCount":1}`) || strings.Contains(told[0], "responseContext") {
			t.Errorf("told was %s", told)
		}
	})
}

func TestLanesKeepTheOrderOfEachKey(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		var want []string
		for n := range 20 {
			for _, key := range []string{"a", "b", "c", "d", "e"} {
				r.put("a", fmt.Sprintf("%s%02d", key, n))
			}
			want = append(want, fmt.Sprintf("%02d", n))
		}
		stop := b.flow(t, r, func(m *registry.Mapping) { m.ParallelizationFactor, m.BatchSize = ptr(4), ptr(5) })
		time.Sleep(time.Minute)
		stop()
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			var order []string
			for _, text := range strings.Fields(r.got()) {
				if text[:1] == key {
					order = append(order, text[1:])
				}
			}
			if !slices.Equal(order, want) {
				t.Errorf("of key %s the order was %s", key, order)
			}
		}
		if r.most < 2 || r.most > 4 {
			t.Errorf("%d batches ran at once", r.most)
		}
		r.put("a", "z1")
		before := r.got()
		defer b.flow(t, r, nil)()
		time.Sleep(5 * time.Second)
		r.want(before + " z1")
	})
}

func TestTumblingWindowsCarryTheirState(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		r.play = func(e *riverEvent) (string, bool) {
			return fmt.Sprintf(`{"state":{"n":%d}}`, e.State["n"]+len(e.Records)), false
		}
		windows := func(m *registry.Mapping) { m.TumblingWindowInSeconds = ptr(30) }
		r.put("a", "r1", "r2")
		stop := b.flow(t, r, windows)
		time.Sleep(10 * time.Second)
		stop() // the state outlives this
		r.put("a", "r3")
		defer b.flow(t, r, windows)()
		time.Sleep(10 * time.Second)
		r.want("r1 r2 r3")
		time.Sleep(15 * time.Second)
		last := r.last()
		if !last.Final || last.State["n"] != 3 || len(last.Records) != 0 {
			t.Errorf("the window ended with %+v", last)
		}
		start, err := time.Parse(time.RFC3339, last.Window.Start)
		if err != nil || start.Unix()%30 != 0 || last.Window.End != start.Add(30*time.Second).Format("2006-01-02T15:04:05Z") {
			t.Errorf("the window was %+v, %v", last.Window, err)
		}
		r.put("a", "r4")
		time.Sleep(5 * time.Second)
		if last := r.last(); last.Final || last.State["n"] != 0 {
			t.Errorf("the next window began with %+v", last)
		}
	})
}

func TestReadersShareShardsAndTakeThemOver(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		shards := []string{"a", "b", "c", "d"}
		put := func(text string) {
			for _, shard := range shards {
				r.put(shard, shard+text)
			}
		}
		held := func(s *stream) int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.running)
		}
		put("1")
		one, stopOne := b.read(t, r, nil)
		time.Sleep(6 * time.Second)
		two, stopTwo := b.read(t, r, nil)
		if held(one) != 4 {
			t.Errorf("one alone reads %d shards", held(one))
		}
		time.Sleep(20 * time.Second)
		if held(one) != 2 || held(two) != 2 {
			t.Errorf("two read %d and %d shards", held(one), held(two))
		}
		put("2")
		time.Sleep(6 * time.Second)
		stopOne() // it gives its shards back
		time.Sleep(12 * time.Second)
		if held(two) != 4 {
			t.Errorf("the other reads %d shards", held(two))
		}
		put("3")
		time.Sleep(6 * time.Second)
		stopTwo()
		got := strings.Fields(r.got())
		slices.Sort(got)
		if s := strings.Join(got, " "); s != "a1 a2 a3 b1 b2 b3 c1 c2 c3 d1 d2 d3" {
			t.Errorf("the function got %s", s)
		}
	})
}

func TestReadingFromNowOnOutlivesARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, r *river, b *bank) {
		latest := func(m *registry.Mapping) { m.StartingPosition = "LATEST" }
		r.put("a", "old")
		time.Sleep(5 * time.Second)
		stop := b.flow(t, r, latest)
		time.Sleep(5 * time.Second)
		stop()
		time.Sleep(5 * time.Second)
		r.put("a", "meanwhile")
		stop = b.flow(t, r, latest)
		time.Sleep(5 * time.Second)
		r.want("meanwhile")
		stop()
		// A child that came while nobody read is read whole.
		r.put("a", "last")
		r.mu.Lock()
		r.ended["a"] = true
		r.mu.Unlock()
		stop = b.flow(t, r, latest)
		time.Sleep(5 * time.Second)
		stop()
		r.put("b", "child")
		r.mu.Lock()
		r.parent["b"] = "a"
		r.mu.Unlock()
		defer b.flow(t, r, latest)()
		time.Sleep(5 * time.Second)
		r.want("meanwhile last child")
	})
}
