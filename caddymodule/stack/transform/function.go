package transform

import (
	"regexp"
	"slices"
	"sort"
)

// functionMaker makes the resources of an AWS::Serverless::Function.
type functionMaker struct {
	*translator
	*source
	function *resource
	alias    *resource
	role     *resource
	made     []*resource
	// policies are the inline policies that its destinations need.
	destinations []any
}

// fail notes what is wrong with the function.
func (f *functionMaker) fail(format string, args ...any) {
	f.problems.resource(f.id, format, args...)
}

func (f *functionMaker) add(r *resource) *resource {
	f.made = append(f.made, r)
	return r
}

// copies are the properties that a function of Lambda has as they are.
var copies = []string{
	"FunctionName", "Handler", "Runtime", "Description", "MemorySize", "Timeout", "VpcConfig", "Role", "Environment",
	"KmsKeyArn", "ReservedConcurrentExecutions", "Layers", "FileSystemConfigs", "ImageConfig", "PackageType",
	"Architectures", "SnapStart", "EphemeralStorage", "CodeSigningConfigArn", "RuntimeManagementConfig", "LoggingConfig",
	"TenancyConfig", "RecursiveLoop", "DurableConfig", "PublishToLatestPublished",
}

func (f *functionMaker) make() []*resource {
	p := f.properties
	for _, name := range []string{"DeploymentPreference", "CapacityProviderConfig", "FunctionScalingConfig"} {
		if truthy(p[name]) && !f.disabled(name) {
			f.fail("The property %s is not supported here.", name)
			return nil
		}
	}
	f.checkDeadLetterQueue()
	f.checkTenancy()
	f.construct()
	if p["ProvisionedConcurrencyConfig"] != nil && !truthy(p["AutoPublishAlias"]) {
		f.fail("To set ProvisionedConcurrencyConfig AutoPublishALias must be defined on the function")
	}
	if p["VersionDeletionPolicy"] != nil && p["AutoPublishAlias"] == nil {
		f.fail("'VersionDeletionPolicy' requires 'AutoPublishAlias'.")
	}
	if f.seen[f.id] {
		return nil
	}
	if truthy(p["AutoPublishAlias"]) {
		f.publish()
	}
	if config := mapOf(p["FunctionUrlConfig"]); len(config) > 0 {
		f.url(config)
	}
	if config := mapOf(p["EventInvokeConfig"]); len(config) > 0 {
		f.invokeConfig(config)
	}
	f.constructRole()
	f.events()
	if isTrue(p["PropagateTags"]) && truthy(p["Tags"]) {
		f.propagate()
	}
	return f.made
}

// disabled says that a deployment preference is switched off: then it changes nothing.
func (f *functionMaker) disabled(name string) bool {
	preference := mapOf(f.properties[name])
	if name != "DeploymentPreference" || len(preference) == 0 {
		return false
	}
	switch f.resolve(preference["Enabled"]) {
	case false, "false", "False":
		return true
	}
	return false
}

// propagated are the types that take the tags of a function.
var propagated = []string{
	"AWS::Lambda::Function", "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::IoT::TopicRule",
	"AWS::S3::Bucket",
}

func (f *functionMaker) propagate() {
	for _, r := range f.made {
		if slices.Contains(propagated, r.kind) {
			r.properties["Tags"] = tags(f.properties["Tags"])
		}
	}
}

func (f *functionMaker) checkDeadLetterQueue() {
	queue := mapOf(f.properties["DeadLetterQueue"])
	if len(queue) == 0 {
		return
	}
	if !truthy(queue["Type"]) || !truthy(queue["TargetArn"]) {
		f.fail("'DeadLetterQueue' requires Type and TargetArn properties to be specified.")
	} else if kind, ok := queue["Type"].(string); !ok {
		f.fail("Property 'DeadLetterQueue.Type' should be a string.")
	} else if kind != "SQS" && kind != "SNS" {
		f.fail("'DeadLetterQueue' requires Type of ['SQS', 'SNS']")
	}
}

