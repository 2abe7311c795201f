package template

import (
	"slices"
	"strings"
)

// Resource is a resource of a template.
type Resource struct {
	LogicalID string
	Type      string
	// DeletionPolicy is Delete, Retain, RetainExceptOnCreate or Snapshot; empty where the template says nothing.
	DeletionPolicy string
	// UpdateReplacePolicy is Delete, Retain or Snapshot; empty where the template says nothing.
	UpdateReplacePolicy string
	// Metadata, CreationPolicy and UpdatePolicy are as they stand in the template, functions not evaluated.
	Metadata, CreationPolicy, UpdatePolicy map[string]any
	// Dependencies are the resources that must exist before this one, sorted: those it names in DependsOn and those its
	// properties refer to. Only a resource of a [Plan] has them.
	Dependencies []string
	// Version is that of a custom resource: 1.0 or 2.0, where the template says one.
	Version string
}

var resourceMembers = []string{
	"Type", "Properties", "Metadata", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy",
	"CreationPolicy", "UpdatePolicy", "Version", "Description",
}

func (t *Template) readResources() error {
	section, err := t.section("Resources", maxResources)
	if err != nil {
		return err
	}
	if len(section) == 0 {
		return errorf("Template format error: At least one Resources member must be defined.")
	}
	t.resources = map[string]*definition{}
	for _, id := range sorted(section) {
		if isLoop(id) && t.hasLoops() {
			continue
		}
		body, ok := section[id].(map[string]any)
		if !ok {
			return errorf("Template format error: Any Resources member must be an object.")
		}
		if err := named("Resource", id); err != nil {
			return err
		}
		if t.unexpanded() {
			// A transform may know members of its own.
			d := &definition{body: body}
			d.LogicalID = id
			d.Type, _ = body["Type"].(string)
			t.resources[id] = d
			continue
		}
		if _, is := t.parameters[id]; is {
			return errorf("Template format error: Duplicate parameter and resource name %s", id)
		}
		if t.resources[id], err = t.readResource(id, body); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) readResource(id string, body map[string]any) (*definition, error) {
	d := &definition{body: body}
	d.LogicalID = id
	var ok bool
	if d.Type, ok = body["Type"].(string); !ok || d.Type == "" {
		return nil, errorf("Template format error: [/Resources/%s] Every Resources object must contain a Type member.", id)
	}
	for _, name := range sorted(body) {
		if !slices.Contains(resourceMembers, name) {
			return nil, errorf("Invalid template resource property '%s'", name)
		}
	}
	for _, part := range []struct {
		name string
		into *map[string]any
	}{
		{"Properties", new(map[string]any)}, {"Metadata", &d.Metadata},
		{"CreationPolicy", &d.CreationPolicy}, {"UpdatePolicy", &d.UpdatePolicy},
	} {
		value, has := body[part.name]
		if !has || value == nil {
			continue
		}
		if *part.into, ok = value.(map[string]any); !ok {
			return nil, errorf("Template format error: [/Resources/%s/%s] expects an object.", id, part.name)
		}
	}
	if path := null(body["Properties"], "/Resources/"+id+"/Properties"); path != "" {
		return nil, errorf("[%s] 'null' values are not allowed in templates", path)
	}
	d.Version, _ = literal(body["Version"])
	switch named := body["DependsOn"].(type) {
	case nil:
	case string:
		d.dependsOn = []string{named}
	case []any:
		for _, item := range named {
			other, ok := item.(string)
			if !ok {
				return nil, errorf("Template format error: Every DependsOn value must be a string.")
			}
			d.dependsOn = append(d.dependsOn, other)
		}
	default:
		return nil, errorf("Template format error: DependsOn must be a string or list of strings.")
	}
	if err := t.checkCondition(body["Condition"], "Resources"); err != nil {
		return nil, err
	}
	d.condition, _ = body["Condition"].(string)
	if err := t.checkPolicies(d); err != nil {
		return nil, err
	}
	return d, nil
}

// checkPolicies checks what is a plain string of the policies. Functions, of parameters and conditions, are evaluated when
// the template is resolved.
func (t *Template) checkPolicies(d *definition) error {
	for name, allowed := range policies {
		value, has := d.body[name]
		if !has {
			continue
		}
		policy, ok := value.(string)
		if object, isObject := value.(map[string]any); isObject {
			if _, _, isFunction := function(object); isFunction {
				continue
			}
		}
		if !ok {
			return errorf("Template format error: Every %s member must be a string.", name)
		}
		if !slices.Contains(allowed, policy) {
			return errorf("Template format error: Unrecognized %s %s for resource %s", name, policy, d.LogicalID)
		}
	}
	d.DeletionPolicy, _ = d.body["DeletionPolicy"].(string)
	d.UpdateReplacePolicy, _ = d.body["UpdateReplacePolicy"].(string)
	return nil
}

var policies = map[string][]string{
	"DeletionPolicy":      {"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"},
	"UpdateReplacePolicy": {"Delete", "Retain", "Snapshot"},
}

// null returns the path of a null in value, empty when there is none.
func null(value any, path string) string {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range sorted(v) {
			if v[key] == nil {
				return path + "/" + key
			}
			if found := null(v[key], path+"/"+key); found != "" {
				return found
			}
		}
	case []any:
		for i, item := range v {
			at := path + "/" + text(i)
			if item == nil {
				return at
			}
			if found := null(item, at); found != "" {
				return found
			}
		}
	}
	return ""
}

// Capabilities returns the capability that the caller must acknowledge, and the types of the resources that
// need it, both empty when none is needed.
func (t *Template) Capabilities() (capability string, types []string) {
	named := map[string]string{
		"AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName", "AWS::IAM::Group": "GroupName",
		"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::InstanceProfile": "InstanceProfileName",
		"AWS::IAM::Policy": "", "AWS::IAM::AccessKey": "", "AWS::IAM::UserToGroupAddition": "",
	}
	seen := map[string]bool{}
	for _, d := range t.resources {
		name, is := named[d.Type]
		if !is {
			continue
		}
		seen[d.Type] = true
		if capability == "" {
			capability = "CAPABILITY_IAM"
		}
		properties, _ := d.body["Properties"].(map[string]any)
		if _, has := properties[name]; has && name != "" {
			capability = "CAPABILITY_NAMED_IAM"
		}
	}
	types = sorted(seen)
	if t.unexpanded() && !strings.Contains(capability, "AUTO_EXPAND") && capability == "" {
		return "CAPABILITY_AUTO_EXPAND", nil
	}
	return capability, types
}
