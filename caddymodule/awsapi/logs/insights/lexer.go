package insights

import (
	"fmt"
	"strings"
)

// A SyntaxError says what is wrong with a query and where.
type SyntaxError struct {
	Message    string
	Start, End int // characters from the beginning of the query
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s (characters %d to %d)", e.Message, e.Start, e.End)
}

type tokenKind uint8

const (
	endToken tokenKind = iota
	nameToken
	quotedName // within backquotes
	numberToken
	textToken
	regexToken
	symbolToken
)

type token struct {
	kind       tokenKind
	text       string // without quotes
	start, end int    // bytes
}

// describe is the token in an error message.
func (t token) describe() string {
	if t.kind == endToken {
		return "the end of the query"
	}
	return fmt.Sprintf("%.64q", t.text)
}

// A lexer cuts a query into tokens. Whether "/" divides or begins a regular expression depends on
// what is before it.
type lexer struct {
	query string
	at    int
	last  token
}

func (l *lexer) fail(start, end int, format string, args ...any) error {
	return &SyntaxError{fmt.Sprintf(format, args...), len([]rune(l.query[:start])), len([]rune(l.query[:end]))}
}

func (l *lexer) next() (token, error) {
	t, err := l.scan()
	l.last = t
	return t, err
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '@' || c == '.' || c == '$' || c >= 0x80
}

var symbols = []string{"!=", "<=", ">=", "=~", "==", "|", ",", "(", ")", "[", "]", "=", "<", ">", "+", "-", "*", "/", "^", "%", "!"}

func (l *lexer) scan() (token, error) {
	for l.at < len(l.query) {
		switch c := l.query[l.at]; {
		case c == ' ', c == '\t', c == '\n', c == '\r':
			l.at++
		case c == '#':
			if i := strings.IndexByte(l.query[l.at:], '\n'); i >= 0 {
				l.at += i
			} else {
				l.at = len(l.query)
			}
		default:
			return l.token(c)
		}
	}
	return token{endToken, "", l.at, l.at}, nil
}

func (l *lexer) token(c byte) (token, error) {
	start := l.at
	switch {
	case c == '"' || c == '\'' || c == '`':
		return l.quoted(c)
	case c == '/' && l.expectsValue():
		return l.regex()
	case c >= '0' && c <= '9' || c == '.' && l.at+1 < len(l.query) && l.query[l.at+1] >= '0' && l.query[l.at+1] <= '9':
		return l.number()
	case isNameByte(c):
		for l.at < len(l.query) && isNameByte(l.query[l.at]) {
			l.at++
		}
		return token{nameToken, l.query[start:l.at], start, l.at}, nil
	}
	for _, s := range symbols {
		if strings.HasPrefix(l.query[start:], s) {
			l.at += len(s)
			if s == "==" {
				s = "="
			}
			return token{symbolToken, s, start, l.at}, nil
		}
	}
	return token{}, l.fail(start, start+1, "unexpected character %q", c)
}

// expectsValue reports whether a value may come next, so that "/" divides nothing.
func (l *lexer) expectsValue() bool {
	switch l.last.kind {
	case nameToken:
		switch strings.ToLower(l.last.text) {
		case "like", "parse", "and", "or", "not", "in", "filter":
			return true
		}
		// parse FIELD /.../: the parser says so.
		return false
	case symbolToken:
		return l.last.text != ")" && l.last.text != "]" && l.last.text != "*"
	case endToken:
		return true
	}
	return false
}

func (l *lexer) quoted(quote byte) (token, error) {
	start := l.at
	var b strings.Builder
	for i := start + 1; i < len(l.query); i++ {
		c := l.query[i]
		switch {
		case c == quote:
			l.at = i + 1
			kind := textToken
			if quote == '`' {
				kind = quotedName
			}
			return token{kind, b.String(), start, l.at}, nil
		case c == '\\' && quote != '`' && i+1 < len(l.query):
			i++
			switch next := l.query[i]; next {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case '"', '\'', '\\', '/':
				b.WriteByte(next)
			default: // an escape of a regular expression
				b.WriteByte('\\')
				b.WriteByte(next)
			}
		default:
			b.WriteByte(c)
		}
	}
	return token{}, l.fail(start, len(l.query), "a text that begins with %c has no end", quote)
}

func (l *lexer) regex() (token, error) {
	start := l.at
	var b strings.Builder
	for i := start + 1; i < len(l.query); i++ {
		switch c := l.query[i]; {
		case c == '\\' && i+1 < len(l.query):
			i++
			if l.query[i] != '/' {
				b.WriteByte('\\')
			}
			b.WriteByte(l.query[i])
		case c == '/':
			l.at = i + 1
			return token{regexToken, b.String(), start, l.at}, nil
		default:
			b.WriteByte(c)
		}
	}
	return token{}, l.fail(start, len(l.query), "a regular expression that begins with / has no end")
}

// number also takes the unit of a period: 5m, 30s.
func (l *lexer) number() (token, error) {
	start := l.at
	for l.at < len(l.query) && isNameByte(l.query[l.at]) {
		c := l.query[l.at]
		l.at++
		if (c == 'e' || c == 'E') && l.at < len(l.query) && (l.query[l.at] == '-' || l.query[l.at] == '+') {
			l.at++
		}
	}
	return token{numberToken, l.query[start:l.at], start, l.at}, nil
}
