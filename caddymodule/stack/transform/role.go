package transform

import (
	_ "embed"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// assumable is the trust policy for a service of AWS.
func assumable(service string) object {
	return object{"Version": "2012-10-17", "Statement": []any{object{
		"Action": []any{"sts:AssumeRole"}, "Effect": "Allow", "Principal": object{"Service": []any{service}},
	}}}
}

func (t *translator) managedPolicy(name string) string {
	return "arn:" + t.in.Partition + ":iam::aws:policy/" + name
}

// constructRole makes the role of the function, when it names none.
func (f *functionMaker) constructRole() {
	p := f.properties
	role := f.source.make(f.id+"Role", "AWS::IAM::Role")
	trust := p["AssumeRolePolicyDocument"]
	if trust == nil {
		trust = assumable("lambda.amazonaws.com")
	}
	basic := "service-role/AWSLambdaBasicExecutionRole"
	if truthy(p["DurableConfig"]) {
		basic = "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
	}
	managed := []any{f.managedPolicy(basic)}
	if f.traced() {
		name := "AWSXrayWriteOnlyAccess"
		if f.in.Partition != "aws" {
			name = "AWSXRayDaemonWriteAccess"
		}
		managed = append(managed, f.managedPolicy(name))
	}
	if truthy(p["VpcConfig"]) {
		managed = append(managed, f.managedPolicy("service-role/AWSLambdaVPCAccessExecutionRole"))
	}
	var inline []any
	if queue := mapOf(p["DeadLetterQueue"]); len(queue) > 0 {
		action := "sqs:SendMessage"
		if queue["Type"] == "SNS" {
			action = "sns:Publish"
		}
		inline = append(inline, object{"PolicyName": "DeadLetterQueuePolicy", "PolicyDocument": object{
			"Version":   "2012-10-17",
			"Statement": []any{object{"Action": action, "Resource": queue["TargetArn"], "Effect": "Allow"}},
		}})
	}
	inline = append(inline, f.destinations...)
	for i, policy := range f.policies() {
		switch f.policyKind(policy) {
		case "statement":
			inline = append(inline, named(policy, role.id+"Policy"+strconv.Itoa(i)))
		case "managed":
			if arn := f.managedARN(policy); !has(managed, arn) {
				managed = append(managed, arn)
			}
		default:
			f.fail("Policy at index %d in the 'Policies' property is not valid", i)
			return
		}
	}
	role.properties = object{
		"AssumeRolePolicyDocument": trust, "ManagedPolicyArns": managed, "Path": p["RolePath"],
		"PermissionsBoundary": p["PermissionsBoundary"], "Tags": f.tagList(p["Tags"], nil),
	}
	if len(inline) > 0 {
		role.properties["Policies"] = inline
	}
	f.role = role
	f.assignRole()
}

// assignRole gives the function its role: the one that was made, the one it names, or one of both by a condition.
func (f *functionMaker) assignRole() {
	given := f.properties["Role"]
	arn := getAtt(f.role.id, "Arn")
	if given == nil {
		f.function.properties["Role"] = arn
		f.add(f.role)
		return
	}
	if intrinsic(given) != "Fn::If" {
		return
	}
	condition, then, otherwise, ok := choice(f.resolve(given))
	switch {
	case !ok:
		f.fail("Malformed 'Role' property: Fn::If requires 3 arguments.")
		return
	case isNoValue(then) && isNoValue(otherwise):
		f.function.properties["Role"] = arn
	case isNoValue(then):
		f.function.properties["Role"] = object{"Fn::If": []any{condition, arn, otherwise}}
		f.role.attributes["Condition"] = condition
	case isNoValue(otherwise):
		f.function.properties["Role"] = object{"Fn::If": []any{condition, then, arn}}
		f.role.attributes["Condition"] = "NOT" + condition
		f.addCondition("NOT"+condition, object{"Fn::Not": []any{object{"Condition": condition}}})
	default:
		return
	}
	f.add(f.role)
}

func (f *functionMaker) policies() []any { return policyList(f.properties["Policies"]) }

func policyList(value any) []any {
	if !truthy(value) {
		return nil
	}
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

// policyKind says what a member of Policies is: managed, statement, template, or empty for none of these.
func (t *translator) policyKind(policy any) string {
	if _, ok := policy.(string); ok {
		return "managed"
	}
	if intrinsic(policy) == "Fn::If" {
		parts, _ := mapOf(policy)["Fn::If"].([]any)
		if len(parts) != 3 {
			t.problems.document("Fn::If requires 3 arguments")
			return ""
		}
		then, otherwise := t.policyKind(parts[1]), t.policyKind(parts[2])
		switch {
		case then == otherwise, isNoValue(parts[2]):
			return then
		case isNoValue(parts[1]):
			return otherwise
		}
		t.problems.document("Different policy types within the same Fn::If statement is unsupported. Separate different policy types into different Fn::If statements")
		return ""
	}
	if intrinsic(policy) != "" {
		return "managed"
	}
	m := mapOf(policy)
	if _, has := m["Statement"]; has {
		return "statement"
	}
	if len(m) == 1 {
		if _, known := policyTemplates[sorted(m)[0]]; known {
			return "template"
		}
	}
	return ""
}

// named makes an inline policy of a document, within a condition too.
func named(policy any, name string) any {
	if intrinsic(policy) != "Fn::If" {
		return object{"PolicyName": name, "PolicyDocument": policy}
	}
	parts, _ := mapOf(policy)["Fn::If"].([]any)
	result := []any{parts[0]}
	for _, part := range parts[1:] {
		if !isNoValue(part) {
			part = object{"PolicyName": name, "PolicyDocument": part}
		}
		result = append(result, part)
	}
	return object{"Fn::If": result}
}

func (f *functionMaker) managedARN(policy any) any {
	if name, ok := policy.(string); ok {
		return f.namedPolicy(name)
	}
	if intrinsic(policy) != "Fn::If" {
		return policy
	}
	parts, _ := mapOf(policy)["Fn::If"].([]any)
	result := []any{parts[0]}
	for _, part := range parts[1:] {
		if name, ok := part.(string); ok {
			part = f.namedPolicy(name)
		}
		result = append(result, part)
	}
	return object{"Fn::If": result}
}

//go:embed managed.txt
var managedNames string

// managedPaths are the paths of AWS's managed policies that are not at the root, by name.
var managedPaths = func() map[string]string {
	paths := map[string]string{}
	path := ""
	for _, word := range strings.Fields(managedNames) {
		if strings.HasSuffix(word, ":") {
			path = strings.TrimSuffix(word, ":")
			continue
		}
		paths[word] = path
	}
	return paths
}()

// namedPolicy returns the ARN of a managed policy of AWS that is named without one. What is no such policy stays as it is.
func (f *functionMaker) namedPolicy(name string) string {
	path, known := managedPaths[name]
	switch {
	case known && path != "/":
		return f.managedPolicy(path + "/" + name)
	case known, strings.HasPrefix(name, "AWS"), strings.HasPrefix(name, "Amazon"):
		return f.managedPolicy(name)
	}
	return name
}

//go:embed policies.txt
var policyText string

var policyVariable = regexp.MustCompile(`\$\{(\w+)\|(\w+)\}`)

// policyTemplate is one of the policy templates of SAM.
type policyTemplate struct {
	parameters []string
	statements []any
}

// policyTemplates are read from policies.txt: a line with the name and the parameters, then a line for each
// statement: actions, an @, resources; after a question mark the condition: operator, key, value.
var policyTemplates = func() map[string]*policyTemplate {
	all := map[string]*policyTemplate{}
	var current *policyTemplate
	for line := range strings.Lines(policyText) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] != ' ' {
			words := strings.Fields(line)
			current = &policyTemplate{parameters: words[1:]}
			all[words[0]] = current
			continue
		}
		current.statements = append(current.statements, readStatement(line))
	}
	return all
}()

