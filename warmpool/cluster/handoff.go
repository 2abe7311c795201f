package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Headers of a call that is handed over. The body is its frame, which is sent when the
// other node has said that it takes it.
const (
	pathInvoke     = "/invoke"
	headerFunction = "Hearth-Function"
	headerVersion  = "Hearth-Version"
	headerRevision = "Hearth-Revision"
	headerRequest  = "Hearth-Request"
	headerTail     = "Hearth-Tail"
	headerStreams  = "Hearth-Streams"
)

// Limits of what nodes send each other.
const (
	maxFrame = 8 << 20 // bytes of a call
	maxPart  = 8 << 20 // bytes of one part of the answer
)

// Parts of an answer: a byte, the length in four, the bytes.
const (
	partStart = 's' // the content type of a stream
	partChunk = 'c' // a chunk of it
	partEnd   = 'e' // an end, as JSON
)

// An end is how a call ended on the other node.
type end struct {
	Outcome  environment.Outcome
	Version  string
	Payload  []byte
	Duration time.Duration
	Streamed bool
	LogTail  []byte
}

// ErrBroken says that a call was sent to another node and its answer did not come
// whole: it may have run.
var ErrBroken = errors.New("the node that the call was handed to did not answer whole")

// An offers has the nodes' answers about one thing.
type offers struct {
	by    map[string]int
	until time.Time
}

// Times of a hand-off.
const (
	offersLast   = 50 * time.Millisecond
	shunFor      = 3 * time.Second
	offersWithin = 20 * time.Millisecond
)

// leastCost is the least cost of a cold start for which a node asks another one.
const leastCost = 2 * time.Millisecond

// Invoke runs a call on another node if one holds an idle environment. handed says that
// it did, or may have; else the call has not begun.
func (c *Cluster) Invoke(ctx context.Context, g *warmpool.Group, revision string, call *environment.Call) (handed bool, err error) {
	if g.ColdCost() < leastCost {
		return false, nil
	}
	f := g.Function()
	peer, ok := c.choose(ctx, Thing(f.Name, f.Version))
	if !ok {
		return false, nil
	}
	body := &frame{rest: call.Frame}
	defer body.end()
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: body.accept})
	r, err := http.NewRequestWithContext(traced, http.MethodPost, "https://"+peer.Address+pathInvoke, body)
	if err != nil {
		return false, nil //nolint:nilerr // an address that is none
	}
	r.ContentLength = int64(len(call.Frame))
	header := r.Header
	header.Set("Expect", "100-continue")
	header.Set(headerFunction, f.Name)
	header.Set(headerVersion, f.Version)
	header.Set(headerRevision, revision)
	header.Set(headerRequest, call.RequestID)
	header.Set(headerTail, strconv.FormatBool(call.Tail))
	header.Set(headerStreams, strconv.FormatBool(call.Stream != nil))
	answer, err := c.client.Do(r)
	if err != nil {
		c.shun(peer)
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		if !body.end() {
			return false, nil // the other node is gone or silent, and has not seen the call
		}
		return true, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		c.count("refused")
		c.forget(Thing(f.Name, f.Version), peer)
		return false, nil
	}
	if err := readAnswer(answer.Body, call); err != nil {
		c.count("broken")
		return true, err
	}
	c.count("sent")
	g.Handed()
	return true, nil
}

// A frame is the body of a call that is handed over. The transport may read it only after the
// other node has accepted the call, because a silent node must not run it later. It may read
// it only while the call waits, because the memory is used again.
type frame struct {
	mu       sync.Mutex // guards what follows
	rest     []byte
	accepted bool // the other node has asked for the frame
	ended    bool
}

// Read implements io.Reader.
func (f *frame) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || !f.accepted {
		return 0, errSilent
	}
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *frame) accept() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted = f.accepted || !f.ended
}

// end stops the reading of the frame, and reports whether the other node may have some of
// it.
func (f *frame) end() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	return f.accepted
}

var errSilent = errors.New("the node does not answer")

func (c *Cluster) count(result string) { c.metrics.handed.WithLabelValues(result).Inc() }

// choose finds a node that offers a thing.
func (c *Cluster) choose(ctx context.Context, thing string) (state.Node, bool) {
	now := time.Now()
	c.mu.Lock()
	nodes, own := c.nodes, c.self.Process
	known := c.known[thing]
	stale := now.After(known.until)
	if stale { // the other callers use what is known while one asks
		c.remember(thing, offers{known.by, now.Add(offersLast)})
	}
	c.mu.Unlock()
	if len(nodes) < 2 {
		return state.Node{}, false
	}
	if stale {
		asking, cancel := context.WithTimeout(ctx, offersWithin)
		by, err := c.Nodes.Offers(asking, thing)
		cancel()
		if err != nil {
			by = nil // asked again in a moment, and not by each call
		}
		known = offers{by, now.Add(offersLast)}
		c.mu.Lock()
		c.remember(thing, known)
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var best state.Node
	most := 0
	for _, n := range nodes {
		if n.Process == own || n.Draining || now.Before(c.shunned[n.Address]) {
			continue
		}
		if ready := known.by[n.Process]; ready > most {
			best, most = n, ready
		}
	}
	return best, most > 0
}

const maxKnown = 1 << 14

// remember caches the offers of a thing. It needs mu.
func (c *Cluster) remember(thing string, o offers) {
	if len(c.known) > maxKnown {
		clear(c.known)
	}
	c.known[thing] = o
}

// shun has a node not asked for a while.
func (c *Cluster) shun(n state.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.shunned) > maxKnown {
		clear(c.shunned)
	}
	c.shunned[n.Address] = time.Now().Add(shunFor)
}

// forget has a node not asked for a thing until it is looked for again.
func (c *Cluster) forget(thing string, n state.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.known[thing]
	by := make(map[string]int, len(known.by))
	for process, ready := range known.by {
		if process != n.Process {
			by[process] = ready
		}
	}
	c.known[thing] = offers{by, known.until}
}

// readAnswer puts what the other node answers into the call.
func readAnswer(body io.Reader, call *environment.Call) error {
	var head [5]byte
	for {
		if _, err := io.ReadFull(body, head[:]); err != nil {
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
		size := binary.BigEndian.Uint32(head[1:])
		if size > maxPart {
			return fmt.Errorf("%w: a part of %d bytes", ErrBroken, size)
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(body, part); err != nil {
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
		switch head[0] {
		case partStart:
			if call.Stream != nil {
				call.Streamed = true
				if err := call.Stream.Start(string(part)); err != nil {
					return err
				}
			}
		case partChunk:
			if call.Stream != nil {
				if err := call.Stream.Write(part); err != nil {
					return err
				}
			}
		case partEnd:
			var e end
			if err := json.Unmarshal(part, &e); err != nil {
				return fmt.Errorf("%w: %w", ErrBroken, err)
			}
			call.Outcome, call.Version, call.Duration, call.Streamed = e.Outcome, e.Version, e.Duration, e.Streamed
			call.Payload, call.LogTail = append(call.Payload[:0], e.Payload...), e.LogTail
			return nil
		default:
			return fmt.Errorf("%w: a part of kind %d", ErrBroken, head[0])
		}
	}
}
