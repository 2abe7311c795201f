package access

import (
	"slices"
	"strings"
)

// data are the needs of services that are passed through.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
func (a *Authority) data(service, operation string, in *Input) []Need {
	// A batch takes the action of one of its entries.
	action := service + ":" + strings.TrimSuffix(operation, "Batch")
	switch service {
	case "sqs":
		if name := queueName(in); name != "" {
			return []Need{{Action: action, Resources: []string{a.arn(service, name)}}}
		}
	case "sns":
		for _, member := range []string{"TopicArn", "ResourceArn", "TargetArn", "SubscriptionArn"} {
			if arn := in.text(member); arn != "" {
				return []Need{{Action: action, Resources: []string{arn}}}
			}
		}
		if name := in.text("Name"); name != "" {
			return []Need{{Action: action, Resources: []string{a.arn(service, name)}}}
		}
	case "kinesis":
		if arn := in.text("StreamARN"); arn != "" {
			return []Need{{Action: service + ":" + operation, Resources: []string{arn}}}
		}
		if name := in.text("StreamName"); name != "" {
			return []Need{{Action: service + ":" + operation, Resources: []string{a.arn(service, "stream/"+name)}}}
		}
		return []Need{{Action: service + ":" + operation}}
	case "dynamodb":
		return a.tables(operation, in)
	}
	return []Need{{Action: action}}
}

// queueName is the name of a queue, of its address.
func queueName(in *Input) string {
	if address := in.text("QueueUrl"); address != "" {
		return address[strings.LastIndexByte(address, '/')+1:]
	}
	return in.text("QueueName")
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
		if index := in.text("IndexName"); index != "" {
			need.Resources = []string{table(name) + "/index/" + index}
		}
		if !slices.ContainsFunc(needs, func(n Need) bool { return n.Action == need.Action && n.Resources[0] == need.Resources[0] }) {
			needs = append(needs, need)
		}
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
				return needs
			}
		}
	}
	if strings.HasPrefix(operation, "Execute") || operation == "BatchExecuteStatement" {
		// PartiQL names its tables in statements, which are not read here.
		return []Need{{Action: "dynamodb:PartiQLSelect"}, {Action: "dynamodb:PartiQLInsert"}, {Action: "dynamodb:PartiQLUpdate"}, {Action: "dynamodb:PartiQLDelete"}}
	}
	if needs == nil {
		needs = []Need{{Action: "dynamodb:" + operation}}
	}
	return needs
}
