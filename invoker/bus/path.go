package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A path is a JSON path in dot notation: $, $.detail.list[0].name. A step is a name or an index.
type path []any

// maxSteps bounds how deep a path goes.
const maxSteps = 100

// parsePath reads a path.
func parsePath(text string) (path, error) {
	rest, found := strings.CutPrefix(text, "$")
	if !found {
		return nil, fmt.Errorf("%q does not begin with $", text)
	}
	var p path
	for rest != "" {
		if len(p) == maxSteps {
			return nil, fmt.Errorf("%q has more than %d steps", text, maxSteps)
		}
		switch rest[0] {
		case '.':
			end := strings.IndexAny(rest[1:], ".[]") + 1
			if end == 0 {
				end = len(rest)
			}
			name := rest[1:end]
			if name == "" || name == "*" {
				return nil, fmt.Errorf("%q: there is no name behind a dot", text)
			}
			p, rest = append(p, name), rest[end:]
		case '[':
			index, after, found := strings.Cut(rest[1:], "]")
			n, err := strconv.Atoi(index)
			if !found || err != nil || n < 0 {
				return nil, fmt.Errorf("%q: in brackets stands the number of an element", text)
			}
			p, rest = append(p, n), after
		default:
			return nil, fmt.Errorf("%q is no path such as $.detail.list[0]", text)
		}
	}
	return p, nil
}

// find is the value at the path.
func (p path) find(value any) (any, bool) {
	for _, step := range p {
		switch at := step.(type) {
		case string:
			object, ok := value.(map[string]any)
			if !ok {
				return nil, false
			}
			if value, ok = object[at]; !ok {
				return nil, false
			}
		case int:
			list, ok := value.([]any)
			if !ok || at >= len(list) {
				return nil, false
			}
			value = list[at]
		}
	}
	return value, true
}

// decode reads an event, with its numbers as they were written.
func decode(event []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(event))
	d.UseNumber()
	err = d.Decode(&value)
	return value, err
}

// encode writes a value that decode has read.
func encode(value any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // it was JSON
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}
