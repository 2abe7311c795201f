package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Selection is a route selection expression of a WebSocket API: text with variables, whose
// value is the key of a message's route. A variable is $request.body.NAME or
// ${request.body.NAME}, where NAME leads through the JSON of the message: action, a.b, list[0].
// \$ is a dollar sign.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
type Selection struct{ parts []selectionPart }

// A selectionPart is text, or a variable if it has a path.
type selectionPart struct {
	text string
	path []any // strings are members, ints are indexes
}

// DefaultSelection is the expression that AWS's own examples have.
const DefaultSelection = "$request.body.action"

const (
	maxSelection = 256 // bytes of an expression
	bodyPrefix   = "request.body."
)

// ParseSelection reads an expression.
func ParseSelection(expression string) (*Selection, error) {
	if expression == "" || len(expression) > maxSelection {
		return nil, fmt.Errorf("route selection expression: it has 1 to %d bytes", maxSelection)
	}
	s := new(Selection)
	var text strings.Builder
	for rest := expression; rest != ""; {
		switch {
		case strings.HasPrefix(rest, `\$`):
			text.WriteByte('$')
			rest = rest[2:]
		case rest[0] == '$':
			name, after, err := cutVariable(rest[1:])
			if err == nil {
				var path []any
				if path, err = bodyPath(name); err == nil {
					s.parts = append(s.parts, selectionPart{text: text.String()}, selectionPart{path: path})
				}
			}
			if err != nil {
				return nil, fmt.Errorf("route selection expression %q: %w", expression, err)
			}
			text.Reset()
			rest = after
		default:
			text.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	s.parts = append(s.parts, selectionPart{text: text.String()})
	return s, nil
}

// cutVariable cuts the name of a variable off, with or without braces.
func cutVariable(rest string) (name, after string, err error) {
	if strings.HasPrefix(rest, "{") {
		name, after, found := strings.Cut(rest[1:], "}")
		if !found {
			return "", "", errors.New("a brace is not closed")
		}
		return name, after, nil
	}
	end := strings.IndexFunc(rest, func(c rune) bool {
		return c != '.' && c != '_' && c != '-' && c != '[' && c != ']' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
	if end < 0 {
		end = len(rest)
	}
	return rest[:end], rest[end:], nil
}

func bodyPath(name string) (path []any, err error) {
	below, found := strings.CutPrefix(name, bodyPrefix)
	if !found {
		return nil, fmt.Errorf("$%s is not supported: a message has $request.body.NAME", name)
	}
	for member := range strings.SplitSeq(below, ".") {
		word, indexes, _ := strings.Cut(member, "[")
		if word == "" {
			return nil, fmt.Errorf("$%s: a name between the dots is missing", name)
		}
		path = append(path, word)
		for indexes != "" {
			var digits string
			if digits, indexes, found = strings.Cut(indexes, "]"); !found {
				return nil, fmt.Errorf("$%s: a bracket is not closed", name)
			}
			index, err := strconv.Atoi(digits)
			if err != nil || index < 0 {
				return nil, fmt.Errorf("$%s: [%s] is not supported: a bracket has the index of a list", name, digits)
			}
			path = append(path, index)
			if indexes != "" {
				if indexes, found = strings.CutPrefix(indexes, "["); !found {
					return nil, fmt.Errorf("$%s: a dot is missing after ]", name)
				}
			}
		}
	}
	return path, nil
}

// Key is the route key of a message. ok is false if the message is not JSON, or has not all that
// the expression asks for: then the message is for $default.
func (s *Selection) Key(message []byte) (key string, ok bool) {
	var text strings.Builder
	for n := range s.parts {
		part := &s.parts[n]
		if part.path == nil {
			text.WriteString(part.text)
			continue
		}
		value, ok := lookUp(message, part.path)
		if !ok {
			return "", false
		}
		text.WriteString(value)
	}
	return text.String(), true
}

// lookUp is the string, number or boolean that a path leads to.
func lookUp(message []byte, path []any) (string, bool) {
	raw := json.RawMessage(message)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			var object map[string]json.RawMessage
			if json.Unmarshal(raw, &object) != nil {
				return "", false
			}
			raw = object[step]
		case int:
			var list []json.RawMessage
			if json.Unmarshal(raw, &list) != nil || step >= len(list) {
				return "", false
			}
			raw = list[step]
		}
	}
	if len(raw) == 0 {
		return "", false
	}
	switch raw[0] {
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err == nil
	case 'n', '{', '[':
		return "", false
	}
	return string(raw), true
}
