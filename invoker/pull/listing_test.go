package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A shelf is a bucket, and the function that gets what becomes of it.
type shelf struct {
	Clients
	t *testing.T

	mu       sync.Mutex
	objects  map[string]string // ETags by key
	pageSize int
	lists    int
	told     map[string]string // ETags by key, as the function was told
	events   []string          // NAME KEY
	bad      string            // a key that the function refuses
	sent     []string
}

func newShelf(t *testing.T) *shelf {
	return &shelf{t: t, objects: map[string]string{}, told: map[string]string{}, pageSize: 1000}
}

func (s *shelf) S3(*registry.Mapping) Bucket { return s }

func (s *shelf) List(_ context.Context, bucket, prefix, after string) (page []Object, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	if bucket != "photos" {
		return nil, false, fmt.Errorf("no bucket %s", bucket)
	}
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if key <= after || !strings.HasPrefix(key, prefix) {
			continue
		}
		if len(page) == s.pageSize {
			return page, true, nil
		}
		page = append(page, Object{Key: key, ETag: s.objects[key], Size: 5, LastModified: time.Now()})
	}
	return page, false, nil
}

func (s *shelf) Invoke(_ context.Context, call *environment.Call) error {
	var e struct{ Records []s3Record }
	if err := json.Unmarshal(call.Frame[bytes.Index(call.Frame, []byte(`{"Records"`)):], &e); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	call.Version, call.Outcome, call.Payload = "$LATEST", environment.OutcomeResult, []byte("null")
	for _, r := range e.Records {
		key, err := url.QueryUnescape(r.S3.Object.Key)
		if err != nil {
			s.t.Error(err)
		}
		s.events = append(s.events, r.EventName+" "+key)
		switch {
		case s.bad != "" && key == s.bad:
			call.Payload = fmt.Appendf(nil, `{"batchItemFailures":[{"itemIdentifier":%q}]}`, r.S3.Object.Key)
		case r.EventName == "ObjectCreated:Put":
			s.told[key] = r.S3.Object.ETag
		default:
			delete(s.told, key)
		}
	}
	return nil
}

func (s *shelf) Send(_ context.Context, _ string, d *Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, string(d.Body))
	return nil
}

// take are the events since the last take.
func (s *shelf) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.events
	s.events = nil
	return all
}

// under are the objects whose keys begin with prefix.
func (s *shelf) under(prefix string) map[string]string {
	some := maps.Clone(s.objects)
	maps.DeleteFunc(some, func(key, _ string) bool { return !strings.HasPrefix(key, prefix) })
	return some
}

// A brittle store breaks now and then when a checkpoint is written, before it is or after.
type brittle struct {
	Store
	breaks func() bool
}

var errBroken = errors.New("broken")

func (b *brittle) Change(ctx context.Context, owner string, changes ...state.Change) (state.Revision, error) {
	if b.breaks() {
		return 0, errBroken
	}
	revision, err := b.Store.Change(ctx, owner, changes...)
	if err == nil && b.breaks() {
		return 0, errBroken
	}
	return revision, err
}

// lister is a listing of a bank.
func (b *bank) lister(t *testing.T, s *shelf, change func(m *registry.Mapping)) *listing {
	t.Helper()
	if b.Clients == nil {
		b.Clients = func() Clients { return s }
	}
	batcher := b.batcher(t, "arn:aws:s3:::photos/in/", change)
	l, err := newListing(batcher)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// checkChunks fails unless the checkpoint is whole: the keys of the bucket in their
// order, in chunks that are not too large, and nothing besides.
func (b *bank) checkChunks(t *testing.T, l *listing, want map[string]string) (chunks int) {
	t.Helper()
	got, last := make(map[string]string), ""
	for name := firstChunk; name != ""; chunks++ {
		c, err := readChunk(t.Context(), b.store, l.owner(), name)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.objects) > maxChunkKeys || c.bytes() > maxChunkBytes || (c.end == "") != (c.next == "") {
			t.Errorf("chunk %s has %d keys to %q, and %q behind it", name, len(c.objects), c.end, c.next)
		}
		for _, o := range c.objects {
			if o.key <= last || !c.has(o.key) {
				t.Errorf("key %q after %q in a chunk to %q", o.key, last, c.end)
			}
			last, got[o.key] = o.key, o.tag
		}
		last, name = max(last, c.end), c.next
	}
	if !maps.Equal(got, want) {
		t.Errorf("the checkpoint has %d keys, not the %d of the bucket", len(got), len(want))
	}
	kept, err := b.store.List(t.Context(), l.owner(), chunkPrefix, "", 1<<20)
	if err != nil || len(kept) > chunks || len(kept) < chunks-1 { // the first need not be there
		t.Errorf("%d chunks are kept, %d in use, %v", len(kept), chunks, err)
	}
	return chunks
}

