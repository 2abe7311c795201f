package events

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// ticking is the block of a function that writes the times of its ticks to a ledger, and
// of schedules that tick at times from now on, rounded to a second.
func ticking(l *harness.Ledger, s *harness.Server, at ...time.Time) string {
	s.T.Helper()
	var b strings.Builder
	for n, one := range at {
		fmt.Fprintf(&b, "schedule s%d \"at(%s)\" f\n", n, one.UTC().Format("2006-01-02T15:04:05"))
	}
	return b.String() + l.Function(s, "f", `event["time"]`)
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }

func TestSourcesOfFunctionsThatNobodyCanMakeAreRefused(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	good := harness.NodeFunction("good", s.Code("good", map[string]string{"index.js": "exports.handler = async () => 1"}), "")
	const stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
	for option, what := range map[string]string{
		`schedule tick "rate(1 day)" nosuch`:                                                                      "schedule tick",
		"event_source arn:aws:sqs:us-east-1:000000000000:orders nosuch":                                           "event source arn:aws:sqs:us-east-1:000000000000:orders",
		"event_source " + stream + " good {\non_failure arn:aws:lambda:us-east-1:000000000000:function:nosuch\n}": "on_failure of event source " + stream,
	} {
		s.Configure(good+"\n"+option+"\n", "")
		s.StartFails(what, `function \"nosuch\" is not defined`)
	}
	s.Configure(good+"\nschedule tick \"rate(1 day)\" good:live\n", "")
	s.StartFails(`no such qualifier \"live\"`)

	a := harness.NewAPI(t, "schedule tick \"rate(1 day)\" later\n", "")
	harness.Eventually(t, "a warning", func() bool { return strings.Contains(a.Output(), "a function is not there yet") })
}

func TestSchedulesRunFunctions(t *testing.T) {
	harness.Parallel(t)
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	at := time.Now().Add(10 * time.Second).Truncate(time.Second) // a slow machine has to be up by then
	s.Configure(fmt.Sprintf("schedule plain \"at(%[1]s)\" f\nschedule own \"at(%[1]s)\" g {\n\tinput `{\"n\":1}`\n}\nschedule later \"rate(1 day)\" f\nschedule over \"at(2020-01-01T00:00:00)\" f\n",
		at.UTC().Format("2006-01-02T15:04:05"))+r.Function(s, "f", "")+r.Function(s, "g", ""), "")
	s.Start()
	list, err := exec.Command(s.Cmd.Path, "hearth", "schedules", "--admin", "unix/"+s.Dir+"/admin.sock").CombinedOutput()
	if err != nil || !strings.Contains(string(list), "later") || !strings.Contains(string(list), "never") {
		t.Errorf("listed are:\n%s%v", list, err)
	}
	body := r.Wait("f", 1)[0]
	if late := time.Since(at); late > 10*time.Second {
		t.Errorf("it ran %s late", late)
	}
	var event struct {
		Time      string
		Source    string
		Resources []string
	}
	if err := json.Unmarshal([]byte(body), &event); err != nil || event.Time != stamp(at) || event.Source != "aws.events" || len(event.Resources) != 1 || !strings.HasSuffix(event.Resources[0], "rule/plain") {
		t.Errorf("the event is %s, %v", body, err)
	}
	if got := r.Wait("g", 1)[0]; got != `{"n": 1}` {
		t.Errorf("the input arrives as %s", got)
	}
	if !strings.Contains(s.Output(), "its times are over") {
		t.Error("nothing is said of a schedule whose time is over")
	}
	s.NothingWaits()
}

func TestSchedulesMissNothingByARestartOrAReload(t *testing.T) {
	harness.Slow(t, "its ticks take 10 s")
	harness.Parallel(t)
	random := harness.NewRandom(t)
	s, l := harness.NewServer(t, "", ""), harness.NewLedger(t)
	begin := time.Now().Add(10 * time.Second).Truncate(time.Second)
	var at []time.Time
	wanted := make(map[string]bool)
	for n := range 10 {
		at = append(at, begin.Add(time.Duration(n)*time.Second))
		wanted[stamp(at[n])] = true
	}
	s.Configure(ticking(l, s, at...), "")
	s.Start()
	for time.Now().Before(begin.Add(9 * time.Second)) {
		s.Kill()
		s.Spawn()
		harness.Eventually(t, "the server serves", func() bool { return strings.Contains(s.Output(), "serving initial configuration") })
		s.Reload()
		random.Wait(700 * time.Millisecond)
	}
	l.Wait(wanted)
	// What ran when its process was killed runs again, and no tick beyond that.
	if n := l.Duplicates(""); n > 3 {
		t.Errorf("%d runs too many: %v", n, l.Ran)
	}
}

func TestClusterRunsEachTickOnce(t *testing.T) {
	harness.Parallel(t)
	l, redis := harness.NewLedger(t), harness.NewRedis(t)
	// Three servers start until then, on a machine that may be busy.
	begin := time.Now().Add(20 * time.Second).Truncate(time.Second)
	var at []time.Time
	wanted := make(map[string]bool)
	for n := range 6 {
		at = append(at, begin.Add(time.Duration(n)*time.Second))
		wanted[stamp(at[n])] = true
	}
	var nodes []*harness.Server
	for n := range 3 {
		s := harness.NewServer(t, "", "")
		s.Configure(fmt.Sprintf("%snode n%d\n", harness.RedisOption(redis.URL()), n)+ticking(l, s, at...), "")
		nodes = append(nodes, s.Start())
	}
	l.Wait(map[string]bool{stamp(at[1]): true})
	nodes[0].Kill() // one that has told ticks, and may run some
	l.Wait(wanted)
	<-time.After(time.Until(at[len(at)-1].Add(time.Second))) // for what would come twice
	if n := l.Duplicates(""); n > 1 {                        // the killed node's own
		t.Errorf("%d runs too many: %v", n, l.Ran)
	}
}
