package template

import (
	"math/big"
	"slices"
	"strings"
	"time"
)

const maxParameterBytes = 4096

// Parameter is a parameter that a template declares.
type Parameter struct {
	Name        string
	Type        string
	Description string
	// Default is nil when a value must be given.
	Default       *string
	NoEcho        bool
	AllowedValues []string

	pattern       pattern
	patternText   string
	constraint    string
	minLength     *big.Rat
	maxLength     *big.Rat
	minValue      *big.Rat
	maxValue      *big.Rat
	minText       string
	maxText       string
	minLengthText string
	maxLengthText string
}

// Constraint is the ConstraintDescription, empty when there is none.
func (p *Parameter) Constraint() string { return p.constraint }

var parameterMembers = []string{
	"Type", "Default", "Description", "NoEcho", "AllowedValues", "AllowedPattern", "ConstraintDescription",
	"MinLength", "MaxLength", "MinValue", "MaxValue",
}

// awsTypes are the types of parameters that name something that exists in the account.
var awsTypes = []string{
	"AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id", "AWS::EC2::KeyPair::KeyName",
	"AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id",
	"AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
}

// storeType returns the type within AWS::SSM::Parameter::Value<...>.
func storeType(name string) (inner string, ok bool) {
	inner, ok = strings.CutPrefix(name, "AWS::SSM::Parameter::Value<")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inner, ">")
}

func listType(name string) (inner string, ok bool) {
	if inner, ok = strings.CutPrefix(name, "List<"); ok {
		return strings.CutSuffix(inner, ">")
	}
	return "", false
}

func knownType(name string) bool {
	if inner, ok := storeType(name); ok {
		element, isList := listType(inner)
		return inner == "String" || inner == "CommaDelimitedList" || slices.Contains(awsTypes, inner) ||
			isList && (element == "String" || slices.Contains(awsTypes, element))
	}
	if element, ok := listType(name); ok {
		return element == "Number" || element == "String" || slices.Contains(awsTypes, element)
	}
	switch name {
	case "String", "Number", "CommaDelimitedList", "AWS::SSM::Parameter::Name":
		return true
	}
	return slices.Contains(awsTypes, name)
}

// IsList says whether Ref of the parameter gives a list.
func (p *Parameter) IsList() bool {
	name := p.Type
	if inner, ok := storeType(name); ok {
		name = inner
	}
	_, list := listType(name)
	return list || name == "CommaDelimitedList"
}

func (t *Template) readParameters() error {
	section, err := t.section("Parameters", maxParameters)
	if err != nil {
		return err
	}
	t.parameters = map[string]*Parameter{}
	for _, name := range sorted(section) {
		if err := named("Parameter", name); err != nil {
			return err
		}
		body, ok := section[name].(map[string]any)
		if !ok {
			return errorf("Template format error: Any Parameters member must be an object.")
		}
		p, err := readParameter(name, body)
		if err != nil {
			return err
		}
		t.parameters[name] = p
		t.Parameters = append(t.Parameters, p)
	}
	return nil
}

func readParameter(name string, body map[string]any) (*Parameter, error) {
	p := &Parameter{Name: name}
	if err := members(body, "parameter", parameterMembers...); err != nil {
		return nil, err
	}
	var ok bool
	if p.Type, ok = body["Type"].(string); !ok {
		return nil, errorf("Template format error: Every Parameters object must contain a Type member.")
	}
	if !knownType(p.Type) {
		return nil, errorf("Template format error: Unrecognized parameter type: %s", p.Type)
	}
	if value, has := body["Default"]; has {
		text, ok := literal(value)
		if !ok {
			return nil, errorf("Template format error: Every Default member must be a string.")
		}
		p.Default = &text
	}
	p.Description, _ = literal(body["Description"])
	p.constraint, _ = literal(body["ConstraintDescription"])
	if value, has := body["NoEcho"]; has {
		text, _ := literal(value)
		if text != "true" && text != "false" {
			return nil, errorf("Template format error: Every NoEcho member must be a boolean.")
		}
		p.NoEcho = text == "true"
	}
	if value, has := body["AllowedValues"]; has {
		list, ok := value.([]any)
		if !ok {
			return nil, errorf("Template format error: Every AllowedValues member must be a list.")
		}
		for _, item := range list {
			text, ok := literal(item)
			if !ok {
				return nil, errorf("Template format error: Every AllowedValues value must be a string.")
			}
			p.AllowedValues = append(p.AllowedValues, text)
		}
	}
	if value, has := body["AllowedPattern"]; has {
		text, ok := value.(string)
		if !ok {
			return nil, errorf("Template format error: Every AllowedPattern member must be a string.")
		}
		pattern, err := compile(text)
		if err != nil {
			return nil, errorf("Template format error: AllowedPattern %s of parameter %s is no regular expression that is supported", text, name)
		}
		p.pattern, p.patternText = pattern, text
	}
	for _, bound := range []struct {
		name string
		into **big.Rat
		text *string
	}{
		{"MinLength", &p.minLength, &p.minLengthText}, {"MaxLength", &p.maxLength, &p.maxLengthText},
		{"MinValue", &p.minValue, &p.minText}, {"MaxValue", &p.maxValue, &p.maxText},
	} {
		value, has := body[bound.name]
		if !has {
			continue
		}
		*bound.text, _ = literal(value)
		number, ok := rational(*bound.text)
		if !ok {
			return nil, errorf("Template format error: Every %s member must be a number.", bound.name)
		}
		*bound.into = number
	}
	return p, nil
}

