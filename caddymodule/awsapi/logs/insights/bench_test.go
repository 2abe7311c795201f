package insights

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// BenchmarkQueries runs queries over 256 MB of logs, a mix of JSON, plain lines and Lambda's own,
// and says how many seconds a gigabyte would take.
func BenchmarkQueries(b *testing.B) {
	store, err := logs.Open(logs.Config{Dir: b.TempDir(), Retention: -1, MaxTotalMB: 4096}, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	g, err := store.Group("thumb")
	if err != nil {
		b.Fatal(err)
	}
	st := g.Stream("$LATEST", "e1", noon)
	at, size := noon, 0
	for i := 0; size < 256<<20; i++ {
		at = at.Add(time.Millisecond)
		id := fmt.Sprintf("6c1f0a2e-0000-4000-8000-%012d", i)
		st.Start(at, id, "$LATEST")
		line := fmt.Sprintf(`{"level":"%s","message":"resized an image","bucket":"photos","key":"%s/%d.jpg","took":%d,"status":%d}`,
			[]string{"info", "info", "info", "debug", "error"}[i%5], id, i, i%1000, 200+i%3*100)
		st.Line(at, id, []byte(line))
		plain := "GET /photos/" + id + ".jpg from 10.0.0." + fmt.Sprint(i%256) + " with " + strings.Repeat("y", 60)
		st.Line(at, id, []byte(plain))
		st.End(at, id)
		st.Report(at, id, logs.Report{Duration: time.Duration(i%5000) * time.Microsecond, MemoryMB: 128, MaxMemoryUsedMB: 64})
		size += len(line) + len(plain) + 400
		if i%2000 == 0 {
			if err := store.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := store.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	for name, query := range map[string]string{
		"rare text":      `filter @message like "000012345.jpg" | fields @timestamp, @message`,
		"regex":          `filter @message like /from 10\.0\.0\.7\b/ | stats count(*)`,
		"reports by bin": `filter @type = "REPORT" | stats count(*), avg(@duration), pct(@duration, 99) by bin(1m)`,
		"json equality":  `filter level = "error" | stats count(*) by status`,
		"json number":    `filter status >= 400 | stats count(*), max(took) by level`,
		"newest":         `fields @timestamp, @message | sort @timestamp desc | limit 20`,
		"count by bin":   `stats count(*) by bin(1m)`,
		"parse":          `parse @message "from * with" as ip | stats count(*) by ip`,
	} {
		b.Run(name, func(b *testing.B) {
			var bytes int64
			for b.Loop() {
				plan, err := Parse(query, 0)
				if err != nil {
					b.Fatal(err)
				}
				run := Run{
					Plan: plan, Sources: []Source{{g, "a"}}, From: noon, To: time.Now(), Memory: maxMemory,
					Workers: make(chan struct{}, runtime.GOMAXPROCS(0)), Progress: new(Progress),
				}
				if _, err := run.Rows(b.Context()); err != nil {
					b.Fatal(err)
				}
				bytes += g.Size()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(bytes)*(1<<30), "s/GB")
		})
	}
}
