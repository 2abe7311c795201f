package transform

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

const jsonTen = json.Number("10")

// mappingCopies are the properties that an event source mapping has as they are.
var mappingCopies = []string{
	"StartingPosition", "StartingPositionTimestamp", "BatchSize", "Enabled", "MaximumBatchingWindowInSeconds",
	"MaximumRetryAttempts", "BisectBatchOnFunctionError", "MaximumRecordAgeInSeconds", "ParallelizationFactor", "Topics",
	"Queues", "SourceAccessConfigurations", "TumblingWindowInSeconds", "FunctionResponseTypes", "FilterCriteria",
	"KmsKeyArn", "ScalingConfig", "ProvisionedPollerConfig", "MetricsConfig", "LoggingConfig",
}

// sourceOf names the property with the ARN of the source, and the managed policy that the function needs to read it.
var sourceOf = map[string]struct{ property, policy string }{
	"Kinesis":    {"Stream", "AWSLambdaKinesisExecutionRole"},
	"DynamoDB":   {"Stream", "AWSLambdaDynamoDBExecutionRole"},
	"SQS":        {"Queue", "AWSLambdaSQSQueueExecutionRole"},
	"MSK":        {"Stream", "AWSLambdaMSKExecutionRole"},
	"MQ":         {"Broker", ""},
	"DocumentDB": {"Cluster", ""},
}

// mapping makes an event source mapping, and lets the role of the function read the source.
func (e *eventMaker) mapping(kind string) {
	made := e.add(e.own("", "AWS::Lambda::EventSourceMapping"))
	copyTo(made.properties, e.p, mappingCopies...)
	made.properties["FunctionName"] = e.name()
	made.properties["EventSourceArn"] = e.p[sourceOf[kind].property]
	if criteria := mapOf(e.p["FilterCriteria"]); len(criteria) > 0 && intrinsic(criteria) == "" {
		if _, has := criteria["Filters"]; !has || len(criteria) != 1 {
			e.wrong("FilterCriteria field has a wrong format")
		}
	}
	if servers := e.p["KafkaBootstrapServers"]; truthy(servers) {
		made.properties["SelfManagedEventSource"] = object{"Endpoints": object{"KafkaBootstrapServers": servers}}
	}
	e.kafka(kind, made)
	policy := e.failureDestination(made)
	if kind == "DocumentDB" {
		config := object{"DatabaseName": e.p["DatabaseName"]}
		for _, name := range []string{"CollectionName", "FullDocument"} {
			if truthy(e.p[name]) {
				config[name] = e.p[name]
			}
		}
		made.properties["DocumentDBEventSourceConfig"] = config
	}
	e.allowReading(kind, policy)
}

// kafka adds what only the two kinds of Kafka have.
func (e *eventMaker) kafka(kind string, made *resource) {
	group, registry := e.p["ConsumerGroupId"], e.p["SchemaRegistryConfig"]
	property := map[string]string{
		"MSK": "AmazonManagedKafkaEventSourceConfig", "SelfManagedKafka": "SelfManagedKafkaEventSourceConfig",
	}[kind]
	if property == "" {
		if truthy(group) {
			e.problems.event(e.id, e.logicalID, "Property ConsumerGroupId not defined for resource of type %s.", kind)
		}
		return
	}
	config := object{}
	if truthy(group) {
		config["ConsumerGroupId"] = group
	}
	if truthy(registry) {
		config["SchemaRegistryConfig"] = registry
	}
	if len(config) > 0 {
		made.properties[property] = config
	}
}

// failureDestination sets the destination of batches that failed, and returns the policy that it needs.
func (e *eventMaker) failureDestination(made *resource) object {
	config := e.p["DestinationConfig"]
	if !truthy(config) {
		return nil
	}
	failed, ok := mapOf(config)["OnFailure"].(object)
	if !ok {
		e.problems.event(e.id, e.logicalID, "Property 'DestinationConfig.OnFailure' should be a map.")
		return nil
	}
	kind := failed["Type"]
	made.properties["DestinationConfig"] = config
	if !truthy(kind) {
		return nil
	}
	delete(failed, "Type")
	switch kind {
	case "SQS", "SNS":
		return destinationPolicy(kind.(string), failed["Destination"], e.logicalID)
	case "S3":
		return destinationPolicy("S3Bucket", failed["Destination"], e.logicalID)
	case "Kafka":
		return nil
	}
	e.problems.event(e.id, e.logicalID, "The only valid values for 'Type' are 'SQS', 'SNS', 'S3', and 'Kafka'")
	return nil
}

