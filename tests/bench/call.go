package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// outcome is one call as its caller saw it.
type outcome struct {
	took time.Duration
	body string
	err  error // also for an answer other than 200
}

func call(ctx context.Context, client *http.Client, url string) outcome {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return outcome{err: err}
	}
	start := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return outcome{took: time.Since(start), err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", url, response.Status, body)
	}
	return outcome{took: time.Since(start), body: string(body), err: err}
}

// burst makes n calls at the same time and returns all of them.
func burst(ctx context.Context, url string, n int) []outcome {
	client := newClient(n)
	defer client.CloseIdleConnections()
	outcomes := make([]outcome, n)
	var all sync.WaitGroup
	for i := range outcomes {
		all.Go(func() { outcomes[i] = call(ctx, client, url) })
	}
	all.Wait()
	return outcomes
}

// repeat makes one call after another until stop, which waits for the last one and
// returns all of them.
func repeat(ctx context.Context, url string) (stop func() []outcome) {
	var (
		outcomes []outcome
		quit     = make(chan struct{})
		done     = make(chan struct{})
	)
	go func() {
		defer close(done)
		client := newClient(1)
		defer client.CloseIdleConnections()
		for ctx.Err() == nil {
			select {
			case <-quit:
				return
			default:
			}
			c := call(ctx, client, url)
			outcomes = append(outcomes, c)
			if c.err != nil {
				return // one failure is reported; a loop of them would only be noise
			}
		}
	}()
	return func() []outcome {
		close(quit)
		<-done
		return outcomes
	}
}