// readStatement reads a line of policies.txt. A resource with variables becomes Fn::Sub, @NAME becomes Ref NAME.
func readStatement(line string) object {
	line, condition, conditioned := strings.Cut(line, " ? ")
	actions, resources, _ := strings.Cut(line, " @ ")
	sid := ""
	if name, rest, ok := strings.Cut(actions, " = "); ok {
		sid, actions = strings.TrimSpace(name), rest
	}
	statement := object{"Effect": "Allow"}
	if sid != "" {
		statement["Sid"] = sid
	}
	statement["Action"] = oneOrMany(strings.Fields(actions))
	statement["Resource"] = oneOrMany(strings.Fields(resources))
	if conditioned {
		words := strings.Fields(condition)
		statement["Condition"] = object{words[0]: object{words[1]: oneOrMany(words[2:])}}
	}
	return statement
}

// oneOrMany returns a list, or one value where the only word ends in a bang.
func oneOrMany(words []string) any {
	if len(words) == 1 {
		if word, single := strings.CutSuffix(words[0], "!"); single {
			return policyValue(word)
		}
	}
	list := []any{}
	for _, word := range words {
		list = append(list, policyValue(word))
	}
	return list
}

// policyValue reads one word: @NAME stands for the parameter; ${variable|Parameter} for it within a text.
func policyValue(word string) any {
	if name, ok := strings.CutPrefix(word, "@"); ok {
		return object{"Ref": name}
	}
	if !strings.Contains(word, "${") {
		return word
	}
	values := object{}
	text := word
	for _, found := range policyVariable.FindAllStringSubmatch(word, -1) {
		values[found[1]] = ref(found[2])
		text = strings.Replace(text, found[0], "${"+found[1]+"}", 1)
	}
	return sub(text, values)
}

