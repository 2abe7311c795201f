package python_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// BenchmarkInvoke measures what one process of each Python handles when frames
// are always waiting, with an event of 1 KB.
func BenchmarkInvoke(b *testing.B) {
	code := `
def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "hello"}
`
	event := fmt.Sprintf(`{"version":"2.0","rawPath":"/","headers":{%s"host":"example.com"},"requestContext":{"http":{"method":"GET","path":"/"},"timeEpoch":1700000000000},"isBase64Encoded":false}`,
		strings.Repeat(`"x-header-name":"a value of some length, as headers have",`, 14))
	for i := range 14 {
		event = strings.Replace(event, "x-header-name", fmt.Sprintf("x-header-%02d", i), 1)
	}
	for _, path := range pythons() {
		b.Run(path[strings.LastIndex(path, "/")+1:], func(b *testing.B) {
			p := launch(b, function{python: path, files: map[string]string{"app.py": code}})
			frame, err := runtimes.AppendInvoke(nil, 1, &runtimes.Invoke{
				RequestID: "8f507cfc-xmpl-4697-b07a-ac58fc914c95", DeadlineMillis: 2e12,
				TraceID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
			}, []byte(event))
			if err != nil {
				b.Fatal(err)
			}
			written := make(chan error, 1)
			b.ResetTimer()
			go func() {
				for range b.N {
					if _, err := p.requests.Write(frame); err != nil {
						written <- err
						return
					}
				}
				written <- nil
			}()
			buf := make([]byte, 64<<10)
			have, size := 0, 0
			for replies := 0; replies < b.N; {
				n, err := p.replies.Read(buf[have:])
				if err == io.EOF {
					b.Fatal("the process ended")
				}
				if err != nil {
					b.Fatal(err)
				}
				have += n
				at := 0
				for have-at >= runtimes.HeadSize {
					if size = runtimes.HeadSize + int(number(buf[at:], 4)); have-at < size {
						break
					}
					if kind := runtimes.Kind(buf[at+1]); kind != runtimes.KindResult {
						b.Fatalf("got %s %s", kind, buf[at+runtimes.HeadSize:at+size])
					}
					at += size
					replies++
				}
				have = copy(buf, buf[at:have])
			}
			b.StopTimer()
			if err := <-written; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			// What is left of it when others use the machine as well. With the start
			// of the process in it, so only long runs tell.
			p.requests.Close()
			p.wait()
			cpu := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/call")
		})
	}
}
