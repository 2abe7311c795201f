package template

import (
	"slices"
	"strings"
)

// walk finds what a part of a template refers to.
type walk struct {
	template *Template
	// plan decides Fn::If: only the branch that is taken counts. Without one both count.
	plan  *Plan
	block string
	// resources that are referred to.
	resources map[string]bool
	// undefined are names that Ref or Fn::Sub refer to and that are nothing.
	undefined map[string]bool
	imports   map[string]bool
}

// checkReferences refuses references to what the template does not have.
func (t *Template) checkReferences() error {
	for _, block := range []string{"Resources", "Outputs"} {
		w := &walk{template: t, block: block, resources: map[string]bool{}, undefined: map[string]bool{}}
		if block == "Resources" {
			for _, id := range sorted(t.resources) {
				if err := w.resource(t.resources[id]); err != nil {
					return err
				}
			}
		} else {
			for _, name := range sorted(t.outputs) {
				if err := w.output(t.outputs[name]); err != nil {
					return err
				}
			}
		}
		if len(w.undefined) > 0 && !t.pendingLoops() {
			return unresolved(block, sorted(w.undefined)...)
		}
	}
	return nil
}

// pendingLoops says whether a Fn::ForEach may still make resources.
func (t *Template) pendingLoops() bool {
	section, _ := t.document["Resources"].(map[string]any)
	for name := range section {
		if isLoop(name) {
			return true
		}
	}
	return false
}

func (w *walk) resource(d *definition) error {
	for _, member := range []string{"Properties", "Metadata", "CreationPolicy", "UpdatePolicy"} {
		if err := w.value(d.body[member]); err != nil {
			return err
		}
	}
	for _, id := range d.dependsOn {
		w.reference(id, true)
	}
	return nil
}

func (w *walk) output(body map[string]any) error {
	if err := w.value(body["Value"]); err != nil {
		return err
	}
	return w.value(body["Export"])
}

// reference notes that id is referred to. What DependsOn names and whose condition does not hold is left out.
func (w *walk) reference(id string, dependsOn bool) {
	_, defined := w.template.resources[id]
	if w.plan != nil {
		if w.plan.byID[id] == nil {
			if !dependsOn || !defined {
				w.undefined[id] = true
			}
			return
		}
	} else if !defined {
		w.undefined[id] = true
		return
	}
	w.resources[id] = true
}

func (w *walk) ref(name string) {
	if w.template.parameters[name] != nil || slices.Contains(pseudoNames, name) {
		return
	}
	w.reference(name, false)
}

