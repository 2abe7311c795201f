package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// Types of the services that the configuration names, to which calls are passed on.

func passedTypes() map[string]*Type {
	return map[string]*Type{
		"AWS::SQS::Queue": queue(), "AWS::SQS::QueuePolicy": queuePolicy(), "AWS::SNS::Topic": topic(),
		"AWS::DynamoDB::Table": table(), "AWS::Kinesis::Stream": stream(),
	}
}

// of refuses a type whose service is not configured, and properties that are not named.
func of(service string, names ...string) func(e *Engine, properties map[string]any) error {
	known := only(names...)
	return func(e *Engine, properties map[string]any) error {
		if !slices.Contains(e.services().Passed, service) {
			return fmt.Errorf("this server has no %s: set its option %s to the service that has it", serviceNames[service], service)
		}
		return known(e, properties)
	}
}

// settled asks until something is as it should be.
func settled(ctx context.Context, ask func() (bool, error)) error {
	for {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html
var queueAttributes = []string{
	"ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit", "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId",
	"MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout",
}

// queueDefaults are what an attribute is when its property is taken away.
var queueDefaults = map[string]string{
	"DelaySeconds": "0", "MaximumMessageSize": "262144", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30",
}

func attributesOf(w *Work, names []string) (map[string]any, error) {
	input := make(map[string]any)
	for _, name := range names {
		v, given := w.New[name]
		if !given {
			if w.Old[name] != nil {
				input[name] = queueDefaults[name]
			}
			continue
		}
		switch v.(type) {
		case map[string]any, []any:
			document, err := jsonText(v)
			if err != nil {
				return nil, err
			}
			input[name] = document
		default:
			input[name] = text(v)
		}
	}
	return input, nil
}

func queue() *Type {
	named := func(w *Work) string {
		name := w.text("QueueName")
		if name == "" {
			if name = w.generate(75); text(w.New["FifoQueue"]) == "true" {
				name += ".fifo"
			}
		}
		return name
	}
	address := func(ctx context.Context, w *Work) (string, error) {
		if u, err := url.Parse(w.ID); err == nil && u.Host != "" {
			return w.ID, nil
		}
		out, err := w.call(ctx, "sqs", "GetQueueUrl", map[string]any{"QueueName": w.ID})
		return text(out["QueueUrl"]), err
	}
	return &Type{
		Name: "AWS::SQS::Queue", tags: tagList, plan: named, check: of("sqs", append([]string{"QueueName", "Tags"}, queueAttributes...)...),
		exists: func(ctx context.Context, w *Work) (bool, error) {
			_, err := address(ctx, w)
			if isNotFound(err) || isMissingQueue(err) {
				return false, nil
			}
			return err == nil, err
		},
		create: func(ctx context.Context, w *Work) error {
			attributes, err := attributesOf(w, queueAttributes)
			if err != nil {
				return err
			}
			input := map[string]any{"QueueName": w.ID, "Attributes": attributes}
			if tags, given := tagsOf(w.New["Tags"]).(map[string]any); given && len(tags) > 0 {
				input["tags"] = tags
			}
			w.Attributes["QueueName"] = w.ID
			out, err := w.call(ctx, "sqs", "CreateQueue", input)
			if err != nil {
				return err
			}
			w.ID = text(out["QueueUrl"])
			w.Attributes["QueueUrl"] = w.ID
			out, err = w.call(ctx, "sqs", "GetQueueAttributes", map[string]any{"QueueUrl": w.ID, "AttributeNames": []string{"QueueArn"}})
			w.Attributes["Arn"] = value(out, "Attributes.QueueArn")
			return err
		},
		replaces: func(w *Work) bool { return w.differs("QueueName", "FifoQueue", "Tags") },
		update: func(ctx context.Context, w *Work) error {
			attributes, err := attributesOf(w, queueAttributes)
			if err == nil && len(attributes) > 0 {
				delete(attributes, "FifoQueue")
				_, err = w.call(ctx, "sqs", "SetQueueAttributes", map[string]any{"QueueUrl": w.ID, "Attributes": attributes})
			}
			return err
		},
		remove: func(ctx context.Context, w *Work) error {
			at, err := address(ctx, w)
			if err == nil {
				_, err = w.call(ctx, "sqs", "DeleteQueue", map[string]any{"QueueUrl": at})
			}
			if isNotFound(err) || isMissingQueue(err) {
				return nil
			}
			return err
		},
	}
}

func isMissingQueue(err error) bool {
	var x *CallError
	return errors.As(err, &x) && (x.Code == "AWS.SimpleQueueService.NonExistentQueue" || x.Code == "com.amazonaws.sqs#QueueDoesNotExist" || x.Code == "QueueDoesNotExist")
}

func queuePolicy() *Type {
	put := func(ctx context.Context, w *Work) error {
		document, err := jsonText(w.New["PolicyDocument"])
		if err != nil {
			return err
		}
		for _, at := range texts(w.New["Queues"]) {
			if _, err := w.call(ctx, "sqs", "SetQueueAttributes", map[string]any{"QueueUrl": at, "Attributes": map[string]any{"Policy": document}}); err != nil {
				return err
			}
		}
		return nil
	}
	return &Type{
		Name: "AWS::SQS::QueuePolicy", required: []string{"PolicyDocument", "Queues"}, check: of("sqs", "PolicyDocument", "Queues"), plan: generated,
		create: put, update: put, replaces: func(w *Work) bool { return w.differs("Queues") },
		remove: func(ctx context.Context, w *Work) error {
			for _, at := range texts(w.Old["Queues"]) {
				_, err := w.call(ctx, "sqs", "SetQueueAttributes", map[string]any{"QueueUrl": at, "Attributes": map[string]any{"Policy": ""}})
				if err != nil && !isNotFound(err) && !isMissingQueue(err) {
					return err
				}
			}
			return nil
		},
	}
}

// sns calls an operation of SNS, which speaks the query protocol.
func (w *Work) sns(ctx context.Context, operation string, form url.Values) (map[string]any, error) {
	form.Set("Action", operation)
	form.Set("Version", "2010-03-31")
	a, err := w.caller.send(ctx, "sns", &model.Encoding{
		Method: http.MethodPost, URL: &url.URL{Path: "/"}, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, Body: []byte(form.Encode()),
	})
	if err != nil {
		return nil, err
	}
	if a.status >= http.StatusMultipleChoices {
		return nil, a.refusal("sns", operation)
	}
	return a.output()
}

var topicAttributes = []string{"ContentBasedDeduplication", "DisplayName", "FifoTopic", "KmsMasterKeyId", "SignatureVersion", "TracingConfig"}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
func topic() *Type {
	arn := func(w *Work, name string) string {
		return "arn:aws:sns:" + w.engine.account().Region + ":" + w.engine.account().ID + ":" + name
	}
	return &Type{
		Name: "AWS::SNS::Topic", tags: tagList, check: of("sns", append([]string{"TopicName", "Tags"}, topicAttributes...)...),
		plan: func(w *Work) string {
			name := w.text("TopicName")
			if name == "" {
				name = w.generate(200)
			}
			return arn(w, name)
		},
		create: func(ctx context.Context, w *Work) error {
			name := w.ID[len(arn(w, "")):]
			form := url.Values{"Name": {name}}
			n := 0
			for _, attribute := range topicAttributes {
				if v, given := w.New[attribute]; given {
					n++
					entry := "Attributes.entry." + strconv.Itoa(n)
					form.Set(entry+".key", attribute)
					form.Set(entry+".value", text(v))
				}
			}
			tags, _ := tagsOf(w.New["Tags"]).(map[string]any)
			for n, key := range slices.Sorted(maps.Keys(tags)) {
				member := "Tags.member." + strconv.Itoa(n+1)
				form.Set(member+".Key", key)
				form.Set(member+".Value", text(tags[key]))
			}
			out, err := w.sns(ctx, "CreateTopic", form)
			if err != nil {
				return err
			}
			w.ID = text(value(out, "TopicArn"))
			w.Attributes["TopicArn"], w.Attributes["TopicName"] = w.ID, name
			return nil
		},
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.sns(ctx, "DeleteTopic", url.Values{"TopicArn": {w.ID}})
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
var tableProperties = []string{
	"AttributeDefinitions", "BillingMode", "DeletionProtectionEnabled", "GlobalSecondaryIndexes", "KeySchema", "LocalSecondaryIndexes", "ProvisionedThroughput", "TableClass", "Tags",
}

// capacities makes numbers of what tables call ReadCapacityUnits and WriteCapacityUnits, wherever
// they are.
func capacities(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		to := maps.Clone(v)
		for name, inner := range v {
			var err error
			if name == "ReadCapacityUnits" || name == "WriteCapacityUnits" {
				to[name], err = whole(inner)
			} else {
				to[name], err = capacities(inner)
			}
			if err != nil {
				return nil, err
			}
		}
		return to, nil
	case []any:
		to := make([]any, len(v))
		for n := range v {
			var err error
			if to[n], err = capacities(v[n]); err != nil {
				return nil, err
			}
		}
		return to, nil
	}
	return v, nil
}

func table() *Type {
	named := func(w *Work) map[string]any { return map[string]any{"TableName": w.ID} }
	active := func(ctx context.Context, w *Work) error {
		return settled(ctx, func() (bool, error) {
			out, err := w.call(ctx, "dynamodb", "DescribeTable", named(w))
			w.Attributes["Arn"] = value(out, "Table.TableArn")
			if arn := value(out, "Table.LatestStreamArn"); arn != nil {
				w.Attributes["StreamArn"] = arn
			}
			return text(value(out, "Table.TableStatus")) == "ACTIVE", err
		})
	}
	return &Type{
		Name: "AWS::DynamoDB::Table", tags: tagList, required: []string{"KeySchema"},
		check: of("dynamodb", append([]string{"TableName", "StreamSpecification", "TimeToLiveSpecification"}, tableProperties...)...),
		plan: func(w *Work) string {
			if name := w.text("TableName"); name != "" {
				return name
			}
			return w.generate(255)
		},
		exists: func(ctx context.Context, w *Work) (bool, error) {
			_, err := w.call(ctx, "dynamodb", "DescribeTable", named(w))
			if isNotFound(err) {
				return false, nil
			}
			return err == nil, err
		},
		create: func(ctx context.Context, w *Work) error {
			input, err := capacities(some(w.New, tableProperties...))
			if err != nil {
				return err
			}
			in := input.(map[string]any)
			in["TableName"] = w.ID
			if stream, given := w.New["StreamSpecification"].(map[string]any); given {
				in["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": stream["StreamViewType"]}
			}
			if _, err := w.call(ctx, "dynamodb", "CreateTable", in); err != nil {
				return err
			}
			if err := active(ctx, w); err != nil {
				return err
			}
			if ttl, given := w.New["TimeToLiveSpecification"].(map[string]any); given {
				in := named(w)
				in["TimeToLiveSpecification"] = map[string]any{"AttributeName": ttl["AttributeName"], "Enabled": text(ttl["Enabled"]) == "true"}
				_, err = w.call(ctx, "dynamodb", "UpdateTimeToLive", in)
			}
			return err
		},
		// All but the capacity makes another table, with the data of none.
		replaces: func(w *Work) bool {
			return slices.ContainsFunc(w.changed(), func(name string) bool { return name != "BillingMode" && name != "ProvisionedThroughput" })
		},
		update: func(ctx context.Context, w *Work) error {
			input, err := capacities(some(w.New, "BillingMode", "ProvisionedThroughput"))
			if err != nil {
				return err
			}
			in := input.(map[string]any)
			in["TableName"] = w.ID
			if _, err := w.call(ctx, "dynamodb", "UpdateTable", in); err != nil {
				return err
			}
			return active(ctx, w)
		},
		remove: func(ctx context.Context, w *Work) error {
			if _, err := w.call(ctx, "dynamodb", "DeleteTable", named(w)); err != nil {
				if isNotFound(err) {
					return nil
				}
				return err
			}
			return settled(ctx, func() (bool, error) {
				_, err := w.call(ctx, "dynamodb", "DescribeTable", named(w))
				if isNotFound(err) {
					return true, nil
				}
				return false, err
			})
		},
	}
}
