package apigateway

import "strings"

// A query is a query string, decoded and grouped by name.
type query struct {
	pairs []pair
}

// A pair is one name and value. All pairs of one name are a chain from the first
// of them; the others have isMore set.
type pair struct {
	name, value string
	next        int // index of the next pair of that name, 0: none
	isMore      bool
}

// manyPairs is how many pairs are grouped by comparing them all. More go through
// a map: the client decides how many there are.
const manyPairs = 16

// parseQuery reads a raw query string into buf. Whatever is no valid escape
// stands for itself, and a semicolon separates nothing, as in AWS.
func parseQuery(raw string, buf []pair) query {
	q := query{pairs: buf[:0]}
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		q.pairs = append(q.pairs, pair{name: unescape(name, true), value: unescape(value, true)})
	}
	q.group()
	return q
}

// QueryValues are the values that events have under a name of a raw query string, in order.
func QueryValues(raw, name string) (values []string) {
	var buf [manyPairs]pair
	for _, p := range parseQuery(raw, buf[:0]).pairs {
		if p.name == name {
			values = append(values, p.value)
		}
	}
	return values
}

func (q *query) group() {
	if len(q.pairs) > manyPairs {
		last := make(map[string]int, len(q.pairs))
		for i := range q.pairs {
			if before, ok := last[q.pairs[i].name]; ok {
				q.pairs[before].next = i
				q.pairs[i].isMore = true
			}
			last[q.pairs[i].name] = i
		}
		return
	}
	for i := 1; i < len(q.pairs); i++ {
		for before := i - 1; before >= 0; before-- {
			if q.pairs[before].name == q.pairs[i].name {
				q.pairs[before].next = i
				q.pairs[i].isMore = true
				break
			}
		}
	}
}

// appendJoined appends an object with the values of each name joined by commas
// (format 2.0).
func (q *query) appendJoined(dst []byte) []byte {
	return q.appendObject(dst, func(dst []byte, i int) []byte {
		if q.pairs[i].next == 0 {
			return appendString(dst, q.pairs[i].value)
		}
		var joined []byte
		for {
			joined = append(joined, q.pairs[i].value...)
			if i = q.pairs[i].next; i == 0 {
				return appendString(dst, string(joined))
			}
			joined = append(joined, ',')
		}
	})
}

// appendLast appends an object with the last value of each name (format 1.0).
func (q *query) appendLast(dst []byte) []byte {
	return q.appendObject(dst, func(dst []byte, i int) []byte {
		for q.pairs[i].next != 0 {
			i = q.pairs[i].next
		}
		return appendString(dst, q.pairs[i].value)
	})
}

// appendLists appends an object with an array of the values of each name.
func (q *query) appendLists(dst []byte) []byte {
	return q.appendObject(dst, func(dst []byte, i int) []byte {
		dst = append(dst, '[')
		for {
			dst = appendString(dst, q.pairs[i].value)
			if i = q.pairs[i].next; i == 0 {
				return append(dst, ']')
			}
			dst = append(dst, ',')
		}
	})
}

// appendObject appends an object with a member for each name; value appends that
// of the chain which begins at i.
func (q *query) appendObject(dst []byte, value func(dst []byte, i int) []byte) []byte {
	dst = append(dst, '{')
	for i := range q.pairs {
		if q.pairs[i].isMore {
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, q.pairs[i].name)
		dst = append(dst, ':')
		dst = value(dst, i)
	}
	return append(dst, '}')
}

// Unescape decodes the percent-encoding of a path. Whatever is no valid escape stands for
// itself.
func Unescape(path string) string { return unescape(path, false) }

// unescape decodes percent-encoding, and with plus a plus sign to a space.
// Whatever is no valid escape stands for itself.
func unescape(s string, plus bool) string {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s
	}
	decoded := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			decoded = append(decoded, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		case s[i] == '+' && plus:
			decoded = append(decoded, ' ')
		default:
			decoded = append(decoded, s[i])
		}
	}
	return string(decoded)
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func unhex(b byte) byte {
	switch {
	case b <= '9':
		return b - '0'
	case b <= 'F':
		return b - 'A' + 10
	}
	return b - 'a' + 10
}
