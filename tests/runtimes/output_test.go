package runtimes

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// Functions that write in their init phase, and do in a call what its event says:
// write by every way out that the language has, answer, and end the process. "long"
// stands for a line of 300 KB, which is more than an event of a log may have.

const outputNode = `const fs = require('fs');
const raw = (fd, text) => { for (let b = Buffer.from(text); b.length;) { try { b = b.subarray(fs.writeSync(fd, b)); } catch (e) { if (e.code !== 'EAGAIN') throw e; } } };
raw(1, 'init raw out\n'); raw(2, 'init raw err');
console.log('init console'); process.stdout.write('init stream');
exports.handler = async ({ say, then }) => {
	const text = say === 'long' ? 'x'.repeat(300 << 10) : say;
	if (say) {
		raw(1, text + ' raw out\n'); raw(2, text + ' raw err\n'); raw(1, text + ' raw open');
		console.log(text + ' console out'); console.error(text + ' console err');
		process.stdout.write(text + ' stream out\n'); process.stderr.write(text + ' stream open');
	}
	if (then === 'rejection') Promise.reject(new Error('late words'));
	if (then === 'exit') setImmediate(() => { console.error('late words'); process.exit(3); });
	if (then === 'throw') setImmediate(() => { throw new Error('late words'); });
	if (then === 'die') { raw(1, 'last words'); process.exit(4); }
	return 'ok';
};`

// A thread that is to act after the answer cannot wait for long: it is frozen then. So it
// looks whether the runtime waits for the next invocation already.
const outputPython = `import os, sys, threading, time
def answered():
    return any(open(f'/proc/self/task/{t}/syscall').read().split()[1:2] == ['0x3'] for t in os.listdir('/proc/self/task'))
def raw(fd, text):
    data = text.encode()
    while data:
        data = data[os.write(fd, data):]
raw(1, 'init raw out\n'); raw(2, 'init raw err')
print('init console'); sys.stdout.write('init stream')
def handler(event, context):
    say, then = event.get('say'), event.get('then')
    text = 'x' * (300 << 10) if say == 'long' else say
    if say:
        raw(1, text + ' raw out\n'); raw(2, text + ' raw err\n'); raw(1, text + ' raw open')
        print(text + ' console out'); print(text + ' console err', file=sys.stderr)
        sys.stdout.write(text + ' stream out\n'); sys.stderr.write(text + ' stream open')
    if then == 'exit':
        def end():
            while not answered(): time.sleep(0.001)
            print('late words', file=sys.stderr); os._exit(3)
        threading.Thread(target=end).start()
    if then == 'die':
        raw(1, 'last words'); os._exit(4)
    return 'ok'
`

const outputRuby = `def raw(fd, text)
  io = IO.for_fd(fd, autoclose: false)
  until text.empty?
    text = text.byteslice(io.syswrite(text)..)
  end
end
raw(1, "init raw out\n"); raw(2, 'init raw err')
puts 'init console'; $stdout.write('init stream')
def h(event:, context:)
  say, done = event['say'], event['then']
  text = say == 'long' ? 'x' * (300 << 10) : say
  if say
    raw(1, text + " raw out\n"); raw(2, text + " raw err\n"); raw(1, text + ' raw open')
    puts text + ' console out'; warn text + ' console err'
    $stdout.write(text + " stream out\n"); $stderr.write(text + ' stream open')
  end
  Thread.new { sleep 0.001 until Thread.main.status == 'sleep'; warn 'late words'; exit!(3) } if done == 'exit'
  if done == 'die'
    raw(1, 'last words'); exit!(4)
  end
  'ok'
end
`

const outputCustom = `#!/bin/bash
echo 'init raw out'; printf 'init raw err' >&2
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
	event=$(curl -s -D /tmp/head "$api/next")
	id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p' /tmp/head | tr -d '\r')
	say=$(echo "$event" | sed -n 's/.*"say":"\([^"]*\)".*/\1/p')
	if [ "$say" = long ]; then say=$(head -c 307200 /dev/zero | tr '\0' x); fi
	if [ "$say" ]; then echo "$say raw out"; echo "$say raw err" >&2; printf '%s raw open' "$say"; fi
	case $event in *'"then":"die"'*) printf 'last words'; exit 4;; esac
	curl -s -d '"ok"' "$api/$id/response" >/dev/null
	case $event in *'"then":"exit"'*) echo 'late words' >&2; exit 3;; esac
done
`

// raw are the ways out of a process behind the runtime's back, in their order.
var raw = []string{"raw out", "raw err", "raw open"}

// byRuntime are the ways that the runtime sees.
var byRuntime = []string{"console out", "console err", "stream out", "stream open"}

// An eventOf the log of a function, with the request that it belongs to.
type logEvent struct{ request, text string }

var recordForm = regexp.MustCompile(`^\d{4}-\S+Z \d+ (\S+) (.*)$`)

