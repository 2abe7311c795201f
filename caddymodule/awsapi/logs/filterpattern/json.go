package filterpattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseJSON reads { $.path = value && ... }.
func parseJSON(text string) (func(string) bool, error) {
	inside, found := strings.CutSuffix(text[1:], "}")
	if !found {
		return nil, errors.New("the closing brace is missing")
	}
	p := &parser{rest: inside, atom: parseProperty}
	match, err := p.whole()
	if err != nil {
		return nil, err
	}
	return func(message string) bool {
		var document any
		if json.Unmarshal([]byte(message), &document) != nil {
			return false
		}
		switch document.(type) {
		case map[string]any, []any:
			return match(document)
		}
		return false
	}, nil
}

// parseProperty reads "$.path" and what is said of it.
func parseProperty(p *parser) (predicate, error) {
	p.space()
	path, rest, err := cutPath(p.rest)
	if err != nil {
		return nil, err
	}
	rest = strings.TrimLeft(rest, " \t")
	for _, word := range []struct {
		text string
		says func(values []any) bool
	}{
		{"IS NULL", only(func(v any) bool { return v == nil })},
		{"IS TRUE", only(func(v any) bool { return v == true })},
		{"IS FALSE", only(func(v any) bool { return v == false })},
		{"NOT EXISTS", func(values []any) bool { return len(values) == 0 }},
		{"EXISTS", func(values []any) bool { return len(values) > 0 }},
	} {
		if after, found := strings.CutPrefix(rest, word.text); found {
			p.rest = after
			return func(document any) bool { return word.says(path.values(document)) }, nil
		}
	}
	c, rest, err := cutComparison(rest, "&|)")
	if err != nil {
		return nil, err
	}
	p.rest = rest
	return func(document any) bool {
		return only(c.matchValue)(path.values(document))
	}, nil
}

// only is true if one of the values matches.
func only(is func(any) bool) func([]any) bool {
	return func(values []any) bool {
		for _, v := range values {
			if is(v) {
				return true
			}
		}
		return false
	}
}

func (c *comparison) matchValue(value any) bool {
	switch v := value.(type) {
	case string:
		return c.matchText(v)
	case float64:
		if c.isNumber {
			return c.matchNumber(v)
		}
		return c.matchText(strconv.FormatFloat(v, 'f', -1, 64))
	case bool:
		return c.matchText(strconv.FormatBool(v))
	}
	return false // of null, objects and arrays nothing is equal or not
}

// A step of a path is a member's name, an index, or all entries.
type step struct {
	name  string
	index int // when name is "": -1 for all
}

type path []step

// cutPath reads $.a.b[0].c, $.["a b"], $[*].
func cutPath(text string) (path, string, error) {
	rest, found := strings.CutPrefix(text, "$")
	if !found {
		return nil, "", fmt.Errorf("%.40q: a property begins with $ and a dot", text)
	}
	var p path
	for {
		switch {
		case strings.HasPrefix(rest, "."):
			rest = rest[1:]
			if strings.HasPrefix(rest, "[") {
				continue
			}
			end := strings.IndexAny(rest, " \t.[]=!<>&|)(")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, "", fmt.Errorf("%.40q: a name is missing after the dot", text)
			}
			p = append(p, step{name: rest[:end]})
			rest = rest[end:]
		case strings.HasPrefix(rest, "["):
			inside, after, found := cutBracket(rest)
			if !found {
				return nil, "", fmt.Errorf("%.40q: a bracket is not closed", text)
			}
			rest = after
			if strings.HasPrefix(inside, `"`) {
				name, left, err := cutQuoted(inside)
				if err != nil || left != "" {
					return nil, "", fmt.Errorf("%.40q: no name in quotes", inside)
				}
				p = append(p, step{name: name})
				continue
			}
			index := -1
			if inside != "*" {
				var err error
				if index, err = strconv.Atoi(inside); err != nil || index < 0 {
					return nil, "", fmt.Errorf("[%.40s]: neither a number nor *", inside)
				}
			}
			p = append(p, step{index: index})
		default:
			if len(p) == 0 {
				return nil, "", fmt.Errorf("%.40q: a property is $ with names or indexes after it", text)
			}
			return p, rest, nil
		}
	}
}

// cutBracket cuts at the bracket that closes the first, quotes considered.
func cutBracket(text string) (inside, rest string, found bool) {
	parts := splitOutside(text[1:], ']')
	if len(parts) < 2 {
		return "", "", false
	}
	return strings.TrimSpace(parts[0]), text[1+len(parts[0])+1:], true
}

// values are the values that the path leads to.
func (p path) values(document any) []any {
	at := []any{document}
	for _, s := range p {
		var next []any
		for _, v := range at {
			switch v := v.(type) {
			case map[string]any:
				if s.name != "" {
					if member, found := v[s.name]; found {
						next = append(next, member)
					}
				}
			case []any:
				switch {
				case s.name != "":
				case s.index < 0:
					next = append(next, v...)
				case s.index < len(v):
					next = append(next, v[s.index])
				}
			}
		}
		at = next
	}
	return at
}
