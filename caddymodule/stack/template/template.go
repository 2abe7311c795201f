package template

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The limits of CloudFormation.
const (
	maxResources  = 500
	maxParameters = 200
	maxOutputs    = 200
	maxMappings   = 200
	maxConditions = 500
	maxRules      = 500
	maxName       = 255
)

// LanguageExtensions is the transform that adds Fn::ForEach, Fn::Length, Fn::ToJsonString and more.
const LanguageExtensions = "AWS::LanguageExtensions"

// Template is a checked template. It is read only, and may be used by several goroutines.
type Template struct {
	Description string
	// Metadata is the section of this name, as it stands in the template.
	Metadata map[string]any
	// Parameters are sorted by name.
	Parameters []*Parameter
	// Transforms are the names in the section Transform. Those but LanguageExtensions, and what Fn::Transform
	// names, must be applied to the document (package transform does it) before the template can be resolved.
	Transforms []string

	// embedded is the argument of a Fn::Transform within the document, nil when there is none.
	embedded   any
	document   map[string]any
	parameters map[string]*Parameter
	resources  map[string]*definition
	outputs    map[string]map[string]any
	mappings   map[string]any
	conditions map[string]any
	rules      map[string]any
}

// definition is a resource as the template defines it.
type definition struct {
	Resource
	condition string
	dependsOn []string
	body      map[string]any
}

// Parse reads and checks a template, JSON or YAML.
func Parse(body []byte) (*Template, error) {
	document, err := Decode(body)
	if err != nil {
		return nil, err
	}
	return New(document)
}

var sections = []string{
	"AWSTemplateFormatVersion", "Conditions", "Description", "Hooks", "Mappings", "Metadata", "Outputs",
	"Parameters", "Resources", "Rules", "Transform",
}

