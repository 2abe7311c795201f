// Package console has a browser use the console, as people do.
package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

const reader = "access_key AKIAREADER readersecretreadersecret read_only\n"

// An API of the Caddyfile, with its authorizer.
const (
	till    = "authorizer cashiers lambda other\nusage_plan shops {\nkey one 0123456789abcdefghij\n}\n"
	tillAPI = `api /till/* till {
		GET  /till/orders       orders
		POST /till/orders       orders:live {
			authorizer cashiers
			usage_plan shops
		}
		ANY  /till/old/{proxy+} http://127.0.0.1:9 {
			reverse_proxy {
				header_up Authorization "not for the page"
			}
		}
	}`
)

// A driver is the script that drives the browser. It runs one case after another and prints a
// line of JSON for each. It asks this program for what a browser cannot do.
type driver struct {
	Case   string   `json:"case"`
	Errors []string `json:"errors"`
	Took   int      `json:"took"` // ms
	Log    string   `json:"log"`  // a figure, for people
	Ask    string   `json:"ask"`
}

// One server and one browser serve all cases: a start of each costs more than the cases do.
func TestConsoleIsUsedAsPeopleUseIt(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, reader+till, "console /console\n"+tillAPI)
	a.Create("orders", harness.NodeZip(t, `console.log("order " + (event.order ?? "none")); return { orders: 1 }`))
	a.Create("fails", harness.NodeZip(t, `console.log("<img src=x id=injected onerror=alert(3)>"); throw new Error("<img src=x id=injected onerror=alert(4)>")`))
	a.Create("other", harness.NodeZip(t, `return 1`))
	// Names that objects of JavaScript have by themselves.
	a.Create("__proto__", harness.ZipOf(t, map[string]string{
		"index.mjs": "export const handler = async () => 1", "__proto__": "the first", "constructor": "the second", "toString": "the third",
	}))
	a.Create("constructor", harness.NodeZip(t, `return 1`))
	a.Create("toString", harness.NodeZip(t, `return 1`))

	b := harness.StartBroker(t, 1, nil)
	b.Put(0, "one")
	_, err := a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("other"), Topics: []string{"orders"}, StartingPosition: lambdatypes.EventSourcePositionTrimHorizon, SourceAccessConfigurations: harness.NoPassword(),
		SelfManagedEventSource: &lambdatypes.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": b.ListenAddrs()}},
	})
	a.Check(err)
	drive(a, "cases.mjs", 17, map[string]func(){
		"restart": func() { a.Stop(); a.Restart() },
	})
}

// drive runs the cases of a file in a browser. asked is what cases ask this program for.
func drive(a *harness.API, file string, least int, asked map[string]func()) {
	t := a.T
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, "node", "drive.mjs", file, a.URL("/console/"), a.Credentials.AccessKeyID, a.Credentials.SecretAccessKey, t.TempDir())
	var problems strings.Builder
	script.Stderr = &problems
	answers, err := script.StdinPipe()
	a.Check(err)
	lines, err := script.StdoutPipe()
	a.Check(err)
	a.Check(script.Start())
	var cases int
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 4<<20) // a case may have many errors
	for scanner.Scan() {
		var d driver
		if err := json.Unmarshal(scanner.Bytes(), &d); err != nil {
			t.Errorf("the driver prints %s", scanner.Text())
			continue
		}
		switch {
		case d.Ask != "":
			asked[d.Ask]()
			_, err := io.WriteString(answers, "done\n")
			a.Check(err)
		case d.Log != "":
			t.Log(d.Log)
		default:
			cases++
			t.Logf("%s: %d ms", d.Case, d.Took)
			t.Run(strings.ReplaceAll(d.Case, " ", "_"), func(t *testing.T) {
				for _, problem := range d.Errors {
					t.Error(problem)
				}
			})
		}
	}
	if err := scanner.Err(); err != nil {
		t.Error("the lines of the driver: ", err)
	}
	if err := script.Wait(); err != nil {
		t.Errorf("the driver of the browser: %v\n%s", err, problems.String())
	}
	if cases < least {
		t.Error(fmt.Sprintf("only %d cases ran", cases), problems.String())
	}
}

const (
	manyFunctions = 10_000
	manyLines     = 1_000_000
)

func TestConsoleStaysQuickWithManyFunctionsAndLines(t *testing.T) {
	harness.Slow(t, "it takes half a minute")
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	code := a.Code("many", map[string]string{"index.mjs": "export const handler = async () => 1"})
	var functions strings.Builder
	for i := range manyFunctions {
		functions.WriteString(harness.NodeFunction(fmt.Sprintf("service-%05d", i), code, ""))
	}
	a.Configure(functions.String(), "console /console")
	a.Start()
	a.Connect()
	group, stream := aws.String("/aws/lambda/service-00000"), aws.String("stream")
	_, err := a.LogGroups.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	a.Check(err)
	_, err = a.LogGroups.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	a.Check(err)
	const call = 10_000 // events of PutLogEvents
	drive(a, "large.mjs", 4, map[string]func(){
		"log": func() {
			now := time.Now().UnixMilli()
			for from := 0; from < manyLines; from += call {
				events := make([]types.InputLogEvent, call)
				for i := range events {
					events[i] = types.InputLogEvent{Timestamp: aws.Int64(now + int64(from+i)/1000), Message: aws.String(fmt.Sprintf("line %07d", from+i))}
				}
				_, err := a.LogGroups.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events})
				a.Check(err)
			}
		},
	})
}
