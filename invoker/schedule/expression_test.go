package schedule

import (
	"strings"
	"testing"
	"time"
)

func ticks(t *testing.T, text, zone, after string, n int) string {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Parse(text, location)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, after)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for range n {
		next, ok := e.Next(at)
		if !ok {
			all = append(all, "never")
			break
		}
		if !next.After(at) {
			t.Fatalf("%s: %s is not after %s", text, next, at)
		}
		all, at = append(all, next.In(location).Format("Mon 2006-01-02 15:04 -07")), next
	}
	return strings.Join(all, "; ")
}

func TestTicksAreThoseOfEventBridge(t *testing.T) {
	for _, test := range []struct{ text, zone, after, want string }{
		{"rate(5 minutes)", "UTC", "2026-11-23T15:17:30Z", "Mon 2026-11-23 15:20 +00; Mon 2026-11-23 15:25 +00"},
		{"rate(1 hour)", "UTC", "2026-11-23T15:00:00Z", "Mon 2026-11-23 16:00 +00"},
		{"rate(1 day)", "UTC", "2026-11-23T15:00:00Z", "Tue 2026-11-24 00:00 +00"},
		{"at(2026-11-24T13:00:00)", "America/New_York", "2026-11-23T15:00:00Z", "Tue 2026-11-24 13:00 -05; never"},
		{"at(2026-11-22T13:00:00)", "UTC", "2026-11-23T15:00:00Z", "never"},
		// The examples of the manual.
		{"cron(0 10 * * ? *)", "UTC", "2026-11-23T15:00:00Z", "Tue 2026-11-24 10:00 +00; Wed 2026-11-25 10:00 +00"},
		{"cron(15 12 * * ? *)", "UTC", "2026-11-23T12:14:59Z", "Mon 2026-11-23 12:15 +00"},
		{"cron(0 18 ? * MON-FRI *)", "UTC", "2026-11-27T17:00:00Z", "Fri 2026-11-27 18:00 +00; Mon 2026-11-30 18:00 +00"},
		{"cron(0 8 1 * ? *)", "UTC", "2026-11-23T15:00:00Z", "Tue 2026-12-01 08:00 +00; Fri 2027-01-01 08:00 +00"},
		{"cron(0/15 * * * ? *)", "UTC", "2026-11-23T15:50:00Z", "Mon 2026-11-23 16:00 +00; Mon 2026-11-23 16:15 +00"},
		{"cron(0/10 * ? * MON-FRI *)", "UTC", "2026-11-27T23:49:00Z", "Fri 2026-11-27 23:50 +00; Mon 2026-11-30 00:00 +00"},
		{"cron(0/5 8-17 ? * MON-FRI *)", "UTC", "2026-11-27T17:54:00Z", "Fri 2026-11-27 17:55 +00; Mon 2026-11-30 08:00 +00"},
		{"cron(0 9 ? * 2#1 *)", "UTC", "2026-11-23T15:00:00Z", "Mon 2026-12-07 09:00 +00; Mon 2027-01-04 09:00 +00"},
		{"cron(15 10 ? * 6L 2026-2027)", "UTC", "2026-11-23T15:00:00Z", "Fri 2026-11-27 10:15 +00; Fri 2026-12-25 10:15 +00; Fri 2027-01-29 10:15 +00"},
		{"cron(0 0 L * ? *)", "UTC", "2027-01-30T15:00:00Z", "Sun 2027-01-31 00:00 +00; Sun 2027-02-28 00:00 +00"},
		{"cron(0 0 15W * ? *)", "UTC", "2026-11-01T15:00:00Z", "Mon 2026-11-16 00:00 +00"}, // the 15th is a Sunday
		{"cron(0 0 ? * 1 *)", "UTC", "2026-11-23T15:00:00Z", "Sun 2026-11-29 00:00 +00"},
		{"cron(0 0 ? * L *)", "UTC", "2026-11-23T15:00:00Z", "Sat 2026-11-28 00:00 +00"},
		{"cron(0 0 ? * 2/2 *)", "UTC", "2026-11-23T15:00:00Z", "Wed 2026-11-25 00:00 +00; Fri 2026-11-27 00:00 +00; Mon 2026-11-30 00:00 +00"},
		{"cron(30 6 1,15 JAN,JUL ? *)", "UTC", "2026-11-23T15:00:00Z", "Fri 2027-01-01 06:30 +00; Fri 2027-01-15 06:30 +00; Thu 2027-07-01 06:30 +00"},
		{"cron(0 12 29 2 ? *)", "UTC", "2026-11-23T15:00:00Z", "Tue 2028-02-29 12:00 +00; Sun 2032-02-29 12:00 +00"},
		// Ranges over the end.
		{"cron(0 8 ? * SAT-SUN *)", "UTC", "2026-11-23T15:00:00Z", "Sat 2026-11-28 08:00 +00; Sun 2026-11-29 08:00 +00; Sat 2026-12-05 08:00 +00"},
		{"cron(0 8 ? * 6-2 *)", "UTC", "2026-11-26T15:00:00Z", "Fri 2026-11-27 08:00 +00; Sat 2026-11-28 08:00 +00; Sun 2026-11-29 08:00 +00; Mon 2026-11-30 08:00 +00; Fri 2026-12-04 08:00 +00"},
		{"cron(0 22-2/2 * * ? *)", "UTC", "2026-11-23T15:00:00Z", "Mon 2026-11-23 22:00 +00; Tue 2026-11-24 00:00 +00; Tue 2026-11-24 02:00 +00; Tue 2026-11-24 22:00 +00"},
		{"cron(58-1 0 * * ? *)", "UTC", "2026-11-23T00:57:00Z", "Mon 2026-11-23 00:58 +00; Mon 2026-11-23 00:59 +00; Tue 2026-11-24 00:00 +00; Tue 2026-11-24 00:01 +00"},
		{"cron(0 0 1 NOV-JAN ? *)", "UTC", "2026-11-23T15:00:00Z", "Tue 2026-12-01 00:00 +00; Fri 2027-01-01 00:00 +00; Mon 2027-11-01 00:00 +00"},
		{"cron(0 12 * * ? 2020)", "UTC", "2026-11-23T15:00:00Z", "never"},
		// The clock jumps from 2 to 3 on 29 March, and back from 3 to 2 on 25 October.
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T00:00:00Z", "Sat 2026-03-28 02:30 +01; Mon 2026-03-30 02:30 +02"},
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T12:00:00Z", "Sun 2026-10-25 02:30 +02; Mon 2026-10-26 02:30 +01"},
		{"cron(0 12 * * ? *)", "Europe/Berlin", "2026-10-24T12:00:00Z", "Sun 2026-10-25 12:00 +01"},
		{"cron(0/30 * * * ? *)", "Europe/Berlin", "2026-10-25T00:15:00Z", "Sun 2026-10-25 02:30 +02; Sun 2026-10-25 03:00 +01"},
	} {
		n := strings.Count(test.want, ";") + 1
		if got := ticks(t, test.text, test.zone, test.after, n); got != test.want {
			t.Errorf("%s in %s after %s:\n got %s\nwant %s", test.text, test.zone, test.after, got, test.want)
		}
	}
}

func TestExpressionsThatMakeNoSenseAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"5 minutes":                 "none of",
		"rate(1 minutes)":           "1 minute",
		"rate(5 minute)":            "5 minutes",
		"rate(0 minutes)":           "a rate is",
		"rate(5 seconds)":           "a rate is",
		"at(tomorrow)":              "2027-01-02T15:04:05",
		"cron(0 12 * * *)":          "6 fields",
		"cron(0 12 * * * *)":        "must be ?",
		"cron(0 12 ? * ? *)":        "must be ?",
		"cron(? 12 * * ? *)":        "minutes cannot be ?",
		"cron(60 12 * * ? *)":       "0 to 59",
		"cron(0 24 * * ? *)":        "0 to 23",
		"cron(0 0 0 * ? *)":         "1 to 31",
		"cron(0 0 ? * 8 *)":         "1 to 7",
		"cron(0 0 ? * MON#6 *)":     "1 to 5",
		"cron(0 0 ? * MON *) ":      "",
		"cron(0 0 1 13 ? *)":        "1 to 12",
		"cron(0 0 1 * ? 1969)":      "1970",
		"cron(0/0 0 1 * ? *)":       "step",
		"cron(0 0 LW * ? *)":        "1 to 31",
		"cron(0 0 1 * ? 2027-2026)": "a range ends before it begins",
		"cron(0 0 ? * SAT-SUX *)":   "1 to 7",
		"cron(, 0 1 * ? *)":         "0 to 59",
		"cron(0 0 1 * ? *) or such": "none of",
	} {
		_, err := Parse(text, time.UTC)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"rate(5 minutes)", "at(2026-11-24T13:00:00)", "cron(0 18 ? * MON-FRI *)", "cron(15 10 ? * 6L 2026-2027)", "cron(1-5/2,7 0/3 L,15W 1 ? *)", "cron(0 9 ? * 2#1 *)"} {
		f.Add(text)
	}
	after := time.Date(2026, 11, 23, 15, 17, 30, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text, time.UTC)
		if err != nil {
			return
		}
		if next, ok := e.Next(after); ok && !next.After(after) {
			t.Errorf("%q: %s is not after %s", text, next, after)
		}
	})
}
