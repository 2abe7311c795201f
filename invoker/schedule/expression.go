package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// An Expression says when a schedule ticks.
type Expression struct {
	text     string
	location *time.Location
	every    time.Duration // of a rate
	once     time.Time     // of at
	cron     string        // in the words of gronx
}

func (e *Expression) String() string { return e.text }

var (
	form = regexp.MustCompile(`^(rate|cron|at)\((.*)\)$`)
	rate = regexp.MustCompile(`^([1-9][0-9]{0,5}) (minute|hour|day)(s?)$`)
)

// Parse reads an expression, whose times are those of a place.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
func Parse(text string, location *time.Location) (*Expression, error) {
	parts := form.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return nil, fmt.Errorf("%q is none of rate(5 minutes), cron(0 12 * * ? *) and at(2027-01-02T15:04:05)", text)
	}
	e := &Expression{text: text, location: location}
	var err error
	switch parts[1] {
	case "rate":
		e.every, err = parseRate(parts[2])
	case "at":
		e.once, err = time.ParseInLocation("2006-01-02T15:04:05", parts[2], location)
		if err != nil {
			err = errors.New("a time is written as 2027-01-02T15:04:05")
		}
	case "cron":
		e.cron, err = parseCron(parts[2])
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return e, nil
}

func parseRate(text string) (time.Duration, error) {
	parts := rate.FindStringSubmatch(text)
	if parts == nil {
		return 0, errors.New("a rate is a number and minutes, hours or days")
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0, err
	}
	if (n == 1) != (parts[3] == "") { // as AWS has it
		return 0, fmt.Errorf("a rate of %d is written as %d %s%s", n, n, parts[2], map[bool]string{true: "", false: "s"}[n == 1])
	}
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[parts[2]]
	return time.Duration(n) * unit, nil
}

// A field of a cron expression.
type field struct {
	name        string
	least, most int
	names       string // of its values, from the least on
	special     string // letters that may come behind a value
}

const (
	months = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
	days   = "SUN MON TUE WED THU FRI SAT"
)

var fields = []field{
	{"minutes", 0, 59, "", ""}, {"hours", 0, 23, "", ""}, {"day of month", 1, 31, "", "W"},
	{"month", 1, 12, months, ""}, {"day of week", 1, 7, days, "L#"}, {"year", 1970, 2199, "", ""},
}

const (
	dayOfMonth = 2
	dayOfWeek  = 4
)

// parseCron reads AWS's six fields into gronx's seven, which begin with seconds and count
// the days of the week from 0.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
func parseCron(text string) (string, error) {
	given := strings.Fields(strings.ToUpper(text))
	if len(given) != len(fields) {
		return "", fmt.Errorf("a cron expression has 6 fields (minutes, hours, day of month, month, day of week, year), not %d", len(given))
	}
	if (given[dayOfMonth] == "?") == (given[dayOfWeek] == "?") {
		return "", errors.New("one of day of month and day of week must be ?, and the other must not")
	}
	out := []string{"0"}
	for n, f := range fields {
		if given[n] == "?" {
			if n != dayOfMonth && n != dayOfWeek {
				return "", fmt.Errorf("%s cannot be ?", f.name)
			}
			out = append(out, "*")
			continue
		}
		var items []string
		for _, item := range strings.Split(given[n], ",") {
			read, err := f.item(n, item)
			if err != nil {
				return "", fmt.Errorf("%s: %q: %w", f.name, item, err)
			}
			items = append(items, read)
		}
		out = append(out, strings.Join(items, ","))
	}
	cron := strings.Join(out, " ")
	if !gronx.IsValid(cron) {
		return "", errors.New("a range ends before it begins, or a day does not exist")
	}
	return cron, nil
}

