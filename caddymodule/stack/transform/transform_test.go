package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/stack/template"
)

var update = flag.Bool("update", false, "write the expected documents of testdata")

// where is what the templates of testdata are transformed with.
var where = Input{Region: "eu-west-1"}

func TestTemplatesBecomePlainCloudFormation(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			body, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			document, err := template.Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			before := fmt.Sprint(document)
			made, err := Apply(document, where)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(document) != before {
				t.Error("Apply changes the document that it is given")
			}
			if _, err := template.New(made); err != nil {
				t.Errorf("the result is no template: %v", err)
			}
			var got bytes.Buffer
			encoder := json.NewEncoder(&got)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", " ")
			if err := encoder.Encode(made); err != nil {
				t.Fatal(err)
			}
			expected := strings.TrimSuffix(input, ".yaml") + ".json"
			if *update {
				if err := os.WriteFile(expected, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s differs from what %s becomes:\n%s", expected, input, got.Bytes())
			}
		})
	}
}

// refusal is the message with which Apply refuses body.
func refusal(t *testing.T, body string) string {
	t.Helper()
	document, err := template.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Apply(document, where)
	if err == nil {
		return ""
	}
	if problem := new(template.Error); !errors.As(err, &problem) {
		t.Errorf("error %T, want *template.Error", err)
	}
	return strings.TrimPrefix(err.Error(), "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. ")
}

