package insights

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A node is an expression.
type node interface{ eval(r *row) value }

type constant struct{ v value }

func (c constant) eval(*row) value { return c.v }

type field struct {
	slot int
	name string
}

func (f field) eval(r *row) value { return r.get(f.slot) }

// A member is something in a map or list that jsonParse made.
type member struct {
	of   field
	path []string
}

func (m member) eval(r *row) value {
	v := r.get(m.of.slot)
	if v.kind != tree {
		return value{}
	}
	at := v.tree
	for _, key := range m.path {
		switch of := at.(type) {
		case map[string]any:
			at = of[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(of) {
				return value{}
			}
			at = of[i]
		default:
			return value{}
		}
	}
	return valueOf(at)
}

// valueOf is a value of encoding/json.
func valueOf(v any) value {
	switch v := v.(type) {
	case string:
		return textOf(v)
	case float64:
		return numberOf(v)
	case bool:
		return booleanOf(v)
	case nil:
		return value{}
	}
	return value{kind: tree, tree: v}
}

type binary struct {
	op   byte
	a, b node
}

func (n binary) eval(r *row) value {
	x, okX := n.a.eval(r).asNumber()
	y, okY := n.b.eval(r).asNumber()
	if !okX || !okY {
		return value{}
	}
	switch n.op {
	case '+':
		return numberOf(x + y)
	case '-':
		return numberOf(x - y)
	case '*':
		return numberOf(x * y)
	case '/':
		return numberOf(x / y)
	case '%':
		return numberOf(math.Mod(x, y))
	}
	return numberOf(math.Pow(x, y))
}

type negative struct{ of node }

func (n negative) eval(r *row) value {
	x, ok := n.of.eval(r).asNumber()
	if !ok {
		return value{}
	}
	return numberOf(-x)
}

type and struct{ a, b node }

func (n and) eval(r *row) value { return booleanOf(n.a.eval(r).true() && n.b.eval(r).true()) }

type or struct{ a, b node }

func (n or) eval(r *row) value { return booleanOf(n.a.eval(r).true() || n.b.eval(r).true()) }

type not struct{ of node }

func (n not) eval(r *row) value { return booleanOf(!n.of.eval(r).true()) }

// A comparison is false when one side is not there.
type comparison struct {
	op   string
	a, b node
}

func (n comparison) eval(r *row) value {
	a, b := n.a.eval(r), n.b.eval(r)
	if a.kind == none || b.kind == none {
		return booleanOf(false)
	}
	switch n.op {
	case "=":
		return booleanOf(equal(a, b))
	case "!=":
		return booleanOf(!equal(a, b))
	}
	c := compare(a, b)
	switch n.op {
	case "<":
		return booleanOf(c < 0)
	case "<=":
		return booleanOf(c <= 0)
	case ">":
		return booleanOf(c > 0)
	}
	return booleanOf(c >= 0)
}

type contains struct {
	of   node
	text string
}

func (n contains) eval(r *row) value {
	v := n.of.eval(r)
	return booleanOf(v.kind != none && strings.Contains(v.String(), n.text))
}

type matches struct {
	of    node
	regex *regexp.Regexp
}

func (n matches) eval(r *row) value {
	v := n.of.eval(r)
	return booleanOf(v.kind != none && n.regex.MatchString(v.String()))
}

type in struct {
	of   node
	list []node
}

func (n in) eval(r *row) value {
	v := n.of.eval(r)
	for _, item := range n.list {
		if equal(v, item.eval(r)) {
			return booleanOf(true)
		}
	}
	return booleanOf(false)
}

type call struct {
	run  func(args []value) value
	args []node
}

func (n call) eval(r *row) value {
	var room [4]value
	args := room[:0]
	for _, a := range n.args {
		args = append(args, a.eval(r))
	}
	return n.run(args)
}
