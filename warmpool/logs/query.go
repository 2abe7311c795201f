package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxPage is how much text Last returns at most, in bytes, as CloudWatch does.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
const MaxPage = 1 << 20

// A Position is a place in a log group, before one of its events. The zero
// Position is before all. One whose event has been removed is before the oldest
// that is left. Positions go up with time.
type Position struct {
	segment, offset int64
}

// String returns p as a token for ParsePosition.
func (p Position) String() string { return fmt.Sprintf("%013d.%010d", p.segment, p.offset) }

// ParsePosition reads what String made.
func ParsePosition(token string) (Position, error) {
	segment, offset, ok := strings.Cut(token, ".")
	p := Position{}
	var err1, err2 error
	p.segment, err1 = strconv.ParseInt(segment, 10, 64)
	p.offset, err2 = strconv.ParseInt(offset, 10, 64)
	if !ok || err1 != nil || err2 != nil || p.segment < 0 || p.offset < 0 {
		return Position{}, fmt.Errorf("log position %q: it has to be one that was returned before", token)
	}
	return p, nil
}

// Compare returns -1, 0 or 1 for a p before, at or after q.
func (p Position) Compare(q Position) int {
	switch {
	case p == q:
		return 0
	case p.segment < q.segment, p.segment == q.segment && p.offset < q.offset:
		return -1
	}
	return 1
}

// A Query selects events of a group.
type Query struct {
	From, To time.Time         // From is included, To is not, in whole milliseconds; zero for no limit
	Stream   func(string) bool // takes the name of a stream; nil for all
	After    Position          // only events after the one at this position
	Before   Position          // only events before this position; zero for no limit
	Follow   bool              // go on with what is logged from now on, until ctx is done
}

func (q *Query) matches(e *entry, at Position) bool {
	return (q.From.IsZero() || e.millis >= q.From.UnixMilli()) &&
		(q.To.IsZero() || e.millis < q.To.UnixMilli()) &&
		(q.After == Position{} || at.Compare(q.After) > 0) &&
		(q.Stream == nil || q.Stream(e.name))
}

// past reports whether neither e nor what comes after it can match. Only of a group whose
// events are in order of time does the time of e tell that.
func (q *Query) past(e *entry, at Position, ordered bool) bool {
	return (ordered && !q.To.IsZero() && e.millis > q.To.UnixMilli()+maxLateness) ||
		(q.Before != Position{} && at.Compare(q.Before) >= 0)
}

// skips reports whether no event of seg can match.
func (q *Query) skips(seg segment) bool {
	return seg.id < q.After.segment ||
		(q.Before != Position{} && seg.id > q.Before.segment) ||
		// Events are older than the write that brought them to the disk.
		(!q.From.IsZero() && seg.modified.Before(q.From.Add(-maxLateness*time.Millisecond)))
}

// Events returns the events that q selects, in the order in which they were logged, which is
// that of time but for events that were put, including all that were logged before the call. To go on later, set Query.After to the Position of
// the last event that was taken. The sequence ends with an error when a file
// cannot be read or ctx is done; with Follow it only ends so, or with ErrClosed.
func (g *Group) Events(ctx context.Context, q Query) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := g.store.Flush(ctx); err != nil && !errors.Is(err, ErrClosed) {
			yield(Event{}, err)
			return
		}
		if q.Follow {
			g.store.followers.Add(1)
			defer g.store.followers.Add(-1)
		}
		var c cursor
		defer c.close()
		for closed := false; ; {
			segments, grown := g.snapshot(q.Follow)
			for _, seg := range segments {
				if seg.id < c.segment || q.skips(seg) {
					continue
				}
				more, err := c.read(ctx, g, seg, &q, func(e *entry) bool {
					return yield(e.event(seg.id), nil)
				})
				if err != nil {
					yield(Event{}, fmt.Errorf("reading log group %s: %w", g.Name(), err))
					return
				}
				if !more {
					return
				}
			}
			if !q.Follow {
				return
			}
			if closed {
				yield(Event{}, ErrClosed)
				return
			}
			select {
			case <-grown:
			case <-g.store.done:
				closed = true // once more round, for what Close has written
			case <-ctx.Done():
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

// Last returns the newest events that q selects, oldest first: at most n, and at
// most MaxPage bytes unless it is one event. To go back further, set Query.Before
// to the Position of the first. Query.Follow is not looked at.
func (g *Group) Last(ctx context.Context, q Query, n int) ([]Event, error) {
	if err := g.store.Flush(ctx); err != nil && !errors.Is(err, ErrClosed) {
		return nil, err
	}
	segments, _ := g.snapshot(false)
	var page []Event // of the segments read so far, which are the newest
	room := MaxPage
	for _, seg := range slices.Backward(segments) {
		if len(page) >= n || room <= 0 {
			break
		}
		if q.skips(seg) {
			continue
		}
		var found []Event
		size := 0
		var c cursor
		_, err := c.read(ctx, g, seg, &q, func(e *entry) bool {
			found = append(found, e.event(seg.id))
			size += len(e.text) + 1
			for len(found)+len(page) > n || (size > room && len(found)+len(page) > 1) {
				size -= len(found[0].Message)
				found = found[1:]
			}
			return true
		})
		c.close()
		if err != nil {
			return nil, fmt.Errorf("reading log group %s: %w", g.Name(), err)
		}
		page = append(found, page...)
		room -= size
	}
	return page, nil
}

// snapshot returns the segments as they are, and a channel that is closed when
// they have grown, when it is wanted.
func (g *Group) snapshot(follow bool) (segments []segment, grown <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if follow {
		if g.written == nil {
			g.written = make(chan struct{})
		}
		grown = g.written
	}
	return slices.Clone(g.segments), grown
}

// A cursor reads through segments, and continues at its position when one has grown.
type cursor struct {
	segment int64
	file    *os.File
	reader  io.LimitedReader
	decoder *decoder
}

// read calls visit for the events of seg that q selects, from where it was, and
// reports whether later ones may follow: visit has not returned false, and q has
// not ended. A segment that was removed meanwhile is empty.
func (c *cursor) read(ctx context.Context, g *Group, seg segment, q *Query, visit func(*entry) bool) (bool, error) {
	if c.file == nil || c.segment != seg.id {
		c.close()
		file, err := os.Open(filepath.Join(g.dir, seg.name()))
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		c.segment, c.file = seg.id, file
		c.reader = io.LimitedReader{R: file}
		c.decoder = newDecoder(&c.reader)
	}
	// Not further than what is known to be whole records. The decoder has read all
	// that was there before, so its offset is the file's.
	c.reader.N = seg.size - c.decoder.offset
	removed, ordered := g.about().Removed, g.ordered()
	for i := 0; ; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		e, err := c.decoder.next()
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		at := Position{seg.id, e.offset}
		if q.past(&e, at, ordered) {
			return false, nil
		}
		if until, ok := removed[e.name]; ok && at.Compare(until.position()) < 0 {
			continue
		}
		if q.matches(&e, at) && !visit(&e) {
			return false, nil
		}
	}
}

func (c *cursor) close() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}
