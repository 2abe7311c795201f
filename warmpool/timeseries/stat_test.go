package timeseries

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantilesOfMergedStatsAreThoseOfAllValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var values []float64
	var merged Stat
	for range 50 {
		var part Stat
		for range 200 {
			v := math.Exp(random.NormFloat64()*2 + 3)
			values = append(values, v)
			part.Observe(v)
		}
		merged.Merge(&part)
	}
	slices.Sort(values)
	for _, q := range []float64{.01, .5, .9, .99, .999} {
		want := values[int(q*float64(len(values)))]
		if got, ok := merged.Quantile(q); !ok || math.Abs(got/want-1) > .03 {
			t.Errorf("p%v is %v, not %v", q*100, got, want)
		}
	}
	if merged.Min != values[0] || merged.Max != values[len(values)-1] || merged.Count != 10000 {
		t.Errorf("least %v, greatest %v, number %v", merged.Min, merged.Max, merged.Count)
	}
}

func TestKeysHaveTheOrderOfValues(t *testing.T) {
	values := []float64{-1e300, -3, -2, -1e-300, 0, 5e-324, 1e-9, .1, .5, 1, 1.04, 1.05, 2, 1000, 1e300, math.MaxFloat64}
	last := int32(math.MinInt32)
	for _, v := range values {
		key := keyOf(v)
		low, high := bounds(key)
		if key < last || v != 0 && (v < low || v > high) {
			t.Errorf("%v has key %d after %d, of %v to %v", v, key, last, low, high)
		}
		last = key
	}
}

func TestStatsComeBackAsTheyWereWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var data []byte
	var written []Stat
	at := int64(0)
	for n := range 500 {
		var s Stat
		switch n % 5 {
		case 0:
			s.Add(1, float64(1+random.IntN(1000)))
		case 1:
			for range 30 {
				s.Observe(math.Round(random.Float64()*1e6) / 1000)
			}
		case 2:
			s.Observe(random.NormFloat64() * 1e12)
			s.Observe(-.123456789)
			s.Observe(0)
		case 3:
			s.AddSums(10, 55.5, 1, 10)
		case 4:
			s.Observe(math.Copysign(0, -1))
			s.Add(1.5, .25)
		}
		next := int64(1.8e9) + int64(random.IntN(1e6))
		data = appendPoint(data, at, next, &s)
		at = next
		written = append(written, s)
	}
	p := points{data: data}
	for n := range written {
		if !p.next() {
			t.Fatalf("point %d: %v", n, p.err)
		}
		w := &written[n]
		if p.stat.Count != w.Count || p.stat.Min != w.Min || p.stat.Max != w.Max || p.stat.Opaque != w.Opaque || !slices.Equal(p.stat.buckets, w.buckets) || math.Abs(p.stat.Sum-w.Sum) > 1e-9*math.Abs(w.Sum) {
			t.Fatalf("point %d is %+v, not %+v", n, p.stat, *w)
		}
	}
	if p.next() || p.err != nil || p.at != at {
		t.Errorf("the end: %v at %d", p.err, p.at)
	}
}

func FuzzPoints(f *testing.F) {
	var s Stat
	s.Observe(1.5)
	s.Observe(7)
	f.Add(appendPoint(nil, 0, 1800000000, &s))
	f.Add([]byte{0, same, 4, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		p := points{data: data}
		for p.next() {
			var again Stat
			again.Merge(&p.stat)
			if _, ok := again.Quantile(.5); !ok && !again.Opaque {
				t.Errorf("no median of %+v", again)
			}
			read := points{data: appendPoint(nil, 0, p.at, &again)}
			if !read.next() {
				t.Errorf("%+v cannot be written: %v", again, read.err)
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	var s Stat
	n := 0
	for b.Loop() {
		n++
		s.Observe(float64(n%50) + 2)
	}
}
