package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// percentile returns the smallest value that p percent of values do not exceed, the zero
// value of none.
func percentile[T cmp.Ordered](values []T, p float64) T {
	var none T
	if len(values) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle value; of an even number the lower one, which was measured.
func median[T cmp.Ordered](values []T) T { return percentile(values, 50) }

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// middle returns the median over rounds of one field of the samples.
func middle[T cmp.Ordered](rounds []sample, field func(sample) T) T {
	values := make([]T, 0, len(rounds))
	for _, s := range rounds {
		values = append(values, field(s))
	}
	return median(values)
}
