package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// loggedIn are the messages of a log group by the name of their stream.
func loggedIn(a *harness.API, group string) map[string][]string {
	a.T.Helper()
	streams := map[string][]string{}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(a.LogGroups, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		a.Check(err)
		for _, e := range page.Events {
			streams[*e.LogStreamName] = append(streams[*e.LogStreamName], *e.Message)
		}
	}
	return streams
}

// As the AWS CDK makes functions: JSON, with a log group that several share.
func TestFunctionsLogJSONIntoAGroupThatTheyShare(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	logging := func(l types.LoggingConfig) func(*lambda.CreateFunctionInput) {
		return func(in *lambda.CreateFunctionInput) { in.LoggingConfig = &l }
	}
	made := a.Create("node", harness.NodeZip(t, `console.debug('too fine'); console.warn('careful', new TypeError('odd')); console.log({ a: 1 });
		return [process.env.AWS_LAMBDA_LOG_FORMAT, process.env.AWS_LAMBDA_LOG_LEVEL, process.env.AWS_LAMBDA_LOG_GROUP_NAME, process.env.AWS_LAMBDA_LOG_STREAM_NAME, context.logGroupName];`),
		logging(types.LoggingConfig{LogFormat: types.LogFormatJson, LogGroup: aws.String("/shop/all"), ApplicationLogLevel: types.ApplicationLogLevelInfo}))
	if l := made.LoggingConfig; l.LogFormat != "JSON" || l.ApplicationLogLevel != "INFO" || l.SystemLogLevel != "INFO" || *l.LogGroup != "/shop/all" {
		t.Errorf("answered with %+v", l)
	}
	a.Create("python", harness.ZipOf(t, map[string]string{"f.py": "import logging\ndef h(event, context):\n    logging.info('hidden')\n    logging.getLogger('own').error('shown', extra={'n': 1})\n"}),
		logging(types.LoggingConfig{LogFormat: types.LogFormatJson, LogGroup: aws.String("/shop/all"), ApplicationLogLevel: types.ApplicationLogLevelError, SystemLogLevel: types.SystemLogLevelDebug}),
		func(in *lambda.CreateFunctionInput) {
			in.Runtime, in.Handler = types.RuntimePython312, aws.String("f.h")
		})
	a.Create("custom", harness.ZipOf(t, map[string]string{"bootstrap": "#!/bin/sh\n" + `while :; do
curl -sS -D /tmp/head -o /tmp/event "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next"
id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\([^[:space:]]*\).*/\1/ip' /tmp/head)
curl -sS -d "\"$AWS_LAMBDA_LOG_FORMAT $AWS_LAMBDA_LOG_LEVEL\"" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response" >/dev/null
done
`}), logging(types.LoggingConfig{LogFormat: types.LogFormatJson, SystemLogLevel: types.SystemLogLevelWarn, ApplicationLogLevel: types.ApplicationLogLevelTrace}),
		func(in *lambda.CreateFunctionInput) {
			in.Runtime, in.Handler = types.RuntimeProvidedal2023, aws.String("bootstrap")
		})

	out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("node"), LogType: types.LogTypeTail})
	a.Check(err)
	var environment []string
	a.Check(json.Unmarshal(out.Payload, &environment))
	if environment[0] != "JSON" || environment[1] != "INFO" || environment[2] != "/shop/all" || environment[4] != "/shop/all" || !strings.Contains(environment[3], "/node[$LATEST]") {
		t.Errorf("the environment is %q", environment)
	}
	tail, err := base64.StdEncoding.DecodeString(*out.LogResult)
	a.Check(err)
	a.Call("python", "{}")
	a.WantCall("custom", "{}", `"JSON TRACE"`)

	streams := loggedIn(a, "/shop/all")
	if len(streams) != 2 {
		t.Errorf("streams %v", streams)
	}
	for stream, messages := range streams {
		of := map[string][]string{"node": {"platform.initStart", "platform.start", "WARN", "INFO", "platform.report"},
			"python": {"platform.initStart", "platform.initRuntimeDone", "platform.initReport", "platform.start", "ERROR", "platform.runtimeDone", "platform.report"}}
		name := stream[strings.LastIndex(stream, "/")+1:]
		name, _, _ = strings.Cut(name, "[$LATEST]")
		var kinds []string
		for _, message := range messages {
			var line struct {
				Type, Level, RequestID, ErrorType string
				Message                           any
				Record                            map[string]any
			}
			if err := json.Unmarshal([]byte(message), &line); err != nil {
				t.Errorf("%v: %s", err, message)
			}
			kinds = append(kinds, line.Type+line.Level)
			if line.Level == "WARN" && (line.ErrorType != "TypeError" || line.RequestID == "" || !strings.HasPrefix(line.Message.(string), "careful TypeError: odd")) {
				t.Errorf("a warning is %s", message)
			}
			if name == "node" && !strings.HasPrefix(line.Type, "platform.init") && !strings.Contains(string(tail), strings.TrimSpace(message)) {
				t.Errorf("the tail has no %s:\n%s", message, tail)
			}
		}
		if strings.Join(kinds, " ") != strings.Join(of[name], " ") {
			t.Errorf("%s logs %q, want %q", name, kinds, of[name])
		}
	}
	groups, err := a.LogGroups.DescribeLogGroups(context.Background(), &cloudwatchlogs.DescribeLogGroupsInput{})
	a.Check(err)
	for _, g := range groups.LogGroups {
		if *g.LogGroupName != "/shop/all" {
			t.Errorf("there is a log group %s", *g.LogGroupName)
		}
	}
	// One function of those that share a group.
	printed := newShell(a).run(harness.CaddyBinary(t), "hearth", "logs", "python")
	if !strings.Contains(printed, "shown") || strings.Contains(printed, "careful") {
		t.Errorf("hearth logs python prints\n%s", printed)
	}
}

