package timeseries

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"
)

// BenchmarkSecondOfTenThousandFunctions adds what 5,000 calls a second of 10,000 functions leave:
// Duration, MaxMemoryUsed and ConcurrentExecutions of each function, and Duration of all. It takes
// an hour of the clock, and says how much of a core that is and what is on disk for a function and
// day if each is called every other second.
func BenchmarkSecondOfTenThousandFunctions(b *testing.B) {
	const functions, calls = 10_000, 5_000
	c := &clock{time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	dir := b.TempDir()
	s, err := Open(Config{Dir: dir, Now: c.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var series [functions][3]*Series
	for f := range series {
		for k := range series[f] {
			if series[f][k], err = s.Series(fmt.Sprintf("function-%d/%d", f, k)); err != nil {
				b.Fatal(err)
			}
		}
	}
	all, _ := s.Series("all")
	random := rand.New(rand.NewPCG(1, 2))
	var duration, memory, concurrent, total Stat
	entries := make([]Entry, 3)
	cpu := func() time.Duration {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			b.Fatal(err)
		}
		return time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	began := cpu()
	seconds := 0
	for b.Loop() {
		seconds++
		c.now = c.now.Add(time.Second)
		total.Reset()
		for range calls {
			f := random.IntN(functions)
			duration.Reset()
			memory.Reset()
			concurrent.Reset()
			duration.Observe(float64(int(1000*(5+random.ExpFloat64()*3))) / 1000)
			memory.Observe(80)
			concurrent.Observe(1)
			for k, stat := range []*Stat{&duration, &memory, &concurrent} {
				entries[k] = Entry{series[f][k], stat}
			}
			s.Add(c.now, entries...)
			total.Merge(&duration)
		}
		s.Add(c.now, Entry{all, &total})
		if seconds%5 == 0 {
			s.Write()
		}
	}
	spent := cpu() - began
	c.now = c.now.Add(time.Hour)
	s.Write()
	files, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	sizes := make(map[string]int64)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			sizes[f.Name()[:5]] += info.Size()
		}
	}
	perDay := float64(functions) * float64(seconds) / 86400
	b.ReportMetric(100*spent.Seconds()/float64(seconds), "%core")
	b.ReportMetric(float64(sizes["minut"])/perDay, "B/function/day")
	b.ReportMetric(float64(sizes["hours"])*float64(seconds)/3600/perDay, "hourB/function/day")
}
