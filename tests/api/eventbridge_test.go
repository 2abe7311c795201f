package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// rulesScript makes an event bus, rules and targets, is refused as AWS refuses, and sends events.
const rulesScript = botoStart + `
import json
events = boto3.client("events", config=once)
account = "us-east-1:000000000000"
function = "arn:aws:lambda:%s:function:" % account
arn = events.put_rule(Name="orders", EventPattern='{"source":["shop"],"detail":{"n":[{"numeric":[">",1]}]}}', Description="d", Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}])["RuleArn"]
assert arn == "arn:aws:events:%s:rule/orders" % account, arn
got = events.describe_rule(Name="orders")
assert (got["State"], got["EventBusName"], got["CreatedBy"], got["Description"]) == ("ENABLED", "default", "000000000000", "d") and "ScheduleExpression" not in got, got
assert events.put_targets(Rule="orders", Targets=[
    {"Id": "made", "Arn": function + "made", "InputTransformer": {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"n": <n>, "rule": <aws.events.rule-name>}'}},
    {"Id": "f", "Arn": function + "f"},
    {"Id": "closed", "Arn": function + "closed", "DeadLetterConfig": {"Arn": os.environ["DEAD"]}},
    {"Id": "queue", "Arn": os.environ["QUEUE"], "InputPath": "$.detail", "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 600}},
])["FailedEntryCount"] == 0
bus = events.create_event_bus(Name="own", Tags=[{"Key": "k", "Value": "v"}])["EventBusArn"]
assert bus == "arn:aws:events:%s:event-bus/own" % account
assert events.put_rule(Name="all", EventBusName=bus, EventPattern='{"source":[{"prefix":""}]}')["RuleArn"].endswith("rule/own/all")
events.put_targets(Rule="all", EventBusName="own", Targets=[{"Id": "1", "Arn": function + "f", "Input": '{"from": "own"}'}])

def sent(n, source="shop", **more):
    return dict(Source=source, DetailType="made", Detail=json.dumps({"n": n}), **more)
out = events.put_events(Entries=[sent(2, Resources=["r"]), sent(1), sent(2, "other"), sent(9, "x", EventBusName="own"), sent(2, "aws.s3"), sent(2, EventBusName="none"),
    dict(Source="shop", DetailType="x", Detail="[1]"), dict(Source="shop", Detail="{}")])
assert out["FailedEntryCount"] == 4 and [e.get("ErrorCode") for e in out["Entries"]] == [None] * 4 + ["NotAuthorizedForSourceException", "ResourceNotFoundException", "MalformedDetail", "InvalidArgument"], out
assert len(out["Entries"][0]["EventId"]) == 36

assert events.list_rule_names_by_target(TargetArn=function + "f")["RuleNames"] == ["orders"]
assert [t["Id"] for t in events.list_targets_by_rule(Rule="orders")["Targets"]] == ["closed", "f", "made", "queue"]
assert events.list_targets_by_rule(Rule="orders")["Targets"][3]["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 600}
assert [b["Name"] for b in events.list_event_buses()["EventBuses"]] == ["default", "own"]
assert events.describe_event_bus()["Arn"].endswith("event-bus/default") and events.describe_event_bus(Name="own")["CreationTime"]
events.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "3"}])
events.untag_resource(ResourceARN=arn, TagKeys=["a"])
assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "3"}]
assert events.list_tags_for_resource(ResourceARN=bus)["Tags"] == [{"Key": "k", "Value": "v"}]
for n in range(3):
    events.put_rule(Name="tick%d" % n, ScheduleExpression="rate(1 day)", State="DISABLED")
page = events.list_rules(NamePrefix="tick", Limit=2)
assert [r["Name"] for r in page["Rules"]] == ["tick0", "tick1"] and [r["Name"] for r in events.list_rules(NamePrefix="tick", NextToken=page["NextToken"])["Rules"]] == ["tick2"]
events.enable_rule(Name="tick0")
assert events.describe_rule(Name="tick0")["State"] == "ENABLED"
events.disable_rule(Name="tick0")
assert events.test_event_pattern(EventPattern='{"source":["a"]}', Event='{"id":"1","account":"0","source":"a","time":"t","region":"r","resources":[],"detail-type":"d"}')["Result"]
assert events.remove_targets(Rule="orders", Ids=["no"])["FailedEntries"][0]["ErrorCode"] == "ResourceNotFoundException"

one = lambda **target: dict(Rule="tick0", Targets=[dict({"Id": "1", "Arn": function + "f"}, **target)])
for code, text, call, args in [
    ("ValidationException", "must be specified", events.put_rule, dict(Name="x")),
    ("ValidationException", "ScheduleExpression is not valid", events.put_rule, dict(Name="x", ScheduleExpression="rate(1 minutes)")),
    ("ValidationException", "ScheduleExpression is not valid", events.put_rule, dict(Name="x", ScheduleExpression="at(2030-01-01T00:00:00)")),
    ("ValidationException", "only on the default event bus", events.put_rule, dict(Name="x", ScheduleExpression="rate(1 day)", EventBusName="own")),
    ("InvalidEventPatternException", "Event pattern is not valid", events.put_rule, dict(Name="x", EventPattern='{"source":"x"}')),
    ("ResourceNotFoundException", "Event bus none does not exist", events.put_rule, dict(Name="x", EventPattern='{"source":["x"]}', EventBusName="none")),
    ("ResourceNotFoundException", "Rule none does not exist on EventBus default", events.describe_rule, dict(Name="none")),
    ("ValidationException", "since it has targets", events.delete_rule, dict(Name="orders")),
    ("ValidationException", "since it has rules", events.delete_event_bus, dict(Name="own")),
    ("ValidationException", "Cannot delete event bus default", events.delete_event_bus, dict(Name="default")),
    ("ResourceAlreadyExistsException", "own already exists", events.create_event_bus, dict(Name="own")),
    ("ValidationException", "Targets of states are not supported", events.put_targets, one(Arn="arn:aws:states:%s:stateMachine:m" % account)),
    ("ValidationException", "EcsParameters of target 1 is not supported", events.put_targets, one(EcsParameters={"TaskDefinitionArn": "a"})),
    ("ValidationException", "JSON syntax error", events.put_targets, one(Input="{")),
    ("ValidationException", "there is no variable <x>", events.put_targets, one(InputTransformer={"InputTemplate": '"<x>"'})),
    ("ValidationException", "correct format", events.put_targets, one(Arn="f")),
    ("ValidationException", "failed to satisfy constraint", events.put_events, dict(Entries=[sent(1)] * 11)),
    ("ValidationException", "over the limit", events.put_events, dict(Entries=[sent("x" * 1048576)])),
    ("UnknownOperationException", "CreateArchive is not supported", events.create_archive, dict(ArchiveName="a", EventSourceArn=bus)),
]:
    refused(code, text, call, **args)
assert events.delete_rule(Name="none") and events.delete_event_bus(Name="none")
print("finished")
`

