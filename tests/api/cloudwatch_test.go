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

    points = client.get_metric_statistics(Namespace="AWS/Lambda", MetricName="Duration", Dimensions=[{"Name": "FunctionName", "Value": "f"}],
        StartTime=now() - datetime.timedelta(hours=1), EndTime=now(), Period=7200, Statistics=["SampleCount", "Maximum"], ExtendedStatistics=["p99", "p50"])["Datapoints"]
    assert sum(p["SampleCount"] for p in points) == 12 and max(p["ExtendedStatistics"]["p99"] for p in points) >= 200 and points[0]["Unit"] == "Milliseconds", points
    assert points[0]["Timestamp"].tzinfo, points

    cut = client.get_metric_data(MetricDataQueries=[query("s", "Invocations", "Sum", 1, FunctionName="f")], StartTime=now() - datetime.timedelta(minutes=10), EndTime=now(), MaxDatapoints=1, ScanBy="TimestampAscending")
    assert cut["MetricDataResults"][0]["StatusCode"] == "PartialData" and len(cut["MetricDataResults"][0]["Values"]) == 1 and cut["NextToken"], cut

    refused("InvalidParameterValue", "StartTime must be less", client.get_metric_data, MetricDataQueries=[query("n", "Invocations", "Sum")], StartTime=now(), EndTime=now() - datetime.timedelta(hours=1))
    refused("InvalidParameterValue", "p101 for parameter Stat", client.get_metric_data, MetricDataQueries=[query("n", "Duration", "p101")], StartTime=now() - datetime.timedelta(hours=1), EndTime=now())

many = [query("q%d" % n, "Invocations", "Sum", 60, FunctionName="f") for n in range(500)]
began = time.monotonic()
got = data(*many, minutes=60)
took = time.monotonic() - began
assert len(got) == 500 and all(sum(v) == 12 for v in got.values()), len(got)
time.sleep(6) # what is not in the files yet is lost by a kill
print("500 queries took %.3f s" % took)
print("finished")
`

func TestCloudWatchTellsWhatFunctionsDid(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", harness.NodeZip(t, `
		if (event.fail) throw new Error("no");
		await new Promise(resolve => setTimeout(resolve, event.wait ?? 0));`), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := a.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
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
	s.want(s.run(botoPython(t), "script.py"), "kept 12")
	s.want(s.run("aws", "cloudwatch", "list-metrics", "--namespace", "AWS/Lambda", "--metric-name", "Duration"), `"FunctionName"`)
}
