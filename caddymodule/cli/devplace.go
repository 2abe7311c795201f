package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// devMakes are the types of resources that dev reads, or that say nothing to it.
var devMakes = []string{
	"AWS::Lambda::Function", "AWS::Lambda::LayerVersion", "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Integration",
	"AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Deployment", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Resource", "AWS::ApiGateway::Method",
	"AWS::ApiGateway::Stage", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Account", "AWS::Lambda::Permission", "AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::Lambda::Url",
	"AWS::ApiGatewayV2::Authorizer", "AWS::ApiGateway::Authorizer", // routes name those that they lack
}

// rest names the resources that dev does not make. Roles that SAM's transform adds are left out: nobody wrote
// them.
func (r *devReading) rest() {
	kinds, ids := []string{}, map[string][]string{}
	for _, one := range r.plan.Resources {
		if slices.Contains(devMakes, one.Type) || !r.written[one.LogicalID] && strings.HasPrefix(one.Type, "AWS::IAM::") {
			continue
		}
		if ids[one.Type] == nil {
			kinds = append(kinds, one.Type)
		}
		ids[one.Type] = append(ids[one.Type], one.LogicalID)
	}
	for _, kind := range kinds {
		r.lacks("%s %s", kind, strings.Join(ids[kind], " "))
	}
}

// yamlLine is where the parser of YAML found an error.
var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\s+)?line (\d+): `)

// place puts the file and the line before an error: that of the resource or parameter that its words name, and of a
// property that they name in it.
func (r *devReading) place(err error) error {
	text := err.Error()
	if found := yamlLine.FindStringSubmatch(text); found != nil {
		return fmt.Errorf("%s:%s: %s", r.path, found[1], text[len(found[0]):])
	}
	for _, section := range []string{"Resources", "Parameters", "Globals", "Conditions", "Mappings"} {
		of := member(r.root, section)
		if key, value := named(of, text); key != nil {
			return fmt.Errorf("%s:%d: %w", r.path, lineIn(key, value, text), err)
		}
	}
	return fmt.Errorf("%s: %w", r.path, err)
}

// placeAt puts the file and the line of a resource before an error.
func (r *devReading) placeAt(id string, err error) error {
	resources := member(r.root, "Resources")
	if resources != nil && resources.Kind == yaml.MappingNode {
		for n := 0; n+1 < len(resources.Content); n += 2 {
			if key := resources.Content[n]; key.Value == id {
				return fmt.Errorf("%s:%d: %s: %w", r.path, lineIn(key, resources.Content[n+1], err.Error()), id, err)
			}
		}
	}
	return r.place(fmt.Errorf("%s: %w", id, err))
}

// named is the longest key of a mapping that a text has as a word, and its value.
func named(of *yaml.Node, text string) (key, value *yaml.Node) {
	if of == nil || of.Kind != yaml.MappingNode {
		return nil, nil
	}
	for n := 0; n+1 < len(of.Content); n += 2 {
		if k := of.Content[n]; hasWord(text, k.Value) && (key == nil || len(k.Value) > len(key.Value)) {
			key, value = k, of.Content[n+1]
		}
	}
	return key, value
}

// lineIn is the line of the innermost key under value that a text names, or that of key itself.
func lineIn(key, value *yaml.Node, text string) int {
	line := key.Line
	text = strings.ToLower(text) // our own errors begin small
	var walk func(of *yaml.Node, depth int)
	walk = func(of *yaml.Node, depth int) {
		if of.Kind != yaml.MappingNode || depth > maxNested {
			return
		}
		for n := 0; n+1 < len(of.Content); n += 2 {
			if k := of.Content[n]; k.Value != "Type" && k.Value != "Properties" && hasWord(text, strings.ToLower(k.Value)) {
				line = k.Line
			}
			walk(of.Content[n+1], depth+1)
		}
	}
	walk(value, 0)
	return line
}

func hasWord(text, word string) bool {
	for rest := text; word != ""; {
		at := strings.Index(rest, word)
		if at < 0 {
			return false
		}
		after := rest[at+len(word):]
		if (at == 0 || !letter(rest[at-1])) && (after == "" || !letter(after[0])) {
			return true
		}
		rest = after
	}
	return false
}

func letter(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
}
