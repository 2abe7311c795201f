package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// A stretch is a block of whole records in a segment.
type stretch struct {
	from, to int64 // offsets
	newest   int64 // no record of it is of a later time, in Unix milliseconds
}

// ScanBack is Scan with the newest blocks of the part first. Within a block events are in order.
// Before each block it asks more, with a time in Unix milliseconds that no event of that block or of
// a later one is after; it ends when that returns false. So a few of the newest events are had
// without taking the others apart. A part that is not in order of time is one block.
func (p Part) ScanBack(ctx context.Context, q Query, needle Needle, more func(newest int64) bool, visit func(*Record) bool) (Scanned, error) {
	if !p.ordered {
		if !more(math.MaxInt64) {
			return Scanned{}, nil
		}
		return p.Scan(ctx, q, needle, visit)
	}
	file, err := os.Open(filepath.Join(p.group.dir, p.seg.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return Scanned{}, nil
	}
	if err != nil {
		return Scanned{}, fmt.Errorf("reading log group %s: %w", p.group.Name(), err)
	}
	defer file.Close()
	stopped := false
	s := scanner{part: p, query: q, needle: needle, removed: p.group.about().Removed, streams: make(map[uint64]string)}
	s.visit = func(r *Record) bool {
		stopped = !visit(r)
		return !stopped
	}
	// The streams have their numbers from lines that are anywhere before their records.
	var blocks []stretch
	newest := int64(math.MinInt64)
	err = s.run(ctx, &io.LimitedReader{R: file, N: p.seg.size}, func(b string) {
		s.define(b)
		if _, last, ok := s.times(b); ok {
			newest = max(newest, last+maxLateness)
		} else {
			newest = math.MaxInt64
		}
		blocks = append(blocks, stretch{s.offset, s.offset + int64(len(b)), newest})
	})
	for n := len(blocks) - 1; n >= 0 && err == nil && !stopped && more(blocks[n].newest); n-- {
		if err = ctx.Err(); err != nil {
			break
		}
		b := make([]byte, blocks[n].to-blocks[n].from)
		if _, err = file.ReadAt(b, blocks[n].from); err == nil {
			s.offset, s.ended = blocks[n].from, false
			s.block(string(b))
		}
	}
	if err != nil {
		return s.scanned, fmt.Errorf("reading log group %s: %w", p.group.Name(), err)
	}
	return s.scanned, nil
}
