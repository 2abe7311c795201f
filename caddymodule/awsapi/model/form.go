package model

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxFormDepth is how many dots the name of a parameter has at most. No model here needs half
// of them.
const maxFormDepth = 10

// A formNode is what a form has under a part of a name: Tags.member.1.Key is four deep.
type formNode struct {
	given  bool
	value  string
	inside map[string]*formNode
}

func formTree(form url.Values) *formNode {
	root := new(formNode)
	for name, values := range form {
		parts := strings.SplitN(name, ".", maxFormDepth)
		n := root
		for _, part := range parts {
			if n.inside == nil {
				n.inside = make(map[string]*formNode)
			}
			if n.inside[part] == nil {
				n.inside[part] = new(formNode)
			}
			n = n.inside[part]
		}
		n.given, n.value = true, values[0]
	}
	return root
}

// ReadForm is Read for the query protocol, whose requests are forms.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func (r Route) ReadForm(form url.Values, into any) error {
	values, err := r.FormMembers(form)
	if err != nil {
		return err
	}
	var c checker
	c.check(r.input, "", values)
	if len(c.violations) > 0 {
		return &ValidationError{c.violations}
	}
	fill(values, into)
	return nil
}

// FormMembers is Members for the query protocol.
func (r Route) FormMembers(form url.Values) (map[string]any, error) {
	values := make(map[string]any, 4)
	return values, r.input.takeForm(formTree(form), values)
}

// takeForm reads the members of a structure.
func (s *Shape) takeForm(n *formNode, values map[string]any) error {
	for _, m := range s.Members {
		name := m.Name
		if m.LocationName != "" {
			name = m.LocationName
		}
		inner := n.inside[name]
		if inner == nil {
			continue
		}
		value, err := m.shape.ofForm(inner)
		if err != nil {
			return err
		}
		values[m.Name] = value
	}
	return nil
}

func (s *Shape) ofForm(n *formNode) (any, error) {
	switch s.Type {
	case "structure":
		values := make(map[string]any)
		return values, s.takeForm(n, values)
	case "list":
		elements, err := n.elements("member")
		if err != nil {
			return nil, err
		}
		list := make([]any, len(elements))
		for i, element := range elements {
			if list[i], err = s.element.ofForm(element); err != nil {
				return nil, err
			}
		}
		return list, nil
	case "map":
		entries, err := n.elements("entry")
		if err != nil {
			return nil, err
		}
		values := make(map[string]any, len(entries))
		for _, entry := range entries {
			key, value := entry.inside["key"], entry.inside["value"]
			if key == nil || value == nil {
				return nil, malformed("An entry of a map has a key and a value")
			}
			if values[key.value], err = s.element.ofForm(value); err != nil {
				return nil, err
			}
		}
		return values, nil
	}
	if !n.given {
		return nil, malformed("Start of structure or list found where not expected.")
	}
	if s.Type == "string" {
		return n.value, nil
	}
	if s.Type == "integer" || s.Type == "long" || s.Type == "boolean" || s.Type == "double" || s.Type == "timestamp" {
		return s.parse([]string{n.value})
	}
	return s.scalar(n.value)
}

// elements are those of a list in the order of their numbers. An empty list is written as the
// name alone.
func (n *formNode) elements(name string) ([]*formNode, error) {
	within := n.inside[name]
	if within == nil {
		if len(n.inside) > 0 || n.value != "" {
			return nil, malformed("A list is written NAME.%s.1", name)
		}
		return nil, nil
	}
	numbers := make([]int, 0, len(within.inside))
	for text := range within.inside {
		number, err := strconv.Atoi(text)
		if err != nil || number < 0 {
			return nil, malformed("%.20q is no place in a list", text)
		}
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	elements := make([]*formNode, len(numbers))
	for i, number := range numbers {
		element := within.inside[strconv.Itoa(number)]
		if element == nil {
			return nil, malformed("%d is no place in a list", number) // 01
		}
		elements[i] = element
	}
	return elements, nil
}
