package timeseries

import (
	"encoding/binary"
	"errors"
	"math"
)

// A point is a Stat of a time, in seconds since 1970. Points are appended to each other, in any
// order, as
//
//	varint   time, less that of the point before
//	byte     kind: what follows
//	number   count
//	number   the value, if all are the same
//	         or sum, least, greatest, and with buckets their number (uvarint), and of each the
//	         key less the key before, twice (uvarint; the first: zigzag), or that and 1, and its
//	         count (number); without, the count is 1
//
// A number is a uvarint, the lowest bits of which say what it is: an integer, a multiple of
// 1/1000, or neither: then eight bytes follow.

// Kinds of points.
const (
	same = iota // all values are the same
	full
	opaque
)

var errDamaged = errors.New("a series is damaged")

func appendNumber(b []byte, v float64) []byte {
	const most = 1 << 51
	if math.Abs(v) < most {
		if n := int64(v); float64(n) == v && !(v == 0 && math.Signbit(v)) {
			return binary.AppendUvarint(b, zigzag(n)<<2)
		}
		if scaled := v * 1000; math.Abs(scaled) < most {
			if n := int64(math.Round(scaled)); float64(n)/1000 == v {
				return binary.AppendUvarint(b, zigzag(n)<<2|1)
			}
		}
	}
	b = append(b, 2)
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

func zigzag(n int64) uint64   { return uint64(n)<<1 ^ uint64(n>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// appendPoint appends a point. before is the time of the point before it.
func appendPoint(b []byte, before, at int64, s *Stat) []byte {
	b = binary.AppendVarint(b, at-before)
	switch {
	case s.Min == s.Max:
		b = append(b, same)
		b = appendNumber(b, s.Count)
		return appendNumber(b, s.Min)
	case s.Opaque:
		b = append(b, opaque)
	default:
		b = append(b, full)
	}
	for _, v := range []float64{s.Count, s.Sum, s.Min, s.Max} {
		b = appendNumber(b, v)
	}
	if s.Opaque {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(s.buckets)))
	last := int32(0)
	for n, bucket := range s.buckets {
		step := uint64(bucket.key - last)
		if n == 0 {
			step = zigzag(int64(bucket.key))
		}
		last = bucket.key
		if bucket.count == 1 {
			b = binary.AppendUvarint(b, step<<1)
			continue
		}
		b = binary.AppendUvarint(b, step<<1|1)
		b = appendNumber(b, bucket.count)
	}
	return b
}

// A points reads what appendPoint wrote. The Stat that it gives is good until the next point.
type points struct {
	data []byte
	at   int64
	stat Stat
	err  error
}

func (p *points) uvarint() uint64 {
	v, n := binary.Uvarint(p.data)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.data = p.data[n:]
	return v
}

func (p *points) varint() int64 { return unzigzag(p.uvarint()) }

func (p *points) number() float64 {
	u := p.uvarint()
	switch u & 3 {
	case 0:
		return float64(unzigzag(u >> 2))
	case 1:
		return float64(unzigzag(u>>2)) / 1000
	case 2:
		if len(p.data) >= 8 {
			v := math.Float64frombits(binary.LittleEndian.Uint64(p.data))
			p.data = p.data[8:]
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				return v
			}
		}
	}
	p.fail()
	return 0
}

func (p *points) fail() { p.err, p.data = errDamaged, nil }

// next reads a point. It returns false at the end, and if err is set.
func (p *points) next() bool {
	if len(p.data) == 0 || p.err != nil {
		return false
	}
	p.at += p.varint()
	if len(p.data) == 0 {
		p.fail()
		return false
	}
	kind := p.data[0]
	p.data = p.data[1:]
	s := &p.stat
	s.Reset()
	s.Count = p.number()
	switch kind {
	case same:
		s.Min = p.number()
		s.Max, s.Sum = s.Min, s.Min*s.Count
	case full, opaque:
		s.Sum, s.Min, s.Max = p.number(), p.number(), p.number()
		if s.Opaque = kind == opaque; kind == full {
			p.buckets()
		}
	default:
		p.fail()
	}
	if p.err == nil && (s.Count <= 0 || s.Min > s.Max || kind != same && s.Min == s.Max) {
		p.fail()
	}
	return p.err == nil
}

// maxBuckets is more than there are keys of values that a point has by far.
const maxBuckets = 1 << 16

func (p *points) buckets() {
	n := p.uvarint()
	if n == 0 || n > maxBuckets || n > uint64(len(p.data)) {
		p.fail()
		return
	}
	key := int64(0)
	for i := range n {
		step := p.uvarint()
		counted := step&1 == 1
		if step >>= 1; i == 0 {
			key = unzigzag(step)
		} else if key += int64(step); step == 0 || step > math.MaxInt32 {
			p.fail()
			return
		}
		if key < -2*shift || key > 2*shift {
			p.fail()
			return
		}
		count := 1.0
		if counted {
			count = p.number()
		}
		if count <= 0 {
			p.fail()
			return
		}
		p.stat.buckets = append(p.stat.buckets, bucket{int32(key), count})
	}
}