// churn puts, changes and removes objects, and returns what is to be told.
func (s *shelf) churn(random *rand.Rand, prefix string, puts, removals int) (want []string) {
	before := maps.Clone(s.objects)
	for range removals {
		for key := range s.objects {
			delete(s.objects, key)
			break
		}
	}
	for range puts {
		// Some parts of the keys are crowded, as those that begin with a date are.
		folder := []string{"in/", "in/a b/", "in/ü+%", "in/ü+%/2026-", "other/", "in"}[random.IntN(6)]
		key := fmt.Sprintf("%s%04d~", folder, random.IntN(3000))
		s.objects[key] = fmt.Sprintf("tag%d", random.IntN(5))
	}
	for key, tag := range s.objects {
		if was, there := before[key]; strings.HasPrefix(key, prefix) && (!there || was != tag) {
			want = append(want, "ObjectCreated:Put "+key)
		}
	}
	for key := range before {
		if _, there := s.objects[key]; !there && strings.HasPrefix(key, prefix) {
			want = append(want, "ObjectRemoved:Delete "+key)
		}
	}
	slices.Sort(want)
	return want
}

func TestListingsTellWhatBecameOfABucket(t *testing.T) {
	s := newShelf(t)
	b := newBank(t, s)
	defer b.close()
	random := rand.New(rand.NewPCG(1, 2))
	most := 0
	for round := range 30 {
		l := b.lister(t, s, func(m *registry.Mapping) {
			m.StartingPosition, m.BatchSize = "TRIM_HORIZON", ptr(1+random.IntN(400))
		})
		s.pageSize = 1 + random.IntN(1000)
		puts, removals := random.IntN(200), random.IntN(200)
		switch {
		case round == 0:
			puts, removals = 9000, 0
		case round == 20:
			removals = 6000
		case round == 25:
			removals = 1 << 20 // all
		case round%10 == 5:
			puts = 3000
		}
		want := s.churn(random, "in/", puts, removals)
		if err := l.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := s.take()
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatalf("round %d: %d events, want %d", round, len(got), len(want))
		}
		here := s.under("in/")
		if !maps.Equal(s.told, here) {
			t.Fatalf("round %d: the function was told another thing than there is", round)
		}
		chunks := b.checkChunks(t, l, here)
		most = max(most, chunks)
		// The next one makes one of those that have become small.
		if err := l.list(t.Context()); err != nil || len(s.take()) != 0 {
			t.Errorf("round %d: nothing has happened, and then %v", round, err)
		}
		if chunks = b.checkChunks(t, l, here); chunks > 1+len(here)/(maxChunkKeys/4) {
			t.Errorf("round %d: %d keys are in %d chunks", round, len(here), chunks)
		}
	}
	if most < 6 {
		t.Errorf("there were %d chunks at most: too few to show anything", most)
	}
}

func TestListingsThatAreBrokenOffRepeatABatchAndLoseNone(t *testing.T) {
	s := newShelf(t)
	b := newBank(t, s)
	defer b.close()
	random := rand.New(rand.NewPCG(3, 4))
	b.Store = &brittle{b.store, func() bool { return random.IntN(8) == 0 }}
	crashes := 0
	for round := range 20 {
		puts, removals := random.IntN(500), random.IntN(300)
		if round == 0 {
			puts, removals = 9000, 0
		}
		want, broken := s.churn(random, "in/", puts, removals), 0
		const size = 100
		for {
			l := b.lister(t, s, func(m *registry.Mapping) { m.StartingPosition, m.BatchSize = "TRIM_HORIZON", ptr(size) })
			err := l.list(t.Context())
			if err == nil {
				b.checkChunks(t, l, s.under("in/"))
				break
			}
			if !errors.Is(err, errBroken) {
				t.Fatal(err)
			}
			broken++
		}
		got := s.take()
		all := len(got)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Fatalf("round %d: %d changes are told, want %d", round, len(got), len(want))
		}
		if again := all - len(want); again > broken*size {
			t.Errorf("round %d: %d events again after %d crashes", round, again, broken)
		}
		crashes += broken
	}
	if crashes < 10 {
		t.Errorf("only %d crashes", crashes)
	}
}

