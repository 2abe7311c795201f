package transform

// eventMaker makes the resources of one event of a function.
type eventMaker struct {
	*functionMaker
	// event is the name of the event, logicalID that of what it becomes.
	event     string
	logicalID string
	body      object
	p         object
}

const sourceProperties = ` BatchSize:i StartingPosition StartingPositionTimestamp Enabled:b MaximumBatchingWindowInSeconds:i
	MaximumRetryAttempts:i BisectBatchOnFunctionError:b MaximumRecordAgeInSeconds:i DestinationConfig:m
	ParallelizationFactor:i Topics:l Queues:l SourceAccessConfigurations:l SecretsManagerKmsKeyId:s
	TumblingWindowInSeconds:i FunctionResponseTypes:l KafkaBootstrapServers:l FilterCriteria:m KmsKeyArn ConsumerGroupId:s
	ScalingConfig:m ProvisionedPollerConfig:m SchemaRegistryConfig:m MetricsConfig:m LoggingConfig:m`

const ruleProperties = `EventBusName:s RuleName:s Pattern:m DeadLetterConfig:m RetryPolicy:m Input:s InputPath:s Target:m
	Enabled:b State:s InputTransformer:m`

// eventProperties are the properties of events, by type, in the form of known.
var eventProperties = map[string]string{
	"Schedule": `Schedule:s! RuleName:s Input:s Enabled:b State:s Name:s Description:s DeadLetterConfig:m RetryPolicy:m`,
	"ScheduleV2": `PermissionsBoundary:s ScheduleExpression:s! FlexibleTimeWindow:m Name:s State:s Description:s StartDate:s
		EndDate:s ScheduleExpressionTimezone:s GroupName:s KmsKeyArn:s Input:s RoleArn:s DeadLetterConfig:m RetryPolicy:m
		OmitName:b#`,
	"CloudWatchEvent": ruleProperties,
	"EventBridgeRule": ruleProperties,
	"CloudWatchLogs":  `LogGroupName:s! FilterPattern:s!`,
	"S3":              `Bucket:s! Events:sS!# Filter:T`,
	"SNS":             `Topic:s! Region:s FilterPolicy FilterPolicyScope SqsSubscription:bm RedrivePolicy:m`,
	"Api": `Path:s! Method:s! RestApiId:s! Stage:s Auth:m RequestModel:m RequestParameters:l TimeoutInMillis:i
		ResponseTransferMode:s`,
	"HttpApi":    `Path:s Method:s ApiId:s Stage:s Auth:m TimeoutInMillis:i RouteSettings:m PayloadFormatVersion:s`,
	"AlexaSkill": `SkillId:s`,
	"IoTRule":    `Sql:s! AwsIotSqlVersion:s`,
	"Cognito":    `UserPool:s! Trigger:sS!#`,
	"Kinesis":    `Stream! StartingPosition!` + sourceProperties,
	"DynamoDB":   `Stream! StartingPosition!` + sourceProperties,
	"SQS":        `Queue!` + sourceProperties,
	"MSK":        `Stream! StartingPosition!` + sourceProperties,
	"MQ":         `Broker! DynamicPolicyName:b#` + sourceProperties,
	"DocumentDB": `Cluster! DatabaseName! CollectionName FullDocument` + sourceProperties,

	"SelfManagedKafka": sourceProperties,
}

// wrong notes what is wrong with the event.
func (e *eventMaker) wrong(format string, args ...any) {
	e.problems.event(e.id, e.event, format, args...)
}

func (e *eventMaker) make() {
	kind := textOf(e.body["Type"])
	table, known := eventProperties[kind]
	if !known {
		given := "None"
		if kind != "" {
			given = kind
		}
		e.wrong("Resource dict has missing or invalid value for key Type. Event Type is: %s.", given)
		return
	}
	if properties, has := e.body["Properties"]; has {
		m, ok := properties.(object)
		if !ok {
			e.problems.resource(e.logicalID, "Properties must be a map.")
			return
		}
		e.p = m
	} else {
		e.p = object{}
	}
	if !isLogicalID(e.logicalID) {
		e.wrong("Logical ids must be alphanumeric.")
		return
	}
	e.check(e.p, table, func(format string, args ...any) { e.problems.resource(e.logicalID, format, args...) }, kind)
	if e.seen[e.logicalID] || e.seen[e.id] {
		return
	}
	switch kind {
	case "Schedule", "CloudWatchEvent", "EventBridgeRule":
		e.rule(kind)
	case "ScheduleV2":
		e.schedule()
	case "CloudWatchLogs":
		e.logs()
	case "S3":
		e.bucket()
	case "SNS":
		e.topic()
	case "Api":
		e.restEvent()
	case "HttpApi":
		e.httpEvent()
	case "AlexaSkill":
		e.permission(permission{principal: "alexa-appkit.amazon.com", token: e.p["SkillId"]})
	case "IoTRule":
		e.topicRule()
	case "Cognito":
		e.userPool()
	default:
		e.mapping(kind)
	}
}