func (e *eventMaker) allowReading(kind string, destination object) {
	role := e.role
	if name := sourceOf[kind].policy; name != "" {
		managed, _ := role.properties["ManagedPolicyArns"].([]any)
		if arn := e.managedPolicy("service-role/" + name); !has(managed, arn) {
			role.properties["ManagedPolicyArns"] = append(managed, arn)
		}
	}
	var policy object
	switch kind {
	case "MSK":
		policy = e.mskPolicy()
	case "MQ":
		policy = e.brokerPolicy()
	case "DocumentDB":
		policy = e.documentPolicy()
	case "SelfManagedKafka":
		policy = e.selfManagedPolicy()
	}
	for _, added := range []object{policy, destination} {
		if added == nil {
			continue
		}
		inline, _ := role.properties["Policies"].([]any)
		known := slices.ContainsFunc(inline, func(item any) bool {
			return same(mapOf(item)["PolicyDocument"], added["PolicyDocument"])
		})
		if !known {
			role.properties["Policies"] = append(inline, added)
		}
	}
}

func allow(resource any, actions ...any) object {
	return object{"Action": actions, "Effect": "Allow", "Resource": resource}
}

func readSecret(uri any) object { return allow(uri, "secretsmanager:GetSecretValue") }

const ownARN = ":${AWS::Region}:${AWS::AccountId}:"

func (e *eventMaker) decrypt() []any {
	key := e.p["SecretsManagerKmsKeyId"]
	if !truthy(key) {
		return nil
	}
	id, ok := key.(string)
	if !ok {
		e.wrong("Property 'SecretsManagerKmsKeyId' should be a string.")
	}
	return []any{allow(sub("arn:${AWS::Partition}:kms"+ownARN+"key/"+id, nil), "kms:Decrypt")}
}