func TestTheFirstListingTellsWhatTheStartSays(t *testing.T) {
	then := time.Now()
	for start, want := range map[string]int{"": 0, "LATEST": 0, "TRIM_HORIZON": 3000, "AT_TIMESTAMP": 3000} {
		s := newShelf(t)
		b := newBank(t, s)
		for n := range 3000 {
			s.objects[fmt.Sprintf("in/%04d", n)] = "old"
		}
		// It may be broken off, too, and goes on.
		broken := false
		b.Store = &brittle{b.store, func() bool { broken = !broken; return broken && len(s.objects) == 3000 && s.lists < 8 }}
		l := b.lister(t, s, func(m *registry.Mapping) { m.StartingPosition = start })
		if start == "AT_TIMESTAMP" {
			l.mapping.StartingPositionTimestamp = &then
		}
		for l.list(t.Context()) != nil {
		}
		told := s.take()
		slices.Sort(told)
		if told = slices.Compact(told); len(told) != want {
			t.Errorf("start %q: %d events at first, want %d", start, len(told), want)
		}
		s.objects["in/0001"] = "new"
		s.objects["in/new"] = "new"
		delete(s.objects, "in/0002")
		if err := l.list(t.Context()); err != nil {
			t.Error(err)
		}
		if got := fmt.Sprint(s.take()); got != "[ObjectCreated:Put in/0001 ObjectRemoved:Delete in/0002 ObjectCreated:Put in/new]" {
			t.Errorf("start %q: then %s", start, got)
		}
		b.close()
	}
}

func TestAnObjectThatTheFunctionRefusesIsGivenUpAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		b := newBank(t, s)
		defer b.close()
		l := b.lister(t, s, func(m *registry.Mapping) {
			m.StartingPosition, m.MaximumRetryAttempts, m.OnFailure = "TRIM_HORIZON", ptr(2), "arn:aws:sqs:us-east-1:000000000000:dead"
			m.FunctionResponseTypes = []string{"ReportBatchItemFailures"}
			m.Filters = []string{`{"s3":{"object":{"key":[{"anything-but":{"suffix":".tmp"}}]}}}`}
		})
		for n := range 25 {
			s.objects[fmt.Sprintf("in/%02d", n)] = "tag"
		}
		s.objects["in/03.tmp"], s.bad = "tag", "in/05 ü"
		s.objects[s.bad] = "tag"
		for range 2 {
			if err := l.list(t.Context()); err != nil {
				t.Error(err)
			}
			b.checkChunks(t, l, s.objects)
		}
		if tried := slices.DeleteFunc(s.take(), func(e string) bool { return !strings.HasSuffix(e, s.bad) }); len(tried) != 4 { // once with others, and its three attempts
			t.Errorf("it was tried %d times", len(tried))
		}
		if len(s.told) != 25 {
			t.Errorf("%d were told, want 25", len(s.told))
		}
		if len(s.sent) != 1 || !strings.Contains(s.sent[0], `"keys":["in/05+%C3%BC"]`) || !strings.Contains(s.sent[0], `"condition":"RetryAttemptsExhausted"`) {
			t.Errorf("the destination got %s", s.sent)
		}
	})
}

// A liar says what no store should.
type liar struct {
	Clients
	page []Object
	more bool
}

func (l *liar) S3(*registry.Mapping) Bucket { return l }
func (l *liar) List(context.Context, string, string, string) ([]Object, bool, error) {
	return l.page, l.more, nil
}

func TestAStoreThatListsNonsenseRemovesNothing(t *testing.T) {
	s := newShelf(t)
	b := newBank(t, s)
	defer b.close()
	l := b.lister(t, s, nil)
	s.objects["in/a"] = "tag"
	if err := l.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, store := range map[string]*liar{
		"order":     {page: []Object{{Key: "in/c"}, {Key: "in/b"}}},
		"twice":     {page: []Object{{Key: "in/c"}, {Key: "in/c"}}},
		"others":    {page: []Object{{Key: "out/c"}}},
		"empty":     {more: true},
		"again":     {page: []Object{{Key: "in/a", ETag: "tag"}}, more: true},
		"too large": {page: []Object{{Key: "in/" + strings.Repeat("x", 2000)}}},
	} {
		b.Clients = func() Clients { return store }
		if err := l.list(t.Context()); err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
	b.checkChunks(t, l, s.objects)
	if told := s.take(); len(told) != 0 {
		t.Errorf("told were %s", told)
	}
}

func TestOneNodeListsAndAnotherTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		b := newBank(t, s)
		defer b.close()
		run := func() (stop func()) {
			l := b.lister(t, s, func(m *registry.Mapping) { m.Connection = &registry.Connection{Every: 10 * time.Second} })
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				if err := l.run(ctx); ctx.Err() == nil {
					t.Error(err)
				}
			}()
			return func() { cancel(); <-done }
		}
		first := run()
		time.Sleep(time.Second)
		second := run()
		time.Sleep(100 * time.Second)
		s.mu.Lock()
		if s.lists != 11 {
			t.Errorf("two nodes list %d times in 101 s, want 11", s.lists)
		}
		s.objects["in/a"] = "tag"
		s.mu.Unlock()
		first()
		time.Sleep(6 * time.Second)
		if got := fmt.Sprint(s.take()); got != "[ObjectCreated:Put in/a]" {
			t.Errorf("told is %s", got)
		}
		second()
	})
}

