package pull

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// A dynamoStream is the stream of a DynamoDB table.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
type dynamoStream struct {
	client *dynamodbstreams.Client
	arn    string
}

func (*dynamoStream) batchInfo() string { return "DDBStreamBatchInfo" }

func (d *dynamoStream) shards(ctx context.Context) ([]shard, error) {
	var all []shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &d.arn}
	for {
		out, err := d.client.DescribeStream(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, s := range out.StreamDescription.Shards {
			all = append(all, shard{id: aws.ToString(s.ShardId), parent: aws.ToString(s.ParentShardId)})
		}
		if out.StreamDescription.LastEvaluatedShardId == nil {
			return all, nil
		}
		in = &dynamodbstreams.DescribeStreamInput{StreamArn: &d.arn, ExclusiveStartShardId: out.StreamDescription.LastEvaluatedShardId}
	}
}

func (d *dynamoStream) iterator(ctx context.Context, id, after string, from position) (string, error) {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &d.arn, ShardId: &id, ShardIteratorType: types.ShardIteratorType(from.kind)}
	switch {
	case after != "":
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &after
	case from.kind == "AT_TIMESTAMP":
		in.ShardIteratorType = types.ShardIteratorTypeTrimHorizon // the reader leaves out what is older
	}
	out, err := d.client.GetShardIterator(ctx, in)
	if after != "" && errors.As(err, new(*types.TrimmedDataAccessException)) {
		// Nobody read for a day, and the stream has forgotten what came next.
		return d.iterator(ctx, id, "", position{kind: "TRIM_HORIZON"})
	}
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ShardIterator), nil
}

func (d *dynamoStream) read(ctx context.Context, _, iterator string, limit int) ([]record, string, error) {
	out, err := d.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: &iterator, Limit: aws.Int32(int32(limit))})
	if errors.As(err, new(*types.ExpiredIteratorException)) || errors.As(err, new(*types.TrimmedDataAccessException)) {
		return nil, "", errExpired
	}
	if err != nil {
		return nil, "", err
	}
	var all []record
	for _, r := range out.Records {
		one, err := d.recordOf(&r)
		if err != nil {
			return nil, "", err
		}
		all = append(all, one)
	}
	return all, aws.ToString(out.NextShardIterator), nil
}

// recordOf is a record as Lambda gives it to a function.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html#events-sample-dynamodb
func (d *dynamoStream) recordOf(r *types.Record) (record, error) {
	change := r.Dynamodb
	if change == nil {
		return record{}, errors.New("a record of the stream has no change")
	}
	body := map[string]any{"SequenceNumber": aws.ToString(change.SequenceNumber), "StreamViewType": change.StreamViewType}
	out := record{id: aws.ToString(change.SequenceNumber)}
	if change.ApproximateCreationDateTime != nil {
		out.at = *change.ApproximateCreationDateTime
		// AWS writes a float, which it is in typed languages too.
		body["ApproximateCreationDateTime"] = json.RawMessage(strconv.FormatFloat(float64(out.at.UnixMilli())/1000, 'f', -1, 64) + fractionOf(out.at))
	}
	if change.SizeBytes != nil {
		body["SizeBytes"] = *change.SizeBytes
	}
	for name, values := range map[string]map[string]types.AttributeValue{"Keys": change.Keys, "NewImage": change.NewImage, "OldImage": change.OldImage} {
		if values == nil {
			continue
		}
		image, err := imageOf(values)
		if err != nil {
			return out, err
		}
		body[name] = image
	}
	key, err := json.Marshal(body["Keys"])
	if err != nil {
		return out, err
	}
	out.key = string(key)
	event := map[string]any{
		"eventID": aws.ToString(r.EventID), "eventName": r.EventName, "eventVersion": aws.ToString(r.EventVersion), "eventSource": "aws:dynamodb",
		"awsRegion": aws.ToString(r.AwsRegion), "dynamodb": body, "eventSourceARN": d.arn,
	}
	if r.UserIdentity != nil { // an item that expired
		event["userIdentity"] = map[string]any{"principalId": r.UserIdentity.PrincipalId, "type": r.UserIdentity.Type}
	}
	out.event, err = json.Marshal(event)
	out.filters = out.event
	return out, err
}

// fractionOf is what a whole number of seconds lacks to be read as a float.
func fractionOf(at time.Time) string {
	if at.UnixMilli()%1000 == 0 {
		return ".0"
	}
	return ""
}

// imageOf is an item as JSON has it: {"Id":{"N":"101"}}.
func imageOf(values map[string]types.AttributeValue) (map[string]any, error) {
	image := make(map[string]any, len(values))
	for name, value := range values {
		one, err := valueOf(value)
		if err != nil {
			return nil, err
		}
		image[name] = one
	}
	return image, nil
}

func valueOf(value types.AttributeValue) (map[string]any, error) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}, nil
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}, nil
	case *types.AttributeValueMemberB:
		return map[string]any{"B": base64.StdEncoding.EncodeToString(v.Value)}, nil
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": v.Value}, nil
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": v.Value}, nil
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": v.Value}, nil // JSON has bytes in Base64
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}, nil
	case *types.AttributeValueMemberNULL:
		return map[string]any{"NULL": v.Value}, nil
	case *types.AttributeValueMemberM:
		inner, err := imageOf(v.Value)
		return map[string]any{"M": inner}, err
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for n, one := range v.Value {
			inner, err := valueOf(one)
			if err != nil {
				return nil, err
			}
			list[n] = inner
		}
		return map[string]any{"L": list}, nil
	}
	return nil, fmt.Errorf("an attribute of a type that is not known: %T", value)
}
