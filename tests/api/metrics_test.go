package api

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestMetricsOfAFunctionGoWithIt(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "metrics /metrics\n")
	for _, name := range []string{"stays", "goes"} {
		a.Create(name, harness.NodeZip(t, harness.Answers(name)))
		a.WantCall(name, "{}", name)
		_, err := a.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), InvocationType: types.InvocationTypeEvent})
		a.Check(err)
		harness.Eventually(t, "a function that ran, by an event too, has metrics", func() bool {
			all := a.Get("/metrics").Body
			return strings.Contains(all, `hearth_invocations_total{function="`+name+`"} 2`) &&
				strings.Contains(all, `hearth_async_events_received_total{function="`+name+`"} 1`)
		})
	}
	_, err := a.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("goes")})
	a.Check(err)
	harness.Eventually(t, "the metrics of a deleted function are gone", func() bool {
		return !strings.Contains(a.Get("/metrics").Body, `function="goes"`)
	})
	if all := a.Get("/metrics").Body; !strings.Contains(all, `hearth_invocations_total{function="stays"} 2`) || !strings.Contains(all, `hearth_async_events_received_total{function="stays"} 1`) {
		t.Error("the metrics of another function have gone")
	}
	a.Create("goes", harness.NodeZip(t, harness.Answers("again")))
	a.WantCall("goes", "{}", "again")
	if all := a.Get("/metrics").Body; !strings.Contains(all, `hearth_invocations_total{function="goes"} 1`) {
		t.Error("a function that is made again does not begin at 0")
	}
}