func TestWhatBucketsHaveNotIsRefused(t *testing.T) {
	for want, change := range map[string]func(m *registry.Mapping){
		"have not tumbling windows":         func(m *registry.Mapping) { m.TumblingWindowInSeconds = ptr(10) },
		"have not a parallelization factor": func(m *registry.Mapping) { m.ParallelizationFactor = ptr(2) },
		"have not a batch window":           func(m *registry.Mapping) { m.MaximumBatchingWindowInSeconds = ptr(1) },
		"have not a concurrency":            func(m *registry.Mapping) { m.MaximumConcurrency = ptr(2) },
		"have not a topic":                  func(m *registry.Mapping) { m.Topics = []string{"x"} },
		"have not a topic or a group":       func(m *registry.Mapping) { m.Connection = &registry.Connection{Group: "x"} },
		"1s is the least":                   func(m *registry.Mapping) { m.Connection = &registry.Connection{Every: 100 * time.Millisecond} },
		"leave the * out":                   func(m *registry.Mapping) { m.EventSourceArn = "arn:aws:s3:::photos/in/*" },
		"not the name of a bucket":          func(m *registry.Mapping) { m.EventSourceArn = "arn:aws:s3:::/in/" },
		"for buckets alone": func(m *registry.Mapping) {
			m.EventSourceArn, m.Connection = "arn:aws:sqs:us-east-1:000000000000:q", &registry.Connection{Every: time.Minute}
		},
		"S3 buckets (by listing) are polled": func(m *registry.Mapping) { m.EventSourceArn = "arn:aws:mq:us-east-1:000000000000:q" },
	} {
		m := registry.Mapping{EventSourceArn: "arn:aws:s3:::photos"}
		change(&m)
		if err := Check(&m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	m := registry.Mapping{EventSourceArn: "arn:aws:s3:::photos"}
	if err := Check(&m); err != nil || *m.BatchSize != 10 || m.StartingPosition != "LATEST" {
		t.Errorf("defaults are %+v, %v", m, err)
	}
}

// A warehouse is a bucket of more keys than anybody wants in memory.
type warehouse struct {
	Clients
	keys int
	tag  func(n int) string // "": it is not there
	heap uint64             // the most that was in use, in bytes
}

func (w *warehouse) S3(*registry.Mapping) Bucket { return w }

func (w *warehouse) List(_ context.Context, _, _, after string) (page []Object, more bool, err error) {
	from := 0
	if after != "" {
		if _, err := fmt.Sscanf(after, "in/%08d", &from); err != nil {
			return nil, false, err
		}
		from++
	}
	if from%50_000 == 0 {
		w.heap = max(w.heap, heapInUse())
	}
	for ; from < w.keys && len(page) < 1000; from++ {
		if tag := w.tag(from); tag != "" {
			page = append(page, Object{Key: fmt.Sprintf("in/%08d", from), ETag: tag})
		}
	}
	return page, from < w.keys, nil
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestALargeBucketNeedsLittleMemory(t *testing.T) {
	s := newShelf(t)
	b := newBank(t, s)
	defer b.close()
	w := &warehouse{keys: 300_000, tag: func(int) string { return "5d41402abc4b2a76b9719d911017c592" }}
	b.Clients = func() Clients { return w }
	l, first := b.lister(t, s, nil), heapInUse()
	if err := l.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	same := w.tag
	w.tag = func(n int) string {
		switch n % 1000 {
		case 17:
			return ""
		case 18:
			return "other"
		}
		return same(n)
	}
	if err := l.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told := len(s.take()); told != 600 {
		t.Errorf("%d changes are told, want 600", told)
	}
	if more := int64(w.heap) - int64(first); more > 8<<20 { // keys and ETags alone are 13 MB
		t.Errorf("%d MB more were in use than at first", more>>20)
	}
}
