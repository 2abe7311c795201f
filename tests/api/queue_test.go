package api

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// Two calls at once of a function with a reserved concurrency of 1: on AWS the second is
// throttled at once, here it waits unless it is told not to.
func TestQueueIsOffForAllFunctionsOrByTheTagOfOne(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "queue_timeout off", "")
	ctx := context.Background()
	for _, name := range []string{"strict", "waits"} {
		a.Create(name, harness.NodeZip(t, "console.log('begun', event.n); await new Promise(r => setTimeout(r, event.ms)); return event.n;"))
		_, err := a.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(1)})
		a.Check(err)
	}
	arn := "arn:aws:lambda:us-east-1:000000000000:function:waits"
	_, err := a.TagResource(ctx, &lambda.TagResourceInput{Resource: &arn, Tags: map[string]string{"hearth:queue_timeout": "soon"}})
	harness.Refused(t, err, 400, "InvalidParameterValueException", `tag hearth:queue_timeout "soon": a duration of 1ms to`)
	_, err = a.TagResource(ctx, &lambda.TagResourceInput{Resource: &arn, Tags: map[string]string{"hearth:queue_timeout": "30s"}})
	a.Check(err)

	// second makes a call while another one runs.
	second := func(name string) error {
		t.Helper()
		first := make(chan error, 1)
		go func() {
			_, err := a.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"n":1,"ms":1500}`)})
			first <- err
		}()
		harness.Eventually(t, "the first call runs", func() bool { return a.Metric(`hearth_concurrent_executions{function="`+name+`"}`) == 1 })
		_, err := a.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"n":2,"ms":0}`)})
		a.Check(<-first)
		return err
	}
	a.Check(second("waits"))
	harness.Refused(t, second("strict"), 429, "TooManyRequestsException", "Rate Exceeded.")

	// By the tag, in both directions.
	_, err = a.UntagResource(ctx, &lambda.UntagResourceInput{Resource: &arn, TagKeys: []string{"hearth:queue_timeout"}})
	a.Check(err)
	harness.Refused(t, second("waits"), 429, "TooManyRequestsException", "Rate Exceeded.")
}
