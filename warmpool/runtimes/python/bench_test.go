package python_test

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

// BenchmarkInvoke measures what one process of each Python handles when frames
// are always waiting, with an event of 1 KB.
func BenchmarkInvoke(b *testing.B) {
	code := `
def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "hello"}
`
	for _, path := range pythons() {
		b.Run(path[strings.LastIndex(path, "/")+1:], func(b *testing.B) {
			p := launch(b, function{Interpreter: path, Files: map[string]string{"app.py": code}})
			frame, err := runtimetest.InvokeFrame(1, &runtimes.Invoke{
				RequestID: "8f507cfc-xmpl-4697-b07a-ac58fc914c95", DeadlineMillis: 2e12,
				TraceID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
			}, []byte(runtimetest.BenchEvent()))
			if err != nil {
				b.Fatal(err)
			}
			p.Benchmark(b, frame)
		})
	}
}
