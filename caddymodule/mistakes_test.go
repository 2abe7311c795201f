package caddymodule

import (
	"fmt"
	"strings"
	"testing"
)

// What people write who know Caddy and Lambda and are wrong once: the error names the file, the
// line and the word, says what is right, and is about one thing.
func TestMistakesAreNamedWithTheirLine(t *testing.T) {
	hearth := func(options string) string { return "{\n\thearth {\n" + options + "\n\t}\n}\n" }
	function := func(options string) string { // its options begin in line 4
		return hearth("\t\tfunction f {\n" + options + "\n\t\t}")
	}
	whole := func(option string) string { // the option is in line 7
		return function("\t\t\truntime nodejs22.x\n\t\t\thandler index.handler\n\t\t\tcode hello\n" + option)
	}
	site := func(options string) string { return "example.com {\n" + options + "\n}\n" } // from line 2
	for n, test := range []struct {
		input string
		line  int
		says  string
	}{
		// Names of options.
		{hearth("datadir /srv"), 3, "did you mean data_dir?"},
		{hearth("memory_budge 1GB"), 3, "did you mean memory_budget?"},
		{hearth("functions f"), 3, "did you mean function?"},
		{hearth("reserved_concurrency 3"), 3, "unrecognized"},
		{whole("memmory 128"), 7, "did you mean memory?"},
		{whole("environment A b"), 7, "unrecognized"},
		{whole("time_out 3s"), 7, "did you mean timeout?"},
		{whole("reserved 5"), 7, "unrecognized"},
		{whole("async {\n retry 1\n}"), 8, "retries, max_age"},
		{whole("network private {\n denied 10.0.0.0/8\n}"), 8, "deny and allow"},
		{hearth("event_source arn:aws:sqs:us-east-1:000000000000:q f {\n batchsize 10\n}"), 4, "did you mean batch_size?"},
		{hearth("schedule s \"rate(1 minute)\" f {\n timezone UTC\n}"), 4, "did you mean time_zone?"},
		{hearth("authorizer a jwt {\n issuers https://id\n}"), 4, "did you mean issuer?"},
		{hearth("usage_plan p {\n rat 10\n}"), 4, "did you mean rate?"},
		{site("receive /x s3 {\n tokn a\n}"), 3, "did you mean token?"},
		{site("receive /x git_hub {\n}"), 2, "github"},
		{site("api a {\n throtle 3\n}"), 3, "did you mean throttle?"},
		{site("websocket a {\n conect f\n}"), 3, "did you mean connect?"},
		{site("function f {\n paylod 1.0\n}"), 3, "did you mean payload?"},
		// Values.
		{whole("memory 64"), 7, "128 to 32768"},
		{whole("memory lots"), 7, "lots"},
		{whole("memory 128 MB"), 7, "MB"},
		{whole("timeout 0s"), 7, "timeout"},
		{whole("role writer"), 7, "arn:aws:iam"},
		{whole("timeout 3"), 7, "3"},
		{whole("timeout 2d"), 7, "timeout"},
		{whole("ephemeral_storage 100"), 7, "512"},
		{whole("network privat"), 7, "private"},
		{whole("env AWS_REGION x"), 7, "reserved"},
		{whole("env 1A x"), 7, "1A"},
		{whole("env A"), 7, "env"},
		{whole("reserved_concurrency -1"), 7, "-1"},
		{whole("recursive_loop stop"), 7, "terminate"},
		{whole("log_format xml"), 7, "xml"},
		{whole("async {\n retries 9\n}"), 7, "0 to 2"},
		{whole("reach localhost"), 7, "localhost"},
		{function("runtime node22.x\nhandler index.handler\ncode hello"), 4, "did you mean nodejs22.x?"},
		{function("runtime python3.99\nhandler app.handler\ncode hello"), 4, "python3.99"},
		{function("runtime dotnet8\nhandler a.b\ncode hello"), 4, "provided.al2023"},
		{function("runtime nodejs22.x\nhandler indexhandler\ncode hello"), 5, "MODULE.FUNCTION"},
		{function("runtime nodejs22.x\ncode hello"), 3, "handler"},
		{function("handler index.handler\ncode hello"), 3, "runtime"},
		{function("runtime nodejs22.x\nhandler index.handler"), 3, "code"},
		{hearth("function two words {\n}"), 3, "argument"},
		{hearth("function a/b {\n}"), 3, "a/b"},
		{hearth("function f {\n}\nfunction f {\n}"), 5, "defined twice"},
		{hearth("schedule s rate(5 minutes) f"), 3, "in quotes"},
		{hearth(`schedule s "rate(5 minuts)" f`), 3, "minuts"},
		{hearth(`schedule s "cron(* * * * *)" f`), 3, "cron"},
		{hearth("schedule s \"rate(1 minute)\" f {\n time_zone Mars/One\n}"), 4, "Mars/One"},
		{hearth("event_source arn:aws:sqs:us-east-1:q f"), 3, "arn:aws:sqs:us-east-1:q"},
		{hearth("event_source http://queue f"), 3, "http://queue"},
		{hearth("event_source arn:aws:sqs:us-east-1:000000000000:q f {\n batch_size 0\n}"), 4, "batch_size"},
		{hearth("event_source arn:aws:sqs:us-east-1:000000000000:q f {\n filter {bad\n}"), 4, "filter"},
		{hearth("sandbox no"), 3, "on"},
		{hearth("network bridge"), 3, "private"},
		{hearth("memory_budget much"), 3, "much"},
		{hearth("account 12"), 3, "twelve digits"},
		{hearth("function_url https://fn.example.com"), 3, "https://*.fn.example.com"},
		{hearth("redis localhost:6379"), 3, "redis://"},
		{hearth("concurrency many"), 3, "many"},
		{hearth("ignore vpc"), 3, "vpc_config"},
		{hearth("compile_cache yes"), 3, "on"},
		{hearth("data_dir"), 3, "argument"},
		{site("function"), 2, "argument"},
		{site("function f {\n payload 3.0\n}"), 3, "3.0"},
		{site("api a {\n GET items f\n}"), 3, "items"},
		{site("api a {\n FETCH /items f\n}"), 3, "FETCH"},
		{site("receive /x s3 {\n on ObjectCreated:* a/** f\n}"), 2, "token"},
		{site("receive /x s3 {\n token t\n on ObjectCreated:* a/**\n}"), 4, "on"},
		{site("handle_pth /x {\n function f\n}"), 2, "handle_pth"},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			_, err := adapt(test.input)
			switch {
			case err == nil:
				t.Errorf("accepted:\n%s", test.input)
			case !strings.Contains(err.Error(), fmt.Sprintf("Caddyfile:%d", test.line)), !strings.Contains(err.Error(), test.says):
				t.Errorf("got %v\nwant line %d and %q for:\n%s", err, test.line, test.says, test.input)
			case strings.Contains(err.Error(), "\n"), strings.Count(err.Error(), "Caddyfile:") > 1:
				t.Errorf("more than one error: %v", err)
			}
		})
	}
}
