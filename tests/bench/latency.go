package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	latencyEvents = 300
	// latencyPause lies between events: the one before has been delivered and forgotten.
	latencyPause = 15 * time.Millisecond
)

// latencyScenario sends events one at a time to a function with an idle environment,
// which notes how long after the sender's request it began.
func latencyScenario(m machine) scenario {
	const name = "event latency"
	return scenario{name: name, group: eventsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		own, err := newEventStage(ctx, shared, m, deliveringAsync)
		if err != nil {
			return nil, err
		}
		defer own.close()
		client := newClient(1)
		defer client.CloseIdleConnections()
		url := own.address[hearthStack] + eventsPath
		// The first ones start the environment and warm it up; they have no time to note.
		for range 50 {
			if err := post(ctx, client, url, "application/json", []byte(`{}`)); err != nil {
				return nil, err
			}
		}
		if err := wait(ctx, time.Second); err != nil {
			return nil, err
		}
		var answered []time.Duration
		for range latencyEvents {
			if err := wait(ctx, latencyPause); err != nil {
				return nil, err
			}
			began, now := time.Now(), unix.Timespec{}
			// Not time.Now: the function reads this clock more finely than the wall's.
			if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
				return nil, err
			}
			if err := post(ctx, client, url, "application/json", fmt.Appendf(nil, `{"sent":"%d"}`, now.Nano())); err != nil {
				return nil, err
			}
			answered = append(answered, time.Since(began))
		}
		waits, err := eventWaits(ctx, own)
		if err != nil {
			return nil, err
		}
		return []figure{
			{name, "request to the function's start, p50, ms", milliseconds(median(waits))},
			{name, "request to the function's start, p99, ms", milliseconds(percentile(waits, 99))},
			{name, "request to answer, p50, ms", milliseconds(median(answered))},
			{name, "request to answer, p99, ms", milliseconds(percentile(answered, 99))},
		}, nil
	}}
}

// eventWaits asks the function what it noted, until it has all events.
func eventWaits(ctx context.Context, own *stage) ([]time.Duration, error) {
	client := newClient(1)
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		noted := call(ctx, client, own.address[hearthStack]+"/take/take")
		if noted.err != nil {
			return nil, noted.err
		}
		var waits []time.Duration
		if err := json.Unmarshal([]byte(noted.body), &waits); err != nil {
			return nil, fmt.Errorf("what the function noted: %w", err)
		}
		if len(waits) >= latencyEvents {
			return waits, nil
		}
		if err := wait(ctx, latencyPause); err != nil {
			return nil, fmt.Errorf("%d of %d events were delivered: %w", len(waits), latencyEvents, err)
		}
	}
}
