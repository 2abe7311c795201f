package subscription

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLoopsAreFoundThroughOthers(t *testing.T) {
	groupOf := func(arn string) string { return strings.TrimPrefix(arn, "logs to ") }
	filters := []*Filter{{Group: "a", To: "logs to b"}, {Group: "b", To: "logs to c"}, {Group: "d", To: "logs to d"}}
	if loops(filters, "a", groupOf) || loops(filters, "b", groupOf) {
		t.Error("filters loop that do not")
	}
	if !loops(filters, "d", groupOf) || !loops(append(filters, &Filter{Group: "c", To: "logs to a"}), "c", groupOf) {
		t.Error("a loop is not found")
	}
}

func TestABatchOfWhatDoesNotCompressFitsIntoAnAsynchronousEvent(t *testing.T) {
	var b batch
	random := rand.NewChaCha8([32]byte{1})
	line := make([]byte, 200<<10)
	for {
		_, _ = random.Read(line)
		for i := range line { // one byte in UTF-8
			line[i] = line[i]%95 + ' '
		}
		if b.full(string(line)) {
			break
		}
		b.add(&logs.Event{Stream: "s", Time: time.Now()}, string(line))
	}
	payloads, err := b.payloads(&Filter{Name: "n", Group: "g"}, "000000000000")
	if err != nil || len(payloads) != 1 || len(payloads[0]) > 1<<20 {
		t.Errorf("%d payloads of %d bytes, %v", len(payloads), len(payloads[0]), err)
	}
}

// A receiver is a function. It fails when it is told to.
type receiver struct {
	mu    sync.Mutex
	fails bool
	got   []string
	wake  chan struct{}
}

func (r *receiver) dispatch(_ context.Context, d *bus.Dispatch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails {
		return errors.New("full")
	}
	var event struct {
		AWSLogs struct{ Data []byte } `json:"awslogs"`
	}
	var m message
	err := json.Unmarshal(d.Payload, &event)
	if err == nil {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(event.AWSLogs.Data)); err == nil {
			err = json.NewDecoder(z).Decode(&m)
		}
	}
	for _, e := range m.LogEvents {
		r.got = append(r.got, e.Message)
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return err
}

func (r *receiver) await(t *testing.T, n int) []string {
	t.Helper()
	for {
		r.mu.Lock()
		got := r.got
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-r.wake:
		case <-time.After(time.Minute):
			t.Fatalf("got %q", got)
		}
	}
}

func TestANodeThatStartsAgainGoesOnBehindWhatItHasSent(t *testing.T) {
	records, err := boltstore.Open(boltstore.Config{Path: t.TempDir() + "/state"})
	check(t, err)
	defer records.Close()
	store, err := logs.Open(logs.Config{Dir: t.TempDir()}, zap.NewNop())
	check(t, err)
	defer store.Close()
	group, err := store.Named("g")
	check(t, err)
	check(t, group.Create(nil, time.Now()))
	check(t, group.CreateStream(t.Context(), "s", time.Now()))
	put := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			check(t, group.Put(t.Context(), "s", []logs.Message{{Time: time.Now().Add(-time.Hour), Text: []byte(text)}}))
		}
	}
	r := &receiver{wake: make(chan struct{}, 1)}
	c := Config{
		Store: NewStore(document.New(records)), Logs: store, Dir: t.TempDir(), Dispatch: r.dispatch, Log: zap.NewNop(),
		Account: func() (function.Account, bool) { return function.DefaultAccount, true },
		GroupOf: func(context.Context, string) string { return "" },
	}
	put("before")
	n, err := NewNode(c)
	check(t, err)
	check(t, c.Store.Put(t.Context(), Filter{Name: "f", Group: "g", Pattern: "yes"}, func(string) string { return "" },
		func(id string) error { return n.Begin(t.Context(), group, id) }))
	put("yes 1", "no", "yes 2")
	r.await(t, 2)
	r.mu.Lock()
	r.fails = true
	r.mu.Unlock()
	put("yes 3")
	n.Close()
	put("yes 4")
	r.fails = false
	n, err = NewNode(c)
	check(t, err)
	defer n.Close()
	if got := strings.Join(r.await(t, 4), ","); got != "yes 1,yes 2,yes 3,yes 4" {
		t.Errorf("got %s", got)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
