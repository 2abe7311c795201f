package gateway

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/tests/harness"
)

// An exposure is why no environment may have the machine's network.
type exposure struct {
	admin  string // in the place of the global option admin
	redis  bool   // Redis serves everybody
	reason string // what is said
}

// Whatever starts an environment with the machine's network comes by one place, which
// refuses while a function there could change the server.
func TestNothingSharesTheMachinesNetworkBesideTheDefaultAdminEndpoint(t *testing.T) {
	harness.Slow(t, severalStarts)
	harness.Parallel(t)
	nothingRunsWhile(t, exposure{reason: "admin endpoint at 127.0.0.1:"})
}

func TestNothingSharesTheMachinesNetworkBesideAnAdminEndpointOnTCP(t *testing.T) {
	harness.Slow(t, severalStarts)
	harness.Parallel(t)
	nothingRunsWhile(t, exposure{admin: fmt.Sprintf("admin 127.0.0.1:%d", harness.FreePort(t)), reason: "admin endpoint at 127.0.0.1:"})
}

func TestNothingSharesTheMachinesNetworkBesideAnAbstractAdminEndpoint(t *testing.T) {
	harness.Slow(t, severalStarts)
	harness.Parallel(t)
	nothingRunsWhile(t, exposure{admin: fmt.Sprintf("admin unix/@hearth-test-%d", harness.FreePort(t)), reason: "admin endpoint at unix/@hearth-test-"})
}

func TestNothingSharesTheMachinesNetworkBesideAnOpenRedis(t *testing.T) {
	harness.Slow(t, severalStarts)
	harness.Parallel(t)
	nothingRunsWhile(t, exposure{redis: true, reason: "its Redis, which asks for no password"})
}

const severalStarts = "it starts servers with many sources, and a schedule"

// A sharer is a server whose functions, made by the API, have the machine's network, and
// that has a way to each of them.
type sharer struct {
	*harness.API
	e        exposure
	recorder *harness.Recorder
	streams  *harness.Redis
	state    *harness.Redis // nil: the server is alone
	queues   *harness.Moto
	queue    string // that a mapping of the API reads
	url      string // of the function "url"
}

// ways are functions, by what starts them.
func ways() []string {
	return []string{"route", "url", "event", "schedule", "stream", "mapping", "destination"}
}

// configure writes the Caddyfile, before the exposure or with it. The schedule fires at a
// time.
func (s *sharer) configure(exposed bool, at time.Time) {
	s.T.Helper()
	before := s.Code("before", map[string]string{"app.py": "def handler(event, context):\n    return 1\n"})
	hearth := s.option(exposed) + fmt.Sprintf(`network host
sqs {
	endpoint %s
	access_key %s %s
}
schedule tick "at(%s)" schedule
event_source %s/0 stream {
	topic orders
	group shop
}
`, s.queues.URL, harness.MotoKey, harness.MotoSecret, at.UTC().Format("2006-01-02T15:04:05"), s.streams.URL()) +
		harness.PythonFunction("before", before, "network none\nasync {\n on_success arn:aws:lambda:us-east-1:000000000000:function:destination\n}")
	site := "function /route route\nreceive /hooks/* generic {\n token " + harness.HookToken + "\n}\n"
	if !exposed {
		site += "lambda_api\n"
	}
	s.write(exposed, hearth, site)
}

// option names the Redis, if the server has one.
func (s *sharer) option(exposed bool) string {
	switch {
	case s.state == nil:
		return ""
	case exposed: // as one that asks for no password is used
		return harness.RedisOption(fmt.Sprintf("redis://127.0.0.1:%d", s.state.Port))
	}
	return harness.RedisOption(s.state.URL())
}

func (s *sharer) write(exposed bool, hearth, site string) {
	s.T.Helper()
	s.Server.Configure(fmt.Sprintf("function_url http://*.fn.localhost:%d\n%s", s.Port, hearth), site)
	text, err := os.ReadFile(s.Config)
	s.Check(err)
	caddyfile := string(text) + fmt.Sprintf("http://*.fn.localhost:%d {\n\tfunction_urls\n}\n", s.Port)
	if exposed && !s.e.redis {
		caddyfile = strings.Replace(caddyfile, "admin unix/"+s.Dir+"/admin.sock", s.e.admin, 1)
	}
	s.Check(os.WriteFile(s.Config, []byte(caddyfile), 0o600))
}

