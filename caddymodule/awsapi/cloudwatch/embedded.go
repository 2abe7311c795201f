package cloudwatch

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// Embedded metrics are those that functions log as JSON (EMF).
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type Embedded struct {
	Metrics *Metrics

	mu     sync.Mutex
	series map[string]map[*timeseries.Series]struct{} // of each log group; guarded by mu
}

// Bounds of a line, and of a log group. Further metrics are not taken.
const (
	MaxEmbedded     = 256 << 10 // bytes
	maxDirectives   = 100       // of a line
	maxDefinitions  = 100       // of a directive
	maxDimensions   = 30        // of a set
	maxSets         = 30        // of a directive
	maxEmbeddedList = 100       // values of a metric
	maxOfLine       = 1000      // series of a line
	maxOfGroup      = 1000      // series of a log group
	maxName         = 1024      // bytes
)

// errEmbedded says that a line has no metrics, or more than is taken.
var errEmbedded = errors.New("a line of the embedded metric format is not as its specification says, or has more metrics than are taken")

// EmbeddedIn is the part of a line that may have metrics, nil if nothing may. It is cheap. Node's
// console writes a time, a request ID and a level before it.
func EmbeddedIn(line []byte) []byte {
	if len(line) > MaxEmbedded || !bytes.Contains(line, []byte(`"CloudWatchMetrics"`)) || !bytes.Contains(line, []byte(`"_aws"`)) {
		return nil
	}
	if line[0] != '{' {
		n := bytes.Index(line, []byte("\t{"))
		if n < 0 {
			return nil
		}
		line = line[n+1:]
	}
	return line
}

type embeddedLine struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	} `json:"_aws"`
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []struct{ Name, Unit string }
}

// Take adds the metrics of a line that a log group got. What is right in it is taken, even if the
// error is not nil.
func (e *Embedded) Take(group string, line []byte, now time.Time) error {
	var parsed embeddedLine
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &parsed) != nil || json.Unmarshal(line, &members) != nil || len(parsed.AWS.CloudWatchMetrics) > maxDirectives {
		return errEmbedded
	}
	at := time.UnixMilli(parsed.AWS.Timestamp)
	if now.Sub(at) > oldest || at.Sub(now) > newest {
		return errEmbedded
	}
	var err error
	left := maxOfLine
	for n := range parsed.AWS.CloudWatchMetrics {
		if failed := e.takeDirective(group, &parsed.AWS.CloudWatchMetrics[n], members, at, &left); failed != nil {
			err = failed
		}
	}
	return err
}

// takeDirective takes as many series as are left of those that the line may have.
func (e *Embedded) takeDirective(group string, d *directive, members map[string]json.RawMessage, at time.Time, left *int) (err error) {
	if len(d.Metrics) > maxDefinitions || len(d.Dimensions) > maxSets || strings.HasPrefix(d.Namespace, "AWS/") || d.Namespace == Hearth || d.Namespace == "" {
		return errEmbedded
	}
	sets := d.Dimensions
	if len(sets) == 0 {
		sets = [][]string{nil}
	}
	for _, set := range sets {
		if *left <= 0 {
			return errEmbedded
		}
		dimensions, ok := dimensionsOf(set, members)
		if !ok {
			err = errEmbedded
			continue
		}
		for _, definition := range d.Metrics {
			if *left--; *left < 0 {
				return errEmbedded
			}
			m := Metric{d.Namespace, definition.Name, dimensions}
			unit := definition.Unit
			if unit == "" {
				unit = "None"
			}
			var stat timeseries.Stat
			if m.check() != nil || len(m.MetricName) > maxName || len(unit) > 32 || strings.Contains(unit, part) || !valuesOf(members[definition.Name], &stat) {
				err = errEmbedded
				continue
			}
			if failed := e.add(group, m, unit, at, &stat); failed != nil {
				err = failed
			}
		}
	}
	return err
}

// add adds values, if the log group may have the series.
func (e *Embedded) add(group string, m Metric, unit string, at time.Time, stat *timeseries.Stat) error {
	e.mu.Lock()
	full := len(e.series[group]) >= maxOfGroup
	e.mu.Unlock()
	if full && !e.Metrics.has(m, unit) {
		return errEmbedded
	}
	series, err := e.Metrics.Series(m, unit)
	if err != nil {
		return err
	}
	e.mu.Lock()
	if e.series == nil {
		e.series = make(map[string]map[*timeseries.Series]struct{})
	}
	if e.series[group] == nil {
		e.series[group] = make(map[*timeseries.Series]struct{})
	}
	e.series[group][series] = struct{}{}
	e.mu.Unlock()
	e.Metrics.store.Add(at, timeseries.Entry{Series: series, Stat: stat})
	return nil
}

func dimensionsOf(set []string, members map[string]json.RawMessage) (dimensions []Dimension, ok bool) {
	if len(set) > maxDimensions {
		return nil, false
	}
	for _, name := range set {
		var value string
		if json.Unmarshal(members[name], &value) != nil || value == "" || len(name) > 255 || len(value) > maxName {
			return nil, false
		}
		dimensions = append(dimensions, Dimension{name, value})
	}
	return dimensions, true
}

// valuesOf adds a number, or those of a list.
func valuesOf(raw json.RawMessage, s *timeseries.Stat) bool {
	var one float64
	var list []float64
	switch {
	case len(raw) == 0:
		return false
	case raw[0] == '[':
		if json.Unmarshal(raw, &list) != nil || len(list) > maxEmbeddedList || len(list) == 0 {
			return false
		}
	default:
		if string(raw) == "null" || json.Unmarshal(raw, &one) != nil {
			return false
		}
		list = []float64{one}
	}
	for _, v := range list {
		if math.Abs(v) > maxValue {
			return false
		}
		s.Observe(v)
	}
	return true
}