func (w *walk) value(value any) error {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if err := w.value(item); err != nil {
				return err
			}
		}
	case map[string]any:
		if name, argument, ok := function(v); ok {
			return w.call(name, argument)
		}
		for _, key := range sorted(v) {
			if err := w.value(v[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) call(name string, argument any) error {
	switch name {
	case "Ref":
		if _, ok := argument.(string); !ok && w.plan == nil && w.template.extended() {
			return nil
		}
		id, err := w.names().refName(argument)
		if err != nil {
			return err
		}
		w.ref(id)
		return nil
	case "Fn::GetAtt":
		var names *evaluator
		if w.plan != nil && w.template.extended() {
			names = w.names()
		}
		id, _, err := names.attribute(argument)
		if err != nil {
			return err
		}
		if id == "?" && w.template.extended() {
			return nil
		} else if id == "?" {
			return errorf(wrongGetAtt)
		}
		return w.getAtt(id)
	case "Fn::Sub":
		source, given, err := subParts(argument)
		if err != nil {
			return err
		}
		for _, piece := range pieces(source) {
			if _, local := given[piece.text]; local || !piece.name {
				continue
			}
			if id, _, dotted := strings.Cut(piece.text, "."); dotted {
				if err := w.getAtt(id); err != nil {
					return err
				}
			} else {
				w.ref(piece.text)
			}
		}
		for _, key := range sorted(given) {
			if err := w.value(given[key]); err != nil {
				return err
			}
		}
		return nil
	case "Fn::If":
		return w.choice(argument)
	case "Fn::Transform":
		return refuseTransform(argument)
	case "Fn::ImportValue":
		if w.plan != nil {
			e := &evaluator{plan: w.plan, block: w.block}
			name, err := e.importName(argument)
			if err != nil {
				return err
			}
			w.imports[name] = true
			return nil
		}
	case "Fn::Length", "Fn::ToJsonString":
		if !w.template.extended() {
			return errorf("Template error: %s needs the transform %s", name, LanguageExtensions)
		}
	case "Condition":
		return nil
	case "Fn::Base64", "Fn::Cidr", "Fn::FindInMap", "Fn::GetAZs", "Fn::Join", "Fn::Select", "Fn::Split":
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not":
		return errorf("Template error: %s cannot be used outside of the Conditions block of the template", name)
	default:
		if isLoop(name) && w.template.hasLoops() {
			return nil
		}
		return unknownFunction(name)
	}
	return w.value(argument)
}

// names evaluates the functions that stand for a name.
func (w *walk) names() *evaluator {
	plan := w.plan
	if plan == nil {
		plan = &Plan{template: w.template}
	}
	return &evaluator{plan: plan, block: w.block, noResources: true}
}

func (w *walk) getAtt(id string) error {
	if _, defined := w.template.resources[id]; !defined {
		if w.template.pendingLoops() {
			return nil
		}
		return errorf("Template error: instance of Fn::GetAtt references undefined resource %s", id)
	}
	w.reference(id, false)
	return nil
}

func (w *walk) choice(argument any) error {
	parts, ok := argument.([]any)
	if !ok || len(parts) != 3 {
		return errorf("Template error: Fn::If requires a list argument with three elements")
	}
	name, ok := parts[0].(string)
	if !ok {
		return errorf("Template error: Fn::If requires a list argument with the first element being a condition")
	}
	if _, has := w.template.conditions[name]; !has && !w.template.hasLoops() {
		return undefinedChoice(name)
	}
	if w.plan == nil {
		if err := w.value(parts[1]); err != nil {
			return err
		}
		return w.value(parts[2])
	}
	holds, err := w.plan.condition(name, &evaluator{plan: w.plan, block: w.block})
	if err != nil {
		return err
	}
	if holds {
		return w.value(parts[1])
	}
	return w.value(parts[2])
}

// link finds the dependencies of the resources and their order.
func (p *Plan) link() error {
	imports := map[string]bool{}
	undefined := map[string]bool{}
	for _, r := range p.Resources {
		w := &walk{template: p.template, plan: p, block: "Resources", resources: map[string]bool{}, undefined: undefined, imports: imports}
		if err := w.resource(p.byID[r.LogicalID]); err != nil {
			return err
		}
		r.Dependencies = sorted(w.resources)
	}
	if len(undefined) > 0 {
		return unresolved("Resources", sorted(undefined)...)
	}
	w := &walk{template: p.template, plan: p, block: "Outputs", resources: map[string]bool{}, undefined: undefined, imports: imports}
	for _, name := range sorted(p.template.outputs) {
		body := p.template.outputs[name]
		if condition, ok := body["Condition"].(string); ok && !p.decided[condition] {
			continue
		}
		if err := w.output(body); err != nil {
			return err
		}
	}
	if len(undefined) > 0 {
		return errorf("Unresolved resource dependencies [%s] in the Outputs block of the template", strings.Join(sorted(undefined), ", "))
	}
	p.Imports = sorted(imports)
	return p.sort()
}

// sort puts the resources into an order in which each comes after those it depends on.
func (p *Plan) sort() error {
	waits := map[string]int{}
	dependents := map[string][]string{}
	var ready []string
	for _, r := range p.Resources {
		waits[r.LogicalID] = len(r.Dependencies)
		for _, id := range r.Dependencies {
			dependents[id] = append(dependents[id], r.LogicalID)
		}
		if len(r.Dependencies) == 0 {
			ready = append(ready, r.LogicalID)
		}
	}
	for len(ready) > 0 {
		id := ready[0]
		ready = ready[1:]
		p.order = append(p.order, id)
		for _, next := range dependents[id] {
			if waits[next]--; waits[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	if len(p.order) < len(p.Resources) {
		return errorf("Circular dependency between resources: [%s]", strings.Join(p.circle(waits), ", "))
	}
	return nil
}

// circle returns the resources that are in circles, or between two: those left that also lead to one that is left.
func (p *Plan) circle(waits map[string]int) []string {
	left := map[string]bool{}
	for id, n := range waits {
		if n > 0 {
			left[id] = true
		}
	}
	// Take away those that only wait for a circle.
	for changed := true; changed; {
		changed = false
		needed := map[string]bool{}
		for id := range left {
			for _, dependency := range p.byID[id].Dependencies {
				needed[dependency] = true
			}
		}
		for id := range left {
			if !needed[id] {
				delete(left, id)
				changed = true
			}
		}
	}
	return sorted(left)
}

// Order returns the logical ids, each after those it depends on.
func (p *Plan) Order() []string { return slices.Clone(p.order) }
