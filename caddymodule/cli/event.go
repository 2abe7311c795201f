package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/hearthfn/hearth/warmpool/function/spelling"
)

var eventCommand = &Command{
	Use:   "event [SOURCE [KIND]]",
	Short: "Print a sample event, for invoke",
	Long: `Prints an event as a source sends it to a function. Without an argument it lists the
sources and their kinds.

  caddy hearth event s3 put --set bucket=photos --set key=cat.jpg | caddy hearth invoke thumb -`,
	MaxArgs: 2,
	Flags: func(f *pflag.FlagSet) {
		f.StringArray("set", nil, "Set a value of the event, NAME=VALUE; may be given again")
	},
	Run:   printEvent,
	Words: sampleWords,
}

// sampleWords completes sources and kinds.
func sampleWords(before []string) (words []string) {
	for _, s := range samples {
		switch {
		case len(before) == 0 && !slices.Contains(words, s.source):
			words = append(words, s.source)
		case len(before) == 1 && s.source == before[0]:
			words = append(words, s.kind)
		}
	}
	return words
}

// A sample makes an event of values; those it reads are the ones that --set may name.
type sample struct {
	source, kind string
	values       map[string]string // with their defaults
	event        func(v map[string]string) any
}

// An object is one of JSON.
type object = map[string]any

// samples are in the order of the list. The events are those of AWS's documentation:
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
var samples = []sample{
	{"http", "v2", map[string]string{"method": "GET", "path": "/", "query": "", "body": ""}, httpV2},
	{"http", "v1", map[string]string{"method": "GET", "path": "/", "query": "", "body": ""}, httpV1},
	{"s3", "put", map[string]string{"bucket": "photos", "key": "cat.jpg", "size": "1024"}, func(v map[string]string) any { return s3Event(v, "ObjectCreated:Put") }},
	{"s3", "delete", map[string]string{"bucket": "photos", "key": "cat.jpg", "size": "0"}, func(v map[string]string) any { return s3Event(v, "ObjectRemoved:Delete") }},
	{"sqs", "message", map[string]string{"queue": "orders", "body": "hello"}, func(v map[string]string) any {
		return records(object{
			"messageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "body": v["body"],
			"attributes":        object{"ApproximateReceiveCount": "1", "SentTimestamp": millis(), "SenderId": "000000000000", "ApproximateFirstReceiveTimestamp": millis()},
			"messageAttributes": object{}, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:" + v["queue"], "awsRegion": "us-east-1",
		})
	}},
	{"sns", "notification", map[string]string{"topic": "news", "message": "hello", "subject": "greeting"}, func(v map[string]string) any {
		arn := "arn:aws:sns:us-east-1:000000000000:" + v["topic"]
		return records(object{"EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": arn + ":21be56ed-a058-49f5-8c98-aedd2564c486", "Sns": object{
			"Type": "Notification", "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e", "TopicArn": arn, "Subject": v["subject"], "Message": v["message"], "Timestamp": now(), "MessageAttributes": object{},
		}})
	}},
	{"eventbridge", "schedule", map[string]string{"rule": "nightly"}, func(v map[string]string) any {
		return bridge("aws.events", "Scheduled Event", object{}, "arn:aws:events:us-east-1:000000000000:rule/"+v["rule"])
	}},
	{"eventbridge", "custom", map[string]string{"source": "my.shop", "type": "order placed", "detail": `{"id":1}`}, func(v map[string]string) any {
		var detail any = v["detail"]
		_ = json.Unmarshal([]byte(v["detail"]), &detail) // else it stays text
		return bridge(v["source"], v["type"], detail)
	}},
	{"dynamodb", "insert", map[string]string{"table": "orders", "id": "1"}, func(v map[string]string) any {
		return records(object{
			"eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
			"eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/" + v["table"] + "/stream/2026-01-01T00:00:00.000",
			"dynamodb": object{"ApproximateCreationDateTime": time.Now().Unix(), "Keys": object{"id": object{"S": v["id"]}}, "NewImage": object{"id": object{"S": v["id"]}},
				"SequenceNumber": "111", "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES"},
		})
	}},
	{"kinesis", "record", map[string]string{"stream": "clicks", "data": "hello", "key": "1"}, func(v map[string]string) any {
		return records(object{
			"kinesis":     object{"kinesisSchemaVersion": "1.0", "partitionKey": v["key"], "sequenceNumber": "49590338271490256608559692538361571095921575989136588898", "data": []byte(v["data"]), "approximateArrivalTimestamp": float64(time.Now().Unix())},
			"eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": "shardId-000000000000:49590338271490256608559692538361571095921575989136588898", "eventName": "aws:kinesis:record",
			"invokeIdentityArn": "arn:aws:iam::000000000000:role/hearth", "awsRegion": "us-east-1", "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/" + v["stream"],
		})
	}},
}

// A Sample is an event as a source sends it.
type Sample struct {
	Source string `json:"source"`
	Kind   string `json:"kind"`
	Event  any    `json:"event"`
}

// Samples are one event of each kind that the command has.
func Samples() (all []Sample) {
	for _, s := range samples {
		all = append(all, Sample{s.source, s.kind, s.event(s.values)})
	}
	return all
}

