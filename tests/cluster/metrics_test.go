package cluster

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// measured asks a node for the sums of two metrics of the last days.
func measured(a *harness.API) (out *cloudwatch.GetMetricDataOutput, sums map[string]float64) {
	a.T.Helper()
	query := func(id, namespace, name string, dimensions ...types.Dimension) types.MetricDataQuery {
		return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: &namespace, MetricName: &name, Dimensions: dimensions}, Period: aws.Int32(60), Stat: aws.String("Sum"),
		}}
	}
	out, err := a.CloudWatch().GetMetricData(a.T.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Minute)),
		MetricDataQueries: []types.MetricDataQuery{
			query("calls", "AWS/Lambda", "Invocations", types.Dimension{Name: aws.String("FunctionName"), Value: aws.String("f")}),
			query("own", "Own", "Orders"),
			{Id: aws.String("both"), Expression: aws.String("calls + own")},
		},
	})
	a.Check(err)
	sums = make(map[string]float64)
	for _, r := range out.MetricDataResults {
		for _, v := range r.Values {
			sums[*r.Id] += v
		}
	}
	return out, sums
}

// put tells a node a value of a metric.
func put(a *harness.API, name string, value float64, unit types.StandardUnit) {
	a.T.Helper()
	_, err := a.CloudWatch().PutMetricData(a.T.Context(), &cloudwatch.PutMetricDataInput{
		Namespace: aws.String("Own"), MetricData: []types.MetricDatum{{MetricName: &name, Value: &value, Unit: unit}},
	})
	a.Check(err)
}

func TestClusterAddsUpTheMetricsOfItsNodes(t *testing.T) {
	harness.Parallel(t)
	c := newCluster(t, 2, "")
	first, second := c.Nodes[0], c.Nodes[1]
	first.Create("f", harness.NodeZip(t, harness.Answers("well")))
	for n, node := range c.Nodes {
		harness.Eventually(t, "a node sees the other", func() bool { return node.Metric("hearth_nodes") == 2 })
		for range 3 + n {
			node.WantCall("f", "{}", "well")
		}
		put(node, "Orders", float64(10*(n+1)), types.StandardUnitCount)
	}
	put(second, "Second", 1, types.StandardUnitBytes)

	for _, node := range c.Nodes {
		harness.Eventually(t, "a node has the sums of both", func() bool {
			out, sums := measured(node)
			return sums["calls"] == 7 && sums["own"] == 30 && out.MetricDataResults[0].StatusCode == types.StatusCodeComplete && len(out.Messages) == 0
		})
	}
	statistics := func() *cloudwatch.GetMetricStatisticsOutput {
		t.Helper()
		out, err := first.CloudWatch().GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("Own"), MetricName: aws.String("Second"), Period: aws.Int32(7200),
			StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now()), Statistics: []types.Statistic{types.StatisticMaximum},
		})
		first.Check(err)
		return out
	}
	if out := statistics(); len(out.Datapoints) != 1 || *out.Datapoints[0].Maximum != 1 || out.Datapoints[0].Unit != types.StandardUnitBytes {
		t.Errorf("the statistics of the other node's metric are %v", out.Datapoints)
	}
	list, err := first.CloudWatch().ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("Own")})
	first.Check(err)
	if len(list.Metrics) != 2 || *list.Metrics[0].MetricName != "Orders" || *list.Metrics[1].MetricName != "Second" {
		t.Errorf("the nodes have the metrics %v", list.Metrics)
	}

	// While redis is away, a node does not notice that another is gone for good.
	c.Redis.Signal(syscall.SIGSTOP)
	second.Kill()
	began := time.Now()
	out, sums := measured(first)
	t.Logf("without the other node the answer takes %s", time.Since(began).Round(time.Millisecond))
	for _, r := range out.MetricDataResults {
		if r.StatusCode != types.StatusCodePartialData {
			t.Errorf("without the other node %s is %s", *r.Id, r.StatusCode)
		}
	}
	if len(out.Messages) != 1 || *out.Messages[0].Code != "PartialData" || !strings.Contains(*out.Messages[0].Value, "The node n2 does not answer.") {
		t.Errorf("without the other node the messages are %v", out.Messages)
	}
	if sums["own"] != 10 {
		t.Errorf("without the other node the sums are %v", sums)
	}
	if out := statistics(); len(out.Datapoints) != 0 {
		t.Errorf("without the other node its metric has %v", out.Datapoints)
	}
	harness.Eventually(t, "the log says who does not answer", func() bool {
		return strings.Contains(first.Output(), `"msg":"a node does not tell its metrics: they are not in the answer","node":"n2"`)
	})
	c.Redis.Signal(syscall.SIGCONT)
	harness.Eventually(t, "the other node is given up", func() bool {
		out, sums := measured(first)
		return sums["own"] == 10 && len(out.Messages) == 0
	})
	second.Restart()
	put(second, "Orders", 5, types.StandardUnitCount)
	harness.Eventually(t, "the values of the other node count again", func() bool {
		out, sums := measured(first)
		// What it had before may be lost: it was killed within five seconds.
		return (sums["own"] == 15 || sums["own"] == 35) && len(out.Messages) == 0
	})
}
