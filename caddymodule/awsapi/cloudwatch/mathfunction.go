package cloudwatch

import "math"

// apply applies a function to a number, a line or several lines.
func apply(name string, x value, second *value, fill string) (value, error) {
	switch name {
	case "SUM", "AVG", "MIN", "MAX":
		if x.list != nil {
			return across(name, x.list)
		}
		if x.line != nil { // of one series: a number
			return value{number: along(name, x.line)}, nil
		}
		return x, nil
	}
	if x.line == nil {
		if x.list != nil || name == "RATE" || name == "DIFF" || name == "FILL" || name == "PERIOD" {
			return x, invalid("Error in expression: %s takes one time series.", name)
		}
		v, _ := pointwise(name, x.number)
		return value{number: v}, nil
	}
	l := x.line
	switch name {
	case "PERIOD":
		return value{number: float64(l.period)}, nil
	case "FILL":
		return filled(l, second, fill)
	}
	out := newLine(l.from, l.period, len(l.values))
	last := -1
	for n, given := range l.given {
		if !given {
			continue
		}
		switch name {
		case "RATE", "DIFF":
			if last >= 0 {
				out.values[n], out.given[n] = l.values[n]-l.values[last], true
				if name == "RATE" {
					out.values[n] /= float64(int64(n-last) * l.period)
				}
			}
			last = n
		default:
			out.values[n], out.given[n] = pointwise(name, l.values[n])
		}
	}
	return value{line: out}, nil
}

func pointwise(name string, v float64) (float64, bool) {
	switch name {
	case "ABS":
		return math.Abs(v), true
	case "CEIL":
		return math.Ceil(v), true
	case "FLOOR":
		return math.Floor(v), true
	}
	return 0, false
}

// across makes one line of several.
func across(name string, list []*line) (value, error) {
	if len(list) == 0 {
		return value{}, invalid("Error in expression: %s has no time series.", name)
	}
	out := newLine(list[0].from, list[0].period, len(list[0].values))
	counts := make([]float64, len(out.values))
	for _, l := range list {
		if l.from != out.from || l.period != out.period || len(l.values) != len(out.values) {
			return value{}, invalid("Metrics of an expression must have the same Period.")
		}
		for n, given := range l.given {
			if !given {
				continue
			}
			v := l.values[n]
			switch {
			case !out.given[n]:
				out.values[n], out.given[n] = v, true
			case name == "MIN":
				out.values[n] = min(out.values[n], v)
			case name == "MAX":
				out.values[n] = max(out.values[n], v)
			default:
				out.values[n] += v
			}
			counts[n]++
		}
	}
	if name == "AVG" {
		for n, count := range counts {
			if count > 0 {
				out.values[n] /= count
			}
		}
	}
	return value{line: out}, nil
}

// along makes a number of the values of a line.
func along(name string, l *line) (v float64) {
	n := 0.0
	for i, given := range l.given {
		if !given {
			continue
		}
		switch {
		case n == 0:
			v = l.values[i]
		case name == "MIN":
			v = min(v, l.values[i])
		case name == "MAX":
			v = max(v, l.values[i])
		default:
			v += l.values[i]
		}
		n++
	}
	if name == "AVG" && n > 0 {
		v /= n
	}
	return v
}

// filled has a value for each period: a number, that of another line, the one before, or one
// between those before and after.
func filled(l *line, with *value, how string) (value, error) {
	if with != nil && (with.list != nil || with.line != nil && len(with.line.values) != len(l.values)) {
		return value{}, invalid("Error in expression: FILL takes a number, a time series of the same Period, REPEAT or LINEAR.")
	}
	out := newLine(l.from, l.period, len(l.values))
	last := -1
	for n, given := range l.given {
		switch {
		case given:
			if out.values[n], out.given[n] = l.values[n], true; how == "LINEAR" && last >= 0 {
				for i := last + 1; i < n; i++ {
					part := float64(i-last) / float64(n-last)
					out.values[i], out.given[i] = l.values[last]+(l.values[n]-l.values[last])*part, true
				}
			}
			last = n
		case with != nil && with.line != nil:
			out.values[n], out.given[n] = with.line.values[n], with.line.given[n]
		case with != nil:
			out.values[n], out.given[n] = with.number, true
		case how == "REPEAT" && last >= 0:
			out.values[n], out.given[n] = l.values[last], true
		}
	}
	return value{line: out}, nil
}
