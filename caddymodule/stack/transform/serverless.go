package transform

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

const (
	typeFunction    = "AWS::Serverless::Function"
	typeAPI         = "AWS::Serverless::Api"
	typeHTTPAPI     = "AWS::Serverless::HttpApi"
	typeSocketAPI   = "AWS::Serverless::WebSocketApi"
	typeTable       = "AWS::Serverless::SimpleTable"
	typeLayer       = "AWS::Serverless::LayerVersion"
	typeApplication = "AWS::Serverless::Application"
)

// managed marks an API whose definition this package writes.
const managed = "__MANAGE_SWAGGER"

// refused are the resources of SAM that are not supported.
var refused = []string{
	"AWS::Serverless::CapacityProvider", "AWS::Serverless::Connector", "AWS::Serverless::GraphQLApi",
	"AWS::Serverless::StateMachine",
}

// maxGenerated is how many resources a template may become. CloudFormation refuses more than 500 afterwards.
const maxGenerated = 5000

// resource is a resource that is being made.
type resource struct {
	id, kind   string
	dependsOn  any
	attributes object
	properties object
}

func (r *resource) document() object {
	document := object{"Type": r.kind}
	if truthy(r.dependsOn) {
		document["DependsOn"] = r.dependsOn
	}
	for name, value := range r.attributes {
		document[name] = value
	}
	properties := object{}
	for name, value := range r.properties {
		if value != nil {
			properties[name] = value
		}
	}
	document["Properties"] = properties
	return document
}

// translator turns one document of SAM into plain CloudFormation.
type translator struct {
	problems
	in         Input
	document   object
	parameters object
	// resources of the document, which transforms of others change: the paths of an API.
	resources object
	// output are the resources of the result.
	output     object
	conditions object
	// changed are the logical ids that the transform changes; made are those that Ref Api.Stage names.
	changed map[string]string
	made    map[string]map[string]string

	functionNames map[string]string
	usagePlan     sharedUsagePlan
	recordSets    map[string]*resource
}

func translate(document object, in Input) (object, error) {
	t := &translator{
		problems: problems{seen: map[string]bool{}}, in: in, document: document, parameters: object{},
		changed: map[string]string{}, made: map[string]map[string]string{},
		functionNames: map[string]string{}, recordSets: map[string]*resource{},
	}
	t.gatherParameters()
	if !t.prepare() {
		return nil, t.err()
	}
	t.output = copied(t.resources).(object)
	t.conditions, _ = document["Conditions"].(object)
	for _, id := range t.ordered() {
		t.convert(id, mapOf(t.resources[id]))
		if t.fatal != "" {
			break
		}
		if len(t.output) > maxGenerated {
			t.problems.document("The template becomes more than %d resources.", maxGenerated)
			break
		}
	}
	if err := t.err(); err != nil {
		return nil, err
	}
	document["Resources"] = t.output
	if len(t.conditions) > 0 {
		document["Conditions"] = t.conditions
	}
	return t.relink(document).(object), nil
}

func (t *translator) gatherParameters() {
	for name, declared := range mapOf(t.document["Parameters"]) {
		if value, has := mapOf(declared)["Default"]; has && !secret(declared) {
			t.parameters[name] = value
		}
	}
	for name, value := range t.in.Parameters {
		t.parameters[name] = value
	}
	t.parameters["AWS::Region"] = t.in.Region
	t.parameters["AWS::Partition"] = t.in.Partition
}

// prepare checks the document and adds what resources have by default: globals, definitions, implicit APIs.
func (t *translator) prepare() bool {
	t.resources = mapOf(t.document["Resources"])
	if len(t.resources) == 0 {
		t.problems.document("'Resources' section is required")
		return false
	}
	for _, id := range sorted(t.resources) {
		body, ok := t.resources[id].(object)
		if !ok {
			t.problems.document("All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue.")
			return false
		}
		kind := textOf(body["Type"])
		if slices.Contains(refused, kind) {
			t.problems.resource(id, "Resources of type %s are not supported here.", kind)
		}
		if _, has := body["Connectors"]; has {
			t.problems.resource(id, "The attribute Connectors is not supported here.")
		}
		if !t.isServerless(kind) {
			continue
		}
		if body["Properties"] == nil {
			if _, has := body["Properties"]; has {
				t.problems.resource(id, "Attribute 'Properties' should be a map.")
			}
			body["Properties"] = object{}
		} else if _, ok := body["Properties"].(object); !ok {
			t.problems.resource(id, "Attribute 'Properties' should be a map.")
		}
		if condition, has := body["Condition"]; has && condition != nil {
			if _, ok := condition.(string); !ok {
				t.problems.document("Every Condition member must be a string.")
			}
		}
	}
	if t.err() != nil {
		return false
	}
	t.addDefinitions()
	rest := implicitAPI{t: t, rest: true}
	rest.add()
	http := implicitAPI{t: t}
	http.add()
	if t.err() == nil {
		t.mergeGlobals()
	}
	return t.err() == nil
}

