package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// dimensionsOf makes dimensions of names and values.
func dimensionsOf(pairs ...string) (all []cwtypes.Dimension) {
	for n := 0; n < len(pairs); n += 2 {
		all = append(all, cwtypes.Dimension{Name: &pairs[n], Value: &pairs[n+1]})
	}
	return all
}

// measured is a statistic of the values of a metric in the last hours.
func measured(a *harness.API, namespace, name, statistic string, dimensions ...string) float64 {
	a.T.Helper()
	now := time.Now()
	out, err := a.CloudWatch().GetMetricData(a.T.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Minute)),
		MetricDataQueries: []cwtypes.MetricDataQuery{{Id: aws.String("q"), MetricStat: &cwtypes.MetricStat{
			Metric: &cwtypes.Metric{Namespace: &namespace, MetricName: &name, Dimensions: dimensionsOf(dimensions...)}, Period: aws.Int32(86400), Stat: &statistic,
		}}},
	})
	a.Check(err)
	total := 0.0
	for _, v := range out.MetricDataResults[0].Values {
		total += v
	}
	return total
}

// wantMeasured waits until a statistic has a value.
func wantMeasured(a *harness.API, want float64, namespace, name, statistic string, dimensions ...string) {
	a.T.Helper()
	harness.Eventually(a.T, fmt.Sprintf("%s of %s %v is %v", statistic, name, dimensions, want), func() bool {
		return measured(a, namespace, name, statistic, dimensions...) == want
	})
}

