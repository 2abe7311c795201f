package socket

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A raw is a client that keeps to no protocol.
type raw struct {
	net.Conn
	id string // of its connection
}

// dialRaw connects a client by hand, which reads nothing that it is not asked to.
func (h *house) dialRaw() *raw {
	h.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(h.server.URL, "http://"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
	if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		h.t.Fatalf("%v %v", r, err)
	}
	return &raw{c, h.next("CONNECT").RequestContext.ConnectionID}
}

// frame sends the head of a masked frame, and so much of a payload of zeros.
func (c *raw) frame(first byte, length, sent int) {
	head := []byte{first}
	switch {
	case length < 126:
		head = append(head, 0x80|byte(length))
	case length < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 0x80|126), uint16(length))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 0x80|127), uint64(length))
	}
	_, _ = c.Write(append(append(head, 0, 0, 0, 0), make([]byte, sent)...))
}

// wantEnd waits for $disconnect with that status.
func (h *house) wantEnd(status int) {
	h.t.Helper()
	if e := h.next("DISCONNECT"); e.RequestContext.DisconnectStatusCode != status || e.RequestContext.DisconnectReason == "" && status != 1000 {
		h.t.Errorf("%+v, want %d", e.RequestContext, status)
	}
}

func TestSocketsEndThatAreSilentOrOpenForTooLong(t *testing.T) {
	for name, config := range map[string]Config{"silent": {Idle: time.Second}, "open": {Life: time.Second}} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, config)
			c := h.dial()
			h.next("CONNECT")
			h.wantClose(c, 1001)
			h.wantEnd(1001)
		})
	}
}

func TestAClientThatTakesNoMessagesEnds(t *testing.T) {
	h := newHouse(t, Config{Take: 2 * time.Second})
	c := h.dialRaw()
	var all sync.WaitGroup
	var mu sync.Mutex
	counts := make(map[error]int)
	message := make([]byte, MaxMessage)
	begin := make(chan struct{}) // on a busy machine the first could be done before the last has begun
	for range 4 * maxWaiting {   // far more than the kernel takes
		all.Go(func() {
			<-begin
			for {
				err := h.Post("chat", "prod", c.id, message)
				mu.Lock()
				counts[err]++
				mu.Unlock()
				if errors.Is(err, ErrGone) {
					return
				}
			}
		})
	}
	close(begin)
	all.Wait()
	if counts[ErrBusy] == 0 {
		t.Errorf("posts gave %v: none was refused while others waited", counts)
	}
	h.wantEnd(1006)
	if n := h.Sockets(); n != 0 {
		t.Errorf("%d sockets are open", n)
	}
}

func TestAFloodingClientWaitsForItsFunctions(t *testing.T) {
	h := newHouse(t, Config{})
	c := h.dial()
	h.next("CONNECT")
	gate := make(chan struct{})
	h.answers(func(context.Context, *event) (string, error) {
		<-gate
		return ok, nil
	})
	const messages = 2000
	sent := make(chan error, 1)
	go func() {
		for n := range messages {
			if err := c.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, `{"action":"tell","n":%d}`, n)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for range maxRunning {
		h.next("MESSAGE")
	}
	select {
	case e := <-h.kinds["MESSAGE"]:
		t.Errorf("one more than %d runs: %+v", maxRunning, e)
	case <-time.After(100 * time.Millisecond): // a message more would come at once
	}
	close(gate)
	for range messages - maxRunning {
		h.next("MESSAGE")
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestMessagesThatStallAndBrokenFramesEndASocket(t *testing.T) {
	h := newHouse(t, Config{Send: time.Second, Idle: 6 * time.Second})
	want, names := make(map[string]int), make(map[string]string)
	for name, test := range map[string]struct {
		do     func(c *raw)
		status int
	}{
		"half a frame":                {func(c *raw) { c.frame(0x81, 1000, 10) }, 1008},
		"half a message":              {func(c *raw) { c.frame(0x01, 10, 10) }, 1008},
		"half a head":                 {func(c *raw) { _, _ = c.Write([]byte{0x81, 0xFE, 1}) }, 1001}, // it is silent
		"gone within a frame":         {func(c *raw) { c.frame(0x81, 1000, 10); _ = c.Close() }, 1006},
		"gone":                        {func(c *raw) { _ = c.Close() }, 1006},
		"reset":                       {func(c *raw) { _ = c.Conn.(*net.TCPConn).SetLinger(0); _ = c.Close() }, 1006},
		"a frame without a mask":      {func(c *raw) { _, _ = c.Write([]byte{0x81, 1, 'x'}) }, 1002},
		"a reserved bit":              {func(c *raw) { c.frame(0xC1, 1, 1) }, 1002},
		"an unknown kind":             {func(c *raw) { c.frame(0x83, 1, 1) }, 1002},
		"a continuation of nothing":   {func(c *raw) { c.frame(0x80, 1, 1) }, 1002},
		"a large ping":                {func(c *raw) { c.frame(0x89, 1000, 1000) }, 1002},
		"a ping in two":               {func(c *raw) { c.frame(0x09, 1, 1) }, 1002},
		"a frame of 2^63 bytes":       {func(c *raw) { _, _ = c.Write([]byte{0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) }, 1009},
		"a frame of 32 KB and a byte": {func(c *raw) { c.frame(0x82, maxFrame+1, 0) }, 1009},
		"not a WebSocket":             {func(c *raw) { _, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")) }, 1002},
	} {
		c := h.dialRaw()
		want[c.id], names[c.id] = test.status, name
		test.do(c)
	}
	for range want {
		e := h.next("DISCONNECT").RequestContext
		if e.DisconnectStatusCode != want[e.ConnectionID] || e.DisconnectReason == "" {
			t.Errorf("%s ended by %d %q, want %d", names[e.ConnectionID], e.DisconnectStatusCode, e.DisconnectReason, want[e.ConnectionID])
		}
	}
}

func TestSocketsThatAreKilledAreAllToldOf(t *testing.T) {
	h := newHouse(t, Config{Most: 1000})
	clients := make([]*raw, 1000)
	for n := range clients {
		clients[n] = h.dialRaw()
	}
	for deadline := minute(t); h.Sockets() != len(clients); { // the last ones are on their way
		if deadline.Err() != nil {
			t.Fatalf("%d sockets are open, want %d", h.Sockets(), len(clients))
		}
	}
	if _, r, err := websocket.Dial(minute(t), h.server.URL, nil); err == nil || r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more than there may be: %v %v", r, err)
	}
	for _, c := range clients {
		_ = c.Close()
	}
	seen := make(map[string]bool)
	for range clients {
		seen[h.next("DISCONNECT").RequestContext.ConnectionID] = true
	}
	if len(seen) != len(clients) {
		t.Errorf("$disconnect has run for %d sockets, want %d", len(seen), len(clients))
	}
	if n := h.Sockets(); n != 0 {
		t.Errorf("%d sockets are open", n)
	}
	h.dialRaw() // there is room again
}
