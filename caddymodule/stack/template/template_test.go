package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// made gives every resource the reference phys-ID and the attribute ID.NAME.
type made struct{}

func (made) Ref(id string) (any, error)             { return "phys-" + id, nil }
func (made) Attribute(id, name string) (any, error) { return id + "/" + name, nil }

func parse(t *testing.T, body string) *Template {
	t.Helper()
	parsed, err := Parse([]byte(body))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return parsed
}

func resolve(t *testing.T, body string, in Input) *Plan {
	t.Helper()
	if in.Pseudo.Region == "" {
		in.Pseudo = Pseudo{Region: "eu-west-1", AccountID: "123456789012", StackName: "shop", StackID: "arn:stack", URLSuffix: "example.test:8443"}
	}
	plan, err := parse(t, body).Resolve(in)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	return plan
}

// refusal is the message with which Parse or Resolve refuses body, empty when neither does.
func refusal(t *testing.T, body string, in Input) string {
	t.Helper()
	parsed, err := Parse([]byte(body))
	if err == nil {
		_, err = parsed.Resolve(in)
	}
	if err == nil {
		return ""
	}
	if problem := new(Error); !errors.As(err, &problem) {
		t.Errorf("error %T %v, want *Error", err, err)
	}
	return err.Error()
}

func TestFunctionsAreEvaluated(t *testing.T) {
	const head = `
Transform: AWS::LanguageExtensions
Parameters:
  Stage: {Type: String, Default: dev}
  Ports: {Type: List<Number>, Default: "80, 443"}
  Count: {Type: Number, Default: 3}
  Kind: {Type: String, Default: Rol}
  Attribute: {Type: String, Default: Arn}
Mappings:
  Sizes: {dev: {Memory: 128, Zones: [a, b]}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Either: !Or [!Condition IsProd, !Condition IsDev]
  Both: !And [!Condition IsProd, !Condition IsDev]
Resources:
  Role: {Type: AWS::IAM::Role}
  R:
    Type: Custom::R
    Properties:
      V: `
	tests := []struct{ expression, want string }{
		{`!Ref Stage`, `"dev"`},
		{`!Ref Ports`, `["80","443"]`},
		{`!Ref Count`, `"3"`},
		{`!Ref Role`, `"phys-Role"`},
		{`!Ref AWS::URLSuffix`, `"example.test:8443"`},
		{`!Ref AWS::Partition`, `"aws"`},
		{`!Ref AWS::NotificationARNs`, `[]`},
		{`!GetAtt Role.Arn`, `"Role/Arn"`},
		{`!GetAtt [Role, Outputs.X]`, `"Role/Outputs.X"`},
		{`{"Fn::GetAtt": "Role.A.B"}`, `"Role/A.B"`},
		{`!Sub "${Stage}-${Role}-${Role.Arn}-${AWS::Region}-${!Kept}"`, `"dev-phys-Role-Role/Arn-eu-west-1-${Kept}"`},
		{`!Sub ["${A}-${Stage}", {A: !Select [1, !Ref Ports]}]`, `"443-dev"`},
		{`!Sub "$x $ {y} ${"`, `"$x $ {y} ${"`},
		{`!Join ["-", [a, !Ref Stage, 7, true]]`, `"a-dev-7-true"`},
		{`!Join [",", !Ref Ports]`, `"80,443"`},
		{`!Split [".", "a.b.c"]`, `["a","b","c"]`},
		{`!Select ["0", !GetAZs ""]`, `"eu-west-1a"`},
		{`!FindInMap [Sizes, !Ref Stage, Memory]`, `128`},
		{`!FindInMap [Sizes, dev, Zones]`, `["a","b"]`},
		{`!FindInMap [Sizes, prod, Memory, {DefaultValue: 5}]`, `5`},
		{`!If [IsProd, 1, 2]`, `2`},
		{`!If [Either, 1, 2]`, `1`},
		{`!If [Both, 1, 2]`, `2`},
		{`{A: !If [IsProd, 1, !Ref AWS::NoValue], B: [1, !Ref AWS::NoValue]}`, `{"B":[1]}`},
		{`!Base64 hello`, `"aGVsbG8="`},
		{`!Cidr ["10.0.0.0/16", 2, 8]`, `["10.0.0.0/24","10.0.1.0/24"]`},
		{`!Cidr ["2001:db8::/56", 2, 64]`, `["2001:db8::/64","2001:db8:0:1::/64"]`},
		{`!ImportValue {"Fn::Sub": "${Stage}-vpc"}`, `"imported dev-vpc"`},
		{`!Length [1, 2, 3]`, `3`},
		{`!GetAtt [!Sub "${Kind}e", !Ref Attribute]`, `"Role/Arn"`},
		{`!Ref {"Fn::Sub": "${Kind}e"}`, `"phys-Role"`},
		{`!ToJsonString {A: !Ref Stage, B: [1]}`, `"{\"A\":\"dev\",\"B\":[1]}"`},
		{`"{{resolve:ssm:/a/b:3}}/{{resolve:secretsmanager:s:SecretString:k}}"`, `"ssm /a/b 3 /secretsmanager s  k"`},
		{`!Sub "{{resolve:ssm:/${Stage}/b}}"`, `"ssm /dev/b  "`},
		{`2012-10-17`, `"2012-10-17"`},
		{`[yes, Off, "yes", !!str no, ~b, 1.50, 0x10, 012345678901, 1e3, 10_0]`, `[true,false,"yes","no","~b",1.50,16,"012345678901",1e3,100]`},
		{`{Condition: {StringEquals: {a: b}}, Ref: x}`, `{"Condition":{"StringEquals":{"a":"b"}},"Ref":"x"}`},
	}
	for _, test := range tests {
		t.Run(test.expression, func(t *testing.T) {
			plan := resolve(t, head+test.expression+"\n", Input{
				Import: func(name string) (string, error) { return "imported " + name, nil },
				Dynamic: func(r Reference) (string, error) {
					return fmt.Sprintf("%s %s %s %s", r.Service, r.Name, r.Version, r.JSONKey), nil
				},
			})
			properties, err := plan.Properties("R", made{})
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			encoder := json.NewEncoder(&got)
			encoder.SetEscapeHTML(false)
			if err := encoder.Encode(properties["V"]); err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(got.String()) != strings.TrimSpace(test.want) && strings.ReplaceAll(got.String(), " \"", "\"") != test.want+"\n" {
				t.Errorf("got %s want %s", got.String(), test.want)
			}
		})
	}
}

