package logs

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

const (
	timeLayout = "2006-01-02T15:04:05.000Z"
	named      = "RequestId: " // stands before the request ID in Lambda's own lines
	idNone     = "-"
	idInText   = "*"
)

// maxLateness is how late a record may come and still be given the time of the
// one before.
const maxLateness = 1000 // milliseconds

// A clock writes the times of a group's records: in order, and with no more than
// three digits to format for each but the first of a second.
type clock struct {
	millis int64 // of the current record
	second int64 // that prefix is for
	prefix [len(timeLayout) - len("000Z")]byte
}

func (c *clock) set(t time.Time) {
	millis := max(0, t.UnixMilli())
	if millis < c.millis && c.millis-millis <= maxLateness {
		return
	}
	c.millis = millis
	if second := millis / 1000; second != c.second || c.prefix[0] == 0 {
		c.second = second
		time.Unix(second, 0).UTC().AppendFormat(c.prefix[:0], timeLayout[:len(c.prefix)])
	}
}

func (c *clock) append(dst []byte) []byte {
	ms := c.millis % 1000
	dst = append(dst, c.prefix[:]...)
	return append(dst, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

// appendStream appends the line that gives a stream its number.
func appendStream(dst []byte, number uint64, name string) []byte {
	dst = append(dst, "# "...)
	dst = strconv.AppendUint(dst, number, 10)
	dst = append(dst, ' ')
	dst = append(dst, name...)
	return append(dst, '\n')
}

// appendHead appends what is between the time and the text of a record. A
// request ID that would break the record is left out; ours are UUIDs.
func appendHead(dst []byte, stream uint64, requestID string, from source) []byte {
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, stream, 10)
	dst = append(dst, ' ')
	switch {
	case from == inText:
		dst = append(dst, idInText...)
	case requestID == "" || strings.IndexByte(requestID, ' ') >= 0 || strings.IndexByte(requestID, '\n') >= 0:
		dst = append(dst, idNone...)
	default:
		dst = append(dst, requestID...)
	}
	return append(dst, ' ')
}

// appendText appends the text of a record, its further lines behind a tab.
func appendText(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			dst = append(dst, text...)
			return append(dst, '\n')
		}
		dst = append(dst, text[:i+1]...)
		dst = append(dst, '\t')
		text = text[i+1:]
	}
}

func appendMissing(dst []byte, lines int) []byte {
	dst = append(dst, "hearth: "...)
	dst = strconv.AppendInt(dst, int64(lines), 10)
	return append(dst, " log lines of this function are missing here, the disk did not take them"...)
}

// A record is the first line of one, taken apart.
type record struct {
	millis    int64
	stream    uint64
	requestID []byte
	text      []byte // without the line feed
}

// A recordParser parses first lines of records.
type recordParser struct {
	prefix [len(timeLayout) - len("000Z")]byte // of the last time that was parsed
	base   int64                               // its Unix milliseconds
}

// parse splits line, which has no line feed. The result points into line.
func (p *recordParser) parse(line []byte) (record, bool) {
	var r record
	if len(line) <= len(timeLayout) || line[len(timeLayout)] != ' ' {
		return r, false
	}
	var ok bool
	if r.millis, ok = p.time(line[:len(timeLayout)]); !ok {
		return r, false
	}
	number, rest, ok := bytes.Cut(line[len(timeLayout)+1:], []byte(" "))
	if !ok {
		return r, false
	}
	if r.stream, ok = parseNumber(number); !ok {
		return r, false
	}
	if r.requestID, r.text, ok = bytes.Cut(rest, []byte(" ")); !ok {
		return r, false
	}
	switch string(r.requestID) {
	case idNone:
		r.requestID = nil
	case idInText:
		r.requestID = nil
		if _, id, ok := bytes.Cut(r.text, []byte(named)); ok {
			if end := bytes.IndexAny(id, " \t"); end >= 0 {
				id = id[:end]
			}
			r.requestID = id
		}
	}
	return r, true
}

func (p *recordParser) time(b []byte) (int64, bool) {
	n := len(p.prefix)
	if !bytes.Equal(b[:n], p.prefix[:]) {
		t, err := time.Parse(timeLayout[:n-1], string(b[:n-1])) // the dot is no part of a layout's end
		if err != nil || b[n-1] != '.' {
			return 0, false
		}
		copy(p.prefix[:], b)
		p.base = t.UnixMilli()
	}
	var ms int64
	for _, c := range b[n : n+3] {
		if c < '0' || c > '9' {
			return 0, false
		}
		ms = ms*10 + int64(c-'0')
	}
	return p.base + ms, b[n+3] == 'Z'
}

// parseStream takes a line that gives a stream its number apart.
func parseStream(line []byte) (number uint64, name []byte, ok bool) {
	digits, name, ok := bytes.Cut(bytes.TrimPrefix(line, []byte("# ")), []byte(" "))
	if !ok {
		return 0, nil, false
	}
	number, ok = parseNumber(digits)
	return number, name, ok
}

func parseNumber(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}
