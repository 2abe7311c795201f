package cloudwatch

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxDynamic is how many dynamic values a label has at most.
const maxDynamic = 6

var (
	dynamicPart = regexp.MustCompile(`\$\{[^}]*\}`)
	property    = regexp.MustCompile(`^PROP\('([^']+)'\)$`)
)

// none is what a label has in place of a value that there is not.
const none = "--"

// A labeller writes the dynamic parts of labels.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html
type labeller struct {
	now             time.Time
	zone            *time.Location
	account, region string
}

// zoneOf reads a time zone: + or -, two digits of hours and two of minutes. "" is UTC.
func zoneOf(text string) (*time.Location, error) {
	if text == "" {
		return time.UTC, nil
	}
	at, err := time.Parse("-0700", text)
	if err != nil || len(text) != 5 {
		return nil, invalid("The value %.32q for parameter Timezone is not valid: it is + or - and four digits.", text)
	}
	_, offset := at.Zone()
	return time.FixedZone(text, offset), nil
}

// label is that of a query, with its dynamic parts written out.
func (w *labeller) label(q *dataQuery, l *line) (string, error) {
	own := q.Id
	if q.MetricStat != nil {
		own = q.MetricStat.Metric.MetricName
	}
	if q.Label == nil {
		return own, nil
	}
	f := factsOf(l)
	n := 0
	var failed error
	text := dynamicPart.ReplaceAllStringFunc(*q.Label, func(part string) string {
		name := part[2 : len(part)-1]
		if n++; n > maxDynamic && failed == nil {
			failed = invalid("The label of %s has more than %d dynamic values.", q.Id, maxDynamic)
		}
		if name == "LABEL" {
			return own
		}
		text, ok := w.property(q, name)
		if !ok {
			text, ok = f.value(name, w)
		}
		if !ok && failed == nil {
			failed = invalid("The value %.64s in the label of %s is not supported.", part, q.Id)
		}
		return text
	})
	return text, failed
}

// property is a property of the metric. ok is false if name asks for none.
func (w *labeller) property(q *dataQuery, name string) (text string, ok bool) {
	m := property.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	switch m[1] {
	case "AccountId":
		return w.account, true
	case "Region":
		return w.region, true
	}
	s := q.MetricStat
	if s == nil {
		s = &metricStat{Period: q.Period} // an expression has no metric
	}
	dimension, isDimension := strings.CutPrefix(m[1], "Dim.")
	switch {
	case m[1] == "MetricName":
		text = s.Metric.MetricName
	case m[1] == "Namespace":
		text = s.Metric.Namespace
	case m[1] == "Stat":
		text = s.Stat
	case m[1] == "Period":
		if s.Period > 0 {
			text = strconv.FormatInt(s.Period, 10)
		}
	case isDimension:
		for _, d := range s.Metric.Dimensions {
			if d.Name == dimension {
				text = d.Value
			}
		}
	default:
		return "", false
	}
	if text == "" {
		text = none
	}
	return text, true
}

// facts are what labels say of the values of a line.
type facts struct {
	count                    int
	sum, least, most         float64
	first, last              float64
	begin, end, leastAt, top int64 // times, in seconds
}

func factsOf(l *line) (f facts) {
	f.least, f.most = math.Inf(1), math.Inf(-1)
	for n, given := range l.given {
		if !given {
			continue
		}
		v, at := l.values[n], l.from+int64(n)*l.period
		if f.count++; f.count == 1 {
			f.first, f.begin = v, at
		}
		f.last, f.end = v, at
		f.sum += v
		if v < f.least {
			f.least, f.leastAt = v, at
		}
		if v > f.most {
			f.most, f.top = v, at
		}
	}
	return f
}

// value is a dynamic value. ok is false if name is none of them.
func (f *facts) value(name string, w *labeller) (text string, ok bool) {
	if name == "DATAPOINT_COUNT" {
		return strconv.Itoa(f.count), true
	}
	numbers := map[string]float64{
		"AVG": f.sum / float64(f.count), "SUM": f.sum, "MIN": f.least, "MAX": f.most, "FIRST": f.first, "LAST": f.last,
		"MIN_MAX_RANGE": f.most - f.least, "FIRST_LAST_RANGE": math.Abs(f.last - f.first),
	}
	times := map[string]int64{"FIRST": f.begin, "LAST": f.end, "MIN": f.leastAt, "MAX": f.top}
	spans := map[string]int64{"FIRST_LAST_TIME_RANGE": f.end - f.begin, "MIN_MAX_TIME_RANGE": f.top - f.leastAt}
	if v, is := numbers[name]; is {
		text, ok = strconv.FormatFloat(v, 'f', -1, 64), true
	} else if v, is := spans[name]; is {
		text, ok = span(v), true
	} else if of, is := strings.CutSuffix(name, "_TIME"); is {
		var at int64
		at, ok = times[of]
		text = time.Unix(at, 0).In(w.zone).Format("2006-01-02 15:04:05 -0700")
	} else if of, is := strings.CutSuffix(name, "_TIME_RELATIVE"); is {
		var at int64
		at, ok = times[of]
		text = span(w.now.Unix() - at)
	}
	if ok && f.count == 0 {
		text = none
	}
	return text, ok
}

// span writes a number of seconds, as 1h30m0s.
func span(seconds int64) string {
	return (time.Duration(max(seconds, -seconds)) * time.Second).String()
}
