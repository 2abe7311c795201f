package apis

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// A stopped server says goodbye to all its clients, and its function hears of each.
func TestThousandsOfSocketsEndWithTheirServer(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("room", map[string]string{"index.js": `let left = 0;
exports.handler = async (e) => {
  if (e.requestContext.routeKey === '$disconnect') console.log('left', ++left, e.requestContext.disconnectStatusCode);
  return { statusCode: 200 };
};`})
	s.Configure(harness.NodeFunction("room", dir, "timeout 60s\nreserved_concurrency 1"), `websocket chat {
	connect room
	disconnect room
}`)
	s.Start()
	host := strings.TrimPrefix(s.URL(""), "http://")
	const sockets = 2000
	goodbye := make(chan byte, sockets)
	var all sync.WaitGroup
	next := make(chan struct{}, sockets)
	for range sockets {
		next <- struct{}{}
	}
	close(next)
	for range 16 {
		all.Go(func() {
			for range next {
				c, err := net.Dial("tcp", host)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { _ = c.Close() })
				_ = c.SetDeadline(time.Now().Add(3 * time.Minute))
				fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", host)
				b := bufio.NewReaderSize(c, 16)
				if r, err := http.ReadResponse(b, nil); err != nil || r.StatusCode != http.StatusSwitchingProtocols {
					t.Errorf("%v %v", r, err)
					return
				}
				go func() {
					frame := make([]byte, 4) // the head of a close frame, and its status
					if _, err := io.ReadFull(b, frame); err == nil && frame[0] == 0x88 && frame[2] == 1001>>8 {
						// The same, masked by zeros, is the answer.
						_, _ = c.Write([]byte{0x88, 0x82, 0, 0, 0, 0, frame[2], frame[3]})
						goodbye <- frame[3]
						return
					}
					goodbye <- 0
				}()
			}
		})
	}
	all.Wait()
	harness.Eventually(t, "all sockets are open", func() bool { return s.Metric(`hearth_websockets{api="chat",stage="prod"}`) == sockets })
	began := time.Now()
	s.Stop()
	t.Logf("%d sockets ended within %s", sockets, time.Since(began).Round(time.Millisecond))
	for range sockets {
		if status := <-goodbye; status != 1001&0xff {
			t.Fatalf("a client was closed by %d", status)
		}
	}
	s.Start()
	s.WantLog("room", fmt.Sprintf("left %d 1001", sockets))
}
