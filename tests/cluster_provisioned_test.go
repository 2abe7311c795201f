package tests

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestClusterSpreadsProvisionedConcurrency(t *testing.T) {
	c := newCluster(t, 3, "")
	first := c.nodes[0]
	eventually(t, "all nodes know each other", func() bool { // else one starts more at first, and keeps it while it is idle
		for _, node := range c.nodes {
			if node.metric("hearth_nodes") != 3 {
				return false
			}
		}
		return true
	})
	first.create("f", nodeZip(t, answers("x")))
	ctx, name := t.Context(), aws.String("f")
	_, err := first.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: name})
	first.check(err)
	_, err = first.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: name, Qualifier: aws.String("1"), ProvisionedConcurrentExecutions: aws.Int32(5),
	})
	first.check(err)
	warm := func(want ...int) {
		t.Helper()
		got := make([]int, len(c.nodes))
		eventually(t, fmt.Sprintf("some have %v environments", want), func() bool {
			count := make(map[int]int)
			for n, node := range c.nodes {
				got[n] = int(node.metric(`hearth_environments{function="f",state="idle"}`))
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
	for _, node := range c.nodes {
		eventually(t, "it is ready for all nodes", func() bool {
			got, err := node.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: aws.String("1")})
			node.check(err)
			return got.Status == types.ProvisionedConcurrencyStatusEnumReady && *got.AllocatedProvisionedConcurrentExecutions == 5
		})
	}
	c.nodes[2].stop()
	c.nodes = c.nodes[:2]
	warm(2, 3)
}
