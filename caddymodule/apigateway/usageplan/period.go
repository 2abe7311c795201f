package usageplan

import (
	"fmt"
	"time"
)

// A Period is how long a quota counts, in UTC.
type Period string

// The periods. A week begins on Sunday, as on AWS.
const (
	Day   Period = "DAY"
	Week  Period = "WEEK"
	Month Period = "MONTH"
)

func (p Period) check() error {
	if p != Day && p != Week && p != Month {
		return fmt.Errorf("period %q: there are %s, %s and %s", string(p), Day, Week, Month)
	}
	return nil
}

// at is the period that a time is in.
func (p Period) at(now time.Time) (begin, end time.Time) {
	now = now.UTC()
	year, month, day := now.Date()
	switch p {
	case Week:
		begin = time.Date(year, month, day-int(now.Weekday()), 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 0, 7)
	case Month:
		begin = time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 1, 0)
	}
	begin = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return begin, begin.AddDate(0, 0, 1)
}