// New checks a document that [Decode] read or a transform made. It keeps the document, which must not be
// changed after.
func New(document map[string]any) (*Template, error) {
	t := &Template{document: document}
	transforms, err := Transforms(document)
	if err != nil {
		return nil, err
	}
	t.Transforms = transforms
	t.embedded = embeddedTransform(document)
	var unknown []string
	for name := range document {
		// Globals belongs to the transform of SAM.
		if !slices.Contains(sections, name) && (name != "Globals" || !t.unexpanded()) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, errorf("Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	if version, ok := document["AWSTemplateFormatVersion"]; ok && text(version) != "2010-09-09" {
		return nil, errorf("Template format error: %s is not a supported value for AWSTemplateFormatVersion.", text(version))
	}
	if _, has := document["Hooks"]; has {
		return nil, errorf("Template format error: the section Hooks is not supported")
	}
	if description, ok := document["Description"]; ok && description != nil {
		t.Description, ok = description.(string)
		if !ok || len(t.Description) > 1024 {
			return nil, errorf("Template format error: every Description member must be a string of at most 1024 bytes.")
		}
	}
	for _, read := range []func() error{
		t.readParameters, t.readMappings, t.readConditions, t.readRules, t.readResources, t.readOutputs,
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	if t.Metadata, err = t.section("Metadata", maxNodes); err != nil {
		return nil, err
	}
	if !t.unexpanded() {
		if err := t.checkReferences(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Transforms returns the names in the section Transform of a document.
func Transforms(document map[string]any) ([]string, error) {
	declared, ok := document["Transform"]
	if !ok || declared == nil {
		return nil, nil
	}
	list, ok := declared.([]any)
	if !ok {
		list = []any{declared}
	}
	var names []string
	for _, item := range list {
		name, ok := item.(string)
		if object, isObject := item.(map[string]any); isObject {
			if name, ok = object["Name"].(string); !ok {
				return nil, errorf("Key Name of transform definition must be a string.")
			}
		}
		if !ok || name == "" {
			return nil, errorf("Template format error: Transform must be a name, or a list of names")
		}
		names = append(names, name)
	}
	return names, nil
}

// Document returns what the template was made of. It must not be changed.
func (t *Template) Document() map[string]any { return t.document }

// unexpanded says that a transform has still to be applied.
func (t *Template) unexpanded() bool {
	for _, name := range t.Transforms {
		if name != LanguageExtensions {
			return true
		}
	}
	return t.embedded != nil
}

// embeddedTransform returns the argument of a Fn::Transform within value, nil when there is none.
func embeddedTransform(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if call, has := v["Fn::Transform"]; has {
			if call == nil {
				call = map[string]any{}
			}
			return call
		}
		for _, key := range sorted(v) {
			if found := embeddedTransform(v[key]); found != nil {
				return found
			}
		}
	case []any:
		for _, item := range v {
			if found := embeddedTransform(item); found != nil {
				return found
			}
		}
	}
	return nil
}

func (t *Template) extended() bool { return slices.Contains(t.Transforms, LanguageExtensions) }

// section returns the section of that name, with at most limit members.
func (t *Template) section(name string, limit int) (map[string]any, error) {
	value, ok := t.document[name]
	if !ok || value == nil {
		return map[string]any{}, nil
	}
	section, ok := value.(map[string]any)
	if !ok {
		return nil, errorf("Template format error: [/%s] expects an object.", name)
	}
	if len(section) > limit {
		return nil, errorf("Template format error: Number of %s, %d, is greater than maximum allowed, %d", strings.ToLower(name), len(section), limit)
	}
	return section, nil
}

var alphanumeric = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

func named(kind, name string) error {
	if !alphanumeric.MatchString(name) {
		return errorf("Template format error: %s name %s is non alphanumeric.", kind, name)
	}
	if len(name) > maxName {
		return errorf("Template format error: %s name %s is longer than %d characters.", kind, name, maxName)
	}
	return nil
}

func (t *Template) readMappings() (err error) {
	if t.mappings, err = t.section("Mappings", maxMappings); err != nil {
		return err
	}
	for _, name := range sorted(t.mappings) {
		if isLoop(name) && t.hasLoops() {
			continue
		}
		if err := named("Mapping", name); err != nil {
			return err
		}
		mapping, ok := t.mappings[name].(map[string]any)
		if !ok || len(mapping) == 0 {
			return errorf("Template format error: Every Mappings member %s must be a map", name)
		}
		for _, key := range sorted(mapping) {
			if isLoop(key) && t.hasLoops() {
				continue
			}
			attributes, ok := mapping[key].(map[string]any)
			if !ok {
				return errorf("Template format error: Every Mappings member %s must be a map", key)
			}
			for _, value := range attributes {
				switch value.(type) {
				case string, json.Number, bool, []any:
				default:
					if !t.hasLoops() {
						return errorf("Template format error: Every Mappings attribute must be a String or a List.")
					}
				}
			}
		}
	}
	return nil
}

func (t *Template) readRules() (err error) {
	if t.rules, err = t.section("Rules", maxRules); err != nil {
		return err
	}
	for _, name := range sorted(t.rules) {
		rule, ok := t.rules[name].(map[string]any)
		if !ok {
			return errorf("Template format error: Rule %s must be an object.", name)
		}
		if err := members(rule, "rule", "RuleCondition", "Assertions"); err != nil {
			return err
		}
		assertions, ok := rule["Assertions"].([]any)
		if !ok || len(assertions) == 0 {
			return errorf("Template format error: Rule %s must have a list of Assertions.", name)
		}
		for _, item := range assertions {
			assertion, ok := item.(map[string]any)
			if !ok || assertion["Assert"] == nil {
				return errorf("Template format error: every member of Assertions of rule %s must have an Assert.", name)
			}
		}
	}
	return nil
}

// members refuses members of object that a thing of that kind does not have.
func members(object map[string]any, kind string, known ...string) error {
	for _, name := range sorted(object) {
		if !slices.Contains(known, name) {
			return errorf("Invalid template %s property '%s'", kind, name)
		}
	}
	return nil
}

func (t *Template) readOutputs() error {
	section, err := t.section("Outputs", maxOutputs)
	if err != nil {
		return err
	}
	t.outputs = map[string]map[string]any{}
	for _, name := range sorted(section) {
		if isLoop(name) && t.hasLoops() {
			continue
		}
		if err := named("Output", name); err != nil {
			return err
		}
		output, ok := section[name].(map[string]any)
		if !ok {
			return errorf("Template format error: Output %s is malformed!", name)
		}
		if _, has := output["Value"]; !has {
			return errorf("Template format error: Every Outputs member must contain a Value object")
		}
		if path := null(output, "/Outputs/"+name); path != "" {
			return errorf("[%s] 'null' values are not allowed in templates", path)
		}
		if err := members(output, "output", "Value", "Description", "Export", "Condition"); err != nil {
			return err
		}
		if export, has := output["Export"]; has {
			object, ok := export.(map[string]any)
			if !ok || object["Name"] == nil || len(object) != 1 {
				return errorf("Template format error: Output %s is malformed! The Export field must have a Name", name)
			}
		}
		if err := t.checkCondition(output["Condition"], "Outputs"); err != nil {
			return err
		}
		t.outputs[name] = output
	}
	return nil
}

// isLoop says whether the member of a section is a Fn::ForEach.
func isLoop(name string) bool { return strings.HasPrefix(name, "Fn::ForEach::") }

// hasLoops says whether Fn::ForEach may still stand in the template.
func (t *Template) hasLoops() bool { return len(t.Transforms) > 0 }

// ResourceTypes returns the types of the resources, each once, sorted.
func (t *Template) ResourceTypes() []string {
	types := map[string]bool{}
	for _, d := range t.resources {
		types[d.Type] = true
	}
	return sorted(types)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// text is how CloudFormation writes a literal where it wants a string.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	encoded, _ := json.Marshal(value)
	return string(encoded)
}

// literal returns the text of a scalar.
func literal(value any) (string, bool) {
	switch value.(type) {
	case string, json.Number, bool:
		return text(value), true
	}
	return "", false
}
