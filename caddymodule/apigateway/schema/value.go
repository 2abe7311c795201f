package schema

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// maxDigits and maxExponent bound the numbers that are counted with exactly: 1e999999999 would
// have as many digits. Others count as the nearest float64. longest and largest bound those of
// models.
const (
	maxDigits   = 64
	maxExponent = 40
	longest     = 1000
	largest     = 400
)

// small says whether a number is one of those.
func small(n json.Number) bool { return within(n, maxDigits, maxExponent) }

func within(n json.Number, digits, most int) bool {
	if len(n) > digits {
		return false
	}
	at := strings.IndexAny(string(n), "eE")
	if at < 0 {
		return true
	}
	exponent, err := strconv.Atoi(strings.TrimPrefix(string(n[at+1:]), "+"))
	return err == nil && exponent >= -most && exponent <= most
}

// rat is the value of a number. ok is false if it is larger than all float64.
func rat(n json.Number) (r *big.Rat, ok bool) {
	if small(n) {
		return new(big.Rat).SetString(string(n))
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return nil, false
	}
	return new(big.Rat).SetFloat64(f), true
}

// number says what is wrong with a number.
func (n *node) number(value json.Number) string {
	if n.minimum == nil && n.maximum == nil && n.above == nil && n.below == nil && n.multiple == nil {
		return ""
	}
	r, ok := rat(value)
	switch {
	case !ok:
		return "numeric instance is out of range"
	case n.minimum != nil && r.Cmp(n.minimum) < 0, n.above != nil && r.Cmp(n.above) <= 0:
		return "numeric instance is lower than the required minimum"
	case n.maximum != nil && r.Cmp(n.maximum) > 0, n.below != nil && r.Cmp(n.below) >= 0:
		return "numeric instance is greater than the required maximum"
	case n.multiple != nil && !new(big.Rat).Quo(r, n.multiple).IsInt():
		return "numeric instance is not divisible by multipleOf"
	}
	return ""
}

func kindOf(value any) kind {
	switch value := value.(type) {
	case nil:
		return null
	case bool:
		return boolean
	case map[string]any:
		return object
	case []any:
		return array
	case string:
		return text
	case json.Number:
		if strings.ContainsAny(string(value), ".eE") {
			if r, ok := rat(value); !ok || !r.IsInt() {
				return number
			}
		}
		return integer
	}
	return 0
}

func nameOfKind(k kind) string {
	for name, of := range kinds {
		if of == k {
			return name
		}
	}
	return "number"
}

// canonical is one text for all ways to write a value.
func canonical(value any) string {
	c := check{left: int(^uint(0) >> 1)}
	text, _ := c.canonical(value)
	return text
}

// canonical spends a step for each value and for 16 bytes of text. ok is false if there are none
// left.
func (c *check) canonical(value any) (string, bool) {
	var b strings.Builder
	ok := c.write(&b, value)
	return b.String(), ok
}

func (c *check) write(b *strings.Builder, value any) bool {
	if !c.spend(1) {
		return false
	}
	switch value := value.(type) {
	case nil:
		b.WriteByte('n')
	case bool:
		b.WriteString(strconv.FormatBool(value))
	case string:
		if !c.spend(len(value) / 16) {
			return false
		}
		b.WriteString(strconv.Quote(value))
	case json.Number:
		if small(value) {
			r, _ := rat(value)
			b.WriteString(r.RatString())
			return true
		}
		f, _ := value.Float64() // out of range, it is infinite
		b.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
	case []any:
		b.WriteByte('[')
		for _, v := range value {
			if !c.write(b, v) {
				return false
			}
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(value)) {
			b.WriteString(strconv.Quote(name))
			b.WriteByte(':')
			if !c.write(b, value[name]) {
				return false
			}
			b.WriteByte(',')
		}
		b.WriteByte('}')
	}
	return true
}
