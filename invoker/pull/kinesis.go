package pull

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// A kinesisStream is a Kinesis data stream.
type kinesisStream struct {
	client *kinesis.Client
	arn    string
	role   func(context.Context) string // the ARN of the reader, as functions get it
}

func (*kinesisStream) batchInfo() string { return "KinesisBatchInfo" }

func (k *kinesisStream) shards(ctx context.Context) ([]shard, error) {
	var all []shard
	in := &kinesis.ListShardsInput{StreamARN: &k.arn}
	for {
		out, err := k.client.ListShards(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, s := range out.Shards {
			all = append(all, shard{id: aws.ToString(s.ShardId), parent: aws.ToString(s.ParentShardId)})
		}
		if out.NextToken == nil {
			return all, nil
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

func (k *kinesisStream) iterator(ctx context.Context, id, after string, from position) (string, error) {
	in := &kinesis.GetShardIteratorInput{StreamARN: &k.arn, ShardId: &id, ShardIteratorType: types.ShardIteratorType(from.kind)}
	switch {
	case after != "":
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &after
	case from.kind == "AT_TIMESTAMP":
		in.Timestamp = &from.at
	}
	out, err := k.client.GetShardIterator(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ShardIterator), nil
}

func (k *kinesisStream) read(ctx context.Context, id, iterator string, limit int) ([]record, string, error) {
	out, err := k.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: &iterator, Limit: aws.Int32(int32(limit)), StreamARN: &k.arn})
	if errors.As(err, new(*types.ExpiredIteratorException)) {
		return nil, "", errExpired
	}
	if err != nil {
		return nil, "", err
	}
	var all []record
	role := k.role(ctx)
	for _, r := range out.Records {
		one, err := k.recordOf(id, role, &r)
		if err != nil {
			return nil, "", err
		}
		all = append(all, one)
	}
	return all, aws.ToString(out.NextShardIterator), nil
}

type kinesisData struct {
	SchemaVersion string  `json:"kinesisSchemaVersion"`
	PartitionKey  string  `json:"partitionKey"`
	Sequence      string  `json:"sequenceNumber"`
	Data          any     `json:"data"`
	Arrival       float64 `json:"approximateArrivalTimestamp"`
}

// recordOf is a record as Lambda gives it to a function.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-event-example
func (k *kinesisStream) recordOf(id, role string, r *types.Record) (record, error) {
	data := kinesisData{
		SchemaVersion: "1.0", PartitionKey: aws.ToString(r.PartitionKey), Sequence: aws.ToString(r.SequenceNumber),
		Data: base64.StdEncoding.EncodeToString(r.Data),
	}
	out := record{id: data.Sequence, key: data.PartitionKey, data: []string{"data"}}
	if r.ApproximateArrivalTimestamp != nil {
		out.at = *r.ApproximateArrivalTimestamp
		data.Arrival = float64(out.at.UnixMilli()) / 1000
	}
	var err error
	out.event, err = json.Marshal(map[string]any{
		"kinesis": data, "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": id + ":" + data.Sequence,
		"eventName": "aws:kinesis:record", "invokeIdentityArn": role, "awsRegion": regionOf(k.arn), "eventSourceARN": k.arn,
	})
	if err != nil {
		return out, err
	}
	if json.Valid(r.Data) {
		data.Data = json.RawMessage(r.Data)
	} else {
		data.Data = string(r.Data)
	}
	out.filters, err = json.Marshal(data)
	return out, err
}
