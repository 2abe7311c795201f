package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestProvisionedConcurrencyIsScaledByAWSsCommand(t *testing.T) {
	harness.Slow(t, "the command starts 20 times")
	harness.Parallel(t)
	needs(t, "aws", "the AWS command line (Debian: awscli)")
	a := harness.NewAPI(t, "", "")
	s := newShell(a)
	a.Create("web", harness.NodeZip(t, harness.Answers("x")))
	s.aws("lambda", "publish-version", "--function-name", "web")
	s.aws("lambda", "create-alias", "--function-name", "web", "--name", "live", "--function-version", "1")
	text := func(values map[string]any) string { return fmt.Sprint(values) }
	scaling := func(operation string, args ...string) string {
		t.Helper()
		return text(s.aws(append([]string{"application-autoscaling", operation, "--service-namespace", "lambda"}, args...)...))
	}
	fails := func(texts []string, operation string, args ...string) {
		t.Helper()
		out, err := s.try("aws", append([]string{"--endpoint-url", a.URL(""), "application-autoscaling", operation}, args...)...)
		if err == nil {
			t.Errorf("%s %v is taken: %s", operation, args, out)
		}
		s.want(out, texts...)
	}
	requested := func() string {
		out, err := s.try("aws", "--endpoint-url", a.URL(""), "--output", "json", "lambda", "get-provisioned-concurrency-config", "--function-name", "web", "--qualifier", "live",
			"--query", "RequestedProvisionedConcurrentExecutions")
		if err != nil {
			return "none"
		}
		return out
	}
	provisions := func(want string) {
		t.Helper()
		harness.Eventually(t, "the alias has "+want, func() bool { return requested() == want })
	}
	const dimension = "lambda:function:ProvisionedConcurrency"
	where := []string{"--resource-id", "function:web:live", "--scalable-dimension", dimension}
	with := func(more ...string) []string { return append(where[:len(where):len(where)], more...) }

	fails([]string{"ObjectNotFoundException", "No scalable target found for service namespace: lambda, resource ID: function:web:live, scalable dimension: " + dimension},
		"put-scheduled-action", append(with("--scheduled-action-name", "x", "--schedule", "rate(1 minute)", "--scalable-target-action", "MinCapacity=1"), "--service-namespace", "lambda")...)
	fails([]string{"ValidationException", "function:web:other"}, "register-scalable-target",
		"--service-namespace", "lambda", "--resource-id", "function:web:other", "--scalable-dimension", dimension, "--min-capacity", "1", "--max-capacity", "2")
	fails([]string{"ValidationException", "ecs is not supported"}, "register-scalable-target",
		"--service-namespace", "ecs", "--resource-id", "service/a/b", "--scalable-dimension", "ecs:service:DesiredCount", "--min-capacity", "1", "--max-capacity", "2")

	s.want(scaling("register-scalable-target", with("--min-capacity", "1", "--max-capacity", "5", "--tags", "team=a")...), "arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/")
	provisions("1\n")
	s.want(scaling("describe-scalable-targets"), "ResourceId:function:web:live", "MinCapacity:1", "MaxCapacity:5", "ScheduledScalingSuspended:false",
		"AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency")
	s.want(scaling("describe-scaling-activities"), "Cause:minimum capacity was set to 1", "StatusCode:Successful")

	at := time.Now().UTC().Add(20 * time.Second).Format("2006-01-02T15:04:05")
	scaling("put-scheduled-action", with("--scheduled-action-name", "soon", "--schedule", "at("+at+")", "--scalable-target-action", "MinCapacity=2,MaxCapacity=4")...)
	scaling("put-scheduled-action", with("--scheduled-action-name", "daily", "--schedule", "cron(0 9 * * ? *)", "--timezone", "Europe/Berlin", "--scalable-target-action", "MinCapacity=3")...)
	s.want(scaling("describe-scheduled-actions", "--scheduled-action-names", "daily"), "Schedule:cron(0 9 * * ? *)", "Timezone:Europe/Berlin", "MinCapacity:3",
		"resource/lambda/function:web:live:scheduledActionName/daily")
	fails([]string{"ValidationException", "is in the past"}, "put-scheduled-action", append(with("--scheduled-action-name", "late", "--schedule", "at(2020-01-01T00:00:00)",
		"--scalable-target-action", "MinCapacity=2"), "--service-namespace", "lambda")...)
	provisions("2\n")
	s.want(scaling("describe-scaling-activities"), "Cause:scheduled action name soon was triggered", "Description:Setting min capacity to 2 and max capacity to 4")
	a.Stop()
	a.Restart()
	s.want(scaling("describe-scalable-targets", "--resource-ids", "function:web:live"), "MinCapacity:2", "MaxCapacity:4")

	s.write("policy.json", []byte(`{"TargetValue": 0.7, "PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}, "ScaleInCooldown": 60}`))
	s.want(scaling("put-scaling-policy", with("--policy-name", "use", "--policy-type", "TargetTrackingScaling",
		"--target-tracking-scaling-policy-configuration", "file://policy.json")...), "PolicyARN:arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:")
	s.want(scaling("describe-scaling-policies"), "PolicyName:use", "TargetValue:0.7", "ScaleInCooldown:60")
	fails([]string{"ValidationException", "StepScaling is not supported"}, "put-scaling-policy",
		append(with("--policy-name", "steps", "--policy-type", "StepScaling"), "--service-namespace", "lambda")...)

	scaling("delete-scaling-policy", with("--policy-name", "use")...)
	scaling("delete-scheduled-action", with("--scheduled-action-name", "daily")...)
	scaling("register-scalable-target", with("--min-capacity", "0", "--max-capacity", "0")...)
	provisions("none")
	scaling("deregister-scalable-target", where...)
	if left := scaling("describe-scalable-targets"); strings.Contains(left, "function:") {
		t.Errorf("targets are left: %s", left)
	}
}
