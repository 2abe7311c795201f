package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// newCluster starts nodes with what options says of the hearth option.
func newCluster(t *testing.T, nodes int, options string) *harness.Cluster {
	t.Helper()
	c := &harness.Cluster{T: t, Redis: harness.NewRedis(t, "--appendonly", "yes")}
	for range nodes {
		c.Add(c.Redis.URL(), options)
	}
	return c
}

func TestClusterNodesFollowEachOthersChangesWithinASecond(t *testing.T) {
	harness.Quiet(t)
	c := newCluster(t, 3, "")
	first, others := c.Nodes[0], c.Nodes[1:]
	for _, node := range c.Nodes {
		node.Get("/f").Want(t, 404, "")
	}
	first.Create("f", harness.NodeZip(t, harness.Answers("old code")))
	c.WithinASecond("/f", 200, "old code", others...)
	for n, text := range []string{"second code", "third code"} {
		first.UpdateCode("f", harness.NodeZip(t, harness.Answers(text)))
		c.WithinASecond("/f", 200, text, others...)
		if n == 0 { // by another node, and the Lambda API of a third
			first, others = c.Nodes[1], []*harness.API{c.Nodes[0], c.Nodes[2]}
			c.Nodes[2].WantCall("f", "{}", text)
		}
	}
	ctx, name := context.Background(), aws.String("f")
	_, err := first.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: aws.Int32(0)})
	first.Check(err)
	c.WithinASecond("/f", 429, "", others...)
	_, err = first.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: name})
	first.Check(err)
	c.WithinASecond("/f", 200, "third code", others...)
	_, err = first.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name})
	first.Check(err)
	c.WithinASecond("/f", 404, "", c.Nodes...)
	first.Create("f", harness.NodeZip(t, harness.Answers("made again")))
	c.WithinASecond("/f", 200, "made again", others...)
}

func TestClusterRunsNoOldCodeASecondAfterAnUpdateUnderLoad(t *testing.T) {
	harness.Quiet(t)
	c := newCluster(t, 3, "")
	first := c.Nodes[0]
	first.Create("f", harness.NodeZip(t, harness.Answers("code 0")))
	c.WithinASecond("/f", 200, "code 0", c.Nodes...)
	l := c.Load(2, "/f", c.Nodes...)
	old := 0
	for n := 1; n <= 2; n++ {
		_, err := c.Nodes[n].UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{
			FunctionName: aws.String("f"), ZipFile: harness.NodeZip(t, harness.Answers(fmt.Sprint("code ", n))),
		})
		first.Check(err)
		returned := time.Now()
		<-time.After(time.Second) // what is promised
		l.Runs(t, 100)
		for _, one := range l.Sofar() {
			if one.Began.After(returned) && one.Body != fmt.Sprint("code ", n) {
				if old++; one.Began.After(returned.Add(time.Second)) {
					t.Fatalf("%s after the update to code %d: %v", one.Began.Sub(returned), n, one)
				}
			}
		}
	}
	l.WantAll(t, 200, "code ")
	t.Logf("%d calls ran old code after an update had returned", old)
}
