package sandbox

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// BenchmarkStart is from the call of Start to the first byte that the command
// writes, and to the end of the command with all that was made for it gone.
func BenchmarkStart(b *testing.B) {
	for _, mode := range []string{Off, On} {
		b.Run(mode, func(b *testing.B) {
			s := open(b, Config{Mode: mode})
			benchmarkStart(b, s, Spec{Args: []string{"/usr/bin/echo"}, Env: []string{"PATH=/usr/bin"}})
		})
	}
	b.Run("on-unusual-environment", func(b *testing.B) {
		benchmarkStart(b, open(b, Config{}), Spec{Args: []string{"/usr/bin/echo"}, Env: []string{"PATH=/usr/bin", "UNUSUAL=1"}})
	})
	b.Run("on-no-network", func(b *testing.B) {
		benchmarkStart(b, open(b, Config{}), Spec{Args: []string{"/usr/bin/echo"}, Network: NetworkNone})
	})
	b.Run("on-private-network", func(b *testing.B) {
		needPrivate(b, open(b, Config{}))
		benchmarkStart(b, open(b, Config{}), Spec{Args: []string{"/usr/bin/echo"}, Network: NetworkPrivate})
	})
	b.Run("on-three-mounts", func(b *testing.B) {
		dir := b.TempDir()
		benchmarkStart(b, open(b, Config{}), Spec{Args: []string{"/usr/bin/echo"},
			Mounts: []Mount{{dir, TaskRoot}, {dir, RuntimeDir}, {dir, LayerRoot}}})
	})
}

// processTime is what this process and those that have ended have used of the CPU.
func processTime() (all time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var used unix.Rusage
		if unix.Getrusage(who, &used) == nil {
			all += time.Duration(used.Utime.Nano() + used.Stime.Nano())
		}
	}
	return all
}

func benchmarkStart(b *testing.B, s *Sandbox, spec Spec) {
	var first, all float64
	buf := make([]byte, 16)
	before := processTime()
	for b.Loop() {
		r, w, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		spec.ID, spec.Stdout = "bench", w
		began := b.Elapsed()
		p, err := s.Start(spec)
		w.Close()
		if err != nil {
			b.Fatal(err)
		}
		started := b.Elapsed()
		if _, err := r.Read(buf); err != nil {
			b.Fatal(err)
		}
		first += float64((b.Elapsed() - began).Microseconds())
		all += float64((started - began).Microseconds())
		r.Close()
		<-p.Done()
	}
	b.ReportMetric(float64((processTime()-before).Microseconds())/float64(b.N), "us-of-cpu")
	b.ReportMetric(all/float64(b.N), "us-to-return")
	b.ReportMetric(first/float64(b.N), "us-to-first-byte")
}

// needPrivate skips where there is no network to be had: not as root.
func needPrivate(t testing.TB, s *Sandbox) {
	t.Helper()
	if err := s.Private(); err != nil && s.identities != nil {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err) // tests/ has it as another user, with what distributions have
	}
}

// BenchmarkCgroup is what the limits add to a start.
func BenchmarkCgroup(b *testing.B) {
	h, err := cgroup.Open()
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	starter := newStarter()
	defer starter.close()
	for i := 0; b.Loop(); i++ {
		g, err := h.Add(fmt.Sprint("bench-", i), cgroup.Limits{Memory: 128 << 20, Tmp: 512 << 20, Processes: 1026})
		if err != nil {
			b.Fatal(err)
		}
		if !g.V2() {
			starter.do(func() {
				if err := h.Enter(g); err != nil {
					b.Error(err)
				}
				if err := h.Leave(); err != nil {
					b.Error(err)
				}
			})
		}
		if err := g.Remove(); err != nil {
			b.Fatal(err)
		}
	}
}
