package cluster

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestClusterSpreadsProvisionedConcurrency(t *testing.T) {
	harness.Parallel(t)
	c := newCluster(t, 3, "")
	first := c.Nodes[0]
	harness.Eventually(t, "all nodes know each other", func() bool { // else one starts more at first, and keeps it while it is idle
		for _, node := range c.Nodes {
			if node.Metric("hearth_nodes") != 3 {
				return false
			}
		}
		return true
	})
	first.Create("f", harness.NodeZip(t, harness.Answers("x")))
	ctx, name := t.Context(), aws.String("f")
	_, err := first.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: name})
	first.Check(err)
	_, err = first.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: name, Qualifier: aws.String("1"), ProvisionedConcurrentExecutions: aws.Int32(5),
	})
	first.Check(err)
	warm := func(want ...int) {
		t.Helper()
		got := make([]int, len(c.Nodes))
		harness.Eventually(t, fmt.Sprintf("some have %v environments", want), func() bool {
			count := make(map[int]int)
			for n, node := range c.Nodes {
				got[n] = int(node.Metric(`hearth_environments{function="f",state="idle"}`))
				count[got[n]]++
			}
			for _, n := range want {
				count[n]--
			}
			for _, left := range count {
				if left != 0 {
					return false
				}
			}
			return true
		})
		if t.Failed() {
			t.Fatalf("environments: %v", got)
		}
	}
	warm(2, 2, 1)
	for _, node := range c.Nodes {
		harness.Eventually(t, "it is ready for all nodes", func() bool {
			got, err := node.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: aws.String("1")})
			node.Check(err)
			return got.Status == types.ProvisionedConcurrencyStatusEnumReady && *got.AllocatedProvisionedConcurrentExecutions == 5
		})
	}
	c.Nodes[2].Stop()
	c.Nodes = c.Nodes[:2]
	warm(2, 3)
}
