package runtimetest

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// BenchEvent is an event of 1 KB, as a route makes one of a request.
func BenchEvent() string {
	var headers strings.Builder
	for i := range 14 {
		fmt.Fprintf(&headers, `"x-header-%02d":"a value of some length, as headers have",`, i)
	}
	return fmt.Sprintf(`{"version":"2.0","rawPath":"/","headers":{%s"host":"example.com"},"requestContext":{"http":{"method":"GET","path":"/"},"timeEpoch":1700000000000},"isBase64Encoded":false}`, headers.String())
}

// Benchmark measures what a process handles when frames are always waiting. frame is one
// invocation.
func (p *Process) Benchmark(b *testing.B, frame []byte) {
	b.Helper()
	written := make(chan error, 1)
	b.ResetTimer()
	go func() {
		for range b.N {
			if _, err := p.Requests.Write(frame); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	buf := make([]byte, 64<<10)
	have, size := 0, 0
	for replies := 0; replies < b.N; {
		n, err := p.Replies.Read(buf[have:])
		if err == io.EOF {
			b.Fatal("the process ended")
		}
		if err != nil {
			b.Fatal(err)
		}
		have += n
		at := 0
		for have-at >= runtimes.HeadSize {
			if size = runtimes.HeadSize + int(Number(buf[at:], 4)); have-at < size {
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
	p.Requests.Close()
	p.Wait()
	cpu := p.Cmd.ProcessState.UserTime() + p.Cmd.ProcessState.SystemTime()
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/call")
}

// AwaitRead waits until the process blocks in a read of a pipe. The kernel tells
// nobody, so it is asked.
func (p *Process) AwaitRead() {
	p.t.Helper()
	for deadline := time.Now().Add(Patience); ; time.Sleep(100 * time.Microsecond) {
		where, err := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", p.Cmd.Process.Pid))
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
