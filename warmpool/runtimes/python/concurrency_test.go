package python_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestSeveralInvocationsRunAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Concurrency = 3
		f.Files = map[string]string{"app.py": `
import logging, threading
together = threading.Barrier(3)
def handler(event, context):
    together.wait(20)
    print("printed by", context.aws_request_id, end="")
    together.wait(20)
    logging.warning("logged by %s", context.aws_request_id)
    print(" to the end")
    return event
`}
		p := launch(t, f)
		for round := range 4 {
			want := make(map[uint32]string)
			for i := range 3 {
				id := fmt.Sprintf("r-%d-%d", round, i)
				pad := strings.Repeat("x", i*3000) // the last is longer than a packet
				want[p.Send(runtimes.Invoke{RequestID: id}, `"`+id+pad+`"`)] = id
			}
			logs := make(map[uint32]string)
			for left := 3; left > 0; {
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
				left--
			}
			for seq, id := range want {
				log := logs[seq]
				if !strings.Contains(log, "printed by "+id+" to the end|") || !strings.Contains(log, "\t"+id+"\tlogged by "+id+"\n|") || strings.Count(log, "|") != 2 {
					t.Errorf("invocation %d of %s logged %q", seq, id, log)
				}
			}
		}
		p.Requests.Close()
		if logs, status := p.Wait(); status != 0 || len(logs) > 0 {
			t.Errorf("status %d after %q", status, logs)
		}
	})
}

func TestExitOfOneOfSeveralInvocationsEndsTheProcess(t *testing.T) {
	f := function{Concurrency: 4, Files: map[string]string{"app.py": `
import sys, threading
entered = threading.Barrier(4)
class Stop(BaseException): pass
def handler(event, context):
    entered.wait(20)
    if event == "exit":
        print("leaving", end="")
        sys.exit(7)
    if event == "stop":
        raise Stop("all of it")
    threading.Event().Wait(60)
`}}
	for event, want := range map[string]int{"exit": 7, "stop": 1} {
		// Whichever thread gets it, the main one or another.
		for turn := range 4 {
			p := launch(t, f)
			for i := range 4 {
				text := `"stay"`
				if i == turn {
					text = `"` + event + `"`
				}
				p.Send(runtimes.Invoke{}, text)
			}
			logs, status := p.Wait()
			if status != want {
				t.Errorf("%s in turn %d: status %d after %q, want %d", event, turn, status, logs, want)
			}
			if last := logs[len(logs)-1]; last != map[string]string{"exit": "log leaving", "stop": "log app.Stop: all of it"}[event] {
				t.Errorf("%s in turn %d: logged %q", event, turn, logs)
			}
		}
	}
}
