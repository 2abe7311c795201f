package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// MaxBytes is the size of the largest template, in bytes.
	MaxBytes = 1 << 20
	// maxDepth is how deep maps and lists may be nested in a template.
	maxDepth = 100
	// maxNodes is how many values a document may have when its aliases are replaced.
	maxNodes = 300_000
)

// Error says in CloudFormation's words what is wrong with a template or the values given for it.
// The API answers it as a ValidationError.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}

// Decode reads a template, JSON or YAML, into a document. Numbers keep the text they have in the
// template. A scalar of YAML means what YAML 1.1 says, except that dates stay strings.
func Decode(body []byte) (map[string]any, error) {
	if len(body) > MaxBytes {
		return nil, errorf("Template format error: template is larger than %d bytes.", MaxBytes)
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return nil, errorf("Template format error: unsupported structure.")
	}
	var value any
	var err error
	if trimmed[0] == '{' {
		value, err = decodeJSON(body)
		if err != nil {
			// A flow mapping of YAML begins like JSON.
			if fromYAML, yamlErr := decodeYAML(body); yamlErr == nil {
				value, err = fromYAML, nil
			}
		}
	} else {
		value, err = decodeYAML(body)
	}
	if err != nil {
		return nil, err
	}
	document, ok := value.(map[string]any)
	if !ok {
		return nil, errorf("Template format error: unsupported structure.")
	}
	return document, nil
}

func decodeJSON(body []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		at := decoder.InputOffset()
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = syntax.Offset
		}
		line, column := position(body, int(at))
		return nil, errorf("Template format error: JSON not well-formed. (line %d, column %d)", line, column)
	}
	nodes := 0
	if err := measure(value, 0, &nodes); err != nil {
		return nil, err
	}
	return value, nil
}

// position returns the line and column of the byte at offset, both from one.
func position(body []byte, offset int) (line, column int) {
	before := body[:min(max(offset, 0), len(body))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

func measure(value any, depth int, nodes *int) error {
	*nodes++
	if depth > maxDepth {
		return errorf("Template format error: template is nested deeper than %d levels.", maxDepth)
	}
	if *nodes > maxNodes {
		return errorf("Template format error: template has more than %d values.", maxNodes)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, item := range v {
			if err := measure(item, depth+1, nodes); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := measure(item, depth+1, nodes); err != nil {
				return err
			}
		}
	}
	return nil
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

func decodeYAML(body []byte) (any, error) {
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&root); err != nil {
		line := "1"
		if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
			line = found[1]
		}
		return nil, errorf("Template format error: YAML not well-formed. (line %s, column 1)", line)
	}
	if more := new(yaml.Node); len(root.Content) != 1 || !errors.Is(decoder.Decode(more), io.EOF) {
		return nil, errorf("Template format error: unsupported structure.")
	}
	r := yamlReader{}
	return r.value(root.Content[0], 0)
}

// yamlReader counts what it reads, so that aliases cannot make a small template large.
type yamlReader struct {
	nodes int
	bytes int
}

func malformed(node *yaml.Node) error {
	return errorf("Template format error: YAML not well-formed. (line %d, column %d)", node.Line, node.Column)
}

func (r *yamlReader) value(node *yaml.Node, depth int) (any, error) {
	r.nodes++
	r.bytes += len(node.Value)
	if depth > maxDepth {
		return nil, errorf("Template format error: template is nested deeper than %d levels.", maxDepth)
	}
	if r.nodes > maxNodes || r.bytes > 4*MaxBytes {
		return nil, errorf("Template format error: template has more than %d values.", maxNodes)
	}
	if node.Kind == yaml.AliasNode {
		// Depth ends an alias of what holds it.
		return r.value(node.Alias, depth+1)
	}
	if short, ok := strings.CutPrefix(node.Tag, "!"); ok && short != "" && !strings.HasPrefix(short, "!") {
		return r.function(short, node, depth)
	}
	return r.plain(node, depth)
}

func (r *yamlReader) plain(node *yaml.Node, depth int) (any, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		return scalar(node)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			value, err := r.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		object := make(map[string]any, len(node.Content)/2)
		return object, r.mapping(object, node, depth)
	}
	return nil, malformed(node)
}

