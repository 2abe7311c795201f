package sources

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9"

	"github.com/hearthfn/hearth/tests/harness"
)

// pending is how many records of a group are not done.
func pending(t *testing.T, c *redis.Client, stream, group string) int64 {
	t.Helper()
	got, err := c.XPending(context.Background(), stream, group).Result()
	if err != nil {
		t.Fatal(err)
	}
	return got.Count
}

func TestStreamsOfRedisAreRead(t *testing.T) {
	harness.Slow(t, "a reader that died is waited for 15 s")
	harness.Parallel(t)
	r, m := harness.NewRedis(t), harness.StartMoto(t)
	url, dead := m.Queue(t, "dead")
	c := r.Client()
	s := harness.NewServer(t, "", "")
	s.Configure(fmt.Sprintf(`aws_endpoint %s
	sqs {
		access_key %s %s
	}
	event_source %s/0 f {
		topic orders
		group shop
		filter `+"`"+`{"values": {"kind": [{"exists": false}, "order"]}}`+"`"+`
		report_failures
		retries 1
		on_failure %s
	}
	`, m.URL, harness.MotoKey, harness.MotoSecret, r.URL(), dead)+harness.PythonFunction("f", s.Code("f", map[string]string{"app.py": `
import json
def handler(event, context):
    failed = []
    for r in event["Records"]:
        print("record", json.dumps(r, sort_keys=True))
        if r["values"].get("id") == "poison":
            failed.append({"itemIdentifier": r["eventID"]})
        else:
            print("done", r["values"].get("id"))
    return {"batchItemFailures": failed}
`}), ""), "")
	s.Start()
	// Those that are there before the group is begin it.
	harness.Eventually(t, "the group is there", func() bool { return c.XInfoGroups(t.Context(), "orders").Err() == nil })
	harness.AddRecords(t, c, "orders", "first")
	c.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: []string{"kind", "other", "id", "unwanted"}})
	c.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: []string{"kind", "order", "blob", "\xff\x00", "id", "binary"}})
	s.WantLog("f", `"eventSource": "hearth:redis"`, `"stream": "orders"`, `"group": "shop"`, `"binaryValues": {"blob": "/wA="}`, "done first", "done binary")
	harness.AddRecords(t, c, "orders", "a", "poison", "b")
	told := *m.Next(t, url).Body
	if !strings.Contains(told, `"condition":"RetryAttemptsExhausted"`) || !strings.Contains(told, `"stream":"orders"`) || !strings.Contains(told, `"batchSize":1`) {
		t.Errorf("told was %s", told)
	}
	s.WantLog("f", "done a", "done b")
	harness.Eventually(t, "nothing is pending", func() bool { return pending(t, c, "orders", "shop") == 0 })
	if text := s.Logs("f"); strings.Contains(text, "unwanted") || strings.Count(text, "done a") != 1 {
		t.Error("the function got what its filter does not want, or what it has done")
	}
	s.Stop()
	if stats := r.CLI("INFO", "commandstats"); !strings.Contains(stats, "cmdstat_client|unblock:") {
		t.Errorf("the server that stopped has not ended its wait for records:\n%s", stats)
	}
	if readers, err := c.XInfoConsumers(t.Context(), "orders", "shop").Result(); err != nil || len(readers) != 0 {
		t.Errorf("readers are left: %+v, %v", readers, err)
	}
	_, _ = m.SQS.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: aws.String(url)})
}

func TestRecordsOfRedisSurviveKillsOfBoth(t *testing.T) {
	harness.Slow(t, "it kills 6 times")
	harness.Parallel(t)
	random := harness.NewRandom(t)
	r, l := harness.NewRedis(t, "--appendonly", "yes", "--appendfsync", "always"), harness.NewLedger(t)
	c := r.Client()
	s := harness.NewServer(t, "", "")
	s.Configure(fmt.Sprintf("event_source %s f {\n topic orders\n}\n", r.URL())+l.Function(s, "f", `"\n".join(r["values"]["id"] for r in event["Records"])`), "")
	s.Start()
	accepted := make(map[string]bool)
	const killed = 6
	for n := range killed + 1 {
		var ids []string
		for one := range 300 {
			id := fmt.Sprintf("redis-%d-%03d", n, one)
			ids, accepted[id] = append(ids, id), true
		}
		harness.AddRecords(t, c, "orders", ids...)
		random.Wait(300 * time.Millisecond)
		switch {
		case n == killed:
		case n%2 == 0:
			s.Kill()
			s.Spawn()
			harness.Eventually(t, "the server serves", func() bool { return strings.Contains(s.Output(), "serving initial configuration") })
		default:
			r.Kill()
			r.Start()
			harness.Eventually(t, "redis answers", func() bool { return c.Ping(t.Context()).Err() == nil })
		}
	}
	l.Wait(accepted)
	t.Logf("%d records, %d duplicates after %d kills", len(accepted), l.Duplicates("redis"), killed)
	if n, most := l.Duplicates("redis"), killed*5*100; n > most {
		t.Errorf("%d duplicates, over %d", n, most)
	}
}

