package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// What a check may cost: leastSteps for a small body, and stepsPerByte more for each byte. A step
// is a schema that is asked about a value.
const (
	leastSteps   = 200_000
	stepsPerByte = 4
)

// ErrCost says that a body needs more steps than it may have.
var ErrCost = errors.New("the check of the body takes too long")

// Check checks a body, as text of JSON. A body of no bytes is an empty object, as for API
// Gateway. The error says what is wrong, as AWS's $context.error.validationErrorString does.
func (s *Schema) Check(body []byte) error {
	var value any = map[string]any{}
	if len(body) > 0 {
		var err error
		if value, err = decode(body); err != nil {
			return err
		}
	}
	c := check{left: leastSteps + stepsPerByte*len(body)}
	wrong := c.of(s.root, value, 0)
	switch {
	case c.left < 0:
		return ErrCost
	case wrong != "":
		return errors.New(wrong)
	}
	return nil
}

// A check counts what is left to spend.
type check struct{ left int }

// maxNesting bounds how deep schemas are nested that are asked about one body.
const maxNesting = 10 * maxDepth

// exhausted is the end of a check that costs too much.
const exhausted = "exhausted"

// spend takes steps. false: there are none left.
func (c *check) spend(n int) bool {
	c.left -= n
	return c.left >= 0
}

// of says what is wrong with a value; "": nothing is.
func (c *check) of(n *node, value any, depth int) string {
	if !c.spend(1) || depth > maxNesting {
		c.left = min(c.left, -1)
		return exhausted
	}
	switch {
	case n.always != nil && *n.always:
		return ""
	case n.always != nil:
		return "nothing is allowed here"
	case n.ref != nil:
		return c.of(n.ref, value, depth+1)
	}
	kind := kindOf(value)
	if n.types != 0 && kind&n.types == 0 {
		allowed, _ := json.Marshal(n.names)
		return fmt.Sprintf("instance type (%s) does not match any allowed primitive type (allowed: %s)", nameOfKind(kind), allowed)
	}
	if n.enum != nil {
		text, ok := c.canonical(value)
		if !ok {
			return exhausted
		}
		if !n.enum[text] {
			return "instance value is not in the enum"
		}
	}
	if n.format != nil {
		if of, ok := value.(string); ok && !c.spend(len(of)/16) {
			return exhausted
		}
		if n.format(value) != nil {
			return "instance does not match its format"
		}
	}
	var wrong string
	switch value := value.(type) {
	case map[string]any:
		wrong = c.object(n, value, depth+1)
	case []any:
		wrong = c.array(n, value, depth+1)
	case string:
		wrong = c.text(n, value)
	case json.Number:
		wrong = n.number(value)
	}
	if wrong != "" {
		return wrong
	}
	return c.combined(n, value, depth+1)
}

// combined checks what combines schemas about one value.
func (c *check) combined(n *node, value any, depth int) string {
	for _, of := range n.all {
		if wrong := c.of(of, value, depth); wrong != "" {
			return wrong
		}
	}
	if len(n.any) > 0 && c.count(n.any, value, depth, 1) == 0 {
		return "instance failed to match at least one schema of anyOf"
	}
	if len(n.one) > 0 {
		if count := c.count(n.one, value, depth, 2); count != 1 {
			return "instance failed to match exactly one schema of oneOf"
		}
	}
	if n.not != nil && c.of(n.not, value, depth) == "" {
		return "instance matched a schema which it should not have"
	}
	if n.test != nil {
		then := n.other
		if c.of(n.test, value, depth) == "" {
			then = n.passed
		}
		if then != nil {
			return c.of(then, value, depth)
		}
	}
	return ""
}

// count counts the schemas that a value matches, up to enough.
func (c *check) count(all []*node, value any, depth, enough int) (count int) {
	for _, of := range all {
		if c.of(of, value, depth) == "" {
			if count++; count == enough {
				break
			}
		}
	}
	return count
}

func (c *check) object(n *node, value map[string]any, depth int) string {
	if wrong := absent(value, n.required); wrong != "" {
		return wrong
	}
	switch {
	case !c.spend(len(n.required) + len(n.dependencies) + len(value)):
		return exhausted
	case n.minProperties != nil && len(value) < *n.minProperties:
		return "object has too few properties"
	case n.maxProperties != nil && len(value) > *n.maxProperties:
		return "object has too many properties"
	}
	for name, of := range n.dependencies {
		if _, ok := value[name]; !ok {
			continue
		}
		if wrong := absent(value, of.required); wrong != "" {
			return wrong
		}
		if of.node != nil {
			if wrong := c.of(of.node, value, depth); wrong != "" {
				return wrong
			}
		}
	}
	if n.properties == nil && n.patterns == nil && n.additional == nil && n.propertyNames == nil {
		return ""
	}
	for name, v := range value {
		if wrong := c.property(n, name, v, depth); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (c *check) property(n *node, name string, value any, depth int) string {
	if n.propertyNames != nil {
		if wrong := c.of(n.propertyNames, name, depth); wrong != "" {
			return wrong
		}
	}
	of, known := n.properties[name]
	if known {
		if wrong := c.of(of, value, depth); wrong != "" {
			return wrong
		}
	}
	for _, p := range n.patterns {
		if !c.spend(p.of.cost(name)) {
			return exhausted
		}
		if p.of.MatchString(name) {
			known = true
			if wrong := c.of(p.node, value, depth); wrong != "" {
				return wrong
			}
		}
	}
	if known || n.additional == nil {
		return ""
	}
	if n.additional.always == &never {
		return "object instance has properties which are not allowed by the schema"
	}
	return c.of(n.additional, value, depth)
}

// absent says which required properties an object does not have.
func absent(value map[string]any, required []string) string {
	var missing []string
	for _, name := range required {
		if _, ok := value[name]; !ok {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return ""
	}
	names, _ := json.Marshal(missing)
	return fmt.Sprintf("object has missing required properties (%s)", names)
}

func (c *check) array(n *node, value []any, depth int) string {
	switch {
	case n.minItems != nil && len(value) < *n.minItems:
		return "array is too short"
	case n.maxItems != nil && len(value) > *n.maxItems:
		return "array is too long"
	}
	if n.unique {
		seen := make(map[string]bool)
		for _, v := range value {
			text, ok := c.canonical(v)
			if !ok {
				return exhausted
			}
			if seen[text] {
				return "array must not contain duplicate elements"
			}
			seen[text] = true
		}
	}
	found := n.contains == nil
	for at, v := range value {
		of := n.items
		if of == nil {
			if of = n.more; at < len(n.tuple) {
				of = n.tuple[at]
			}
		}
		if of != nil {
			if wrong := c.of(of, v, depth); wrong != "" {
				return wrong
			}
		}
		found = found || c.of(n.contains, v, depth) == ""
	}
	if !found {
		return "array contains no item that matches"
	}
	return ""
}

func (c *check) text(n *node, value string) string {
	if n.minLength != nil || n.maxLength != nil {
		if !c.spend(len(value) / 64) {
			return exhausted
		}
		length := utf8.RuneCountInString(value)
		if n.minLength != nil && length < *n.minLength {
			return "string is too short"
		}
		if n.maxLength != nil && length > *n.maxLength {
			return "string is too long"
		}
	}
	if n.pattern != nil {
		if !c.spend(n.pattern.cost(value)) {
			return exhausted
		}
		if !n.pattern.MatchString(value) {
			return "ECMA 262 regex does not match input string"
		}
	}
	return ""
}
