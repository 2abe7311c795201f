package transform

import "slices"

// inTemplate returns the resource of the template that an event names by Ref.
func (e *eventMaker) inTemplate(value any, message string) (string, object) {
	id, ok := mapOf(value)["Ref"].(string)
	body := mapOf(e.resources[id])
	if !ok || body == nil {
		e.wrong("%s", message)
		return "", nil
	}
	return id, body
}

// putBack puts a resource of the template, as an event has changed it, into the result.
func (e *eventMaker) putBack(id string, body object) {
	e.output[id] = copied(body)
}

// bucket notifies the function of what happens in a bucket of the template.
func (e *eventMaker) bucket() {
	id, body := e.inTemplate(e.p["Bucket"], "S3 events must reference an S3 bucket in the same template.")
	if body == nil {
		return
	}
	properties, ok := body["Properties"].(object)
	if !ok {
		if body["Properties"] != nil {
			e.problems.resource(id, "Properties should be a map.")
			return
		}
		properties = object{}
		body["Properties"] = properties
	}
	if !dependable(body) {
		e.problems.resource(e.logicalID, "Invalid type for field 'DependsOn'. Expected a string or list of strings.")
		return
	}
	permission := e.permission(permission{principal: "s3.amazonaws.com", account: ref("AWS::AccountId")})
	condition := textOf(e.shared["Condition"])
	if condition == "" {
		depends := words(body["DependsOn"])
		if !slices.Contains(depends, permission.id) {
			depends = append(depends, permission.id)
		}
		list := []any{}
		for _, name := range depends {
			list = append(list, name)
		}
		body["DependsOn"] = list
	} else {
		// What may not be there cannot be depended on. A tag that refers to it puts the bucket after it.
		list, ok := properties["Tags"].([]any)
		if !ok && properties["Tags"] != nil {
			e.problems.resource(id, "Property 'Tags' should be a list.")
			return
		}
		properties["Tags"] = append(slices.Clone(list), object{
			"Key":   "sam:ConditionalDependsOn:" + permission.id,
			"Value": object{"Fn::If": []any{condition, ref(permission.id), "no dependency"}},
		})
	}
	e.notify(id, properties, condition)
	e.putBack(id, body)
}

// dependable says whether DependsOn of a resource is what it can be.
func dependable(body object) bool {
	value, has := body["DependsOn"]
	return !has || fits(value, "sS")
}

func (e *eventMaker) notify(id string, properties object, condition string) {
	config, ok := properties["NotificationConfiguration"].(object)
	if !ok {
		if properties["NotificationConfiguration"] != nil {
			e.problems.resource(id, "Property 'NotificationConfiguration' should be a map.")
			return
		}
		config = object{}
		properties["NotificationConfiguration"] = config
	}
	list, ok := config["LambdaConfigurations"].([]any)
	if !ok && config["LambdaConfigurations"] != nil {
		e.problems.resource(id, "Invalid type for LambdaConfigurations. Must be a list.")
		return
	}
	list = slices.Clone(list)
	for _, name := range words(e.p["Events"]) {
		entry := object{"Function": e.arn(), "Event": name}
		copyTo(entry, e.p, "Filter")
		if condition != "" {
			entry = conditional(condition, entry)
		}
		if !has(list, entry) {
			list = append(list, entry)
		}
	}
	config["LambdaConfigurations"] = nonNil(list)
}

// userPool makes the function a trigger of a user pool of the template.
func (e *eventMaker) userPool() {
	id, body := e.inTemplate(e.p["UserPool"], "Cognito events must reference a Cognito UserPool in the same template.")
	if body == nil {
		return
	}
	e.permission(permission{
		principal: "cognito-idp.amazonaws.com", arn: getAtt(id, "Arn"), prefix: e.target() + "Cognito",
	})
	properties, _ := body["Properties"].(object)
	if properties == nil {
		properties = object{}
		body["Properties"] = properties
	}
	config, ok := properties["LambdaConfig"].(object)
	if !ok {
		if properties["LambdaConfig"] != nil {
			e.problems.resource(id, "Property 'LambdaConfig' should be a map.")
			return
		}
		config = object{}
		properties["LambdaConfig"] = config
	}
	for _, trigger := range words(e.p["Trigger"]) {
		if _, taken := config[trigger]; taken {
			e.wrong("Cognito trigger \"%s\" defined multiple times.", trigger)
			return
		}
		config[trigger] = e.arn()
	}
	e.putBack(id, body)
}

// topic subscribes the function to a topic, or a queue that the function reads.
func (e *eventMaker) topic() {
	through := e.p["SqsSubscription"]
	if !truthy(through) {
		e.subscribe("lambda", e.arn())
		e.permission(permission{principal: "sns.amazonaws.com", arn: e.p["Topic"]})
		return
	}
	policyID := e.logicalID + "QueuePolicy"
	var arn, address, batch any
	if _, ok := through.(bool); ok {
		queue := e.add(e.own("Queue", "AWS::SQS::Queue"))
		topic := mapOf(mapOf(e.resources[referred(e.p["Topic"])])["Properties"])
		if fifo := e.resolve(copied(topic["FifoTopic"])); truthy(fifo) {
			queue.properties["FifoQueue"] = fifo
		}
		arn, address = getAtt(queue.id, "Arn"), ref(queue.id)
	} else {
		config, ok := through.(object)
		if !ok {
			e.wrong("Property 'SqsSubscription' should be a map.")
			return
		}
		arn, address, batch = config["QueueArn"], config["QueueUrl"], config["BatchSize"]
		if !truthy(arn) || !truthy(address) {
			e.wrong("No QueueARN or QueueURL provided.")
			return
		}
		if id := textOf(config["QueuePolicyLogicalId"]); id != "" {
			policyID = id
		}
	}
	if !truthy(batch) {
		batch = jsonTen
	}
	policy := e.add(e.source.make(policyID, "AWS::SQS::QueuePolicy"))
	policy.properties = object{"Queues": []any{address}, "PolicyDocument": queueDocument("*", arn, e.p["Topic"])}
	e.subscribe("sqs", arn)
	inner := &eventMaker{
		functionMaker: e.functionMaker, event: e.event, logicalID: e.logicalID + "EventSourceMapping",
		p: object{"Queue": arn, "BatchSize": batch, "Enabled": true},
	}
	inner.mapping("SQS")
}

func (e *eventMaker) subscribe(protocol string, endpoint any) {
	made := e.add(e.own("", "AWS::SNS::Subscription"))
	made.properties = object{"Protocol": protocol, "Endpoint": endpoint, "TopicArn": e.p["Topic"]}
	copyTo(made.properties, e.p, "Region", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy")
}
