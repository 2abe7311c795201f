package insights

import (
	"encoding/json"
	"strings"
)

// jsonField finds a field in the first object of a message. A path names what is in objects by
// dots, and what is in lists by its index. Keys may have dots themselves. It reads no further than
// it must and takes any bytes.
func jsonField(message, path string) value {
	i := strings.IndexByte(message, '{')
	if i < 0 {
		return value{}
	}
	s := scan{text: message, at: i}
	return s.value(path, 0)
}

// maxJSONDepth bounds how deep objects are looked into.
const maxJSONDepth = 64

type scan struct {
	text string
	at   int
	bad  bool
}

func (s *scan) space() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	s.bad = true
	return 0
}

// value reads a value and finds what path leads to in it; the path "" is the value itself.
func (s *scan) value(path string, depth int) value {
	if path == "" {
		return s.leaf()
	}
	open := s.space()
	if open != '{' && open != '[' || depth > maxJSONDepth {
		s.skip()
		return value{}
	}
	s.at++
	for index := 0; !s.bad; index++ {
		c := s.space()
		if c == '}' || c == ']' {
			s.at++
			return value{}
		}
		rest, ours := "", false
		if open == '{' {
			key := s.string()
			if s.bad || s.space() != ':' {
				s.bad = true
				return value{}
			}
			s.at++
			rest, ours = below(path, key)
		} else {
			rest, ours = belowIndex(path, index)
		}
		if ours {
			if v := s.value(rest, depth+1); v.kind != none || s.bad {
				return v
			}
		} else {
			s.skip()
		}
		switch s.space() {
		case ',':
			s.at++
		case '}', ']':
		default:
			s.bad = true
		}
	}
	return value{}
}

// below is what is left of a path behind a key.
func below(path, key string) (string, bool) {
	rest, ok := strings.CutPrefix(path, key)
	if !ok || rest == "" {
		return "", ok
	}
	if rest[0] != '.' || len(rest) == 1 {
		return "", false
	}
	return rest[1:], true
}

func belowIndex(path string, index int) (string, bool) {
	n, digits := 0, 0
	for digits < len(path) && digits < 9 && path[digits] >= '0' && path[digits] <= '9' {
		n = n*10 + int(path[digits]-'0')
		digits++
	}
	if digits == 0 || n != index {
		return "", false
	}
	return below(path, path[:digits])
}

// string reads a string; one with escapes is decoded.
func (s *scan) string() string {
	if s.at >= len(s.text) || s.text[s.at] != '"' {
		s.bad = true
		return ""
	}
	start := s.at
	escaped := s.skipString()
	if s.bad {
		return ""
	}
	if !escaped {
		return s.text[start+1 : s.at-1]
	}
	var decoded string
	if json.Unmarshal([]byte(s.text[start:s.at]), &decoded) != nil {
		s.bad = true
	}
	return decoded
}

// skipString reports whether the string has escapes.
func (s *scan) skipString() (escaped bool) {
	s.at++
	for {
		i := strings.IndexByte(s.text[s.at:], '"')
		if i < 0 {
			s.bad = true
			return escaped
		}
		end := s.at + i
		slashes := 0
		for end-slashes-1 >= s.at && s.text[end-slashes-1] == '\\' {
			slashes++
		}
		escaped = escaped || slashes > 0 || strings.IndexByte(s.text[s.at:end], '\\') >= 0
		s.at = end + 1
		if slashes%2 == 0 {
			return escaped
		}
	}
}

// leaf reads a value as a field has it.
func (s *scan) leaf() value {
	c := s.space()
	start := s.at
	switch c {
	case '"':
		text := s.string()
		if s.bad {
			return value{}
		}
		return textOf(text)
	case '{', '[':
		s.skip()
		if s.bad {
			return value{}
		}
		return textOf(s.text[start:s.at])
	}
	s.skip()
	switch word := s.text[start:s.at]; word {
	case "true", "false":
		return booleanOf(word == "true")
	case "null", "":
		return value{}
	default:
		if _, ok := parseNumber(word); !ok {
			s.bad = true
			return value{}
		}
		return textOf(word) // as it is written
	}
}

// skip passes one value.
func (s *scan) skip() {
	switch s.space() {
	case '"':
		s.skipString()
	case '{', '[':
		depth := 0
		for s.at < len(s.text) && !s.bad {
			switch s.text[s.at] {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
				if depth == 0 {
					s.at++
					return
				}
			case '"':
				s.skipString()
				continue
			}
			s.at++
		}
		s.bad = true
	default:
		for s.at < len(s.text) && strings.IndexByte(",]} \t\r\n", s.text[s.at]) < 0 {
			s.at++
		}
	}
}
