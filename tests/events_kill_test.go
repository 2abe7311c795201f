package tests

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/objectstore"
)

// kills is how often each test kills the gateway.
const kills = 50

// mostDuplicates is how many events may run more than once for each kill: twice as many
// as run at once.
const mostDuplicates = 8

// A ledger is what functions have run, by lines that they write to a socket. What they
// wrote before they died is read after it.
type ledger struct {
	t        *testing.T
	listener net.Listener
	readers  sync.WaitGroup

	mu    sync.Mutex
	ran   map[string]int // how often, by ID; guarded by mu
	order []string       // of the first times; guarded by mu
}

func newLedger(t *testing.T) *ledger {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, listener: listener, ran: make(map[string]int)}
	l.readers.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			l.readers.Go(func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					l.mu.Lock()
					if l.ran[lines.Text()]++; l.ran[lines.Text()] == 1 {
						l.order = append(l.order, lines.Text())
					}
					l.mu.Unlock()
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close() })
	return l
}

// function is a block of a function that writes an event's ID, by an expression.
func (l *ledger) function(s *server, name, id string) string {
	s.t.Helper()
	return pythonFunction(name, s.code(name, map[string]string{"app.py": fmt.Sprintf(`
import socket

def handler(event, context):
    # What is written is there when the connection ends.
    with socket.create_connection(("127.0.0.1", %d)) as ledger:
        ledger.sendall((%s + "\n").encode())
        ledger.shutdown(socket.SHUT_WR)
        ledger.recv(1)
`, l.listener.Addr().(*net.TCPAddr).Port, id)}), l.reach())
}

// reach is the option that opens the ledger to functions.
func (l *ledger) reach() string { return fmt.Sprintf("\nreach %s\n", l.listener.Addr()) }

// wait waits until all that was accepted has run.
func (l *ledger) wait(accepted map[string]bool) {
	l.t.Helper()
	var missing []string
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		missing = nil
		l.mu.Lock()
		for id := range accepted {
			if l.ran[id] == 0 {
				missing = append(missing, id)
			}
		}
		l.mu.Unlock()
		if missing == nil {
			break
		}
	}
	if missing != nil {
		l.t.Errorf("%d of %d accepted events have not run: %.20q", len(missing), len(accepted), missing)
	}
}

// check is wait, and counts what ran again.
func (l *ledger) check(accepted map[string]bool) {
	l.t.Helper()
	l.wait(accepted)
	l.mu.Lock()
	defer l.mu.Unlock()
	all, again := len(l.ran), 0
	for _, n := range l.ran {
		again += n - 1
	}
	l.t.Logf("%d events accepted, %d ran, %d duplicates (%.2f %%) after %d kills", len(accepted), all, again, 100*float64(again)/float64(all), kills)
	if again > mostDuplicates*kills {
		l.t.Errorf("%d of %d events ran twice, over %d for each kill", again, all, mostDuplicates)
	}
}

// kill ends the server as a power failure does, but for the disk's cache.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	<-s.exited
	if out := s.output(); strings.Contains(out, `"level":"error"`) && !strings.Contains(out, "serving initial configuration") {
		s.t.Errorf("the server did not start after a kill:\n%s", out)
	}
	s.mu.Lock()
	s.out.Reset()
	s.mu.Unlock()
}

// killOften kills the server, every third time at a random instant after its start,
// which may be before it serves, else when it has served for a random time. It is
// started a last time then.
func (s *server) killOften() {
	s.t.Helper()
	serves := func() {
		s.t.Helper()
		eventually(s.t, "the server serves after a kill", func() bool { return strings.Contains(s.output(), "serving initial configuration") })
	}
	for n := range kills {
		if n%3 != 0 {
			serves()
		}
		time.Sleep(rand.N(600 * time.Millisecond))
		s.kill()
		s.spawn()
	}
	serves()
}

func TestEventsOfAClientSurviveKills(t *testing.T) {
	s, l := newServer(t, "", ""), newLedger(t)
	s.configure(l.function(s, "f", `event["id"]`), "receive /hooks/* generic {\n open\n}")
	s.start()

	var mu sync.Mutex
	accepted := make(map[string]bool)
	var senders sync.WaitGroup
	end := make(chan struct{})
	for sender := range 16 {
		senders.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				default:
				}
				id := fmt.Sprintf("%d-%d", sender, n)
				r, err := http.Post(s.url("/hooks/f"), "application/json", strings.NewReader(`{"id":"`+id+`"}`))
				if err != nil {
					time.Sleep(20 * time.Millisecond) // it is being restarted
					continue
				}
				r.Body.Close()
				if r.StatusCode/100 == 2 {
					mu.Lock()
					accepted[id] = true
					mu.Unlock()
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	s.killOften()
	close(end)
	senders.Wait()
	http.DefaultClient.CloseIdleConnections()
	if len(accepted) < 10*kills {
		t.Errorf("only %d events were accepted: too few to tell", len(accepted))
	}
	l.check(accepted)
	s.nothingWaits()
	if dead := s.events("?dead=true"); len(dead) != 0 {
		t.Errorf("dead: %+v", dead)
	}
}

func TestEventsOfMinIOSurviveKills(t *testing.T) {
	s, l := newServer(t, "", ""), newLedger(t)
	s.configure(l.function(s, "f", `event["Records"][0]["s3"]["object"]["key"]`), "receive /events/* s3 {\n token "+hookToken+"\n}")
	s.start()
	store := objectstore.StartMinIO(t, s.url("/events/f"), hookToken)
	store.MustMakeBucket(t, "photos")

	var mu sync.Mutex
	written := make(map[string]bool)
	var writers sync.WaitGroup
	end := make(chan struct{})
	for writer := range 4 {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				default:
				}
				key := fmt.Sprintf("%d-%d", writer, n)
				if err := store.Put(t.Context(), "photos", key, "image/jpeg", []byte("x")); err != nil {
					t.Errorf("put: %v", err)
					return
				}
				mu.Lock()
				written[key] = true
				mu.Unlock()
				time.Sleep(40 * time.Millisecond)
			}
		})
	}
	s.killOften()
	close(end)
	writers.Wait()
	l.check(written)
	s.nothingWaits()
}
