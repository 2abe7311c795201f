package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A StreamInfo describes a log stream that is on disk.
type StreamInfo struct {
	Name        string
	First, Last time.Time // of its events that are left; zero for none
	Created     time.Time
}

// A span is the time of a stream's first and last event in Unix milliseconds.
type span struct{ first, last int64 }

// Streams returns the log streams of which events are left, or that were made by
// CreateStream, in the order of their
// names, which is that of the days they began. It reads files that it has not
// read before, all of them the first time.
func (g *Group) Streams(ctx context.Context) ([]StreamInfo, error) {
	if err := g.store.Flush(ctx); err != nil && !errors.Is(err, ErrClosed) {
		return nil, err
	}
	g.indexing.Lock()
	defer g.indexing.Unlock()
	segments, _ := g.snapshot(false)
	index := make(map[int64]map[string]span, len(segments))
	all := make(map[string]span)
	for i, seg := range segments {
		streams, ok := g.index[seg.id]
		if !ok {
			var err error
			if streams, err = g.spans(ctx, seg); err != nil {
				return nil, fmt.Errorf("reading log group %s: %w", g.Name(), err)
			}
		}
		if i < len(segments)-1 { // the last one may grow
			index[seg.id] = streams
		}
		for name, s := range streams {
			all[name] = all[name].join(s)
		}
	}
	g.index = index
	infos := make([]StreamInfo, 0, len(all))
	for name, s := range all {
		first := time.UnixMilli(s.first).UTC()
		infos = append(infos, StreamInfo{name, first, time.UnixMilli(s.last).UTC(), first})
	}
	made := g.about().Streams
	for i := range infos {
		if at := made[infos[i].Name]; at != 0 {
			infos[i].Created = time.UnixMilli(at).UTC()
		}
	}
	for name, at := range made {
		if _, ok := all[name]; !ok {
			infos = append(infos, StreamInfo{Name: name, Created: time.UnixMilli(at).UTC()})
		}
	}
	slices.SortFunc(infos, func(a, b StreamInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

func (g *Group) spans(ctx context.Context, seg segment) (map[string]span, error) {
	streams := make(map[string]span)
	var c cursor
	defer c.close()
	_, err := c.read(ctx, g, seg, &Query{}, func(e *entry) bool {
		streams[e.name] = streams[e.name].join(span{e.millis, e.millis})
		return true
	})
	return streams, err
}

// join returns the span that covers both; the zero span covers nothing.
func (s span) join(other span) span {
	if s == (span{}) {
		return other
	}
	return span{min(s.first, other.first), max(s.last, other.last)}
}
