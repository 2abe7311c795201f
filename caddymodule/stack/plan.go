package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/stack/template"
)

// invalid is AWS's error for what a client must not ask.
func invalid(format string, args ...any) error {
	return &awsapi.Exception{Name: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

// explained makes the service's error of one of package template.
func explained(err error) error {
	var wrong *template.Error
	if errors.As(err, &wrong) {
		return invalid("%s", wrong.Message)
	}
	return err
}

// planOf is the plan of the template that a stack has.
func (e *Engine) planOf(ctx context.Context, s *Stack) (*template.Plan, error) {
	body, err := e.store.template(ctx, s.ID, s.Template)
	if err != nil {
		return nil, err
	}
	t, err := template.Parse([]byte(body))
	if err != nil {
		return nil, err
	}
	if s.Sealed != "" {
		return nil, sentence("%s", errSealed)
	}
	return e.resolve(ctx, t, s, s.Given, s.Operation.By)
}

// resolve decides what a template says for a stack. Parameters of SSM are read as whoever asks, who
// could read them in an output otherwise, and dynamic references as the role of the operation.
func (e *Engine) resolve(ctx context.Context, t *template.Template, s *Stack, given Given, by Identity) (*template.Plan, error) {
	settings := e.Settings()
	return t.Resolve(template.Input{
		Parameters: given.Values, Hidden: given.Hidden,
		Pseudo: template.Pseudo{
			Region: e.account().Region, AccountID: e.account().ID, StackName: s.Name, StackID: s.ID, URLSuffix: settings.URLSuffix, Partition: "aws",
		},
		SSM: func(name, typ string) (string, error) {
			v, found, err := e.parameter(ctx, by, name)
			if err == nil && !found {
				err = &template.Error{Message: fmt.Sprintf("Unable to fetch parameters [%s] from parameter store for this account.", name)}
			}
			return v, err
		},
		Import: func(name string) (string, error) {
			x, err := e.Export(ctx, name)
			if errors.Is(err, ErrNotFound) {
				err = &template.Error{Message: "No export named " + name + " found."}
			}
			if err != nil {
				return "", err
			}
			return x.Value, nil
		},
		Dynamic: func(r template.Reference) (string, error) {
			if r.Service == "secretsmanager" {
				return "", &template.Error{Message: "Dynamic references to Secrets Manager are not supported: there is no Secrets Manager here. Use ssm-secure."}
			}
			v, found, err := e.parameter(ctx, by.actor(), r.Name)
			if err == nil && !found {
				err = &template.Error{Message: "Parameters: [" + cutName(r) + "] could not be found."}
			}
			return v, err
		},
	})
}

// parameter is the value of a parameter of SSM. found is false if there is none.
func (e *Engine) parameter(ctx context.Context, by Identity, name string) (v string, found bool, err error) {
	c := e.callerOf(by)
	out, err := c.call(ctx, "ssm", "GetParameter", map[string]any{"Name": name, "WithDecryption": true})
	if isNotFound(err) {
		return "", false, nil
	}
	var refused *CallError
	if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
		return "", false, &template.Error{Message: refused.Message}
	}
	return text(value(out, "Parameter.Value")), err == nil, err
}

func cutName(r template.Reference) string { return r.Service + ":" + r.Name + ":" + r.Version }

// attributes are what resources have, as package template asks for them.
type attributes func(logicalID, name string) (any, error)

// Ref implements template.Attributes.
func (a attributes) Ref(logicalID string) (any, error) { return a(logicalID, "") }

// Attribute implements template.Attributes.
func (a attributes) Attribute(logicalID, name string) (any, error) { return a(logicalID, name) }

// unmade says that no resource is there yet.
func unmade(string, string) (any, error) { return nil, template.ErrUnknown }

// check finds what a plan has and this server cannot make. It finds it before anything is made.
func (e *Engine) check(plan *template.Plan) error {
	var unknown []string
	for _, one := range plan.Resources {
		if e.typeOf(one.Type) == nil && !slices.Contains(unknown, one.Type) {
			unknown = append(unknown, one.Type)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return invalid("Template format error: Unrecognized resource types: [%s]", strings.Join(unknown, ", "))
	}
	for _, one := range plan.Resources {
		t := e.typeOf(one.Type)
		if len(one.CreationPolicy) > 0 && one.Type != waitConditionType {
			return invalid("Resource %s: CreationPolicy is not supported for %s", one.LogicalID, one.Type)
		}
		if t.check == nil {
			continue
		}
		properties, err := plan.Preview(one.LogicalID, attributes(unmade))
		if err != nil {
			return err
		}
		if err := t.check(e, properties); err != nil {
			return invalid("Properties validation failed for resource %s with message:\n%s", one.LogicalID, err)
		}
		for _, name := range t.required {
			if _, given := properties[name]; !given {
				return invalid("Properties validation failed for resource %s with message:\n#: required key [%s] not found", one.LogicalID, name)
			}
		}
	}
	_, err := plan.PreviewOutputs(attributes(unmade))
	return err
}

// conclude evaluates the outputs and publishes the exports.
func (r *run) conclude(ctx context.Context) error {
	outputs, err := r.plan.Outputs(attributes(r.attribute))
	if err != nil {
		return err
	}
	r.stack.Outputs = nil
	for _, o := range outputs {
		r.stack.Outputs = append(r.stack.Outputs, Output{o.Name, o.Value, o.Description, o.Export})
	}
	r.stack.Imports = r.plan.Imports
	return r.engine.publish(ctx, r.stack)
}

// given are the values of all parameters of a plan, secret ones too.
func given(t *template.Template, plan *template.Plan, by map[string]string) map[string]string {
	all := make(map[string]string)
	for _, p := range t.Parameters {
		if v, is := by[p.Name]; is {
			all[p.Name] = v
		} else if p.Default != nil {
			all[p.Name] = *p.Default
		}
	}
	return all
}

func shown(plan *template.Plan) (parameters []Parameter) {
	for _, v := range plan.Parameters {
		parameters = append(parameters, Parameter{v.Name, v.Given, v.Resolved})
	}
	return parameters
}

// sameTemplate reports whether two templates say the same.
func sameTemplate(a, b string) bool {
	if a == b {
		return true
	}
	x, err := template.Decode([]byte(a))
	if err != nil {
		return false
	}
	y, err := template.Decode([]byte(b))
	return err == nil && reflect.DeepEqual(x, y)
}

// jsonOf writes a document as JSON.
func jsonOf(document map[string]any) (string, error) {
	data, err := json.Marshal(document)
	return string(data), err
}

func equalMaps(a, b map[string]string) bool { return maps.Equal(a, b) }
