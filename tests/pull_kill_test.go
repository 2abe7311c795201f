package tests

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// keysOfRecords are the groups whose order counts.
var keysOfRecords = []string{"a", "b", "c", "d"}

// stream makes a Kinesis stream.
func (m *moto) stream(t *testing.T, name string, shards int32) (client *kinesis.Client, arn string) {
	t.Helper()
	client = kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: &m.url, Credentials: keys(motoKey, motoSecret)})
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream is there", func() bool {
		got, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		return err == nil && got.StreamDescriptionSummary.StreamStatus == kinesistypes.StreamStatusActive
	})
	return client, "arn:aws:kinesis:us-east-1:123456789012:stream/" + name
}

// putRecords writes records KIND-KEY-N, which it adds to accepted.
func putRecords(t *testing.T, client *kinesis.Client, name string, from, to int, accepted map[string]bool) {
	t.Helper()
	for n := from; n < to; n++ {
		in := &kinesis.PutRecordsInput{StreamName: &name}
		for _, key := range keysOfRecords {
			id := fmt.Sprintf("kinesis-%s-%04d", key, n)
			in.Records = append(in.Records, kinesistypes.PutRecordsRequestEntry{PartitionKey: aws.String(key), Data: []byte(id)})
			accepted[id] = true
		}
		if _, err := client.PutRecords(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
}

// inOrder fails unless what ran for the first time ran in the order of its numbers.
func (l *ledger) inOrder(kind string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keysOfRecords {
		var order []string
		for _, id := range l.order {
			if strings.HasPrefix(id, kind+"-"+key+"-") {
				order = append(order, id)
			}
		}
		if !slices.IsSorted(order) {
			l.t.Errorf("the order of %s is %s", key, order)
		}
	}
}

// duplicates are how many runs of accepted records were not the first.
func (l *ledger) duplicates(kind string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, times := range l.ran {
		if strings.HasPrefix(id, kind) {
			n += times - 1
		}
	}
	return n
}

func TestRecordsOfSourcesSurviveKills(t *testing.T) {
	m, l := startMoto(t), newLedger(t)
	url, queue := m.makeQueue(t, "orders")
	client, stream := m.stream(t, "s", 2)
	s := newServer(t, "", "")
	source := func(arn, function, more string) string {
		return fmt.Sprintf("event_source %s %s {\n access_key %s %s\n%s}\n", arn, function, motoKey, motoSecret, more)
	}
	s.configure("aws_endpoint "+m.url+"\n"+source(queue, "q", "")+source(stream, "k", "batch_size 20\n")+
		l.function(s, "q", `"\n".join(r["body"] for r in event["Records"])`)+
		l.function(s, "k", `"\n".join(__import__("base64").b64decode(r["kinesis"]["data"]).decode() for r in event["Records"])`), "")
	s.start()
	const killed, rounds = 8, 25
	accepted := make(map[string]bool)
	for n := range killed + 1 {
		for round := range rounds {
			var entries []sqstypes.SendMessageBatchRequestEntry
			for one := range 4 {
				id := fmt.Sprintf("sqs-%d-%d-%d", n, round, one)
				entries = append(entries, sqstypes.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(one)), MessageBody: &id})
				accepted[id] = true
			}
			_, err := m.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
			if err != nil {
				t.Fatal(err)
			}
		}
		putRecords(t, client, "s", n*rounds, (n+1)*rounds, accepted)
		if n < killed {
			eventually(t, "the server serves", func() bool { return strings.Contains(s.output(), "serving initial configuration") })
			time.Sleep(rand.N(time.Second)) // any instant
			s.kill()
			s.spawn()
		}
	}
	l.wait(accepted)
	l.inOrder("kinesis")
	fromQueue, fromStream := l.duplicates("sqs"), l.duplicates("kinesis")
	t.Logf("%d records, after %d kills %d duplicates of the queue and %d of the stream", len(accepted), killed, fromQueue, fromStream)
	if most := killed * 5 * 10; fromQueue > most { // what five pollers may have in hand
		t.Errorf("%d duplicates of the queue, over %d", fromQueue, most)
	}
	if most := killed * 2 * 20; fromStream > most { // a batch of each shard
		t.Errorf("%d duplicates of the stream, over %d", fromStream, most)
	}
}

func TestClusterNodesShareShardsAndTakeThemOver(t *testing.T) {
	m, l := startMoto(t), newLedger(t)
	client, arn := m.stream(t, "s", 4)
	c := &cluster{t: t, redis: newRedis(t)}
	for range 2 {
		a := &api{server: newServer(t, "", "")}
		c.nodes = append(c.nodes, a)
		a.configure(fmt.Sprintf("redis %s\nnode n%d\naws_endpoint kinesis %s\nevent_source %s f {\n access_key %s %s\n}\n", c.redis.url(), len(c.nodes), m.url, arn, motoKey, motoSecret)+
			l.function(a.server, "f", `"\n".join(__import__("base64").b64decode(r["kinesis"]["data"]).decode() for r in event["Records"])`), clusterSite)
		a.start()
	}
	accepted := make(map[string]bool)
	n := 0
	put := func() { putRecords(t, client, "s", n, n+5, accepted); n += 5 }
	eventually(t, "both nodes get records", func() bool {
		put()
		time.Sleep(500 * time.Millisecond)
		return c.nodes[0].metric(`hearth_mapping_records_total{function="f"}`) > 0 && c.nodes[1].metric(`hearth_mapping_records_total{function="f"}`) > 0
	})
	c.nodes[0].kill()
	began := time.Now()
	put()
	l.wait(accepted)
	took := time.Since(began)
	if took > 25*time.Second {
		t.Errorf("the shards of a dead node were read after %s, want 15 s and what it takes to look", took)
	}
	l.inOrder("kinesis")
	t.Logf("%d records, %d duplicates; the shards were taken over after %s", len(accepted), l.duplicates("kinesis"), took)
}
