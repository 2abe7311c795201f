package schema

import (
	"math/big"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A kind is a type of JSON, as one bit.
type kind uint8

const (
	null kind = 1 << iota
	boolean
	object
	array
	text
	number
	integer // which is a number, too
)

var kinds = map[string]kind{
	"null": null, "boolean": boolean, "object": object, "array": array, "string": text, "number": number | integer, "integer": integer,
}

// A node is a schema that is ready to check.
type node struct {
	always *bool // the schema true or false; nil: it is neither
	ref    *node // in place of all that follows
	types  kind  // 0: any
	names  []string
	enum   map[string]bool // canonical; nil: any value
	format func(any) error

	required                     []string
	properties                   map[string]*node
	patterns                     []pattern
	additional                   *node // nil: any
	propertyNames                *node
	dependencies                 map[string]dependency
	minProperties, maxProperties *int

	items              *node   // of all items; nil: those of tuple
	tuple              []*node // of the first items
	more               *node   // of those after tuple; nil: any
	contains           *node
	minItems, maxItems *int
	unique             bool

	pattern              *regex
	minLength, maxLength *int

	minimum, maximum, above, below, multiple *big.Rat

	all, any, one       []*node
	not                 *node
	test, passed, other *node // if, then, else
}

type pattern struct {
	of   *regex
	node *node
}

// A dependency is what an object needs if it has a property.
type dependency struct {
	required []string
	node     *node
}

// A maker makes nodes, each of them once, so that schemas may refer to themselves.
type maker struct {
	made map[*jsonschema.Schema]*node
}

var never = false

func (m *maker) node(s *jsonschema.Schema) *node {
	if s == nil {
		return nil
	}
	if n := m.made[s]; n != nil {
		return n
	}
	n := new(node)
	m.made[s] = n
	if n.always = s.Bool; n.always != nil {
		return n
	}
	if s.Ref != nil { // of the drafts that there are, $ref stands alone
		n.ref = m.node(s.Ref)
		return n
	}
	if s.Types != nil {
		for _, name := range s.Types.ToStrings() {
			n.types |= kinds[name]
			n.names = append(n.names, name)
		}
		slices.Sort(n.names)
	}
	if s.Enum != nil {
		n.enum = make(map[string]bool, len(s.Enum.Values))
		for _, v := range s.Enum.Values {
			n.enum[canonical(v)] = true
		}
	}
	if s.Const != nil {
		n.all = append(n.all, &node{enum: map[string]bool{canonical(*s.Const): true}})
	}
	if s.Format != nil {
		n.format = s.Format.Validate
		if s.Format.Name == "regex" {
			n.format = isRegex
		}
	}
	m.ofObjects(n, s)
	m.ofArrays(n, s)
	n.minLength, n.maxLength = s.MinLength, s.MaxLength
	if s.Pattern != nil {
		n.pattern = s.Pattern.(*regex) // which expression made
	}
	n.minimum, n.maximum, n.above, n.below, n.multiple = s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf
	n.all, n.any, n.one = append(n.all, m.nodes(s.AllOf)...), m.nodes(s.AnyOf), m.nodes(s.OneOf)
	n.not, n.test, n.passed, n.other = m.node(s.Not), m.node(s.If), m.node(s.Then), m.node(s.Else)
	return n
}

func (m *maker) nodes(schemas []*jsonschema.Schema) []*node {
	var all []*node
	for _, s := range schemas {
		all = append(all, m.node(s))
	}
	return all
}

// either is a schema, or a bool in place of one.
func (m *maker) either(of any) *node {
	switch of := of.(type) {
	case *jsonschema.Schema:
		return m.node(of)
	case bool:
		if !of {
			return &node{always: &never}
		}
	}
	return nil
}

func (m *maker) ofObjects(n *node, s *jsonschema.Schema) {
	n.required, n.minProperties, n.maxProperties = s.Required, s.MinProperties, s.MaxProperties
	if len(s.Properties) > 0 {
		n.properties = make(map[string]*node, len(s.Properties))
		for name, of := range s.Properties {
			n.properties[name] = m.node(of)
		}
	}
	for of, then := range s.PatternProperties {
		n.patterns = append(n.patterns, pattern{of.(*regex), m.node(then)})
	}
	n.additional, n.propertyNames = m.either(s.AdditionalProperties), m.node(s.PropertyNames)
	for name, of := range s.Dependencies {
		if n.dependencies == nil {
			n.dependencies = make(map[string]dependency)
		}
		d := dependency{node: m.either(of)}
		d.required, _ = of.([]string)
		n.dependencies[name] = d
	}
}

func (m *maker) ofArrays(n *node, s *jsonschema.Schema) {
	n.minItems, n.maxItems, n.unique, n.contains = s.MinItems, s.MaxItems, s.UniqueItems, m.node(s.Contains)
	switch items := s.Items.(type) {
	case *jsonschema.Schema:
		n.items = m.node(items)
	case []*jsonschema.Schema:
		n.tuple, n.more = m.nodes(items), m.either(s.AdditionalItems)
	}
}
