package pattern

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// EventBridge joins the names on the way to a value by dots, of patterns and of events:
// {"a.b": 1} is {"a": {"b": 1}}.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html#eb-create-pattern-considerations

// parted is an object of a pattern whose names have no dots. EventBridge would take the
// later of two fields with one path; here both are named.
func parted(object map[string]any) (map[string]any, error) {
	if !hasDots(object) {
		return object, nil
	}
	out := make(map[string]any, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		first, rest, dotted := strings.Cut(name, ".")
		if dotted {
			value = map[string]any{rest: value}
		} else if inner, ok := value.(map[string]any); ok {
			value = maps.Clone(inner) // more may come into it
		}
		before, there := out[first]
		if !there {
			out[first] = value
			continue
		}
		into, ok := before.(map[string]any)
		from, also := value.(map[string]any)
		if !ok || !also {
			return nil, fmt.Errorf("%s: there is another field of that path: names are joined by dots", name)
		}
		for inner, v := range from {
			if _, twice := into[inner]; twice {
				return nil, fmt.Errorf("%s: there is another field of that path: names are joined by dots", name)
			}
			into[inner] = v
		}
	}
	return out, nil
}

func hasDots(object map[string]any) bool {
	for name := range object {
		if strings.IndexByte(name, '.') >= 0 {
			return true
		}
	}
	return false
}

// lookup is the value of a field in an object of an event. It joins what the object has
// under names with dots only for fields that a pattern asks for: an event may have a name
// of a million dots.
func lookup(object map[string]any, f *field, dots bool) any {
	have, there := object[f.name]
	var inner map[string]any
	if dots {
		for name, value := range object {
			if rest, ok := strings.CutPrefix(name, f.prefix); ok {
				if inner == nil {
					inner = make(map[string]any)
				}
				inner[rest] = value
			}
		}
	}
	switch {
	case inner == nil && !there:
		return absent{}
	case inner == nil:
		return have
	case !there:
		return inner
	}
	nested, ok := have.(map[string]any)
	if !ok {
		return both(have, inner)
	}
	for name, value := range nested {
		if other, twice := inner[name]; twice {
			value = both(value, other)
		}
		inner[name] = value
	}
	return inner
}

// both are two values of one path, of which one has to match.
func both(a, b any) any {
	var all []any
	for _, v := range []any{a, b} {
		if array, ok := v.([]any); ok {
			all = append(all, array...)
		} else {
			all = append(all, v)
		}
	}
	return all
}
