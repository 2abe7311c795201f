package apigateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep JSON may be nested, as in encoding/json.
const maxDepth = 10000

// A scanner walks over JSON text (RFC 8259) that is valid UTF-8, and checks it.
type scanner struct {
	data []byte
	pos  int
}

// A value is the text of one JSON value, without the space around it.
type value struct {
	text    []byte // nil: the value is absent
	escaped bool   // a string with a backslash in it
}

// kind is the first byte of the value, which tells its type: one of {["tfn-0...9.
// It is 0 when the value is absent.
func (v value) kind() byte {
	if len(v.text) == 0 {
		return 0
	}
	return v.text[0]
}

// isNull tells whether the value is null or absent.
func (v value) isNull() bool { return v.text == nil || v.text[0] == 'n' }

// str returns what a string value stands for. It is part of the scanned text if
// that has no escapes, and a copy otherwise.
func (v value) str() []byte {
	inner := v.text[1 : len(v.text)-1]
	if !v.escaped {
		return inner
	}
	return unescapeString(make([]byte, 0, len(inner)), inner)
}

// document scans text that is one value with nothing but space around it.
func document(data []byte) (value, error) {
	s := scanner{data: data}
	v, err := s.value(0)
	if err != nil {
		return value{}, err
	}
	if s.space(); s.pos < len(data) {
		return value{}, s.unexpected("after the value")
	}
	return v, nil
}

// members calls member for each member of the object that v is. It has been
// scanned once, so that it is known to be well-formed. The first error of member
// is returned.
func (v value) members(member func(name []byte, v value) error) error {
	s := scanner{data: v.text}
	_, err := s.object(0, member)
	return err
}

// elements calls element for each element of the array that v is, in the way of
// members.
func (v value) elements(element func(v value) error) error {
	s := scanner{data: v.text}
	_, err := s.array(0, element)
	return err
}

// value scans the value at s.pos, past space.
func (s *scanner) value(depth int) (value, error) {
	s.space()
	if s.pos == len(s.data) {
		return value{}, errors.New("it ends too early")
	}
	switch b := s.data[s.pos]; {
	case b == '"':
		return s.string()
	case b == '{':
		return s.object(depth, nil)
	case b == '[':
		return s.array(depth, nil)
	case b == 't':
		return s.literal("true")
	case b == 'f':
		return s.literal("false")
	case b == 'n':
		return s.literal("null")
	case b == '-' || '0' <= b && b <= '9':
		return s.number()
	}
	return value{}, s.unexpected("where a value begins")
}

// object scans an object; member, unless nil, is called for each of its members.
func (s *scanner) object(depth int, member func(name []byte, v value) error) (value, error) {
	return s.list(depth, '}', func() error {
		s.space()
		if s.pos == len(s.data) || s.data[s.pos] != '"' {
			return s.unexpected("where a name begins")
		}
		name, err := s.string()
		if err != nil {
			return err
		}
		if s.space(); s.pos == len(s.data) || s.data[s.pos] != ':' {
			return s.unexpected("where a colon stands")
		}
		s.pos++
		v, err := s.value(depth + 1)
		if err != nil || member == nil {
			return err
		}
		return member(name.str(), v)
	})
}

// array scans an array; element, unless nil, is called for each of its elements.
func (s *scanner) array(depth int, element func(v value) error) (value, error) {
	return s.list(depth, ']', func() error {
		v, err := s.value(depth + 1)
		if err != nil || element == nil {
			return err
		}
		return element(v)
	})
}

