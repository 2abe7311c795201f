package logs

import (
	"context"
	"strings"
	"sync"
	"time"
)

// A Group is a log group: the group of one function, or a group that functions have chosen.
type Group struct {
	store   *Store
	name    string
	dir     string
	dirty   bool // is in store.dirty; guarded by store.mu
	failing bool // the last write failed; the writer's own

	mu        sync.Mutex // guards what follows
	batch     *batch     // is being filled; nil when there is none
	full      []*batch   // wait for the writer
	buffered  int        // bytes in full, and in what the writer has of it
	round     uint64     // counts the batches; a stream gives its number once in each
	streams   uint64     // the last number that was given to a stream
	clock     clock
	missing   int // lines dropped that no line in the group tells of yet
	retention int // days; 0: as the store
	meta      meta
	open      bool // the last segment is this process's and not full
	segments  []segment
	written   chan struct{} // closed when a segment has grown; nil when nobody waits

	// describing is held while what calls have said is written, I/O included.
	describing sync.Mutex

	// indexing is held while Streams reads segments, I/O included: it makes a
	// second caller wait for the index instead of reading them as well.
	indexing sync.Mutex
	index    map[int64]map[string]span // by id, of segments that grow no more
}

// A batch is the records that the writer writes at once for a group.
type batch struct {
	data    []byte
	lines   int
	missing int // lines that it reports as missing
	counted int // bytes that count as buffered, in the group and in the store
}

func newGroup(s *Store, name string) *Group {
	return &Group{store: s, name: name, dir: s.groupDir(name)}
}

// Name returns the name of the log group as CloudWatch has it, e.g. "/aws/lambda/NAME".
func (g *Group) Name() string { return g.name }

// Size returns how many bytes the group takes on disk.
func (g *Group) Size() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	var n int64
	for _, seg := range g.segments {
		n += seg.size
	}
	return n
}

// End is the Position behind all that is logged now, for Query.After. It fails with ErrClosed, or
// the error of ctx.
func (g *Group) End(ctx context.Context) (Position, error) {
	if err := g.store.Flush(ctx); err != nil {
		return Position{}, err
	}
	segments, _ := g.snapshot(false)
	if len(segments) == 0 {
		return Position{}, nil
	}
	last := segments[len(segments)-1]
	// The next event may begin where the file ends.
	return Position{last.id, max(last.size-1, 0)}, nil
}

// Text is the text of an event as CloudWatch has it, with the line feed that Lambda ends it with;
// events of PutLogEvents are as they were put.
func (g *Group) Text(e *Event) string {
	if g.Made(e.Stream) {
		return strings.TrimSuffix(e.Message, "\n")
	}
	return e.Message
}

// Created returns when the oldest file of the group that is left was begun; the
// zero time when there is none.
func (g *Group) Created() time.Time {
	created := g.about().Created
	seg, ok := g.oldest()
	switch {
	case created != 0:
		return time.UnixMilli(created)
	case !ok:
		return time.Time{}
	}
	return seg.begun()
}

// A source says where the request ID of a record is found.
type source uint8

const (
	inField source = iota
	inText         // in Lambda's own lines, after "RequestId: "
)

// add puts a record into the batch, or drops it when there is no room. It needs
// no allocation and does no I/O.
func (g *Group) add(st *Stream, t time.Time, requestID string, from source, text []byte) {
	g.mu.Lock()
	for _, tail := range st.tails {
		tail.add(requestID, text)
	}
	if g.room() {
		g.put(st, t, requestID, from, text)
		if len(g.batch.data) >= batchSize {
			g.submit()
		}
	} else {
		g.missing++
		g.store.dropped.Add(1)
	}
	g.mu.Unlock()
}

// put appends a record, after the line that says what is missing before it. It
// needs mu.
func (g *Group) put(st *Stream, t time.Time, requestID string, from source, text []byte) {
	b := g.batch
	if st.round != g.round {
		st.round = g.round
		b.data = appendStream(b.data, st.number, st.name)
	}
	g.clock.set(t)
	if g.missing > 0 {
		b.data = g.clock.append(b.data)
		b.data = appendHead(b.data, st.number, "", inField)
		b.data = appendMissing(b.data, g.missing)
		b.data = append(b.data, '\n')
		b.missing += g.missing
		g.missing = 0
	}
	b.data = g.clock.append(b.data)
	b.data = appendHead(b.data, st.number, requestID, from)
	b.data = appendText(b.data, text)
	b.lines++
}

// room reports whether there is a batch that takes another record, and begins one
// where the limits allow. It needs mu.
func (g *Group) room() bool {
	if g.batch != nil {
		return true
	}
	s := g.store
	if s.closed.Load() || g.buffered >= min(maxGroupBuffer, s.config.MaxFileMB<<20) {
		return false
	}
	// A group of which nothing waits may begin a batch whatever the others do.
	if g.buffered > 0 && s.buffered.Load() >= maxBuffers {
		return false
	}
	g.batch = s.batches.Get().(*batch)
	g.round++
	s.enqueue(g)
	return true
}

// submit hands the batch, which is full, to the writer. It needs mu.
func (g *Group) submit() {
	b := g.batch
	b.counted = len(b.data)
	g.buffered += b.counted
	g.store.buffered.Add(int64(b.counted))
	g.full, g.batch = append(g.full, b), nil
	g.store.expedite(g)
}

// take gives all batches to the writer, or the full ones only.
func (g *Group) take(onlyFull bool) []*batch {
	g.mu.Lock()
	defer g.mu.Unlock()
	batches := g.full
	g.full = nil
	if g.batch != nil && !onlyFull {
		batches, g.batch = append(batches, g.batch), nil
	}
	return batches
}

// recycle makes room where b was, which has been written. A batch that a long
// line made large is left to the garbage collector.
func (g *Group) recycle(b *batch) {
	s := g.store
	if b.counted > 0 {
		s.buffered.Add(-int64(b.counted))
		g.mu.Lock()
		g.buffered -= b.counted
		g.mu.Unlock()
	}
	if cap(b.data) <= 2*batchSize {
		*b = batch{data: b.data[:0]}
		s.batches.Put(b)
	}
}

// lose counts the lines of b, which could not be written.
func (g *Group) lose(b *batch) {
	g.mu.Lock()
	g.missing += b.lines + b.missing
	g.mu.Unlock()
	g.store.dropped.Add(uint64(b.lines))
}

// openSegment returns the last segment, and whether it may be appended to.
func (g *Group) openSegment() (segment, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.segments) == 0 {
		return segment{}, false
	}
	return g.segments[len(g.segments)-1], g.open
}

// seal sees to it that nothing is appended to the last segment any more.
func (g *Group) seal() {
	g.mu.Lock()
	g.open = false
	g.mu.Unlock()
}

// putSegment records that seg has grown, and wakes the followers of the group.
func (g *Group) putSegment(seg segment, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.segments); n > 0 && g.segments[n-1].id == seg.id {
		g.segments[n-1] = seg
	} else {
		g.segments = append(g.segments, seg)
	}
	g.open = open
	if g.written != nil {
		close(g.written)
		g.written = nil
	}
}

func (g *Group) oldest() (segment, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.segments) == 0 {
		return segment{}, false
	}
	return g.segments[0], true
}

func (g *Group) dropOldest() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.segments = g.segments[1:]
}
