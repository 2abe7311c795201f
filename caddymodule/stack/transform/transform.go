package transform

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/stack/template"
)

// Serverless is the transform of SAM.
const Serverless = "AWS::Serverless-2016-10-31"

// Input is what a transform needs to know of the stack.
type Input struct {
	// Parameters are the values of the template's parameters, by name; the defaults stand for those that are
	// not given.
	Parameters map[string]string
	Region     string
	// Partition is aws where empty.
	Partition string
	// Include reads a file that the template includes, from its location (s3://bucket/key). When it is nil, AWS::Include is
	// refused.
	Include func(location string) ([]byte, error)
	// Now is the time of the deployment. APIs with AlwaysDeploy are deployed anew for each second; they are refused
	// when the time is zero.
	Now time.Time
}

// Apply applies the transforms that a document declares, and returns the plain document. The document it is given
// is not changed. What remains to be evaluated with resources, Fn::ToJsonString and Fn::Length, needs
// the name of AWS::LanguageExtensions in the document, so that this name stays. A document without transforms
// comes back as it is.
//
// An error is a *template.Error: a transform that is not known, a resource type or a property that SAM or this package does not
// know or support, named.
func Apply(document map[string]any, in Input) (map[string]any, error) {
	if !Needed(document) {
		_, err := template.Transforms(document)
		return document, err
	}
	if in.Partition == "" {
		in.Partition = "aws"
	}
	document = copied(document).(object)
	open := make(map[string]string, len(in.Parameters))
	for name, value := range in.Parameters {
		if !secret(mapOf(document["Parameters"])[name]) {
			open[name] = value
		}
	}
	in.Parameters = open
	if includes(document) {
		if err := expandIncludes(document, in); err != nil {
			return nil, err
		}
	}
	names, err := template.Transforms(document)
	if err != nil {
		return nil, err
	}
	serverless, extended := false, false
	for _, name := range names {
		switch name {
		case Serverless:
			serverless = true
		case template.LanguageExtensions:
			extended = true
		default:
			return nil, failure("No transform named %s found.", name)
		}
	}
	if extended {
		if err := expandLoops(document, in); err != nil {
			return nil, err
		}
	}
	if serverless {
		if document, err = translate(document, in); err != nil {
			return nil, err
		}
	}
	delete(document, "Transform")
	if extended {
		document["Transform"] = template.LanguageExtensions
	}
	return document, nil
}

// Needed says whether a document declares transforms or includes files, so that Apply changes it.
func Needed(document map[string]any) bool {
	return document["Transform"] != nil || includes(document)
}

// secret says whether a parameter is declared with NoEcho. Its value is not written into a template.
func secret(declared any) bool {
	text, _ := scalarText(mapOf(declared)["NoEcho"])
	return text == "true"
}

func failure(format string, args ...any) error {
	return &template.Error{Message: fmt.Sprintf(format, args...)}
}

// problems gathers what is wrong with a template, in the words of SAM. The first problem of a resource counts.
type problems struct {
	causes []cause
	seen   map[string]bool
	// fatal says that the document as a whole cannot be read.
	fatal string
}

// cause is one problem: of the resource with that id, or of the document.
type cause struct{ id, text string }

// resource notes that a resource is invalid.
func (p *problems) resource(id, format string, args ...any) {
	if p.seen[id] {
		return
	}
	p.seen[id] = true
	p.add(id, fmt.Sprintf("Resource with id [%s] is invalid. %s", id, fmt.Sprintf(format, args...)))
}

// event notes that an event of a function is invalid.
func (p *problems) event(function, event, format string, args ...any) {
	p.resource(function, "Event with id [%s] is invalid. %s", event, fmt.Sprintf(format, args...))
}

// document notes that the document has a structure that cannot be read.
func (p *problems) document(format string, args ...any) {
	if p.fatal == "" {
		p.fatal = "Structure of the SAM template is invalid. " + fmt.Sprintf(format, args...)
	}
}

func (p *problems) add(id, text string) {
	for _, known := range p.causes {
		if known.text == text {
			return
		}
	}
	p.causes = append(p.causes, cause{id, text})
}

// err returns the error of all problems, sorted by resource, nil when there are none.
func (p *problems) err() error {
	causes := slices.Clone(p.causes)
	if p.fatal != "" {
		causes = []cause{{text: p.fatal}}
	}
	if len(causes) == 0 {
		return nil
	}
	slices.SortStableFunc(causes, func(a, b cause) int { return strings.Compare(a.id, b.id) })
	var texts []string
	for _, c := range causes {
		texts = append(texts, c.text)
	}
	return failure("Transform %s failed with: Invalid Serverless Application Specification document. Number of errors found: %d. %s",
		Serverless, len(causes), strings.Join(texts, " "))
}

// python writes a value as Python does, in which SAM is written: its messages show values of templates.
func python(value any) string {
	switch v := value.(type) {
	case nil:
		return "None"
	case string:
		return "'" + v + "'"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, python(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case object:
		var items []string
		for _, key := range sorted(v) {
			items = append(items, python(key)+": "+python(v[key]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return fmt.Sprint(value)
}

// shown is how a message shows a value: a text as it is.
func shown(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	return python(value)
}
