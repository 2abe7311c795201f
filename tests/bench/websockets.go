package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// What WebSockets cost: idle ones their memory, and a message its time beside an HTTP call of
// the same function.
const (
	socketsIdle   = "websockets idle"
	socketsMemory = "memory of a socket, KB"
	socketsTrip   = "websockets round trip"
	socketsAdds   = "message over an HTTP call, p50, ms"

	socketsWanted   = 10_000
	socketsMessages = 2000 // in a round
	socketsQuiet    = 10 * time.Second
)

func socketScenarios(m machine, s settings) []scenario {
	return []scenario{socketsAtRest(m), socketsAtWork(m, s)}
}

// socketStage is a server with a WebSocket API, whose only function answers the messages.
func socketStage(ctx context.Context, shared *stage, m machine) (*stage, function, error) {
	f := function{name: "socket", runtime: m.nodeRuntime(), handler: "index.handler", code: "node", concurrency: 1}
	own := &stage{caddy: shared.caddy, address: map[stack]string{}, roots: map[stack][]int{}}
	own.site = "\twebsocket /websocket bench {\n\t\tdefault socket {\n\t\t\trespond\n\t\t}\n\t}\n"
	var err error
	if own.folder, err = os.MkdirTemp("", "hearth-bench-"); err == nil {
		err = os.CopyFS(own.folder, assets)
	}
	if err == nil {
		err = own.startHearth(ctx, own.caddy, []function{f})
	}
	if err != nil {
		own.close()
		return nil, f, err
	}
	return own, f, nil
}

// socketsAtRest opens many sockets and leaves them alone.
func socketsAtRest(m machine) scenario {
	return scenario{name: socketsIdle, group: socketsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		own, f, err := socketStage(ctx, shared, m)
		if err != nil {
			return nil, err
		}
		defer own.close()
		client := newClient(1)
		defer client.CloseIdleConnections()
		// The environment is there before, so its memory does not count.
		if c := call(ctx, client, own.address[hearthStack]+f.path()); c.err != nil {
			return nil, c.err
		}
		pid := own.roots[hearthStack][0]
		rest := func() (memory float64, cpu time.Duration, err error) {
			if memory, err = own.settledMemory(ctx); err != nil {
				return 0, 0, err
			}
			before, err := ownCPU(pid)
			if err != nil {
				return 0, 0, err
			}
			if err := wait(ctx, socketsQuiet); err != nil {
				return 0, 0, err
			}
			after, err := ownCPU(pid)
			return memory, after - before, err
		}
		memory, cpu, err := rest()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		sockets, err := openSockets(ctx, strings.TrimPrefix(own.address[hearthStack], "http://"), socketsWanted)
		took := time.Since(began)
		defer func() {
			for _, c := range sockets {
				_ = c.Close()
			}
		}()
		if err != nil {
			return nil, err
		}
		with, cpuWith, err := rest()
		if err != nil {
			return nil, err
		}
		progress("%d sockets: %.1f MB before, %.1f MB with them", len(sockets), memory, with)
		share := func(used time.Duration) float64 { return 100 * used.Seconds() / socketsQuiet.Seconds() }
		return []figure{
			{socketsIdle, "sockets", float64(len(sockets))},
			{socketsIdle, socketsMemory, (with - memory) * 1024 / float64(len(sockets))},
			{socketsIdle, "CPU of the server without them, % of a core", share(cpu)},
			{socketsIdle, "CPU of the server with them, % of a core", share(cpuWith)},
			{socketsIdle, "all are open, s", took.Seconds()},
		}, nil
	}}
}

// ownCPU is the CPU time of a process without its children, some of which end meanwhile.
func ownCPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, which ends at the last parenthesis, is the second field.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int
	for _, field := range fields[14-3 : 16-3] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// openSockets opens so many sockets, eight at a time.
func openSockets(ctx context.Context, host string, n int) (open []net.Conn, err error) {
	var mu sync.Mutex // guards open and err
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				mu.Lock()
				done := len(open) >= n || err != nil
				mu.Unlock()
				if done {
					return
				}
				c, failed := openSocket(ctx, host)
				mu.Lock()
				if failed != nil {
					err = errors.Join(err, failed)
				} else {
					open = append(open, c)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return open, err
}

func openSocket(ctx context.Context, host string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	_, _ = fmt.Fprintf(c, "GET /websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", host)
	r, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
	if err == nil && r.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("a WebSocket is answered by %s", r.Status)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// socketsAtWork sends one message after another, and makes one HTTP call after another.
func socketsAtWork(m machine, s settings) scenario {
	return scenario{name: socketsTrip, group: socketsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		own, f, err := socketStage(ctx, shared, m)
		if err != nil {
			return nil, err
		}
		defer own.close()
		client := newClient(1)
		defer client.CloseIdleConnections()
		c, _, err := websocket.Dial(ctx, strings.Replace(own.address[hearthStack], "http", "ws", 1)+"/websocket", nil)
		if err != nil {
			return nil, err
		}
		defer c.CloseNow()
		kinds := []func() error{
			func() error { return call(ctx, client, own.address[hearthStack]+f.path()).err },
			func() error {
				if err := c.Write(ctx, websocket.MessageText, []byte(`{"action":"hello"}`)); err != nil {
					return err
				}
				_, answer, err := c.Read(ctx)
				if err == nil && string(answer) != greeting {
					err = fmt.Errorf("a message is answered by %s", answer)
				}
				return err
			},
		}
		var p50, p99 [2][]float64
		var adds []float64
		for round := range s.rounds + 1 {
			var middle [2]float64
			for _, i := range turn(round) {
				took := make([]time.Duration, socketsMessages)
				for n := range took {
					began := time.Now()
					if err := kinds[i](); err != nil {
						return nil, err
					}
					took[n] = time.Since(began)
				}
				slices.Sort(took)
				middle[i] = milliseconds(percentile(took, 50))
				if round > 0 { // the first warms up
					p50[i], p99[i] = append(p50[i], middle[i]), append(p99[i], milliseconds(percentile(took, 99)))
				}
			}
			if round > 0 {
				adds = append(adds, middle[1]-middle[0])
			}
		}
		return []figure{
			{socketsTrip, "HTTP call, p50, ms", median(p50[0])}, {socketsTrip, "HTTP call, p99, ms", median(p99[0])},
			{socketsTrip, "message, p50, ms", median(p50[1])}, {socketsTrip, "message, p99, ms", median(p99[1])},
			{socketsTrip, socketsAdds, median(adds)},
		}, nil
	}}
}
