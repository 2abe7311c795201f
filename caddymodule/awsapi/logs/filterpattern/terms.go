package filterpattern

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// parseTerms reads a pattern for text. All plain terms must occur in the text. Of the terms
// with "?" at least one must occur. Terms with "-" must not occur. As on AWS, "?" terms have no
// effect beside a plain term.
func parseTerms(text string) (func(string) bool, error) {
	var all, any, none []func(string) bool
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		list := &all
		switch text[0] {
		case '?':
			list, text = &any, text[1:]
		case '-':
			list, text = &none, text[1:]
		}
		term, rest, err := cutTerm(text)
		if err != nil {
			return nil, err
		}
		*list = append(*list, term)
		text = rest
	}
	return func(message string) bool {
		for _, term := range none {
			if term(message) {
				return false
			}
		}
		for _, term := range all {
			if !term(message) {
				return false
			}
		}
		if len(all) > 0 || len(any) == 0 {
			return true
		}
		for _, term := range any {
			if term(message) {
				return true
			}
		}
		return false
	}, nil
}

// cutTerm reads one term: a word, a quoted phrase, or a regular expression.
func cutTerm(text string) (term func(string) bool, rest string, err error) {
	if text == "" {
		return nil, "", errors.New("a term is missing at the end")
	}
	switch text[0] {
	case '"':
		phrase, rest, err := cutQuoted(text)
		return contains(phrase), rest, err
	case '%':
		expression, rest, err := cutRegexp(text)
		if err != nil {
			return nil, "", err
		}
		return expression.MatchString, rest, nil
	}
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		end = len(text)
	}
	word := text[:end]
	for _, c := range word {
		// Text with characters that no word has must be in quotes.
		if c < 0x80 && !strings.ContainsRune("_.:/-@#$&*+=<>!~^,;()'|", c) && !isWord(c) {
			return nil, "", fmt.Errorf("%q: put a term with %q into double quotes", word, c)
		}
	}
	return contains(word), text[end:], nil
}

func isWord(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func contains(text string) func(string) bool {
	return func(message string) bool { return strings.Contains(message, text) }
}

// cutQuoted reads a phrase in double quotes; a backslash takes the next character
// as it is.
func cutQuoted(text string) (phrase, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], nil
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("%s: the closing quote is missing", text)
}

// cutRegexp reads an expression between percent signs. RE2's syntax has all that
// CloudWatch supports.
func cutRegexp(text string) (*regexp.Regexp, string, error) {
	expression, rest, found := strings.Cut(text[1:], "%")
	if !found || expression == "" {
		return nil, "", fmt.Errorf("%s: a regular expression stands between two percent signs", text)
	}
	compiled, err := regexp.Compile(expression)
	return compiled, rest, err
}