func (f *functionMaker) checkTenancy() {
	p := f.properties
	if !truthy(p["TenancyConfig"]) {
		return
	}
	const unsupported = " is not supported for functions enabled with tenancy configuration."
	switch {
	case truthy(p["ProvisionedConcurrencyConfig"]):
		f.fail("Provisioned concurrency" + unsupported)
	case truthy(p["FunctionUrlConfig"]):
		f.fail("Function URL" + unsupported)
	case truthy(p["SnapStart"]):
		f.fail("SnapStart" + unsupported)
	}
	events := mapOf(p["Events"])
	for _, id := range sorted(events) {
		if kind := mapOf(events[id])["Type"]; kind != "Api" && kind != "HttpApi" {
			f.fail("Event source '%v' is not supported for functions enabled with tenancy configuration. Only Api and HttpApi event sources are supported.", kind)
		}
	}
}

func (f *functionMaker) construct() {
	p := f.properties
	f.function = f.add(f.main("AWS::Lambda::Function"))
	for _, name := range copies {
		f.function.properties[name] = p[name]
	}
	if !truthy(p["FunctionName"]) {
		f.function.properties["FunctionName"] = nil
	}
	f.function.properties["Code"] = f.code()
	f.function.properties["Tags"] = f.tagList(p["Tags"], nil)
	if f.traced() {
		f.function.properties["TracingConfig"] = object{"Mode": p["Tracing"]}
	}
	if queue := mapOf(p["DeadLetterQueue"]); len(queue) > 0 {
		f.function.properties["DeadLetterConfig"] = object{"TargetArn": queue["TargetArn"]}
	}
	f.checkPackage()
}

func (f *functionMaker) traced() bool {
	tracing := f.properties["Tracing"]
	return truthy(tracing) && f.resolve(tracing) != "Disabled"
}

// reservedTags are those that SAM sets itself.
var reservedTags = []string{"lambda:createdBy", "serverlessrepo:applicationId", "serverlessrepo:semanticVersion"}

func (t *translator) checkTags(id string, of any) {
	for _, reserved := range reservedTags {
		if _, has := mapOf(of)[reserved]; has {
			t.problems.resource(id, "%s is a reserved Tag key name and cannot be set on your resource. Please change the tag key in the input.", reserved)
		}
	}
}

func (f *functionMaker) tagList(of any, more object) []any {
	f.checkTags(f.id, of)
	return slices.Concat([]any{object{"Key": "lambda:createdBy", "Value": "SAM"}}, tags(more), tags(of))
}

func (f *functionMaker) code() object {
	p := f.properties
	packaged := p["PackageType"]
	if !truthy(packaged) {
		packaged = "Zip"
	}
	code := object{}
	switch {
	case packaged == "Image":
		if p["ImageUri"] == nil {
			f.fail("'ImageUri' must be set.")
		} else if !truthy(p["ImageUri"]) {
			f.fail("'ImageUri' requires that a image hosted at a registry be specified.")
		}
		return object{"ImageUri": p["ImageUri"]}
	case packaged != "Zip":
		f.fail("invalid 'PackageType' : %v", packaged)
	case p["InlineCode"] != nil:
		code = object{"ZipFile": p["InlineCode"]}
	case p["CodeUri"] != nil:
		code = f.location(f.id, p["CodeUri"], "CodeUri")
	default:
		f.fail("Only one of 'InlineCode' or 'CodeUri' can be set.")
	}
	if truthy(p["SourceKMSKeyArn"]) {
		code["SourceKMSKeyArn"] = p["SourceKMSKeyArn"]
	}
	return code
}

func (f *functionMaker) checkPackage() {
	p := f.properties
	if p["PackageType"] == "Image" {
		if truthy(p["Handler"]) || truthy(p["Runtime"]) || truthy(p["Layers"]) {
			f.fail("Runtime, Handler, Layers cannot be present when PackageType is of type `Image`")
		}
		return
	}
	if !truthy(p["Handler"]) || !truthy(p["Runtime"]) {
		f.fail("Runtime and Handler needs to be present when PackageType is of type `Zip`")
	}
	if truthy(p["ImageConfig"]) {
		f.fail("ImageUri or ImageConfig cannot be present when PackageType is of type `Zip`")
	}
}

// name and arn are how others refer to what is called: the alias when there is one.
func (f *functionMaker) arn() object {
	if f.alias != nil {
		return ref(f.alias.id)
	}
	return getAtt(f.id, "Arn")
}

func (f *functionMaker) name() object {
	if f.alias != nil {
		return ref(f.alias.id)
	}
	return ref(f.id)
}

// target is the logical id of what events call.
func (f *functionMaker) target() string {
	if f.alias != nil {
		return f.alias.id
	}
	return f.id
}

var aliasName = regexp.MustCompile(`^[a-zA-Z0-9\-_]+$`)
var onlyDigits = regexp.MustCompile(`^[0-9]+$`)

