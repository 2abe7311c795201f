package logs

import (
	"sync"
	"time"
)

// groupPrefix begins the name of a log group of Lambda's.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
const groupPrefix = "/aws/lambda/"

// A Group is the log group of one function.
type Group struct {
	store    *Store
	function string
	dir      string
	dirty    bool // is in store.dirty; guarded by store.mu

	mu       sync.Mutex // guards what follows
	batch    *batch     // records for the writer; nil when there are none
	round    uint64     // counts the batches; a stream gives its number once in each
	streams  uint64     // the last number that was given to a stream
	clock    clock
	missing  int  // lines dropped that no line in the group tells of yet
	untold   int  // lines dropped that the writer has not been told of
	open     bool // the last segment is this process's and not full
	segments []segment
	written  chan struct{} // closed when a segment has grown; nil when nobody waits

	// indexing is held while Streams reads segments, I/O included: it makes a
	// second caller wait for the index instead of reading them as well.
	indexing sync.Mutex
	index    map[int64]map[string]span // by id, of segments that grow no more
}

// A batch is what the writer writes at once for a group.
type batch struct {
	data     []byte
	lines    int
	reserved int  // bytes taken from the memory that groups share
	full     bool // the writer was asked to hurry
}

func newGroup(s *Store, name string) *Group {
	return &Group{store: s, function: name, dir: s.groupDir(name)}
}

// Name returns the name of the log group as CloudWatch has it, "/aws/lambda/NAME".
func (g *Group) Name() string { return groupPrefix + g.function }

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

// Created returns when the oldest file of the group that is left was begun; the
// zero time when there is none.
func (g *Group) Created() time.Time {
	seg, ok := g.oldest()
	if !ok {
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
		if b := g.batch; len(b.data) >= batchSize && !b.full {
			b.full = true
			g.store.expedite(g)
		}
	} else {
		g.missing++
		g.untold++
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
		g.missing = 0
	}
	b.data = g.clock.append(b.data)
	b.data = appendHead(b.data, st.number, requestID, from)
	b.data = appendText(b.data, text)
	b.lines++
}

// room reports whether the batch takes another record, and sees to it that there
// is a batch. A record may exceed the limits by its own length. It needs mu.
func (g *Group) room() bool {
	s := g.store
	if g.batch == nil {
		if s.closed.Load() {
			return false
		}
		g.batch = s.batches.Get().(*batch)
		g.round++
		s.enqueue(g)
		return true
	}
	b := g.batch
	size := len(b.data)
	if size < batchSize {
		return true
	}
	if size >= min(maxGroupBuffer, s.config.MaxFileMB<<20) {
		return false
	}
	if size >= b.reserved+batchSize {
		more := size + batchSize - b.reserved
		if !s.reserve(more) {
			return false
		}
		b.reserved += more
	}
	return true
}

// take gives the batch to the writer, and how many lines were dropped meanwhile
// that it has not been told of.
func (g *Group) take() (b *batch, dropped int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b, g.batch = g.batch, nil
	dropped, g.untold = g.untold, 0
	return b, dropped
}

// lose counts lines that could not be written.
func (g *Group) lose(lines int) {
	g.mu.Lock()
	g.missing += lines
	g.mu.Unlock()
	g.store.dropped.Add(uint64(lines))
}

// recycle makes b ready for another group. One that grew because the disk was
// slow is left to the garbage collector.
func (s *Store) recycle(b *batch) {
	s.buffered.Add(-int64(b.reserved))
	if cap(b.data) > 4*batchSize {
		return
	}
	*b = batch{data: b.data[:0]}
	s.batches.Put(b)
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

// putSegment records that seg has grown, and wakes those who follow the group.
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
	g.open = g.open && len(g.segments) > 0
}
