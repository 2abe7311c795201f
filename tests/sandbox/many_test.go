package sandbox

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// Two hundred environments of one function are there at once: each has a network with its
// own address, listens on the same port as all others, and reaches what is beyond.
func TestTwoHundredEnvironmentsHaveNetworksOfTheirOwn(t *testing.T) {
	harness.Slow(t, "it starts many environments")
	harness.Quiet(t)
	asBoth(t, haveNetworksOfTheirOwn)
}

func haveNetworksOfTheirOwn(t *testing.T, asRoot bool) {
	const many = 200
	w := newWorld(t)
	meeting := meets(t, w.machine.Outside, many)
	s := w.server("127.0.0.53", asRoot)
	dir := s.Code("f", map[string]string{"app.py": fmt.Sprintf(`
import socket
server = socket.create_server(("0.0.0.0", 8080))
def handler(event, context):
    while True: # what carries a connection may give it up while the machine is busy
        try:
            with socket.create_connection(("%s", %d), 300) as s:
                if s.recv(1):
                    return {"statusCode": 200, "body": s.getsockname()[0]}
        except ConnectionError:
            pass
`, meeting.IP, meeting.Port)})
	s.Configure(fmt.Sprintf("memory_budget %d\nqueue_timeout 5m\n", 2*128*many)+harness.PythonFunction("f", dir, "timeout 300s"), "function f")
	s.Start()
	client := &http.Client{Timeout: 5 * time.Minute}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	addresses := make(chan string, many)
	for range many {
		r := s.Request("GET", "/", nil)
		all.Go(func() {
			res, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			var address [64]byte
			n, _ := res.Body.Read(address[:])
			if res.StatusCode != 200 {
				t.Errorf("%s %s", res.Status, address[:n])
			}
			addresses <- string(address[:n])
		})
	}
	all.Wait()
	close(addresses)
	seen := map[string]bool{}
	for address := range addresses {
		seen[address] = true
	}
	if len(seen) != many {
		t.Errorf("%d environments have %d addresses", many, len(seen))
	}
}

// meets is where so many have to be connected at once before each is told so.
func meets(t *testing.T, address string, many int) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	there, met := map[net.Conn]bool{}, false
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			there[c] = true
			if met = met || len(there) == many; met {
				for c := range there {
					_, _ = c.Write([]byte("x"))
				}
			}
			mu.Unlock()
			go func() { // they send nothing: this is the end of it
				_, _ = c.Read(make([]byte, 1))
				mu.Lock()
				delete(there, c)
				mu.Unlock()
				c.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr)
}