// own returns a resource of the event that has the attributes of the function.
func (e *eventMaker) own(suffix, kind string) *resource {
	return e.source.make(e.logicalID+suffix, kind)
}

// permission lets a service call the function.
type permission struct {
	principal      string
	arn, account   any
	token          any
	suffix, prefix string
}

func (e *eventMaker) permission(p permission) *resource {
	if p.prefix == "" {
		p.prefix = e.logicalID
	}
	id := p.prefix + "Permission"
	if isAlnum(p.suffix) {
		id += p.suffix
	} else {
		id = hashed(id, p.suffix)
	}
	made := e.add(e.source.make(id, "AWS::Lambda::Permission"))
	made.properties = object{
		"Action": "lambda:InvokeFunction", "FunctionName": e.name(), "Principal": p.principal, "SourceArn": p.arn,
		"SourceAccount": p.account, "EventSourceToken": p.token,
	}
	return made
}

// state reads the properties State and Enabled.
func (e *eventMaker) state() any {
	state, enabled := e.p["State"], e.p["Enabled"]
	if truthy(state) && enabled != nil {
		e.wrong("State and Enabled Properties cannot both be specified.")
	}
	if enabled != nil {
		if truthy(enabled) {
			return "ENABLED"
		}
		return "DISABLED"
	}
	if truthy(state) {
		return state
	}
	return nil
}

// rule makes a rule of EventBridge, of a schedule or of a pattern.
func (e *eventMaker) rule(kind string) {
	rule := e.own("", "AWS::Events::Rule")
	rule.properties = object{"State": e.state()}
	target := object{"Arn": e.arn(), "Id": targetID(e.logicalID)}
	if kind == "Schedule" {
		rule.properties["ScheduleExpression"] = e.p["Schedule"]
		rule.properties["Name"] = e.p["Name"]
		rule.properties["Description"] = e.p["Description"]
	} else {
		rule.properties["EventBusName"] = e.p["EventBusName"]
		rule.properties["EventPattern"] = e.p["Pattern"]
		rule.properties["Name"] = e.p["RuleName"]
		if id, has := mapOf(e.p["Target"])["Id"]; has && truthy(e.p["Target"]) {
			target["Id"] = id
		}
		copyTo(target, e.p, "InputPath", "InputTransformer")
	}
	copyTo(target, e.p, "Input", "RetryPolicy")
	e.add(rule)
	source := getAtt(rule.id, "Arn")
	if e.p["DeadLetterConfig"] != nil {
		target["DeadLetterConfig"] = object{"Arn": e.deadLetters(source)}
	}
	rule.properties["Targets"] = []any{target}
	e.permission(permission{principal: "events.amazonaws.com", arn: source})
}

// copyTo copies the members of from with these names.
func copyTo(to, from object, names ...string) {
	for _, name := range names {
		if from[name] != nil {
			to[name] = from[name]
		}
	}
}

// targetID is at most 64 characters long.
func targetID(id string) string {
	const suffix = "LambdaTarget"
	return id[:min(len(id), 64-len(suffix))] + suffix
}

// deadLetters returns the ARN of the queue for what could not be delivered. With rule it makes the queue's policy too.
func (e *eventMaker) deadLetters(rule any) any {
	config := mapOf(e.p["DeadLetterConfig"])
	arn, hasARN := config["Arn"]
	kind, hasType := config["Type"]
	invalid := func(text string) any {
		e.problems.event(e.id, e.logicalID, "%s", text)
		return nil
	}
	switch {
	case hasARN && hasType:
		return invalid("You can either define 'Arn' or 'Type' property of DeadLetterConfig.")
	case hasType && kind != "SQS":
		return invalid("The only valid value for 'Type' property of DeadLetterConfig is 'SQS'.")
	case !hasARN && !hasType:
		return invalid("No 'Arn' or 'Type' property provided for DeadLetterConfig.")
	}
	if arn != nil {
		return arn
	}
	id := e.logicalID + "Queue"
	if named := config["QueueLogicalId"]; named != nil {
		text, ok := named.(string)
		if !ok {
			return invalid("QueueLogicalId must be a string")
		}
		if text != "" {
			id = text
		}
	}
	queue := e.add(e.source.make(id, "AWS::SQS::Queue"))
	arn = getAtt(queue.id, "Arn")
	if rule == nil {
		return arn
	}
	policy := e.add(e.own("QueuePolicy", "AWS::SQS::QueuePolicy"))
	policy.properties = object{"Queues": []any{ref(queue.id)}, "PolicyDocument": queueDocument(
		object{"Service": "events.amazonaws.com"}, arn, rule,
	)}
	return arn
}