func (r *yamlReader) mapping(object map[string]any, node *yaml.Node, depth int) error {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, item := node.Content[i], node.Content[i+1]
		if key.Tag == "!!merge" {
			if err := r.merge(object, item, depth); err != nil {
				return err
			}
			continue
		}
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return malformed(key)
		}
		value, err := r.value(item, depth+1)
		if err != nil {
			return err
		}
		object[key.Value] = value
	}
	return nil
}

// merge adds what the mapping behind << has and object does not.
func (r *yamlReader) merge(object map[string]any, node *yaml.Node, depth int) error {
	value, err := r.value(node, depth+1)
	if err != nil {
		return err
	}
	parts, ok := value.([]any)
	if !ok {
		parts = []any{value}
	}
	for _, part := range parts {
		from, ok := part.(map[string]any)
		if !ok {
			return malformed(node)
		}
		for key, item := range from {
			if _, has := object[key]; !has {
				object[key] = item
			}
		}
	}
	return nil
}

var shortForms = map[string]string{
	"Ref": "Ref", "Condition": "Condition",
	"And": "Fn::And", "Base64": "Fn::Base64", "Cidr": "Fn::Cidr", "Contains": "Fn::Contains",
	"EachMemberEquals": "Fn::EachMemberEquals", "EachMemberIn": "Fn::EachMemberIn", "Equals": "Fn::Equals",
	"FindInMap": "Fn::FindInMap", "GetAtt": "Fn::GetAtt", "GetAZs": "Fn::GetAZs", "If": "Fn::If",
	"ImportValue": "Fn::ImportValue", "Join": "Fn::Join", "Length": "Fn::Length", "Not": "Fn::Not", "Or": "Fn::Or",
	"RefAll": "Fn::RefAll", "Select": "Fn::Select", "Split": "Fn::Split", "Sub": "Fn::Sub",
	"ToJsonString": "Fn::ToJsonString", "Transform": "Fn::Transform", "ValueOf": "Fn::ValueOf",
	"ValueOfAll": "Fn::ValueOfAll",
}

func (r *yamlReader) function(short string, node *yaml.Node, depth int) (any, error) {
	name, ok := shortForms[short]
	if !ok {
		return nil, errorf("Template format error: YAML not well-formed. Unknown tag !%s (line %d, column %d)", short, node.Line, node.Column)
	}
	if node.Kind == yaml.ScalarNode {
		// What stands behind a tag is a string, as !Ref 1 names the resource 1.
		if id, attribute, ok := strings.Cut(node.Value, "."); ok && name == "Fn::GetAtt" {
			return map[string]any{name: []any{id, attribute}}, nil
		}
		return map[string]any{name: node.Value}, nil
	}
	argument, err := r.plain(node, depth+1)
	if err != nil {
		return nil, err
	}
	return map[string]any{name: argument}, nil
}

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	zeroes     = regexp.MustCompile(`^[-+]?0[0-9]+$`)
)

func scalar(node *yaml.Node) (any, error) {
	text := node.Value
	quoted := node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if quoted {
		return text, nil
	}
	switch node.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(text, "true"), nil
	case "!!int":
		return integer(text), nil
	case "!!float":
		if jsonNumber.MatchString(text) {
			return json.Number(text), nil
		}
		return text, nil
	case "!!str", "!!timestamp":
		if node.Style&yaml.TaggedStyle != 0 {
			return text, nil
		}
		switch text {
		case "yes", "Yes", "YES", "on", "On", "ON":
			return true, nil
		case "no", "No", "NO", "off", "Off", "OFF":
			return false, nil
		}
		return text, nil
	case "!!binary", "!!omap", "!!pairs", "!!set":
		return nil, malformed(node)
	}
	return text, nil
}

// integer gives back the text of an account number with a leading zero, which YAML 1.1 would read as an octal number.
func integer(text string) any {
	if jsonNumber.MatchString(text) {
		return json.Number(text)
	}
	if zeroes.MatchString(text) {
		return text
	}
	if n, ok := new(big.Int).SetString(strings.ReplaceAll(text, "_", ""), 0); ok {
		return json.Number(n.String())
	}
	return text
}
