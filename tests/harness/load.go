package harness

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// WantGap fails if there was a time without any answer.
func (l *Load) WantGap(t *testing.T, most time.Duration) {
	t.Helper()
	l.End()
	longest, last := time.Duration(0), time.Time{}
	for _, one := range l.Done {
		if !last.IsZero() {
			longest = max(longest, one.Ended.Sub(last))
		}
		last = one.Ended
	}
	if longest > most {
		t.Errorf("for %s there was no answer", longest)
	}
}

// A Loaded is one request of a load, and its answer.
type Loaded struct {
	Node         *API
	Began, Ended time.Time
	Response
	Err error
}

func (l Loaded) String() string { return fmt.Sprintf("%d %.200s %v", l.Status, l.Body, l.Err) }

// A Load is callers who ask nodes again and again.
type Load struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu   sync.Mutex
	Done []Loaded // guarded by mu
}

// Load begins with so many callers of each node.
func (c *Cluster) Load(callers int, path string, nodes ...*API) *Load {
	ctx, stop := context.WithCancel(context.Background())
	l := &Load{stop: stop}
	patient := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	c.T.Cleanup(patient.CloseIdleConnections)
	c.T.Cleanup(l.End)
	for _, node := range nodes {
		for range callers {
			l.all.Go(func() {
				for ctx.Err() == nil {
					one := Loaded{Node: node, Began: time.Now()}
					one.Response, one.Err = tryWith(patient, node.Request("GET", path, nil))
					one.Ended = time.Now()
					l.mu.Lock()
					l.Done = append(l.Done, one)
					l.mu.Unlock()
					time.Sleep(3 * time.Millisecond) // the nodes need the cores more
				}
			})
		}
	}
	return l
}

// Sofar are the requests that were answered until now.
func (l *Load) Sofar() []Loaded {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Done[:len(l.Done):len(l.Done)]
}

func (l *Load) End() { l.stop(); l.all.Wait() }

// Runs waits until so many more calls that begin from now on have been answered.
func (l *Load) Runs(t *testing.T, more int) {
	t.Helper()
	now := time.Now()
	Eventually(t, fmt.Sprintf("%d calls are answered", more), func() bool {
		n := 0
		for _, one := range l.Sofar() {
			if one.Began.After(now) {
				n++
			}
		}
		return n >= more
	})
}

// WantAll ends the load and fails unless all of it was answered with status and text.
func (l *Load) WantAll(t *testing.T, status int, text string) {
	t.Helper()
	l.End()
	bad := 0
	for _, one := range l.Done {
		if one.Err != nil || one.Status != status || !strings.Contains(one.Body, text) {
			if bad++; bad <= 5 {
				t.Errorf("after %s: %v, want %d %q", one.Ended.Sub(one.Began), one, status, text)
			}
		}
	}
	t.Logf("%d calls, %d of them failed", len(l.Done), bad)
}
