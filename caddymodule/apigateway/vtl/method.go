package vtl

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// known are the methods of text and lists, and how many values each takes.
var known = map[string]int{
	"matches": 1, "contains": 1, "equals": 1, "equalsIgnoreCase": 1, "startsWith": 1, "endsWith": 1, "toLowerCase": 0, "toUpperCase": 0,
	"toString": 0, "trim": 0, "isEmpty": 0, "length": 0, "size": 0,
	"get": 1, "containsKey": 1, "keySet": 0, "split": 1, "replaceAll": 2,
}

// methods checks the steps of a reference that are left: calls of known methods.
func (p *parser) methods(r *reference) error {
	for n := range r.steps {
		s := &r.steps[n]
		takes, ok := known[s.name]
		if !s.called && (r.root == "input" || r.members) {
			continue // a member of an object
		}
		if !ok || !s.called {
			return p.fail("%.80s is not supported here: there is no .%.40s", r.source, s.name)
		}
		if len(s.values) != takes {
			return p.fail(".%s takes %d values", s.name, takes)
		}
		if s.name != "matches" && s.name != "split" && s.name != "replaceAll" {
			continue
		}
		of, ok := s.values[0].(literal)
		pattern, isText := of.of.(string)
		if !ok || !isText {
			return p.fail(".%s needs a text in quotes without variables here", s.name)
		}
		if s.name == "matches" {
			pattern = `\A(?:` + pattern + `)\z`
		}
		var err error
		if s.regexp, err = regexp.Compile(pattern); err != nil {
			return p.fail(".%s: %v", s.name, err)
		}
		if s.name != "replaceAll" {
			continue
		}
		with, ok := s.values[1].(literal)
		if text, isText := with.of.(string); !ok || !isText || strings.ContainsAny(text, `\$`) {
			return p.fail(`.replaceAll needs a second text in quotes without variables, \ and $ here`)
		}
	}
	return nil
}

// split cuts text as Java does: what is empty at the end is left out.
func (s *step) split(x *execution, of string) (any, error) {
	cut := s.regexp.Split(of, -1)
	for len(cut) > 1 && cut[len(cut)-1] == "" {
		cut = cut[:len(cut)-1]
	}
	all := make([]any, len(cut))
	for n, part := range cut {
		all[n] = part
	}
	return all, x.spend(len(of) + 16*len(all))
}

func (s *step) replaceAll(x *execution, of, with string) (any, error) {
	var err error
	replaced := s.regexp.ReplaceAllStringFunc(of, func(string) string {
		if err != nil {
			return ""
		}
		if err = x.spend(1 + len(with)); err != nil {
			return ""
		}
		return with
	})
	return replaced, err
}

func (r *reference) value(x *execution) (any, error) {
	var value any
	if r.compute != nil {
		var err error
		if value, err = r.compute(x); err != nil {
			return nil, err
		}
	} else {
		value = r.get(x)
	}
	for n := range r.steps {
		var err error
		if value, err = r.steps[n].call(x, value); err != nil {
			return nil, err
		}
	}
	return value, nil
}

// holds reports whether a list has an element that shows as text does. A loop may ask so for each
// element of a long list, so it costs what it looks at.
func (x *execution) holds(all []any, text string) (bool, error) {
	looked := 0
	found := slices.ContainsFunc(all, func(v any) bool {
		shown := show(v)
		looked += 1 + len(shown)
		return shown == text
	})
	return found, x.spend(looked / 16)
}

// call calls a method. What is called on nothing is nothing, as in Velocity.
func (s *step) call(x *execution, on any) (any, error) {
	if on == nil {
		return nil, nil
	}
	object, _ := on.(map[string]any)
	if !s.called {
		if object == nil {
			return nil, fmt.Errorf("there is no .%.40s of what is no object", s.name)
		}
		return object[s.name], nil
	}
	values := make([]string, len(s.values))
	for n, e := range s.values {
		value, err := e.value(x)
		if err != nil {
			return nil, err
		}
		values[n] = show(value)
		if err := x.spend(len(values[n]) / 16); err != nil {
			return nil, err
		}
	}
	if object != nil {
		switch s.name {
		case "get":
			return object[values[0]], nil
		case "containsKey":
			_, there := object[values[0]]
			return there, nil
		case "isEmpty":
			return len(object) == 0, nil
		case "size":
			return len(object), nil
		case "keySet":
			names := make([]any, 0, len(object))
			for _, name := range sortedNames(object) {
				names = append(names, name)
			}
			return names, x.spend(len(names))
		}
	}
	if all, ok := on.([]any); ok {
		switch s.name {
		case "get":
			if n, err := strconv.Atoi(values[0]); err == nil && n >= 0 && n < len(all) {
				return all[n], nil
			}
			return nil, nil
		case "contains":
			return x.holds(all, values[0])
		case "isEmpty":
			return len(all) == 0, nil
		case "size":
			return len(all), nil
		}
	}
	on = show(on)
	of := on.(string)
	// Methods that make text count what they make.
	if err := x.spend(len(of)); err != nil {
		return nil, err
	}
	switch s.name {
	case "matches":
		return s.regexp.MatchString(of), nil
	case "contains":
		return strings.Contains(of, values[0]), nil
	case "equals":
		return of == values[0], nil
	case "equalsIgnoreCase":
		return strings.EqualFold(of, values[0]), nil
	case "startsWith":
		return strings.HasPrefix(of, values[0]), nil
	case "endsWith":
		return strings.HasSuffix(of, values[0]), nil
	case "toLowerCase":
		return strings.ToLower(of), nil
	case "toUpperCase":
		return strings.ToUpper(of), nil
	case "trim":
		return strings.TrimSpace(of), nil
	case "isEmpty":
		return of == "", nil
	case "length", "size":
		return len(of), nil
	case "split":
		return s.split(x, of)
	case "replaceAll":
		return s.replaceAll(x, of, values[1])
	}
	if s.name != "toString" {
		return nil, nil // a method of objects and lists
	}
	return of, nil
}
