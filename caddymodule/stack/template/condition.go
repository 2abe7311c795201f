package template

import (
	"slices"
	"strings"
)

func (t *Template) readConditions() (err error) {
	if t.conditions, err = t.section("Conditions", maxConditions); err != nil {
		return err
	}
	for _, name := range sorted(t.conditions) {
		if isLoop(name) && t.hasLoops() {
			continue
		}
		if name == "" || len(name) > maxName {
			return errorf("Template format error: Condition name %s must have 1 to %d characters.", name, maxName)
		}
		if _, ok := t.conditions[name].(map[string]any); !ok {
			return errorf("Template format error: Every Conditions member must be an object.")
		}
	}
	return nil
}

// checkCondition checks the member Condition of a resource or an output.
func (t *Template) checkCondition(value any, block string) error {
	if value == nil {
		return nil
	}
	name, ok := value.(string)
	if !ok {
		return errorf("Template format error: Every Condition member must be a string.")
	}
	if _, has := t.conditions[name]; !has {
		return undefinedCondition(block, name)
	}
	return nil
}

func undefinedCondition(block, name string) error {
	return errorf("Template format error: Unresolved condition dependency %s in the %s block of the template", name, block)
}

func undefinedChoice(name string) error {
	return errorf("Template error: unresolved condition dependency %s in Fn::If", name)
}

// condition decides the condition of that name, for a part of the template that by evaluates.
func (p *Plan) condition(name string, by *evaluator) (bool, error) {
	if decided, ok := p.decided[name]; ok {
		return decided, nil
	}
	definition, ok := p.template.conditions[name]
	if !ok {
		return false, undefinedChoice(name)
	}
	if at := slices.Index(by.deciding, name); at >= 0 {
		return false, errorf("Circular dependency between conditions: [%s]", strings.Join(by.deciding[at:], ", "))
	}
	e := &evaluator{
		plan: p, block: "Conditions", noResources: true, spent: by.spent,
		deciding: append(slices.Clip(by.deciding), name),
	}
	decided, err := e.truth(definition)
	if err != nil {
		return false, err
	}
	p.decided[name] = decided
	return decided, nil
}

// truth evaluates value to true or false.
func (e *evaluator) truth(value any) (bool, error) {
	result, err := e.value(value)
	if err != nil {
		return false, err
	}
	switch v := result.(type) {
	case bool:
		return v, nil
	case string:
		if v == "true" || v == "false" {
			return v == "true", nil
		}
	}
	return false, errorf("Template format error: Conditions can only be boolean operations on parameters and other conditions")
}

func (e *evaluator) logic(name string, argument any) (any, error) {
	if e.block != "Conditions" && e.block != "Rules" {
		return nil, errorf("Template error: %s cannot be used outside of the Conditions block of the template", name)
	}
	parts, ok := argument.([]any)
	switch name {
	case "Fn::Equals":
		if !ok || len(parts) != 2 {
			return nil, errorf("Template error: every Fn::Equals object requires a list of 2 string parameters.")
		}
		left, err := e.value(parts[0])
		if err != nil {
			return nil, err
		}
		right, err := e.value(parts[1])
		if err != nil {
			return nil, err
		}
		return same(left, right), nil
	case "Fn::Not":
		if !ok || len(parts) != 1 {
			return nil, errorf("Template error: every Fn::Not object requires one boolean parameter.")
		}
		truth, err := e.truth(parts[0])
		return !truth, err
	}
	if !ok || len(parts) < 2 || len(parts) > 10 {
		return nil, errorf("Template error: every %s object requires a list of at least 2 and at most 10 boolean parameters.", name)
	}
	for _, part := range parts {
		truth, err := e.truth(part)
		if err != nil {
			return nil, err
		}
		if truth != (name == "Fn::And") {
			return truth, nil
		}
	}
	return name == "Fn::And", nil
}

// same compares as CloudFormation does: scalars by their text.
func same(left, right any) bool {
	if a, ok := literal(left); ok {
		b, ok := literal(right)
		return ok && a == b
	}
	a, ok := left.([]any)
	b, ok2 := right.([]any)
	return ok && ok2 && slices.EqualFunc(a, b, same)
}
