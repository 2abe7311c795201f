package api

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/hearthfn/hearth/tests/harness"
)

// metricsStart makes a client for each protocol: one of today chooses CBOR, older ones JSON or
// the query protocol.
const metricsStart = botoStart + `
import datetime, json, time
import botocore.session
now = lambda: datetime.datetime.now(datetime.timezone.utc)

def speaking(protocol, **args):
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    load = loader.load_service_model
    def loaded(name, kind, **more):
        model = load(name, kind, **more)
        if kind == "service-2":
            model = dict(model, metadata=dict(model["metadata"], protocol=protocol, protocols=[protocol]))
        return model
    loader.load_service_model = loaded
    return session.create_client("cloudwatch", config=once, **args)

clients = {p: speaking(p) for p in ["smithy-rpc-v2-cbor", "json", "query"]}
cw = boto3.client("cloudwatch", config=once)

def query(id, name, stat, period=60, namespace="AWS/Lambda", **dimensions):
    return {"Id": id, "MetricStat": {"Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()]}, "Period": period, "Stat": stat}}

def data(*queries, client=None, minutes=10, **more):
    got = (client or cw).get_metric_data(MetricDataQueries=list(queries), StartTime=now() - datetime.timedelta(minutes=minutes), EndTime=now() + datetime.timedelta(minutes=1), **more)
    return {r["Id"]: r["Values"] for r in got["MetricDataResults"]}

def until(condition, what):
    end = time.monotonic() + 60
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < end, what
        time.sleep(.1)
`

