package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	manyEvents = 1_000_000
	manyBatch  = 100
	manyAtOnce = 8
	manySize   = 600 // bytes of an event, about
)

// manyScenario has a million events wait, sent in batches, and restarts the server over
// them: in order, and after it was killed.
func manyScenario(m machine) scenario {
	const name = "a million events"
	return scenario{name: name, group: eventsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		own, err := newEventStage(ctx, shared, m, waitingAsync)
		if err != nil {
			return nil, err
		}
		defer own.close()
		if err := sendEvent(ctx, own, `{"ms":25000}`); err != nil {
			return nil, err
		}
		// Anonymous memory: pages of the queue's file that are mapped are the kernel's to
		// take away, and count apart.
		before, _, err := memoryOf(own.servers[0].pid())
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := sendMany(ctx, own, 0, manyEvents/10); err != nil {
			return nil, err
		}
		tenth, _, err := memoryOf(own.servers[0].pid())
		if err != nil {
			return nil, err
		}
		if err := sendMany(ctx, own, manyEvents/10, manyEvents); err != nil {
			return nil, err
		}
		sent := time.Since(began)
		loaded, mapped, err := memoryOf(own.servers[0].pid())
		if err != nil {
			return nil, err
		}
		after, err := own.settledMemory(ctx)
		if err != nil {
			return nil, err
		}
		figures := []figure{
			{name, "events/s, sent in batches of " + strconv.Itoa(manyBatch), manyEvents / sent.Seconds()},
			{name, "memory before, MB", before},
			{name, "memory with a tenth waiting, MB", tenth},
			{name, "memory under load, all waiting, MB", loaded},
			{name, "memory growth once idle, MB", after - before},
			{name, "pages of the file mapped, MB", mapped},
		}
		for _, end := range []struct {
			name string
			with syscall.Signal
		}{{"restart", syscall.SIGTERM}, {"restart after a kill", syscall.SIGKILL}} {
			took, memory, err := own.restartEvents(ctx, m, end.with)
			if err != nil {
				return nil, err
			}
			figures = append(figures,
				figure{name, end.name + ", start to the first answer, ms", milliseconds(took)},
				figure{name, end.name + ", memory growth, MB", memory - before})
		}
		return figures, nil
	}}
}

// sendMany sends events as batches of CloudEvents, each with a name of its own, which the
// server remembers to know it again.
func sendMany(ctx context.Context, own *stage, from, to int) error {
	client := newClient(manyAtOnce)
	defer client.CloseIdleConnections()
	text := strings.Repeat("0123456789abcdef", manySize/16-8)
	var next atomic.Int64
	next.Store(int64(from))
	var all sync.WaitGroup
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for range manyAtOnce {
		all.Go(func() {
			for ctx.Err() == nil {
				first := next.Add(manyBatch) - manyBatch
				if first >= int64(to) {
					return
				}
				var batch bytes.Buffer
				for i := range manyBatch {
					fmt.Fprintf(&batch, `%c{"specversion":"1.0","id":"%d","source":"bench","type":"bench","data":{"text":%q}}`,
						"[,"[min(i, 1)], first+int64(i), text)
				}
				batch.WriteByte(']')
				if err := post(ctx, client, own.address[hearthStack]+"/cloudevents/take", "application/cloudevents-batch+json", batch.Bytes()); err != nil {
					stop(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// settledMemory is what the server still holds when it has nothing to do and has
// collected its garbage, which it does by itself within minutes and is asked for here.
func (s *stage) settledMemory(ctx context.Context) (float64, error) {
	admin := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.folder, string(hearthStack)+".sock"))
	}}}
	// The second collection frees what the first one found in pools.
	for range 2 {
		if collected := call(ctx, admin, "http://localhost/debug/pprof/heap?gc=1"); collected.err != nil {
			return 0, collected.err
		}
	}
	// Go gives memory back to the system little by little.
	if err := wait(ctx, 10*time.Second); err != nil {
		return 0, err
	}
	memory, _, err := memoryOf(s.servers[0].pid())
	return memory, err
}

// restartEvents ends the server by a signal and starts it again over the same data.
func (s *stage) restartEvents(ctx context.Context, m machine, by syscall.Signal) (took time.Duration, memory float64, err error) {
	old := s.servers[0]
	if by == syscall.SIGKILL {
		_ = old.command.Process.Kill()
		<-old.exited
	}
	old.stop()
	s.servers, s.roots = nil, map[stack][]int{}
	began := time.Now()
	if err := s.startEvents(ctx, m, waitingAsync); err != nil {
		return 0, 0, err
	}
	took = time.Since(began)
	memory, _, err = memoryOf(s.servers[0].pid())
	return took, memory, err
}

// memoryOf is the resident memory of a process in MB: its own, and that of files.
func memoryOf(pid int) (own, files float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		var to *float64
		switch name {
		case "RssAnon":
			to = &own
		case "RssFile":
			to = &files
		default:
			continue
		}
		kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return 0, 0, err
		}
		*to = kilobytes / 1024
	}
	return own, files, nil
}
