package cluster

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// stacks calls CloudFormation about the stack "s".
func stacks(a *harness.API, action, template string) harness.Response {
	a.T.Helper()
	form := url.Values{"Action": {action}, "StackName": {"s"}}
	if template != "" {
		form.Set("TemplateBody", template)
	}
	return query(a, "cloudformation", "2010-05-15", form)
}

// settles waits until the stack has a status.
func settles(a *harness.API, status string) {
	a.T.Helper()
	found, last := regexp.MustCompile(`<StackStatus>([^<]*)<`), ""
	harness.Eventually(a.T, "the stack is "+status, func() bool {
		if match := found.FindStringSubmatch(stacks(a, "DescribeStacks", "").Body); match != nil && match[1] != last {
			last = match[1]
			a.T.Logf("the stack is %s", last)
		}
		return last == status
	})
}

const (
	oneGroup = `"A": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/a", "Type": "String", "Value": "VALUE"}}`
	// waits never ends by itself.
	waits = `{"Resources": {` + oneGroup + `, "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
		"W": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "A", "Properties": {"Handle": {"Ref": "H"}, "Timeout": "3600"}}}}`
)

// begun waits until an update of the stack waits.
func begun(a *harness.API) {
	a.T.Helper()
	harness.Eventually(a.T, "the update waits", func() bool {
		return strings.Contains(stacks(a, "DescribeStackResources", "").Body, "<LogicalResourceId>W</LogicalResourceId>")
	})
}

func TestOneNodeWorksOnAStackAndAnotherTakesOver(t *testing.T) {
	harness.Parallel(t)
	c := newCluster(t, 2, "")
	first, second := c.Nodes[0], c.Nodes[1]
	template := func(value string) string { return strings.Replace(waits, "VALUE", value, 1) }
	answers := make(chan harness.Response, 2)
	for _, node := range c.Nodes {
		go func() {
			answers <- stacks(node, "CreateStack", `{"Resources": {`+oneGroup+`}}`)
		}()
	}
	one, other := <-answers, <-answers
	if one.Status > other.Status {
		one, other = other, one
	}
	one.Want(t, 200, "StackId")
	other.Want(t, 400, "AlreadyExistsException")
	for _, node := range c.Nodes {
		settles(node, "CREATE_COMPLETE")
	}

	stacks(first, "UpdateStack", template("1")).Want(t, 200, "StackId")
	begun(second)
	stacks(second, "UpdateStack", template("2")).Want(t, 400, "is in UPDATE_IN_PROGRESS state and can not be updated")
	stacks(second, "DeleteStack", "").Want(t, 400, "cannot be deleted while in status UPDATE_IN_PROGRESS")
	stacks(second, "CancelUpdateStack", "").Want(t, 200, "")
	settles(second, "UPDATE_ROLLBACK_COMPLETE")

	for _, restarted := range []bool{true, false} {
		stacks(first, "UpdateStack", template("3")).Want(t, 200, "StackId")
		begun(second)
		since := time.Now()
		first.Kill()
		if restarted {
			first.Restarted()
		}
		stacks(second, "CancelUpdateStack", "").Want(t, 200, "")
		settles(second, "UPDATE_ROLLBACK_COMPLETE")
		t.Logf("restarted %v: another process has undone the update after %s", restarted, time.Since(since).Round(time.Millisecond))
	}
	stacks(second, "DeleteStack", "").Want(t, 200, "")
}
