package insights

import (
	"hash/maphash"
	"math"
	"slices"
)

// An aggregate is one value of many rows.
type aggregate interface {
	// add returns by how many bytes the aggregate has grown.
	add(v value, r *row) int
	merge(aggregate)
	result() value
}

// aggregates make them by the numbers that follow the field; false: it takes no such numbers.
var aggregates = map[string]func(options []value) (func() aggregate, bool){
	"count":          plain(func() aggregate { return new(count) }),
	"count_distinct": plain(func() aggregate { return &distinct{seen: make(map[uint64]struct{})} }),
	"sum":            plain(func() aggregate { return &moments{want: sumOf} }),
	"avg":            plain(func() aggregate { return &moments{want: averageOf} }),
	"stddev":         plain(func() aggregate { return &moments{want: deviationOf} }),
	"min":            plain(func() aggregate { return &extreme{sign: -1} }),
	"max":            plain(func() aggregate { return &extreme{sign: 1} }),
	"sortsfirst":     plain(func() aggregate { return &extreme{sign: -1, any: true} }),
	"sortslast":      plain(func() aggregate { return &extreme{sign: 1, any: true} }),
	"earliest":       plain(func() aggregate { return &seen{sign: -1} }),
	"latest":         plain(func() aggregate { return &seen{sign: 1} }),
	"pct":            ranked,
	"percentile":     ranked, // AWS's reference has pct alone, but many queries and tools have this name
	"median":         plain(func() aggregate { return &percentile{rank: 0.5} }),
}

func ranked(options []value) (func() aggregate, bool) {
	if len(options) != 1 || options[0].number < 0 || options[0].number > 100 {
		return nil, false
	}
	return func() aggregate { return &percentile{rank: options[0].number / 100} }, true
}

func plain(make func() aggregate) func([]value) (func() aggregate, bool) {
	return func(options []value) (func() aggregate, bool) { return make, len(options) == 0 }
}

type count struct{ n float64 }

func (c *count) add(value, *row) int { c.n++; return 0 }

func (c *count) merge(other aggregate) { c.n += other.(*count).n }

func (c *count) result() value { return numberOf(c.n) }

// distinct counts by hashes of 64 bits.
type distinct struct{ seen map[uint64]struct{} }

var seed = maphash.MakeSeed()

func (d *distinct) add(v value, _ *row) int {
	h := maphash.String(seed, v.String())
	if _, ok := d.seen[h]; ok {
		return 0
	}
	d.seen[h] = struct{}{}
	return 24
}

func (d *distinct) merge(other aggregate) {
	for h := range other.(*distinct).seen {
		d.seen[h] = struct{}{}
	}
}

func (d *distinct) result() value { return numberOf(float64(len(d.seen))) }

const (
	sumOf = iota
	averageOf
	deviationOf
)

// moments has the sum, and the mean and the squares of what differs from it (Welford, Chan).
type moments struct {
	want             int
	n, total         float64
	mean, difference float64
}

func (m *moments) add(v value, _ *row) int {
	if x, ok := v.asNumber(); ok {
		m.n++
		m.total += x
		if m.want == deviationOf {
			d := x - m.mean
			m.mean += d / m.n
			m.difference += d * (x - m.mean)
		}
	}
	return 0
}

func (m *moments) merge(other aggregate) {
	o := other.(*moments)
	if o.n == 0 {
		return
	}
	n := m.n + o.n
	d := o.mean - m.mean
	m.mean += d * o.n / n
	m.difference += o.difference + d*d*m.n*o.n/n
	m.n, m.total = n, m.total+o.total
}

func (m *moments) result() value {
	switch {
	case m.n == 0:
		return value{}
	case m.want == sumOf:
		return numberOf(m.total)
	case m.want == averageOf:
		return numberOf(m.total / m.n)
	}
	return numberOf(math.Sqrt(m.difference / m.n))
}

// extreme is the smallest or largest number, or value when any may be taken.
type extreme struct {
	sign int
	any  bool
	best value
}

