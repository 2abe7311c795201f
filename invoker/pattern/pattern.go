package pattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// MaxPattern is the longest pattern in bytes.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
const MaxPattern = 4096

// A Pattern is a parsed event pattern. It does not change and may be used by many
// goroutines at once.
type Pattern struct{ root *node }

// A node is what an object of the pattern asks for: all fields, and one of the
// alternatives of $or.
type node struct {
	fields []field
	or     []*node
}

// A field has either children or matchers, of which one has to match.
type field struct {
	name     string
	prefix   string // of names that are parts of its own: "name."
	children *node
	matchers []matcher
}

// Parse reads an event pattern. The error names the field that is wrong.
func Parse(text []byte) (*Pattern, error) {
	if len(text) > MaxPattern {
		return nil, fmt.Errorf("event pattern: %d bytes, at most %d are allowed", len(text), MaxPattern)
	}
	value, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("event pattern: %w", err)
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("event pattern: not a JSON object")
	}
	root, err := parseNode(object)
	if err != nil {
		return nil, fmt.Errorf("event pattern: %w", err)
	}
	return &Pattern{root}, nil
}

func parseNode(object map[string]any) (*node, error) {
	if len(object) == 0 {
		return nil, errors.New("an empty object matches nothing; leave the field out")
	}
	object, err := parted(object)
	if err != nil {
		return nil, err
	}
	n := new(node)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if alternatives := alternatives(name, object[name]); alternatives != nil {
			for i, alternative := range alternatives {
				or, err := parseNode(alternative)
				if err != nil {
					return nil, fmt.Errorf("$or[%d]: %w", i, err)
				}
				n.or = append(n.or, or)
			}
			continue
		}
		f, err := parseField(name, object[name])
		if err != nil {
			return nil, err
		}
		n.fields = append(n.fields, f)
	}
	return n, nil
}

func parseField(name string, value any) (field, error) {
	f := field{name: name, prefix: name + "."}
	switch value := value.(type) {
	case map[string]any:
		children, err := parseNode(value)
		if err != nil {
			return f, fmt.Errorf("%s: %w", name, err)
		}
		f.children = children
	case []any:
		if len(value) == 0 {
			return f, fmt.Errorf("%s: an empty array matches nothing; name a value", name)
		}
		for _, v := range value {
			m, err := parseMatcher(v)
			if err != nil {
				return f, fmt.Errorf("%s: %w", name, err)
			}
			f.matchers = append(f.matchers, m)
		}
	default:
		return f, fmt.Errorf("%s: values are given as an array, as in [%s]", name, inWords(value))
	}
	return f, nil
}

// alternatives returns the objects of a $or, nil where "$or" is the name of a field.
// Event Ruler takes it for the operator only with two or more objects, none of which
// has an operator for a field.
func alternatives(name string, value any) []map[string]any {
	array, ok := value.([]any)
	if name != "$or" || !ok || len(array) < 2 {
		return nil
	}
	var objects []map[string]any
	for _, v := range array {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		for name := range object {
			if isOperator(name) {
				return nil
			}
		}
		objects = append(objects, object)
	}
	return objects
}

// Match says whether the event, a JSON text, matches. An event that is not JSON is an
// error.
func (p *Pattern) Match(event []byte) (bool, error) {
	value, err := Decode(event)
	if err != nil {
		return false, err
	}
	return p.MatchValue(value), nil
}

// Decode reads an event, a JSON text, for MatchValue.
func Decode(event []byte) (any, error) {
	value, err := decode(event)
	if err != nil {
		return nil, fmt.Errorf("matching an event: %w", err)
	}
	return value, nil
}

// MatchValue says whether an event matches that Decode has read.
func (p *Pattern) MatchValue(event any) bool { return p.root.match(event) }

// absent stands for a field that an event does not have.
type absent struct{}

func (n *node) match(value any) bool {
	switch v := value.(type) {
	case []any:
		if len(v) > 0 {
			return slices.ContainsFunc(v, n.match)
		}
	case text:
		return false
	case document:
		return n.match(v.value)
	}
	object, _ := value.(map[string]any)
	dots := hasDots(object)
	for i := range n.fields {
		if f := &n.fields[i]; !f.match(lookup(object, f, dots)) {
			return false
		}
	}
	return len(n.or) == 0 || slices.ContainsFunc(n.or, func(or *node) bool { return or.match(value) })
}

func (f *field) match(value any) bool {
	if f.children != nil {
		return f.children.match(value)
	}
	switch v := value.(type) {
	case []any:
		if len(v) > 0 {
			return slices.ContainsFunc(v, f.match)
		}
		value = absent{}
	case text:
		value = string(v)
	case document:
		return false
	case map[string]any:
		// Only leaves can be matched: an object is as good as nothing here.
		value = absent{}
	}
	return slices.ContainsFunc(f.matchers, func(m matcher) bool { return m(value) })
}

func decode(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not JSON: something follows the value")
	}
	return value, nil
}

// inWords writes a value of a pattern into an error.
func inWords(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(b)
}
