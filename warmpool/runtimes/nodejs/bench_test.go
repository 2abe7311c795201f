package nodejs_test

import (
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

// BenchmarkInvoke measures what one process handles when frames are always
// waiting, with an event of 1 KB.
func BenchmarkInvoke(b *testing.B) {
	for name, code := range map[string]string{
		"async":    `exports.handler = async (event) => ({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: 'hello' });`,
		"callback": `exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; callback(null, { statusCode: 200, headers: { 'content-type': 'application/json' }, body: 'hello' }); };`,
	} {
		b.Run(name, func(b *testing.B) { benchmarkInvoke(b, code) })
	}
}

func benchmarkInvoke(b *testing.B, code string) {
	p := launch(b, function{Files: map[string]string{"index.js": code}})
	frame, err := runtimetest.InvokeFrame(1, &runtimes.Invoke{
		RequestID: "8f507cfc-xmpl-4697-b07a-ac58fc914c95", DeadlineMillis: 2e12,
	}, []byte(runtimetest.BenchEvent()))
	if err != nil {
		b.Fatal(err)
	}
	p.Benchmark(b, frame)
}

// BenchmarkInit measures how long a process that is booted and waits for its
// function takes to be ready, by the kind of module that the function is.
func BenchmarkInit(b *testing.B) {
	for name, files := range map[string]map[string]string{
		"cjs": {"index.js": `exports.handler = async () => 1;`},
		"mjs": {"index.mjs": `export const handler = async () => 1;`},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				p := boot(b, function{Files: files, Stem: true})
				p.AwaitRead()
				b.StartTimer()
				p.Init(function{})
				if r := p.Reply(); r.Kind != runtimes.KindReady {
					b.Fatalf("got %s %s", r.Kind, r.Payload)
				}
				b.StopTimer()
				p.Requests.Close()
				p.Wait()
				b.StartTimer()
			}
		})
	}
}

// BenchmarkBoot measures how long a process takes to wait for its function.
func BenchmarkBoot(b *testing.B) {
	for range b.N {
		p := boot(b, function{})
		p.AwaitRead()
		b.StopTimer()
		p.Requests.Close()
		p.Wait()
		b.StartTimer()
	}
}
