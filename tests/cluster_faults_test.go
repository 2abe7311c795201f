package tests

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// code is that of a function which writes an event's id, if it has one, after a time, or
// a time before it ends that the event says.
func (l *ledger) code(after time.Duration) map[string]string {
	return map[string]string{"index.mjs": fmt.Sprintf(`
import net from 'node:net';
const ledger = net.connect(%d, '127.0.0.1').setNoDelay();
export const handler = async event => {
	if (!event.id) return;
	await new Promise(done => setTimeout(done, event.after ? 0 : %d));
	await new Promise(done => ledger.write(event.id + '\n', done));
	await new Promise(done => setTimeout(done, event.after ?? 0));
};`, l.listener.Addr().(*net.TCPAddr).Port, after.Milliseconds())}
}

// accept has a node take events for the function e, half of them by the Lambda API, and
// adds those that it accepted.
func (a *api) accept(accepted map[string]bool, name string, events int) (refused int) {
	a.t.Helper()
	for n := range events {
		id := fmt.Sprintf("%s-%d", name, n)
		body := `{"id":"` + id + `"}`
		status := 0
		if n%2 == 0 {
			status = a.post("/events/e", body, "Authorization", "Bearer "+hookToken).status
		} else if out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("e"), InvocationType: types.InvocationTypeEvent, Payload: []byte(body)}); err == nil {
			status = int(out.StatusCode)
		}
		if status/100 == 2 {
			accepted[id] = true
		} else {
			refused++
		}
	}
	return refused
}

// Within which time others have what a node held that died.
const (
	slotsEnd  = 20 * time.Second
	leasesEnd = 20 * time.Second
)

// Both wait for the same times to pass, and do little else.
func TestClusterTakesOverFromNodes(t *testing.T) {
	for name, test := range map[string]func(*testing.T){"that are killed": killOneNode, "that are cut off": cutOffOneNode} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// Only the calls in flight on the node fail.
func killOneNode(t *testing.T) {
	events := newLedger(t)
	c := newCluster(t, 3, events.reach())
	first, victim := c.nodes[0], c.nodes[2]
	first.create("f", nodeZip(t, answers("well")))
	first.create("e", zipOf(t, events.code(50*time.Millisecond)))
	first.create("slow", zipOf(t, events.code(0)), func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(70) })
	first.reserve("slow", 2)
	c.withinASecond("/f", 200, "well", c.nodes...)
	for range 2 { // all slots are the victim's
		go victim.client(victim.credentials.AccessKeyID, victim.credentials.SecretAccessKey).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("slow"), Payload: []byte(`{"id":"slow","after":60000}`)}) //nolint:errcheck // it is killed
	}
	slow := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		_, err := first.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("slow"), Payload: []byte("{}")})
		return err
	}
	eventually(t, "the victim uses all slots", func() bool {
		events.mu.Lock()
		defer events.mu.Unlock()
		return events.ran["slow"] == 2
	})
	if err := slow(10 * time.Second); err == nil {
		t.Error("a third slot of 2 was found")
	}
	l := c.load(2, "/f", c.nodes...)
	l.runs(t, 100)
	accepted := make(map[string]bool)
	if n := victim.accept(accepted, "victim", 200); n != 0 {
		t.Errorf("%d events were refused", n)
	}
	dies := time.Now()
	victim.kill()
	killed := time.Now()

	for err := slow(30 * time.Second); err != nil; err = slow(30 * time.Second) {
		if time.Since(killed) > slotsEnd+10*time.Second {
			t.Fatalf("the slots of a node that died are not free after %s: %v", time.Since(killed), err)
		}
	}
	t.Logf("a slot was free after %s", time.Since(killed).Round(time.Millisecond))
	events.wait(accepted)
	t.Logf("all %d events had run after %s", len(accepted), time.Since(killed).Round(time.Millisecond))
	if took := time.Since(killed); took > leasesEnd+15*time.Second {
		t.Errorf("the events of a node that died had run only after %s", took)
	}
	if n := first.metric("hearth_nodes"); n != 2 {
		t.Errorf("%v nodes live, want 2", n)
	}
	victim.restart()
	eventually(t, "the node is back", func() bool { return first.metric("hearth_nodes") == 3 })
	c.withinASecond("/f", 200, "well", victim)
	l.end()
	// What another node had handed to the victim was in flight there too.
	lost, handed := 0, 0
	for _, one := range l.done {
		switch {
		case one.err == nil && one.status == 200:
		case one.node == victim && one.began.Before(dies):
			lost++
		case one.node != victim && one.began.Before(killed) && one.ended.After(dies):
			handed++
		case one.node != victim:
			t.Errorf("a call that began %s after the kill failed: %v", one.began.Sub(killed), one)
		}
	}
	if lost > 2 || handed > 4 {
		t.Errorf("%d calls of the victim and %d of others were lost, of 2 callers each", lost, handed)
	}
	t.Logf("%d calls, %d in flight were lost, and %d that others had handed over", len(l.done), lost, handed)
}
