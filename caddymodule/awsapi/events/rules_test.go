package events

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const arnOfF = "arn:aws:lambda:us-east-1:000000000000:function:f"

// Two nodes run a rule for a while. What both dispatch has the same name, by which the queue
// keeps it once.
func TestARuleTicksOnceForEachTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		rules, err := NewRules(document.New(store))
		if err != nil {
			t.Fatal(err)
		}
		defer rules.Close()
		s := &service{Config{Store: document.New(store), Rules: rules, Account: function.DefaultAccount, Now: time.Now}, make(chan struct{}, 1)}
		ctx := t.Context()
		time.Sleep(90 * time.Second) // 00:01:30
		if _, err := s.putRule(ctx, &putRuleInput{Name: "tick", ScheduleExpression: "rate(2 minutes)"}); err != nil {
			t.Fatal(err)
		}
		put := func(targets ...Target) {
			in := &putTargetsInput{Rule: "tick"}
			for _, one := range targets {
				in.Targets = append(in.Targets, givenTarget{Target: one})
			}
			if _, err := s.putTargets(ctx, in); err != nil {
				t.Fatal(err)
			}
		}
		put(Target{Id: "a", Arn: arnOfF}, Target{Id: "b", Arn: arnOfF, Input: `{"b":1}`})
		got := make(map[string]*bus.Dispatch)
		engine := schedule.New(schedule.Config{Store: store, Account: function.DefaultAccount, Log: zap.NewNop()})
		defer engine.Close()
		set := func() {
			all, err := rules.Schedules(ctx, function.DefaultAccount, func(_ context.Context, d *bus.Dispatch) error { got[d.Once] = d; return nil }, zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			engine.Set(ctx, "events", all)
		}
		set()
		time.Sleep(time.Minute) // 00:02:30
		synctest.Wait()
		put(Target{Id: "b", Arn: arnOfF, Input: `{"b":2}`})
		set()
		time.Sleep(2 * time.Minute) // 00:04:30
		synctest.Wait()
		if len(got) != 4 {
			t.Fatalf("%d events: %v", len(got), got)
		}
		const want = `{"version":"0","id":"ID","detail-type":"Scheduled Event","source":"aws.events","account":"000000000000","time":"2000-01-01T00:04:00Z","region":"us-east-1",` +
			`"resources":["arn:aws:events:us-east-1:000000000000:rule/tick"],"detail":{}}`
		last := got["schedule/rule/tick/a/946685040"]
		if last == nil || string(last.Payload) != strings.Replace(want, "ID", last.ID, 1) || last.Service != Service || last.Source != "arn:aws:events:us-east-1:000000000000:rule/tick" {
			t.Errorf("%v %+v", got, last)
		}
		if b := got["schedule/rule/tick/b/946684920"]; b == nil || string(b.Payload) != `{"b":1}` {
			t.Errorf("%+v", b)
		}
		if b := got["schedule/rule/tick/b/946685040"]; b == nil || string(b.Payload) != `{"b":2}` {
			t.Errorf("%+v", b)
		}
		if _, err := s.disableRule(ctx, &ruleInput{Name: "tick"}); err != nil {
			t.Fatal(err)
		}
		set()
		time.Sleep(3 * time.Minute)
		if _, err := s.enableRule(ctx, &ruleInput{Name: "tick"}); err != nil {
			t.Fatal(err)
		}
		set()
		synctest.Wait()
		if _, missed := got["schedule/rule/tick/a/946685160"]; missed {
			t.Error("a rule caught up with a tick from when it was disabled")
		}
	})
}
