package pattern

import (
	"errors"
	"strings"
)

// A wildcard is the literal texts between the asterisks, at least one.
type wildcard []string

func parseWildcard(s string) (wildcard, error) {
	var w wildcard
	var literal strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '*':
			if i > 0 && s[i-1] == '*' && (len(w) > 0 && literal.Len() == 0) {
				return nil, errors.New("two * in a row; one says the same")
			}
			w = append(w, literal.String())
			literal.Reset()
		case '\\':
			i++
			if i == len(s) || s[i] != '*' && s[i] != '\\' {
				return nil, errors.New(`a \ stands before * or \ only`)
			}
			literal.WriteByte(s[i])
		default:
			literal.WriteByte(c)
		}
	}
	return append(w, literal.String()), nil
}

// match takes each literal at its first place, which is enough when asterisks are the
// only operator: time grows with the text, never with its combinations.
func (w wildcard) match(s string) bool {
	if len(w) == 1 {
		return s == w[0]
	}
	s, ok := strings.CutPrefix(s, w[0])
	if !ok {
		return false
	}
	for _, literal := range w[1 : len(w)-1] {
		_, after, ok := strings.Cut(s, literal)
		if !ok {
			return false
		}
		s = after
	}
	return strings.HasSuffix(s, w[len(w)-1])
}
