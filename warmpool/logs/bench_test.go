package logs

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
)

var benchReport = Report{Duration: 2180 * time.Microsecond, MemoryMB: 128, MaxMemoryUsedMB: 67}

func invocation(st *Stream, t time.Time) {
	st.Start(t, testID, "$LATEST")
	st.End(t, testID)
	st.Report(t, testID, benchReport)
}

// openMemory opens a store whose disk takes everything in no time.
func openMemory(t testing.TB) *Store {
	t.Helper()
	s, err := open(Config{Dir: t.TempDir()}, zap.NewNop(), func(_ string, b []byte) (int, error) { return len(b), nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkInvocation is what the three platform lines of a call cost its caller.
func BenchmarkInvocation(b *testing.B) {
	b.Run("one", func(b *testing.B) {
		s := openMemory(b)
		st := group(b, s, "thumb").Stream("$LATEST", "6c1f0a", noon)
		b.ReportAllocs()
		for i := 1; b.Loop(); i++ {
			invocation(st, noon)
			if i%4096 == 0 {
				flush(b, s)
			}
		}
		b.ReportMetric(float64(s.Dropped())/float64(b.N), "dropped/op")
	})
	for _, groups := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel/groups=%d", groups), func(b *testing.B) {
			s := openMemory(b)
			var streams atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				n := int(streams.Add(1))
				st := group(b, s, fmt.Sprintf("thumb%d", n%groups)).Stream("$LATEST", fmt.Sprint(n), noon)
				for i := 1; pb.Next(); i++ {
					invocation(st, noon)
					if i%4096 == 0 {
						flush(b, s) // dropping would be quicker
					}
				}
			})
			b.ReportMetric(float64(s.Dropped())/float64(b.N), "dropped/op")
		})
	}
}

// BenchmarkInvocationToDisk is what they cost altogether, the writer's work
// included: nothing is dropped, because the caller waits now and then.
func BenchmarkInvocationToDisk(b *testing.B) {
	s := openStore(b, Config{})
	st := group(b, s, "thumb").Stream("$LATEST", "6c1f0a", noon)
	b.ReportAllocs()
	for i := 1; b.Loop(); i++ {
		invocation(st, noon)
		if i%4096 == 0 {
			flush(b, s)
		}
	}
	if s.Dropped() > 0 {
		b.Errorf("%d lines dropped", s.Dropped())
	}
}

func BenchmarkLine(b *testing.B) {
	st := group(b, openMemory(b), "thumb").Stream("$LATEST", "6c1f0a", noon)
	text := []byte("2026-11-23T06:00:00.000Z\t" + testID + "\tINFO\thello world\n")
	b.ReportAllocs()
	for b.Loop() {
		st.Line(noon, testID, text)
	}
}

func BenchmarkRead(b *testing.B) {
	var data []byte
	var c clock
	c.set(noon)
	data = appendStream(data, 1, "2023/11/23/[$LATEST]6c1f0a")
	for len(data) < 1<<20 {
		data = c.append(data)
		data = appendHead(data, 1, "", inText)
		data = appendText(data, appendReport(nil, testID, &benchReport))
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		d := newDecoder(bytes.NewReader(data))
		for {
			if _, err := d.next(); err != nil {
				break
			}
		}
	}
}