// logEvents are the events of a function's log, in their order.
func logEvents(s *harness.Server, function string) (all []logEvent) {
	for line := range strings.Lines(s.Logs(function)) {
		line = strings.TrimSuffix(line, "\n")
		if m := recordForm.FindStringSubmatch(line); m != nil {
			all = append(all, logEvent{m[1], m[2]})
		} else if rest, ok := strings.CutPrefix(line, "\t"); ok && len(all) > 0 {
			all[len(all)-1].text += "\n" + rest
		}
	}
	return all
}

func TestOutputIsLoggedOnceInOrderUnderItsRequest(t *testing.T) {
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	custom := a.Code("custom", map[string]string{"readme": ""})
	writeScript(a.Server, custom, "bootstrap", outputCustom)
	folder, _, _ := a.JavaCode()
	runtimes := map[string]struct {
		function string
		ways     [][]string // each in order
		late     []string   // what a function may do after its answer
	}{
		"node":   {harness.NodeFunction("node", a.Code("node", map[string]string{"index.js": outputNode}), "memory 256"), [][]string{raw, byRuntime}, []string{"rejection", "exit", "throw"}},
		"python": {harness.PythonFunction("python", a.Code("python", map[string]string{"app.py": outputPython}), "memory 256"), [][]string{raw, {"console out", "stream out"}, {"console err", "stream open"}}, []string{"exit"}},
		"custom": {customFunction("custom", custom, "memory 256"), [][]string{raw}, []string{"exit"}},
		"ruby":   {rubyFunction("ruby", "app.h", a.Code("ruby", map[string]string{"app.rb": outputRuby}), "memory 256"), [][]string{raw, {"console out", "stream out"}, {"console err", "stream open"}}, []string{"exit"}},
		"java":   {javaFunction("java", "example.Outputs::handle", folder, ""), [][]string{raw, {"console out", "stream out"}, {"console err", "stream open"}}, []string{"exit"}},
	}
	options := ""
	for _, r := range runtimes {
		options += r.function
	}
	a.Configure(options, "")
	a.Start()
	a.Connect()
	invoke := func(name, event string) (request, tail string) {
		t.Helper()
		out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String(name), LogType: types.LogTypeTail, Payload: []byte(event)})
		a.Check(err)
		text, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		a.Check(err)
		request = regexp.MustCompile(`RequestId: (\S+)`).FindStringSubmatch(string(text))[1]
		return request, string(text)
	}
	for name, r := range runtimes {
		t.Run(name, func(t *testing.T) {
			requests := make(map[string]string) // of what was said
			for n := range 6 {
				say := fmt.Sprint("call ", n)
				if n == 3 {
					say = "long"
				}
				request, tail := invoke(name, fmt.Sprintf(`{"say":%q}`, say))
				requests[say] = request
				if end := strings.Index(tail, "\nEND RequestId: "+request); end < 0 || !strings.Contains(tail[end:], "REPORT RequestId: "+request) {
					t.Errorf("the tail of %s has no end: %s", say, tail)
				} else if say != "long" {
					for _, ways := range r.ways {
						at := 0
						for _, way := range ways {
							i := strings.Index(tail[at:end], say+" "+way+"\n")
							if i < 0 && !strings.HasSuffix(tail[at:end], say+" "+way) {
								t.Errorf("%q is not before the end, or out of order, in the tail %s", say+" "+way, tail)
								break
							}
							at += max(i, 0)
						}
					}
				}
			}
			died, tail := invoke(name, `{"then":"die"}`)
			if !strings.Contains(tail, "last words\n") || !strings.Contains(tail, "Runtime exited with error: exit status 4\nRuntime.ExitError\nEND ") {
				t.Errorf("the tail of a process that died is %s", tail)
			}
			var last [][]string // requests that had to be tried for each end
			for _, then := range r.late {
				// On a busy machine it may be frozen before it has ended. Then the next call
				// finds it ending.
				var requests []string
				var since time.Time
				harness.Eventually(t, "the end after "+then+" is in the log", func() bool {
					if time.Since(since) > 2*time.Second {
						request, _ := invoke(name, fmt.Sprintf(`{"then":%q}`, then))
						requests, since = append(requests, request), time.Now()
					}
					return slices.ContainsFunc(logEvents(a.Server, name), func(e logEvent) bool {
						return slices.Contains(requests, e.request) && strings.Contains(e.text, "Error: Runtime exited with error: exit status ")
					})
				})
				last = append(last, requests)
			}
			events := logEvents(a.Server, name)
			once := func(request, text string) {
				t.Helper()
				var found []logEvent
				for _, e := range events {
					if strings.Contains(e.text, text) {
						found = append(found, e)
					}
				}
				if len(found) != 1 || found[0].request != request {
					t.Errorf("%q is logged as %.300q, want it once under %s", text, fmt.Sprint(found), request)
				}
			}
			for say, request := range requests {
				for _, way := range slices.Concat(r.ways...) {
					if say == "long" {
						continue
					}
					once(request, say+" "+way)
				}
			}
			once(died, "last words")
			for _, requests := range last {
				n := 0
				for _, e := range events {
					if slices.Contains(requests, e.request) && strings.Contains(e.text, "late words") {
						n++
					}
				}
				if n < 1 || n > len(requests) {
					t.Errorf("late words of %v are logged %d times", requests, n)
				}
			}
			// A long line is whole, in pieces.
			long := 0
			for _, e := range events {
				if e.request == requests["long"] && strings.HasPrefix(strings.TrimLeft(e.text, "x"), "") {
					long += strings.Count(e.text, "x")
				}
			}
			if want := len(slices.Concat(r.ways...)) * 300 << 10; long < want || long > want+1000 {
				t.Errorf("%d bytes of long lines are logged, want %d", long, want)
			}
			// What the init phase says comes before the first call, under no request.
			if i := slices.IndexFunc(events, func(e logEvent) bool { return strings.HasPrefix(e.text, "START ") }); i < 0 ||
				!slices.Contains(events[:i], logEvent{"-", "init raw out"}) || !slices.Contains(events[:i], logEvent{"-", "init raw err"}) {
				t.Errorf("the log begins with %.2000q", fmt.Sprint(events[:max(i, 0)]))
			}
		})
	}
}