func TestResourcesComeInTheOrderOfTheirDependencies(t *testing.T) {
	plan := resolve(t, `{"Resources": {
		"A": {"Type": "T::A", "Properties": {"X": {"Fn::Sub": "${B.Arn} ${!C}"}}},
		"B": {"Type": "T::B", "DependsOn": ["C", "Gone"]},
		"C": {"Type": "T::C", "DeletionPolicy": "Retain"},
		"Gone": {"Type": "T::G", "Condition": "Never"}},
		"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}}`, Input{})
	if got := plan.Order(); !reflect.DeepEqual(got, []string{"C", "B", "A"}) {
		t.Errorf("order %q", got)
	}
	if got := plan.Resource("A").Dependencies; !slices.Equal(got, []string{"B"}) {
		t.Errorf("A depends on %q", got)
	}
	if got := plan.Resource("B").Dependencies; !slices.Equal(got, []string{"C"}) {
		t.Errorf("B depends on %q", got)
	}
	if plan.Resource("Gone") != nil || plan.Resource("C").DeletionPolicy != "Retain" {
		t.Errorf("resources %v", plan.Resources)
	}
}

// unmade says that no resource exists yet.
type unmade struct{}

func (unmade) Ref(string) (any, error)               { return nil, ErrUnknown }
func (unmade) Attribute(string, string) (any, error) { return nil, ErrUnknown }

