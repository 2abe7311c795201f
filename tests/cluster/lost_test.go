package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// listed are the functions that a node lists.
func listed(a *harness.API) string {
	a.T.Helper()
	out, err := a.ListFunctions(context.Background(), &lambda.ListFunctionsInput{})
	a.Check(err)
	var names []string
	for _, f := range out.Functions {
		names = append(names, *f.FunctionName)
	}
	return strings.Join(names, " ")
}

func TestClusterNoticesThatRedisLostWhatItKept(t *testing.T) {
	harness.Parallel(t)
	c := newCluster(t, 1, "")
	holder, full := c.Nodes[0], c.Add(c.Redis.URL(), "memory_budget 64")
	code := harness.ZipOf(t, map[string]string{"index.mjs": whoCode + `
const answer = handler;
export const logging = async event => { console.log('ran', event.n); return answer(); };`})
	logs := func(in *lambda.CreateFunctionInput) { in.Handler = aws.String("index.logging") }
	holder.Create("f", code, logs)
	name := holder.Get("/f").Body
	harness.Eventually(t, "the full node has its call run by the other", func() bool { return full.Get("/f").Body == name })

	c.Redis.CLI("flushall")
	const lost = `"msg":"redis has lost what it kept`
	for _, node := range c.Nodes {
		harness.Eventually(t, "a node says that redis lost what it kept", func() bool { return strings.Contains(node.Output(), lost) })
		harness.Eventually(t, "a function that is gone is not called", func() bool { return node.Get("/f").Status == 404 })
		if names := listed(node); names != "" {
			t.Errorf("after the loss a node lists %q", names)
		}
		_, err := node.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
		harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found")
	}
	full.Create("f", code, logs)
	for _, node := range c.Nodes {
		if names := listed(node); names != "f" {
			t.Errorf("after the function is made again a node lists %q", names)
		}
	}
	harness.Eventually(t, "the node with room runs the function", func() bool { return holder.Get("/f").Status == 200 })
	name = holder.Get("/f").Body
	harness.Eventually(t, "the full node has its call run by the other again", func() bool { return full.Get("/f").Body == name })

	// One that comes later knows the others, and has their key.
	third := c.Add(c.Redis.URL(), "memory_budget 64")
	if third.Credentials != holder.Credentials {
		t.Error("a node that joined after the loss has another access key")
	}
	harness.Eventually(t, "a new node has its call run by another", func() bool { return third.Get("/f").Body == name })
	harness.Eventually(t, "all nodes know each other", func() bool {
		got := holder.Admin("GET", "/hearth/nodes").Body
		return strings.Contains(got, `"n1"`) && strings.Contains(got, `"n2"`) && strings.Contains(got, `"n3"`)
	})

	// What is accepted now is found and run.
	for n := range 3 {
		_, err := full.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeEvent, Payload: fmt.Appendf(nil, `{"n":%d}`, n)})
		full.Check(err)
	}
	harness.Eventually(t, "events run that were accepted after the loss", func() bool {
		all := ""
		for _, node := range c.Nodes {
			all += node.Logs("f")
		}
		return strings.Contains(all, "ran 0") && strings.Contains(all, "ran 1") && strings.Contains(all, "ran 2")
	})
	for n, node := range c.Nodes[:2] {
		if told := strings.Count(node.Output(), lost); told != 1 {
			t.Errorf("node %d told of the loss %d times", n+1, told)
		}
	}
}
