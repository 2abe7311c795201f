package timeseries

import "testing"

func TestStatsOfAnotherProcessMerge(t *testing.T) {
	one, two, sums := new(Stat), new(Stat), new(Stat)
	for n := range 100 {
		one.Observe(float64(n))
		two.Observe(float64(100 + n))
	}
	sums.AddSums(4, 10, 1, 4)
	data := AppendStats(nil, []*Stat{nil, two, nil, two, sums})
	into := []*Stat{one, nil, nil, one, nil}
	want := new(Stat)
	want.Merge(one)
	want.Merge(two)
	if err := CheckStats(data, len(into)); err != nil {
		t.Fatal(err)
	}
	if err := MergeStats(into, data); err != nil {
		t.Fatal(err)
	}
	got := into[3]
	for _, q := range []float64{0, 0.1, 0.5, 0.99, 1} {
		v, _ := got.Quantile(q)
		if w, _ := want.Quantile(q); v != w {
			t.Errorf("quantile %v is %v, want %v", q, v, w)
		}
	}
	if got.Count != 200 || got.Sum != 199*100 || got.Min != 0 || got.Max != 199 {
		t.Errorf("both have count %v, sum %v, from %v to %v", got.Count, got.Sum, got.Min, got.Max)
	}
	if into[1] == nil || into[1].Count != 100 || into[2] != nil || into[4] == nil || !into[4].Opaque || into[4].Sum != 10 {
		t.Errorf("periods that had no values have %v %v %v", into[1], into[2], into[4])
	}
	if CheckStats(data, 4) == nil {
		t.Error("a period past the end is taken")
	}
}

func FuzzStatsOfAnotherProcess(f *testing.F) {
	s := new(Stat)
	s.Observe(1)
	s.Observe(2.5)
	data := AppendStats(nil, []*Stat{s, nil, s})
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		into := make([]*Stat, 3)
		if checked, merged := CheckStats(data, 3), MergeStats(into, data); (checked == nil) != (merged == nil) {
			t.Errorf("checked: %v, merged: %v", checked, merged)
		}
	})
}
