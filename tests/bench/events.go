package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	eventsPath        = "/events/take" // its last part names the function
	eventSize         = 1024
	eventsConnections = 64
	eventsWanted      = 8000 // a second, unless half of what the disk allows is less
)

func eventScenarios(m machine, s settings) []scenario {
	return []scenario{acceptScenario(m, s, "events accepted", true), acceptScenario(m, s, "events accepted and delivered", false), latencyScenario(m), manyScenario(m)}
}

// newEventStage is a server of its own with a function that takes events, so that its
// queue and its limits are not those of other scenarios.
func newEventStage(ctx context.Context, shared *stage, m machine, async string) (_ *stage, err error) {
	own := &stage{caddy: shared.caddy, options: shared.options, address: map[stack]string{}, roots: map[stack][]int{}}
	if own.folder, err = os.MkdirTemp(shared.folder, eventsGroup); err != nil {
		return nil, err
	}
	if err := os.CopyFS(own.folder, assets); err != nil {
		return nil, err
	}
	if err := own.startEvents(ctx, m, async); err != nil {
		own.close()
		return nil, err
	}
	return own, nil
}

func (s *stage) startEvents(ctx context.Context, m machine, async string) error {
	f := function{"take", m.nodeRuntime(), "index.handler", "events", 1, false}
	global, site := s.hearthBlocks([]function{f})
	global = strings.Replace(global, "\thearth {\n", "\thearth {\n\t\tasync {\n"+async+"\t\t}\n", 1)
	for _, source := range []string{"generic", "cloudevents"} {
		path := eventsPath
		if source != "generic" {
			path = "/" + source + "/*"
		}
		site += fmt.Sprintf("\treceive %s %s {\n\t\ttoken bench\n\t}\n", path, source)
	}
	return s.startCaddy(ctx, s.caddy, hearthStack, global, site+"\trespond /ready ok\n\tmetrics /metrics\n", "/ready", "ok")
}

// waitingAsync has a server keep events: the one that runs lasts longer than the
// measurement.
const waitingAsync = "\t\t\tper_function 1\n\t\t\tconcurrency 1\n\t\t\tmax_waiting 10000000\n"

// deliveringAsync lets as many run as may by default.
const deliveringAsync = "\t\t\tmax_waiting 10000000\n"

// acceptScenario measures how many events a second are accepted, each answered when it
// would survive a crash, beside what the disk allows with one sync for as many events as
// share a commit of the server.
func acceptScenario(m machine, s settings, name string, waiting bool) scenario {
	return scenario{name: name, group: eventsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		async := deliveringAsync
		if waiting {
			async = waitingAsync
		}
		own, err := newEventStage(ctx, shared, m, async)
		if err != nil {
			return nil, err
		}
		defer own.close()
		if err := sendEvent(ctx, own, fmt.Sprintf(`{"ms":%d}`, map[bool]int{true: 25000, false: 0}[waiting])); err != nil {
			return nil, err
		}
		var perSecond, disk, share, batches, p99, cpu, delivered []float64
		failures := 0
		for range s.rounds {
			ranBefore, err := eventsRun(ctx, own)
			if err != nil {
				return nil, err
			}
			before, err := commitsOf(own)
			if err != nil {
				return nil, err
			}
			got, err := load(ctx, own, hearthStack, eventsPath, eventsConnections, time.Duration(s.seconds)*time.Second, "--script", own.asset("events.lua"))
			if err != nil {
				return nil, err
			}
			after, err := commitsOf(own)
			if err != nil {
				return nil, err
			}
			ranAfter, err := eventsRun(ctx, own)
			if err != nil {
				return nil, err
			}
			delivered = append(delivered, (ranAfter-ranBefore)*got.PerSec/float64(got.Requests))
			// With delivery the ends of events share the commits.
			batch := max(1, float64(got.Requests)/float64(max(1, after-before)))
			allowed, err := diskAllows(ctx, own.folder, batch, 2*time.Second)
			if err != nil {
				return nil, err
			}
			failures += got.Failures
			perSecond, disk, batches = append(perSecond, got.PerSec), append(disk, allowed), append(batches, batch)
			share, p99 = append(share, got.PerSec/allowed), append(p99, milliseconds(got.P99))
			cpu = append(cpu, float64(got.CPU)/float64(time.Microsecond))
		}
		figures := []figure{
			{name, "failures", float64(failures)},
			{name, "events/s", median(perSecond)},
			{name, "the disk allows, events/s", median(disk)},
			{name, "share of what the disk allows", median(share)},
			{name, "events of a commit", median(batches)},
			{name, "p99, ms", median(p99)},
			{name, "CPU of the server and its functions, us/event", median(cpu)},
		}
		if !waiting {
			figures = append(figures, figure{name, "delivered/s meanwhile", median(delivered)})
		}
		return figures, nil
	}}
}

// eventsRun is how many events a server has handed to functions.
func eventsRun(ctx context.Context, s *stage) (float64, error) {
	return metricOf(ctx, s, `hearth_async_event_age_seconds_count{function="take"}`)
}

// metricOf is the value of a metric, 0 before there is one.
func metricOf(ctx context.Context, s *stage, name string) (float64, error) {
	metrics := call(ctx, http.DefaultClient, s.address[hearthStack]+"/metrics")
	if metrics.err != nil {
		return 0, metrics.err
	}
	_, rest, found := strings.Cut(metrics.body, "\n"+name+" ")
	if !found {
		return 0, nil // none yet
	}
	count, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseFloat(count, 64)
}

func sendEvent(ctx context.Context, s *stage, body string) error {
	return post(ctx, http.DefaultClient, s.address[hearthStack]+eventsPath, "application/json", []byte(body))
}

// commitsOf is how many transactions a server's queue has committed: bbolt numbers them
// in the heads of its file, of which the newer one counts.
func commitsOf(s *stage) (uint64, error) {
	file, err := os.Open(filepath.Join(s.folder, "data", "state.db"))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	const numberAt = 64
	var newest uint64
	for head := range int64(2) {
		var number [8]byte
		if _, err := file.ReadAt(number[:], head*int64(os.Getpagesize())+numberAt); err != nil {
			return 0, err
		}
		newest = max(newest, binary.NativeEndian.Uint64(number[:]))
	}
	return newest, nil
}

// diskAllows is how many events a second a file in folder takes that is written and
// synced in batches, and does nothing else.
func diskAllows(ctx context.Context, folder string, batch float64, length time.Duration) (float64, error) {
	file, err := os.CreateTemp(folder, "disk")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	text := make([]byte, int(batch*eventSize))
	began, batches := time.Now(), 0
	for time.Since(began) < length && ctx.Err() == nil {
		if _, err := file.Write(text); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			return 0, err
		}
		batches++
	}
	return float64(batches) * batch / time.Since(began).Seconds(), ctx.Err()
}
