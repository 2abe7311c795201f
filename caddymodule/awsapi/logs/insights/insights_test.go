package insights

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2024, 11, 29, 12, 0, 0, 0, time.UTC)

// logged is a group with what a function has logged from noon on, a line each second.
func logged(t testing.TB, lines ...string) *logs.Group {
	t.Helper()
	store, err := logs.Open(logs.Config{Dir: t.TempDir(), Retention: -1}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	g, err := store.Group("thumb")
	if err != nil {
		t.Fatal(err)
	}
	st := g.Stream("$LATEST", "e1", noon)
	for i, line := range lines {
		st.Line(noon.Add(time.Duration(i)*time.Second), "r1", []byte(line))
	}
	return g
}

func ask(t testing.TB, g *logs.Group, query string) ([][]Field, *Progress) {
	t.Helper()
	plan, err := Parse(query, 0)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	run := Run{
		Plan: plan, Sources: []Source{{g, "000000000000:" + g.Name()}}, From: noon.Add(-time.Hour), To: time.Now().Add(time.Hour),
		Memory: maxMemory, Workers: make(chan struct{}, 2), Progress: new(Progress),
	}
	rows, err := run.Rows(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return rows, run.Progress
}

// show writes rows as "a=1 b=2; ...", without @ptr.
func show(rows [][]Field) string {
	var all []string
	for _, r := range rows {
		var one []string
		for _, f := range r {
			if f.Field != "@ptr" {
				one = append(one, f.Field+"="+strings.TrimSuffix(f.Value, "\n"))
			}
		}
		all = append(all, strings.Join(one, " "))
	}
	return strings.Join(all, "; ")
}

var lines = []string{
	`{"level":"info","user":{"id":7,"tags":["a","b"]},"took":1.5,"ok":true}`,
	`{"level":"error","user":{"id":8},"took":20,"ok":false,"code":"E 1"}`,
	"plain user=ann, method:GET, latency := 12",
	"plain user=bob, method:PUT, latency := 30",
	"REPORT RequestId: r1\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\tInit Duration: 100.00 ms\t",
	"START RequestId: r1 Version: $LATEST",
	"Error: no such thumb\n    at resize (/var/task/index.js:3:9)",
	`prefix {"level":"warn","took":"5"} suffix`,
	"REPORT RequestId: r2\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 256 MB\tMax Memory Used: 32 MB\t",
}

func TestQueriesGiveWhatTheyAskFor(t *testing.T) {
	g := logged(t, lines...)
	for query, want := range map[string]string{
		// fields and filter
		`fields level, user.id | filter level = "error"`:                                                "level=error user.id=8",
		`fields user.tags.1 as second, took | filter user.id = 7`:                                       "second=b took=1.5",
		`filter level in ["info", 'warn'] | fields took | sort took`:                                    "took=1.5; took=5",
		`filter level not in ["info"] | fields level | sort level desc`:                                 "level=warn; level=error; ; ; ; ; ; ",
		`filter took > 5 | fields took`:                                                                 "took=20",
		`filter took >= 5 and (level = "warn" or ok = 0) | fields level|sort level`:                     "level=error; level=warn",
		`filter ok = true | display took`:                                                               "took=1.5",
		`filter not ispresent(level) and @message like "user=" | fields strlen(@message) as n | sort n`: "n=42; n=42",
		`filter @message like /user=(ann|eve)/ | fields @timestamp`:                                     "@timestamp=2024-11-29 12:00:02.000",
		`filter @message =~ "(?i)PLAIN USER=B" | fields @logStream`:                                     "@logStream=2024/11/29/[$LATEST]e1",
		`filter @message not like /./ | fields @log`:                                                    "",
		`filter code = "E 1" | fields @log, @requestId`:                                                 "@log=000000000000:/aws/lambda/thumb @requestId=r1",
		`filter @message like "thumb" | fields @message`:                                                "@message=Error: no such thumb\n    at resize (/var/task/index.js:3:9)",
		`filter level != "info" | fields level | sort level`:                                            "level=error; level=warn",
		"filter `user.id` = 7 | fields level # a comment\n | limit 5":                                   "level=info",
		`filter user.id + 1 = 9 | fields (took - 10) / 4 * 2 ^ 2 % 7 as x, -took`:                       "x=3 -took=-20",
		// Lambda's lines
		`filter @type = "REPORT" | fields @duration, @billedDuration, @memorySize, @maxMemoryUsed, @initDuration, @requestId | sort @duration`: "@duration=1 @billedDuration=1 @memorySize=256000000 @maxMemoryUsed=32000000 @requestId=r1; @duration=12.34 @billedDuration=13 @memorySize=128000000 @maxMemoryUsed=64000000 @initDuration=100 @requestId=r1",
		`fields @type | filter ispresent(@type) | sort @timestamp`:                                                                             "@type=REPORT; @type=START; @type=REPORT",
		`stats max(@memorySize / 1000 / 1000) as mb, pct(@duration, 50) as p50`:                                                                "mb=256 p50=6.67",
		// parse
		`parse @message "user=*, method:*, latency := *" as who, how, ms | filter ms > 20 | display who, how, ms`: "who=bob how=PUT ms=30",
		`parse @message /user=(?<who>\w+), method:(?<how>\w+)/ | filter how = "GET" | display who`:                "who=ann",
		`parse "user=*," as who | stats count(who) as n, count(*) as all`:                                         "n=2 all=9",
		// stats
		`stats count(*) by level | sort level`: "level=error count(*)=1; level=info count(*)=1; level=warn count(*)=1; count(*)=6",
		`stats count(*) as n by bin(3s)`:       "bin(3s)=2024-11-29 12:00:06.000 n=3; bin(3s)=2024-11-29 12:00:03.000 n=3; bin(3s)=2024-11-29 12:00:00.000 n=3",
		`stats sum(took), avg(took), min(took), max(took), stddev(took), count_distinct(level) as d`:    "sum(took)=26.5 avg(took)=8.8333 min(took)=1.5 max(took)=20 stddev(took)=8.0243 d=3",
		`stats earliest(level) as e, latest(level) as l, sortsFirst(level) as f, sortsLast(level) as s`: "e=info l=warn f=error s=warn",
		`stats (max(took) - min(took)) / count(took) as spread`:                                         "spread=6.1667",
		`stats count(*) as n by level | filter ispresent(level) | stats sum(n) as total`:                "total=3",
		`stats count(*) by ispresent(level) as json | sort count(*) desc | limit 1`:                     "json=0 count(*)=6",
		`filter level = "none" | stats count(*), avg(took)`:                                             "count(*)=0",
		`stats max(took) as a, min(took) as b, a - b as c, c * 2 as d`:                                  "a=20 b=1.5 c=18.5 d=37",
		"stats max(took), `max(took)` + 1 as more, more as same by ok | sort ok":                        "ok=0 max(took)=20 more=21 same=21; ok=1 max(took)=1.5 more=2.5 same=2.5; max(took)=5 more=6 same=6",
		`stats max(took) as took, max(took) - took as none`:                                             "took=20 none=0",
		`stats percentile(took, 100) as a, percentile(took, 0) as b`:                                    "a=20 b=1.5",
		`stats pct(took, 0) as a, pct(took, 100) as b, median(took) as c`:                               "a=1.5 b=20 c=5",
		// sort, limit, dedup
		`fields took | sort took desc | limit 2`:                                  "took=20; took=5",
		`fields took | sort by took desc, level | limit 2`:                        "took=20; took=5",
		`fields @timestamp | sort by @timestamp | limit 1`:                        "@timestamp=2024-11-29 12:00:00.000",
		`fields @timestamp | limit 1`:                                             "@timestamp=2024-11-29 12:00:08.000",
		`fields @timestamp | sort @timestamp asc | limit 1`:                       "@timestamp=2024-11-29 12:00:00.000",
		`fields ispresent(level) as j, @timestamp | dedup j`:                      "j=0 @timestamp=2024-11-29 12:00:08.000; j=1 @timestamp=2024-11-29 12:00:07.000",
		`fields ispresent(level) as j, took | sort took desc | dedup j | limit 1`: "j=1 took=20",
		`fields took | sort took desc | limit 3 | filter took < 20 | sort took`:   "took=1.5; took=5",
		// functions
		`filter level = "info" | fields concat(level, "-", user.id) as a, toupper(level) as b, substr(level, 1, 2) as c, replace(level, "i", "o") as d, trim("  x ") as e, ltrim("xxy", "x") as f, coalesce(nothing, level) as g, strcontains(level, "nf") as h`: "a=info-7 b=INFO c=nf d=onfo e=x f=y g=info h=1",
		`filter level = "info" | fields abs(-3) as a, ceil(took) as b, floor(took) as c, greatest(1, 3, 2) as d, least(4, 3) as e, sqrt(9) as f, log(1) as g`:                                                                                                    "a=3 b=2 c=1 d=3 e=3 f=3 g=0",
		`filter level = "info" | fields datefloor(@timestamp, 1h) as a, dateceil(@timestamp, 1d) as b, toMillis(@timestamp) as c, fromMillis(0) as d`:                                                                                                            "a=2024-11-29 12:00:00.000 b=2024-11-30 00:00:00.000 c=1732881600000 d=1970-01-01 00:00:00.000",
		`filter level = "info" | fields isValidIpV4("10.0.0.1") as a, isIpInSubnet("10.0.0.1", "10.0.0.0/8") as b, isIpv6InSubnet("10.0.0.1", "10.0.0.0/8") as c, isempty(nothing) as d, isblank("x") as e`:                                                      "a=1 b=1 c=0 d=1 e=0",
		`filter level = "info" | fields jsonParse(@message) as j, j.user.tags.0 as tag, jsonStringify(j.user) as u | display tag, u`:                                                                                                                             `tag=a u={"id":7,"tags":["a","b"]}`,
	} {
		rows, _ := ask(t, g, query)
		if got := show(rows); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	rows, progress := ask(t, g, `filter level = "error"`)
	if got := show(rows); got != "@timestamp=2024-11-29 12:00:01.000 @message="+lines[1] {
		t.Errorf("without fields: %s", got)
	}
	if n := progress.Scanned.Load(); n != int64(len(lines)) || progress.Matched.Load() != 1 {
		t.Errorf("scanned %d, matched %d", n, progress.Matched.Load())
	}
}

func TestWhatIsNotSupportedIsRefusedByNameAndPlace(t *testing.T) {
	for query, want := range map[string]string{
		``:                                   "the query is empty (characters 0 to 0)",
		`fields @message | pattern @message`: "the command pattern is not supported: fields, filter, parse, stats, sort, limit, dedup and display are (characters 18 to 25)",
		`SOURCE logGroups()`:                 "the command SOURCE is not supported",
		`fields é, nonsense(x)`:              "the function nonsense is not supported (characters 10 to 18)",
		`select * from x`:                    `unexpected "select": expected a command`,
		`filter a = `:                        "unexpected the end of the query: expected a value (characters 11 to 11)",
		`filter a = "x`:                      "a text that begins with \" has no end",
		`filter a like /x`:                   "a regular expression that begins with / has no end",
		`filter a like /(?=x)/`:              "the regular expression is not valid, or not of RE2's kind",
		`filter (a = 1`:                      `expected ")"`,
		`fields count(*)`:                    "the function count belongs to stats",
		`stats avg(a, b)`:                    "expected a number",
		`stats level`:                        "stats needs an aggregate such as max(level)",
		`stats 1 by x`:                       "expected an aggregate such as count(*)",
		`stats pct(a)`:                       "pct does not take these arguments",
		`stats percentile(a)`:                "percentile does not take these arguments",
		`stats max(a) as b, c - b as d`:      "stats needs an aggregate such as max(c) for the field c",
		`stats b - 1 as c, max(a) as b`:      "stats needs an aggregate such as max(b) for the field b",
		`stats frobnicate(a), count(*)`:      "the function frobnicate is not supported: the aggregates of stats are avg, count, count_distinct, earliest, latest, max, median, min, pct, percentile, sortsfirst, sortslast, stddev, sum (characters 6 to 16)",
		`stats count(*) by frobnicate(a)`:    "the function frobnicate is not supported (characters 18 to 28)",
		`sort by`:                            "unexpected the end of the query: expected a value",
		`stats count(*) | stats count(*) | stats count(*)`: "a query has two stats commands at most",
		`stats count(*) by bin(5x)`:                        "expected a period such as",
		`limit 0`:                                          "expected a whole number from 1 to 10000",
		`limit 10001`:                                      "expected a whole number from 1 to 10000",
		`parse @message "a*" as x, y`:                      "the pattern of parse has 1 wildcards (*) for 2 names after as",
		`parse @message /(\d+)/`:                           "needs named groups",
		`fields a ~ b`:                                     "unexpected character '~'",
		`fields ` + strings.Repeat("(", 200):               "the expression is nested too deep",
		`fields ` + strings.Repeat("-", 200):               "the expression is nested too deep",
		strings.Repeat("x", MaxQuery+1):                    "a query has 10000 characters at most",
		`fields a | `:                                      "unexpected the end of the query: expected a command",
		`fields 0x10`:                                      `"0x10" is no number`,
		`fields abs()`:                                     "the function abs does not take 0 arguments",
	} {
		_, err := Parse(query, 0)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s\n got %v\nwant %s", query, err, want)
		}
	}
}

func TestNeedlesLeaveNoEventOut(t *testing.T) {
	g := logged(t,
		`{"level":"\u0065rror"}`, `{"level":"error"}`, `{"path":"\/a"}`, `{"path":"/a"}`, "one\ntwo three", `{"n":1}`, "REPORT RequestId: r1\tDuration: 1.00 ms\t")
	for query, want := range map[string]int{
		`filter level = "error"`: 2, `filter path = "/a"`: 2, `filter @message like "two"`: 1, `filter @message like "one\ntwo"`: 1,
		`filter @message like /two t.ree/`: 1, `filter n = 1`: 1, `filter @requestId = "r1"`: 7, `filter @duration > 0.5`: 1, `filter level like /^err/`: 2,
	} {
		if rows, p := ask(t, g, query); len(rows) != want || p.Scanned.Load() != 7 {
			t.Errorf("%s: %d rows of %d scanned, want %d", query, len(rows), p.Scanned.Load(), want)
		}
	}
}

func TestQueriesOverManySegmentsMerge(t *testing.T) {
	store, err := logs.Open(logs.Config{Dir: t.TempDir(), MaxFileMB: 1, Retention: -1}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	g, err := store.Group("thumb")
	if err != nil {
		t.Fatal(err)
	}
	const n = 40000
	st := g.Stream("$LATEST", "e1", noon)
	pad := strings.Repeat("x", 60)
	for i := range n {
		st.Line(noon.Add(time.Duration(i)*10*time.Millisecond), "r1", fmt.Appendf(nil, `{"i":%d,"kind":"k%d","pad":"%s"}`, i, i%3, pad))
		if i%500 == 0 { // the store drops what the disk is too slow for
			if err := store.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for query, want := range map[string]string{
		`stats count(*) as n, sum(i) as s, max(i) as m, count_distinct(i % 100) as d by kind`: "kind=k0 n=13334 s=266673333 m=39999 d=100; kind=k1 n=13333 s=266646667 m=39997 d=100; kind=k2 n=13333 s=266660000 m=39998 d=100",
		`fields i | limit 3`:                                    "i=39999; i=39998; i=39997",
		`fields i | sort @timestamp asc | limit 2`:              "i=0; i=1",
		`filter kind = "k1" | fields i | sort i desc | limit 2`: "i=39997; i=39994",
		`fields kind | dedup kind | sort kind`:                  "kind=k0; kind=k1; kind=k2",
		`filter i = 25000 | fields i`:                           "i=25000",
	} {
		rows, _ := ask(t, g, query)
		if got := show(rows); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	rows, _ := ask(t, g, `stats pct(i, 90) as p`)
	var p float64
	if _, err := fmt.Sscan(rows[0][0].Value, &p); err != nil || p < 36000*0.99 || p > 36000*1.01 {
		t.Errorf("the 90th percentile is %v, %v", p, err)
	}
	if rows, _ := ask(t, g, `fields i`); len(rows) != MaxResults {
		t.Errorf("%d rows without a limit", len(rows))
	}
}

func TestQueryThatTakesTooMuchMemoryFails(t *testing.T) {
	g := logged(t, lines...)
	plan, err := Parse(`stats count(*) by @message`, 0)
	if err != nil {
		t.Fatal(err)
	}
	run := Run{Plan: plan, Sources: []Source{{g, "a"}}, From: noon, To: time.Now().Add(time.Hour), Memory: 1000, Workers: make(chan struct{}, 1), Progress: new(Progress)}
	if _, err := run.Rows(t.Context()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run.Rows(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`fields @timestamp, a.b as c | filter c like /x+/ and not (d in [1, "2"]) | parse @message "a*b*" as x, y | stats pct(x, 99), count(*) / 2 by bin(5m), y | sort y desc | limit 20 | display y`, lines[0])
	f.Add("dedup a, b | parse `x` /(?<n>.)/ # c", lines[7])
	f.Fuzz(func(t *testing.T, query, message string) {
		plan, err := Parse(query, 0)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Start < 0 || syntax.End < syntax.Start {
				t.Fatalf("%v", err)
			}
			return
		}
		x := &Run{Plan: plan, Memory: maxMemory}
		b := new(budget)
		b.left.Store(maxMemory)
		c := x.collector(b)
		r := &row{}
		r.reset(plan.stages[0].fields.fields, &event{record: &logs.Record{Millis: noon.UnixMilli(), Message: message}, text: message})
		for _, s := range plan.stages[0].steps {
			if !s.apply(r) {
				return
			}
		}
		if err := c.add(r); err != nil {
			t.Fatal(err)
		}
		rows, err := c.rows()
		if err == nil {
			rows, err = x.rest(t.Context(), rows)
		}
		if err != nil && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		x.text(rows)
	})
}

func TestTheNewestEventsAreFoundWithoutReadingAllOthers(t *testing.T) {
	store, err := logs.Open(logs.Config{Dir: t.TempDir(), Retention: -1, MaxTotalMB: 4096}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	g, err := store.Group("thumb")
	if err != nil {
		t.Fatal(err)
	}
	const events = 100_000 // more than two pieces have
	at := noon
	streams := []*logs.Stream{g.Stream("$LATEST", "e1", noon), g.Stream("$LATEST", "e2", noon)}
	for n := range events {
		at = at.Add(10 * time.Millisecond)
		streams[n%2].Line(at, "", fmt.Appendf(nil, "line %d %s", n, strings.Repeat("x", 80)))
		if n%5000 == 0 {
			if err := store.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func(query string) ([][]Field, *Progress) {
		plan, err := Parse(query, 0)
		if err != nil {
			t.Fatal(err)
		}
		x := Run{Plan: plan, Sources: []Source{{g, "a"}}, From: noon, To: time.Now().Add(time.Hour), Memory: maxMemory, Workers: make(chan struct{}, 2), Progress: new(Progress)}
		rows, err := x.Rows(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return rows, x.Progress
	}
	rows, progress := run("parse @message 'line * ' as n | fields n, @logStream | sort @timestamp desc | limit 20")
	if len(rows) != 20 || progress.Scanned.Load() > events/2 {
		t.Fatalf("%d rows of %d events", len(rows), progress.Scanned.Load())
	}
	for n, row := range rows {
		if want := events - 1 - n; row[0].Value != fmt.Sprint(want) || !strings.Contains(row[1].Value, fmt.Sprintf("e%d", want%2+1)) {
			t.Errorf("row %d is %v", n, row)
		}
	}
	// All are counted once, though two goroutines read a piece each.
	rows, progress = run("parse @message 'line * ' as n | stats count(*), count_distinct(n), sum(n) by @logStream | sort @logStream")
	if len(rows) != 2 || progress.Scanned.Load() != events || rows[0][1].Value != "50000" || rows[0][3].Value != "2499950000" || rows[1][3].Value != "2500000000" {
		t.Errorf("%v of %d events", rows, progress.Scanned.Load())
	}
	// One that is far back is found too.
	rows, progress = run("filter @message like 'line 7 ' | fields @message | sort @timestamp desc | limit 1")
	if len(rows) != 1 || progress.Scanned.Load() != events {
		t.Errorf("%v of %d events", rows, progress.Scanned.Load())
	}
}