// lambdaMetricsScript reads what calls of a function have left.
const lambdaMetricsScript = metricsStart + `
total = lambda values: sum(values.get("n", []))
until(lambda: total(data(query("n", "Invocations", "Sum", FunctionName="f"))) == 12, "invocations")
for protocol, client in clients.items():
    got = data(
        query("calls", "Invocations", "Sum", 3600, FunctionName="f"), query("errors", "Errors", "Sum", 3600, FunctionName="f"),
        query("rate", "Errors", "Average", 3600, FunctionName="f"), query("throttles", "Throttles", "Sum", 3600, FunctionName="f"),
        query("p50", "Duration", "p50", 3600, FunctionName="f"), query("p99", "Duration", "p99", 3600, FunctionName="f"), query("most", "Duration", "Maximum", 3600, FunctionName="f"),
        query("at_once", "ConcurrentExecutions", "Maximum", 3600, FunctionName="f"), query("cold", "ColdStarts", "Sum", 3600, "Hearth", FunctionName="f"),
        query("init", "InitDuration", "Average", 3600, "Hearth", FunctionName="f"), query("memory", "MaxMemoryUsed", "Maximum", 3600, "Hearth", FunctionName="f"),
        query("alias", "Invocations", "Sum", 3600, FunctionName="f", Resource="f:live"), query("all", "Invocations", "Sum", 3600),
        query("none", "Invocations", "Sum", 3600, FunctionName="none"), client=client)
    got = {k: sum(v) if k not in ("p50", "p99", "most", "rate", "at_once", "init", "memory") else max(v) for k, v in got.items() if v or k != "none"}
    assert "none" not in got, got
    assert (got["calls"], got["errors"], got["throttles"], got["alias"], got["all"]) == (12, 3, 0, 2, 12), (protocol, got)
    assert got["p99"] >= 200 and got["most"] >= 200 and got["p50"] < 150 and got["at_once"] in (1, 2) and got["cold"] >= 1 and got["init"] > 0 and got["memory"] > 1, (protocol, got)

    seconds = data(query("n", "Invocations", "Sum", 1, FunctionName="f"), client=client)["n"]
    assert sum(seconds) == 12 and len(seconds) > 1, seconds

    names = {m["MetricName"] for m in client.list_metrics(Namespace="AWS/Lambda", Dimensions=[{"Name": "FunctionName", "Value": "f"}])["Metrics"]}
    assert names == {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"}, names
    assert client.list_metrics(Namespace="AWS/Lambda", Dimensions=[{"Name": "FunctionName", "Value": "g"}])["Metrics"] == []
    linked = client.list_metrics(Namespace="AWS/Lambda", Dimensions=[{"Name": "FunctionName", "Value": "f"}], IncludeLinkedAccounts=True)
    assert linked["OwningAccounts"] == ["000000000000"] * len(linked["Metrics"]), linked

    points = client.get_metric_statistics(Namespace="AWS/Lambda", MetricName="Duration", Dimensions=[{"Name": "FunctionName", "Value": "f"}],
        StartTime=now() - datetime.timedelta(hours=1), EndTime=now(), Period=7200, Statistics=["SampleCount", "Maximum"], ExtendedStatistics=["p99", "p50"])["Datapoints"]
    assert sum(p["SampleCount"] for p in points) == 12 and max(p["ExtendedStatistics"]["p99"] for p in points) >= 200 and points[0]["Unit"] == "Milliseconds", points
    assert points[0]["Timestamp"].tzinfo, points

    cut = client.get_metric_data(MetricDataQueries=[query("s", "Invocations", "Sum", 1, FunctionName="f")], StartTime=now() - datetime.timedelta(minutes=10), EndTime=now(), MaxDatapoints=1, ScanBy="TimestampAscending")
    assert cut["MetricDataResults"][0]["StatusCode"] == "PartialData" and len(cut["MetricDataResults"][0]["Values"]) == 1 and cut["NextToken"], cut

    refused("InvalidParameterValue", "StartTime must be less", client.get_metric_data, MetricDataQueries=[query("n", "Invocations", "Sum")], StartTime=now(), EndTime=now() - datetime.timedelta(hours=1))
    refused("InvalidParameterValue", "p101 for parameter Stat", client.get_metric_data, MetricDataQueries=[query("n", "Duration", "p101")], StartTime=now() - datetime.timedelta(hours=1), EndTime=now())

for protocol, client in clients.items():
    unit = {"Unit": "Bytes"}
    client.put_metric_data(Namespace="Shop", MetricData=[
        dict(MetricName="Size", Dimensions=[{"Name": "p", "Value": protocol}], Values=[10, 20, 1000], Counts=[50, 49, 1], **unit),
        dict(MetricName="Set", Dimensions=[{"Name": "p", "Value": protocol}], StatisticValues={"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 4}),
        dict(MetricName="Late", Dimensions=[{"Name": "p", "Value": protocol}], Value=7.5, Timestamp=now() - datetime.timedelta(days=2)),
    ] + [dict(MetricName="Many", Dimensions=[{"Name": "p", "Value": protocol}], Value=n) for n in range(200)])
    shop = lambda id, name, stat, period=7200: query(id, name, stat, period, "Shop", p=protocol)
    got = data(shop("sum", "Size", "Sum"), shop("p50", "Size", "p50"), shop("p99", "Size", "p99.9"), shop("most", "Set", "Maximum"), shop("average", "Set", "Average"), shop("none", "Set", "p50"),
        shop("many", "Many", "SampleCount"), shop("tm", "Size", "tm99"), shop("tc", "Size", "TC(:25)"), client=client)
    assert (got["sum"], got["most"], got["average"], got["none"], got["many"]) == ([2480], [4], [2.5], [], [200]), got
    assert got["p50"][0] <= 20 and got["p99"][0] > 900 and 9 < got["tm"][0] < 21 and 90 < got["tc"][0] <= 100, got
    assert data(shop("late", "Late", "Sum"), client=client, minutes=3 * 1440)["late"] == [7.5]
    assert client.get_metric_statistics(Namespace="Shop", MetricName="Size", Dimensions=[{"Name": "p", "Value": protocol}], StartTime=now() - datetime.timedelta(hours=1), EndTime=now(), Period=7200, Statistics=["Sum"])["Datapoints"][0]["Unit"] == "Bytes"
    refused("InvalidParameterValue", "writes it itself", client.put_metric_data, Namespace="AWS/Lambda", MetricData=[{"MetricName": "m", "Value": 1}])
    refused("InvalidParameterCombination", "one of Value", client.put_metric_data, Namespace="Shop", MetricData=[{"MetricName": "m"}])

    got = data(query("m1", "Errors", "Sum", 7200, FunctionName="f"), query("m2", "Invocations", "Sum", 7200, FunctionName="f"), {"Id": "rate", "Expression": "100 * m1 / m2"}, {"Id": "all", "Expression": "SUM(METRICS())"}, client=client)
    assert got["rate"] == [25] and got["all"] == [15], got
    labelled = client.get_metric_data(MetricDataQueries=[dict(query("m", "Errors", "Sum", 7200, FunctionName="f"), Label="${PROP('Dim.FunctionName')} ${LABEL} ${SUM}")], StartTime=now() - datetime.timedelta(hours=1), EndTime=now(), LabelOptions={"Timezone": "+0100"})
    assert labelled["MetricDataResults"][0]["Label"] == "f Errors 3", labelled
    refused("InvalidParameterValue", "${MEDIAN} in the label", client.get_metric_data, MetricDataQueries=[dict(query("m", "Errors", "Sum"), Label="${MEDIAN}")], StartTime=now() - datetime.timedelta(hours=1), EndTime=now())
    for period, periods, most in [(10, 8641, 86400), (60, 1441, 86400), (3600, 169, 604800)]:
        refused("InvalidParameterValue", "must be <= %d" % most, client.put_metric_alarm, AlarmName="long", Namespace="Shop", MetricName="Alert", Statistic="Sum", Period=period, EvaluationPeriods=periods, Threshold=5, ComparisonOperator="GreaterThanThreshold")
    refused("InvalidParameterValue", "SEARCH is not supported", client.get_metric_data, MetricDataQueries=[{"Id": "s", "Expression": "SEARCH('{AWS/Lambda}', 'Sum', 60)"}], StartTime=now() - datetime.timedelta(hours=1), EndTime=now())

    client.put_metric_alarm(AlarmName="a-" + protocol, Namespace="Shop", MetricName="Alert", Dimensions=[{"Name": "p", "Value": protocol}], Statistic="Maximum", Period=10, EvaluationPeriods=2, DatapointsToAlarm=1, Threshold=5,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=["arn:aws:lambda:us-east-1:000000000000:function:f"], Tags=[{"Key": "team", "Value": "a"}], TreatMissingData="notBreaching")
    a = client.describe_alarms(AlarmNames=["a-" + protocol])["MetricAlarms"][0]
    assert (a["Threshold"], a["Period"], a["ActionsEnabled"], a["MetricName"]) == (5, 10, True, "Alert") and a["StateUpdatedTimestamp"].tzinfo, a
    assert client.list_tags_for_resource(ResourceARN=a["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "a"}]
    assert len(client.describe_alarms_for_metric(Namespace="Shop", MetricName="Alert", Dimensions=[{"Name": "p", "Value": protocol}])["MetricAlarms"]) == 1
    refused("ResourceNotFound", "Unknown alarm", client.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="r")
    refused("InvalidParameterValue", "actions are functions and SNS topics", client.put_metric_alarm, AlarmName="b", Namespace="Shop", MetricName="Alert", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold", AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"])
    refused("UnknownOperationException" if protocol != "query" else "InvalidAction", "PutDashboard is not supported", client.put_dashboard, DashboardName="d", DashboardBody="{}")

# The alarm is raised by its metric, and calls the function.
def raised():
    cw.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Alert", "Dimensions": [{"Name": "p", "Value": "json"}], "Value": 9}])
    return cw.describe_alarms(AlarmNames=["a-json"])["MetricAlarms"][0]["StateValue"] == "ALARM"
until(raised, "the alarm")
history = cw.describe_alarm_history(AlarmName="a-json")["AlarmHistoryItems"]
assert "to ALARM" in history[0]["HistorySummary"], history
log = boto3.client("logs")
alarmed = lambda: [e["message"] for e in log.filter_log_events(logGroupName="/aws/lambda/f", filterPattern='"told by alarm"')["events"]]
until(alarmed, "the call of the function")
assert len(alarmed()) == 1 and "a-json ALARM" in alarmed()[0], alarmed()
cw.delete_alarms(AlarmNames=["a-" + p for p in clients])
assert cw.describe_alarms()["MetricAlarms"] == []
until(lambda: total(data(query("n", "Invocations", "Sum", FunctionName="f"))) == 13, "the invocation by the alarm")

cfn = boto3.client("cloudformation", config=once)
stack = lambda threshold: json.dumps({"Resources": {"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors", "Namespace": "AWS/Lambda", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1,
    "Threshold": threshold, "ComparisonOperator": "GreaterThanThreshold", "Dimensions": [{"Name": "FunctionName", "Value": "f"}], "Tags": [{"Key": "n", "Value": str(threshold)}]}}}, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["A", "Arn"]}}}})
for change, waiter, threshold in [(cfn.create_stack, "stack_create_complete", 100), (cfn.update_stack, "stack_update_complete", 200)]:
    change(StackName="w", TemplateBody=stack(threshold))
    cfn.get_waiter(waiter).wait(StackName="w", WaiterConfig={"Delay": 1})
    a = cw.describe_alarms(AlarmNamePrefix="w-A-")["MetricAlarms"][0]
    assert a["Threshold"] == threshold and cfn.describe_stacks(StackName="w")["Stacks"][0]["Outputs"][0]["OutputValue"] == a["AlarmArn"], a
    assert cw.list_tags_for_resource(ResourceARN=a["AlarmArn"])["Tags"] == [{"Key": "n", "Value": str(threshold)}]
cfn.delete_stack(StackName="w")
cfn.get_waiter("stack_delete_complete").wait(StackName="w", WaiterConfig={"Delay": 1})
assert cw.describe_alarms()["MetricAlarms"] == []
until(lambda: sum(data(query("n", "Orders", "Sum", 7200, "Powered", service="pay"))["n"]) == 24, "metrics that the function logs")

many = [query("q%d" % n, "Invocations", "Sum", 60, FunctionName="f") for n in range(500)]
began = time.monotonic()
got = data(*many, minutes=60)
took = time.monotonic() - began
assert len(got) == 500 and all(sum(v) == 13 for v in got.values()), len(got)
time.sleep(6) # what is not in the files yet is lost by a kill
print("500 queries took %.3f s" % took)
print("finished")
`

