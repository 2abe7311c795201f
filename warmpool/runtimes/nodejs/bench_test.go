package nodejs_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// benchEvent is an event of 1 KB, as a route makes one of a request.
func benchEvent() string {
	var headers strings.Builder
	for i := range 14 {
		fmt.Fprintf(&headers, `"x-header-%02d":"a value of some length, as headers have",`, i)
	}
	return fmt.Sprintf(`{"version":"2.0","rawPath":"/","headers":{%s"host":"example.com"},"requestContext":{"http":{"method":"GET","path":"/"},"timeEpoch":1700000000000},"isBase64Encoded":false}`, headers.String())
}

// BenchmarkInvoke measures what one process handles when frames are always
// waiting, with an event of 1 KB.
func BenchmarkInvoke(b *testing.B) {
	for name, code := range map[string]string{
		"async":    `exports.handler = async (event) => ({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: 'hello' });`,
		"callback": `exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; callback(null, { statusCode: 200, headers: { 'content-type': 'application/json' }, body: 'hello' }); };`,
	} {
		b.Run(name, func(b *testing.B) { benchmarkInvoke(b, code) })
	}
}

func benchmarkInvoke(b *testing.B, code string) {
	p := launch(b, function{files: map[string]string{"index.js": code}})
	frame, err := runtimes.AppendInvoke(nil, 1, &runtimes.Invoke{
		RequestID: "8f507cfc-xmpl-4697-b07a-ac58fc914c95", DeadlineMillis: 2e12,
	}, []byte(benchEvent()))
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
	// What is left of it when others use the machine as well. With the start of
	// the process in it, so only long runs tell.
	p.requests.Close()
	p.wait()
	cpu := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/call")
}

// BenchmarkInit measures how long a process that is booted and waits for its
// function takes to be ready, by the kind of module that the function is.
func BenchmarkInit(b *testing.B) {
	for name, files := range map[string]map[string]string{
		"cjs": {"index.js": `exports.handler = async () => 1;`},
		"mjs": {"index.mjs": `export const handler = async () => 1;`},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				p := boot(b, function{files: files, stem: true})
				p.awaitRead()
				b.StartTimer()
				p.init(function{})
				if r := p.reply(); r.Kind != runtimes.KindReady {
					b.Fatalf("got %s %s", r.Kind, r.payload)
				}
				b.StopTimer()
				p.requests.Close()
				p.wait()
				b.StartTimer()
			}
		})
	}
}

// BenchmarkBoot measures how long a process takes to wait for its function.
func BenchmarkBoot(b *testing.B) {
	for range b.N {
		p := boot(b, function{})
		p.awaitRead()
		b.StopTimer()
		p.requests.Close()
		p.wait()
		b.StartTimer()
	}
}

// awaitRead waits until the process blocks in a read of a pipe. The kernel tells
// nobody, so it is asked.
func (p *process) awaitRead() {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Microsecond) {
		where, err := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", p.cmd.Process.Pid))
		if err != nil {
			p.t.Fatal(err)
		}
		if strings.Contains(string(where), "pipe_read") {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the process does not read, it is in %q", where)
		}
	}
}
