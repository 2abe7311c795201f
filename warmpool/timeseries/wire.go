package timeseries

// AppendStats appends the Stats of periods to b, nil for those without values: MergeStats reads
// them. It is how a process tells another what Read gave it.
func AppendStats(b []byte, stats []*Stat) []byte {
	before := int64(0)
	for n, s := range stats {
		if s != nil && s.Count > 0 {
			b = appendPoint(b, before, int64(n), s)
			before = int64(n)
		}
	}
	return b
}

// CheckStats reports an error unless data is what AppendStats makes of that many periods.
func CheckStats(data []byte, periods int) error {
	p := points{data: data}
	for p.next() {
		if p.at < 0 || p.at >= int64(periods) {
			return errDamaged
		}
	}
	return p.err
}

// MergeStats merges what AppendStats made into the Stats of the same periods, nil for those without
// values. Data that CheckStats refuses is merged in part.
func MergeStats(into []*Stat, data []byte) error {
	p := points{data: data}
	for p.next() {
		if p.at < 0 || p.at >= int64(len(into)) {
			return errDamaged
		}
		if into[p.at] == nil {
			into[p.at] = new(Stat)
		}
		into[p.at].Merge(&p.stat)
	}
	return p.err
}
