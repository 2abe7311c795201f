package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// scanBlock is how much of a segment is looked at at once, in bytes. A record that is longer
// makes its block longer.
const scanBlock = 1 << 20

// A Part is a segment of a group as it was when Parts was called. Parts are scanned one by one,
// by as many goroutines as the caller likes.
type Part struct {
	group   *Group
	seg     segment
	ordered bool
	from    int64 // the piece of the segment that it is
	to      int64
}

// ordered reports whether events are in order of time. Events that calls put are of any time.
func (g *Group) ordered() bool {
	m := g.about()
	return len(m.Streams) == 0 && len(m.Removed) == 0
}

// maxAhead is how far ahead of the clock events may be put.
const maxAhead = 3 * time.Hour

// Parts returns the parts of the group that may hold events that q selects, oldest first,
// including all that were logged before the call. Of q only the times count.
func (g *Group) Parts(ctx context.Context, q Query) ([]Part, error) {
	if err := g.store.Flush(ctx); err != nil && !errors.Is(err, ErrClosed) {
		return nil, err
	}
	segments, _ := g.snapshot(false)
	var parts []Part
	ordered := g.ordered()
	for _, seg := range segments {
		if !ordered || !q.skips(seg) && (q.To.IsZero() || seg.begun().Before(q.To.Add(maxLateness*time.Millisecond))) {
			parts = append(parts, Part{group: g, seg: seg, ordered: ordered, to: seg.size})
		}
	}
	return parts, nil
}

// Group is the group of the part.
func (p Part) Group() *Group { return p.group }

// Size is how many bytes the part takes on disk.
func (p Part) Size() int64 { return p.to - p.from }

// Newest is a time that no event of the part is after.
func (p Part) Newest() time.Time {
	if !p.ordered {
		return p.seg.modified.Add(maxAhead)
	}
	return p.seg.modified.Add(maxLateness * time.Millisecond)
}

// A Record is an event as Scan reads it. Its strings share the memory of a whole block: clone what
// is kept.
type Record struct {
	Millis    int64
	Stream    string
	RequestID string // "" for none
	Message   string // with the line feed at its end, as Event.Message
	Position  Position
}

// A Needle is text that every event has that a scan is for, so that others need not be taken
// apart. The text is looked for in the file: it has neither a line feed nor a tab, and is all of
// an event's text, or of its request ID. The zero Needle takes all events.
type Needle struct {
	Text string
	// JSON says that Text stands within JSON, where an escape may write it differently. What has
	// such escapes is read whole.
	JSON bool
}

func (n Needle) holds(block string) bool {
	return n.Text != "" && !(n.JSON && (strings.Contains(block, `\u00`) || strings.Contains(block, `\/`)))
}

// Scanned is what a scan has looked at.
type Scanned struct{ Records, Bytes int64 }

