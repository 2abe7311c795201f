package filterpattern

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A comparison is what a field is compared with: an operator and a value.
type comparison struct {
	operator string // =, !=, <, <=, >, >=
	text     string
	wildcard *regexp.Regexp // of a text with asterisks, or an expression
	number   float64
	isNumber bool
}

// operators, the longer ones before their beginnings.
var operators = []string{"!=", "<=", ">=", "=", "<", ">"}

func cutOperator(text string) (operator, rest string) {
	for _, o := range operators {
		if rest, found := strings.CutPrefix(text, o); found {
			return o, rest
		}
	}
	return "", text
}

// cutComparison reads an operator and the value behind it, which ends before any
// of stop.
func cutComparison(text, stop string) (c comparison, rest string, err error) {
	operator, text := cutOperator(strings.TrimSpace(text))
	if operator == "" {
		return c, "", fmt.Errorf("%.40q: one of = != < <= > >= is expected", text)
	}
	c.operator = operator
	text = strings.TrimSpace(text)
	quoted := false
	switch {
	case text == "":
		return c, "", fmt.Errorf("a value is missing after %s", operator)
	case text[0] == '"':
		quoted = true
		if c.text, rest, err = cutQuoted(text); err != nil {
			return c, "", err
		}
	case text[0] == '%':
		if c.wildcard, rest, err = cutRegexp(text); err != nil {
			return c, "", err
		}
	default:
		end := strings.IndexAny(text, " \t"+stop)
		if end < 0 {
			end = len(text)
		}
		c.text, rest = text[:end], text[end:]
		if c.text == "" {
			return c, "", fmt.Errorf("a value is missing after %s", operator)
		}
	}
	if c.number, err = strconv.ParseFloat(c.text, 64); err == nil && !quoted {
		c.isNumber = true
	}
	if c.wildcard == nil && !c.isNumber && strings.Contains(c.text, "*") {
		parts := strings.Split(c.text, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		c.wildcard = regexp.MustCompile("^(?s:" + strings.Join(parts, ".*") + ")$")
	}
	if operator != "=" && operator != "!=" && !c.isNumber {
		return c, "", fmt.Errorf("%s compares numbers, %q is none", operator, c.text)
	}
	return c, rest, nil
}

// matchText compares a field that is text.
func (c *comparison) matchText(value string) bool {
	if c.isNumber {
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			return c.matchNumber(n)
		}
	}
	equal := value == c.text
	if c.wildcard != nil {
		equal = c.wildcard.MatchString(value)
	}
	switch c.operator {
	case "=":
		return equal
	case "!=":
		return !equal
	}
	return false
}

func (c *comparison) matchNumber(value float64) bool {
	switch c.operator {
	case "=":
		return value == c.number
	case "!=":
		return value != c.number
	case "<":
		return value < c.number
	case "<=":
		return value <= c.number
	case ">":
		return value > c.number
	}
	return value >= c.number
}
