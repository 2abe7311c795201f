package transform

import (
	"github.com/hearthfn/hearth/caddymodule/stack/template"
)

const (
	include = "AWS::Include"
	// maxIncludes is how many files a template may include.
	maxIncludes = 100
	// maxIncluded is how many values a document may have with what it includes.
	maxIncluded = 300_000
)

// includer puts the files into a document that AWS::Include names
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-include.html). What a file
// includes itself stays as it is, and is refused later.
type includer struct {
	in         Input
	parameters object
	files      int
	values     int
}

// includes says whether a document includes files.
func includes(value any) bool {
	switch v := value.(type) {
	case object:
		for key, item := range v {
			if key == "Fn::Transform" || key == "Transform" {
				for _, call := range policyList(item) {
					if mapOf(call)["Name"] == include || call == include {
						return true
					}
				}
			}
			if includes(item) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if includes(item) {
				return true
			}
		}
	}
	return false
}

func expandIncludes(document object, in Input) error {
	x := &includer{in: in, parameters: object{}}
	for name, declared := range mapOf(document["Parameters"]) {
		if value, ok := mapOf(declared)["Default"].(string); ok && !secret(declared) {
			x.parameters[name] = value
		}
	}
	for name, value := range in.Parameters {
		x.parameters[name] = value
	}
	var rest []any
	for _, call := range policyList(document["Transform"]) {
		if mapOf(call)["Name"] != include {
			rest = append(rest, call)
			continue
		}
		content, err := x.read(mapOf(call))
		if err != nil {
			return err
		}
		for _, section := range sorted(content) {
			if own, ok := document[section].(object); ok && mapOf(content[section]) != nil {
				err = x.merge(own, mapOf(content[section]))
			} else {
				err = x.merge(document, object{section: content[section]})
			}
			if err != nil {
				return err
			}
		}
	}
	if delete(document, "Transform"); len(rest) > 0 {
		document["Transform"] = rest
	}
	return x.walk(document)
}

func (x *includer) walk(value any) error {
	if x.values++; x.values > maxIncluded {
		return includeFailure("the template has more than %d values", maxIncluded)
	}
	switch v := value.(type) {
	case object:
		for _, key := range sorted(v) {
			if err := x.walk(v[key]); err != nil {
				return err
			}
		}
		var rest []any
		calls := policyList(v["Fn::Transform"])
		delete(v, "Fn::Transform")
		for _, call := range calls {
			if mapOf(call)["Name"] != include {
				rest = append(rest, call)
				continue
			}
			content, err := x.read(mapOf(call))
			if err != nil {
				return err
			}
			if err := x.merge(v, content); err != nil {
				return err
			}
		}
		if len(rest) > 0 {
			v["Fn::Transform"] = rest
		}
	case []any:
		for _, item := range v {
			if err := x.walk(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func includeFailure(format string, args ...any) error {
	return failure("Transform AWS::Include failed with: "+format, args...)
}

// merge adds content to what stands beside the include.
func (x *includer) merge(into, content object) error {
	for _, key := range sorted(content) {
		if _, taken := into[key]; taken {
			return includeFailure("the key %s is there already", key)
		}
		into[key] = content[key]
	}
	return nil
}

func (x *includer) read(call object) (object, error) {
	if x.in.Include == nil {
		return nil, failure("Transform AWS::Include is not supported")
	}
	if x.files++; x.files > maxIncludes {
		return nil, includeFailure("the template includes more than %d files", maxIncludes)
	}
	location := mapOf(call["Parameters"])["Location"]
	if name, ok := mapOf(location)["Ref"].(string); ok {
		location = x.parameters[name]
	}
	place, ok := location.(string)
	if !ok {
		return nil, includeFailure("The location parameter is not a valid S3 uri.")
	}
	body, err := x.in.Include(place)
	if err != nil {
		return nil, includeFailure("%s", err)
	}
	content, err := template.Decode(body)
	if err != nil {
		return nil, includeFailure("%s", err)
	}
	x.values += values(content)
	return content, nil
}

// values counts the values of a document.
func values(value any) int {
	n := 1
	switch v := value.(type) {
	case object:
		for _, item := range v {
			n += values(item)
		}
	case []any:
		for _, item := range v {
			n += values(item)
		}
	}
	return n
}
