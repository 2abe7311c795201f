package tests

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// A cluster is nodes that share a Redis. Each is a process of its own, with its own
// data directory, and serves the function f at /f.
type cluster struct {
	t     *testing.T
	redis *redisServer
	nodes []*api
}

const clusterSite = `invoke /f f
invoke /invoke/reserved reserved
invoke /invoke/restarted restarted
invoke /invoke/resumed resumed
invoke /invoke/failed-over failed-over
receive /events/* generic {
	token ` + hookToken + `
}
`

// newCluster starts nodes with what options says of the hearth option.
func newCluster(t *testing.T, nodes int, options string) *cluster {
	t.Helper()
	c := &cluster{t: t, redis: newRedis(t, "--appendonly", "yes")}
	for range nodes {
		c.add(c.redis.url(), options)
	}
	return c
}

// add starts one more node.
func (c *cluster) add(redis, options string, change ...func(*server)) *api {
	c.t.Helper()
	a := &api{server: newServer(c.t, "", "")}
	for _, f := range change {
		f(a.server)
	}
	c.nodes = append(c.nodes, a)
	a.configure(fmt.Sprintf("redis %s\nnode n%d\nidle_timeout 10m\n%s", redis, len(c.nodes), options), clusterSite)
	a.start()
	a.connect()
	return a
}

// A loaded is one request of a load, and its answer.
type loaded struct {
	node         *api
	began, ended time.Time
	response
	err error
}

func (l loaded) String() string { return fmt.Sprintf("%d %.200s %v", l.status, l.body, l.err) }

// A load is callers who ask nodes again and again.
type load struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu   sync.Mutex
	done []loaded // guarded by mu
}

// load begins with so many callers of each node.
func (c *cluster) load(callers int, path string, nodes ...*api) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{stop: stop}
	patient := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	c.t.Cleanup(patient.CloseIdleConnections)
	c.t.Cleanup(l.end)
	for _, node := range nodes {
		for range callers {
			l.all.Go(func() {
				for ctx.Err() == nil {
					one := loaded{node: node, began: time.Now()}
					one.response, one.err = tryWith(patient, node.request("GET", path, nil))
					one.ended = time.Now()
					l.mu.Lock()
					l.done = append(l.done, one)
					l.mu.Unlock()
					time.Sleep(3 * time.Millisecond) // the nodes need the cores more
				}
			})
		}
	}
	return l
}

// sofar are the requests that were answered until now.
func (l *load) sofar() []loaded {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done[:len(l.done):len(l.done)]
}

func (l *load) end() { l.stop(); l.all.Wait() }

// runs waits until so many more calls that begin from now on have been answered.
func (l *load) runs(t *testing.T, more int) {
	t.Helper()
	now := time.Now()
	eventually(t, fmt.Sprintf("%d calls are answered", more), func() bool {
		n := 0
		for _, one := range l.sofar() {
			if one.began.After(now) {
				n++
			}
		}
		return n >= more
	})
}

// wantAll ends the load and fails unless all of it was answered with status and text.
func (l *load) wantAll(t *testing.T, status int, text string) {
	t.Helper()
	l.end()
	bad := 0
	for _, one := range l.done {
		if one.err != nil || one.status != status || !strings.Contains(one.body, text) {
			if bad++; bad <= 5 {
				t.Errorf("after %s: %v, want %d %q", one.ended.Sub(one.began), one, status, text)
			}
		}
	}
	t.Logf("%d calls, %d of them failed", len(l.done), bad)
}

// withinASecond fails unless every call of a node that begins a second after now, or
// later, is answered so. It returns when that was.
func (c *cluster) withinASecond(path string, status int, text string, nodes ...*api) {
	c.t.Helper()
	since := time.Now()
	for _, node := range nodes {
		for {
			began := time.Now()
			got := node.get(path)
			if got.status == status && strings.Contains(got.body, text) {
				c.t.Logf("%s: %d %.20s after %s", node.url(path), status, text, time.Since(since).Round(time.Millisecond))
				break
			}
			if began.Sub(since) > time.Second {
				c.t.Errorf("%s after more than a second: %d %.200s, want %d %q", node.url(path), got.status, got.body, status, text)
				break
			}
		}
	}
}

func TestClusterNodesFollowEachOthersChangesWithinASecond(t *testing.T) {
	c := newCluster(t, 3, "")
	first, others := c.nodes[0], c.nodes[1:]
	for _, node := range c.nodes {
		node.get("/f").want(t, 404, "")
	}
	first.create("f", nodeZip(t, answers("old code")))
	c.withinASecond("/f", 200, "old code", others...)
	for n, text := range []string{"second code", "third code"} {
		first.updateCode("f", nodeZip(t, answers(text)))
		c.withinASecond("/f", 200, text, others...)
		if n == 0 { // by another node, and the Lambda API of a third
			first, others = c.nodes[1], []*api{c.nodes[0], c.nodes[2]}
			c.nodes[2].wantCall("f", "{}", text)
		}
	}
	ctx, name := context.Background(), aws.String("f")
	_, err := first.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: aws.Int32(0)})
	first.check(err)
	c.withinASecond("/f", 429, "", others...)
	_, err = first.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: name})
	first.check(err)
	c.withinASecond("/f", 200, "third code", others...)
	_, err = first.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name})
	first.check(err)
	c.withinASecond("/f", 404, "", c.nodes...)
	first.create("f", nodeZip(t, answers("made again")))
	c.withinASecond("/f", 200, "made again", others...)
}

func TestClusterRunsNoOldCodeASecondAfterAnUpdateUnderLoad(t *testing.T) {
	c := newCluster(t, 3, "")
	first := c.nodes[0]
	first.create("f", nodeZip(t, answers("code 0")))
	c.withinASecond("/f", 200, "code 0", c.nodes...)
	l := c.load(2, "/f", c.nodes...)
	old := 0
	for n := 1; n <= 2; n++ {
		_, err := c.nodes[n].UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{
			FunctionName: aws.String("f"), ZipFile: nodeZip(t, answers(fmt.Sprint("code ", n))),
		})
		first.check(err)
		returned := time.Now()
		<-time.After(time.Second) // what is promised
		l.runs(t, 100)
		for _, one := range l.sofar() {
			if one.began.After(returned) && one.body != fmt.Sprint("code ", n) {
				if old++; one.began.After(returned.Add(time.Second)) {
					t.Fatalf("%s after the update to code %d: %v", one.began.Sub(returned), n, one)
				}
			}
		}
	}
	l.wantAll(t, 200, "code ")
	t.Logf("%d calls ran old code after an update had returned", old)
}