// publish makes a version whose logical id changes with the code, and the alias that follows it.
func (f *functionMaker) publish() {
	p := f.properties
	name, ok := f.resolve(p["AutoPublishAlias"]).(string)
	if !ok {
		f.fail("'AutoPublishAlias' must be a string or a Ref to a template parameter")
		return
	}
	sha := ""
	if truthy(p["AutoPublishCodeSha256"]) {
		if sha, ok = f.resolve(p["AutoPublishCodeSha256"]).(string); !ok {
			f.fail("AutoPublishCodeSha256 must be a string")
			return
		}
		f.function.properties["Description"] = describe(f.resolve(p["Description"]), sha)
	}
	version := f.version(sha)
	if name == "" {
		f.fail("Alias name is required to create an alias")
	} else if !aliasName.MatchString(name) || onlyDigits.MatchString(name) {
		f.fail("AutoPublishAlias name ('%s') must contain only alphanumeric characters, hyphens, or underscores matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern.", name)
	}
	f.alias = f.source.make(f.id+"Alias"+aliasID(name), "AWS::Lambda::Alias")
	f.alias.properties = object{
		"Name": name, "FunctionName": ref(f.id), "FunctionVersion": getAtt(version.id, "Version"),
	}
	if truthy(p["ProvisionedConcurrencyConfig"]) {
		f.alias.properties["ProvisionedConcurrencyConfig"] = p["ProvisionedConcurrencyConfig"]
	}
	f.add(version)
	f.add(f.alias)
}

func aliasID(name string) string {
	id := []byte(name)
	for i, c := range id {
		switch c {
		case '-':
			id[i] = 'D'
		case '_':
			id[i] = 'U'
		}
	}
	return string(id)
}

// describe puts the hash of the code into the description, so that new code changes the function.
func describe(description any, sha string) any {
	if !truthy(description) {
		return sha
	}
	if text, ok := description.(string); ok {
		return text + " " + sha
	}
	return object{"Fn::Join": []any{" ", []any{description, sha}}}
}

func (f *functionMaker) version(sha string) *resource {
	code := mapOf(f.resolve(f.function.properties["Code"]))
	seed := object{}
	if isTrue(f.properties["AutoPublishAliasAllProperties"]) {
		for name, value := range f.function.properties {
			if value != nil {
				seed[name] = value
			}
		}
		layers, _ := f.function.properties["Layers"].([]any)
		for _, layer := range layers {
			properties := mapOf(mapOf(f.output[referred(layer)])["Properties"])
			if truthy(properties["PublishLambdaVersion"]) {
				seed[referred(layer)] = properties
			}
		}
	} else {
		for name, value := range code {
			seed[name] = value
		}
		for name, value := range mapOf(f.function.properties["Environment"]) {
			seed[name] = value
		}
		if size := f.function.properties["MemorySize"]; truthy(size) {
			seed["MemorySize"] = size
		}
		if snap := mapOf(f.function.properties["SnapStart"]); snap["ApplyOn"] != nil && snap["ApplyOn"] != "None" {
			seed["SnapStart"] = snap
		}
	}
	prefix := f.id + "Version"
	id := hashed(prefix, seed)
	if sha != "" {
		id = prefix + sha[:min(10, len(sha))]
	}
	version := f.source.make(id, "AWS::Lambda::Version")
	if _, has := version.attributes["DeletionPolicy"]; !has {
		version.attributes["DeletionPolicy"] = "Retain"
		if policy := f.properties["VersionDeletionPolicy"]; policy != nil {
			version.attributes["DeletionPolicy"] = policy
		}
	}
	version.properties = object{"FunctionName": ref(f.id), "Description": f.properties["VersionDescription"]}
	return version
}

// events makes the resources of the events, those of $default before those of paths.
func (f *functionMaker) events() {
	events, ok := f.properties["Events"].(object)
	if !ok {
		return
	}
	ids := sorted(events)
	key := func(id string) string {
		if path, ok := mapOf(mapOf(events[id])["Properties"])["Path"].(string); ok {
			return path
		}
		return id
	}
	sort.SliceStable(ids, func(i, j int) bool { return key(ids[i]) < key(ids[j]) })
	for _, id := range ids {
		(&eventMaker{functionMaker: f, event: id, body: mapOf(events[id]), logicalID: f.id + id}).make()
	}
}
