package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/stack"
	"github.com/hearthfn/hearth/caddymodule/stack/template"
)

type templateInput struct{ StackName, ChangeSetName, TemplateStage string }

type templateOutput struct {
	TemplateBody    string
	StagesAvailable []string
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html
func (s *service) getTemplate(ctx context.Context, in *templateInput) (*templateOutput, error) {
	body, err := s.Engine.Template(ctx, in.StackName, in.ChangeSetName, in.TemplateStage == "Processed")
	if err != nil {
		return nil, err
	}
	return &templateOutput{body, []string{"Original", "Processed"}}, nil
}

type summaryInput struct {
	TemplateBody, TemplateURL, StackName, StackSetName, CallAs string

	TemplateSummaryConfig *struct{ TreatUnrecognizedResourceTypesAsWarnings bool }
}

type declared struct {
	ParameterKey         string
	DefaultValue         *string
	ParameterType        string `json:",omitempty"`
	NoEcho               bool
	Description          string `json:",omitempty"`
	ParameterConstraints *constraints
}

type constraints struct{ AllowedValues []string }

type summaryOutput struct {
	Parameters                  []declared
	Description                 string `json:",omitempty"`
	Capabilities                []string
	CapabilitiesReason          string `json:",omitempty"`
	ResourceTypes               []string
	Version                     string `json:",omitempty"`
	Metadata                    string `json:",omitempty"`
	DeclaredTransforms          []string
	ResourceIdentifierSummaries []string
	Warnings                    *warnings
}

type warnings struct{ UnrecognizedResourceTypes []string }

// parsed reads a template, or refuses it in AWS's words.
func parsed(body string) (*template.Template, error) {
	t, err := template.Parse([]byte(body))
	var wrong *template.Error
	if errors.As(err, &wrong) {
		err = invalid("%s", wrong.Message)
	}
	return t, err
}

func parametersOf(t *template.Template) []declared {
	var all []declared
	for _, p := range t.Parameters {
		one := declared{ParameterKey: p.Name, DefaultValue: p.Default, ParameterType: p.Type, NoEcho: p.NoEcho, Description: p.Description}
		if len(p.AllowedValues) > 0 {
			one.ParameterConstraints = &constraints{p.AllowedValues}
		}
		all = append(all, one)
	}
	return all
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplateSummary.html
func (s *service) templateSummary(ctx context.Context, by stack.Identity, in *summaryInput) (*summaryOutput, error) {
	if in.StackSetName != "" || in.CallAs == "DELEGATED_ADMIN" {
		return nil, invalid("StackSetName is not supported: there is one account here, so there are no stack sets.")
	}
	var body string
	var err error
	if in.StackName != "" {
		body, err = s.Engine.Template(ctx, in.StackName, "", false)
	} else {
		body, err = s.body(ctx, by, in.TemplateBody, in.TemplateURL, false)
	}
	if err != nil {
		return nil, err
	}
	t, err := parsed(body)
	if err != nil {
		return nil, err
	}
	out := &summaryOutput{Parameters: parametersOf(t), Description: t.Description, DeclaredTransforms: t.Transforms}
	out.Version, _ = t.Document()["AWSTemplateFormatVersion"].(string)
	if t.Metadata != nil {
		text, err := json.Marshal(t.Metadata)
		if err != nil {
			return nil, err
		}
		out.Metadata = string(text)
	}
	out.Capabilities, out.CapabilitiesReason = capabilitiesOf(t)
	out.ResourceTypes = typesOf(t)
	if unknown := s.Engine.Unknown(out.ResourceTypes); in.TemplateSummaryConfig != nil && in.TemplateSummaryConfig.TreatUnrecognizedResourceTypesAsWarnings && len(unknown) > 0 {
		out.Warnings = &warnings{unknown}
	}
	return out, nil
}

// typesOf are the types of the resources of a template.
func typesOf(t *template.Template) []string {
	types := make(map[string]bool)
	resources, _ := t.Document()["Resources"].(map[string]any)
	for _, one := range resources {
		if of, ok := one.(map[string]any); ok {
			if name, ok := of["Type"].(string); ok {
				types[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(types))
}

func capabilitiesOf(t *template.Template) ([]string, string) {
	needed, types := t.Capabilities()
	switch needed {
	case "":
		return nil, ""
	case "CAPABILITY_AUTO_EXPAND":
		return []string{needed}, "The following transform(s) require this capability: [" + strings.Join(t.Transforms, ", ") + "]"
	}
	return []string{needed}, "The following resource(s) require capabilities: [" + strings.Join(types, ", ") + "]"
}

type validateOutput struct {
	Parameters         []validated
	Description        string `json:",omitempty"`
	Capabilities       []string
	CapabilitiesReason string `json:",omitempty"`
	DeclaredTransforms []string
}

type validated struct {
	ParameterKey string
	DefaultValue *string
	NoEcho       bool
	Description  string `json:",omitempty"`
}

type validateInput struct{ TemplateBody, TemplateURL string }

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html
func (s *service) validateTemplate(ctx context.Context, by stack.Identity, in *validateInput) (*validateOutput, error) {
	body, err := s.body(ctx, by, in.TemplateBody, in.TemplateURL, false)
	if err != nil {
		return nil, err
	}
	t, err := parsed(body)
	if err != nil {
		return nil, err
	}
	if len(t.Transforms) == 0 {
		if unknown := s.Engine.Unknown(typesOf(t)); len(unknown) > 0 {
			return nil, invalid("Template format error: Unrecognized resource types: [%s]", strings.Join(unknown, ", "))
		}
	}
	out := &validateOutput{Description: t.Description, DeclaredTransforms: t.Transforms}
	for _, p := range parametersOf(t) {
		out.Parameters = append(out.Parameters, validated{p.ParameterKey, p.DefaultValue, p.NoEcho, p.Description})
	}
	out.Capabilities, out.CapabilitiesReason = capabilitiesOf(t)
	return out, nil
}
