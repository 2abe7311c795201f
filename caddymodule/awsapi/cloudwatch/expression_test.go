package cloudwatch

import (
	"fmt"
	"strings"
	"testing"
)

func lineFrom(values ...any) *line {
	l := newLine(0, 60, len(values))
	l.metric = true
	for n, v := range values {
		if v, ok := v.(float64); ok {
			l.values[n], l.given[n] = v, true
		}
	}
	return l
}

func (l *line) String() string {
	var b strings.Builder
	for n, given := range l.given {
		if given {
			fmt.Fprintf(&b, "%v ", l.values[n])
		} else {
			b.WriteString("- ")
		}
	}
	return strings.TrimSpace(b.String())
}

func TestExpressionsCalculatePeriodByPeriod(t *testing.T) {
	lines := map[string]*line{"m1": lineFrom(1., nil, 3., 4.), "m2": lineFrom(10., 20., 0., nil)}
	for text, want := range map[string]string{
		"m1 + m2":               "11 - 3 -",
		"100*m1/m2":             "10 - - -",
		"m1 - 1 * 2":            "-1 - 1 2",
		"(m1 - 1) * -2":         "-0 - -4 -6",
		"m1 ^ 2":                "1 - 9 16",
		"FILL(m1, 0)":           "1 0 3 4",
		"FILL(m1, REPEAT)":      "1 1 3 4",
		"FILL(m1, LINEAR)":      "1 2 3 4",
		"FILL(m1, m2)":          "1 20 3 4",
		"SUM(METRICS())":        "11 20 3 4",
		"AVG([m1, m2])":         "5.5 20 1.5 4",
		"MAX(METRICS(\"1\"))":   "1 - 3 4",
		"m1 / SUM(m1)":          "0.125 - 0.375 0.5",
		"RATE(m1) * PERIOD(m1)": "- - 1 1",
		"DIFF(m1)":              "- - 2 1",
		"ABS(0 - m1)":           "1 - 3 4",
	} {
		if _, err := usesOf(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		left := maxWork
		got, err := evaluate(text, lines, &left)
		if err != nil || got.String() != want {
			t.Errorf("%s is %v, not %s: %v", text, got, want, err)
		}
	}
	for text, want := range map[string]string{
		"SEARCH('x', 'Sum', 60)": "function SEARCH is not supported",
		"m1 +":                   "missing",
		"m3 * 2":                 "no query m3",
		"METRICS() * 2":          "several time series",
		"m1 m2":                  "not expected",
		"(m1":                    ") is missing",
		"1 + 2":                  "must give one time series",
		"FILL(m1)":               "wrong number of arguments",
		strings.Repeat("(", 100): "too deep",
	} {
		left := maxWork
		if _, err := evaluate(text, lines, &left); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, text := range []string{"m1+m2*3", "FILL(m1, LINEAR)", "SUM(METRICS(\"m\"))", "-(m1^2)/[m1,m2]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := usesOf(text); err == nil {
			left := 1000
			_, _ = evaluate(text, map[string]*line{"m1": lineFrom(1., nil), "m2": lineFrom(nil, 2.)}, &left)
		}
	})
}
