package transform

import "strings"

var keyTypes = map[string]string{"String": "S", "Number": "N", "Binary": "B"}

// table makes the table of an AWS::Serverless::SimpleTable: one with a key of one attribute.
func (t *translator) table(s *source) *resource {
	p := s.properties
	table := s.main("AWS::DynamoDB::Table")
	name, kind := any("id"), "S"
	if key := mapOf(p["PrimaryKey"]); len(key) > 0 {
		for _, member := range []string{"Name", "Type"} {
			if key[member] == nil {
				t.problems.resource(s.id, "Property 'PrimaryKey.%s' is required.", member)
			}
		}
		name = key["Name"]
		if kind = keyTypes[textOf(key["Type"])]; kind == "" {
			t.problems.resource(s.id, "Invalid 'Type' \"%v\".", key["Type"])
		}
	}
	table.properties = object{
		"AttributeDefinitions": []any{object{"AttributeName": name, "AttributeType": kind}},
		"KeySchema":            []any{object{"AttributeName": name, "KeyType": "HASH"}},
	}
	for _, member := range []string{"PointInTimeRecoverySpecification", "ProvisionedThroughput", "SSESpecification", "TableName"} {
		if truthy(p[member]) {
			table.properties[member] = p[member]
		}
	}
	if !truthy(p["ProvisionedThroughput"]) {
		table.properties["BillingMode"] = "PAY_PER_REQUEST"
	}
	if truthy(p["Tags"]) {
		table.properties["Tags"] = tags(p["Tags"])
	}
	return table
}

// layer makes the version of a layer. Its logical id changes with what it is made of, so that a new version is made.
func (t *translator) layer(s *source) *resource {
	p := s.properties
	for _, name := range []string{"LayerName", "LicenseInfo", "Description", "RetentionPolicy"} {
		if !truthy(p[name]) {
			continue
		}
		p[name] = t.resolve(p[name])
		_, isText := p[name].(string)
		if _, isMap := p[name].(object); !isText && !isMap {
			t.problems.resource(s.id, "Could not resolve parameter for '%s' or parameter is not a String.", name)
		}
	}
	policy := "Retain"
	if given, ok := s.shared["DeletionPolicy"].(string); ok {
		policy = given
	}
	const options = "['Retain', 'Delete']"
	switch retention := p["RetentionPolicy"].(type) {
	case nil:
	case object:
		t.problems.resource(s.id, "'RetentionPolicy' does not accept intrinsic functions, please use one of the following options: %s", options)
	case string:
		switch strings.ToLower(retention) {
		case "retain":
			policy = "Retain"
		case "delete":
			policy = "Delete"
		default:
			t.problems.resource(s.id, "'RetentionPolicy' must be one of the following options: %s.", options)
		}
	}
	seed := object{"Type": s.kind}
	if truthy(s.dependsOn) {
		seed["DependsOn"] = s.dependsOn
	}
	for _, name := range []string{"Condition", "UpdatePolicy"} {
		copyAs(seed, name, s.attributes[name])
	}
	properties := object{}
	for name, value := range p {
		copyAs(properties, name, value)
	}
	seed["Properties"] = properties
	layer := s.make(hashed(s.id, object{s.id: seed}), "AWS::Lambda::LayerVersion")
	t.changed[s.id] = layer.id
	layer.dependsOn = s.dependsOn
	layer.attributes["DeletionPolicy"] = policy
	layer.properties = object{"Content": t.location(s.id, p["ContentUri"], "ContentUri"), "LayerName": p["LayerName"]}
	if !truthy(p["LayerName"]) {
		layer.properties["LayerName"] = s.id
	}
	copyTo(layer.properties, p, "Description", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo")
	if list, ok := p["CompatibleArchitectures"].([]any); ok {
		for _, item := range list {
			if intrinsic(item) == "" && item != "arm64" && item != "x86_64" {
				t.problems.resource(layer.id, "CompatibleArchitectures needs to be a list of 'x86_64' or 'arm64'")
			}
		}
	}
	return layer
}

// application makes a nested stack of a template at an address. Applications of the Serverless Application Repository are
// not supported.
func (t *translator) application(s *source) *resource {
	p := s.properties
	location, ok := p["Location"].(string)
	if !ok {
		t.problems.resource(s.id, "Applications of the Serverless Application Repository are not supported here: Location must be the address of a template.")
	}
	t.checkTags(s.id, p["Tags"])
	stack := s.make(s.id, "AWS::CloudFormation::Stack")
	stack.dependsOn = s.dependsOn
	stack.properties = object{
		"TemplateURL": location,
		"Tags":        append([]any{object{"Key": "lambda:createdBy", "Value": "SAM"}}, tags(p["Tags"])...),
	}
	copyTo(stack.properties, p, "Parameters", "NotificationARNs", "TimeoutInMinutes")
	return stack
}
