package nodejs_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// unreadBytes is how much of the requests nobody has read.
func unreadBytes(t *testing.T, p *process) int {
	t.Helper()
	raw, err := p.Requests.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if ctlErr := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); ctlErr != nil || err != nil {
		t.Fatal(ctlErr, err)
	}
	return n
}

func TestFramesWrittenAheadAreAnsweredInOrder(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
exports.handler = async (event) => {
  if (event % 7 === 0) await new Promise(setImmediate);
  if (event % 5 === 0) await new Promise((r) => setTimeout(r, 1));
  return event;
};`}})
	const calls = 300
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range calls {
			p.Send(runtimes.Invoke{}, fmt.Sprint(i))
		}
	}()
	for i := range calls {
		if r := p.Reply(); r.Seq != uint32(i+1) || r.Payload != fmt.Sprint(i) {
			t.Fatalf("reply %d is %s of invocation %d", i, r.Payload, r.Seq)
		}
	}
	<-sent
}

func TestFramesOfOneWriteAreAnsweredInOrder(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = async (event) => event;`}})
	p.EchoTogether(`"a"`, `"`+strings.Repeat("b", 4000)+`"`, `"c"`, `"d"`)
	p.EchoTogether(`"e"`)
}

func TestNextFrameIsNotReadBeforeTheReply(t *testing.T) {
	for name, wait := range map[string]string{
		"in the event loop": `await new Promise((r) => setTimeout(r, 60000))`,
		"in microtasks":     `for (;;) await null`,
	} {
		p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = async () => { console.log('running'); ` + wait + ` }`}})
		p.Send(runtimes.Invoke{}, `1`)
		if head, _, err := p.Frame(); err != nil || head.Kind != runtimes.KindLog {
			t.Fatal(head, err)
		}
		p.Send(runtimes.Invoke{}, `2`)
		p.Send(runtimes.Invoke{}, `3`)
		two := unreadBytes(t, p)
		p.Cmd.Process.Kill()
		if logs, _ := p.Wait(); len(logs) > 0 {
			t.Errorf("%s: got %q", name, logs)
		}
		if left := unreadBytes(t, p); left != two || left == 0 {
			t.Errorf("%s: %d of %d bytes are left unread", name, left, two)
		}
	}
}

func TestNothingRunsBetweenInvocations(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
let beats = 0;
setInterval(() => beats++, 1);
exports.handler = async (event) => {
  const before = beats;
  if (event.wait) await new Promise((r) => setTimeout(r, 20));
  return [before, beats];
};`}})
	read := func(event string) (before, after int) {
		t.Helper()
		if _, err := fmt.Sscanf(p.Result(event), "[%d,%d]", &before, &after); err != nil {
			t.Fatal(err)
		}
		return before, after
	}
	_, last := read(`{"wait":true}`)
	if last < 2 {
		t.Fatalf("%d beats while the handler waited", last)
	}
	// However long it lasts: time enough for a process to start.
	launch(t, function{Files: map[string]string{"index.js": `exports.handler = async () => {}`}})
	if before, _ := read(`{}`); before > last+1 {
		t.Errorf("%d beats while no invocation ran", before-last)
	}
}

func TestWhatAnInvocationLeavesGoesOnInLaterOnes(t *testing.T) {
	for name, start := range map[string]string{
		"tick":      `process.nextTick(() => { done = true })`,
		"microtask": `Promise.resolve().then(() => {}).then(() => {}).then(() => {}).then(() => { done = true })`,
		"immediate": `setImmediate(() => { done = true })`,
		"timer":     `setTimeout(() => { done = true }, 1)`,
		"file":      `require('fs').readFile(__filename, () => { done = true })`,
		"socket":    `require('net').connect(server.address().port, '127.0.0.1').on('data', () => { done = true })`,
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, function{Handler: "index.handler", Files: map[string]string{"index.js": `
let done = false;
const server = require('net').createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
exports.handler = async (event) => { if (event.start) { ` + start + ` } return done };`}})
			p.Result(`{"start":true}`)
			for calls := 1; p.Result(`{}`) != "true"; calls++ {
				if calls > 20_000 {
					t.Fatalf("not done after %d invocations", calls)
				}
			}
			// Again with frames always waiting.
			const calls = 20_000
			p.Result(`{"start":true}`)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range calls {
					p.Send(runtimes.Invoke{}, `{}`)
				}
			}()
			for range calls {
				p.Reply()
			}
			<-sent
		})
	}
}

func TestTimersFireWhileFramesAreWaiting(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
let fired = 0;
const again = () => setTimeout(() => { fired++; again() }, 1);
again();
exports.handler = async () => fired;`}})
	const calls = 20_000
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range calls {
			p.Send(runtimes.Invoke{}, `{}`)
		}
	}()
	var last string
	for range calls {
		last = p.Reply().Payload
	}
	<-sent
	var fired int
	if _, err := fmt.Sscan(last, &fired); err != nil || fired < 10 {
		t.Errorf("a timer of 1 ms fired %s times in %d invocations", last, calls)
	}
}

func TestManyInvocationsThatWaitUseNoStack(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
exports.handler = (event, context, callback) => {
  if (event.stack) { callback(null, new Error().stack.split('\n').length); return }
  context.callbackWaitsForEmptyEventLoop = false;
  setImmediate(callback, null, 1);
};`}})
	before := p.Result(`{"stack":true}`)
	for range 2000 {
		p.Result(`{}`)
	}
	if after := p.Result(`{"stack":true}`); after != before {
		t.Errorf("the stack went from %s to %s frames", before, after)
	}
}

func TestReplyPipeThatWasMadeNonBlockingLosesNothing(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
// A socket on a pipe makes it non-blocking.
const mine = new (require('net').Socket)({ fd: 4, readable: false });
mine.on('error', () => {});
exports.handler = async (event) => 'x'.repeat(event);`}})
	if got := p.Result(`4000000`); len(got) != 4000002 || strings.Trim(got, `"x`) != "" {
		t.Errorf("got %d bytes", len(got))
	}
}
