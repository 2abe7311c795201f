package model

import (
	"net/url"
	"slices"
	"strings"
)

// A node is what a segment of a path leads to.
type node struct {
	fixed      map[string]*node
	label      *node // any segment
	operations []choice
}

// A choice is an operation that ends at a node, for one method and query.
type choice struct {
	operation  *Operation
	key, value string // of the query, "" if it may be any
}

// segments splits a path. One trailing slash says nothing: AWS's older models
// have it in some paths, and clients made from them send it.
func segments(path string) []string {
	path, _ = strings.CutSuffix(path, "/")
	return strings.Split(strings.TrimPrefix(path, "/"), "/")
}

func (n *node) add(o *Operation) {
	path, query, _ := strings.Cut(o.URI, "?")
	for _, segment := range segments(path) {
		if strings.HasPrefix(segment, "{") {
			o.labels = append(o.labels, strings.Trim(segment, "{}"))
			if n.label == nil {
				n.label = new(node)
			}
			n = n.label
			continue
		}
		if n.fixed == nil {
			n.fixed = make(map[string]*node)
		}
		if n.fixed[segment] == nil {
			n.fixed[segment] = new(node)
		}
		n = n.fixed[segment]
	}
	key, value, _ := strings.Cut(query, "=")
	n.operations = append(n.operations, choice{o, key, value})
}

// A Route is an operation and what the path names.
type Route struct {
	*Operation
	named []string // as the labels of its URI
}

// Match finds the operation of a method and URL. known says whether the path is
// the API's at all, with whatever method.
func (m *Model) Match(method string, u *url.URL) (route Route, known bool) {
	n := &m.root
	for _, segment := range segments(u.EscapedPath()) {
		if next := n.fixed[segment]; next != nil {
			n = next
			continue
		}
		if n.label == nil || segment == "" {
			return Route{}, n != &m.root
		}
		value, err := url.PathUnescape(segment)
		if err != nil {
			return Route{}, true
		}
		route.named = append(route.named, value)
		n = n.label
	}
	var query url.Values
	for _, c := range n.operations {
		if c.operation.Method != method {
			continue
		}
		if c.key == "" {
			if route.Operation == nil {
				route.Operation = c.operation
			}
			continue
		}
		if query == nil {
			query = u.Query()
		}
		if query.Get(c.key) == c.value {
			route.Operation = c.operation
			break
		}
	}
	if route.Operation == nil {
		return Route{}, n != &m.root
	}
	return route, true
}

// Operation is the operation of a name, for protocols that name it. It reads the body alone.
func (m *Model) Operation(name string) (route Route, known bool) {
	n, known := slices.BinarySearchFunc(m.operations, name, func(o *Operation, name string) int { return strings.Compare(o.Name, name) })
	if known {
		route.Operation = m.operations[n]
	}
	return route, known
}
