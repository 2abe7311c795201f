package transform

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// url makes the URL of a function and, where all may call it, the permissions.
func (f *functionMaker) url(config object) {
	kind := config["AuthType"]
	function := intrinsic(config) != ""
	if !function && intrinsic(kind) == "" && kind != "AWS_IAM" && kind != "NONE" {
		f.fail("AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE.")
		return
	}
	if cors := config["Cors"]; !function && truthy(cors) && intrinsic(cors) == "" {
		f.checkURLCors(f.expectMap(cors, f.id, "FunctionUrlConfig.Cors"))
	}
	made := f.add(f.source.make(f.id+"Url", "AWS::Lambda::Url"))
	target := ref(f.id)
	if f.alias != nil {
		target = ref(f.alias.id)
	}
	made.properties = object{"AuthType": kind, "TargetFunctionArn": target, "InvokeMode": config["InvokeMode"]}
	if truthy(config["Cors"]) {
		made.properties["Cors"] = config["Cors"]
	}
	if kind != "NONE" || function {
		return
	}
	public := f.add(f.source.make(f.id+"UrlPublicPermissions", "AWS::Lambda::Permission"))
	public.properties = object{
		"Action": "lambda:InvokeFunctionUrl", "FunctionName": target, "Principal": "*", "FunctionUrlAuthType": kind,
	}
	invoke := f.add(f.source.make(f.id+"URLInvokeAllowPublicAccess", "AWS::Lambda::Permission"))
	invoke.properties = object{
		"Action": "lambda:InvokeFunction", "FunctionName": target, "Principal": "*", "InvokedViaFunctionUrl": true,
	}
}

var urlCors = map[string]string{
	"AllowOrigins": "list", "AllowMethods": "list", "AllowCredentials": "bool", "AllowHeaders": "list",
	"ExposeHeaders": "list", "MaxAge": "int",
}

func (f *functionMaker) checkURLCors(cors object) {
	for _, name := range sorted(cors) {
		kind, known := urlCors[name]
		if !known {
			f.fail("%s is not a valid property for configuring Cors.", name)
			return
		}
		ok := intrinsic(cors[name]) != ""
		switch cors[name].(type) {
		case []any:
			ok = ok || kind == "list"
		case bool:
			ok = ok || kind == "bool" || kind == "int"
		case json.Number:
			ok = ok || kind == "int"
		}
		if !ok {
			f.fail("%s must be of type %s.", name, kind)
			return
		}
	}
}

// invokeConfig says what becomes of asynchronous invocations. Queues and topics are made where none is named.
func (f *functionMaker) invokeConfig(config object) {
	resolved := mapOf(f.resolve(config))
	id := f.id + "EventInvokeConfig"
	destinations := object{}
	if given := resolved["DestinationConfig"]; truthy(given) {
		named := f.expectMap(given, f.id, "EventInvokeConfig.DestinationConfig")
		for _, name := range []string{"OnSuccess", "OnFailure"} {
			if named[name] == nil {
				continue
			}
			one := f.expectMap(named[name], f.id, "EventInvokeConfig.DestinationConfig."+name)
			if f.seen[f.id] {
				return
			}
			destinations[name] = object{"Destination": f.destination(one, id+name, id)}
		}
	}
	made := f.source.main("AWS::Lambda::EventInvokeConfig")
	made.id, made.dependsOn = id, nil
	qualifier := "$LATEST"
	if f.alias != nil {
		made.dependsOn = []any{f.alias.id}
		qualifier = textOf(f.alias.properties["Name"])
	}
	made.properties = object{
		"FunctionName": ref(f.id), "Qualifier": qualifier, "DestinationConfig": destinations,
		"MaximumEventAgeInSeconds": resolved["MaximumEventAgeInSeconds"],
		"MaximumRetryAttempts":     resolved["MaximumRetryAttempts"],
	}
	f.add(made)
}

