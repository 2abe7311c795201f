package stacks

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// subscriptionScript has a log group whose events a function gets, and logs again.
const subscriptionScript = `
text = """
const zlib = require("zlib");
exports.handler = async (event) => {
  const got = JSON.parse(zlib.gunzipSync(Buffer.from(event.awslogs.data, "base64")));
  console.log("GOT " + JSON.stringify(got));
};
"""
def att(name, attribute): return {"Fn::GetAtt": [name, attribute]}
resources = {
    "Role": role,
    "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/app"}},
    "Fn": function("x", FunctionName="reader"),
    "May": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "Fn"}, "Action": "lambda:InvokeFunction", "Principal": "logs.amazonaws.com", "SourceArn": att("Group", "Arn")}},
    "Filter": {"Type": "AWS::Logs::SubscriptionFilter", "DependsOn": "May", "Properties": {"LogGroupName": {"Ref": "Group"}, "FilterPattern": "ERROR", "DestinationArn": att("Fn", "Arn")}},
}
resources["Fn"]["Properties"]["Code"]["ZipFile"] = text
template = {"Resources": resources, "Outputs": {"Filter": {"Value": {"Ref": "Filter"}}}}
create("s", template)
settled("s", "CREATE_COMPLETE")
def filters(): return logs.describe_subscription_filters(logGroupName="/app")["subscriptionFilters"]
one, = filters()
assert one["filterName"] == outputs("s")["Filter"] and one["filterPattern"] == "ERROR" and one["distribution"] == "ByLogStream", one
for stream in "ab":
    logs.create_log_stream(logGroupName="/app", logStreamName=stream)
def put(stream, *texts):
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName="/app", logStreamName=stream, logEvents=[{"timestamp": now, "message": text} for text in texts])
def got(n):
    for _ in range(1200):
        try:
            some = [json.loads(e["message"].split("GOT ", 1)[1]) for e in logs.filter_log_events(logGroupName="/aws/lambda/reader", filterPattern="GOT")["events"]]
        except logs.exceptions.ResourceNotFoundException:
            some = []
        if sum(len(g["logEvents"]) for g in some) >= n:
            return some
        time.sleep(0.05)
    raise AssertionError((n, some, told("s")))
put("a", "fine", "ERROR one", "ERROR two\nof lines")
put("b", "ERROR three")
some = got(3)
assert len(some) == 2 and all((g["messageType"], g["owner"], g["logGroup"], g["subscriptionFilters"]) == ("DATA_MESSAGE", "000000000000", "/app", [one["filterName"]]) for g in some), some
texts = {g["logStream"]: [e["message"] for e in g["logEvents"]] for g in some}
assert texts == {"a": ["ERROR one", "ERROR two\nof lines"], "b": ["ERROR three"]}, texts
assert all(len(e["id"]) == 56 and abs(e["timestamp"] - time.time() * 1000) < 600000 for g in some for e in g["logEvents"]), some
# A change of the pattern goes on where the filter was.
resources["Filter"]["Properties"]["FilterPattern"] = "WARN"
update("s", template)
settled("s", "UPDATE_COMPLETE")
assert filters()[0]["filterName"] == one["filterName"]
put("a", "ERROR four", "WARN five")
assert [e["message"] for g in got(4) for e in g["logEvents"]][-1] == "WARN five"
# A second filter is allowed, and no third; a function is not fed by its own group, nor by way of another.
arn = lam.get_function(FunctionName="reader")["Configuration"]["FunctionArn"]
def put_filter(name, group="/app", to=arn): return logs.put_subscription_filter(logGroupName=group, filterName=name, filterPattern="", destinationArn=to)
put_filter("second")
refused("LimitExceededException", "", put_filter, name="third")
lam.add_permission(FunctionName="reader", StatementId="own", Action="lambda:InvokeFunction", Principal="logs.us-east-1.amazonaws.com")
refused("InvalidParameterException", "a group that feeds it", put_filter, name="own", group="/aws/lambda/reader")
resources["Fn"]["Properties"]["LoggingConfig"] = {"LogGroup": "/app"}
create("other", {"Resources": {"Role": role, "Fn": function("x", FunctionName="writer", LoggingConfig={"LogGroup": "/app"})}})
settled("other", "CREATE_COMPLETE")
writer = lam.get_function(FunctionName="writer")["Configuration"]["FunctionArn"]
lam.add_permission(FunctionName="writer", StatementId="all", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com")
refused("InvalidParameterException", "a group that feeds it", put_filter, name="around", group="/aws/lambda/reader", to=writer)
refused("InvalidParameterException", "cannot be used with roleArn", logs.put_subscription_filter, logGroupName="/app", filterName="second", filterPattern="", destinationArn=arn, roleArn="arn:aws:iam::000000000000:role/r")
refused("InvalidParameterException", "Invalid filter pattern", logs.put_subscription_filter, logGroupName="/app", filterName="second", filterPattern="{", destinationArn=arn)
logs.delete_subscription_filter(logGroupName="/app", filterName="second")
# What cannot be made rolls back.
bad = {"Resources": {"Group": {"Type": "AWS::Logs::LogGroup"}, "F": {"Type": "AWS::Logs::SubscriptionFilter", "Properties": {"LogGroupName": {"Ref": "Group"}, "FilterPattern": "", "DestinationArn": writer + "x"}}}}
create("bad", bad)
settled("bad", "ROLLBACK_COMPLETE")
assert any("Could not execute the lambda function" in reason for _, _, reason in told("bad")), told("bad")
bad["Resources"]["F"]["Properties"]["RoleArn"] = "arn:aws:iam::000000000000:role/r"
refused("ValidationError", "RoleArn", create, name="worse", template=bad)
id = stack("s")["StackId"]
cfn.delete_stack(StackName="s")
settled(id, "DELETE_COMPLETE")
`

