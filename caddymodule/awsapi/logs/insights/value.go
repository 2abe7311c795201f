package insights

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

type kind uint8

const (
	none kind = iota // the event has no such field
	number
	text
	boolean
	moment // number is Unix milliseconds
	tree   // a map or list of jsonParse
)

// A value is what a field or an expression has.
type value struct {
	kind   kind
	number float64
	text   string
	tree   any
}

func numberOf(n float64) value {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return value{}
	}
	return value{kind: number, number: n}
}

func textOf(s string) value { return value{kind: text, text: s} }

func booleanOf(b bool) value {
	v := value{kind: boolean}
	if b {
		v.number = 1
	}
	return v
}

func momentOf(millis float64) value { return value{kind: moment, number: millis} }

// momentLayout is how Logs Insights writes times, in UTC.
const momentLayout = "2006-01-02 15:04:05.000"

// String is the value as results have it.
func (v value) String() string {
	switch v.kind {
	case number:
		return formatNumber(v.number)
	case text:
		return v.text
	case boolean:
		if v.number != 0 {
			return "1"
		}
		return "0"
	case moment:
		return time.UnixMilli(int64(v.number)).UTC().Format(momentLayout)
	case tree:
		b, err := json.Marshal(v.tree)
		if err != nil {
			return ""
		}
		return string(b)
	}
	return ""
}

// formatNumber writes four decimals at most, as Logs Insights does.
func formatNumber(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e15 {
		return strconv.FormatInt(int64(n), 10)
	}
	if math.Abs(n) >= 1e15 || math.Abs(n) < 0.0001 {
		return strconv.FormatFloat(n, 'G', 6, 64)
	}
	s := strconv.FormatFloat(n, 'f', 4, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// asNumber is the value as a number; text counts that is written as one.
func (v value) asNumber() (float64, bool) {
	switch v.kind {
	case number, boolean, moment:
		return v.number, true
	case text:
		return parseNumber(v.text)
	}
	return 0, false
}

func parseNumber(s string) (float64, bool) {
	if s == "" || len(s) > 40 {
		return 0, false
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9', c == '-', c == '+', c == '.':
	default:
		return 0, false
	}
	if strings.ContainsAny(s, "xX_pPnN") { // Go's own forms
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

func (v value) true() bool { return v.kind == boolean && v.number != 0 }

// clone is the value without a share in the memory of the block that it was read from.
func (v value) clone() value {
	v.text = strings.Clone(v.text)
	return v
}

// size is about how much memory the value takes.
func (v value) size() int {
	n := 56 + len(v.text)
	if v.kind == tree {
		n += 8 * len(v.String())
	}
	return n
}

// compare orders two values: numbers before text, and what is not there last of all.
func compare(a, b value) int {
	if a.kind == none || b.kind == none {
		switch {
		case a.kind == b.kind:
			return 0
		case a.kind == none:
			return 1
		}
		return -1
	}
	x, okX := a.asNumber()
	y, okY := b.asNumber()
	switch {
	case okX && okY:
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case okX:
		return -1
	case okY:
		return 1
	}
	return strings.Compare(a.String(), b.String())
}

// equal is the = of the language.
func equal(a, b value) bool {
	if a.kind == none || b.kind == none {
		return false
	}
	if a.kind == text && b.kind == text {
		if a.text == b.text {
			return true
		}
	}
	x, okX := a.asNumber()
	y, okY := b.asNumber()
	if okX && okY {
		return x == y
	}
	return okX == okY && a.String() == b.String()
}
