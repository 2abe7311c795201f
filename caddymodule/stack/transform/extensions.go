package transform

import (
	"strings"
	"unicode"
)

const (
	loopPrefix = "Fn::ForEach::"
	// maxLoops is how deep loops may be nested in each other.
	maxLoops = 5
	// maxExpanded is how many values a document may have after its loops are expanded.
	maxExpanded = 300_000
)

// expander expands the loops of a document, Fn::ForEach of AWS::LanguageExtensions
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html).
type expander struct {
	document   object
	parameters map[string]string
	values     int
}

func expandLoops(document object, in Input) error {
	x := &expander{document: document, parameters: map[string]string{"AWS::Region": in.Region, "AWS::Partition": in.Partition}}
	for name, declared := range mapOf(document["Parameters"]) {
		if text, ok := scalarText(mapOf(declared)["Default"]); ok && !secret(declared) {
			x.parameters[name] = text
		}
	}
	for name, value := range in.Parameters {
		x.parameters[name] = value
	}
	for _, section := range []string{"Mappings", "Conditions", "Resources", "Outputs"} {
		value, has := document[section]
		if !has {
			continue
		}
		expanded, err := x.value(value, 0)
		if err != nil {
			return err
		}
		document[section] = expanded
	}
	return nil
}

func (x *expander) value(value any, loops int) (any, error) {
	if x.values++; x.values > maxExpanded {
		return nil, failure("Transform AWS::LanguageExtensions failed with: the loops of the template make more than %d values", maxExpanded)
	}
	switch v := value.(type) {
	case object:
		result := make(object, len(v))
		for _, key := range sorted(v) {
			if strings.HasPrefix(key, loopPrefix) {
				if err := x.loop(key, v[key], result, loops+1); err != nil {
					return nil, err
				}
				continue
			}
			item, err := x.value(v[key], loops)
			if err != nil {
				return nil, err
			}
			if err := put(result, key, item); err != nil {
				return nil, err
			}
		}
		return result, nil
	case []any:
		for i, item := range v {
			expanded, err := x.value(item, loops)
			if err != nil {
				return nil, err
			}
			v[i] = expanded
		}
	}
	return value, nil
}

func put(into object, key string, value any) error {
	if _, taken := into[key]; taken {
		return failure("Transform AWS::LanguageExtensions failed with: Fn::ForEach makes the key %s twice", key)
	}
	into[key] = value
	return nil
}

// loop puts what a loop makes into the map that it stands in.
func (x *expander) loop(name string, argument any, into object, loops int) error {
	wrong := func(because string) error {
		return failure("Transform AWS::LanguageExtensions failed with: %s %s", name, because)
	}
	if loops > maxLoops {
		return wrong("is nested deeper than 5 loops")
	}
	parts, ok := argument.([]any)
	if !ok || len(parts) != 3 {
		return wrong("layout is incorrect: it must be a list of an identifier, a collection and a map")
	}
	identifier, ok := parts[0].(string)
	if !ok || !isLogicalID(identifier) {
		return wrong("must have an alphanumeric identifier")
	}
	items, ok := x.collection(parts[1])
	if !ok {
		return wrong("must have a collection that can be resolved: a list, or a parameter that is a list")
	}
	fragment, ok := parts[2].(object)
	if !ok || len(fragment) == 0 {
		return wrong("must have a map that it repeats")
	}
	for _, item := range items {
		filled, err := x.value(replaceItem(fragment, identifier, item), loops)
		if err != nil {
			return err
		}
		made := filled.(object)
		for _, key := range sorted(made) {
			if err := put(into, key, made[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

// collection returns the items that a loop goes over.
func (x *expander) collection(value any) ([]string, bool) {
	switch v := value.(type) {
	case []any:
		var items []string
		for _, item := range v {
			if text, ok := x.item(item); ok {
				items = append(items, text)
			} else if list, ok := x.collection(item); ok {
				items = append(items, list...)
			} else {
				return nil, false
			}
		}
		return items, true
	case object:
		if given, ok := x.parameters[textOf(v["Ref"])]; ok && len(v) == 1 {
			return splitList(given), true
		}
		keys, _ := v["Fn::FindInMap"].([]any)
		if len(keys) == 3 && len(v) == 1 {
			at := any(mapOf(x.document["Mappings"]))
			for _, key := range keys {
				text, ok := x.item(key)
				if !ok {
					return nil, false
				}
				at = mapOf(at)[text]
			}
			if list, ok := at.([]any); ok {
				return x.collection(list)
			}
		}
		parts, _ := v["Fn::Split"].([]any)
		if len(parts) == 2 && len(v) == 1 {
			delimiter, source := textOf(parts[0]), ""
			if text, ok := x.item(parts[1]); ok && delimiter != "" {
				source = text
				return strings.Split(source, delimiter), true
			}
		}
	}
	return nil, false
}

func (x *expander) item(value any) (string, bool) {
	if text, ok := scalarText(value); ok {
		return text, true
	}
	if name, ok := mapOf(value)["Ref"].(string); ok && !x.isList(name) {
		given, known := x.parameters[name]
		return given, known
	}
	return "", false
}

// isList says whether the parameter is a list.
func (x *expander) isList(name string) bool {
	kind := textOf(mapOf(mapOf(x.document["Parameters"])[name])["Type"])
	return strings.Contains(kind, "List")
}

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}

// replaceItem returns a copy of value with the item in the places of the identifier: Ref of it, ${it} in texts and keys, and
// &{it}, which leaves out what is not alphanumeric.
func replaceItem(value any, identifier, item string) any {
	plain := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return -1
	}, item)
	replacer := strings.NewReplacer("${"+identifier+"}", item, "&{"+identifier+"}", plain)
	var replace func(any) any
	replace = func(value any) any {
		switch v := value.(type) {
		case string:
			return replacer.Replace(v)
		case object:
			if len(v) == 1 && v["Ref"] == identifier {
				return item
			}
			result := make(object, len(v))
			for key, item := range v {
				result[replacer.Replace(key)] = replace(item)
			}
			return result
		case []any:
			result := make([]any, len(v))
			for i, item := range v {
				result[i] = replace(item)
			}
			return result
		}
		return value
	}
	return replace(value)
}
