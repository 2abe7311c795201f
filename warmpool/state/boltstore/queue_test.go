package boltstore_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
	"github.com/hearthfn/hearth/warmpool/state/statetest"
)

// clock is a time that passes when a test says so.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time           { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration)  { c.nanos.Add(int64(d)) }
func (c *clock) config() boltstore.Config { return boltstore.Config{Now: c.now} }
func (c *clock) at(path string) boltstore.Config {
	return boltstore.Config{Now: c.now, Path: path}
}

func TestQueueHoldsTheContract(t *testing.T) {
	statetest.Queue(t, func(t *testing.T) (statetest.QueueStore, func(time.Duration)) {
		c := newClock()
		return open(t, c.config()), c.advance
	})
}

func TestSlotsHoldTheContract(t *testing.T) {
	statetest.Slots(t, func(t *testing.T) (state.Slots, func(time.Duration)) {
		c := newClock()
		return open(t, c.config()), c.advance
	})
}

func TestCountersHoldTheContract(t *testing.T) {
	statetest.Counters(t, func(t *testing.T) (state.Counters, func() time.Time, func(time.Duration)) {
		c := newClock()
		return open(t, c.config()), c.now, c.advance
	})
}

func TestCountersOutliveClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	for _, want := range []int64{3, 2, 0} {
		s := open(t, boltstore.Config{Path: path})
		got, _, err := s.Draw(t.Context(), state.Draw{Name: "c", Count: 3, Limit: 5, Until: time.Now().Add(time.Hour)})
		if err != nil || got != want {
			t.Errorf("%d, %v, want %d", got, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQueueOutlivesCloseAndItsLeasesDoNot(t *testing.T) {
	c := newClock()
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, c.at(path))
	for _, group := range []string{"a", "b"} {
		for i := range 3 {
			if _, err := s.Push(t.Context(), group, state.Item{Body: []byte(fmt.Sprint(group, i))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	before, _, err := s.Lease(t.Context(), state.Want{Max: 6, For: time.Hour})
	if err != nil || len(before) != 6 {
		t.Fatal(len(before), err)
	}
	for _, l := range before {
		switch string(l.Body) {
		case "a0":
			err = s.Done(t.Context(), l)
		case "a1":
			err = s.Bury(t.Context(), l)
		case "b0":
			l.At, l.Attempts = c.now().Add(time.Minute), 1
			err = s.Retry(t.Context(), l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, c.at(path))
	after, next, err := s.Lease(t.Context(), state.Want{Max: 9, For: time.Hour})
	if err != nil || len(after) != 3 || !next.Equal(c.now().Add(time.Minute)) {
		t.Fatalf("%d leases, next at %v, %v", len(after), next, err)
	}
	for _, l := range after {
		if l.Token <= before[len(before)-1].Token {
			t.Errorf("token %d does not grow over a restart", l.Token)
		}
	}
	for _, l := range before {
		if s.Done(t.Context(), l) == nil {
			t.Errorf("a lease of %s outlived its process", l.Body)
		}
	}
	stats, err := s.Groups(t.Context(), "", 9)
	if err != nil || len(stats) != 2 || stats[0].Buried != 1 || stats[0].Waiting != 1 || stats[1].Waiting != 3 {
		t.Errorf("%+v, %v", stats, err)
	}
	ids, err := s.Push(t.Context(), "a", state.Item{})
	if err != nil || ids[0] <= before[len(before)-1].ID {
		t.Errorf("ID %v, %v: reused?", ids, err)
	}
}

// BenchmarkPush is what one caller of 64 sees: 1 KB, kept.
func BenchmarkPush(b *testing.B) {
	s := openFor(b, filepath.Join(b.TempDir(), "state.db"))
	body := make([]byte, 1024)
	b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Push(b.Context(), "function/thumb", state.Item{Body: body}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
}

// BenchmarkPushAlone is the latency of a caller without company.
func BenchmarkPushAlone(b *testing.B) {
	s := openFor(b, filepath.Join(b.TempDir(), "state.db"))
	body := make([]byte, 1024)
	for b.Loop() {
		if _, err := s.Push(b.Context(), "function/thumb", state.Item{Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkThrough pushes, leases and ends entries of 20 groups side by side.
func BenchmarkThrough(b *testing.B) {
	s := openFor(b, filepath.Join(b.TempDir(), "state.db"))
	body := make([]byte, 1024)
	var group sync.WaitGroup
	var pushed, done atomic.Int64
	for range 64 {
		group.Go(func() {
			for {
				n := pushed.Add(1)
				if n > int64(b.N) {
					return
				}
				if _, err := s.Push(b.Context(), fmt.Sprint("function/", n%20), state.Item{Body: body}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work := make(chan state.Lease, 64)
	for range 64 {
		group.Go(func() {
			for l := range work {
				if err := s.Done(b.Context(), l); err != nil {
					b.Error(err)
				}
				done.Add(1)
			}
		})
	}
	ready, err := s.Ready(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for leased := 0; leased < b.N; {
		leases, _, err := s.Lease(b.Context(), state.Want{Max: 64, For: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		for _, l := range leases {
			work <- l
		}
		if leased += len(leases); len(leases) == 0 {
			<-ready
		}
	}
	close(work)
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkMillion keeps a million entries of 1 KB: how long it takes to open
// them after Close and after a crash, and how much memory they take. Closing
// mends the crashed file, so it means something with -benchtime 1x.
func BenchmarkMillion(b *testing.B) {
	const entries = 1_000_000
	path := filepath.Join(b.TempDir(), "state.db")
	s := openFor(b, path)
	before := heap()
	items := make([]state.Item, state.MaxItems)
	for i := range items {
		items[i].Body = make([]byte, 1024)
	}
	for pushed := 0; pushed < entries; pushed += len(items) {
		if _, err := s.Push(b.Context(), fmt.Sprint("function/", pushed%10), items...); err != nil {
			b.Fatal(err)
		}
	}
	grown := heap() - before
	// The file as a crash would leave it; nothing is written meanwhile.
	crashed := path + ".crashed"
	copyFile(b, path, crashed)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for unit, path := range map[string]string{"s/open": path, "s/open_crashed": crashed} {
			start := time.Now()
			s, err := boltstore.Open(boltstore.Config{Path: path})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(start).Seconds(), unit)
			leases, _, err := s.Lease(b.Context(), state.Want{Max: 100, For: time.Hour})
			if err != nil || len(leases) != 100 {
				b.Fatal(len(leases), err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(grown)/(1<<20), "MB_heap")
}

func copyFile(b *testing.B, from, to string) {
	b.Helper()
	source, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		b.Fatal(err)
	}
	_, err = io.Copy(target, source)
	if err := errors.Join(err, target.Close()); err != nil {
		b.Fatal(err)
	}
}

func openFor(b *testing.B, path string) *boltstore.Store {
	b.Helper()
	s, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