func TestCloudWatchTellsWhatFunctionsDid(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", harness.NodeZip(t, `
		if (event.fail || event.wait) console.log(JSON.stringify({ _aws: { Timestamp: Date.now(), CloudWatchMetrics: [{ Namespace: "Powered", Dimensions: [["service"]], Metrics: [{ Name: "Orders", Unit: "Count" }] }] }, service: "pay", Orders: [1, 5] }));
		if (event.alarmData) console.log("told by alarm", event.alarmData.alarmName, event.alarmData.state.value);
		if (event.fail) throw new Error("no");
		await new Promise(resolve => setTimeout(resolve, event.wait ?? 0));`), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := a.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	a.Check(err)
	_, err = a.AddPermission(t.Context(), &lambda.AddPermissionInput{
		FunctionName: aws.String("f"), StatementId: aws.String("alarms"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("lambda.alarms.cloudwatch.amazonaws.com"),
	})
	a.Check(err)
	invoke := func(name, payload string, times int) {
		for range times {
			_, err := a.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(payload)})
			a.Check(err)
		}
	}
	invoke("f", `{}`, 6)
	invoke("f", `{"fail":true}`, 3)
	invoke("f:live", `{}`, 2)
	invoke("f", `{"wait":1200}`, 1)
	s := newShell(a)
	s.write("script.py", []byte(lambdaMetricsScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")
	a.Kill()
	a.Start()
	s.write("script.py", []byte(metricsStart+`
calls = query("n", "Invocations", "Sum", 3600, FunctionName="f")
print("kept", sum(data(calls, minutes=60)["n"]))
`))
	s.want(s.run(botoPython(t), "script.py"), "kept 13")
	s.want(s.run("aws", "cloudwatch", "list-metrics", "--namespace", "AWS/Lambda", "--metric-name", "Duration"), `"FunctionName"`)
}
