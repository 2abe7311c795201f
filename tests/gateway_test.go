package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The invoker as a process of its own: it takes events, and has no functions.
func TestEventsAreDeliveredToTheFunctionsOfAnotherServer(t *testing.T) {
	functions := newServer(t, "access_key AKIAINVOKER 0123456789abcdef", "lambda_api")
	code := functions.code("note", map[string]string{"app.py": `
def handler(event, context):
    print("had", event["n"])
`})
	functions.configure(`access_key AKIAINVOKER 0123456789abcdef
		function note {
			runtime python3.13
			handler app.handler
			code `+code+`
		}
		function poll {
			runtime python3.13
			handler app.handler
			code `+functions.code("poll", map[string]string{"app.py": `
def handler(event, context):
    print("polled", event["Records"][0]["values"]["id"])
`})+`
		}`, "lambda_api")
	functions.start()

	redis := newRedis(t)
	inbox := newServer(t, fmt.Sprintf(`gateway {
			endpoint http://127.0.0.1:%d
			access_key AKIAINVOKER 0123456789abcdef
		}
		event_source %s poll {
			topic orders
		}`, functions.port, redis.url()), `receive /events/* generic {
			token secret
		}`).start()
	post := func(name, body string) response {
		r := inbox.request("POST", "/events/"+name+"?token=secret", strings.NewReader(body))
		return inbox.do(r)
	}
	post("note", `{"n":1}`).want(t, 200, "")
	functions.wantLog("note", "had 1")

	// And what is polled goes there, too.
	addRecords(t, redis.client(), "orders", "an-order")
	functions.wantLog("poll", "polled an-order")

	// What waits while the other server is away is delivered when it is back.
	functions.stop()
	post("note", `{"n":2}`).want(t, 200, "")
	functions.start()
	functions.wantLog("note", "had 2")

	// What only the other server knows is found out there.
	post("nobody", `{"n":3}`).want(t, 200, "")
	eventually(t, "the event without a function is kept aside", func() bool {
		return strings.Contains(inbox.output(), "an event is given up and kept aside")
	})
	if _, err := os.Stat(filepath.Join(inbox.dir, "data", "state.db")); err != nil {
		t.Error(err)
	}
}