// applyPolicyTemplates replaces the policy templates among the policies of a function.
func (t *translator) applyPolicyTemplates(s *source) {
	policies := policyList(s.properties["Policies"])
	if len(policies) == 0 {
		return
	}
	result := []any{}
	for _, policy := range policies {
		if t.policyKind(policy) != "template" {
			result = append(result, policy)
			continue
		}
		if intrinsic(policy) != "Fn::If" {
			result = append(result, t.policyTemplate(s.id, policy))
			continue
		}
		parts := slices.Clone(mapOf(policy)["Fn::If"].([]any))
		for i := 1; i < len(parts); i++ {
			if !isNoValue(parts[i]) {
				parts[i] = t.policyTemplate(s.id, parts[i])
			}
		}
		result = append(result, object{"Fn::If": parts})
	}
	s.properties["Policies"] = result
}

func (t *translator) policyTemplate(id string, policy any) any {
	m := mapOf(policy)
	if len(m) != 1 {
		return policy
	}
	name := sorted(m)[0]
	template := policyTemplates[name]
	if template == nil {
		return policy
	}
	given, ok := m[name].(object)
	if !ok {
		t.problems.resource(id, "Must specify valid parameter values for policy template '%s'", name)
		return policy
	}
	var missing []string
	for _, parameter := range template.parameters {
		if _, has := given[parameter]; !has {
			missing = append(missing, parameter)
		}
	}
	if len(missing) > 0 {
		t.problems.resource(id, "Following required parameters of template '%s' don't have values: %s", name, listed(missing))
		return policy
	}
	return object{"Statement": fill(copied(template.statements), given)}
}

// fill replaces Ref of parameters by their values. What the values hold is not looked into.
func fill(value any, given object) any {
	switch v := value.(type) {
	case object:
		if name, ok := v["Ref"].(string); ok && len(v) == 1 {
			if replacement, has := given[name]; has {
				return copied(replacement)
			}
			return v
		}
		for key, item := range v {
			v[key] = fill(item, given)
		}
	case []any:
		for i, item := range v {
			v[i] = fill(item, given)
		}
	}
	return value
}
