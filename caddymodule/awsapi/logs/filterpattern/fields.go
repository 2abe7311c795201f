package filterpattern

import (
	"errors"
	"fmt"
	"strings"
)

// A field is one entry of a pattern for space-delimited events.
type field struct {
	name  string
	match func(string) bool // nil: anything
}

// parseFields reads [name, name = value, ..., name > number].
func parseFields(text string) (func(string) bool, error) {
	inside, found := strings.CutSuffix(text[1:], "]")
	if !found {
		return nil, errors.New("the closing bracket is missing")
	}
	var fields []field
	gap := -1 // where "..." stands for any number of fields
	for _, part := range splitOutside(inside, ',') {
		part = strings.TrimSpace(part)
		if part == "..." {
			if gap >= 0 {
				return nil, errors.New("... may stand there once")
			}
			gap = len(fields)
			continue
		}
		f, err := parseField(part)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return func(message string) bool {
		values := splitEvent(message)
		if len(values) < len(fields) || gap < 0 && len(values) != len(fields) {
			return false
		}
		for i, f := range fields {
			value := values[i]
			if gap >= 0 && i >= gap {
				value = values[len(values)-len(fields)+i]
			}
			if f.match != nil && !f.match(value) {
				return false
			}
		}
		return true
	}, nil
}

// parseField reads "name" or comparisons of it, "name = a || name = b".
func parseField(text string) (field, error) {
	end := strings.IndexAny(text, " \t=!<>")
	if end < 0 {
		end = len(text)
	}
	f := field{name: text[:end]}
	if strings.TrimSpace(text[end:]) == "" {
		return f, nil
	}
	p := &parser{rest: text, atom: func(p *parser) (predicate, error) {
		p.space()
		rest, found := strings.CutPrefix(p.rest, f.name)
		if !found {
			return nil, fmt.Errorf("%.40q: a comparison of %s is expected", p.rest, f.name)
		}
		c, rest, err := cutComparison(rest, "&|)")
		if err != nil {
			return nil, err
		}
		p.rest = rest
		return func(value any) bool { return c.matchText(value.(string)) }, nil
	}}
	match, err := p.whole()
	if err != nil {
		return f, err
	}
	f.match = func(value string) bool { return match(value) }
	return f, nil
}

// splitEvent cuts an event at spaces. Text in quotes or brackets is one field.
func splitEvent(message string) []string {
	var values []string
	for message = strings.TrimLeft(message, " \t\n"); message != ""; message = strings.TrimLeft(message, " \t\n") {
		closing := map[byte]string{'"': `"`, '[': "]"}[message[0]]
		if closing != "" {
			if inside, rest, found := strings.Cut(message[1:], closing); found {
				values = append(values, inside)
				message = rest
				continue
			}
		}
		end := strings.IndexAny(message, " \t\n")
		if end < 0 {
			end = len(message)
		}
		values = append(values, message[:end])
		message = message[end:]
	}
	return values
}

// splitOutside cuts text at separator where it is not in quotes or in a regular
// expression.
func splitOutside(text string, separator byte) []string {
	var parts []string
	start, within := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case within == '"' && c == '\\':
			i++
		case within == 0 && (c == '"' || c == '%'):
			within = c
		case c == within:
			within = 0
		case within == 0 && c == separator:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}
