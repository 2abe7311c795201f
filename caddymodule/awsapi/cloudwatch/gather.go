package cloudwatch

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// Others asks all other nodes of the cluster one question, which Metrics.Answer answers there, and
// gives take their answers one after the other. missing are the names of the nodes that did not
// answer in time, or whose answer was not taken.
type Others func(ctx context.Context, question []byte, take func(answer []byte) error) (missing []string)

// MaxQuestion is the size of a question, and MaxAnswer that of an answer, in bytes.
const (
	MaxQuestion = 8 << 20
	MaxAnswer   = 16 << 20
)

// errAnswer says that another node answers something else than it was asked.
var errAnswer = errors.New("the answer is damaged")

// A reading is the values of metrics over a range.
type reading struct {
	timeseries.Range
	wishes []wish
	stats  [][]*timeseries.Stat // of each wish, as Metrics.read gives them
	units  []string             // of each wish; "": it has no values
}

// A question is what a node asks another: readings, or a list.
type question struct {
	Readings []askedReading `json:",omitempty"`
	List     *listInput     `json:",omitempty"`
}

type askedReading struct {
	From, To, Period int64 // in seconds
	Metrics          []askedMetric
}

type askedMetric struct {
	Metric
	Unit string
}

// gather fills readings with the values that all nodes have together. missing are the nodes whose
// values are not among them.
func (s *service) gather(ctx context.Context, all ...*reading) (missing []string, err error) {
	for _, r := range all {
		if err := s.Metrics.fill(ctx, r); err != nil {
			return nil, err
		}
	}
	if s.Others == nil {
		return nil, nil
	}
	var q question
	for _, r := range all {
		asked := askedReading{From: r.From.Unix(), To: r.To.Unix(), Period: int64(r.Period / time.Second)}
		for _, w := range r.wishes {
			asked.Metrics = append(asked.Metrics, askedMetric{w.Metric, w.unit})
		}
		q.Readings = append(q.Readings, asked)
	}
	text, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return s.Others(ctx, text, func(answer []byte) error { return addAnswer(all, answer) }), ctx.Err()
}

// fill reads what this node has.
func (m *Metrics) fill(ctx context.Context, r *reading) (err error) {
	r.units = make([]string, len(r.wishes))
	for n := range r.wishes {
		r.units[n] = cmp.Or(r.wishes[n].unit, m.unit(&r.wishes[n].Metric))
	}
	r.stats, err = m.read(ctx, slices.Clone(r.wishes), r.Range) // read changes them
	return err
}

// Answer answers what another node asks. The answer has for each metric its unit and its Stats, or
// the IDs of metrics; each part with its length ahead.
func (m *Metrics) Answer(ctx context.Context, text []byte, now time.Time) (answer []byte, err error) {
	var q question
	if err := json.Unmarshal(text, &q); err != nil {
		return nil, fmt.Errorf("read a question of another node: %w", err)
	}
	if q.List != nil {
		ids, err := m.page(q.List, now)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			answer = appendPart(answer, []byte(id))
		}
	}
	left := int64(maxTotal)
	for _, asked := range q.Readings {
		r := &reading{Range: timeseries.Range{From: time.Unix(asked.From, 0), To: time.Unix(asked.To, 0), Period: time.Duration(asked.Period) * time.Second}}
		if asked.Period <= 0 || asked.To < asked.From || periods(r.Range) > maxPeriods {
			return nil, errors.New("another node asks for a range that there is not")
		}
		if left -= periods(r.Range) * int64(len(asked.Metrics)); left < 0 {
			return nil, errors.New("another node asks for too many periods")
		}
		for _, metric := range asked.Metrics {
			r.wishes = append(r.wishes, wish{metric.Metric, metric.Unit})
		}
		if err := m.fill(ctx, r); err != nil {
			return nil, err
		}
		for n, stats := range r.stats {
			answer = appendPart(answer, []byte(r.units[n]))
			if answer = appendPart(answer, timeseries.AppendStats(nil, stats)); len(answer) > MaxAnswer {
				return nil, fmt.Errorf("the answer has more than %d bytes", MaxAnswer)
			}
		}
	}
	return answer, nil
}

// addAnswer merges what another node has into readings: all of it, or nothing if it is damaged.
func addAnswer(all []*reading, answer []byte) error {
	var parts [][]byte // a unit and Stats by turns
	for _, r := range all {
		for range r.wishes {
			unit, rest, ok := cutPart(answer)
			stats, rest, ok2 := cutPart(rest)
			if !ok || !ok2 {
				return errAnswer
			}
			if err := timeseries.CheckStats(stats, int(periods(r.Range))); err != nil {
				return err
			}
			parts, answer = append(parts, unit, stats), rest
		}
	}
	if len(answer) > 0 {
		return errAnswer
	}
	for _, r := range all {
		for n := range r.wishes {
			unit, stats := parts[0], parts[1]
			parts = parts[2:]
			r.units[n] = cmp.Or(r.units[n], string(unit))
			if len(stats) == 0 {
				continue
			}
			if r.stats[n] == nil {
				r.stats[n] = make([]*timeseries.Stat, periods(r.Range))
			}
			if err := timeseries.MergeStats(r.stats[n], stats); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// cutPart cuts what appendPart has appended off the begin.
func cutPart(b []byte) (part, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	return b[:size], b[size:], true
}
