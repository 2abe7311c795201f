package transform

import (
	"encoding/json"
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`\$\{([A-Za-z0-9.]+|AWS::[A-Z][A-Za-z]*)\}`)

// resolve replaces references to parameters in value, in place where it can, and returns the result.
func (t *translator) resolve(value any) any {
	switch v := value.(type) {
	case object:
		if name, ok := v["Ref"].(string); ok && len(v) == 1 {
			if given, known := t.parameters[name]; known {
				return given
			}
			return v
		}
		if len(v) == 1 && v["Fn::Sub"] != nil {
			t.resolveSub(v)
		}
		for key, item := range v {
			v[key] = t.resolve(item)
		}
	case []any:
		for i, item := range v {
			v[i] = t.resolve(item)
		}
	}
	return value
}

func (t *translator) resolveSub(call object) {
	replace := func(text string) string {
		return variable.ReplaceAllStringFunc(text, func(found string) string {
			switch given := t.parameters[found[2:len(found)-1]].(type) {
			case string:
				return given
			case json.Number:
				return given.String()
			case nil:
			default:
				t.problems.document("Invalid Fn::Sub variable value %s. Fn::Sub expects all variables to be strings.", python(given))
			}
			return found
		})
	}
	switch argument := call["Fn::Sub"].(type) {
	case string:
		call["Fn::Sub"] = replace(argument)
	case []any:
		if len(argument) > 0 {
			if text, ok := argument[0].(string); ok {
				argument[0] = replace(text)
			}
		}
	}
}

// relink replaces references of SAM: to resources whose logical id has changed (a layer), and to those that a resource made
// (Api.Stage).
func (t *translator) relink(value any) any {
	switch v := value.(type) {
	case object:
		t.relinkDependsOn(v)
		if len(v) == 1 {
			if name, ok := v["Ref"].(string); ok {
				return ref(t.renamed(name, true))
			}
			if at, ok := v["Fn::GetAtt"].([]any); ok {
				v["Fn::GetAtt"] = t.relinkAttribute(at)
			}
			switch argument := v["Fn::Sub"].(type) {
			case string:
				v["Fn::Sub"] = t.relinkText(argument)
			case []any:
				if len(argument) > 0 {
					if text, ok := argument[0].(string); ok {
						argument[0] = t.relinkText(text)
					}
				}
			}
		}
		for key, item := range v {
			v[key] = t.relink(item)
		}
	case []any:
		for i, item := range v {
			v[i] = t.relink(item)
		}
	}
	return value
}

// renamed returns what the name in a Ref refers to after the transform.
func (t *translator) renamed(name string, whole bool) string {
	id, property, dotted := strings.Cut(name, ".")
	if dotted {
		if made, ok := t.made[id][property]; ok {
			return made
		}
		if whole {
			return name
		}
	}
	if changed, ok := t.changed[id]; ok {
		if dotted {
			return changed + "." + property
		}
		return changed
	}
	return name
}

func (t *translator) relinkAttribute(at []any) []any {
	var parts []string
	for _, part := range at {
		text, ok := part.(string)
		if !ok {
			return at
		}
		parts = append(parts, text)
	}
	if len(parts) < 2 {
		return at
	}
	parts = strings.Split(strings.Join(parts, "."), ".")
	changed := false
	if id, ok := t.changed[parts[0]]; ok {
		parts[0], changed = id, true
	}
	if made, ok := t.made[parts[0]][parts[1]]; ok {
		parts, changed = append([]string{made}, parts[2:]...), true
	}
	if !changed {
		return at
	}
	result := make([]any, len(parts))
	for i, part := range parts {
		result[i] = part
	}
	return result
}

func (t *translator) relinkText(text string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		parts := strings.Split(found[2:len(found)-1], ".")
		if id, ok := t.changed[parts[0]]; ok {
			parts[0] = id
		}
		if len(parts) > 1 {
			if made, ok := t.made[parts[0]][parts[1]]; ok {
				parts = append([]string{made}, parts[2:]...)
			}
		}
		return "${" + strings.Join(parts, ".") + "}"
	})
}

func (t *translator) relinkDependsOn(holder object) {
	switch named := holder["DependsOn"].(type) {
	case string:
		if id, ok := t.changed[named]; ok {
			holder["DependsOn"] = id
		}
	case []any:
		for i, item := range named {
			if id, ok := t.changed[textOf(item)]; ok {
				named[i] = id
			}
		}
	}
}
