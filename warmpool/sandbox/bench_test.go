package sandbox

import (
	"fmt"
	"os"
	"testing"
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
	b.Run("on-three-mounts", func(b *testing.B) {
		dir := b.TempDir()
		benchmarkStart(b, open(b, Config{}), Spec{Args: []string{"/usr/bin/echo"},
			Mounts: []Mount{{dir, TaskRoot}, {dir, RuntimeDir}, {dir, LayerRoot}}})
	})
}

func benchmarkStart(b *testing.B, s *Sandbox, spec Spec) {
	var first, all float64
	buf := make([]byte, 16)
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
	b.ReportMetric(all/float64(b.N), "us-to-return")
	b.ReportMetric(first/float64(b.N), "us-to-first-byte")
}

// BenchmarkCgroup is what the limits add to a start.
func BenchmarkCgroup(b *testing.B) {
	h, err := openHierarchy()
	if err != nil {
		b.Fatal(err)
	}
	defer h.close()
	starter := newStarter()
	defer starter.close()
	for i := 0; b.Loop(); i++ {
		g, err := h.add(fmt.Sprint("bench-", i), limits{memory: 128 << 20, tmp: 512 << 20, processes: 1024})
		if err != nil {
			b.Fatal(err)
		}
		if len(h.home) > 0 {
			starter.do(func() {
				if err := h.enter(g); err != nil {
					b.Error(err)
				}
				if err := h.leave(); err != nil {
					b.Error(err)
				}
			})
		}
		if err := g.remove(); err != nil {
			b.Fatal(err)
		}
	}
}
