package transform

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// object is a map of a document.
type object = map[string]any

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// copied returns a deep copy of value.
func copied(value any) any {
	switch v := value.(type) {
	case object:
		result := make(object, len(v))
		for key, item := range v {
			result[key] = copied(item)
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i, item := range v {
			result[i] = copied(item)
		}
		return result
	}
	return value
}

// truthy says what Python, in which SAM is written, takes for true: templates lean on it (an empty list is none).
func truthy(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case json.Number:
		f, err := v.Float64()
		return err != nil || f != 0
	case object:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return true
}

// mapOf returns value as a map, nil when it is none.
func mapOf(value any) object {
	m, _ := value.(object)
	return m
}

func textOf(value any) string {
	s, _ := value.(string)
	return s
}

// isTrue says whether value is the boolean true.
func isTrue(value any) bool {
	b, ok := value.(bool)
	return ok && b
}

func ref(id string) object { return object{"Ref": id} }

func getAtt(id, name string) object { return object{"Fn::GetAtt": []any{id, name}} }

func sub(text string, values object) object {
	if len(values) == 0 {
		return object{"Fn::Sub": text}
	}
	return object{"Fn::Sub": []any{text, values}}
}

// conditional is Fn::If, without the property where the condition does not hold.
func conditional(condition string, value any) object {
	return object{"Fn::If": []any{condition, value, ref("AWS::NoValue")}}
}

// intrinsic returns the name of the function that value calls, empty when it calls none.
func intrinsic(value any) string {
	m, ok := value.(object)
	if !ok || len(m) != 1 {
		return ""
	}
	for key := range m {
		if key == "Ref" || key == "Condition" || strings.HasPrefix(key, "Fn::") {
			return key
		}
	}
	return ""
}

func isNoValue(value any) bool {
	return intrinsic(value) == "Ref" && mapOf(value)["Ref"] == "AWS::NoValue"
}

// choice returns the condition and the two branches, when value is a well-formed Fn::If.
func choice(value any) (condition string, then, otherwise any, ok bool) {
	if intrinsic(value) != "Fn::If" {
		return "", nil, nil, false
	}
	parts, _ := mapOf(value)["Fn::If"].([]any)
	if len(parts) != 3 {
		return "", nil, nil, false
	}
	condition, ok = parts[0].(string)
	return condition, parts[1], parts[2], ok
}

// branches returns what value may be: itself, or the branches of the Fn::If that it is, less AWS::NoValue.
func branches(value any) []any {
	m, ok := value.(object)
	if !ok {
		return []any{value}
	}
	parts, is := m["Fn::If"].([]any)
	if !is || len(parts) == 0 {
		return []any{value}
	}
	var found []any
	for _, part := range parts[1:] {
		if !isNoValue(part) {
			found = append(found, part)
		}
	}
	return found
}

// referred returns the logical id that Ref or Fn::GetAtt names.
func referred(value any) string {
	switch intrinsic(value) {
	case "Ref":
		return textOf(mapOf(value)["Ref"])
	case "Fn::GetAtt":
		switch at := mapOf(value)["Fn::GetAtt"].(type) {
		case []any:
			if len(at) == 2 {
				return textOf(at[0])
			}
		case string:
			if id, attribute, ok := strings.Cut(at, "."); ok && !strings.Contains(attribute, ".") {
				return id
			}
		}
	}
	return ""
}

// hashed returns prefix and the hash of value that SAM puts at the end of logical ids: ten digits of SHA-1 of the
// JSON of value, of the text itself when it is one. Nothing is put there for an empty value.
func hashed(prefix string, value any) string {
	if !truthy(value) {
		return prefix
	}
	return prefix + digest(value)[:10]
}

func digest(value any) string {
	text, ok := value.(string)
	if !ok {
		var b strings.Builder
		canonical(&b, value)
		text = b.String()
	}
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// canonical writes JSON with sorted keys, no spaces, and ASCII only.
func canonical(b *strings.Builder, value any) {
	switch v := value.(type) {
	case object:
		b.WriteByte('{')
		for i, key := range sorted(v) {
			if i > 0 {
				b.WriteByte(',')
			}
			quote(b, key)
			b.WriteByte(':')
			canonical(b, v[key])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			canonical(b, item)
		}
		b.WriteByte(']')
	case string:
		quote(b, v)
	case json.Number:
		b.WriteString(number(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	default:
		b.WriteString("null")
	}
}

func number(n json.Number) string {
	text := n.String()
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	f, err := n.Float64()
	if err != nil {
		return text
	}
	text = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func quote(b *strings.Builder, text string) {
	const hexDigits = "0123456789abcdef"
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		default:
			units := []uint16{uint16(r)}
			if r > 0xffff {
				high, low := utf16.EncodeRune(r)
				units = []uint16{uint16(high), uint16(low)}
			}
			for _, unit := range units {
				b.WriteString(`\u`)
				for shift := 12; shift >= 0; shift -= 4 {
					b.WriteByte(hexDigits[unit>>shift&15])
				}
			}
		}
	}
	b.WriteByte('"')
}

// same compares two values of a document.
func same(a, b any) bool {
	var left, right strings.Builder
	canonical(&left, a)
	canonical(&right, b)
	return left.String() == right.String()
}

func has(list []any, value any) bool {
	return slices.ContainsFunc(list, func(item any) bool { return same(item, value) })
}

// isAlnum says whether text has letters and digits only, and at least one.
func isAlnum(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// tags makes a list of tags of a map.
func tags(of any) []any {
	list := []any{}
	m := mapOf(of)
	for _, key := range sorted(m) {
		value := m[key]
		if value == nil {
			value = ""
		}
		list = append(list, object{"Key": key, "Value": value})
	}
	return list
}
