package template

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pseudo are the pseudo parameters of a stack. Partition is aws and URLSuffix amazonaws.com where empty.
type Pseudo struct {
	Region, AccountID, StackName, StackID, URLSuffix, Partition string
	NotificationARNs                                            []string
}

// Input is what a template is resolved with.
type Input struct {
	// Parameters are the values that the caller gives, by name.
	Parameters map[string]string
	// UsePrevious names the parameters whose value stays what it was; Previous has those values.
	UsePrevious []string
	Previous    map[string]string
	Pseudo      Pseudo
	// SSM returns the value of a parameter of the store, for parameters of a type
	// AWS::SSM::Parameter::Value<TYPE>. A list is joined by commas.
	SSM func(name, typ string) (string, error)
	// Import returns the value that another stack exports.
	Import func(name string) (string, error)
	// Hidden are parameters that are secret though the template does not say so.
	Hidden []string
	// Dynamic returns what a dynamic reference stands for.
	Dynamic func(Reference) (string, error)
}

// Plan is a template with its parameters, conditions and rules decided: the resources to make and their graph.
// Its methods may be called by several goroutines.
type Plan struct {
	// Resources are those whose condition holds, sorted by logical id.
	Resources []*Resource
	// Parameters are the values that were taken.
	Parameters []Value
	// Conditions says which conditions hold.
	Conditions map[string]bool
	// Imports are the names that Fn::ImportValue asks for, sorted.
	Imports []string
	// Hidden are the names of the parameters that are secret.
	Hidden []string

	template *Template
	input    Input
	pseudo   Pseudo
	values   values
	decided  map[string]bool
	byID     map[string]*definition
	order    []string
	secrets  *secrets
}

// Output is an output of a stack.
type Output struct {
	Name, Value, Description string
	// Export is the name under which other stacks may import the value; empty for none.
	Export string
}

// Resolve decides all that does not depend on resources.
func (t *Template) Resolve(in Input) (*Plan, error) {
	for _, name := range t.Transforms {
		if name != LanguageExtensions {
			return nil, errorf("No transform named %s found.", name)
		}
	}
	if t.embedded != nil {
		return nil, refuseTransform(t.embedded)
	}
	if t.hasLoops() {
		for _, name := range []string{"Conditions", "Mappings", "Outputs", "Resources"} {
			section, _ := t.document[name].(map[string]any)
			for _, member := range sorted(section) {
				if isLoop(member) {
					return nil, errorf("Template error: %s in %s was not expanded", member, name)
				}
			}
		}
	}
	seen, report, err := t.resolveParameters(in)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Parameters: report, template: t, input: in, pseudo: in.Pseudo, values: seen,
		decided: map[string]bool{}, byID: map[string]*definition{}, secrets: new(secrets),
	}
	for _, one := range t.Parameters {
		if one.NoEcho || slices.Contains(in.Hidden, one.Name) {
			p.Hidden = append(p.Hidden, one.Name)
			p.Hide(seen[one.Name])
		}
	}
	p.addPseudo()
	if err := p.decideRules(); err != nil {
		return nil, err
	}
	for _, name := range sorted(t.conditions) {
		if _, err := p.condition(name, &evaluator{plan: p, block: "Conditions"}); err != nil {
			return nil, err
		}
	}
	p.Conditions = p.decided
	for _, id := range sorted(t.resources) {
		d := *t.resources[id]
		if d.condition != "" && !p.decided[d.condition] {
			continue
		}
		if err := p.decidePolicies(&d); err != nil {
			return nil, err
		}
		p.byID[id] = &d
		p.Resources = append(p.Resources, &d.Resource)
	}
	if err := p.link(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Plan) addPseudo() {
	arns := []any{}
	for _, arn := range p.pseudo.NotificationARNs {
		arns = append(arns, arn)
	}
	if p.pseudo.Partition == "" {
		p.pseudo.Partition = "aws"
	}
	if p.pseudo.URLSuffix == "" {
		p.pseudo.URLSuffix = "amazonaws.com"
	}
	p.values["AWS::Region"] = p.pseudo.Region
	p.values["AWS::AccountId"] = p.pseudo.AccountID
	p.values["AWS::StackName"] = p.pseudo.StackName
	p.values["AWS::StackId"] = p.pseudo.StackID
	p.values["AWS::URLSuffix"] = p.pseudo.URLSuffix
	p.values["AWS::Partition"] = p.pseudo.Partition
	p.values["AWS::NotificationARNs"] = arns
}

var pseudoNames = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId",
	"AWS::StackName", "AWS::URLSuffix",
}

