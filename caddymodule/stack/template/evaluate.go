package template

import (
	"encoding/base64"
	"errors"
	"strings"
)

// maxResult is how many bytes the functions of one resource, or of the outputs, may make altogether.
const maxResult = 4 << 20

// Unknown is what [Plan.Preview] gives for what is not known yet, in CloudFormation's words.
const Unknown = "{{changeSet:KNOWN_AFTER_APPLY}}"

// ErrUnknown says that a value is not known yet.
var ErrUnknown = errors.New("the value is known after the resource is made")

// Attributes are what resources have that exist already. Before they exist, [Plan.Preview] takes ErrUnknown for an answer.
type Attributes interface {
	// Ref returns what Ref of the resource gives, its physical id as a rule.
	Ref(logicalID string) (any, error)
	// Attribute returns what Fn::GetAtt gives. Outputs of a nested stack are attributes named Outputs.NAME.
	Attribute(logicalID, name string) (any, error)
}

// absent stands for AWS::NoValue: what has this value is left out.
type absent struct{}

// evaluator evaluates functions in one part of the template.
type evaluator struct {
	plan  *Plan
	attrs Attributes
	// block is the section that is evaluated, for errors.
	block string
	// noResources says that resources cannot be referred to here.
	noResources bool
	// loops are the conditions that are being decided, for circles.
	deciding []string
	spent    int
	// dynamic replaces dynamic references in strings.
	dynamic bool
	// preview says that values may be unknown; depth is how many functions stand around the value.
	preview bool
	depth   int
}

func (e *evaluator) charge(value any) error {
	switch v := value.(type) {
	case string:
		e.spent += len(v)
	case []any:
		for _, item := range v {
			e.spent += 16
			if err := e.charge(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			e.spent += 16
			if err := e.charge(item); err != nil {
				return err
			}
		}
	}
	if e.spent > maxResult {
		return errorf("Template error: the functions of the template make more than %d bytes", maxResult)
	}
	return nil
}

// value evaluates value: absent{} where it is AWS::NoValue.
func (e *evaluator) value(value any) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		if name, argument, ok := function(v); ok {
			result, err := e.nested(name, argument)
			if err != nil {
				return nil, err
			}
			if text, is := result.(string); is && e.dynamic {
				if result, err = e.replaceDynamic(text); err != nil {
					return nil, err
				}
			}
			return result, e.charge(result)
		}
		return e.object(v)
	case []any:
		list := make([]any, 0, len(v))
		for _, item := range v {
			result, err := e.value(item)
			if err != nil {
				return nil, err
			}
			if result != (any)(absent{}) {
				list = append(list, result)
			}
		}
		return list, nil
	case string:
		if e.dynamic {
			return e.replaceDynamic(v)
		}
	}
	return value, nil
}

// nested calls a function. What depends on something unknown is unknown as a whole, save the branches of Fn::If.
func (e *evaluator) nested(name string, argument any) (any, error) {
	if name == "Fn::If" {
		return e.choose(argument)
	}
	e.depth++
	result, err := e.call(name, argument)
	e.depth--
	if e.preview && e.depth == 0 && errors.Is(err, ErrUnknown) {
		return Unknown, nil
	}
	return result, err
}

func (e *evaluator) object(object map[string]any) (map[string]any, error) {
	result := make(map[string]any, len(object))
	for _, key := range sorted(object) {
		value, err := e.value(object[key])
		if err != nil {
			return nil, err
		}
		if value != (any)(absent{}) {
			result[key] = value
		}
	}
	return result, nil
}

// function returns the name and the argument, when object is a call of a function.
func function(object map[string]any) (name string, argument any, ok bool) {
	if len(object) != 1 {
		return "", nil, false
	}
	for name, argument = range object {
		// Condition is also a member of policies of IAM, whose value is an object.
		_, isText := argument.(string)
		ok = name == "Ref" || strings.HasPrefix(name, "Fn::") || name == "Condition" && isText
	}
	return name, argument, ok
}

func (e *evaluator) call(name string, argument any) (any, error) {
	switch name {
	case "Ref":
		id, err := e.refName(argument)
		if err != nil {
			return nil, err
		}
		return e.ref(id)
	case "Condition":
		return e.plan.condition(argument.(string), e)
	case "Fn::GetAtt":
		return e.getAtt(argument)
	case "Fn::Sub":
		return e.sub(argument)
	case "Fn::Join":
		return e.join(argument)
	case "Fn::Split":
		return e.split(argument)
	case "Fn::Select":
		return e.selectOne(argument)
	case "Fn::FindInMap":
		return e.findInMap(argument)
	case "Fn::If":
		return e.choose(argument)
	case "Fn::Base64":
		text, err := e.text(argument, "Template error: every Fn::Base64 object must have a String-typed value.")
		return base64.StdEncoding.EncodeToString([]byte(text)), err
	case "Fn::Cidr":
		return e.cidr(argument)
	case "Fn::GetAZs":
		return e.zones(argument)
	case "Fn::ImportValue":
		return e.imported(argument)
	case "Fn::Transform":
		return nil, refuseTransform(argument)
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not":
		return e.logic(name, argument)
	case "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::RefAll":
		if e.block == "Rules" {
			return e.ruleFunction(name, argument)
		}
	case "Fn::ValueOf", "Fn::ValueOfAll":
		return nil, errorf("Template error: %s is not supported", name)
	case "Fn::Length", "Fn::ToJsonString":
		if e.plan.template.extended() {
			return e.extension(name, argument)
		}
		return nil, errorf("Template error: %s needs the transform %s", name, LanguageExtensions)
	}
	return nil, unknownFunction(name)
}