func TestCallWhoseInitPhaseFailsIsLoggedAsItsOwn(t *testing.T) {
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	code := func(name, file, text string) string { return a.Code(name, map[string]string{file: text}) }
	exits := func(name, text string) string {
		dir := a.Code(name, map[string]string{"readme": ""})
		writeScript(a.Server, dir, "bootstrap", "#!/bin/sh\necho init says\n"+text)
		return customFunction(name, dir, "")
	}
	cases := map[string]struct{ function, payload, kind string }{
		"import": {harness.PythonFunction("import", code("import", "app.py", "print('init says')\nimport missing\n"), ""),
			`{"errorMessage": "Unable to import module 'app': No module named 'missing'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}`, "Runtime.ImportModuleError"},
		"status3": {exits("status3", "exit 3\n"), `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 3"}`, "Runtime.ExitError"},
		"status0": {exits("status0", "exit 0\n"), `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited without providing a reason"}`, "Runtime.ExitError"},
		"signal":  {exits("signal", "kill -SEGV $$\n"), `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: signal: segmentation fault"}`, "Runtime.ExitError"},
		"nothing": {customFunction("nothing", code("nothing", "readme", ""), ""),
			`{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: ID Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}`, "Runtime.InvalidEntrypoint"},
	}
	options := ""
	for _, c := range cases {
		options += c.function
	}
	a.Configure(options, "")
	a.Start()
	a.Connect()
	for name, c := range cases {
		for range 3 { // the last ones are told while nobody tries again
			out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String(name), LogType: types.LogTypeTail})
			a.Check(err)
			text, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
			a.Check(err)
			m := regexp.MustCompile(`(?s)^START RequestId: (\S+) Version: \$LATEST\n(.*)END RequestId: (\S+)\nREPORT RequestId: \S+\tDuration: .*\tStatus: error\tError Type: (\S+)\n$`).FindStringSubmatch(string(text))
			if m == nil || m[1] != m[3] || m[4] != c.kind || !strings.Contains(m[2], "INIT_REPORT Init Duration: ") ||
				name != "nothing" && !strings.Contains(m[2], "init says\n") {
				t.Errorf("%s: the tail is %s", name, text)
				continue
			}
			if want := strings.Replace(c.payload, "ID", m[1], 1); string(out.Payload) != want || aws.ToString(out.FunctionError) != "Unhandled" {
				t.Errorf("%s: got %s, want %s", name, out.Payload, want)
			}
			a.WantLog(name, "START RequestId: "+m[1], m[1]+" RequestId: "+m[1]+" ", "REPORT RequestId: "+m[1])
		}
	}
	for name, code := range map[string]string{"nodejs20.x": "exports.handler = async () => 'x'.repeat(7 << 20)", "python3.11": "def handler(e, c):\n    return 'x' * (7 << 20)"} {
		a.Create("large", harness.ZipOf(t, map[string]string{"index.js": code, "index.py": code}), func(in *lambda.CreateFunctionInput) {
			in.Runtime, in.Handler, in.MemorySize = types.Runtime(name), aws.String("index.handler"), aws.Int32(512)
		})
		out := a.Call("large", "{}")
		if want := `{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}`; strings.NewReplacer(`": "`, `":"`, `", "`, `","`).Replace(string(out.Payload)) != want {
			t.Errorf("%s: got %s", name, out.Payload)
		}
		_, err := a.DeleteFunction(context.Background(), &lambda.DeleteFunctionInput{FunctionName: aws.String("large")})
		a.Check(err)
	}
}
