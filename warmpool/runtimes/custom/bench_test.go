package custom

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

// BenchmarkInvoke measures what the Bridge and the kernel need for a call, by a
// runtime that needs next to nothing itself: two requests on one connection.
func BenchmarkInvoke(b *testing.B) {
	w := newWorld(b, Config{}, nil)
	conn := w.dial()
	event := strings.Repeat(`{"a header":"of some length"}`, 34) // 1 KB
	frame, err := runtimetest.InvokeFrame(1, &runtimes.Invoke{RequestID: "8f507cfc-xmpl-4697-b07a-ac58fc914c95", DeadlineMillis: 2e12, TraceID: "Root=1-5e1b4151-5ac6c58f3375aa3c7c6b73c9"}, []byte(event))
	if err != nil {
		b.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		failed <- func() error {
			responses := bufio.NewReader(conn)
			next := "GET " + api + "/invocation/next HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n\r\n"
			answer := "POST " + api + "/invocation/8f507cfc-xmpl-4697-b07a-ac58fc914c95/response HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: 62\r\n\r\n" +
				`{"statusCode":200,"headers":{},"body":"twelve bytes and more"}`
			for range b.N {
				for _, request := range []string{next, answer} {
					if _, err := io.WriteString(conn, request); err != nil {
						return err
					}
					resp, err := http.ReadResponse(responses, nil)
					if err != nil {
						return err
					}
					if _, err := io.Copy(io.Discard, resp.Body); err != nil {
						return err
					}
					if resp.StatusCode/100 != 2 {
						return fmt.Errorf("got %s", resp.Status)
					}
				}
			}
			return nil
		}()
	}()
	if head, _ := w.frame(); head.Kind != runtimes.KindReady {
		b.Fatalf("got %s", head.Kind)
	}
	replies := bufio.NewReader(w.replies)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		w.write(frame)
		if _, head, err := nextReply(replies); err != nil || head.Kind != runtimes.KindResult {
			b.Fatal(head.Kind, err)
		}
	}
	b.StopTimer()
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
