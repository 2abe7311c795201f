package tests

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// countingCode counts in Redis how many executions there are at once, and keeps the
// most. It speaks Redis's protocol itself: what it counts by is not what is tested.
func countingCode(redis *redisServer, execution time.Duration) map[string]string {
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
};`, redis.port, execution.Milliseconds())}
}

func (a *api) reserve(name string, most int32) {
	a.t.Helper()
	_, err := a.PutFunctionConcurrency(context.Background(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String(name), ReservedConcurrentExecutions: &most})
	a.check(err)
}

func TestClusterHoldsReservedConcurrencyOverAllNodes(t *testing.T) {
	const reserved, callers = 10, 100
	c := &cluster{t: t, redis: newRedis(t)}
	for range 3 {
		c.add(c.redis.url(), fmt.Sprintf("reach 127.0.0.1:%d", c.redis.port)) // the functions count there
	}
	first := c.nodes[0]
	first.create("f", zipOf(t, countingCode(c.redis, 30*time.Millisecond)))
	first.reserve("f", reserved)
	c.withinASecond("/f", 200, "counted", c.nodes...)
	c.redis.cli("SET", "test:most", "0")
	most := func() int {
		n, err := strconv.Atoi(c.redis.cli("GET", "test:most"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	began := time.Now()
	l := c.load(callers/len(c.nodes)+1, "/f", c.nodes...)
	eventually(t, "all of the reserved concurrency is used", func() bool { return most() >= reserved })
	eventually(t, "every node gets its share", func() bool {
		answered := make(map[*api]int)
		for _, one := range l.sofar() {
			if one.status == 200 {
				answered[one.node]++
			}
		}
		return answered[c.nodes[0]] >= 100 && answered[c.nodes[1]] >= 100 && answered[c.nodes[2]] >= 100
	})
	// One node alone may use it all when the others have nothing to do.
	l.end()
	took := time.Since(began)
	c.redis.cli("SET", "test:most", "0")
	alone := c.load(20, "/f", c.nodes[1])
	eventually(t, "one node uses all of the reserved concurrency", func() bool { return most() >= reserved })
	alone.end()
	if n := most(); n != reserved {
		t.Errorf("%d executions at once, want %d", n, reserved)
	}
	if now := c.redis.cli("GET", "test:now"); now != "0" {
		t.Errorf("%s executions are left over", now)
	}
	answered, throttled := make(map[*api]int), 0
	for _, one := range l.done {
		switch {
		case one.err == nil && one.status == 200:
			answered[one.node]++
		case one.err == nil && one.status == 429: // it waited for the queue timeout
			throttled++
		default:
			t.Fatalf("a call failed: %v", one)
		}
	}
	for n, node := range c.nodes {
		t.Logf("node %d answered %d calls in %s", n+1, answered[node], took.Round(time.Millisecond))
	}
	t.Logf("%d of %d calls were throttled", throttled, len(l.done))
}

// commands is how many commands redis has run, those that scripts call included.
func (r *redisServer) commands() (n int) {
	r.t.Helper()
	for _, line := range strings.Split(r.cli("info", "commandstats"), "\n") {
		var calls int
		if _, after, found := strings.Cut(line, ":calls="); found {
			if _, err := fmt.Sscan(strings.ReplaceAll(after, ",", " "), &calls); err != nil {
				r.t.Fatal(err)
			}
			n += calls
		}
	}
	return n
}

func TestClusterWarmCallAsksRedisNothing(t *testing.T) {
	const calls = 1000
	c := newCluster(t, 2, "")
	first := c.nodes[0]
	first.create("f", nodeZip(t, answers("well")))
	first.create("reserved", nodeZip(t, answers("well")))
	first.reserve("reserved", 4)
	c.withinASecond("/f", 200, "well", c.nodes...)
	c.withinASecond("/invoke/reserved", 200, "well", first)
	began, before := time.Now(), c.redis.commands()
	for range calls / 2 {
		first.get("/f").want(t, 200, "well")
		first.get("/invoke/reserved").want(t, 200, "well")
	}
	took, asked := time.Since(began), c.redis.commands()-before
	before = c.redis.commands()
	<-time.After(took)
	idle := c.redis.commands() - before
	t.Logf("%d warm calls in %s: %d commands, %d in the same time without calls", calls, took.Round(time.Millisecond), asked, idle)
	if asked-idle > calls/10 {
		t.Errorf("%d warm calls asked redis %d times, %d times without calls", calls, asked, idle)
	}
}