func TestAStackSendsWhatIsLoggedToAFunction(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(subscriptionScript)
}

func TestASubscriptionFilterLosesNothingWhenTheServerDies(t *testing.T) {
	harness.Parallel(t)
	r := harness.NewRecorder(t) // not the function's log: a kill loses its last 250 ms
	s := newShell(t, r.Reach())
	r.Tell(s.API, "reader")
	aws := func(args ...string) string { return s.run("aws", append([]string{"--output", "json"}, args...)...) }
	arn := "arn:aws:lambda:us-east-1:000000000000:function:reader"
	aws("logs", "create-log-group", "--log-group-name", "/app")
	aws("logs", "create-log-stream", "--log-group-name", "/app", "--log-stream-name", "s")
	aws("lambda", "add-permission", "--function-name", "reader", "--statement-id", "logs", "--action", "lambda:InvokeFunction", "--principal", "logs.amazonaws.com")
	aws("logs", "put-subscription-filter", "--log-group-name", "/app", "--filter-name", "all", "--filter-pattern", "", "--destination-arn", arn)
	var described struct {
		SubscriptionFilters []struct{ FilterName, DestinationArn string }
	}
	s.Check(json.Unmarshal([]byte(aws("logs", "describe-subscription-filters", "--log-group-name", "/app")), &described))
	if len(described.SubscriptionFilters) != 1 || described.SubscriptionFilters[0].FilterName != "all" || described.SubscriptionFilters[0].DestinationArn != arn {
		t.Fatalf("filters %+v", described)
	}
	const rounds, each = 3, 5
	for round := range rounds {
		var events []map[string]any
		for n := range each {
			events = append(events, map[string]any{"timestamp": time.Now().UnixMilli(), "message": fmt.Sprintf("event-%d-%d.", round, n)})
		}
		text, err := json.Marshal(events)
		s.Check(err)
		aws("logs", "put-log-events", "--log-group-name", "/app", "--log-stream-name", "s", "--log-events", string(text))
		s.Kill()
		s.Restarted()
		s.Connect()
	}
	harness.Eventually(t, "the function has every event", func() bool {
		got := logged(t, r.Of("reader"))
		for round := range rounds {
			for n := range each {
				if !got[fmt.Sprintf("event-%d-%d.", round, n)] {
					return false
				}
			}
		}
		return true
	})
	aws("logs", "delete-subscription-filter", "--log-group-name", "/app", "--filter-name", "all")
}

// logged are the messages in events of subscription filters.
func logged(t *testing.T, events []string) map[string]bool {
	t.Helper()
	messages := make(map[string]bool)
	for _, event := range events {
		var packed struct{ AWSLogs struct{ Data []byte } }
		if err := json.Unmarshal([]byte(event), &packed); err != nil {
			t.Fatal(err)
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(packed.AWSLogs.Data))
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ LogEvents []struct{ Message string } }
		if err := json.NewDecoder(unpacked).Decode(&got); err != nil {
			t.Fatal(err)
		}
		for _, e := range got.LogEvents {
			messages[e.Message] = true
		}
	}
	return messages
}