func unknownFunction(name string) error {
	return errorf("Template error: Encountered unsupported function: %s Supported functions are: [Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::RefAll, Fn::Sub, Fn::Cidr]", name)
}

func refuseTransform(argument any) error {
	if list, ok := argument.([]any); ok && len(list) > 0 {
		argument = list[0]
	}
	object, _ := argument.(map[string]any)
	name, ok := object["Name"].(string)
	if !ok {
		return errorf("Template error: Fn::Transform must have a Name")
	}
	if name == "AWS::Include" {
		return errorf("Transform AWS::Include is not supported")
	}
	return errorf("No transform named %s found.", name)
}

// refName returns what Ref names. Language extensions let a function say it.
func (e *evaluator) refName(argument any) (string, error) {
	const wrong = "Template error: every Ref object must have a single String value."
	if id, ok := argument.(string); ok {
		return id, nil
	}
	if !e.plan.template.extended() {
		return "", errorf(wrong)
	}
	return e.text(argument, wrong)
}

func (e *evaluator) ref(id string) (any, error) {
	if id == "AWS::NoValue" {
		return absent{}, nil
	}
	if value, ok := e.plan.values[id]; ok {
		return value, nil
	}
	if err := e.usable(id); err != nil {
		return nil, err
	}
	return e.attrs.Ref(id)
}

// usable says why the resource cannot be referred to, if so.
func (e *evaluator) usable(id string) error {
	if e.noResources {
		return errorf("Template format error: Unresolved dependencies [%s]. Cannot reference resources in the %s block of the template", id, e.block)
	}
	if e.plan.byID[id] == nil {
		return unresolved(e.block, id)
	}
	return nil
}

func unresolved(block string, ids ...string) error {
	return errorf("Template format error: Unresolved resource dependencies [%s] in the %s block of the template", strings.Join(ids, ", "), block)
}

func (e *evaluator) getAtt(argument any) (any, error) {
	id, name, err := e.attribute(argument)
	if err != nil {
		return nil, err
	}
	if err := e.usable(id); err != nil {
		return nil, err
	}
	return e.attrs.Attribute(id, name)
}

const wrongGetAtt = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"

// attribute reads the argument of Fn::GetAtt. Its second part may be a function, with language extensions the first
// too. A nil evaluator leaves functions as they are: a question mark stands for them.
func (e *evaluator) attribute(argument any) (id, name string, err error) {
	if dotted, ok := argument.(string); ok {
		id, name, ok = strings.Cut(dotted, ".")
		if !ok || id == "" || name == "" {
			return "", "", errorf(wrongGetAtt)
		}
		return id, name, nil
	}
	parts, ok := argument.([]any)
	if !ok || len(parts) < 2 {
		return "", "", errorf(wrongGetAtt)
	}
	var texts []string
	for _, part := range parts {
		if e != nil {
			if part, err = e.value(part); err != nil {
				return "", "", err
			}
		}
		text, ok := part.(string)
		if e == nil && !ok {
			text = "?"
		} else if !ok || text == "" {
			return "", "", errorf(wrongGetAtt)
		}
		texts = append(texts, text)
	}
	return texts[0], strings.Join(texts[1:], "."), nil
}

// text evaluates value to a string, or fails with wrong.
func (e *evaluator) text(value any, wrong string) (string, error) {
	result, err := e.value(value)
	if err != nil {
		return "", err
	}
	text, ok := literal(result)
	if !ok {
		return "", errorf("%s", wrong)
	}
	return text, nil
}

// list evaluates value to a list, or fails with wrong.
func (e *evaluator) list(value any, wrong string) ([]any, error) {
	result, err := e.value(value)
	if err != nil {
		return nil, err
	}
	list, ok := result.([]any)
	if !ok {
		return nil, errorf("%s", wrong)
	}
	return list, nil
}

func (e *evaluator) choose(argument any) (any, error) {
	parts, ok := argument.([]any)
	if !ok || len(parts) != 3 {
		return nil, errorf("Template error: Fn::If requires a list argument with three elements")
	}
	var decided bool
	var err error
	if name, isName := parts[0].(string); isName {
		decided, err = e.plan.condition(name, e)
	} else if e.block == "Rules" || e.block == "Conditions" {
		decided, err = e.truth(parts[0])
	} else {
		return nil, errorf("Template error: Fn::If requires a list argument with the first element being a condition")
	}
	if err != nil {
		return nil, err
	}
	if decided {
		return e.value(parts[1])
	}
	return e.value(parts[2])
}