func (t *translator) isServerless(kind string) bool {
	switch kind {
	case typeFunction, typeAPI, typeHTTPAPI, typeSocketAPI, typeTable, typeLayer, typeApplication:
		return true
	}
	return false
}

// ordered returns the resources to convert: functions come first, since their events change APIs and buckets.
func (t *translator) ordered() []string {
	var functions, apis, others []string
	for _, id := range sorted(t.resources) {
		switch kind := textOf(mapOf(t.resources[id])["Type"]); kind {
		case typeFunction:
			functions = append(functions, id)
		case typeAPI, typeHTTPAPI, typeSocketAPI:
			apis = append(apis, id)
		default:
			if t.isServerless(kind) {
				others = append(others, id)
			} else if strings.HasPrefix(kind, "AWS::Serverless::") {
				t.problems.resource(id, "Resources of type %s are not supported here.", kind)
			}
		}
	}
	return slices.Concat(functions, apis, others)
}

// passed are the attributes of a resource that those it becomes have too.
var passed = []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy"}

// source is a resource of SAM.
type source struct {
	id         string
	kind       string
	body       object
	properties object
	dependsOn  any
	// attributes are all that the resource has; shared are those that what it becomes has too.
	attributes, shared object
}

func (t *translator) source(id string, body object) *source {
	s := &source{
		id: id, kind: textOf(body["Type"]), body: body, properties: mapOf(body["Properties"]),
		dependsOn: body["DependsOn"], attributes: object{}, shared: object{},
	}
	for _, name := range []string{"DeletionPolicy", "UpdatePolicy", "Condition", "UpdateReplacePolicy", "Metadata"} {
		if value, has := body[name]; has {
			s.attributes[name] = value
			if slices.Contains(passed, name) {
				s.shared[name] = value
			}
		}
	}
	return s
}

// make returns a resource with the attributes that the source shares.
func (s *source) make(id, kind string) *resource {
	attributes := object{}
	for name, value := range s.shared {
		attributes[name] = value
	}
	return &resource{id: id, kind: kind, attributes: attributes, properties: object{}}
}

// main returns the resource that stands for the source itself.
func (s *source) main(kind string) *resource {
	r := s.make(s.id, kind)
	r.dependsOn = s.dependsOn
	for name, value := range s.attributes {
		r.attributes[name] = value
	}
	return r
}

