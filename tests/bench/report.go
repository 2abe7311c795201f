package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// report is one run, as it is printed and kept.
type report struct {
	Started time.Time        `json:"started"`
	Rounds  int              `json:"rounds"`
	Seconds int              `json:"seconds"`
	Machine machine          `json:"machine"`
	Warm    []warmRow        `json:"warm,omitempty"`
	Figures []figure         `json:"figures,omitempty"`
	Goals   []goal           `json:"goals,omitempty"`
	Absent  map[stack]string `json:"absent,omitempty"`
}

// row returns the row of a target at a number of connections, nil if it was not measured.
func (r report) row(name string, connections int) *warmRow {
	for i := range r.Warm {
		if r.Warm[i].Target == name && r.Warm[i].Connections == connections {
			return &r.Warm[i]
		}
	}
	return nil
}

// ratio returns the median over the rounds of row's throughput to that of the target
// named base in the same round; false if base was not measured.
func (r report) ratio(row *warmRow, base string) (float64, bool) {
	other := r.row(base, row.Connections)
	if other == nil || len(other.Rounds) != len(row.Rounds) || len(row.Rounds) == 0 {
		return 0, false
	}
	ratios := make([]float64, 0, len(row.Rounds))
	for i, s := range row.Rounds {
		ratios = append(ratios, s.PerSec/other.Rounds[i].PerSec)
	}
	return median(ratios), true
}

func (r report) writeMarkdown(w io.Writer) {
	fmt.Fprintf(w, "\n%s; %s, medians of %d rounds of %d s\n",
		r.Machine, r.Started.Format("2006-01-02"), r.Rounds, r.Seconds)
	for stack, why := range r.Absent {
		fmt.Fprintf(w, "\n**%s was not measured:** %s\n", stack, why)
	}
	if len(r.Warm) > 0 {
		r.writeWarm(w)
	}
	if len(r.Figures) > 0 {
		fmt.Fprint(w, "\n| scenario | figure | value |\n|---|---|---:|\n")
		for _, f := range r.Figures {
			fmt.Fprintf(w, "| %s | %s | %s |\n", f.Scenario, f.Name, number(f.Value))
		}
	}
	if len(r.Goals) > 0 {
		fmt.Fprint(w, "\n| goal | wanted | measured | met |\n|---|---:|---:|---|\n")
		for _, g := range r.Goals {
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", g.Name, g.Wanted, number(g.Measured), yesNo(g.Met))
		}
	}
}

func (r report) writeWarm(w io.Writer) {
	fmt.Fprint(w, "\n| target | connections | req/s | p50 us | p99 us | CPU us/req | of respond | of reverse_proxy | failures |\n")
	fmt.Fprint(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for i := range r.Warm {
		row := &r.Warm[i]
		micros := func(field func(sample) time.Duration) string {
			return number(float64(middle(row.Rounds, field)) / float64(time.Microsecond))
		}
		ratio := func(base string) string {
			if value, ok := r.ratio(row, base); ok {
				return fmt.Sprintf("%.2f x", value)
			}
			return "-"
		}
		fmt.Fprintf(w, "| %s | %d | %.0f | %s | %s | %s | %s | %s | %d |\n",
			row.Target, row.Connections,
			middle(row.Rounds, func(s sample) float64 { return s.PerSec }),
			micros(func(s sample) time.Duration { return s.P50 }),
			micros(func(s sample) time.Duration { return s.P99 }),
			micros(func(s sample) time.Duration { return s.CPU }),
			ratio(respondTarget), ratio(proxyTarget), row.failures())
	}
}

func (w warmRow) failures() int {
	var sum int
	for _, s := range w.Rounds {
		sum += s.Failures
	}
	return sum
}

// failure is an error if requests failed under load: the figures beside them are of a
// server that answers quickly because it does not do the work.
func (r report) failure() error {
	for _, row := range r.Warm {
		if n := row.failures(); n > 0 {
			return fmt.Errorf("%s: %d requests failed at %d connections", row.Target, n, row.Connections)
		}
	}
	return nil
}

// keep writes the report to file, the rounds one by one, for later comparison.
func (r report) keep(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// number prints about three digits: more would claim a precision that is not there.
func number(value float64) string {
	switch {
	case value == float64(int(value)) || value >= 100:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case value >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	default:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
}

func yesNo(met bool) string {
	if met {
		return "yes"
	}
	return "no"
}