func TestWhatIsWrongIsRefusedByName(t *testing.T) {
	const head = "Transform: AWS::Serverless-2016-10-31\n"
	function := func(properties string) string {
		return head + "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: nodejs22.x, InlineCode: x, " + properties + "}}}"
	}
	one := func(of string) string { return "Number of errors found: 1. Resource with id [F] is invalid. " + of }
	tests := []struct{ name, body, want string }{
		{"no resources", head + "Resources: {}", "Number of errors found: 1. Structure of the SAM template is invalid. 'Resources' section is required"},
		{"state machine", head + "Resources: {F: {Type: AWS::Serverless::StateMachine}}", one("Resources of type AWS::Serverless::StateMachine are not supported here.")},
		{"connector", head + "Resources: {F: {Type: AWS::Serverless::Function, Connectors: {}}}", one("The attribute Connectors is not supported here.")},
		{"new type", head + "Resources: {F: {Type: AWS::Serverless::Carrot}, G: {Type: AWS::S3::Bucket}}", one("Resources of type AWS::Serverless::Carrot are not supported here.")},
		{"deployment preference", function("AutoPublishAlias: a, DeploymentPreference: {Type: AllAtOnce}"), one("The property DeploymentPreference is not supported here.")},
		{"deployment preference that is off", function("AutoPublishAlias: a, DeploymentPreference: {Type: AllAtOnce, Enabled: false}"), ""},
		{"unknown property", function("Colour: red"), one("property Colour not defined for resource of type AWS::Serverless::Function")},
		{"wrong type", function("Events: []"), one("Type of property 'Events' is invalid.")},
		{"unknown event", function("Events: {E: {Type: Carrot}}"), one("Event with id [E] is invalid. Resource dict has missing or invalid value for key Type. Event Type is: Carrot.")},
		{"missing property", function("Events: {E: {Type: SQS, Properties: {}}}"), "Number of errors found: 1. Resource with id [FE] is invalid. Missing required property 'Queue'."},
		{"foreign bucket", function("Events: {E: {Type: S3, Properties: {Bucket: b, Events: x}}}"), one("Event with id [E] is invalid. S3 events must reference an S3 bucket in the same template.")},
		{"two of one method", function("Events: {A: {Type: Api, Properties: {Path: /, Method: get}}, B: {Type: Api, Properties: {Path: /, Method: GET}}}"), one(`Event with id [B] is invalid. API method "get" defined multiple times for path "/".`)},
		{"policy template without its parameter", function("Policies: [{SQSPollerPolicy: {}}]"), one("Following required parameters of template 'SQSPollerPolicy' don't have values: ['QueueName']")},
		{"unknown policy template", function("Policies: [{CarrotPolicy: {}}]"), one("Policy at index 0 in the 'Policies' property is not valid")},
		{"globals", head + "Globals: {Function: {Colour: red}}\nResources: {F: {Type: AWS::S3::Bucket}}", "Number of errors found: 1. 'Globals' section is invalid. 'Colour' is not a supported property of 'Function'."},
		{"repository", head + "Resources: {F: {Type: AWS::Serverless::Application, Properties: {Location: {ApplicationId: a, SemanticVersion: 1.0.0}}}}", one("Applications of the Serverless Application Repository are not supported here: Location must be the address of a template.")},
		{"id that is taken", function("FunctionName: x") + "\n" + "Conditions: {}", ""},
		{"macro", "Transform: Mine\nResources: {F: {Type: T}}", "No transform named Mine found."},
		{"include", "Transform: {Name: AWS::Include, Parameters: {Location: s3://a/b}}\nResources: {F: {Type: T}}", "Transform AWS::Include is not supported"},
		{"loop without a list", "Transform: AWS::LanguageExtensions\nResources: {Fn::ForEach::A: [X, !GetAtt F.Arn, {\"B${X}\": {Type: T}}]}", "Transform AWS::LanguageExtensions failed with: Fn::ForEach::A must have a collection that can be resolved: a list, or a parameter that is a list"},
		{"loop that makes a key twice", "Transform: AWS::LanguageExtensions\nResources: {Fn::ForEach::A: [X, [a, b], {B: {Type: T}}]}", "Transform AWS::LanguageExtensions failed with: Fn::ForEach makes the key B twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := refusal(t, test.body); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestResourcesThatAreMadeTwiceAreRefused(t *testing.T) {
	got := refusal(t, `
Transform: AWS::Serverless-2016-10-31
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: nodejs22.x, InlineCode: x}}
  FRole: {Type: AWS::IAM::Role}
`)
	if !strings.Contains(got, `attempts to create a new resource with id [FRole] and type "AWS::IAM::Role"`) {
		t.Errorf("got %q", got)
	}
}

func TestFilesAreIncluded(t *testing.T) {
	files := map[string]string{
		"s3://b/api":  "openapi: 3.0.1\npaths: {/a: {get: {x-amazon-apigateway-integration: {type: mock}}}}",
		"s3://b/more": "Resources: {Extra: {Type: AWS::SNS::Topic}}\nOutputs: {O: {Value: !Ref Extra}}",
		"s3://b/role": "RoleName: r",
	}
	in := where
	in.Parameters = map[string]string{"Api": "s3://b/api"}
	in.Include = func(location string) ([]byte, error) {
		if body, has := files[location]; has {
			return []byte(body), nil
		}
		return nil, errors.New("S3 object [" + location + "] does not exist.")
	}
	document := func(location string) map[string]any {
		d, err := template.Decode([]byte(`
Transform: [AWS::Serverless-2016-10-31, {Name: AWS::Include, Parameters: {Location: s3://b/more}}]
Parameters: {Api: {Type: String}}
Resources:
  Role: {Type: AWS::IAM::Role, Properties: {Path: /x/, Fn::Transform: {Name: AWS::Include, Parameters: {Location: ` + location + `}}}}
  Rest: {Type: AWS::Serverless::Api, Properties: {StageName: v1, Cors: "'*'", DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: !Ref Api}}}}}
`))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	made, err := Apply(document("s3://b/role"), in)
	if err != nil {
		t.Fatal(err)
	}
	resources := mapOf(made["Resources"])
	role := mapOf(mapOf(resources["Role"])["Properties"])
	if role["RoleName"] != "r" || role["Path"] != "/x/" || resources["Extra"] == nil || made["Outputs"] == nil {
		t.Errorf("made %v", made)
	}
	// The API knows the definition that was included: CORS has added a method to it.
	paths := mapOf(mapOf(mapOf(mapOf(resources["Rest"])["Properties"])["Body"])["paths"])
	if mapOf(paths["/a"])["options"] == nil {
		t.Errorf("paths %v", paths)
	}
	if _, err := Apply(document("s3://b/none"), in); err == nil || err.Error() != "Transform AWS::Include failed with: S3 object [s3://b/none] does not exist." {
		t.Errorf("error %v", err)
	}
}

func TestLoopsAreBounded(t *testing.T) {
	items := strings.TrimSuffix(strings.Repeat("a,", 100), ",")
	loop := `{"B${A}${B}${C}${D}": {Type: T}}`
	for _, name := range []string{"D", "C", "B", "A"} {
		loop = fmt.Sprintf("{Fn::ForEach::%s: [%s, [%s], %s]}", name, name, items, loop)
	}
	got := refusal(t, "Transform: AWS::LanguageExtensions\nResources: "+loop)
	if !strings.Contains(got, "twice") && !strings.Contains(got, "values") {
		t.Errorf("got %q", got)
	}
}

func TestDeploymentsFollowTheDefinition(t *testing.T) {
	deployment := func(path string, in Input, globals string) string {
		t.Helper()
		document, err := template.Decode([]byte(`
Transform: AWS::Serverless-2016-10-31
Globals: {Api: {` + globals + `}}
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: nodejs22.x, InlineCode: x, Events: {A: {Type: Api, Properties: {Path: ` + path + `, Method: get}}}}}
`))
		if err != nil {
			t.Fatal(err)
		}
		made, err := Apply(document, in)
		if err != nil {
			t.Fatal(err)
		}
		for id, body := range mapOf(made["Resources"]) {
			if mapOf(body)["Type"] == "AWS::ApiGateway::Deployment" {
				return id
			}
		}
		t.Fatal("no deployment")
		return ""
	}
	if a, again, b := deployment("/a", where, ""), deployment("/a", where, ""), deployment("/b", where, ""); a != again || a == b {
		t.Errorf("deployments %s, %s and %s", a, again, b)
	}
	first, second := where, where
	first.Now, second.Now = time.Unix(1, 0), time.Unix(2, 0)
	if a, b := deployment("/a", first, "AlwaysDeploy: true"), deployment("/a", second, "AlwaysDeploy: true"); a == b {
		t.Errorf("AlwaysDeploy deploys %s twice", a)
	}
}

func FuzzApply(f *testing.F) {
	inputs, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, input := range inputs {
		body, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("Resources: {F: {Type: T, Properties: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: a}}}}}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		document, err := template.Decode(body)
		if err != nil {
			return
		}
		in := where
		in.Include = func(string) ([]byte, error) { return body, nil }
		made, err := Apply(document, in)
		if err != nil {
			if problem := new(template.Error); !errors.As(err, &problem) {
				t.Errorf("error %T %v, want *template.Error", err, err)
			}
			return
		}
		if _, err := json.Marshal(made); err != nil {
			t.Errorf("no JSON: %v", err)
		}
		_, _ = template.New(made)
	})
}
