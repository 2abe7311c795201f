package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A ValidationError has all violations of a request, in AWS's words.
type ValidationError struct {
	Violations []string
}

// Error is the message of AWS's ValidationException.
// https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
func (e *ValidationError) Error() string {
	noun := "errors"
	if len(e.Violations) == 1 {
		noun = "error"
	}
	return fmt.Sprintf("%d validation %s detected: %s", len(e.Violations), noun, strings.Join(e.Violations, "; "))
}

// maxViolations bounds an answer to a request that is all wrong.
const maxViolations = 20

// A checker collects violations.
type checker struct {
	violations []string
}

func (c *checker) add(s *Shape, path string, value any, constraint string) {
	if len(c.violations) >= maxViolations {
		return
	}
	shown := " '" + text(value) + "'"
	switch {
	case value == nil:
		shown = " null"
	case s.Sensitive:
		shown = ""
	}
	c.violations = append(c.violations, "Value"+shown+" at '"+path+"' failed to satisfy constraint: "+constraint)
}

// check checks a value that read has made.
func (c *checker) check(s *Shape, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		if s.Type == "map" {
			c.checkMap(s, path, value)
			return
		}
		for _, m := range s.Members {
			inner := m.path
			if path != "" {
				inner = path + "." + inner
			}
			if v, ok := value[m.Name]; ok {
				c.check(m.shape, inner, v)
			} else if m.Required {
				c.add(m.shape, inner, nil, "Member must not be null")
			}
		}
	case []any:
		c.checkList(s, path, value)
	default:
		for _, constraint := range s.broken(value) {
			c.add(s, path, value, constraint)
		}
	}
}

func (c *checker) checkList(s *Shape, path string, list []any) {
	for _, constraint := range s.length(len(list)) {
		c.add(s, path, list, constraint)
	}
	for i, element := range list {
		if s.element.Type == "structure" || s.element.Type == "list" || s.element.Type == "map" {
			c.check(s.element, path+"."+strconv.Itoa(i+1)+".member", element)
		} else if len(s.element.broken(element)) > 0 {
			if s.element.Type == "string" && s.element.Listed != nil { // of runtimes AWS shows the values alone
				c.add(s, path, list, s.element.enumText())
				return
			}
			c.add(s, path, list, "Member must satisfy constraint: ["+s.element.constraints(", Member must not be null")+"]")
			return
		}
	}
}

func (c *checker) checkMap(s *Shape, path string, values map[string]any) {
	for _, constraint := range s.length(len(values)) {
		c.add(s, path, values, constraint)
	}
	var badKey, badValue bool
	for _, key := range keys(values) {
		badKey = badKey || len(s.key.broken(key)) > 0
		switch s.element.Type {
		case "structure", "list", "map":
			c.check(s.element, path+"."+key+".member", values[key])
		default:
			badValue = badValue || len(s.element.broken(values[key])) > 0
		}
	}
	if badKey {
		c.add(s, path, values, "Map keys must satisfy constraint: ["+s.key.constraints("")+"]")
	}
	if badValue {
		c.add(s, path, values, "Map value must satisfy constraint: ["+s.element.constraints(", Member must not be null")+"]")
	}
}

// broken names the constraints that a scalar does not satisfy.
func (s *Shape) broken(value any) (broken []string) {
	switch value := value.(type) {
	case string:
		broken = s.length(utf8.RuneCountInString(value))
		if s.pattern != nil && !s.pattern.MatchString(value) {
			broken = append(broken, s.patternText())
		}
		if s.Enum != nil && !slices.Contains(s.Enum, value) {
			broken = append(broken, s.enumText())
		}
	case []byte:
		return s.length(len(value))
	case int64:
		return s.bounds(float64(value), "value")
	case float64:
		return s.bounds(value, "value")
	}
	return broken
}

func (s *Shape) length(n int) []string { return s.bounds(float64(n), "length") }

func (s *Shape) bounds(n float64, of string) (broken []string) {
	if s.Max != nil && n > *s.Max {
		broken = append(broken, s.maxText(of))
	}
	// Not n < Min: that lets NaN through.
	if s.Min != nil && !(n >= *s.Min) {
		broken = append(broken, s.minText(of))
	}
	return broken
}

func (s *Shape) maxText(of string) string {
	return "Member must have " + of + " less than or equal to " + s.number(*s.Max)
}

func (s *Shape) minText(of string) string {
	return "Member must have " + of + " greater than or equal to " + s.number(*s.Min)
}

func (s *Shape) patternText() string {
	return "Member must satisfy regular expression pattern: " + cmp.Or(s.Quoted, s.Pattern)
}

func (s *Shape) enumText() string {
	values := s.Enum
	if s.Listed != nil {
		values = s.Listed
	}
	return "Member must satisfy enum value set: [" + strings.Join(values, ", ") + "]"
}

// constraints are all that the shape has, for an element that breaks one.
func (s *Shape) constraints(end string) string {
	of := "value"
	if s.Type == "string" || s.Type == "blob" {
		of = "length"
	}
	var all []string
	if s.Max != nil {
		all = append(all, s.maxText(of))
	}
	if s.Min != nil {
		all = append(all, s.minText(of))
	}
	if s.Pattern != "" {
		all = append(all, s.patternText())
	}
	if s.Enum != nil {
		all = append(all, s.enumText())
	}
	return strings.Join(all, ", ") + end
}

func (s *Shape) number(n float64) string {
	if s.Type == "double" {
		return double(n)
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// double writes a number as AWS's messages do: 2.0.
func double(n float64) string {
	text := strconv.FormatFloat(n, 'f', -1, 64)
	if n == math.Trunc(n) && !math.IsInf(n, 0) {
		text += ".0"
	}
	return text
}

// text writes a value as AWS's messages do: [a, b] and {k=v}.
func text(value any) string {
	var b strings.Builder
	appendText(&b, value)
	const most = 1 << 10 // as much as helps; the client has the whole
	if b.Len() > most {
		return strings.ToValidUTF8(b.String()[:most], "") + "..."
	}
	return b.String()
}

func appendText(b *strings.Builder, value any) {
	switch value := value.(type) {
	case []any:
		b.WriteByte('[')
		for i, v := range value {
			if i > 0 {
				b.WriteString(", ")
			}
			appendText(b, v)
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, key := range keys(value) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(key)
			b.WriteByte('=')
			appendText(b, value[key])
		}
		b.WriteByte('}')
	case string:
		b.WriteString(value)
	case float64:
		b.WriteString(double(value))
	case []byte:
		fmt.Fprintf(b, "%d bytes", len(value))
	default:
		fmt.Fprint(b, value)
	}
}

func keys(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
