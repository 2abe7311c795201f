package template

import (
	"encoding/json"
	"strconv"
	"strings"
)

func (e *evaluator) join(argument any) (any, error) {
	const wrong = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
	parts, ok := argument.([]any)
	if !ok || len(parts) != 2 {
		return nil, errorf(wrong)
	}
	delimiter, err := e.text(parts[0], wrong)
	if err != nil {
		return nil, err
	}
	list, err := e.list(parts[1], wrong)
	if err != nil {
		return nil, err
	}
	var texts []string
	size := 0
	for _, item := range list {
		text, ok := literal(item)
		if !ok {
			return nil, errorf(wrong)
		}
		texts = append(texts, text)
		if size += len(text) + len(delimiter); size > maxResult {
			return nil, e.charge(strings.Repeat(" ", maxResult+1))
		}
	}
	return strings.Join(texts, delimiter), nil
}

func (e *evaluator) split(argument any) (any, error) {
	const wrong = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split."
	parts, ok := argument.([]any)
	if !ok || len(parts) != 2 {
		return nil, errorf(wrong)
	}
	delimiter, ok := parts[0].(string)
	if !ok || delimiter == "" {
		return nil, errorf(wrong)
	}
	source, err := e.text(parts[1], wrong)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, item := range strings.Split(source, delimiter) {
		list = append(list, item)
	}
	return list, nil
}

func (e *evaluator) selectOne(argument any) (any, error) {
	const wrong = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
	parts, ok := argument.([]any)
	if !ok || len(parts) != 2 {
		return nil, errorf(wrong)
	}
	index, err := e.text(parts[0], wrong)
	if err != nil {
		return nil, err
	}
	at, err := strconv.Atoi(index)
	if err != nil {
		return nil, errorf(wrong)
	}
	list, err := e.list(parts[1], wrong)
	if err != nil {
		return nil, err
	}
	if _, isLiteral := parts[1].([]any); isLiteral && (at < 0 || at >= len(list)) {
		return nil, errorf(wrong)
	}
	if at < 0 || at >= len(list) {
		return nil, errorf("Template error: Fn::Select cannot select nonexistent value at index %d", at)
	}
	return list[at], nil
}

func (e *evaluator) findInMap(argument any) (any, error) {
	const wrong = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
	parts, ok := argument.([]any)
	if !ok || len(parts) < 3 || len(parts) > 4 {
		return nil, errorf(wrong)
	}
	var keys [3]string
	for i := range keys {
		key, err := e.text(parts[i], wrong)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	mapping, has := e.plan.template.mappings[keys[0]].(map[string]any)
	attributes, _ := mapping[keys[1]].(map[string]any)
	value, found := attributes[keys[2]]
	if found {
		return value, nil
	}
	if len(parts) == 4 {
		options, ok := parts[3].(map[string]any)
		fallback, given := options["DefaultValue"]
		if !ok || !given || len(options) != 1 {
			return nil, errorf(wrong)
		}
		if !e.plan.template.extended() {
			return nil, errorf("Template error: DefaultValue of Fn::FindInMap needs the transform %s", LanguageExtensions)
		}
		return e.value(fallback)
	}
	if !has {
		return nil, errorf("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", keys[0])
	}
	return nil, errorf("Template error: Unable to get mapping for %s::%s::%s", keys[0], keys[1], keys[2])
}

func (e *evaluator) zones(argument any) (any, error) {
	const wrong = "Template error: every Fn::GetAZs object must have a String-typed value."
	region, err := e.text(argument, wrong)
	if err != nil {
		return nil, err
	}
	if region == "" {
		region = e.plan.pseudo.Region
	}
	return []any{region + "a", region + "b", region + "c"}, nil
}

func (e *evaluator) imported(argument any) (any, error) {
	if e.block == "Conditions" || e.block == "Rules" {
		return nil, errorf("Template error: Cannot use Fn::ImportValue in Conditions.")
	}
	name, err := e.importName(argument)
	if err != nil {
		return nil, err
	}
	if e.plan.input.Import == nil {
		return nil, errorf("No export named %s found.", name)
	}
	value, err := e.plan.input.Import(name)
	if err != nil && e.preview {
		// What is not exported yet may be when the resource is made.
		return nil, ErrUnknown
	}
	return value, err
}

func (e *evaluator) importName(argument any) (string, error) {
	inner := *e
	inner.noResources = true
	name, err := inner.text(argument, "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string")
	if err != nil {
		return "", errorf("Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs")
	}
	return name, nil
}

func (e *evaluator) extension(name string, argument any) (any, error) {
	value, err := e.value(argument)
	if err != nil {
		return nil, err
	}
	if name == "Fn::Length" {
		list, ok := value.([]any)
		if !ok {
			return nil, errorf("Template error: Fn::Length requires a list argument")
		}
		return json.Number(strconv.Itoa(len(list))), nil
	}
	switch value.(type) {
	case map[string]any, []any:
	default:
		return nil, errorf("Template error: Fn::ToJsonString requires an object or a list")
	}
	var encoded strings.Builder
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, errorf("Template error: Fn::ToJsonString requires an object or a list")
	}
	return strings.TrimSuffix(encoded.String(), "\n"), nil
}