// list scans an object or array, whose opening byte is at s.pos; item scans one
// member or element.
func (s *scanner) list(depth int, end byte, item func() error) (value, error) {
	if depth == maxDepth {
		return value{}, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	start := s.pos
	s.pos++
	if s.space(); s.pos < len(s.data) && s.data[s.pos] == end {
		s.pos++
		return value{text: s.data[start:s.pos]}, nil
	}
	for {
		if err := item(); err != nil {
			return value{}, err
		}
		s.space()
		if s.pos == len(s.data) {
			return value{}, errors.New("it ends too early")
		}
		switch s.data[s.pos] {
		case ',':
			s.pos++
		case end:
			s.pos++
			return value{text: s.data[start:s.pos]}, nil
		default:
			return value{}, s.unexpected("where a comma or the end of a list stands")
		}
	}
}

// string scans the string whose opening quote is at s.pos.
func (s *scanner) string() (value, error) {
	start := s.pos
	s.pos++
	escaped := false
	for {
		s.pos += plainPrefix(s.data[s.pos:])
		if s.pos == len(s.data) {
			return value{}, errors.New("it ends within a string")
		}
		switch s.data[s.pos] {
		case '"':
			s.pos++
			return value{text: s.data[start:s.pos], escaped: escaped}, nil
		case '\\':
			escaped = true
			size := escapeSize(s.data[s.pos:])
			if size == 0 {
				return value{}, fmt.Errorf("a wrong escape at byte %d", s.pos)
			}
			s.pos += size
		default:
			return value{}, fmt.Errorf("a control character within a string at byte %d", s.pos)
		}
	}
}

// plainPrefix returns how many bytes of a string come before the first quote,
// backslash or control character.
func plainPrefix(b []byte) int {
	// Eight bytes at a time: the high bit of a byte of found is set if that byte is
	// one of the three. See "Determine if a word has a byte less than n" in Bit
	// Twiddling Hacks; a false alarm in a later byte costs only a closer look.
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, backslash := w^(ones*'"'), w^(ones*'\\')
		found := (w-ones*' ')&^w | (quote-ones)&^quote | (backslash-ones)&^backslash
		if found&highs != 0 {
			break
		}
	}
	for ; n < len(b); n++ {
		if b[n] < ' ' || b[n] == '"' || b[n] == '\\' {
			break
		}
	}
	return n
}

// escapeSize returns the length of the escape that b begins with, 0 if it is none.
func escapeSize(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
			return 6
		}
	}
	return 0
}

// unescapeString appends what s, the scanned inside of a string, stands for. No
// escape is shorter than what it stands for, so dst may be s[:0]. Surrogates
// without their other half become U+FFFD, as in encoding/json.
func unescapeString(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		s = s[i:]
		switch b := s[1]; b {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := unhexRune(s)
			s = s[6:]
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					low = unhexRune(s)
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					s = s[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		default:
			dst = append(dst, b)
		}
		s = s[2:]
	}
}

// unhexRune reads the four digits of the \u escape that s begins with.
func unhexRune(s []byte) rune {
	var r rune
	for _, b := range s[2:6] {
		r = r<<4 | rune(unhex(b))
	}
	return r
}

// number scans the number at s.pos.
func (s *scanner) number() (value, error) {
	start := s.pos
	if s.data[s.pos] == '-' {
		s.pos++
	}
	whole := s.digits()
	if whole == 0 || whole > 1 && s.data[s.pos-whole] == '0' {
		return value{}, fmt.Errorf("a malformed number at byte %d", start)
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if s.digits() == 0 {
			return value{}, fmt.Errorf("a malformed number at byte %d", start)
		}
	}
	if s.pos < len(s.data) && s.data[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return value{}, fmt.Errorf("a malformed number at byte %d", start)
		}
	}
	return value{text: s.data[start:s.pos]}, nil
}

// digits goes past digits and returns how many they are.
func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}

func (s *scanner) literal(word string) (value, error) {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return value{}, s.unexpected("where a value begins")
	}
	start := s.pos
	s.pos += len(word)
	return value{text: s.data[start:s.pos]}, nil
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// unexpected names the byte at s.pos, which stands where something else should.
func (s *scanner) unexpected(where string) error {
	if s.pos == len(s.data) {
		return errors.New("it ends too early")
	}
	return fmt.Errorf("%q at byte %d, %s", s.data[s.pos], s.pos, where)
}
