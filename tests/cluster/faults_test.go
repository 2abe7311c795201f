package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// Within which time others have what a node held that died.
const (
	slotsEnd  = 20 * time.Second
	leasesEnd = 20 * time.Second
)

// Only the calls in flight on the node fail.
func TestClusterTakesOverFromANodeThatIsKilled(t *testing.T) {
	harness.Slow(t, "leases last 20 s")
	harness.Parallel(t)
	events := harness.NewLedger(t)
	c := newCluster(t, 3, events.Reach())
	first, victim := c.Nodes[0], c.Nodes[2]
	first.Create("f", harness.NodeZip(t, harness.Answers("well")))
	first.Create("e", harness.ZipOf(t, events.Code(50*time.Millisecond)))
	first.Create("slow", harness.ZipOf(t, events.Code(0)), func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(70) })
	reserve(first, "slow", 2)
	c.WithinASecond("/f", 200, "well", c.Nodes...)
	for range 2 { // all slots are the victim's
		go victim.ClientWith(victim.Credentials.AccessKeyID, victim.Credentials.SecretAccessKey).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("slow"), Payload: []byte(`{"id":"slow","after":60000}`)}) //nolint:errcheck // it is killed
	}
	slow := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		_, err := first.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("slow"), Payload: []byte("{}")})
		return err
	}
	harness.Eventually(t, "the victim uses all slots", func() bool {
		events.Mu.Lock()
		defer events.Mu.Unlock()
		return events.Ran["slow"] == 2
	})
	if err := slow(10 * time.Second); err == nil {
		t.Error("a third slot of 2 was found")
	}
	l := c.Load(2, "/f", c.Nodes...)
	l.Runs(t, 100)
	accepted := make(map[string]bool)
	if n := victim.Accept(accepted, "victim", 200); n != 0 {
		t.Errorf("%d events were refused", n)
	}
	dies := time.Now()
	victim.Kill()
	killed := time.Now()

	for err := slow(30 * time.Second); err != nil; err = slow(30 * time.Second) {
		if time.Since(killed) > slotsEnd+10*time.Second {
			t.Fatalf("the slots of a node that died are not free after %s: %v", time.Since(killed), err)
		}
	}
	t.Logf("a slot was free after %s", time.Since(killed).Round(time.Millisecond))
	events.Wait(accepted)
	t.Logf("all %d events had run after %s", len(accepted), time.Since(killed).Round(time.Millisecond))
	if took := time.Since(killed); took > leasesEnd+15*time.Second {
		t.Errorf("the events of a node that died had run only after %s", took)
	}
	if n := first.Metric("hearth_nodes"); n != 2 {
		t.Errorf("%v nodes live, want 2", n)
	}
	victim.Restart()
	harness.Eventually(t, "the node is back", func() bool { return first.Metric("hearth_nodes") == 3 })
	c.WithinASecond("/f", 200, "well", victim)
	l.End()
	// What another node had handed to the victim was in flight there too.
	lost, handed := 0, 0
	for _, one := range l.Done {
		switch {
		case one.Err == nil && one.Status == 200:
		case one.Node == victim && one.Began.Before(dies):
			lost++
		case one.Node != victim && one.Began.Before(killed) && one.Ended.After(dies):
			handed++
		case one.Node != victim:
			t.Errorf("a call that began %s after the kill failed: %v", one.Began.Sub(killed), one)
		}
	}
	if lost > 2 || handed > 4 {
		t.Errorf("%d calls of the victim and %d of others were lost, of 2 callers each", lost, handed)
	}
	t.Logf("%d calls, %d in flight were lost, and %d that others had handed over", len(l.Done), lost, handed)
}