func (t *translator) convert(id string, body object) {
	s := t.source(id, body)
	if !isLogicalID(id) {
		t.problems.resource(id, "Logical ids must be alphanumeric.")
		return
	}
	if s.kind == typeFunction {
		t.applyPolicyTemplates(s)
	}
	t.checkProperties(s)
	if t.seen[id] {
		return
	}
	var made []*resource
	references := map[string]string{}
	switch s.kind {
	case typeFunction:
		t.noteFunctionName(s)
		made = (&functionMaker{translator: t, source: s}).make()
		references = map[string]string{
			"Alias": "AWS::Lambda::Alias", "Version": "AWS::Lambda::Version",
			"DestinationTopic": "AWS::SNS::Topic", "DestinationQueue": "AWS::SQS::Queue",
		}
	case typeAPI:
		made = (&restMaker{translator: t, source: s}).make()
		references = map[string]string{
			"Stage": "AWS::ApiGateway::Stage", "Deployment": "AWS::ApiGateway::Deployment",
			"DomainName": "AWS::ApiGateway::DomainName", "DomainNameV2": "AWS::ApiGateway::DomainNameV2",
			"UsagePlan": "AWS::ApiGateway::UsagePlan", "UsagePlanKey": "AWS::ApiGateway::UsagePlanKey",
			"ApiKey": "AWS::ApiGateway::ApiKey",
		}
	case typeHTTPAPI:
		made = (&httpMaker{translator: t, source: s}).make()
		references = map[string]string{"Stage": "AWS::ApiGatewayV2::Stage", "DomainName": "AWS::ApiGatewayV2::DomainName"}
	case typeSocketAPI:
		made = (&socketMaker{translator: t, source: s}).make()
		references = map[string]string{"Stage": "AWS::ApiGatewayV2::Stage", "DomainName": "AWS::ApiGatewayV2::DomainName"}
	case typeTable:
		made = []*resource{t.table(s)}
	case typeLayer:
		made = []*resource{t.layer(s)}
	case typeApplication:
		made = []*resource{t.application(s)}
	}
	if t.seen[id] || t.fatal != "" {
		return
	}
	for property, kind := range references {
		for _, r := range made {
			if r.kind == kind {
				if t.made[id] == nil {
					t.made[id] = map[string]string{}
				}
				t.made[id][property] = r.id
			}
		}
	}
	delete(t.output, id)
	for _, r := range made {
		if !t.unique(r) {
			t.add(id, "Transforming resource with id ["+id+"] attempts to create a new resource with id ["+r.id+"] and type \""+r.kind+
				"\". A resource with that id already exists within this template. Please use a different id for that resource.")
			continue
		}
		t.output[r.id] = r.document()
	}
}

// replaces are the types that a resource of the same logical id may have in the template of SAM.
var replaces = map[string]string{
	"AWS::Lambda::Function": typeFunction, "AWS::Lambda::LayerVersion": typeLayer, "AWS::ApiGateway::RestApi": typeAPI,
	"AWS::ApiGatewayV2::Api": typeHTTPAPI, "AWS::S3::Bucket": "AWS::S3::Bucket", "AWS::SNS::Topic": "AWS::SNS::Topic",
	"AWS::DynamoDB::Table": typeTable, "AWS::CloudFormation::Stack": typeApplication,
	"AWS::Cognito::UserPool": "AWS::Cognito::UserPool", "AWS::ApiGateway::DomainName": "AWS::ApiGateway::DomainName",
	"AWS::ApiGateway::BasePathMapping": "AWS::ApiGateway::BasePathMapping",
}

func (t *translator) unique(r *resource) bool {
	existing, taken := t.resources[r.id].(object)
	return !taken || existing["Type"] == replaces[r.kind] || r.kind == "AWS::ApiGatewayV2::Api" && existing["Type"] == typeSocketAPI
}

var logicalID = regexp.MustCompile(`^[A-Za-z0-9]+$`)

func isLogicalID(id string) bool { return logicalID.MatchString(id) }

// noteFunctionName remembers the names of functions behind an API: a new name needs a new deployment.
func (t *translator) noteFunctionName(s *source) {
	events := mapOf(s.properties["Events"])
	for _, id := range sorted(events) {
		event := mapOf(events[id])
		api := mapOf(event["Properties"])["RestApiId"]
		if event["Type"] != "Api" || !truthy(api) {
			continue
		}
		name := t.resolve(copied(s.properties["FunctionName"]))
		if !truthy(name) {
			continue
		}
		text, ok := name.(string)
		if !ok {
			encoded, _ := json.Marshal(name)
			text = string(encoded)
		}
		t.functionNames[apiID(api)] += text
	}
}

// apiID returns the logical id of the API that an event names.
func apiID(value any) string {
	if id, ok := mapOf(value)["Ref"].(string); ok {
		return id
	}
	return textOf(value)
}

// expectMap returns value as a map; when it is none, that is a problem of the resource.
func (t *translator) expectMap(value any, id, path string) object {
	m, ok := value.(object)
	if !ok {
		t.problems.resource(id, "Property '%s' should be a map.", path)
		return object{}
	}
	return m
}

// addCondition adds a condition to the template.
func (t *translator) addCondition(name string, definition any) {
	if t.conditions == nil {
		t.conditions = object{}
	}
	t.conditions[name] = definition
}