// item reads one of a list: *, 5, 1-5, 0/15, 1-30/5, and of days L, 5W, 6L and 3#2.
func (f *field) item(n int, item string) (string, error) {
	if item == "*" {
		return "*", nil
	}
	if item == "L" {
		switch n {
		case dayOfMonth:
			return "L", nil
		case dayOfWeek:
			return "6", nil // the last one of a week
		}
	}
	if last := item[max(0, len(item)-1):]; (last == "L" || last == "W") && strings.Contains(f.special, last) {
		day, err := f.value(n, item[:len(item)-1])
		return day + last, err
	}
	if day, which, ok := strings.Cut(item, "#"); ok && strings.Contains(f.special, "#") {
		read, err := f.value(n, day)
		if k, wrong := strconv.Atoi(which); err == nil && (wrong != nil || k < 1 || k > 5) {
			err = errors.New("behind # is a number from 1 to 5")
		}
		return read + "#" + which, err
	}
	span, step, stepped := strings.Cut(item, "/")
	if stepped {
		if k, err := strconv.Atoi(step); err != nil || k < 1 || k > f.most {
			return "", errors.New("the step is not a number from 1 on")
		}
		step = "/" + step
	}
	if span == "*" {
		return span + step, nil
	}
	from, to, ranged := strings.Cut(span, "-")
	read, err := f.value(n, from)
	if err != nil {
		return "", err
	}
	switch {
	case ranged:
		end, err := f.value(n, to)
		if err != nil {
			return "", err
		}
		return f.span(n, read, end, step), nil
	case stepped: // until the end
		most := f.most
		if n == dayOfWeek {
			most--
		}
		return read + "-" + strconv.Itoa(most) + step, nil
	}
	return read, nil
}

// span writes a range. A range whose end is before its begin wraps around: SAT-SUN are two
// days, 22-2 five hours. Cron libraries do not know that, so it becomes a list.
func (f *field) span(n int, from, to, step string) string {
	first, _ := strconv.Atoi(from) // both were written by value
	last, _ := strconv.Atoi(to)
	if first <= last || f.least == 1970 {
		return from + "-" + to + step
	}
	least, count := f.least, f.most-f.least+1
	if n == dayOfWeek {
		least-- // as gronx counts
	}
	by := 1
	if step != "" {
		by, _ = strconv.Atoi(step[1:])
	}
	var all []string
	for k := first; k <= last+count; k += by {
		all = append(all, strconv.Itoa(least+(k-least)%count))
	}
	return strings.Join(all, ",")
}

// value reads one number or name.
func (f *field) value(n int, text string) (string, error) {
	value, err := strconv.Atoi(text)
	for k, name := range strings.Fields(f.names) {
		if name == text {
			value, err = f.least+k, nil
		}
	}
	if err != nil || value < f.least || value > f.most {
		return "", fmt.Errorf("values are %d to %d", f.least, f.most)
	}
	if n == dayOfWeek {
		value--
	}
	return strconv.Itoa(value), nil
}

// Next is the first tick after a time; false: there is none any more. Rates tick at
// multiples of their length since 1970, so that all nodes agree. If a day has a local time of
// a cron expression twice, it counts once. If the day does not have it, there is no tick.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
func (e *Expression) Next(after time.Time) (time.Time, bool) {
	switch {
	case e.every > 0:
		length := int64(e.every / time.Second)
		return time.Unix((after.Unix()/length+1)*length, 0), true
	case !e.once.IsZero():
		return e.once, e.once.After(after)
	}
	// gronx is asked about the clock on the wall alone, which never jumps.
	wall := onTheWall(after.In(e.location))
	for range 2000 { // the minutes of a day that has an hour twice, and more
		next, err := gronx.NextTickAfter(e.cron, wall, false)
		if err != nil || next.Year() > 2199 {
			return time.Time{}, false
		}
		at := first(next, e.location)
		if onTheWall(at).Equal(next) && at.After(after) {
			return at, true
		}
		wall = next
	}
	return time.Time{}, false
}

// onTheWall is what a clock shows at a time, as if it were UTC.
func onTheWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// first is when a clock shows a time for the first time.
func first(wall time.Time, location *time.Location) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, location)
	if before := at.Add(-time.Hour); onTheWall(before).Equal(wall) {
		return before
	}
	return at
}
