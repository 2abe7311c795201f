package template

import "strings"

// decideRules checks the parameters by the rules of the template.
func (p *Plan) decideRules() error {
	for _, name := range sorted(p.template.rules) {
		rule := p.template.rules[name].(map[string]any)
		e := &evaluator{plan: p, block: "Rules", noResources: true}
		if condition, has := rule["RuleCondition"]; has {
			applies, err := e.truth(condition)
			if err != nil {
				return err
			}
			if !applies {
				continue
			}
		}
		var failed []string
		for _, item := range rule["Assertions"].([]any) {
			assertion := item.(map[string]any)
			holds, err := e.truth(assertion["Assert"])
			if err != nil {
				return err
			}
			if !holds {
				description, ok := literal(assertion["AssertDescription"])
				if !ok {
					description = "Assertion of rule " + name + " failed"
				}
				failed = append(failed, description)
			}
		}
		if len(failed) > 0 {
			return errorf("%s", strings.Join(failed, "; "))
		}
	}
	return nil
}

func (e *evaluator) ruleFunction(name string, argument any) (any, error) {
	if name == "Fn::RefAll" {
		kind, ok := argument.(string)
		if !ok {
			return nil, errorf("Template error: Fn::RefAll requires the type of a parameter")
		}
		all := []any{}
		for _, p := range e.plan.template.Parameters {
			if p.Type == kind {
				all = append(all, e.plan.values[p.Name])
			}
		}
		return all, nil
	}
	parts, ok := argument.([]any)
	wrong := "Template error: " + name + " requires a list argument with two elements"
	if !ok || len(parts) != 2 {
		return nil, errorf("%s", wrong)
	}
	list, err := e.list(parts[0], wrong)
	if err != nil {
		return nil, err
	}
	if name == "Fn::EachMemberIn" {
		within, err := e.list(parts[1], wrong)
		if err != nil {
			return nil, err
		}
		for _, item := range list {
			if !contains(within, item) {
				return false, nil
			}
		}
		return true, nil
	}
	value, err := e.value(parts[1])
	if err != nil {
		return nil, err
	}
	if name == "Fn::Contains" {
		return contains(list, value), nil
	}
	for _, item := range list {
		if !same(item, value) {
			return false, nil
		}
	}
	return true, nil
}

func contains(list []any, value any) bool {
	for _, item := range list {
		if same(item, value) {
			return true
		}
	}
	return false
}
