package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/tests/objectstore"
)

// awsCommand runs the aws command with the address and the key of a node.
func awsCommand(a *harness.API, args ...string) string {
	a.T.Helper()
	cmd := exec.Command("aws", args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") }),
		"AWS_ENDPOINT_URL="+a.URL(""), "AWS_ACCESS_KEY_ID="+a.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+a.Credentials.SecretAccessKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.T.Fatalf("aws %.200q: %v\n%s", args, err, out)
	}
	return string(out)
}

// The store posts all events, to one node. The notifications were put at the other.
func TestAnyNodeRunsFunctionsForEventsOfBuckets(t *testing.T) {
	harness.Parallel(t)
	redis, r := harness.NewRedis(t), harness.NewRecorder(t)
	first, second := &harness.API{Server: harness.NewServer(t, "", "")}, &harness.API{Server: harness.NewServer(t, "", "")}
	start := func(node *harness.API, store string) {
		node.Configure(harness.RedisOption(redis.URL())+r.Reach()+fmt.Sprintf("s3 {\n endpoint %s\n access_key minioadmin minioadmin\n notify all\n}\n", store),
			"receive /events/s3 s3 {\n token "+harness.HookToken+"\n notifications\n}\n")
		node.Start()
		node.Connect()
	}
	start(second, "http://127.0.0.1:1") // the store does not start before it has reached the route
	store := objectstore.StartVersity(t, second.URL("/events/s3")+"?token="+harness.HookToken)
	second.Stop()
	start(second, store.Endpoint)
	start(first, store.Endpoint)
	arn := *first.Create("f", harness.NodeZip(t, fmt.Sprintf(`await fetch(%q, { method: "POST", body: JSON.stringify(event) });`, r.URL+"/f"))).FunctionArn
	awsCommand(first, "lambda", "add-permission", "--function-name", "f", "--statement-id", "s3", "--action", "lambda:InvokeFunction",
		"--principal", "s3.amazonaws.com", "--source-arn", "arn:aws:s3:::photos")
	awsCommand(first, "s3", "mb", "s3://photos")
	awsCommand(first, "s3api", "put-bucket-notification-configuration", "--bucket", "photos", "--notification-configuration", `{"LambdaFunctionConfigurations": [
		{"Id": "one", "LambdaFunctionArn": "`+arn+`", "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".txt"}]}}}]}`)
	if got := awsCommand(second, "s3api", "get-bucket-notification-configuration", "--bucket", "photos"); !strings.Contains(got, arn) || !strings.Contains(got, `"Suffix"`) {
		t.Errorf("the other node has %s", got)
	}
	store.MustPut(t, "photos", "a.jpg", "", []byte("x"))
	store.MustPut(t, "photos", "a b.txt", "", []byte("x"))
	if got := r.Wait("f", 1)[0]; !strings.Contains(got, `"key":"a+b.txt"`) || !strings.Contains(got, `"configurationId":"one"`) {
		t.Errorf("the function got %s", got)
	}
	awsCommand(second, "s3api", "put-bucket-notification-configuration", "--bucket", "photos", "--notification-configuration", "{}")
	store.MustPut(t, "photos", "c.txt", "", []byte("x"))
	if got := awsCommand(first, "s3api", "get-bucket-notification-configuration", "--bucket", "photos"); got != "" {
		t.Errorf("the first node has %s", got)
	}
	second.NothingWaits()
	r.Wait("f", 1)
}