func (e *eventMaker) mskPolicy() object {
	list := e.registryStatements()
	accesses, _ := e.p["SourceAccessConfigurations"].([]any)
	for _, item := range accesses {
		access := mapOf(item)
		if access["Type"] == "CLIENT_CERTIFICATE_TLS_AUTH" && truthy(access["URI"]) {
			list = append(list, readSecret(access["URI"]))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return object{"PolicyName": "MSKExecutionRolePolicy", "PolicyDocument": object{"Statement": list}}
}

// basicAuth returns the secret among the access configurations.
func (e *eventMaker) basicAuth(kind string, supported ...string) any {
	list, _ := e.p["SourceAccessConfigurations"].([]any)
	if len(list) == 0 {
		e.wrong("No SourceAccessConfigurations for Amazon %s event provided.", kind)
		return nil
	}
	var secret any
	for i, item := range list {
		access, ok := item.(object)
		if !ok {
			e.wrong("Property 'SourceAccessConfigurations[%d]' should be a map.", i)
			return nil
		}
		named, ok := access["Type"].(string)
		if !ok {
			e.wrong("Property 'SourceAccessConfigurations[%d].Type' should be a string.", i)
			return nil
		}
		switch {
		case !slices.Contains(supported, named):
			e.wrong("Invalid property Type specified in SourceAccessConfigurations. The supported values are: %s.", listed(supported))
			return nil
		case named != "BASIC_AUTH":
		case secret != nil:
			e.wrong("Multiple BASIC_AUTH properties specified in SourceAccessConfigurations.")
			return nil
		case !truthy(access["URI"]):
			e.wrong("No BASIC_AUTH URI property specified in SourceAccessConfigurations.")
			return nil
		default:
			secret = access["URI"]
		}
	}
	if secret == nil {
		e.wrong("No BASIC_AUTH property specified in SourceAccessConfigurations.")
	}
	return secret
}

func (e *eventMaker) brokerPolicy() object {
	secret := e.basicAuth("MQ", "BASIC_AUTH", "VIRTUAL_HOST")
	list := []any{readSecret(secret), allow(e.p["Broker"], "mq:DescribeBroker")}
	for _, statement := range e.decrypt() {
		mapOf(statement)["Action"] = "kms:Decrypt"
		list = append(list, statement)
	}
	name := "SamAutoGeneratedAMQPolicy"
	if truthy(e.p["DynamicPolicyName"]) {
		name = e.logicalID + "AMQPolicy"
	}
	return object{"PolicyName": name, "PolicyDocument": object{"Statement": list}}
}

// network lets the function make its network interfaces.
func network() object {
	return allow("*", "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface",
		"ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups")
}

func (e *eventMaker) documentPolicy() object {
	secret := e.basicAuth("DocumentDB", "BASIC_AUTH")
	within := func(resource string) object { return sub("arn:${AWS::Partition}:rds"+ownARN+resource, nil) }
	list := []any{
		readSecret(secret),
		allow(within("cluster-pg:*"), "rds:DescribeDBClusterParameters"),
		allow(within("subgrp:*"), "rds:DescribeDBSubnetGroups"),
		allow(e.p["Cluster"], "rds:DescribeDBClusters"),
		network(),
	}
	list = append(list, e.decrypt()...)
	return object{"PolicyName": "SamAutoGeneratedDocumentDBPolicy", "PolicyDocument": object{"Statement": list}}
}

func (e *eventMaker) selfManagedPolicy() object {
	const kafka = " for self managed kafka event"
	topics, literal := e.p["Topics"].([]any)
	switch {
	case !truthy(e.p["KafkaBootstrapServers"]):
		e.wrong("No KafkaBootstrapServers provided for self managed kafka as an event source")
	case !truthy(e.p["Topics"]):
		e.wrong("No Topics provided for self managed kafka as an event source")
	case literal && len(topics) != 1:
		e.wrong("Topics for self managed kafka only supports single configuration entry.")
	case !truthy(e.p["SourceAccessConfigurations"]):
		e.wrong("No SourceAccessConfigurations" + kafka + " provided.")
	}
	accesses, ok := e.p["SourceAccessConfigurations"].([]any)
	if !ok {
		e.wrong("SourceAccessConfigurations" + kafka + " should be a list.")
	}
	var list []any
	var secret any
	root, subnet, group := false, false, false
	for _, item := range accesses {
		access, ok := item.(object)
		if !ok {
			e.problems.resource(e.event, "Property 'SourceAccessConfigurations' should be a map.")
			return nil
		}
		name := textOf(access["Type"])
		shown := name
		switch name {
		case "VPC_SUBNET":
			subnet = true
		case "VPC_SECURITY_GROUP":
			group = true
		case "SERVER_ROOT_CA_CERTIFICATE":
			root = true
		case "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH", "BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH":
			shown = "auth mechanism"
			if secret != nil {
				e.wrong("Multiple auth mechanism properties specified in SourceAccessConfigurations" + kafka + ".")
			}
			secret = access["URI"]
		default:
			e.wrong("Invalid SourceAccessConfigurations Type provided" + kafka + ".")
		}
		if _, isText := access["URI"].(string); !truthy(access["URI"]) {
			e.wrong("No %s URI property specified in SourceAccessConfigurations"+kafka+".", shown)
		} else if !isText && intrinsic(access["URI"]) == "" {
			e.wrong("Wrong Type for %s URI property specified in SourceAccessConfigurations"+kafka+".", shown)
		}
	}
	if subnet != group {
		e.wrong("VPC_SUBNET and VPC_SECURITY_GROUP in SourceAccessConfigurations for SelfManagedKafka must be both provided.")
	}
	if truthy(secret) {
		list = append(list, readSecret(secret))
	}
	if root {
		list = append(list, readSecret(secret))
	}
	if subnet {
		list = append(list, network())
	}
	list = append(list, e.decrypt()...)
	list = append(list, e.registryStatements()...)
	return object{"PolicyName": "SelfManagedKafkaExecutionRolePolicy", "PolicyDocument": object{
		"Version": "2012-10-17", "Statement": nonNil(list),
	}}
}

// registryStatements let the function read the schemas of its records.
func (e *eventMaker) registryStatements() []any {
	config := mapOf(e.p["SchemaRegistryConfig"])
	if len(config) == 0 {
		return nil
	}
	for _, name := range []string{"SchemaRegistryURI", "EventRecordFormat", "SchemaValidationConfigs"} {
		if _, has := config[name]; !has {
			e.wrong("Missing required field %s in SchemaRegistryConfig", name)
			return nil
		}
	}
	if format := config["EventRecordFormat"]; format != "JSON" && format != "SOURCE" {
		e.wrong("EventRecordFormat in SchemaRegistryConfig must be either 'JSON' or 'SOURCE'")
	}
	if _, ok := config["SchemaValidationConfigs"].([]any); !ok {
		e.wrong("SchemaValidationConfigs must be a list")
	}
	accesses, ok := config["AccessConfigs"].([]any)
	if !ok && truthy(config["AccessConfigs"]) {
		e.wrong("AccessConfigs in SchemaRegistryConfig must be a list")
	}
	var list []any
	for _, item := range accesses {
		access := mapOf(item)
		if access["Type"] == nil || access["URI"] == nil {
			e.wrong("Each AccessConfig must be a dict with 'Type' and 'URI' fields")
			return nil
		}
		list = append(list, readSecret(access["URI"]))
	}
	uri := config["SchemaRegistryURI"]
	text, ok := uri.(string)
	if !ok {
		// As in SAM, parameters within a function stay resolved.
		text = textOf(mapOf(e.resolve(maps.Clone(mapOf(uri))))["Fn::Sub"])
	}
	parts := strings.Split(text, ":")
	if name, ok := strings.CutPrefix(parts[min(5, len(parts)-1)], "registry/"); ok && len(parts) >= 6 && strings.HasPrefix(text, "arn") {
		list = append(list, allow(uri, "glue:GetRegistry"),
			allow([]any{sub("arn:${AWS::Partition}:glue"+ownARN+"schema/"+name+"/*", nil)}, "glue:GetSchemaVersion"))
	}
	return list
}
