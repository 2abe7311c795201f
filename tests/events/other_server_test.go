package events

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// The invoker as a process of its own: it takes events, and has no functions.
func TestEventsAreDeliveredToTheFunctionsOfAnotherServer(t *testing.T) {
	harness.Parallel(t)
	functions := harness.NewServer(t, "access_key AKIAINVOKER 0123456789abcdef", "lambda_api")
	code := functions.Code("note", map[string]string{"app.py": `
def handler(event, context):
    print("had", event["n"])
`})
	functions.Configure(`access_key AKIAINVOKER 0123456789abcdef
		function note {
			runtime python3.13
			handler app.handler
			code `+code+`
		}
		function poll {
			runtime python3.13
			handler app.handler
			code `+functions.Code("poll", map[string]string{"app.py": `
def handler(event, context):
    print("polled", event["Records"][0]["values"]["id"])
`})+`
		}`, "lambda_api")
	functions.Start()

	redis := harness.NewRedis(t)
	inbox := harness.NewServer(t, fmt.Sprintf(`gateway {
			endpoint http://127.0.0.1:%d
			access_key AKIAINVOKER 0123456789abcdef
		}
		event_source %s poll {
			topic orders
		}`, functions.Port, redis.URL()), `receive /events/* generic {
			token secret
		}`).Start()
	post := func(name, body string) harness.Response {
		r := inbox.Request("POST", "/events/"+name+"?token=secret", strings.NewReader(body))
		return inbox.Do(r)
	}
	post("note", `{"n":1}`).Want(t, 200, "")
	functions.WantLog("note", "had 1")

	// And what is polled goes there, too.
	harness.AddRecords(t, redis.Client(), "orders", "an-order")
	functions.WantLog("poll", "polled an-order")

	// What waits while the other server is away is delivered when it is back.
	functions.Stop()
	post("note", `{"n":2}`).Want(t, 200, "")
	functions.Start()
	functions.WantLog("note", "had 2")

	// What only the other server knows is found out there.
	post("nobody", `{"n":3}`).Want(t, 200, "")
	harness.Eventually(t, "the event without a function is kept aside", func() bool {
		return strings.Contains(inbox.Output(), "an event is given up and kept aside")
	})
	if _, err := os.Stat(filepath.Join(inbox.Dir, "data", "state.db")); err != nil {
		t.Error(err)
	}
}
