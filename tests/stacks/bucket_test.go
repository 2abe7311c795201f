package stacks

import (
	"fmt"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/tests/objectstore"
)

// The bucket of the CDK's bootstrap blocks public access, of which MinIO knows nothing: no bucket of
// it is public unless somebody says so.
func TestABucketMayBlockPublicAccessInAStoreThatKnowsNothingOfIt(t *testing.T) {
	harness.Parallel(t)
	store := objectstore.StartMinIO(t, "", "")
	newShell(t, fmt.Sprintf("s3 {\n endpoint %s\n access_key minioadmin minioadmin\n}\n", store.Endpoint)).python(`
name = "cdk-other-assets-000000000000-us-east-1"
blocked = dict.fromkeys(["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"], True)
template = {"Resources": {"B": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": name, "PublicAccessBlockConfiguration": blocked}}}}
create("bucket", template)
settled("bucket", "CREATE_COMPLETE")
assert any("keeps PublicAccessBlockConfiguration in the stack alone" in reason for _, _, reason in told("bucket")), told("bucket")
s3.put_object(Bucket=name, Key="k", Body=b"x")
cfn.delete_stack(StackName="bucket")
cfn.get_waiter("stack_delete_complete").wait(StackName="bucket", WaiterConfig={"Delay": 1})
# It stays, as the stack of the bootstrap says, and another bootstrap takes it over.
create("again", template)
settled("again", "CREATE_COMPLETE")
assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
`)
}
