package harness

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A stage counts the executions that are on it, by the address they come from. One is
// counted after it has begun and until before it ends, so never too many are.
type stage struct {
	Listener net.Listener
	Gate     chan struct{} // those from gated wait until it is closed
	Gated    string

	Mu   sync.Mutex // guards what follows
	now  map[string]int
	ever map[string]int
	Most int // at once, from anywhere
}

func NewStage(t *testing.T, address string) *stage {
	t.Helper()
	listener, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := &stage{Listener: listener, Gate: make(chan struct{}), now: make(map[string]int), ever: make(map[string]int)}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go s.play(c)
		}
	}()
	return s
}

func (s *stage) play(c net.Conn) {
	defer c.Close()
	from, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	s.Mu.Lock()
	s.now[from]++
	s.ever[from]++
	all := 0
	for _, n := range s.now {
		all += n
	}
	s.Most = max(s.Most, all)
	s.Mu.Unlock()
	if from == s.Gated {
		<-s.Gate
	}
	_, _ = c.Write([]byte("x"))
	_, _ = io.Copy(io.Discard, c) // until the function ends it, or is killed
	s.Mu.Lock()
	s.now[from]--
	s.Mu.Unlock()
}

// Code is that of a function which is on the stage for a time, and fails after it if it
// runs at the address loser.
func (s *stage) Code(execution time.Duration, loser string) map[string]string {
	address := s.Listener.Addr().(*net.TCPAddr)
	return map[string]string{"index.mjs": fmt.Sprintf(`
import net from 'node:net';
export const handler = () => new Promise((done, fail) => {
	const stage = net.connect(%d, '%s');
	let from;
	stage.once('connect', () => { from = stage.localAddress; });
	stage.once('data', () => setTimeout(() => stage.end(), %d));
	stage.once('close', () => from === '%s' ? fail(new Error('the loser')) : done({ statusCode: 200, body: 'played' }));
	stage.once('error', fail);
});`, address.Port, address.IP, execution.Milliseconds(), loser)}
}

// Seen is how many executions from an address there are, and were.
func (s *stage) Seen(from string) (now, ever int) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.now[from], s.ever[from]
}