// queueDocument lets a principal send to a queue, for a source.
func queueDocument(principal, queue, source any) object {
	return object{"Version": "2012-10-17", "Statement": []any{object{
		"Action": "sqs:SendMessage", "Effect": "Allow", "Principal": principal, "Resource": queue,
		"Condition": object{"ArnEquals": object{"aws:SourceArn": source}},
	}}}
}

// schedule makes a schedule of EventBridge Scheduler and the role that it calls the function with.
func (e *eventMaker) schedule() {
	made := e.own("", "AWS::Scheduler::Schedule")
	copyTo(made.properties, e.p, "ScheduleExpression", "Description", "StartDate", "EndDate",
		"ScheduleExpressionTimezone", "GroupName", "KmsKeyArn")
	if truthy(e.p["State"]) {
		made.properties["State"] = e.p["State"]
	}
	switch {
	case !truthy(e.p["OmitName"]) && truthy(e.p["Name"]):
		made.properties["Name"] = e.p["Name"]
	case !truthy(e.p["OmitName"]):
		made.properties["Name"] = e.logicalID
	case truthy(e.p["Name"]):
		e.problems.event(e.id, e.logicalID, "Name cannot be set when OmitName is True")
	}
	made.properties["FlexibleTimeWindow"] = e.p["FlexibleTimeWindow"]
	if !truthy(e.p["FlexibleTimeWindow"]) {
		made.properties["FlexibleTimeWindow"] = object{"Mode": "OFF"}
	}
	e.add(made)
	target := object{"Arn": e.arn()}
	copyTo(target, e.p, "Input", "RetryPolicy")
	var letters any
	if e.p["DeadLetterConfig"] != nil {
		letters = e.deadLetters(nil)
		target["DeadLetterConfig"] = object{"Arn": letters}
	}
	target["RoleArn"] = e.p["RoleArn"]
	if !truthy(e.p["RoleArn"]) {
		role := e.add(e.own("Role", "AWS::IAM::Role"))
		policies := []any{destinationPolicy("Lambda", e.arn(), e.logicalID)}
		if letters != nil {
			policies = append(policies, destinationPolicy("SQS", letters, e.logicalID))
		}
		role.properties = object{"AssumeRolePolicyDocument": assumable("scheduler.amazonaws.com"), "Policies": policies}
		if truthy(e.p["PermissionsBoundary"]) {
			role.properties["PermissionsBoundary"] = e.p["PermissionsBoundary"]
		}
		target["RoleArn"] = getAtt(role.id, "Arn")
	}
	made.properties["Target"] = target
}

func (t *translator) serviceARN(service, resource string) string {
	return "arn:" + t.in.Partition + ":" + service + ":${AWS::Region}:${AWS::AccountId}:" + resource
}

// logs makes a subscription filter.
func (e *eventMaker) logs() {
	arn := sub(e.serviceARN("logs", "log-group:${__LogGroupName__}:*"), object{"__LogGroupName__": e.p["LogGroupName"]})
	permission := e.permission(permission{principal: "logs.amazonaws.com", arn: arn})
	filter := e.add(e.own("", "AWS::Logs::SubscriptionFilter"))
	filter.dependsOn = []any{permission.id}
	filter.properties = object{
		"LogGroupName": e.p["LogGroupName"], "FilterPattern": e.p["FilterPattern"], "DestinationArn": e.arn(),
	}
}

func (e *eventMaker) topicRule() {
	arn := sub(e.serviceARN("iot", "rule/${RuleName}"), object{"RuleName": ref(e.logicalID)})
	e.permission(permission{principal: "iot.amazonaws.com", arn: arn, account: sub("${AWS::AccountId}", nil)})
	payload := object{
		"Sql": e.p["Sql"], "RuleDisabled": false,
		"Actions": []any{object{"Lambda": object{"FunctionArn": e.arn()}}},
	}
	if truthy(e.p["AwsIotSqlVersion"]) {
		payload["AwsIotSqlVersion"] = e.p["AwsIotSqlVersion"]
	}
	e.add(e.own("", "AWS::IoT::TopicRule")).properties = object{"TopicRulePayload": payload}
}

// words returns the strings of a string or a list of strings.
func words(value any) []string {
	if text, ok := value.(string); ok {
		return []string{text}
	}
	var list []string
	items, _ := value.([]any)
	for _, item := range items {
		list = append(list, textOf(item))
	}
	return list
}