// Recorded from AWS: what an update does not say stays, and levels go with the format.
func TestLoggingConfigIsMergedAsByAWS(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, "console.log('hello'); return 1;"))
	update := func(l types.LoggingConfig, format, application, system, group string) {
		t.Helper()
		_, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), LoggingConfig: &l})
		a.Check(err)
		got, err := a.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
		a.Check(err)
		if c := got.LoggingConfig; string(c.LogFormat) != format || string(c.ApplicationLogLevel) != application || string(c.SystemLogLevel) != system || *c.LogGroup != group {
			t.Errorf("%+v became %+v, group %s", l, c, *c.LogGroup)
		}
	}
	update(types.LoggingConfig{LogGroup: aws.String("cool_lambda")}, "Text", "", "", "cool_lambda")
	update(types.LoggingConfig{LogFormat: "JSON", ApplicationLogLevel: "DEBUG"}, "JSON", "DEBUG", "INFO", "cool_lambda")
	update(types.LoggingConfig{SystemLogLevel: "WARN"}, "JSON", "DEBUG", "WARN", "cool_lambda")
	update(types.LoggingConfig{LogFormat: "Text"}, "Text", "", "", "cool_lambda")
	a.Call("f", "{}")
	if got := loggedIn(a, "cool_lambda"); len(got) != 1 {
		t.Errorf("logged %v", got)
	}
	_, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), LoggingConfig: &types.LoggingConfig{ApplicationLogLevel: "DEBUG"}})
	harness.Refused(t, err, 400, "InvalidParameterValueException", `LogLevel is not supported when LogFormat is set to "Text".`)
	_, err = a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), LoggingConfig: &types.LoggingConfig{LogGroup: aws.String("a b")}})
	harness.Refused(t, err, 400, "ValidationException", "")
}

func TestFunctionOfTheCaddyfileLogsAsItSays(t *testing.T) {
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	dir := a.Code("f", map[string]string{"index.mjs": "export const handler = async () => { console.info('no'); console.error('yes'); return 'ok'; };"})
	a.Configure("function f {\n runtime nodejs20.x\n handler index.handler\n code "+dir+"\n log_format json\n log_level error\n system_log_level warn\n log_group mine\n}", "function f")
	a.Start()
	a.Connect()
	a.Get("/").Want(t, 200, "ok")
	for stream, messages := range loggedIn(a, "mine") {
		if len(messages) != 1 || !strings.Contains(messages[0], `"level":"ERROR"`) || !strings.Contains(stream, "/f[$LATEST]") {
			t.Errorf("%s: %q", stream, messages)
		}
	}
	got, err := a.GetFunctionConfiguration(context.Background(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
	a.Check(err)
	if l := got.LoggingConfig; l.LogFormat != "JSON" || l.ApplicationLogLevel != "ERROR" || l.SystemLogLevel != "WARN" || *l.LogGroup != "mine" {
		t.Errorf("%+v", l)
	}
}