// rational reads a decimal number of moderate size.
func rational(s string) (*big.Rat, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "+")
	if len(s) > 40 || !jsonNumber.MatchString(strings.TrimLeft(s, "0")) && !jsonNumber.MatchString(s) {
		return nil, false
	}
	if mantissa, exponent, has := strings.Cut(strings.ToLower(s), "e"); has && (len(exponent) > 3 || mantissa == "") {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// check checks a value, whose text is what the caller or the default says.
func (p *Parameter) check(value string) error {
	if len(value) > maxParameterBytes {
		return errorf("Parameter '%s' must contain at most %d characters", p.Name, maxParameterBytes)
	}
	_, isStore := storeType(p.Type)
	if p.Type == "Number" {
		return p.checkNumber(value, value)
	}
	if !p.IsList() || isStore {
		return p.checkText(value, value)
	}
	began := time.Now()
	for _, item := range split(value) {
		if err := p.checkText(item, value); err != nil {
			return err
		}
		if time.Since(began) > listTime {
			return p.violated("Parameter '%s' must match pattern %s", p.Name, p.patternText)
		}
		if p.Type == "List<Number>" {
			if err := p.checkNumber(item, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Parameter) violated(format string, args ...any) error {
	if p.constraint != "" {
		return errorf("Parameter %s failed to satisfy constraint: %s", p.Name, p.constraint)
	}
	return errorf(format, args...)
}

func (p *Parameter) checkText(item, whole string) error {
	if p.AllowedValues != nil && !slices.Contains(p.AllowedValues, item) && !slices.Contains(p.AllowedValues, whole) {
		return p.violated("Parameter '%s' must be one of AllowedValues", p.Name)
	}
	if p.pattern != nil && !p.pattern.matches(item) {
		return p.violated("Parameter '%s' must match pattern %s", p.Name, p.patternText)
	}
	length := new(big.Rat).SetInt64(int64(len([]rune(item))))
	if p.minLength != nil && length.Cmp(p.minLength) < 0 {
		return p.violated("Parameter '%s' must contain at least %s characters", p.Name, p.minLengthText)
	}
	if p.maxLength != nil && length.Cmp(p.maxLength) > 0 {
		return p.violated("Parameter '%s' must contain at most %s characters", p.Name, p.maxLengthText)
	}
	return nil
}

func (p *Parameter) checkNumber(item, whole string) error {
	number, ok := rational(item)
	if !ok {
		return errorf("Parameter '%s' must be a number.", p.Name)
	}
	if p.AllowedValues != nil && !slices.Contains(p.AllowedValues, item) && !slices.Contains(p.AllowedValues, whole) {
		return p.violated("Parameter '%s' must be one of AllowedValues", p.Name)
	}
	if p.minValue != nil && number.Cmp(p.minValue) < 0 {
		return p.violated("Parameter '%s' must be a number not less than %s", p.Name, p.minText)
	}
	if p.maxValue != nil && number.Cmp(p.maxValue) > 0 {
		return p.violated("Parameter '%s' must be a number not greater than %s", p.Name, p.maxText)
	}
	return nil
}

// split reads a list that is separated by commas.
func split(value string) []string {
	items := strings.Split(value, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}

// value is what Ref of the parameter gives.
func (p *Parameter) value(given string) any {
	if !p.IsList() {
		return given
	}
	list := []any{}
	if given == "" {
		return list
	}
	for _, item := range split(given) {
		list = append(list, item)
	}
	return list
}

// Value is the value of a parameter of a [Plan].
type Value struct {
	Name string
	// Given is what the caller gave, or the default; **** where the template says NoEcho.
	Given string
	// Resolved is what the parameter store holds, for the types AWS::SSM::Parameter::Value<...>.
	Resolved string
}

// values are what Ref gives for parameters and pseudo parameters.
type values map[string]any

func (t *Template) resolveParameters(in Input) (values, []Value, error) {
	given := map[string]string{}
	var missing, unknown []string
	for name, value := range in.Parameters {
		if t.parameters[name] == nil {
			unknown = append(unknown, name)
		}
		given[name] = value
	}
	for _, name := range in.UsePrevious {
		value, had := in.Previous[name]
		if t.parameters[name] == nil {
			unknown = append(unknown, name)
		} else if !had {
			return nil, nil, errorf("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", name)
		}
		given[name] = value
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, nil, errorf("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	}
	for _, p := range t.Parameters {
		if _, has := given[p.Name]; !has && p.Default != nil {
			given[p.Name] = *p.Default
		} else if !has {
			missing = append(missing, p.Name)
		}
	}
	if len(missing) > 0 {
		return nil, nil, errorf("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}

	seen := values{}
	var report []Value
	for _, p := range t.Parameters {
		value := given[p.Name]
		if err := p.check(value); err != nil {
			return nil, nil, err
		}
		line := Value{Name: p.Name, Given: value}
		if inner, ok := storeType(p.Type); ok {
			if in.SSM == nil {
				return nil, nil, errorf("Unable to fetch parameters [%s] from parameter store for this account.", value)
			}
			stored, err := in.SSM(value, inner)
			if err != nil {
				return nil, nil, err
			}
			line.Resolved, value = stored, stored
		}
		seen[p.Name] = p.value(value)
		if p.NoEcho || slices.Contains(in.Hidden, p.Name) {
			line.Given = "****"
			if line.Resolved != "" {
				line.Resolved = "****"
			}
		}
		report = append(report, line)
	}
	return seen, report, nil
}