func TestClusterNodesShareAStreamOfRedis(t *testing.T) {
	harness.Parallel(t)
	r, l := harness.NewRedis(t), harness.NewLedger(t)
	c := r.Client()
	servers := []*harness.Server{harness.NewServer(t, "", ""), harness.NewServer(t, "", "")}
	for _, s := range servers { // which share nothing else
		s.Configure(fmt.Sprintf("event_source %s f {\n topic orders\n group shop\n batch_size 10\n}\n", r.URL())+l.Function(s, "f", `"\n".join(r["values"]["id"] for r in event["Records"])`), "")
		s.Start()
	}
	accepted := make(map[string]bool)
	add := func(round int) {
		for n := range 100 {
			id := fmt.Sprintf("redis-%d-%d", round, n)
			accepted[id] = true
			harness.AddRecords(t, c, "orders", id)
		}
	}
	got := func(s *harness.Server) float64 { return s.Metric(`hearth_mapping_records_total{function="f"}`) }
	round := 0
	harness.Eventually(t, "both get records", func() bool {
		add(round)
		round++
		time.Sleep(100 * time.Millisecond)
		return got(servers[0]) > 0 && got(servers[1]) > 0
	})
	l.Wait(accepted)
	servers[0].Kill()
	add(1000)
	l.Wait(accepted)
	if n := l.Duplicates("redis"); n > 50 {
		t.Errorf("%d duplicates", n)
	}
}

func TestRecordsOfRedisThatEndTheirReadersAreGivenUp(t *testing.T) {
	harness.Slow(t, "a reader that died is waited for 15 s")
	harness.Parallel(t)
	r, m := harness.NewRedis(t), harness.StartMoto(t)
	url, dead := m.Queue(t, "dead")
	c := r.Client()
	// One that had the record twice, and is gone.
	harness.AddRecords(t, c, "orders", "deadly", "other")
	if err := c.XGroupCreate(t.Context(), "orders", "shop", "0").Err(); err != nil {
		t.Fatal(err)
	}
	got, err := c.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "shop", Consumer: "gone", Streams: []string{"orders", ">"}, Count: 1}).Result()
	if err != nil {
		t.Fatal(err)
	}
	id := got[0].Messages[0].ID
	err = c.Do(t.Context(), "XCLAIM", "orders", "shop", "gone", 0, id, "IDLE", 60000, "RETRYCOUNT", 2).Err()
	if err != nil {
		t.Fatal(err)
	}
	s, l := harness.NewServer(t, "", ""), harness.NewLedger(t)
	s.Configure(fmt.Sprintf("aws_endpoint %s\nsqs {\n access_key %s %s\n}\nevent_source %s/0 f {\n topic orders\n group shop\n retries 1\n on_failure %s\n concurrency 1\n}\n", m.URL, harness.MotoKey, harness.MotoSecret, r.URL(), dead)+
		l.Function(s, "f", `"\n".join(r["values"]["id"] for r in event["Records"])`), "")
	s.Start()
	if told := *m.Next(t, url).Body; !strings.Contains(told, `"condition":"RetryAttemptsExhausted"`) || !strings.Contains(told, id) {
		t.Errorf("told was %s", told)
	}
	l.Wait(map[string]bool{"other": true})
	harness.Eventually(t, "nothing is pending", func() bool { return pending(t, c, "orders", "shop") == 0 })
	l.Mu.Lock()
	defer l.Mu.Unlock()
	if l.Ran["deadly"] != 0 {
		t.Error("the record ran once more")
	}
}
