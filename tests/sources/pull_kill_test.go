package sources

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/hearthfn/hearth/tests/harness"

	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// putRecords writes records KIND-KEY-N, which it adds to accepted.
func putRecords(t *testing.T, client *kinesis.Client, name string, from, to int, accepted map[string]bool) {
	t.Helper()
	for n := from; n < to; n++ {
		in := &kinesis.PutRecordsInput{StreamName: &name}
		for _, key := range harness.KeysOfRecords {
			id := fmt.Sprintf("kinesis-%s-%04d", key, n)
			in.Records = append(in.Records, kinesistypes.PutRecordsRequestEntry{PartitionKey: aws.String(key), Data: []byte(id)})
			accepted[id] = true
		}
		if _, err := client.PutRecords(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsOfSourcesSurviveKills(t *testing.T) {
	harness.Slow(t, "it kills 8 times")
	harness.Parallel(t)
	random := harness.NewRandom(t)
	m, l := harness.StartMoto(t), harness.NewLedger(t)
	url, queue := m.MakeQueue(t, "orders")
	client, stream := m.Stream(t, "s", 2)
	s := harness.NewServer(t, "", "")
	source := func(arn, function, more string) string {
		return fmt.Sprintf("event_source %s %s {\n access_key %s %s\n%s}\n", arn, function, harness.MotoKey, harness.MotoSecret, more)
	}
	s.Configure("aws_endpoint "+m.URL+"\n"+source(queue, "q", "")+source(stream, "k", "batch_size 20\n")+
		l.Function(s, "q", `"\n".join(r["body"] for r in event["Records"])`)+
		l.Function(s, "k", `"\n".join(__import__("base64").b64decode(r["kinesis"]["data"]).decode() for r in event["Records"])`), "")
	s.Start()
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
			_, err := m.SQS.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
			if err != nil {
				t.Fatal(err)
			}
		}
		putRecords(t, client, "s", n*rounds, (n+1)*rounds, accepted)
		if n < killed {
			harness.Eventually(t, "the server serves", func() bool { return strings.Contains(s.Output(), "serving initial configuration") })
			random.Wait(time.Second)
			s.Kill()
			s.Spawn()
		}
	}
	l.Wait(accepted)
	l.InOrder("kinesis")
	fromQueue, fromStream := l.Duplicates("sqs"), l.Duplicates("kinesis")
	t.Logf("%d records, after %d kills %d duplicates of the queue and %d of the stream", len(accepted), killed, fromQueue, fromStream)
	if most := killed * 5 * 10; fromQueue > most { // what five pollers may have in hand
		t.Errorf("%d duplicates of the queue, over %d", fromQueue, most)
	}
	if most := killed * 2 * 20; fromStream > most { // a batch of each shard
		t.Errorf("%d duplicates of the stream, over %d", fromStream, most)
	}
}

func TestClusterNodesShareShardsAndTakeThemOver(t *testing.T) {
	harness.Slow(t, "leases last 15 s")
	harness.Parallel(t)
	m, l := harness.StartMoto(t), harness.NewLedger(t)
	client, arn := m.Stream(t, "s", 4)
	c := &harness.Cluster{T: t, Redis: harness.NewRedis(t)}
	for range 2 {
		a := &harness.API{Server: harness.NewServer(t, "", "")}
		c.Nodes = append(c.Nodes, a)
		a.Configure(fmt.Sprintf("%snode n%d\naws_endpoint kinesis %s\nevent_source %s f {\n access_key %s %s\n}\n", harness.RedisOption(c.Redis.URL()), len(c.Nodes), m.URL, arn, harness.MotoKey, harness.MotoSecret)+
			l.Function(a.Server, "f", `"\n".join(__import__("base64").b64decode(r["kinesis"]["data"]).decode() for r in event["Records"])`), harness.ClusterSite)
		a.Start()
	}
	accepted := make(map[string]bool)
	n := 0
	put := func() { putRecords(t, client, "s", n, n+5, accepted); n += 5 }
	harness.Eventually(t, "both nodes get records", func() bool {
		put()
		time.Sleep(500 * time.Millisecond)
		return c.Nodes[0].Metric(`hearth_mapping_records_total{function="f"}`) > 0 && c.Nodes[1].Metric(`hearth_mapping_records_total{function="f"}`) > 0
	})
	c.Nodes[0].Kill()
	began := time.Now()
	put()
	l.Wait(accepted)
	took := time.Since(began)
	if took > 25*time.Second {
		t.Errorf("the shards of a dead node were read after %s, want 15 s and what it takes to look", took)
	}
	l.InOrder("kinesis")
	t.Logf("%d records, %d duplicates; the shards were taken over after %s", len(accepted), l.Duplicates("kinesis"), took)
}
