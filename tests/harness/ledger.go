package harness

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Code is that of a function which writes an event's id, if it has one, after a time, or
// a time before it ends that the event says.
func (l *Ledger) Code(after time.Duration) map[string]string {
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

// Accept has a node take events for the function e, half of them by the Lambda API, and
// adds those that it accepted.
func (a *API) Accept(accepted map[string]bool, name string, events int) (refused int) {
	a.T.Helper()
	for n := range events {
		id := fmt.Sprintf("%s-%d", name, n)
		body := `{"id":"` + id + `"}`
		status := 0
		if n%2 == 0 {
			status = a.Post("/events/e", body, "Authorization", "Bearer "+HookToken).Status
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

// Gated is a block of a function that runs an event when the gate is opened, and then
// writes its ID to the ledger.
func (l *Ledger) Gated(s *Server, name string) (block string, open func()) {
	s.T.Helper()
	gate, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { gate.Close() })
	opened := make(chan struct{})
	go func() {
		for {
			c, err := gate.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				<-opened
				_, _ = io.WriteString(c, "x") // who asked may be dead
			}()
		}
	}()
	dir := s.Code(name, map[string]string{"app.py": fmt.Sprintf(`
import socket
shut = True

def handler(event, context):
    global shut
    if shut:
        socket.create_connection(("127.0.0.1", %d)).recv(1)
        shut = False
    with socket.create_connection(("127.0.0.1", %d)) as ledger:
        ledger.sendall((event["id"] + "\n").encode())
        ledger.shutdown(socket.SHUT_WR)
        ledger.recv(1)
`, gate.Addr().(*net.TCPAddr).Port, l.listener.Addr().(*net.TCPAddr).Port)})
	return PythonFunction(name, dir, fmt.Sprintf("reach %s %s\ntimeout 60s", l.listener.Addr(), gate.Addr())), func() { close(opened) }
}

// mostDuplicates is how many events may run more than once for each kill: twice as many
// as run at once.
const mostDuplicates = 8

// A Ledger is what functions have run, by lines that they write to a socket. What they
// wrote before they died is read after it.
type Ledger struct {
	t        *testing.T
	listener net.Listener
	readers  sync.WaitGroup

	Mu    sync.Mutex
	Ran   map[string]int // how often, by ID; guarded by mu
	Order []string       // of the first times; guarded by mu
}

func NewLedger(t *testing.T) *Ledger {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Ledger{t: t, listener: listener, Ran: make(map[string]int)}
	l.readers.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			l.readers.Go(func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					l.Mu.Lock()
					if l.Ran[lines.Text()]++; l.Ran[lines.Text()] == 1 {
						l.Order = append(l.Order, lines.Text())
					}
					l.Mu.Unlock()
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close() })
	return l
}

// Function is a block of a function that writes an event's ID, by an expression.
func (l *Ledger) Function(s *Server, name, id string) string {
	s.T.Helper()
	return PythonFunction(name, s.Code(name, map[string]string{"app.py": fmt.Sprintf(`
import socket

def handler(event, context):
    # What is written is there when the connection ends.
    with socket.create_connection(("127.0.0.1", %d)) as ledger:
        ledger.sendall((%s + "\n").encode())
        ledger.shutdown(socket.SHUT_WR)
        ledger.recv(1)
`, l.listener.Addr().(*net.TCPAddr).Port, id)}), l.Reach())
}

// Reach is the option that opens the ledger to functions.
func (l *Ledger) Reach() string { return fmt.Sprintf("\nreach %s\n", l.listener.Addr()) }

// Wait waits until all that was accepted has run, or until nothing more of it has for
// longer than leases and pauses between attempts last.
func (l *Ledger) Wait(accepted map[string]bool) {
	l.t.Helper()
	var missing []string
	left, last := len(accepted), time.Now().Add(10*time.Minute)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end) && time.Now().Before(last); time.Sleep(100 * time.Millisecond) {
		if len(missing) < left && missing != nil {
			left, end = len(missing), time.Now().Add(2*time.Minute)
		}
		missing = nil
		l.Mu.Lock()
		for id := range accepted {
			if l.Ran[id] == 0 {
				missing = append(missing, id)
			}
		}
		l.Mu.Unlock()
		if missing == nil {
			break
		}
	}
	if missing != nil {
		l.t.Errorf("%d of %d accepted events have not run: %.20q", len(missing), len(accepted), missing)
	}
}

// Check is wait, and counts what ran again.
func (l *Ledger) Check(accepted map[string]bool) {
	l.t.Helper()
	l.Wait(accepted)
	l.Mu.Lock()
	defer l.Mu.Unlock()
	all, again := len(l.Ran), 0
	for _, n := range l.Ran {
		again += n - 1
	}
	l.t.Logf("%d events accepted, %d ran, %d duplicates (%.2f %%) after %d kills", len(accepted), all, again, 100*float64(again)/float64(all), Kills)
	if again > mostDuplicates*Kills {
		l.t.Errorf("%d of %d events ran twice, over %d for each kill", again, all, mostDuplicates)
	}
}

// KeysOfRecords are the groups whose order counts.
var KeysOfRecords = []string{"a", "b", "c", "d"}

// InOrder fails unless what ran for the first time ran in the order of its numbers.
func (l *Ledger) InOrder(kind string) {
	l.t.Helper()
	l.Mu.Lock()
	defer l.Mu.Unlock()
	for _, key := range KeysOfRecords {
		var order []string
		for _, id := range l.Order {
			if strings.HasPrefix(id, kind+"-"+key+"-") {
				order = append(order, id)
			}
		}
		if !slices.IsSorted(order) {
			l.t.Errorf("the order of %s is %s", key, order)
		}
	}
}

// Duplicates are how many runs of accepted records were not the first.
func (l *Ledger) Duplicates(kind string) (n int) {
	l.Mu.Lock()
	defer l.Mu.Unlock()
	for id, times := range l.Ran {
		if strings.HasPrefix(id, kind) {
			n += times - 1
		}
	}
	return n
}
