package timeseries

import (
	"math"
	"slices"
)

// A Stat is what is known of a set of values: their number, sum, least and greatest, and how many
// there are in each of exponential buckets. Two of them merge into one of all values without loss.
// The zero value is that of no values.
type Stat struct {
	Count, Sum, Min, Max float64
	// Opaque is set if the buckets do not have all values, because somebody gave the sums alone.
	// Then there are no quantiles.
	Opaque bool

	// buckets are in the order of their keys. There are none while all values are the same.
	buckets []bucket
}

// A bucket counts values from bound(key) up to bound(key+1).
type bucket struct {
	key   int32
	count float64
}

// perDoubling is how many buckets there are from a value to its double. A quantile is off by 2.2 %
// at most.
const perDoubling = 16

// shift makes the keys of all positive values positive.
const shift = 1100 * perDoubling

// steps are the bounds of buckets from 1 to 2.
var steps = func() (s [perDoubling]float64) {
	for n := range s {
		s[n] = math.Exp2(float64(n) / perDoubling)
	}
	return s
}()

// keyOf is the key of the bucket of a value. Keys have the order of values. That of 0 is 0.
func keyOf(v float64) int32 {
	switch {
	case v == 0:
		return 0
	case v < 0:
		return -keyOf(-v)
	}
	fraction, exponent := math.Frexp(v) // of 0.5 to 1
	fraction *= 2
	n := 0
	for half := perDoubling / 2; half > 0; half /= 2 {
		if fraction >= steps[n+half] {
			n += half
		}
	}
	return int32((exponent-1)*perDoubling + n + shift)
}

// bounds are those of the values of a bucket.
func bounds(key int32) (low, high float64) {
	switch {
	case key == 0:
		return 0, 0
	case key < 0:
		low, high = bounds(-key)
		return -high, -low
	}
	return bound(key), bound(key + 1)
}

func bound(key int32) float64 {
	n := int(key) - shift
	exponent := n >> 4
	return math.Ldexp(steps[n&(perDoubling-1)], exponent)
}

// Observe adds a value.
func (s *Stat) Observe(v float64) { s.Add(v, 1) }

// Add adds a value that occurred n times. n is above 0.
func (s *Stat) Add(v, n float64) {
	if s.Count == 0 {
		s.Count, s.Sum, s.Min, s.Max = n, v*n, v, v
		return
	}
	if v != s.Min || v != s.Max {
		s.spread()
		s.put(keyOf(v), n)
	}
	s.Count += n
	s.Sum += v * n
	s.Min, s.Max = min(s.Min, v), max(s.Max, v)
}

// AddSums adds values of which nothing but the sums is known.
func (s *Stat) AddSums(count, sum, least, greatest float64) {
	if least == greatest {
		s.Add(least, count)
		return
	}
	s.Merge(&Stat{Count: count, Sum: sum, Min: least, Max: greatest, Opaque: true})
}

// spread puts values that are all the same into their bucket.
func (s *Stat) spread() {
	if len(s.buckets) == 0 && s.Count > 0 && !s.Opaque {
		s.buckets = append(s.buckets, bucket{keyOf(s.Min), s.Count})
	}
}

func (s *Stat) put(key int32, n float64) {
	if s.Opaque {
		return
	}
	at, found := slices.BinarySearchFunc(s.buckets, key, func(b bucket, key int32) int { return int(b.key) - int(key) })
	if found {
		s.buckets[at].count += n
		return
	}
	s.buckets = slices.Insert(s.buckets, at, bucket{key, n})
}

// Merge adds the values of another.
func (s *Stat) Merge(o *Stat) {
	switch {
	case o.Count == 0:
		return
	case s.Count == 0:
		buckets := append(s.buckets[:0], o.buckets...)
		*s = *o
		s.buckets = buckets
		return
	case s.Opaque || o.Opaque:
		s.Opaque, s.buckets = true, s.buckets[:0]
	case s.Min == s.Max && o.Min == o.Max && s.Min == o.Min:
		// all are the same still
	default:
		s.spread()
		if len(o.buckets) == 0 {
			s.put(keyOf(o.Min), o.Count)
		}
		for _, b := range o.buckets {
			s.put(b.key, b.count)
		}
	}
	s.Count += o.Count
	s.Sum += o.Sum
	s.Min, s.Max = min(s.Min, o.Min), max(s.Max, o.Max)
}

// Reset makes it that of no values, and keeps its memory.
func (s *Stat) Reset() { *s = Stat{buckets: s.buckets[:0]} }

// Quantile is the value that the part q of the values does not exceed, e.g. 0.99. ok is false if
// the buckets do not have all values, or there are none.
func (s *Stat) Quantile(q float64) (v float64, ok bool) {
	switch {
	case s.Count == 0:
		return 0, false
	case s.Min == s.Max || q <= 0:
		return s.Min, true
	case q >= 1:
		return s.Max, true
	case s.Opaque:
		return 0, false
	}
	rank := q * s.Count
	for _, b := range s.buckets {
		if rank > b.count {
			rank -= b.count
			continue
		}
		low, high := s.bounds(b.key)
		return low + (high-low)*rank/b.count, true
	}
	return s.Max, true
}

// bounds are those that the values of a bucket can have, by what is known of all.
func (s *Stat) bounds(key int32) (low, high float64) {
	low, high = bounds(key)
	return max(low, s.Min), min(high, s.Max)
}

// Between is the number of the values that are above low and not above high, and their sum, both
// as the buckets tell. ok is as that of Quantile.
func (s *Stat) Between(low, high float64) (count, sum float64, ok bool) {
	if s.Opaque || s.Count == 0 {
		return 0, 0, false
	}
	if s.Min == s.Max {
		if s.Min > low && s.Min <= high {
			return s.Count, s.Sum, true
		}
		return 0, 0, true
	}
	for _, b := range s.buckets {
		least, most := s.bounds(b.key)
		from, to := max(least, low), min(most, high)
		switch {
		case least == most && least > low && least <= high:
			count, sum = count+b.count, sum+b.count*least
		case from < to:
			part := b.count * (to - from) / (most - least)
			count, sum = count+part, sum+part*(from+to)/2
		}
	}
	return count, sum, true
}
