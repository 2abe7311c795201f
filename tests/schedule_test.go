package tests

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// ticking is the block of a function that writes the times of its ticks to a ledger, and
// of schedules that tick at times from now on, rounded to a second.
func (l *ledger) ticking(s *server, at ...time.Time) string {
	s.t.Helper()
	var b strings.Builder
	for n, one := range at {
		fmt.Fprintf(&b, "schedule s%d \"at(%s)\" f\n", n, one.UTC().Format("2006-01-02T15:04:05"))
	}
	return b.String() + l.function(s, "f", `event["time"]`)
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }

func TestSourcesOfFunctionsThatNobodyCanMakeAreRefused(t *testing.T) {
	s := newServer(t, "", "")
	good := nodeFunction("good", s.code("good", map[string]string{"index.js": "exports.handler = async () => 1"}), "")
	const stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
	for option, what := range map[string]string{
		`schedule tick "rate(1 day)" nosuch`:                                                                      "schedule tick",
		"event_source arn:aws:sqs:us-east-1:000000000000:orders nosuch":                                           "event source arn:aws:sqs:us-east-1:000000000000:orders",
		"event_source " + stream + " good {\non_failure arn:aws:lambda:us-east-1:000000000000:function:nosuch\n}": "on_failure of event source " + stream,
	} {
		s.configure(good+"\n"+option+"\n", "")
		s.startFails(what, `function \"nosuch\" is not defined`)
	}
	s.configure(good+"\nschedule tick \"rate(1 day)\" good:live\n", "")
	s.startFails(`no such qualifier \"live\"`)

	a := newAPI(t, "schedule tick \"rate(1 day)\" later\n", "")
	eventually(t, "a warning", func() bool { return strings.Contains(a.output(), "a function is not there yet") })
}

func TestSchedulesRunFunctions(t *testing.T) {
	s, r := newServer(t, "", ""), newRecorder(t)
	at := time.Now().Add(3 * time.Second).Truncate(time.Second)
	s.configure(fmt.Sprintf("schedule plain \"at(%[1]s)\" f\nschedule own \"at(%[1]s)\" g {\n\tinput `{\"n\":1}`\n}\nschedule later \"rate(1 day)\" f\nschedule over \"at(2020-01-01T00:00:00)\" f\n",
		at.UTC().Format("2006-01-02T15:04:05"))+r.function(s, "f", "")+r.function(s, "g", ""), "")
	s.start()
	list, err := exec.Command(s.cmd.Path, "hearth", "schedules", "--admin", "unix/"+s.dir+"/admin.sock").CombinedOutput()
	if err != nil || !strings.Contains(string(list), "later") || !strings.Contains(string(list), "never") {
		t.Errorf("listed are:\n%s%v", list, err)
	}
	body := r.wait("f", 1)[0]
	if late := time.Since(at); late > 3*time.Second {
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
	if got := r.wait("g", 1)[0]; got != `{"n": 1}` {
		t.Errorf("the input arrives as %s", got)
	}
	if !strings.Contains(s.output(), "its times are over") {
		t.Error("nothing is said of a schedule whose time is over")
	}
	s.nothingWaits()
}

func TestSchedulesMissNothingByARestartOrAReload(t *testing.T) {
	s, l := newServer(t, "", ""), newLedger(t)
	begin := time.Now().Add(2 * time.Second).Truncate(time.Second)
	var at []time.Time
	wanted := make(map[string]bool)
	for n := range 10 {
		at = append(at, begin.Add(time.Duration(n)*time.Second))
		wanted[stamp(at[n])] = true
	}
	s.configure(l.ticking(s, at...), "")
	s.start()
	for time.Now().Before(begin.Add(9 * time.Second)) {
		s.kill()
		s.spawn()
		eventually(t, "the server serves", func() bool { return strings.Contains(s.output(), "serving initial configuration") })
		s.reload()
		time.Sleep(700 * time.Millisecond)
	}
	l.wait(wanted)
	// What ran when its process was killed runs again, and no tick beyond that.
	if n := l.duplicates(""); n > 3 {
		t.Errorf("%d runs too many: %v", n, l.ran)
	}
}

func TestClusterRunsEachTickOnce(t *testing.T) {
	l, redis := newLedger(t), newRedis(t)
	begin := time.Now().Add(4 * time.Second).Truncate(time.Second)
	var at []time.Time
	wanted := make(map[string]bool)
	for n := range 6 {
		at = append(at, begin.Add(time.Duration(n)*time.Second))
		wanted[stamp(at[n])] = true
	}
	var nodes []*server
	for n := range 3 {
		s := newServer(t, "", "")
		s.configure(fmt.Sprintf("redis %s\nnode n%d\n", redis.url(), n)+l.ticking(s, at...), "")
		nodes = append(nodes, s.start())
	}
	time.Sleep(time.Until(begin.Add(2500 * time.Millisecond)))
	nodes[0].kill() // one that has told ticks, and may run some
	l.wait(wanted)
	time.Sleep(time.Until(at[len(at)-1].Add(time.Second)))
	if n := l.duplicates(""); n > 1 { // the killed node's own
		t.Errorf("%d runs too many: %v", n, l.ran)
	}
}