// decidePolicies evaluates the policies of a resource that depend on parameters and conditions.
func (p *Plan) decidePolicies(d *definition) error {
	for name, into := range map[string]*string{
		"DeletionPolicy": &d.DeletionPolicy, "UpdateReplacePolicy": &d.UpdateReplacePolicy,
	} {
		if _, isFunction := d.body[name].(map[string]any); !isFunction {
			continue
		}
		e := &evaluator{plan: p, block: "Resources", noResources: true}
		value, err := e.value(d.body[name])
		if err != nil {
			return err
		}
		policy, ok := value.(string)
		if !ok || !contains(toList(policies[name]), policy) {
			return errorf("Template format error: Unrecognized %s %s for resource %s", name, text(value), d.LogicalID)
		}
		*into = policy
	}
	return nil
}

func toList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// Resource returns the resource with that logical id, nil when the plan has none.
func (p *Plan) Resource(logicalID string) *Resource {
	if d := p.byID[logicalID]; d != nil {
		return &d.Resource
	}
	return nil
}

// Properties evaluates the properties of a resource. Those it depends on must exist.
func (p *Plan) Properties(logicalID string, attrs Attributes) (map[string]any, error) {
	return p.properties(logicalID, &evaluator{plan: p, attrs: attrs, block: "Resources", dynamic: true})
}

// Preview evaluates the properties of a resource as far as they are known: what depends on something for which attrs
// says ErrUnknown is the text [Unknown]. Dynamic references stay as they are. It finds errors before anything is made.
func (p *Plan) Preview(logicalID string, attrs Attributes) (map[string]any, error) {
	return p.properties(logicalID, &evaluator{plan: p, attrs: attrs, block: "Resources", preview: true})
}

func (p *Plan) properties(logicalID string, e *evaluator) (map[string]any, error) {
	d := p.byID[logicalID]
	if d == nil {
		return nil, unresolved("Resources", logicalID)
	}
	properties, _ := d.body["Properties"].(map[string]any)
	if properties == nil {
		return map[string]any{}, nil
	}
	value, err := e.value(properties)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errorf("Template format error: [/Resources/%s/Properties] expects an object.", logicalID)
	}
	return object, nil
}

// Metadata evaluates the metadata of a resource.
func (p *Plan) Metadata(logicalID string, attrs Attributes) (map[string]any, error) {
	d := p.byID[logicalID]
	if d == nil {
		return nil, unresolved("Resources", logicalID)
	}
	e := &evaluator{plan: p, attrs: attrs, block: "Resources"}
	return e.object(d.Metadata)
}

// Outputs evaluates the outputs whose condition holds, sorted by name.
func (p *Plan) Outputs(attrs Attributes) ([]Output, error) {
	return p.evaluateOutputs(&evaluator{plan: p, attrs: attrs, block: "Outputs", dynamic: true})
}

// PreviewOutputs does for the outputs what [Plan.Preview] does for properties.
func (p *Plan) PreviewOutputs(attrs Attributes) ([]Output, error) {
	return p.evaluateOutputs(&evaluator{plan: p, attrs: attrs, block: "Outputs", preview: true})
}

// unsupported says of an error that is not of the template, but of the attributes of a resource,
// which output asks for them.
func unsupported(err error, output string) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	return fmt.Errorf("[Error] /Outputs/%s/Value/Fn::GetAtt: %w", output, err)
}

func (p *Plan) evaluateOutputs(e *evaluator) ([]Output, error) {
	var outputs []Output
	exports := map[string]string{}
	for _, name := range sorted(p.template.outputs) {
		body := p.template.outputs[name]
		if condition, ok := body["Condition"].(string); ok && !p.decided[condition] {
			continue
		}
		output := Output{Name: name}
		output.Description, _ = literal(body["Description"])
		var err error
		wrong := "Template format error: The Value field of every Outputs member must evaluate to a String and not a List."
		if output.Value, err = e.text(body["Value"], wrong); err != nil {
			return nil, unsupported(err, name)
		}
		if export, ok := body["Export"].(map[string]any); ok {
			wrong := "Template format error: Output " + name + " is malformed! The Name field of Export must evaluate to a String."
			if output.Export, err = e.text(export["Name"], wrong); err != nil {
				return nil, err
			}
			if strings.TrimSpace(output.Export) == "" || len(output.Export) > maxName {
				return nil, errorf("Template format error: Output %s is malformed! The Name field of Export must have 1 to %d characters.", name, maxName)
			}
			if other, taken := exports[output.Export]; taken && output.Export != Unknown {
				return nil, errorf("Template error: the outputs %s and %s have the same export name %s", other, name, output.Export)
			}
			exports[output.Export] = name
		}
		outputs = append(outputs, output)
	}
	return outputs, nil
}
