package cluster

import (
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestNodesOfAClusterShareTheQuotaOfCode(t *testing.T) {
	harness.Parallel(t)
	c := newCluster(t, 2, "code_storage 3MB")
	create := func(node *harness.API, name string) error {
		padding := make([]byte, 2<<20)
		_, _ = rand.Read(padding) // never fails
		_, err := node.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: &name, Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"),
			Code: &types.FunctionCode{ZipFile: harness.ZipOf(t, map[string]string{"index.mjs": "export const handler = async () => 'runs';", "padding": string(padding)})},
		})
		return err
	}
	first, second := c.Nodes[0], c.Nodes[1]
	first.Check(create(first, "f"))
	harness.Refused(t, create(second, "g"), 400, "CodeStorageExceededException", "Code storage limit exceeded.")
	for _, node := range c.Nodes {
		got, err := node.GetAccountSettings(t.Context(), &lambda.GetAccountSettingsInput{})
		node.Check(err)
		if used := got.AccountUsage.TotalCodeSize; used < 2<<20 || used > 3<<20 || got.AccountLimit.TotalCodeSize != 3<<20 {
			t.Errorf("%d of %d are used", used, got.AccountLimit.TotalCodeSize)
		}
	}
	_, err := second.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("f")})
	second.Check(err)
	second.Check(create(second, "g"))
	harness.Refused(t, create(first, "f"), 400, "CodeStorageExceededException", "Code storage limit exceeded.")
}
