package runtimes

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// a's results go to b, and b's to a.
func TestRecursiveLoopThroughDestinationsIsStopped(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "metrics /metrics\n")
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:"
	for _, name := range []string{"a", "b"} {
		a.Create(name, harness.NodeZip(t, "console.log('ran here'); return 'x';"))
	}
	a.Create("sink", harness.NodeZip(t, "console.log('given up', JSON.stringify(event));"))
	a.EventConfig("a", "", arn+"b", arn+"sink")
	a.EventConfig("b", "", arn+"a", "")
	_, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("a"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{}`)})
	a.Check(err)
	a.WantLog("sink", `"condition":"RecursiveLoop"`)
	for _, name := range []string{"a", "b"} {
		if ran := strings.Count(a.Logs(name), "ran here"); ran != 16 {
			t.Errorf("%s ran %d times, want 16", name, ran)
		}
	}
	if n := a.Metric(`hearth_recursive_invocations_dropped_total{function="a"}`); n != 1 {
		t.Errorf("%v dropped invocations of a are counted, want 1", n)
	}
}

func TestFunctionURLsAndSchedulesHaveATraceHeader(t *testing.T) {
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	dir := a.Code("tick", map[string]string{"index.js": traceNode})
	a.Configure(harness.NodeFunction("tick", dir, "")+fmt.Sprintf("schedule soon \"at(%s)\" tick\n", time.Now().Add(30*time.Second).UTC().Format("2006-01-02T15:04:05")), "")
	a.Start()
	a.Connect()
	a.Create("f", harness.ZipOf(t, map[string]string{"index.js": traceNode}))
	at, err := a.CreateFunctionUrlConfig(t.Context(), &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone})
	a.Check(err)
	a.OpenURL("f", nil)
	host := strings.TrimSuffix(strings.TrimPrefix(*at.FunctionUrl, "http://"), "/")
	seen := make(map[string]bool)
	for range 2 {
		r := a.Request("GET", "/", nil)
		r.Host = host
		body := a.Do(r).Body
		got := regexp.MustCompile(`^` + traceForm + ` \[(Root=1-[0-9a-f-]{33})\]`).FindStringSubmatch(body)
		if got == nil || got[1] != got[2] || seen[got[1]] {
			t.Errorf("a function URL's call has %s, want a header of its own, for the runtime and in the event", body)
			continue
		}
		seen[got[1]] = true
	}
	harness.Eventually(t, "the schedule's event has a trace header", func() bool {
		return regexp.MustCompile(`seen ` + traceForm + ` \[\]`).MatchString(a.Logs("tick"))
	})
}