func TestRulesSendEventsToTheirTargets(t *testing.T) {
	harness.Parallel(t)
	r, m := harness.NewRecorder(t), harness.StartMoto(t)
	queue, queueARN := m.Queue(t, "queue")
	dead, deadARN := m.Queue(t, "dead")
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	a.Configure(m.Options()+r.Reach()+r.Function(a.Server, "f", ""), "")
	a.Start()
	a.Connect()
	r.Tell(a, "made")
	r.Tell(a, "closed")
	s := newShell(a)
	s.want(s.run("aws", "lambda", "add-permission", "--function-name", "made", "--statement-id", "r", "--action", "lambda:InvokeFunction", "--principal", "events.amazonaws.com",
		"--source-arn", "arn:aws:events:us-east-1:000000000000:rule/orders"), "rule/orders")
	s.want(s.run("aws", "lambda", "add-permission", "--function-name", "closed", "--statement-id", "r", "--action", "lambda:InvokeFunction", "--principal", "events.amazonaws.com",
		"--source-arn", "arn:aws:events:us-east-1:000000000000:rule/other"), "rule/other")
	s.write("script.py", []byte("import os\nos.environ.update(QUEUE=\""+queueARN+"\", DEAD=\""+deadARN+"\")\n"+rulesScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")

	if got := r.Wait("made", 1)[0]; got != `{"n": 2, "rule": "orders"}` {
		t.Errorf("the template makes %s", got)
	}
	both := strings.Join(r.Wait("f", 2), "\n")
	if !strings.Contains(both, `{"from": "own"}`) || !strings.Contains(both, `"detail-type": "made", "source": "shop", "account": "000000000000"`) || !strings.Contains(both, `"resources": ["r"], "detail": {"n": 2}`) {
		t.Errorf("the events are %s", both)
	}
	if got := *m.Next(t, queue).Body; got != `{"n":2}` {
		t.Errorf("the queue got %s", got)
	}
	letter := m.Next(t, dead)
	if code := letter.MessageAttributes["ERROR_CODE"].StringValue; code == nil || *code != "NO_PERMISSIONS" || !strings.Contains(*letter.Body, `"source":"shop"`) ||
		*letter.MessageAttributes["RULE_ARN"].StringValue != "arn:aws:events:us-east-1:000000000000:rule/orders" {
		t.Errorf("the dead-letter queue got %s with %v", *letter.Body, letter.MessageAttributes)
	}
	if got := r.Of("closed"); len(got) > 0 {
		t.Errorf("a function whose policy says no got %s", got)
	}
	a.NothingWaits()
}

func TestSchedulesOfTheSchedulerRun(t *testing.T) {
	harness.Parallel(t)
	r := harness.NewRecorder(t)
	a := harness.NewAPI(t, r.Reach(), "")
	r.Tell(a, "f")
	s := newShell(a)
	s.role("clock", strings.Replace(lambdaTrust, "lambda", "scheduler", 1), `[{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f"}]`)
	s.role("removed", strings.Replace(lambdaTrust, "lambda", "scheduler", 1), `[{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f"}]`)
	s.role("stopped", strings.Replace(lambdaTrust, "lambda", "scheduler", 1), `[{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:000000000000:function:g"}]`)
	at := time.Now().Add(20 * time.Second).Truncate(time.Second) // a slow machine has restarted by then
	s.write("script.py", []byte(strings.ReplaceAll(schedulerScript, "AT", at.In(time.FixedZone("", 9*3600)).Format("2006-01-02T15:04:05"))))
	s.want(s.run(botoPython(t), "script.py"), "finished")
	a.Kill()
	a.Restart()
	got := r.Wait("f", 2)
	var event struct {
		DetailType string `json:"detail-type"`
		Source     string
		Time       string
		Resources  []string
		Detail     string
	}
	for _, body := range got {
		if strings.Contains(body, `"mine"`) {
			if want := fmt.Sprintf(`{"mine": "arn:aws:scheduler:us-east-1:000000000000:schedule/own/input", "at": "%s"}`, at.UTC().Format(time.RFC3339)); body != want {
				t.Errorf("the input is %s, want %s", body, want)
			}
		} else if err := json.Unmarshal([]byte(body), &event); err != nil {
			t.Error(err)
		}
	}
	if event.DetailType != "Scheduled Event" || event.Source != "aws.scheduler" || event.Time != at.UTC().Format(time.RFC3339) || event.Detail != "{}" ||
		len(event.Resources) != 1 || event.Resources[0] != "arn:aws:scheduler:us-east-1:000000000000:schedule/default/once" {
		t.Errorf("the event is %+v of %s", event, got)
	}
	harness.Eventually(t, "a role is refused", func() bool {
		return strings.Contains(a.Output(), "no identity-based policy allows the lambda:InvokeFunction") && strings.Contains(a.Output(), "The role is not there any more: arn:aws:iam::000000000000:role/removed")
	})
	harness.Eventually(t, "a schedule that has ended is deleted", func() bool {
		return strings.Contains(s.run("aws", "scheduler", "list-schedules", "--query", "Schedules[].Name", "--output", "text"), "daily\tinput\n")
	})
}

// schedulerScript makes schedules, of which two run at AT in Tokyo, and is refused as AWS refuses.
const schedulerScript = botoStart + `
scheduler = boto3.client("scheduler", config=once)
account = "us-east-1:000000000000"
target = {"Arn": "arn:aws:lambda:%s:function:f" % account, "RoleArn": "arn:aws:iam::000000000000:role/clock"}
off = {"Mode": "OFF"}
def make(name, expression="at(AT)", call=scheduler.create_schedule, **more):
    return call(**dict(dict(Name=name, ScheduleExpression=expression, ScheduleExpressionTimezone="Asia/Tokyo", FlexibleTimeWindow=off, Target=target), **more))
assert make("once", ActionAfterCompletion="DELETE")["ScheduleArn"] == "arn:aws:scheduler:%s:schedule/default/once" % account
group = scheduler.create_schedule_group(Name="own", Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
assert group == "arn:aws:scheduler:%s:schedule-group/own" % account
make("input", GroupName="own", Target=dict(target, Input='{"mine": "<aws.scheduler.schedule-arn>", "at": "<aws.scheduler.scheduled-time>"}', RetryPolicy={"MaximumRetryAttempts": 2}))
make("off", State="DISABLED")
make("denied", ActionAfterCompletion="DELETE", Target=dict(target, RoleArn="arn:aws:iam::000000000000:role/stopped"))
# A role that is gone runs nothing any more.
make("roleless", ActionAfterCompletion="DELETE", Target=dict(target, RoleArn="arn:aws:iam::000000000000:role/removed"))
iam = boto3.client("iam", config=once)
iam.delete_role_policy(RoleName="removed", PolicyName=iam.list_role_policies(RoleName="removed")["PolicyNames"][0])
iam.delete_role(RoleName="removed")
make("daily", "cron(0 12 ? * MON-FRI *)", StartDate=1893456000, FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}, Description="d")
got = scheduler.get_schedule(Name="daily")
assert (got["State"], got["GroupName"], got["Description"], got["ScheduleExpressionTimezone"], got["StartDate"].timestamp()) == ("ENABLED", "default", "d", "Asia/Tokyo", 1893456000), got
assert got["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5} and got["Target"] == target and got["ActionAfterCompletion"] == "NONE", got
make("daily", "rate(1 day)", scheduler.update_schedule)
assert "Description" not in scheduler.get_schedule(Name="daily")
page = scheduler.list_schedules(MaxResults=2)
assert [s["Name"] for s in page["Schedules"]] == ["daily", "denied"] and page["Schedules"][0]["Target"] == {"Arn": target["Arn"]}, page
assert [s["Name"] for s in scheduler.list_schedules(NextToken=page["NextToken"])["Schedules"]] == ["off", "once", "roleless", "input"]
assert [s["Name"] for s in scheduler.list_schedules(GroupName="own")["Schedules"]] == ["input"]
assert [s["Name"] for s in scheduler.list_schedules(State="DISABLED")["Schedules"]] == ["off"]
scheduler.delete_schedule(Name="off")
scheduler.tag_resource(ResourceArn=group, Tags=[{"Key": "b", "Value": "2"}])
scheduler.untag_resource(ResourceArn=group, TagKeys=["a"])
assert scheduler.list_tags_for_resource(ResourceArn=group)["Tags"] == [{"Key": "b", "Value": "2"}]
assert [g["Name"] for g in scheduler.list_schedule_groups()["ScheduleGroups"]] == ["default", "own"]
# A call whose answer was lost is made again with its token.
for _ in range(2):
    assert scheduler.create_schedule_group(Name="again", ClientToken="t")["ScheduleGroupArn"].endswith("/again")
    make("again", "rate(1 day)", GroupName="again", ClientToken="t")
scheduler.delete_schedule_group(Name="again")
scheduler.create_schedule_group(Name="gone")
make("inside", "rate(1 day)", GroupName="gone")
scheduler.delete_schedule_group(Name="gone")
for code, text, call, args in [
    ("ResourceNotFoundException", "none does not exist", scheduler.get_schedule, dict(Name="none")),
    ("ResourceNotFoundException", "inside does not exist", scheduler.get_schedule, dict(Name="inside", GroupName="gone")),
    ("ResourceNotFoundException", "Schedule group gone does not exist", make, dict(name="x", GroupName="gone")),
    ("ConflictException", "once already exists", make, dict(name="once")),
    ("ConflictException", "own already exists", scheduler.create_schedule_group, dict(Name="own")),
    ("ValidationException", "Cannot delete default", scheduler.delete_schedule_group, dict(Name="default")),
    ("ValidationException", "Invalid Schedule Expression", make, dict(name="x", expression="every day")),
    ("ValidationException", "Timezone is not valid", make, dict(name="x", ScheduleExpressionTimezone="Mars/Crater")),
    ("ValidationException", "Maximum window must be specified", make, dict(name="x", FlexibleTimeWindow={"Mode": "FLEXIBLE"})),
    ("ValidationException", "Targets of ecs are not supported", make, dict(name="x", Target=dict(target, Arn="arn:aws:ecs:%s:cluster/c" % account))),
    ("ValidationException", "Targets of scheduler are not supported", make, dict(name="x", Target=dict(target, Arn="arn:aws:scheduler:::aws-sdk:sqs:sendMessage"))),
    ("ValidationException", "no sqs is configured", make, dict(name="x", Target=dict(target, Arn="arn:aws:sqs:%s:q" % account, Input="x"))),
    ("ValidationException", "not valid JSON", make, dict(name="x", Target=dict(target, Input="{"))),
    ("ValidationException", "there is no KMS", make, dict(name="x", KmsKeyArn="arn:aws:kms:%s:key/k" % account)),
]:
    refused(code, text, call, **args)
print("finished")
`