func (e *extreme) add(v value, _ *row) int {
	if !e.any {
		n, ok := v.asNumber()
		if !ok {
			return 0
		}
		v = numberOf(n)
	}
	before := len(e.best.text)
	if e.best.kind == none || compare(v, e.best)*e.sign > 0 {
		e.best = v.clone()
	}
	return len(e.best.text) - before
}

func (e *extreme) merge(other aggregate) {
	if v := other.(*extreme).best; v.kind != none {
		e.add(v, nil)
	}
}

func (e *extreme) result() value { return e.best }

// seen is the value of the earliest or latest event that has one.
type seen struct {
	sign int
	at   int64
	best value
}

func (s *seen) add(v value, r *row) int {
	before := len(s.best.text)
	s.take(v, r.place.millis)
	return len(s.best.text) - before
}

func (s *seen) take(v value, at int64) {
	if s.best.kind == none || s.sign < 0 && at < s.at || s.sign > 0 && at >= s.at {
		s.best, s.at = v.clone(), at
	}
}

func (s *seen) merge(other aggregate) {
	if o := other.(*seen); o.best.kind != none {
		s.take(o.best, o.at)
	}
}

func (s *seen) result() value { return s.best }

// maxExact is how many values a percentile is exact for.
const maxExact = 1000

// accuracy is how far off a percentile of more values is at most, of its value.
const accuracy = 0.005

// percentile has all values while they are few, then how many there are within ranges that grow
// with the values (DDSketch, Masson et al. 2019).
type percentile struct {
	rank   float64
	exact  []float64
	ranges map[int]float64 // nil while exact
	n      float64
}

var rangeWidth = math.Log((1 + accuracy) / (1 - accuracy))

// rangeOf numbers ranges: of positive values up, of negative ones down, with zero between.
func rangeOf(x float64) int {
	const offset = 1 << 20
	switch {
	case math.Abs(x) < 1e-9:
		return 0
	case x > 0:
		return offset + int(math.Ceil(math.Log(x)/rangeWidth))
	}
	return -offset - int(math.Ceil(math.Log(-x)/rangeWidth))
}

func valueIn(i int) float64 {
	const offset = 1 << 20
	at := func(i int) float64 { return 2 * math.Exp(float64(i)*rangeWidth) / (1 + math.Exp(rangeWidth)) }
	switch {
	case i == 0:
		return 0
	case i > 0:
		return at(i - offset)
	}
	return -at(-i - offset)
}

func (p *percentile) add(v value, _ *row) int {
	x, ok := v.asNumber()
	if !ok {
		return 0
	}
	p.n++
	if p.ranges == nil && len(p.exact) < maxExact {
		p.exact = append(p.exact, x)
		return 8
	}
	p.spread()
	before := len(p.ranges)
	p.ranges[rangeOf(x)]++
	return 24 * (len(p.ranges) - before)
}

// spread puts exact values into ranges.
func (p *percentile) spread() {
	if p.ranges == nil {
		p.ranges = make(map[int]float64)
	}
	for _, x := range p.exact {
		p.ranges[rangeOf(x)]++
	}
	p.exact = nil
}

func (p *percentile) merge(other aggregate) {
	o := other.(*percentile)
	p.n += o.n
	if p.ranges == nil && o.ranges == nil && len(p.exact)+len(o.exact) <= maxExact {
		p.exact = append(p.exact, o.exact...)
		return
	}
	p.spread()
	o.spread()
	for i, n := range o.ranges {
		p.ranges[i] += n
	}
}

func (p *percentile) result() value {
	if p.n == 0 {
		return value{}
	}
	rank := p.rank * (p.n - 1)
	if p.ranges == nil {
		slices.Sort(p.exact)
		low := int(rank)
		x := p.exact[low]
		if low+1 < len(p.exact) {
			x += (rank - float64(low)) * (p.exact[low+1] - x)
		}
		return numberOf(x)
	}
	order := make([]int, 0, len(p.ranges))
	for i := range p.ranges {
		order = append(order, i)
	}
	slices.Sort(order)
	var below float64
	for _, i := range order {
		if below += p.ranges[i]; below > rank {
			return numberOf(valueIn(i))
		}
	}
	return numberOf(valueIn(order[len(order)-1]))
}
