package pull

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

const polled = "SQS queues, Kinesis streams, DynamoDB streams, topics of Kafka, streams of Redis and S3 buckets (by listing) are polled"

// Check says whether a mapping's source is polled here, and fills in the defaults.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
func Check(m *registry.Mapping) error {
	if err := checkRanges(m); err != nil {
		return err
	}
	kind := kindOf(m)
	if c := m.Connection; c != nil && c.Every != 0 && kind != "s3" {
		return errors.New("every is for buckets alone: others are not listed")
	}
	if text := string(m.Source["ProvisionedPollerConfig"]); text != "" && text != "null" {
		return errors.New("ProvisionedPollerConfig is not supported: pollers follow what there is to read")
	}
	if kind == "kafka" {
		return checkKafka(m)
	}
	setDefault(&m.MaximumBatchingWindowInSeconds, 0)
	switch kind {
	case "sqs":
		setDefault(&m.BatchSize, 10)
		if strings.HasSuffix(m.EventSourceArn, ".fifo") && *m.BatchSize > 10 {
			return errors.New("batch size must be at most 10 for FIFO queues")
		}
		if m.MaximumRetryAttempts != nil || m.MaximumRecordAgeInSeconds != nil || m.OnFailure != "" {
			return errors.New("a queue has no retries, age or on-failure destination of its mapping: set its redrive policy")
		}
		return refuseShardSettings("queues", m, false)
	case "kinesis", "dynamodb":
		streamDefaults(m)
		if *m.ParallelizationFactor > 1 && *m.TumblingWindowInSeconds > 0 {
			return errors.New("tumbling windows with a parallelization factor above 1 are not supported: the state of a window is one")
		}
	case "redis", "rediss":
		if len(m.Topics) != 1 {
			return errors.New("a stream of Redis is missing: name it by topic")
		}
		streamDefaults(m)
		return refuseShardSettings("streams of Redis", m, true)
	case "s3":
		return checkListing(m)
	case "":
		return fmt.Errorf("event source %s: this kind is not supported: %s", m.EventSourceArn, polled)
	default:
		return fmt.Errorf("event source %s: sources of %s are not supported: %s", m.EventSourceArn, kind, polled)
	}
	if m.MaximumConcurrency != nil {
		return errors.New("a maximum concurrency is for queues alone: streams have a parallelization factor")
	}
	return nil
}

// refuseShardSettings refuses what only shards have.
func refuseShardSettings(kind string, m *registry.Mapping, bisects bool) error {
	bisect := m.BisectBatchOnFunctionError
	option := ""
	switch {
	case exceeds(m.ParallelizationFactor, 1):
		option = "a parallelization factor"
	case exceeds(m.TumblingWindowInSeconds, 0):
		option = "tumbling windows"
	case !bisects && bisect != nil && *bisect:
		option = "bisecting of batches"
	case !bisects && m.StartingPosition != "":
		option = "a starting position"
	default:
		return nil
	}
	return fmt.Errorf("%s have not %s", kind, option)
}

func exceeds(value *int, limit int) bool { return value != nil && *value > limit }

func setDefault(to **int, value int) {
	if *to == nil {
		*to = &value
	}
}

// streamDefaults are those of sources that are read shard by shard.
func streamDefaults(m *registry.Mapping) {
	setDefault(&m.BatchSize, 100)
	setDefault(&m.ParallelizationFactor, 1)
	setDefault(&m.MaximumRecordAgeInSeconds, -1)
	setDefault(&m.MaximumRetryAttempts, -1)
	setDefault(&m.TumblingWindowInSeconds, 0)
	if no := false; m.BisectBatchOnFunctionError == nil {
		m.BisectBatchOnFunctionError = &no
	}
	if m.StartingPosition == "" {
		m.StartingPosition = "TRIM_HORIZON"
	}
}

// leastConcurrency is AWS's of its queues; streams of Redis are read in order by one.
func leastConcurrency(m *registry.Mapping) int {
	if kindOf(m) == "sqs" {
		return 2
	}
	return 1
}

// checkRanges holds a mapping to AWS's limits, which the API knows of its service model.
func checkRanges(m *registry.Mapping) error {
	for _, value := range []struct {
		name        string
		is          *int
		least, most int
	}{
		{"batch size", m.BatchSize, 1, 10000},
		{"batch window (seconds)", m.MaximumBatchingWindowInSeconds, 0, 300},
		{"parallelization factor", m.ParallelizationFactor, 1, 10},
		{"number of retries", m.MaximumRetryAttempts, -1, 10000},
		{"maximum age (seconds)", m.MaximumRecordAgeInSeconds, -1, 604800},
		{"tumbling window (seconds)", m.TumblingWindowInSeconds, 0, 900},
		{"concurrency", m.MaximumConcurrency, leastConcurrency(m), 1000},
	} {
		if value.is != nil && (*value.is < value.least || *value.is > value.most) {
			return fmt.Errorf("a %s of %d: %d to %d are allowed", value.name, *value.is, value.least, value.most)
		}
	}
	return nil
}