func TestCloudWatchTellsOfEventsAndProvisionedConcurrency(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", harness.NodeZip(t, `
		if (event.fail) throw new Error("no");
		await new Promise(resolve => setTimeout(resolve, event.wait ?? 0));`), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := a.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), MaximumRetryAttempts: aws.Int32(0)})
	a.Check(err)
	for _, payload := range []string{`{}`, `{}`, `{"fail":true}`} {
		_, err := a.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeEvent, Payload: []byte(payload)})
		a.Check(err)
	}
	const ns = "AWS/Lambda"
	for _, of := range [][]string{{"FunctionName", "f"}, nil} {
		wantMeasured(a, 3, ns, "AsyncEventsReceived", "Sum", of...)
		wantMeasured(a, 3, ns, "AsyncEventAge", "SampleCount", of...)
		wantMeasured(a, 1, ns, "AsyncEventsDropped", "Sum", of...)
	}
	if age := measured(a, ns, "AsyncEventAge", "Maximum", "FunctionName", "f"); age <= 0 || age > 600_000 {
		t.Errorf("an event is %v ms old", age)
	}

	_, err = a.PutProvisionedConcurrencyConfig(t.Context(), &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: aws.String("f"), Qualifier: aws.String("1"), ProvisionedConcurrentExecutions: aws.Int32(2),
	})
	a.Check(err)
	harness.Eventually(t, "two are provisioned", func() bool {
		got, err := a.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String("1")})
		a.Check(err)
		return got.Status == types.ProvisionedConcurrencyStatusEnumReady
	})
	done := make(chan error)
	for range 3 { // one more than there are
		go func() {
			_, err := a.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f:1"), Payload: []byte(`{"wait":3000}`)})
			done <- err
		}()
	}
	for range 3 {
		a.Check(<-done)
	}
	for _, of := range [][]string{{"FunctionName", "f"}, {"FunctionName", "f", "Resource", "f:1"}, nil} {
		wantMeasured(a, 2, ns, "ProvisionedConcurrencyInvocations", "Sum", of...)
		wantMeasured(a, 1, ns, "ProvisionedConcurrencySpilloverInvocations", "Sum", of...)
		wantMeasured(a, 2, ns, "ProvisionedConcurrentExecutions", "Maximum", of...)
		wantMeasured(a, 1, ns, "ProvisionedConcurrencyUtilization", "Maximum", of...)
	}
	wantMeasured(a, 3, ns, "ConcurrentExecutions", "Maximum", "FunctionName", "f")
	wantMeasured(a, 3, ns, "UnreservedConcurrentExecutions", "Maximum")

	// Calls of two versions one after the other are never two at once.
	a.Create("g", harness.NodeZip(t, ``), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err = a.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("g"), ReservedConcurrentExecutions: aws.Int32(5)})
	a.Check(err)
	for n := range 20 {
		a.WantCall([]string{"g", "g:1"}[n%2], "{}", "null")
	}
	wantMeasured(a, 20, ns, "Invocations", "Sum", "FunctionName", "g")
	wantMeasured(a, 1, ns, "ConcurrentExecutions", "Maximum", "FunctionName", "g")

	for _, name := range []string{"WaitingInvocations", "EventsWaiting", "EventsDead", "Environments", "Stems", "MemoryBytes"} {
		harness.Eventually(t, name+" is measured", func() bool { return measured(a, "Hearth", name, "SampleCount") > 0 })
	}
	harness.Eventually(t, "the memory of environments is measured", func() bool { return measured(a, "Hearth", "MemoryBytes", "Maximum") >= 128<<20 })
	harness.Eventually(t, "the event that was given up is kept aside", func() bool { return measured(a, "Hearth", "EventsDead", "Maximum") == 1 })
}

func TestCloudWatchTellsOfRequestsToAPIs(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", `
		handle /h/* {
			uri strip_prefix /h
			api web {
				GET /items/{id} f
				default f
			}
		}
		handle /r/* {
			uri strip_prefix /r
			api shop rest {
				GET /items/{id} f
			}
		}`)
	a.Create("f", harness.NodeZip(t, `
		if (event.rawPath === "/fail") throw new Error("no");
		return { statusCode: event.pathParameters?.id === "none" ? 404 : 200, body: "" };`))
	for path, want := range map[string]int{"/h/items/1": 200, "/h/items/none": 404, "/h/fail": 500, "/r/items/1": 200, "/r/items/none": 404, "/r/none": 403} {
		if got := a.Get(path); got.Status != want {
			t.Errorf("%s: %d, want %d: %s", path, got.Status, want, got.Body)
		}
	}
	const ns = "AWS/ApiGateway"
	names, err := a.CloudWatch().ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String(ns)})
	a.Check(err)
	harness.Eventually(t, "the metrics of APIs are listed", func() bool {
		names, err = a.CloudWatch().ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String(ns), MetricName: aws.String("Count")})
		a.Check(err)
		return len(names.Metrics) == 2+2+2+1
	})
	id := ""
	for _, m := range names.Metrics {
		for _, d := range m.Dimensions {
			if *d.Name == "ApiId" {
				id = *d.Value
			}
		}
	}
	web := []string{"ApiId", id}
	for _, of := range [][]string{web, append(web, "Stage", "$default")} {
		wantMeasured(a, 3, ns, "Count", "Sum", of...)
		wantMeasured(a, 1, ns, "4xx", "Sum", of...)
		wantMeasured(a, 1, ns, "5xx", "Sum", of...)
		wantMeasured(a, 3, ns, "Latency", "SampleCount", of...)
		wantMeasured(a, 3, ns, "IntegrationLatency", "SampleCount", of...)
	}
	wantMeasured(a, 2, ns, "Count", "Sum", append(web, "Stage", "$default", "Method", "GET", "Resource", "/items/{id}")...)
	wantMeasured(a, 1, ns, "Count", "Sum", append(web, "Stage", "$default", "Method", "$default", "Resource", "$default")...)
	shop := []string{"ApiName", "shop"}
	wantMeasured(a, 3, ns, "Count", "SampleCount", shop...)
	wantMeasured(a, 2, ns, "4XXError", "Sum", shop...)
	wantMeasured(a, 0, ns, "5XXError", "Sum", shop...)
	wantMeasured(a, 2, ns, "IntegrationLatency", "SampleCount", shop...)
	if latency := measured(a, ns, "Latency", "Maximum", shop...); latency <= 0 || latency > 600_000 {
		t.Errorf("a request took %v ms", latency)
	}

	s := newShell(a)
	end := time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	start := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for want, args := range map[string][]string{
		"2": {"get-metric-statistics", "--namespace", ns, "--metric-name", "4XXError", "--dimensions", "Name=ApiName,Value=shop",
			"--period", "86400", "--statistics", "Sum", "--query", "sum(Datapoints[].Sum)"},
		"3": {"get-metric-data", "--metric-data-queries",
			`[{"Id":"q","MetricStat":{"Metric":{"Namespace":"AWS/ApiGateway","MetricName":"Count","Dimensions":[{"Name":"ApiId","Value":"` + id + `"}]},"Period":86400,"Stat":"Sum"}}]`,
			"--query", "sum(MetricDataResults[0].Values)"},
	} {
		out := s.run("aws", append(append([]string{"--output", "text", "cloudwatch"}, args...), "--start-time", start, "--end-time", end)...)
		if strings.TrimSuffix(strings.TrimSpace(out), ".0") != want {
			t.Errorf("%s prints %q, want %s", args[0], out, want)
		}
	}
}
