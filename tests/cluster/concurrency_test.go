package cluster

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// countingCode counts in Redis how many executions there are at once, and keeps the
// most. It speaks Redis's protocol itself: what it counts by is not what is tested.
func countingCode(redis *harness.Redis, execution time.Duration) map[string]string {
	return map[string]string{"index.mjs": fmt.Sprintf(`
import net from 'node:net';
const redis = net.connect(%d, '127.0.0.1').setNoDelay();
const ask = command => new Promise(done => { redis.once('data', done); redis.write(command + '\r\n'); });
const enter = "local n = redis.call('INCR', 'test:now') if n > tonumber(redis.call('GET', 'test:most') or 0) then redis.call('SET', 'test:most', n) end return n";
export const handler = async () => {
	await ask('EVAL "' + enter + '" 0');
	await new Promise(done => setTimeout(done, %d));
	await ask('DECR test:now');
	return { statusCode: 200, body: 'counted' };
};`, redis.Port, execution.Milliseconds())}
}

func reserve(a *harness.API, name string, most int32) {
	a.T.Helper()
	_, err := a.PutFunctionConcurrency(context.Background(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String(name), ReservedConcurrentExecutions: &most})
	a.Check(err)
}

func TestClusterHoldsReservedConcurrencyOverAllNodes(t *testing.T) {
	harness.Slow(t, "it counts many calls")
	harness.Parallel(t)
	const reserved, callers = 10, 100
	c := &harness.Cluster{T: t, Redis: harness.NewRedis(t)}
	for range 3 {
		c.Add(c.Redis.URL(), fmt.Sprintf("reach 127.0.0.1:%d", c.Redis.Port)) // the functions count there
	}
	first := c.Nodes[0]
	first.Create("f", harness.ZipOf(t, countingCode(c.Redis, 30*time.Millisecond)))
	reserve(first, "f", reserved)
	c.WithinASecond("/f", 200, "counted", c.Nodes...)
	c.Redis.CLI("SET", "test:most", "0")
	most := func() int {
		n, err := strconv.Atoi(c.Redis.CLI("GET", "test:most"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	began := time.Now()
	l := c.Load(callers/len(c.Nodes)+1, "/f", c.Nodes...)
	harness.Eventually(t, "all of the reserved concurrency is used", func() bool { return most() >= reserved })
	harness.Eventually(t, "every node gets its share", func() bool {
		answered := make(map[*harness.API]int)
		for _, one := range l.Sofar() {
			if one.Status == 200 {
				answered[one.Node]++
			}
		}
		return answered[c.Nodes[0]] >= 100 && answered[c.Nodes[1]] >= 100 && answered[c.Nodes[2]] >= 100
	})
	// One node alone may use it all when the others have nothing to do.
	l.End()
	took := time.Since(began)
	c.Redis.CLI("SET", "test:most", "0")
	alone := c.Load(20, "/f", c.Nodes[1])
	harness.Eventually(t, "one node uses all of the reserved concurrency", func() bool { return most() >= reserved })
	alone.End()
	if n := most(); n != reserved {
		t.Errorf("%d executions at once, want %d", n, reserved)
	}
	if now := c.Redis.CLI("GET", "test:now"); now != "0" {
		t.Errorf("%s executions are left over", now)
	}
	answered, throttled := make(map[*harness.API]int), 0
	for _, one := range l.Done {
		switch {
		case one.Err == nil && one.Status == 200:
			answered[one.Node]++
		case one.Err == nil && one.Status == 429: // it waited for the queue timeout
			throttled++
		default:
			t.Fatalf("a call failed: %v", one)
		}
	}
	for n, node := range c.Nodes {
		t.Logf("node %d answered %d calls in %s", n+1, answered[node], took.Round(time.Millisecond))
	}
	t.Logf("%d of %d calls were throttled", throttled, len(l.Done))
}

func TestClusterWarmCallAsksRedisNothing(t *testing.T) {
	harness.Quiet(t)
	const calls = 1000
	c := newCluster(t, 2, "")
	first := c.Nodes[0]
	first.Create("f", harness.NodeZip(t, harness.Answers("well")))
	first.Create("reserved", harness.NodeZip(t, harness.Answers("well")))
	reserve(first, "reserved", 4)
	c.WithinASecond("/f", 200, "well", c.Nodes...)
	c.WithinASecond("/invoke/reserved", 200, "well", first)
	began, before := time.Now(), c.Redis.Commands()
	for range calls / 2 {
		first.Get("/f").Want(t, 200, "well")
		first.Get("/invoke/reserved").Want(t, 200, "well")
	}
	took, asked := time.Since(began), c.Redis.Commands()-before
	before = c.Redis.Commands()
	<-time.After(took)
	idle := c.Redis.Commands() - before
	t.Logf("%d warm calls in %s: %d commands, %d in the same time without calls", calls, took.Round(time.Millisecond), asked, idle)
	if asked-idle > calls/10 {
		t.Errorf("%d warm calls asked redis %d times, %d times without calls", calls, asked, idle)
	}
}
