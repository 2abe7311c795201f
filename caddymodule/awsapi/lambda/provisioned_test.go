package lambda_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestProvisionedConcurrencyOfAFailingInitIsFailed(t *testing.T) {
	w := newWorld(t)
	w.create("f", func(in *lambda.CreateFunctionInput) { in.Handler, in.Publish = aws.String("fail"), true })
	f, version := aws.String("f"), aws.String("1")
	put, err := w.PutProvisionedConcurrencyConfig(t.Context(), &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: version, ProvisionedConcurrentExecutions: aws.Int32(2)})
	check(t, err)
	if put.Status != types.ProvisionedConcurrencyStatusEnumInProgress || put.StatusReason != nil {
		t.Errorf("as it begins it is %s, %v", put.Status, aws.ToString(put.StatusReason))
	}
	// The call is told of an init phase that failed: by then it has.
	out, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: f, Qualifier: version})
	check(t, err)
	if aws.ToString(out.FunctionError) != "Unhandled" {
		t.Fatalf("the call's function error is %q", aws.ToString(out.FunctionError))
	}
	got, err := w.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: version})
	check(t, err)
	if got.Status != types.ProvisionedConcurrencyStatusEnumFailed || aws.ToString(got.StatusReason) != "FUNCTION_ERROR_INIT_FAILURE" || *got.AllocatedProvisionedConcurrentExecutions != 0 {
		t.Errorf("it is %s, %q, with %d environments", got.Status, aws.ToString(got.StatusReason), *got.AllocatedProvisionedConcurrentExecutions)
	}
	list, err := w.ListProvisionedConcurrencyConfigs(t.Context(), &lambda.ListProvisionedConcurrencyConfigsInput{FunctionName: f})
	check(t, err)
	if one := list.ProvisionedConcurrencyConfigs; len(one) != 1 || one[0].Status != types.ProvisionedConcurrencyStatusEnumFailed {
		t.Errorf("the list has %+v", one)
	}
}
