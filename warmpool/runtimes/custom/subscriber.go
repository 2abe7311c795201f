package custom

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A subscriber is an extension that has subscribed to telemetry.
type subscriber struct {
	extension string
	types     []string
	schema    string
	legacy    bool // by the Logs API
	maxItems  int
	maxBytes  int
	timeout   time.Duration

	tcp    bool
	method string
	uri    string
	port   uint16
	dial   dialer

	ctx    context.Context // of its goroutine, for its life
	cancel context.CancelFunc
	wake   chan struct{} // holds a token: look again

	mu      sync.Mutex // guards what follows
	queue   [][]byte
	size    int       // bytes
	since   time.Time // when the first in the queue came
	lost    loss
	hurried bool
	urgent  bool          // hurried until nothing is left
	busy    bool          // a batch is on its way
	deaf    bool          // the last batch could not be handed over
	paused  bool          // nothing is handed over: the environment is frozen
	changed chan struct{} // closed and made anew when one of queue, busy and paused has changed
}

// Bounds of what a subscriber may be behind, in batches; and how a batch is handed over.
const (
	maxBehind     = 4
	handOverTime  = 2 * time.Second
	handOverTries = 5
	handOverPause = 50 * time.Millisecond
)

// add queues an event if it is subscribed to.
func (s *subscriber) add(o occurrence) {
	if !has(s.types, o.kind) {
		return
	}
	texts := s.forms(o)
	if len(texts) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		if len(s.queue) >= maxBehind*s.maxItems || s.size+len(text) > maxBehind*s.maxBytes {
			s.lost.add(text)
			continue
		}
		if len(s.queue) == 0 {
			s.since = time.Now()
		}
		s.queue = append(s.queue, text)
		s.size += len(text)
	}
	s.signal()
}

func (s *subscriber) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns a batch that is due, or how long until one is; 0 for until more comes.
func (s *subscriber) take() (batch [][]byte, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.urgent = false
	}
	if s.paused || len(s.queue) == 0 && (s.lost == loss{} || !has(s.types, typePlatform)) {
		return nil, 0
	}
	if wait = time.Until(s.since.Add(s.timeout)); wait > 0 && !s.hurried && !s.urgent && len(s.queue) < s.maxItems && s.size < s.maxBytes {
		return nil, wait
	}
	if s.lost != (loss{}) && has(s.types, typePlatform) {
		batch = append(batch, eventText(time.Now(), "platform.logsDropped", map[string]any{
			"reason": "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.", "droppedRecords": s.lost.records, "droppedBytes": s.lost.bytes,
		}))
		s.lost = loss{}
	}
	n, size := 0, 0
	for n < len(s.queue) && len(batch) < s.maxItems && (n == 0 || size+len(s.queue[n]) <= s.maxBytes) {
		batch = append(batch, s.queue[n])
		size += len(s.queue[n])
		n++
	}
	s.queue, s.size, s.since = s.queue[n:], s.size-size, time.Now()
	s.busy = true
	return batch, 0
}

// run hands batches over until the subscription ends.
func (s *subscriber) run() {
	client := &http.Client{Timeout: handOverTime, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx, s.port) },
	}}
	defer client.CloseIdleConnections()
	var conn net.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for {
		batch, wait := s.take()
		if batch == nil {
			var timer <-chan time.Time
			if wait > 0 {
				timer = time.After(wait)
			}
			select {
			case <-s.wake:
			case <-timer:
			case <-s.ctx.Done():
				return
			}
			continue
		}
		deaf := false
		for try := 0; s.awaitResume(); try++ {
			var err error
			if s.tcp {
				conn, err = s.write(conn, batch)
			} else {
				err = s.post(client, batch)
			}
			if err == nil {
				break
			}
			if try == handOverTries {
				deaf = true
				s.mu.Lock()
				for _, text := range batch {
					s.lost.add(text)
				}
				s.mu.Unlock()
				break
			}
			select {
			case <-time.After(handOverPause << try):
			case <-s.ctx.Done():
			}
		}
		s.mu.Lock()
		s.busy, s.deaf = false, deaf
		s.notify()
		s.mu.Unlock()
	}
}

// notify needs mu.
func (s *subscriber) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// awaitResume waits while nothing may be handed over. It is false when the subscription
// has ended.
func (s *subscriber) awaitResume() bool {
	for s.ctx.Err() == nil {
		s.mu.Lock()
		paused, changed := s.paused, s.changed
		s.mu.Unlock()
		if !paused {
			return true
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
		}
	}
	return false
}

// hurry reports whether there is something to hand over, and has it go at once. An
// extension that does not take what it gets is not waited for.
func (s *subscriber) hurry() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf || len(s.queue) == 0 && !s.busy {
		return false
	}
	s.urgent = true
	s.signal()
	return true
}

func (s *subscriber) setPaused(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused != paused {
		s.paused = paused
		s.notify()
		s.signal()
	}
}

// post hands a batch over by HTTP, as an array.
func (s *subscriber) post(client *http.Client, batch [][]byte) error {
	body := append(append([]byte{'['}, bytes.Join(batch, []byte{','})...), ']')
	r, err := http.NewRequestWithContext(s.ctx, s.method, s.uri, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := client.Do(r)
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, got.Body, maxError) // so that the connection can be used again
	got.Body.Close()
	if got.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the extension answered %s", got.Status)
	}
	if err == io.EOF {
		err = nil
	}
	return err
}

// write hands a batch over by TCP, a line each.
func (s *subscriber) write(conn net.Conn, batch [][]byte) (net.Conn, error) {
	var err error
	if conn == nil {
		ctx, cancel := context.WithTimeout(s.ctx, handOverTime)
		conn, err = s.dial(ctx, s.port)
		cancel()
		if err != nil {
			return nil, err
		}
	}
	if err = conn.SetWriteDeadline(time.Now().Add(handOverTime)); err == nil {
		_, err = conn.Write(append(bytes.Join(batch, []byte{'\n'}), '\n'))
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// hasten has nothing wait for more from now on.
func (s *subscriber) hasten() {
	s.mu.Lock()
	s.hurried = true
	s.mu.Unlock()
	s.signal()
}

// drained waits until all has been handed over, or ctx ends.
func (s *subscriber) drained(ctx context.Context) {
	for {
		s.mu.Lock()
		done, changed := len(s.queue) == 0 && !s.busy, s.changed
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (s *subscriber) end() { s.cancel() }