func printEvent(_ context.Context, c *Context) error {
	source, kind := c.Flags.Arg(0), c.Flags.Arg(1)
	if source == "" {
		return c.listSamples()
	}
	var found []sample
	for _, s := range samples {
		if s.source == source && (kind == "" || s.kind == kind) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		var names []string
		for _, s := range samples {
			names = append(names, s.source+" "+s.kind)
		}
		return usage("there is no sample of %s%s; there are %s", strings.TrimSpace(source+" "+kind), spelling.Meant(strings.TrimSpace(source+" "+kind), names), strings.Join(names, ", "))
	case len(found) > 1:
		var kinds []string
		for _, s := range found {
			kinds = append(kinds, s.kind)
		}
		return usage("which event of %s? There are %s", source, strings.Join(kinds, ", "))
	}
	values := maps.Clone(found[0].values)
	pairs, _ := c.Flags.GetStringArray("set")
	for _, pair := range pairs {
		name, value, is := strings.Cut(pair, "=")
		if _, known := values[name]; !is || !known {
			return usage("--set %q: NAME=VALUE with a NAME of %s", pair, strings.Join(slices.Sorted(maps.Keys(values)), ", "))
		}
		values[name] = value
	}
	encoder := json.NewEncoder(c.Out)
	encoder.SetEscapeHTML(false)
	if !c.json() {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(found[0].event(values))
}

func (c *Context) listSamples() error {
	var all []map[string]any
	for _, s := range samples {
		all = append(all, map[string]any{"source": s.source, "kind": s.kind, "set": slices.Sorted(maps.Keys(s.values))})
	}
	return c.print(all, func(w io.Writer) {
		for _, s := range samples {
			fmt.Fprintf(w, "%-24s --set %s\n", s.source+" "+s.kind, strings.Join(slices.Sorted(maps.Keys(s.values)), ", "))
		}
	})
}

func now() string    { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }
func millis() string { return fmt.Sprint(time.Now().UnixMilli()) }

func records(record object) object { return object{"Records": []object{record}} }

func bridge(source, kind string, detail any, resources ...string) object {
	if resources == nil {
		resources = []string{}
	}
	return object{
		"version": "0", "id": "cdc73f9d-aea9-11e3-9d5a-835b769c0d9c", "detail-type": kind, "source": source, "account": "000000000000",
		"time": time.Now().UTC().Format(time.RFC3339), "region": "us-east-1", "resources": resources, "detail": detail,
	}
}

func s3Event(v map[string]string, name string) object {
	var size json.Number = "0"
	if json.Valid([]byte(v["size"])) {
		size = json.Number(v["size"])
	}
	return records(object{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": now(), "eventName": name,
		"userIdentity": object{"principalId": "EXAMPLE"}, "requestParameters": object{"sourceIPAddress": "127.0.0.1"},
		"responseElements": object{"x-amz-request-id": "EXAMPLE123456789", "x-amz-id-2": "EXAMPLE123/mnopqrstuvwxyzABCDEFGH"},
		"s3": object{
			"s3SchemaVersion": "1.0", "configurationId": "hearth",
			"bucket": object{"name": v["bucket"], "ownerIdentity": object{"principalId": "EXAMPLE"}, "arn": "arn:aws:s3:::" + v["bucket"]},
			"object": object{"key": keyOf(v["key"]), "size": size, "eTag": "0123456789abcdef0123456789abcdef", "sequencer": "0A1B2C3D4E5F678901"},
		},
	})
}

// keyOf writes a key as S3 does in events.
func keyOf(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		switch {
		case c == ' ':
			b.WriteByte('+')
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("/-_.*()!~'", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// queryOf is the query string as an object; nil if it is empty.
func queryOf(text string) map[string]string {
	if text == "" {
		return nil
	}
	query := make(map[string]string)
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		query[name] = value
	}
	return query
}

func httpV2(v map[string]string) any {
	event := object{
		"version": "2.0", "routeKey": "$default", "rawPath": v["path"], "rawQueryString": v["query"], "headers": object{"host": "localhost", "content-type": "application/json"},
		"requestContext": object{
			"accountId": "000000000000", "apiId": "hearth", "domainName": "localhost", "domainPrefix": "localhost",
			"http":      object{"method": v["method"], "path": v["path"], "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "curl"},
			"requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default", "stage": "$default", "time": time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": time.Now().UnixMilli(),
		},
		"isBase64Encoded": false,
	}
	if query := queryOf(v["query"]); query != nil {
		event["queryStringParameters"] = query
	}
	if v["body"] != "" {
		event["body"] = v["body"]
	}
	return event
}

func httpV1(v map[string]string) any {
	event := object{
		"resource": "/{proxy+}", "path": v["path"], "httpMethod": v["method"], "headers": object{"Host": "localhost"}, "multiValueHeaders": object{"Host": []string{"localhost"}},
		"queryStringParameters": nil, "multiValueQueryStringParameters": nil, "pathParameters": object{"proxy": strings.TrimPrefix(v["path"], "/")}, "stageVariables": nil, "body": nil, "isBase64Encoded": false,
		"requestContext": object{"accountId": "000000000000", "apiId": "hearth", "httpMethod": v["method"], "path": v["path"], "stage": "prod", "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "resourcePath": "/{proxy+}", "identity": object{"sourceIp": "127.0.0.1"}},
	}
	if query := queryOf(v["query"]); query != nil {
		event["queryStringParameters"] = query
		several := make(map[string][]string)
		for name, value := range query {
			several[name] = []string{value}
		}
		event["multiValueQueryStringParameters"] = several
	}
	if v["body"] != "" {
		event["body"] = v["body"]
	}
	return event
}
