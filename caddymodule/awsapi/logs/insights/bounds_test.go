package insights

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// What a query keeps is bounded, whichever part of it makes it.
func TestTextsOfGroupsAndLaterStepsTakeMemory(t *testing.T) {
	var long []string
	for n := range 40 {
		long = append(long, fmt.Sprintf("{\"n\":%d,\"text\":%q}", n, strings.Repeat("x", 10_000)))
	}
	g := logged(t, long...)
	for query, fits := range map[string]bool{
		"stats latest(n) by n":                        true,
		"stats latest(text) by n":                     false,
		"stats earliest(text) by n":                   false,
		"stats sortsLast(text) by n":                  false,
		"fields n | limit 40 | fields strlen(n) as a": true,
		"fields n | limit 40 | fields replace(n, '', '" + strings.Repeat("y", 5000) + "') as a": false,
		"stats count(*) by n | fields replace(n, '', '" + strings.Repeat("y", 5000) + "') as a": false,
		"stats concat(max(n), '" + strings.Repeat("y", 5000) + "') as a by n":                   false,
	} {
		plan, err := Parse(query, 0)
		if err != nil {
			t.Fatalf("%.60s: %v", query, err)
		}
		run := Run{
			Plan: plan, Sources: []Source{{g, "000000000000:" + g.Name()}}, From: noon.Add(-time.Hour), To: time.Now().Add(time.Hour),
			Memory: 100_000, Workers: make(chan struct{}, 2), Progress: new(Progress),
		}
		if _, err := run.Rows(t.Context()); fits && err != nil || !fits && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%.60s: %v", query, err)
		}
	}
}

func TestRegularExpressionsAreBounded(t *testing.T) {
	for query, want := range map[string]string{
		`filter @message like /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} .{0,1000}$/`: "",
		`filter @message like /` + strings.Repeat("([ab]{100}){10}", 6) + `/`:          "too large",
		`filter @message like /` + strings.Repeat("[ab]{1000}", 500) + `/`:             "too large",
		strings.Repeat(`filter @message like /[ab]{1000}/ | `, 9) + "limit 1":          "too large",
	} {
		if _, err := Parse(query, 0); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v", query, err)
		}
	}
}

// A query that was stopped is there still, though the part that it looks at takes a while.
func TestStoppedQueryIsKnownUntilItsEnd(t *testing.T) {
	q := New(zap.NewNop())
	defer q.Close()
	q.all = []*Query{{ID: "a", status: Cancelled, cancel: func() {}}}
	if s, ok := q.Query("a"); !ok || s.Status != Cancelled {
		t.Errorf("it is %q, known: %v", s.Status, ok)
	}
}
