package logs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// An Event is one event of a log group.
type Event struct {
	Time      time.Time // to the millisecond
	Stream    string    // name of the log stream
	RequestID string    // of the invocation that it belongs to; "" for none
	Message   string    // with the line feed at its end that Lambda's events have
	Position  Position  // unlike those of all other events of the group
}

// ID is unique within a group, and of 56 digits as CloudWatch's. `aws logs tail --follow` tells
// by it which events it has seen.
func (e *Event) ID() string {
	return fmt.Sprintf("%056s", strings.ReplaceAll(e.Position.String(), ".", ""))
}

// A decoder reads the events of a segment. It takes any bytes: what is no record
// is skipped, and the last line when it has no line feed.
type decoder struct {
	lines   *bufio.Reader
	offset  int64 // of the next line
	parser  recordParser
	streams map[uint64]string
	long    []byte // a line that is longer than the reader's buffer
	last    []byte // the last line of the reader's buffer
	text    []byte // of an event
}

// An entry is an event as the decoder reads it; its slices live until the next.
type entry struct {
	record
	offset int64 // of its record in the segment
	name   string
}

func newDecoder(r io.Reader) *decoder {
	return &decoder{
		lines:   bufio.NewReaderSize(r, batchSize),
		streams: make(map[uint64]string),
	}
}

// next returns the next event, or io.EOF; after that it can be asked again, when
// the segment has grown by whole records.
func (d *decoder) next() (entry, error) {
	for {
		e := entry{offset: d.offset}
		line, err := d.line()
		if err != nil {
			return e, err
		}
		if d.lines.Buffered() == 0 {
			// Looking for a further line below fills the buffer that line is in.
			d.last = append(d.last[:0], line...)
			line = d.last
		}
		if len(line) > 0 && line[0] == '#' {
			if number, name, ok := parseStream(line); ok {
				d.streams[number] = string(name)
			}
			continue
		}
		var ok bool
		if e.record, ok = d.parser.parse(line); !ok {
			continue
		}
		if e.name, ok = d.streams[e.stream]; !ok {
			continue
		}
		if next, err := d.lines.Peek(1); err == nil && next[0] == '\t' {
			if err := d.more(&e); err != nil {
				return e, err
			}
		}
		return e, nil
	}
}

// more reads the further lines of e's text.
func (d *decoder) more(e *entry) error {
	// The first line is overwritten by reading the next, the request ID with it.
	e.requestID = append([]byte(nil), e.requestID...)
	d.text = append(d.text[:0], e.record.text...)
	for {
		next, err := d.lines.Peek(1)
		if err != nil || next[0] != '\t' {
			break
		}
		line, err := d.line()
		if err == io.EOF {
			break // torn
		}
		if err != nil {
			return err
		}
		if len(d.text)+len(line) <= MaxLine {
			d.text = append(d.text, '\n')
			d.text = append(d.text, line[1:]...)
		}
	}
	e.record.text = d.text
	return nil
}

// line returns the next line without its line feed, io.EOF where there is no
// whole one. A line that is longer than any of ours comes cut.
func (d *decoder) line() ([]byte, error) {
	const longest = MaxLine + 1024
	d.long = d.long[:0]
	for {
		part, err := d.lines.ReadSlice('\n')
		d.offset += int64(len(part))
		switch {
		case err == nil && len(d.long) == 0:
			return part[:len(part)-1], nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		if len(d.long)+len(part) <= longest {
			d.long = append(d.long, part...)
		}
		if err == nil {
			if n := len(d.long); d.long[n-1] == '\n' {
				return d.long[:n-1], nil
			}
			return d.long, nil
		}
	}
}

func (e *entry) event(segment int64) Event {
	return Event{
		Time:      time.UnixMilli(e.millis).UTC(),
		Stream:    e.name,
		RequestID: string(e.requestID),
		Message:   string(e.record.text) + "\n",
		Position:  Position{segment, e.offset},
	}
}
