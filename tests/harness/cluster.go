package harness

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// TakesAgain waits until nodes take events again, and follow each other's changes.
func (c *Cluster) TakesAgain(accepted map[string]bool, name string) {
	c.T.Helper()
	since := time.Now()
	for n, node := range c.Nodes {
		Eventually(c.T, "a node takes events again", func() bool { return node.Accept(accepted, fmt.Sprint(name, n), 1) == 0 })
	}
	c.T.Logf("%s: all nodes take events again after %s", name, time.Since(since).Round(time.Millisecond))
	c.Nodes[0].Create(name, NodeZip(c.T, Answers(name)))
	Eventually(c.T, "another node knows a new function", func() bool {
		_, err := c.Nodes[1].Invoke(c.T.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte("{}")})
		return err == nil
	})
	c.Nodes[1].UpdateCode(name, NodeZip(c.T, Answers("changed")))
	c.WithinASecond("/invoke/"+name, 200, "changed", c.Nodes...)
}

// Drain has all nodes take up no events (POST), or take them up again (DELETE).
func (c *Cluster) Drain(method string) {
	c.T.Helper()
	for _, node := range c.Nodes {
		node.Admin(method, "/hearth/drain").Want(c.T, 200, "draining")
	}
}

// A Cluster is nodes that share a Redis. Each is a process of its own, with its own
// data directory, and serves the function f at /f, and to WebSockets at /socket.
type Cluster struct {
	T     *testing.T
	Redis *Redis
	Nodes []*API
}

const ClusterSite = `function /f f
function /invoke/reserved reserved
function /invoke/restarted restarted
function /invoke/resumed resumed
function /invoke/failed-over failed-over
websocket /socket chat {
	message who f {
		respond
	}
}
receive /events/* generic {
	token ` + HookToken + `
}
`

// Add starts one more node.
func (c *Cluster) Add(redis, options string, change ...func(*Server)) *API {
	c.T.Helper()
	a := &API{Server: NewServer(c.T, "", "")}
	for _, f := range change {
		f(a.Server)
	}
	c.Nodes = append(c.Nodes, a)
	a.Configure(fmt.Sprintf("%snode n%d\nidle_timeout 10m\n%s", RedisOption(redis), len(c.Nodes), options), ClusterSite)
	a.Start()
	a.Connect()
	return a
}

// WithinASecond fails unless every call of a node that begins a second after now, or
// later, is answered so. It returns when that was.
func (c *Cluster) WithinASecond(path string, status int, text string, nodes ...*API) {
	c.T.Helper()
	since := time.Now()
	for _, node := range nodes {
		for {
			began := time.Now()
			got := node.Get(path)
			if got.Status == status && strings.Contains(got.Body, text) {
				c.T.Logf("%s: %d %.20s after %s", node.URL(path), status, text, time.Since(since).Round(time.Millisecond))
				break
			}
			if began.Sub(since) > time.Second {
				c.T.Errorf("%s after more than a second: %d %.200s, want %d %q", node.URL(path), got.Status, got.Body, status, text)
				break
			}
		}
	}
}
