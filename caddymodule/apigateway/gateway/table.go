package gateway

import (
	"fmt"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

// A Table finds the route of a request. It is built once, and then only read.
//
// An HTTP API takes, of the routes with the request's method or with ANY, one whose whole
// path matches; else one that ends in {name+}, the longest; else $default. A REST API takes
// the most specific path first, and then looks for the method there. In both, a word goes
// before a parameter, from left to right, and a method before ANY.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
type Table struct {
	root     node
	fallback int // the route $default, or none
	rest     bool
	keys     []string // of the routes, by index
}

// none is the index of no route.
const none = -1

// A node is a place in the tree of paths, which branches at slashes.
type node struct {
	literal   map[string]*node
	parameter *node
	here      *methods // the routes whose path ends here
	greedy    *methods // the routes whose path goes on with {name+}
}

// methods are the routes of one path.
type methods struct {
	named map[string]int
	any   int
}

// of is the route of a method, or none.
func (m *methods) of(method string) int {
	if m == nil {
		return none
	}
	if route, ok := m.named[method]; ok {
		return route
	}
	return m.any
}

// NewTable makes the table of routes. Two that take the same requests are an error.
func NewTable(p Protocol, routes []Route) (*Table, error) {
	t := EmptyTable(p)
	for n := range routes {
		if err := t.Add(routes[n].Key); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// EmptyTable is a table without routes.
func EmptyTable(p Protocol) *Table { return &Table{fallback: none, rest: p == REST} }

// Add adds a route. Its index is the number of those before it. One that takes the same
// requests as another is an error.
func (t *Table) Add(key string) error {
	method, pattern, err := apigateway.ParseKey(key)
	if err != nil {
		return err
	}
	before := t.add(method, &pattern, len(t.keys))
	switch {
	case before == none:
		t.keys = append(t.keys, key)
		return nil
	case t.keys[before] == key:
		return fmt.Errorf("route %q is there twice", key)
	}
	return fmt.Errorf("route %q takes the same requests as route %q", key, t.keys[before])
}

// add adds a route, unless another takes the same requests. It returns that one, or none.
func (t *Table) add(method string, p *apigateway.Pattern, route int) int {
	if method == "" {
		return set(&t.fallback, route)
	}
	at := &t.root
	leaf := &at.here
	for _, s := range p.Segments {
		if s.Greedy {
			leaf = &at.greedy
			break
		}
		at = at.child(s)
		leaf = &at.here
	}
	if *leaf == nil {
		*leaf = &methods{any: none, named: make(map[string]int)}
	}
	if method == anyMethod {
		return set(&(*leaf).any, route)
	}
	if before, ok := (*leaf).named[method]; ok {
		return before
	}
	(*leaf).named[method] = route
	return none
}

// set sets a place that is free. It returns what was there.
func set(place *int, route int) (before int) {
	if before = *place; before == none {
		*place = route
	}
	return before
}

func (n *node) child(s apigateway.Segment) *node {
	if s.IsName {
		if n.parameter == nil {
			n.parameter = new(node)
		}
		return n.parameter
	}
	if n.literal == nil {
		n.literal = make(map[string]*node)
	}
	if n.literal[s.Text] == nil {
		n.literal[s.Text] = new(node)
	}
	return n.literal[s.Text]
}

// Find returns the index of the route that takes a request. The path has its
// percent-encoding. It costs at most three visits of each node of the table.
//
// Functions of an HTTP API get a path that is decoded, so that %2F is a slash for them, and AWS
// decodes before it looks for a route. Here, too, /admin%2Fx is for ANY /admin/{proxy+}: else it
// would get past the authorizer of that route, to a function that takes it for /admin/x. Only
// if no route has that path as a whole may a parameter contain the slash.
func (t *Table) Find(method, path string) (route int, ok bool) {
	path = strings.TrimPrefix(path, "/")
	if t.rest {
		// Recorded from REST APIs: one slash at the path's end does not count.
		route = t.root.resource(strings.TrimSuffix(path, "/"), true).of(method)
		return route, route != none
	}
	slashed := apigateway.Slashed(path)
	if route = t.root.whole(method, slashed, true); route != none {
		return route, true
	}
	if len(slashed) != len(path) {
		if route = t.root.whole(method, path, true); route != none {
			return route, true
		}
	}
	if route = t.root.longest(method, slashed, true); route != none {
		return route, true
	}
	return t.fallback, t.fallback != none
}

// whole finds a route whose whole path matches. more says that there is a path left, which
// may be the empty segment after the last slash.
func (n *node) whole(method, path string, more bool) int {
	if !more {
		return n.here.of(method)
	}
	segment, rest, more := strings.Cut(path, "/")
	if child := n.literal[apigateway.Unescape(segment)]; child != nil {
		if route := child.whole(method, rest, more); route != none {
			return route
		}
	}
	if n.parameter != nil && segment != "" {
		return n.parameter.whole(method, rest, more)
	}
	return none
}

// longest finds a route that ends in {name+}, as far down as there is one.
func (n *node) longest(method, path string, more bool) int {
	if !more {
		return none
	}
	segment, rest, deeper := strings.Cut(path, "/")
	if child := n.literal[apigateway.Unescape(segment)]; child != nil {
		if route := child.longest(method, rest, deeper); route != none {
			return route
		}
	}
	if n.parameter != nil && segment != "" {
		if route := n.parameter.longest(method, rest, deeper); route != none {
			return route
		}
	}
	if path == "" {
		return none // {name+} takes something
	}
	return n.greedy.of(method)
}

// resource finds the most specific path that there is for any method.
func (n *node) resource(path string, more bool) *methods {
	if !more {
		return n.here
	}
	segment, rest, deeper := strings.Cut(path, "/")
	if child := n.literal[apigateway.Unescape(segment)]; child != nil {
		if m := child.resource(rest, deeper); m != nil {
			return m
		}
	}
	if n.parameter != nil && segment != "" {
		if m := n.parameter.resource(rest, deeper); m != nil {
			return m
		}
	}
	if path == "" {
		return nil
	}
	return n.greedy
}
