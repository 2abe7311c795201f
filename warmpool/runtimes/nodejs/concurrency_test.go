package nodejs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestSeveralInvocationsRunAtOnce(t *testing.T) {
	p := launch(t, function{Concurrency: 3, Files: map[string]string{"index.js": `
let waiting = [];
exports.handler = async (event, context) => {
  console.log('begun by', context.awsRequestId);
  await new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 3) {
      // The last to come is the first to go.
      const all = waiting.reverse();
      waiting = [];
      all.forEach((go, i) => setTimeout(go, i * 2));
    }
  });
  process.stdout.write('written by ' + context.awsRequestId);
  return event;
};`}})
	for round := range 4 {
		want := make(map[uint32]string)
		var order []uint32
		for i := range 3 {
			id := fmt.Sprintf("r-%d-%d", round, i)
			pad := strings.Repeat("x", i*3000) // the last is longer than a packet
			seq := p.Send(runtimes.Invoke{RequestID: id}, `"`+id+pad+`"`)
			want[seq] = id
			order = append(order, seq)
		}
		logs := make(map[uint32]string)
		var replies []uint32
		for len(replies) < 3 {
			head, text, err := p.Frame()
			if err != nil {
				t.Fatal(err)
			}
			if head.Kind == runtimes.KindLog {
				logs[head.Seq] += text + "|"
				continue
			}
			if head.Kind != runtimes.KindResult || !strings.HasPrefix(text, `"`+want[head.Seq]) {
				t.Errorf("invocation %d: got %s %.100s, want %s", head.Seq, head.Kind, text, want[head.Seq])
			}
			replies = append(replies, head.Seq)
		}
		if replies[0] != order[2] || replies[2] != order[0] {
			t.Errorf("replies came in the order %v", replies)
		}
		for seq, id := range want {
			log := logs[seq]
			if !strings.Contains(log, "\t"+id+"\tINFO\tbegun by "+id+"|written by "+id+"|") || strings.Count(log, "|") != 2 {
				t.Errorf("invocation %d of %s logged %q", seq, id, log)
			}
		}
	}
}

func TestNoMoreFramesAreReadThanMayRunAtOnce(t *testing.T) {
	p := launch(t, function{Concurrency: 2, Files: map[string]string{"index.js": `
exports.handler = async (event) => { console.log('running', event); await new Promise((r) => setTimeout(r, event)) };`}})
	// The last two wait: the runtime may hold two only.
	for _, ms := range []string{`60000`, `60000`, `1`, `2`} {
		p.Send(runtimes.Invoke{}, ms)
	}
	for range 2 {
		if head, text, err := p.Frame(); err != nil || head.Kind != runtimes.KindLog || !strings.HasSuffix(text, "running 60000") {
			t.Fatal(head, text, err)
		}
	}
	p.Cmd.Process.Kill()
	if logs, _ := p.Wait(); len(logs) > 0 {
		t.Errorf("got %q", logs)
	}
	if unreadBytes(t, p) == 0 {
		t.Error("frames were read that could not run")
	}
}

func TestFreedPlacesAreFilled(t *testing.T) {
	for mode, pad := range map[string]int{"packets": 1900, "stream": 4000} {
		t.Run(mode, func(t *testing.T) {
			p := launch(t, function{Concurrency: 2, Files: map[string]string{"index.js": `
let running = 0, most = 0;
exports.handler = async (event) => {
  most = Math.max(most, ++running);
  if (event % 4) await new Promise((r) => setTimeout(r, event % 3));
  running--;
  return [event, most];
};`}})
			p.Streams = mode == "stream"
			const calls = 300
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for i := range calls {
					p.Send(runtimes.Invoke{}, fmt.Sprint(i)+strings.Repeat(" ", i%3*pad))
				}
			}()
			seen := make(map[uint32]bool)
			for range calls {
				r := p.Reply()
				var event, most int
				if _, err := fmt.Sscanf(r.Payload, "[%d,%d]", &event, &most); err != nil || event != int(r.Seq)-1 || most > 2 || seen[r.Seq] {
					t.Fatalf("got %s %s for %d", r.Kind, r.Payload, r.Seq)
				}
				seen[r.Seq] = true
			}
			<-sent
		})
	}
}

func TestCallbacksOfSharedEnvironmentsDoNotWaitForTheEventLoop(t *testing.T) {
	p := launch(t, function{Concurrency: 2, Files: map[string]string{"index.js": `
exports.handler = (event, context, callback) => { setInterval(() => {}, 1000); callback(null, event) };`}})
	if got := p.Result(`1`); got != `1` {
		t.Errorf("got %s", got)
	}
}

func TestUncaughtExceptionEndsASharedEnvironment(t *testing.T) {
	p := launch(t, function{Concurrency: 2, Files: map[string]string{"index.js": `
exports.handler = async (event) => {
  console.log('running');
  if (event === 'throw') setTimeout(() => { throw new Error('no') }, 1);
  await new Promise((r) => setTimeout(r, 60000));
};`}})
	p.Send(runtimes.Invoke{}, `"wait"`)
	p.Send(runtimes.Invoke{}, `"throw"`)
	logs, status := p.Wait()
	if all := strings.Join(logs, "|"); status != 129 || !strings.Contains(all, "Uncaught Exception \t{") {
		t.Errorf("status %d after %q", status, logs)
	}
}
