package access

import (
	"slices"
	"strings"
)

// data are the needs of services that are passed through.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
func (a *Authority) data(service, operation string, in *Input) (needs []Need) {
	// A batch takes the action of one of its entries.
	action := service + ":" + strings.TrimSuffix(operation, "Batch")
	// Which members the service looks at is not known here. So all that name something count.
	var resources []string
	add := func(before string, members ...string) {
		for _, member := range members {
			if v := in.text(member); strings.HasPrefix(v, "arn:") {
				resources = append(resources, v)
			} else if v != "" {
				resources = append(resources, a.arn(service, before+v))
			}
		}
	}
	switch service {
	case "sqs":
		if address := in.text("QueueUrl"); address != "" {
			resources = append(resources, a.arn(service, address[strings.LastIndexByte(address, '/')+1:]))
		}
		add("", "QueueName", "SourceArn", "DestinationArn")
	case "sns":
		add("", "TopicArn", "ResourceArn", "TargetArn", "SubscriptionArn", "PlatformApplicationArn", "EndpointArn", "Name")
		if in.text("PhoneNumber") != "" {
			resources = append(resources, "*")
		}
	case "kinesis":
		action = service + ":" + operation
		add("stream/", "StreamARN", "StreamName", "ResourceARN")
	case "dynamodb":
		return a.tables(operation, in)
	}
	if resources == nil {
		return []Need{{Action: action}}
	}
	for _, resource := range resources {
		needs = append(needs, Need{Action: action, Resources: []string{resource}})
	}
	return needs
}

// namesTable are the operations of DynamoDB that are about the tables, or the stream, that they
// name, and nothing else. Others, which copy tables or read statements, need their action on "*".
var namesTable = map[string]bool{
	"BatchGetItem": true, "BatchWriteItem": true, "TransactGetItems": true, "TransactWriteItems": true,
	"GetItem": true, "PutItem": true, "UpdateItem": true, "DeleteItem": true, "Query": true, "Scan": true,
	"CreateTable": true, "DescribeTable": true, "UpdateTable": true, "DeleteTable": true,
	"DescribeTimeToLive": true, "UpdateTimeToLive": true, "DescribeContinuousBackups": true, "UpdateContinuousBackups": true, "CreateBackup": true,
	"TagResource": true, "UntagResource": true, "ListTagsOfResource": true, "GetResourcePolicy": true, "PutResourcePolicy": true, "DeleteResourcePolicy": true,
	"DescribeStream": true, "GetShardIterator": true, "DescribeKinesisStreamingDestination": true,
	"DescribeContributorInsights": true, "DescribeTableReplicaAutoScaling": true,
}

// tables are the needs of an operation of DynamoDB, which may be about several tables.
func (a *Authority) tables(operation string, in *Input) (needs []Need) {
	table := func(name string) string {
		if strings.HasPrefix(name, "arn:") {
			return name
		}
		return a.arn("dynamodb", "table/"+name)
	}
	add := func(action, name string) {
		need := Need{Action: "dynamodb:" + action, Resources: []string{table(name)}}
		if index := in.text("IndexName"); index != "" && (operation == "Query" || operation == "Scan") {
			need.Resources = []string{table(name) + "/index/" + index}
		}
		if !slices.ContainsFunc(needs, func(n Need) bool { return n.Action == need.Action && n.Resources[0] == need.Resources[0] }) {
			needs = append(needs, need)
		}
	}
	if strings.HasPrefix(operation, "Execute") || operation == "BatchExecuteStatement" {
		// PartiQL names its tables in statements, which are not read here.
		return []Need{{Action: "dynamodb:PartiQLSelect"}, {Action: "dynamodb:PartiQLInsert"}, {Action: "dynamodb:PartiQLUpdate"}, {Action: "dynamodb:PartiQLDelete"}}
	}
	if !namesTable[operation] {
		return []Need{{Action: "dynamodb:" + operation}}
	}
	switch operation {
	case "BatchGetItem", "BatchWriteItem":
		tables, _ := in.JSON["RequestItems"].(map[string]any)
		for name := range tables {
			add(operation, name)
		}
	case "TransactGetItems", "TransactWriteItems":
		// Each item takes the action that it would take alone.
		items, _ := in.JSON["TransactItems"].([]any)
		for _, one := range items {
			item, _ := one.(map[string]any)
			for kind, of := range item {
				member, _ := of.(map[string]any)
				name, _ := member["TableName"].(string)
				action := map[string]string{"Get": "GetItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}[kind]
				if action == "" {
					action = operation
				}
				add(action, name)
			}
		}
	default:
		for _, member := range []string{"TableName", "ResourceArn", "TableArn", "StreamArn"} {
			if name := in.text(member); name != "" {
				add(operation, name)
			}
		}
	}
	if needs == nil {
		needs = []Need{{Action: "dynamodb:" + operation}}
	}
	return needs
}