// start sends something each way but by the schedule, and returns what the callers who
// wait for an answer get.
func (s *sharer) start() []harness.Response {
	s.T.Helper()
	for _, name := range []string{"event", "before"} {
		s.Post("/hooks/"+name, `{"n":1}`, "Authorization", "Bearer "+harness.HookToken).Want(s.T, 200, "")
	}
	harness.AddRecords(s.T, s.streams.Client(), "orders", "one")
	_, err := s.queues.SQS.SendMessage(s.T.Context(), &sqs.SendMessageInput{QueueUrl: &s.queue, MessageBody: aws.String(`{"n":1}`)})
	s.Check(err)
	at, err := url.Parse(s.url)
	s.Check(err)
	r := s.Request("GET", "/", nil)
	r.Host = at.Host
	return []harness.Response{s.Get("/route"), s.Do(r)}
}

func nothingRunsWhile(t *testing.T, e exposure) {
	s := &sharer{API: &harness.API{Server: harness.NewServer(t, "", "")}, e: e, recorder: harness.NewRecorder(t), streams: harness.NewRedis(t), queues: harness.StartMoto(t)}
	// Of the admin endpoint that Caddy has by default. Other servers may have its port.
	s.Env = append(s.Env, fmt.Sprintf("CADDY_ADMIN=127.0.0.1:%d", harness.FreePort(t)))
	if e.redis {
		s.state = harness.NewRedis(t, "--requirepass", "hunter2hunter2")
	}
	var arn string
	s.queue, arn = s.queues.MakeQueue(t, "orders")

	// Before, all of them run.
	s.configure(false, time.Now().Add(time.Hour))
	s.Start()
	s.Connect()
	for _, name := range ways() {
		s.recorder.Tell(s.API, name)
	}
	made, err := s.CreateFunctionUrlConfig(context.Background(), &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("url"), AuthType: types.FunctionUrlAuthTypeNone})
	s.Check(err)
	s.OpenURL("url", nil)
	s.url = *made.FunctionUrl
	_, err = s.CreateEventSourceMapping(context.Background(), &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("mapping"), EventSourceArn: &arn})
	s.Check(err)
	s.configure(false, time.Now().Add(10*time.Second)) // now that the functions are there
	s.Reload()
	for _, got := range s.start() {
		got.Want(t, 200, "")
	}
	for _, name := range ways() {
		s.recorder.Wait(name, 1)
	}

	// With it none does. A server that runs is told by a reload, but for Redis.
	s.configure(true, time.Now().Add(10*time.Second))
	if e.redis {
		s.Stop()
		s.state.CLI("config", "set", "requirepass", "")
		s.Mu.Lock()
		s.Out.Reset()
		s.Mu.Unlock()
		s.Start()
	} else {
		reload := exec.Command(harness.CaddyBinary(t), "reload", "--config", s.Config, "--adapter", "caddyfile", "--address", "unix/"+s.Dir+"/admin.sock")
		reload.Env = append(os.Environ(), s.Env...)
		if out, err := reload.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, got := range s.start() {
		if got.Status < 500 {
			t.Errorf("a caller gets %d %s", got.Status, got.Body)
		}
	}
	for _, name := range ways() {
		harness.Eventually(t, "it is said of "+name, func() bool {
			for line := range strings.Lines(s.Output()) {
				if strings.Contains(line, `"function":"`+name+`"`) && strings.Contains(line, e.reason) {
					return true
				}
			}
			return false
		})
	}
	s.Stop()
	code := s.Code("f", map[string]string{"app.py": "def handler(event, context):\n    return 1\n"})
	for _, function := range []string{
		harness.PythonFunction("own", code, "network host"), "network host\n" + harness.PythonFunction("default", code, ""),
		harness.PythonFunction("off", code, "") + "sandbox off\n",
	} {
		s.write(true, s.option(true)+function, "")
		s.StartFails(e.reason, "network private")
	}
	s.write(true, s.option(true)+"network host\n", "lambda_api")
	if !e.redis {
		s.StartFails("lambda_api: ", e.reason)
	} else {
		s.Start()
		s.Connect()
		_, err := s.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("route"), Payload: []byte("{}")})
		if err == nil || !strings.Contains(s.Output(), e.reason) {
			t.Errorf("invoke: %v, and the server prints %s", err, harness.Tail(s.Output(), 10))
		}
		zip := harness.NodeZip(t, harness.Answers("x"))
		_, err = s.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: aws.String("new"), Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"), Code: &types.FunctionCode{ZipFile: zip},
		})
		if err == nil || !strings.Contains(err.Error(), e.reason) {
			t.Errorf("create: %v", err)
		}
	}
	for _, name := range ways() {
		if n := len(s.recorder.Of(name)); n != 1 {
			t.Errorf("%s ran %d times, want once", name, n)
		}
	}
}