// Scan calls visit for the events of the part that q selects by its times, in order, until visit
// returns false. Events without the needle may be left out; they count as scanned. A part that
// was removed meanwhile is empty.
func (p Part) Scan(ctx context.Context, q Query, needle Needle, visit func(*Record) bool) (Scanned, error) {
	file, err := os.Open(filepath.Join(p.group.dir, p.seg.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return Scanned{}, nil
	}
	if err != nil {
		return Scanned{}, fmt.Errorf("reading log group %s: %w", p.group.Name(), err)
	}
	defer file.Close()
	s := scanner{part: p, query: q, needle: needle, visit: visit, removed: p.group.about().Removed, streams: make(map[uint64]string)}
	if p.from > 0 {
		err := s.run(ctx, &io.LimitedReader{R: file, N: p.from}, s.define)
		if err == nil {
			_, err = file.Seek(p.from, io.SeekStart)
		}
		if err != nil {
			return s.scanned, fmt.Errorf("reading log group %s: %w", p.group.Name(), err)
		}
	}
	s.offset = p.from
	in := &io.LimitedReader{R: file, N: p.to - p.from}
	if err := s.run(ctx, in, s.block); err != nil {
		return s.scanned, fmt.Errorf("reading log group %s: %w", p.group.Name(), err)
	}
	return s.scanned, nil
}

type scanner struct {
	part    Part
	query   Query
	needle  Needle
	visit   func(*Record) bool
	removed map[string]end
	streams map[uint64]string
	parser  recordParser
	record  Record
	offset  int64 // of the block
	scanned Scanned
	ended   bool
}

// run gives block whole records, in blocks.
func (s *scanner) run(ctx context.Context, in io.Reader, block func(string)) error {
	buffer := make([]byte, scanBlock)
	filled := 0
	for !s.ended {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(in, buffer[filled:])
		filled += n
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		end := filled
		if !last {
			if end = wholeRecords(buffer[:filled]); end == 0 && len(buffer) < 4*MaxLine {
				buffer = append(buffer, make([]byte, len(buffer))...)
				continue
			} else if end == 0 {
				end = filled // no record is as long
			}
		}
		block(string(buffer[:end]))
		s.offset += int64(end)
		filled = copy(buffer, buffer[end:filled])
		if last {
			return nil
		}
	}
	return nil
}

// wholeRecords is where the last record in b begins: what is before it is complete.
func wholeRecords(b []byte) int {
	for i := len(b) - 2; i >= 0; i-- {
		if b[i] == '\n' && b[i+1] != '\t' {
			return i + 1
		}
	}
	return 0
}

// block scans whole records.
func (s *scanner) block(b string) {
	first, last, ok := s.times(b)
	ok = ok && s.part.ordered
	whole := ok || s.query.From.IsZero() && s.query.To.IsZero()
	if from := s.query.From; ok && !from.IsZero() {
		if last < from.UnixMilli()-maxLateness {
			s.define(b)
			return
		}
		whole = whole && first >= from.UnixMilli()
	}
	if to := s.query.To; ok && !to.IsZero() {
		if first > to.UnixMilli()+maxLateness {
			s.ended = true
			return
		}
		whole = whole && last < to.UnixMilli()
	}
	s.scanned.Bytes += int64(len(b))
	if whole && s.needle.holds(b) {
		s.search(b)
		return
	}
	for at := 0; at < len(b) && !s.ended; {
		end := recordEnd(b, at)
		s.take(b[at:end], at, true)
		at = end
	}
}

// search takes the records that have the needle.
func (s *scanner) search(b string) {
	s.scanned.Records += int64(strings.Count(b, "\n") - strings.Count(b, "\n\t") - strings.Count(b, "\n# "))
	if strings.HasPrefix(b, "# ") {
		s.scanned.Records--
	}
	defined := 0 // up to here the streams have their numbers
	for at := 0; !s.ended; {
		i := strings.Index(b[at:], s.needle.Text)
		if i < 0 {
			break
		}
		begin := at + i
		for {
			begin = strings.LastIndexByte(b[:begin], '\n') + 1
			if begin == 0 || b[begin] != '\t' {
				break
			}
			begin--
		}
		end := recordEnd(b, at+i)
		s.define(b[defined:begin])
		defined = begin
		s.take(b[begin:end], begin, false)
		at = end
	}
	s.define(b[defined:])
}

// recordEnd is where the record ends that the byte at begins or is in.
func recordEnd(b string, at int) int {
	for {
		i := strings.IndexByte(b[at:], '\n')
		if i < 0 {
			return len(b)
		}
		at += i + 1
		if at >= len(b) || b[at] != '\t' {
			return at
		}
	}
}

// define reads the lines of b that give streams their numbers.
func (s *scanner) define(b string) {
	for {
		if !strings.HasPrefix(b, "# ") {
			i := strings.Index(b, "\n# ")
			if i < 0 {
				return
			}
			b = b[i+1:]
		}
		line, rest, ok := strings.Cut(b, "\n")
		if !ok {
			return
		}
		s.number(line)
		b = rest
	}
}

func (s *scanner) number(line string) {
	if number, name, ok := parseStream([]byte(line)); ok {
		s.streams[number] = string(name)
	}
}

// times are those of the first and the last record of a block.
func (s *scanner) times(b string) (first, last int64, ok bool) {
	var p recordParser
	at := 0
	for strings.HasPrefix(b[at:], "# ") {
		at = recordEnd(b, at)
	}
	if len(b)-at < len(timeLayout) {
		return 0, 0, false
	}
	if first, ok = p.time([]byte(b[at : at+len(timeLayout)])); !ok {
		return 0, 0, false
	}
	for end := len(b) - 1; end > 0; {
		begin := strings.LastIndexByte(b[:end], '\n') + 1
		if len(b)-begin >= len(timeLayout) && b[begin] != '\t' && b[begin] != '#' {
			last, ok = p.time([]byte(b[begin : begin+len(timeLayout)]))
			return first, last, ok
		}
		end = begin - 1
	}
	return first, first, true
}

// take visits the record of the block that is at an offset in it, with the line feed at its end.
func (s *scanner) take(line string, at int, count bool) {
	if strings.HasPrefix(line, "#") {
		if !count {
			return
		}
		s.number(strings.TrimSuffix(line, "\n"))
		return
	}
	if !strings.HasSuffix(line, "\n") || !s.parse(line) {
		return
	}
	r := &s.record
	r.Position = Position{s.part.seg.id, s.offset + int64(at)}
	q := &s.query
	if s.part.ordered && !q.To.IsZero() && r.Millis > q.To.UnixMilli()+maxLateness {
		s.ended = true
		return
	}
	if !q.From.IsZero() && r.Millis < q.From.UnixMilli() || !q.To.IsZero() && r.Millis >= q.To.UnixMilli() {
		return
	}
	if until, ok := s.removed[r.Stream]; ok && r.Position.Compare(until.position()) < 0 {
		return
	}
	if count {
		s.scanned.Records++
	}
	if !s.visit(r) {
		s.ended = true
	}
}

// parse reads a record with all its lines.
func (s *scanner) parse(line string) bool {
	r := &s.record
	n := len(timeLayout)
	if len(line) <= n || line[n] != ' ' {
		return false
	}
	var ok bool
	if r.Millis, ok = s.parser.time([]byte(line[:n])); !ok {
		return false
	}
	digits, rest, ok := strings.Cut(line[n+1:], " ")
	if !ok {
		return false
	}
	number, ok := parseNumber([]byte(digits))
	if !ok {
		return false
	}
	if r.Stream, ok = s.streams[number]; !ok {
		return false
	}
	if r.RequestID, r.Message, ok = strings.Cut(rest, " "); !ok {
		return false
	}
	switch r.RequestID {
	case idNone:
		r.RequestID = ""
	case idInText:
		r.RequestID = ""
		if _, id, ok := strings.Cut(r.Message, named); ok {
			if end := strings.IndexAny(id, " \t\n"); end >= 0 {
				id = id[:end]
			}
			r.RequestID = id
		}
	}
	if strings.Contains(r.Message, "\n\t") {
		r.Message = strings.ReplaceAll(r.Message, "\n\t", "\n")
	}
	return true
}

// ErrNoEvent says that a position is that of no event that is left.
var ErrNoEvent = errors.New("no such log event")

// At returns the event at a position.
func (g *Group) At(ctx context.Context, p Position) (Event, error) {
	q := Query{After: Position{p.segment, p.offset - 1}, Before: Position{p.segment, p.offset + 1}}
	for e, err := range g.Events(ctx, q) {
		if err != nil {
			return Event{}, err
		}
		if e.Position == p {
			return e, nil
		}
	}
	return Event{}, ErrNoEvent
}