func (f *functionMaker) destination(config object, prefix, configID string) any {
	kind := textOf(config["Type"])
	switch kind {
	case "SQS", "SNS", "EventBridge", "Lambda", "S3Bucket":
	default:
		given := "None"
		if config["Type"] != nil {
			given, _ = scalarText(config["Type"])
		}
		f.fail("'Type: %s' must be one of ['SQS', 'SNS', 'EventBridge', 'Lambda', 'S3Bucket']", given)
		return nil
	}
	arn := config["Destination"]
	condition, otherwise := f.destinationCondition(arn, configID)
	if arn != nil && condition == "" {
		f.destinations = append(f.destinations, destinationPolicy(kind, arn, prefix))
		return arn
	}
	var made *resource
	switch kind {
	case "SQS":
		made = f.source.make(prefix+"Queue", "AWS::SQS::Queue")
		arn = getAtt(made.id, "Arn")
	case "SNS":
		made = f.source.make(prefix+"Topic", "AWS::SNS::Topic")
		arn = ref(made.id)
	default:
		f.fail("Destination is required if Type is not ['SQS', 'SNS']")
		return nil
	}
	own := textOf(f.shared["Condition"])
	if condition != "" {
		arn = object{"Fn::If": []any{condition, arn, otherwise}}
		made.attributes["Condition"] = condition
		if own != "" {
			name := hashed(own+"AND"+condition, f.id)
			and := []any{object{"Condition": object{"Condition": own}}, object{"Condition": object{"Condition": condition}}}
			f.addCondition(name, object{"Fn::And": and})
			made.attributes["Condition"] = name
		}
	}
	f.add(made)
	f.destinations = append(f.destinations, destinationPolicy(kind, arn, prefix))
	return arn
}

// destinationCondition returns the condition under which a destination must be made, and what stands otherwise.
func (f *functionMaker) destinationCondition(arn any, id string) (condition string, otherwise any) {
	if intrinsic(arn) != "Fn::If" {
		return "", nil
	}
	name, then, other, ok := choice(arn)
	switch {
	case !ok:
		f.problems.resource(id, "Malformed 'Destination' property: Fn::If requires 3 arguments.")
	case isNoValue(then) && isNoValue(other):
	case isNoValue(then):
		return name, other
	case isNoValue(other):
		not := hashed("NOT"+name, id)
		f.addCondition(not, object{"Fn::Not": []any{object{"Condition": name}}})
		return not, then
	}
	return "", nil
}

func destinationPolicy(kind string, arn any, id string) object {
	one := func(name, action string) object {
		return object{"PolicyName": id + name, "PolicyDocument": object{"Statement": []any{
			object{"Action": action, "Effect": "Allow", "Resource": arn},
		}}}
	}
	switch kind {
	case "SQS":
		return one("SQSPolicy", "sqs:SendMessage")
	case "SNS":
		return one("SNSPolicy", "sns:publish")
	case "EventBridge":
		return one("EventBridgePolicy", "events:PutEvents")
	case "Lambda":
		return one("LambdaPolicy", "lambda:InvokeFunction")
	}
	within := object{"Fn::Join": []any{"/", []any{arn, "*"}}}
	return object{"PolicyName": id + "S3Policy", "PolicyDocument": object{"Statement": []any{
		object{"Action": "s3:PutObject", "Effect": "Allow", "Resource": within},
		object{"Action": "s3:ListBucket", "Effect": "Allow", "Resource": arn},
	}}}
}

var dynamicLocation = regexp.MustCompile(`{{resolve:(ssm|ssm-secure|secretsmanager):[a-zA-Z0-9_.\-/]+(:\d+)?}}`)

// location reads where code lies: s3://bucket/key?versionId=, or a map of Bucket, Key and Version.
func (t *translator) location(id string, value any, property string) object {
	bucket, key, version := any(nil), any(nil), any(nil)
	switch v := value.(type) {
	case object:
		if !truthy(v["Bucket"]) || !truthy(v["Key"]) {
			t.problems.resource(id, "'%s' requires Bucket and Key properties to be specified.", property)
		}
		bucket, key, version = v["Bucket"], v["Key"], v["Version"]
		if declared, has := v["Version"]; has && declared == nil {
			version = nil
		}
	case string:
		if strings.Contains(dynamicLocation.FindString(v), "/") {
			t.problems.resource(id, "Unsupported dynamic reference detected in '%s'. Please consider using alternative 'FunctionCode' object format.", property)
		}
		var ok bool
		if bucket, key, version, ok = parseLocation(v); !ok {
			t.problems.resource(id, "'%s' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.", property)
		}
	default:
		t.problems.resource(id, "'%s' must be of type dict or string.", property)
	}
	code := object{"S3Bucket": bucket, "S3Key": key}
	if version != nil {
		code["S3ObjectVersion"] = version
	}
	return code
}

func parseLocation(uri string) (bucket, key, version any, ok bool) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	if !ok {
		return nil, nil, nil, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	host, path, ok := strings.Cut(rest, "/")
	if !ok || host == "" || strings.ContainsAny(host, "[]") {
		return nil, nil, nil, false
	}
	if values, err := url.ParseQuery(query); err == nil && len(values["versionId"]) == 1 {
		version = values["versionId"][0]
	}
	return host, strings.TrimLeft(path, "/"), version, true
}