func TestPreviewTellsWhatIsKnownBeforeAnythingIsMade(t *testing.T) {
	plan := resolve(t, `
Parameters: {Stage: {Type: String, Default: dev}}
Conditions: {IsDev: !Equals [!Ref Stage, dev]}
Resources:
  A: {Type: T}
  R:
    Type: T
    Properties:
      Known: !Sub "${Stage}-${AWS::Region}"
      Text: !Sub "${Stage}-${A}"
      List: [!Ref A, !Join ["", [a, !GetAtt A.Arn]], plain]
      Map: !If [IsDev, {In: !Ref A, Out: x}, y]
      Secret: "{{resolve:ssm:a}}"
      Part: !Select [3, !Split [",", !Ref A]]
Outputs: {O: {Value: !Ref A}}
`, Input{})
	got, err := plan.Preview("R", unmade{})
	want := map[string]any{
		"Known": "dev-eu-west-1", "Text": Unknown, "List": []any{Unknown, Unknown, "plain"},
		"Map": map[string]any{"In": Unknown, "Out": "x"}, "Secret": "{{resolve:ssm:a}}", "Part": Unknown,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
	outputs, err := plan.PreviewOutputs(unmade{})
	if err != nil || len(outputs) != 1 || outputs[0].Value != Unknown {
		t.Errorf("outputs %v %v", outputs, err)
	}
	if _, err := plan.Properties("R", unmade{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("Properties: %v, want ErrUnknown", err)
	}

	plan = resolve(t, "Mappings: {M: {a: {b: c}}}\nResources: {A: {Type: T}, R: {Type: T, Properties: {X: [!Ref A, !FindInMap [M, a, d]]}}}", Input{})
	if _, err := plan.Preview("R", unmade{}); err == nil || err.Error() != "Template error: Unable to get mapping for M::a::d" {
		t.Errorf("error %v", err)
	}
}

func TestOutputsAreEvaluated(t *testing.T) {
	plan := resolve(t, `
Resources: {R: {Type: T::R}}
Conditions: {Never: !Equals [a, b]}
Outputs:
  Name: {Value: !Ref R, Description: what it is, Export: {Name: !Sub "${AWS::StackName}-name"}}
  None: {Value: !Ref R, Condition: Never}
  Number: {Value: 12}
`, Input{})
	got, err := plan.Outputs(made{})
	want := []Output{{Name: "Name", Value: "phys-R", Description: "what it is", Export: "shop-name"}, {Name: "Number", Value: "12"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("outputs %v %v, want %v", got, err, want)
	}
}

func TestParametersAreChecked(t *testing.T) {
	tests := []struct{ declared, value, want string }{
		{`Type: String`, "", ""},
		{`Type: Number`, "x", "Parameter 'P' must be a number."},
		{`Type: Number`, "1.5", ""},
		{`{Type: Number, MinValue: 2}`, "1", "Parameter 'P' must be a number not less than 2"},
		{`{Type: Number, MaxValue: 2}`, "3", "Parameter 'P' must be a number not greater than 2"},
		{`{Type: List<Number>, MaxValue: 2}`, "1, 3", "Parameter 'P' must be a number not greater than 2"},
		{`{Type: List<Number>}`, "1,b", "Parameter 'P' must be a number."},
		{`{Type: String, MinLength: 3}`, "ab", "Parameter 'P' must contain at least 3 characters"},
		{`{Type: String, MaxLength: 3}`, "äöüß", "Parameter 'P' must contain at most 3 characters"},
		{`{Type: String, AllowedPattern: "[a-z]+"}`, "ab1", "Parameter 'P' must match pattern [a-z]+"},
		{`{Type: String, AllowedPattern: "[a-z]+", ConstraintDescription: be small}`, "A", "Parameter P failed to satisfy constraint: be small"},
		{`{Type: String, AllowedPattern: "(?=.*[0-9])[a-z0-9]+"}`, "abc", "Parameter 'P' must match pattern (?=.*[0-9])[a-z0-9]+"},
		{`{Type: String, AllowedPattern: "(?=.*[0-9])[a-z0-9]+"}`, "abc1", ""},
		{`{Type: String, AllowedPattern: "(?=a)(a+)+b"}`, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Parameter 'P' must match pattern (?=a)(a+)+b"},
		{`{Type: String, AllowedPattern: "[a-z]{2,3}+"}`, "ab", ""},
		{`{Type: String, AllowedPattern: '\p{Alpha}[\p{Digit}_]+\[\p{L}'}`, "a1_[ä", ""},
		{`{Type: String, AllowedPattern: '^(?=.{3,})[\p{Print}]*$'}`, "äöü", `Parameter 'P' must match pattern ^(?=.{3,})[\p{Print}]*$`},
		{`{Type: String, AllowedPattern: "a("}`, "a", "Template format error: AllowedPattern a( of parameter P is no regular expression that is supported"},
		{`{Type: String, AllowedValues: [a, 1]}`, "b", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: String, AllowedValues: [a, 1]}`, "1", ""},
		{`{Type: CommaDelimitedList, AllowedValues: [a, b]}`, "a, b", ""},
		{`{Type: "AWS::EC2::VPC::Id"}`, "vpc-1", ""},
		{`{Type: Sting}`, "b", "Template format error: Unrecognized parameter type: Sting"},
		{`{Type: String, Defualt: x}`, "b", "Invalid template parameter property 'Defualt'"},
		{`{Type: String, Default: [1]}`, "b", "Template format error: Every Default member must be a string."},
	}
	for _, test := range tests {
		t.Run(test.declared+test.value, func(t *testing.T) {
			if strings.HasPrefix(test.declared, "Type") {
				test.declared = "{" + test.declared + "}"
			}
			body := "Resources: {R: {Type: T::R}}\nParameters: {P: " + test.declared + "}\n"
			if got := refusal(t, body, Input{Parameters: map[string]string{"P": test.value}}); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestParameterValuesComeFromTheirPlaces(t *testing.T) {
	const body = `
Parameters:
  Ami: {Type: "AWS::SSM::Parameter::Value<List<String>>", Default: /ami}
  Secret: {Type: String, NoEcho: true}
Resources: {R: {Type: T::R, Properties: {A: !Ref Ami, S: !Ref Secret}}}
`
	plan := resolve(t, body, Input{
		UsePrevious: []string{"Secret"}, Previous: map[string]string{"Secret": "pearl"},
		SSM: func(name, typ string) (string, error) { return name + "," + typ, nil },
	})
	properties, err := plan.Properties("R", made{})
	if want := map[string]any{"A": []any{"/ami", "List<String>"}, "S": "pearl"}; err != nil || !reflect.DeepEqual(properties, want) {
		t.Errorf("properties %v %v", properties, err)
	}
	if !plan.Secret(properties) || !plan.Secret(map[string]any{"P": []any{"a pearl in it"}}) || plan.Secret(map[string]any{"A": properties["A"]}) {
		t.Errorf("what is secret of %v", properties)
	}
	want := []Value{{Name: "Ami", Given: "/ami", Resolved: "/ami,List<String>"}, {Name: "Secret", Given: "****"}}
	if !reflect.DeepEqual(plan.Parameters, want) {
		t.Errorf("parameters %v, want %v", plan.Parameters, want)
	}
	for _, in := range []struct {
		in   Input
		want string
	}{
		{Input{}, "Parameters: [Secret] must have values"},
		{Input{Parameters: map[string]string{"Secret": "x", "Y": "", "X": ""}}, "Parameters: [X, Y] do not exist in the template"},
		{Input{UsePrevious: []string{"Secret"}}, "Invalid input for parameter key Secret. Cannot specify usePreviousValue as true for a parameter key not in the previous template"},
	} {
		if got := refusal(t, body, in.in); got != in.want {
			t.Errorf("got %q, want %q", got, in.want)
		}
	}
}

func TestRulesCheckParameters(t *testing.T) {
	const body = `
Parameters:
  Version: {Type: String}
  Names: {Type: CommaDelimitedList, Default: a}
Rules:
  Old:
    RuleCondition: !Not [!Equals [!Ref Version, any]]
    Assertions:
      - Assert: {"Fn::Not": [{"Fn::Contains": [["1", "2"], !Ref Version]}]}
        AssertDescription: version 3 at least
      - Assert: {"Fn::EachMemberIn": [!Ref Names, [a, b]]}
        AssertDescription: a or b
Resources: {R: {Type: T::R}}
`
	for version, want := range map[string]string{"2": "version 3 at least", "3": "", "any": ""} {
		if got := refusal(t, body, Input{Parameters: map[string]string{"Version": version}}); got != want {
			t.Errorf("version %s: %q, want %q", version, got, want)
		}
	}
	if got := refusal(t, body, Input{Parameters: map[string]string{"Version": "3", "Names": "a,c"}}); got != "a or b" {
		t.Errorf("got %q", got)
	}
}

func TestWrongTemplatesAreRefusedInWordsOfCloudFormation(t *testing.T) {
	resource := func(properties string) string {
		return "Resources: {R: {Type: T::R, Properties: " + properties + "}}\n"
	}
	tests := []struct{ name, body, want string }{
		{"empty", " ", "Template format error: unsupported structure."},
		{"a list", "- a", "Template format error: unsupported structure."},
		{"no YAML", "a: b\nc: [", "Template format error: YAML not well-formed. (line 2, column 1)"},
		{"no JSON", "{\"a\": \n\"b\" c", "Template format error: JSON not well-formed. (line 2, column 6)"},
		{"two documents", "Resources: {R: {Type: T}}\n---\nResources: {S: {Type: T}}", "Template format error: unsupported structure."},
		{"no resources", "Resources: {}", "Template format error: At least one Resources member must be defined."},
		{"no type", "Resources: {R: {}}", "Template format error: [/Resources/R] Every Resources object must contain a Type member."},
		{"unknown section", resource("{}") + "Stuff: {}\nMore: 1", "Invalid template property or properties [More, Stuff]"},
		{"unknown member", "Resources: {R: {Type: T::R, Propertys: {}}}", "Invalid template resource property 'Propertys'"},
		{"version", resource("{}") + "AWSTemplateFormatVersion: 2010-09-08", "Template format error: 2010-09-08 is not a supported value for AWSTemplateFormatVersion."},
		{"name", "Resources: {a-b: {Type: T::R}}", "Template format error: Resource name a-b is non alphanumeric."},
		{"null", resource("{A: [1, {B: }]}"), "[/Resources/R/Properties/A/1/B] 'null' values are not allowed in templates"},
		{"ref to nothing", resource("{A: !Ref X, B: !Sub '${Y}'}"), "Template format error: Unresolved resource dependencies [X, Y] in the Resources block of the template"},
		{"depends on nothing", "Resources: {R: {Type: T::R, DependsOn: X}}", "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"},
		{"output of nothing", resource("{}") + "Outputs: {O: {Value: !Ref X}}", "Template format error: Unresolved resource dependencies [X] in the Outputs block of the template"},
		{"attribute of nothing", resource("{A: !GetAtt X.Arn}"), "Template error: instance of Fn::GetAtt references undefined resource X"},
		{"attribute of nothing in a string", resource("{A: !Sub '${X.Arn}'}"), "Template error: instance of Fn::GetAtt references undefined resource X"},
		{"policy", "Resources: {R: {Type: T, DeletionPolicy: Keep}}", "Template format error: Unrecognized DeletionPolicy Keep for resource R"},
		{"function", resource("{A: {'Fn::Foo': 1}}"), unknownFunction("Fn::Foo").Error()},
		{"include", resource("{'Fn::Transform': {Name: AWS::Include}}"), "Transform AWS::Include is not supported"},
		{"macro", resource("{}") + "Transform: Mine", "No transform named Mine found."},
		{"extension", resource("{A: !Length [1]}"), "Template error: Fn::Length needs the transform AWS::LanguageExtensions"},
		{"circle", `Resources: {A: {Type: T, DependsOn: B}, B: {Type: T, Properties: {X: !Ref A}}, C: {Type: T, DependsOn: A}, D: {Type: T}}`, "Circular dependency between resources: [A, B]"},
		{"circle of one", `Resources: {A: {Type: T, DependsOn: A}}`, "Circular dependency between resources: [A]"},
		{"circle of conditions", resource("{}") + "Conditions: {A: !Not [!Condition B], B: !Not [!Condition A]}", "Circular dependency between conditions: [A, B]"},
		{"condition of a resource", "Resources: {R: {Type: T, Condition: X}}", "Template format error: Unresolved condition dependency X in the Resources block of the template"},
		{"condition of if", resource("{A: !If [X, 1, 2]}"), "Template error: unresolved condition dependency X in Fn::If"},
		{"equals of one", resource("{}") + "Conditions: {A: {'Fn::Equals': [a]}}", "Template error: every Fn::Equals object requires a list of 2 string parameters."},
		{"output without a value", resource("{}") + "Outputs: {O: {}}", "Template format error: Every Outputs member must contain a Value object"},
		{"output of null", resource("{}") + "Outputs: {O: {Value: }}", "[/Outputs/O/Value] 'null' values are not allowed in templates"},
		{"output of what is not made", "Resources: {R: {Type: T}, S: {Type: T, Condition: X}}\nConditions: {X: !Equals [a, b]}\nOutputs: {O: {Value: !Ref S}}", "Unresolved resource dependencies [S] in the Outputs block of the template"},
		{"mapping of one level", resource("{}") + "Mappings: {M: {A: b}}", "Template format error: Every Mappings member A must be a map"},
		{"transform by a function", resource("{}") + "Transform: {Name: !Ref X}", "Key Name of transform definition must be a string."},
		{"resource in a condition", resource("{}") + "Conditions: {A: !Equals [!Ref R, a]}", "Template format error: Unresolved dependencies [R]. Cannot reference resources in the Conditions block of the template"},
		{"what is not made", "Resources: {R: {Type: T, Condition: X}, S: {Type: T, Properties: {A: !Ref R}}}\nConditions: {X: !Equals [a, b]}", "Template format error: Unresolved resource dependencies [R] in the Resources block of the template"},
		{"alias of itself", "Resources: &a {R: {Type: T, Properties: {X: *a}}}", "Template format error: template is nested deeper than 100 levels."},
		{"depth", resource("{A: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}"), "Template format error: template is nested deeper than 100 levels."},
		{"bomb", bomb(), "Template format error: template has more than 300000 values."},
		{"size", resource("{A: " + strings.Repeat("x", MaxBytes) + "}"), "Template format error: template is larger than 1048576 bytes."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := refusal(t, test.body, Input{}); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// bomb is a small template whose aliases make ten thousand million values.
func bomb() string {
	var b strings.Builder
	b.WriteString("Metadata:\n  A0: &a0 [1]\n")
	for i := 1; i <= 10; i++ {
		fmt.Fprintf(&b, "  A%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10))
	}
	return b.String() + "Resources: {R: {Type: T}}\n"
}

func TestTooManyResourcesAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("Resources:\n")
	for i := range maxResources + 1 {
		fmt.Fprintf(&b, "  R%d: {Type: T}\n", i)
	}
	if got := refusal(t, b.String(), Input{}); got != "Template format error: Number of resources, 501, is greater than maximum allowed, 500" {
		t.Errorf("got %q", got)
	}
}

func TestResultsAreBounded(t *testing.T) {
	body := "Parameters: {P: {Type: String}}\nResources: {R: {Type: T, Properties: {A: !Sub \"" + strings.Repeat("${P}", 2000) + "\"}}}\n"
	plan := resolve(t, body, Input{Parameters: map[string]string{"P": strings.Repeat("x", 4000)}})
	if _, err := plan.Properties("R", made{}); err == nil || !strings.Contains(err.Error(), "make more than 4194304 bytes") {
		t.Errorf("error %v", err)
	}
}

func TestPoliciesMayDependOnConditions(t *testing.T) {
	const body = `
Parameters: {Stage: {Type: String}}
Conditions: {Live: !Equals [!Ref Stage, live]}
Resources: {R: {Type: T, DeletionPolicy: !If [Live, Retain, Delete]}}
`
	for stage, want := range map[string]string{"live": "Retain", "test": "Delete"} {
		plan := resolve(t, body, Input{Parameters: map[string]string{"Stage": stage}})
		if got := plan.Resource("R").DeletionPolicy; got != want {
			t.Errorf("%s: %q, want %q", stage, got, want)
		}
	}
}

func TestSelectRefusesWhatIsNotThere(t *testing.T) {
	for expression, want := range map[string]string{
		`!Select [bad, [a]]`:          "Template error: Fn::Select requires a list argument with two elements: an integer index and a list",
		`!Select [0, 2]`:              "Template error: Fn::Select requires a list argument with two elements: an integer index and a list",
		`!Select [9, [a]]`:            "Template error: Fn::Select requires a list argument with two elements: an integer index and a list",
		`!Select [9, !Split [x, ax]]`: "Template error: Fn::Select cannot select nonexistent value at index 9",
	} {
		plan := resolve(t, "Resources: {R: {Type: T, Properties: {V: "+expression+"}}}", Input{})
		if _, err := plan.Properties("R", made{}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", expression, err, want)
		}
	}
}

func TestCapabilitiesAreNamed(t *testing.T) {
	capability, types := parse(t, "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: x}}, P: {Type: AWS::IAM::Policy}}").Capabilities()
	if capability != "CAPABILITY_NAMED_IAM" || !slices.Equal(types, []string{"AWS::IAM::Policy", "AWS::IAM::Role"}) {
		t.Errorf("%q %q", capability, types)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"Resources: {R: {Type: T, Properties: {A: !Sub '${AWS::Region}-${R2.Arn}'}}, R2: {Type: T}}",
		`{"Resources": {"R": {"Type": "T", "Properties": {"A": {"Fn::Join": ["", ["a", {"Ref": "P"}]]}}}}, "Parameters": {"P": {"Type": "Number", "Default": 1}}}`,
		"Transform: AWS::LanguageExtensions\nResources:\n  R:\n    Type: T\n    Properties: {A: !Select [0, !Cidr [10.0.0.0/16, 2, 8]]}\nConditions: {C: !Or [!Equals [a, b], !Condition C]}",
		"Resources: {R: {Type: T, Properties: {A: '{{resolve:ssm:a:1}}', B: !GetAtt [R, !Ref X]}}}\nOutputs: {O: {Value: !If [C, 1, 2]}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		parsed, err := Parse(body)
		if err != nil {
			return
		}
		plan, err := parsed.Resolve(Input{
			Dynamic: func(r Reference) (string, error) { return r.Name, nil },
			SSM:     func(name, _ string) (string, error) { return name, nil },
		})
		if err != nil {
			return
		}
		if len(plan.Order()) != len(plan.Resources) {
			t.Errorf("order %q of %d resources", plan.Order(), len(plan.Resources))
		}
		for _, r := range plan.Resources {
			if properties, err := plan.Properties(r.LogicalID, made{}); err == nil {
				if _, err := json.Marshal(properties); err != nil {
					t.Errorf("properties of %s: %v", r.LogicalID, err)
				}
			}
		}
		_, _ = plan.Outputs(made{})
	})
}
