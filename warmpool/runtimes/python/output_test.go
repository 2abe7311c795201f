package python_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestPrintedLinesBecomeLogFrames(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": `
import sys
print("loading")
def handler(event, context):
    print("one", 1, None)
    print("two\nthree", end="")
    print(" more")
    print("ä", file=sys.stderr)
    sys.stdout.buffer.write(b"raw\n")
    sys.stdout.writelines(["a\n", "b\n"])
    print()
    print("\ud83d")
    print("tail", end="", flush=True)
    context.log("context")
    return sys.stdout.fileno() * 10 + sys.stderr.fileno()
`}
		p := boot(t, f)
		p.Init(f)
		if r := p.Reply(); r.Kind != runtimes.KindReady || r.Log() != "loading" {
			t.Fatalf("got %s after %q", r.Kind, r.Logs)
		}
		r := p.Invoke(`{}`)
		if want := `one 1 None|two|three more|ä|raw|a|b||\ud83d|context|tail`; r.Log() != want || r.Payload != "12" {
			t.Errorf("got %s after %q, want %q", r.Payload, r.Log(), want)
		}
	})
}

func TestLogFramesNameStreamAndInvocation(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"app.py": "import sys\ndef handler(event, context):\n  print('out')\n  print('err', file=sys.stderr)\n"}})
	seq := p.Send(runtimes.Invoke{}, `{}`)
	for _, want := range []struct {
		text   string
		stream uint32
	}{{"out", 1}, {"err", 2}} {
		head, text, err := p.Frame()
		if err != nil {
			t.Fatal(err)
		}
		if head.Kind != runtimes.KindLog || head.Seq != seq || head.Value != want.stream || text != want.text {
			t.Errorf("got %+v %q, want %q of stream %d", head, text, want.text, want.stream)
		}
	}
}

func TestOutputIsThereBeforeTheInvocationEnds(t *testing.T) {
	f := function{Files: map[string]string{"app.py": "import time\ndef handler(event, context):\n  print('before')\n  time.sleep(60)\n"}}
	p := launch(t, f)
	p.Send(runtimes.Invoke{}, `{}`)
	if head, text, err := p.Frame(); err != nil || head.Kind != runtimes.KindLog || text != "before" {
		t.Errorf("got %s %q %v", head.Kind, text, err)
	}
}

func TestLongLogTextsComeInPieces(t *testing.T) {
	f := function{Files: map[string]string{"app.py": "def handler(event, context):\n  print('ä' * 4_000_000)\n"}}
	r := launch(t, f).Invoke(`{}`)
	if r.Kind != runtimes.KindResult || len(r.Logs) != 8 || strings.Join(r.Logs, "") != strings.Repeat("ä", 4_000_000) {
		t.Errorf("got %s after %d log frames", r.Kind, len(r.Logs))
	}
	for i, text := range r.Logs {
		if len(text)%2 != 0 {
			t.Errorf("piece %d of %d bytes ends within a character", i, len(text))
		}
	}
}

func TestLoggingIsSetUpAsOnLambda(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": `
import logging
logging.warning("while loading")
logging.basicConfig(level="DEBUG", format="ignored")
log = logging.getLogger()
def handler(event, context):
    log.info("below the level")
    log.setLevel(logging.INFO)
    log.info("hello %s", event)
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("some.module").exception("caught")
    log.setLevel(logging.WARNING)
`}
		p := boot(t, f)
		p.Init(f)
		line := func(level, id, message string) string {
			return `^\[` + level + `\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t` + id + `\t` + message + `\n$`
		}
		if r := p.Reply(); !regexp.MustCompile(line("WARNING", "", "while loading")).MatchString(r.Log()) {
			t.Errorf("while loading: got %q", r.Logs)
		}
		for range 2 {
			r := p.InvokeAs(runtimes.Invoke{RequestID: "r-3"}, `"ä"`)
			if len(r.Logs) != 2 {
				t.Fatalf("got %q, want two events", r.Logs)
			}
			if !regexp.MustCompile(line("INFO", "r-3", "hello ä")).MatchString(r.Logs[0]) {
				t.Errorf("got %q", r.Logs[0])
			}
			if !regexp.MustCompile(`^\[ERROR\]\t\S+\tr-3\tcaught\nTraceback \(most recent call last\):\n(.*\n)+ZeroDivisionError: division by zero$`).MatchString(r.Logs[1]) {
				t.Errorf("got %q", r.Logs[1])
			}
		}
	})
}

func TestJSONLogFormat(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": `
import logging
def handler(event, context):
    logging.debug("debug %d", 1, extra={"order": {"id": 7}})
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("m").exception("caught")
`}
		f.Env = map[string]string{"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE"}
		r := launch(t, f).InvokeAs(runtimes.Invoke{RequestID: "r-4"}, `{}`)
		if len(r.Logs) != 2 {
			t.Fatalf("got %q, want two events", r.Logs)
		}
		if !regexp.MustCompile(`^\{"timestamp": "[0-9T:-]+\.[0-9]{3}Z", "level": "DEBUG", "message": "debug 1", "logger": "root", "requestId": "r-4", "order": \{"id": 7\}\}\n$`).MatchString(r.Logs[0]) {
			t.Errorf("got %s", r.Logs[0])
		}
		for _, want := range []string{`"level": "ERROR"`, `"errorType": "ZeroDivisionError"`, `"errorMessage": "division by zero"`, `"location": "`, `"stackTrace": ["`} {
			if !strings.Contains(r.Logs[1], want) {
				t.Errorf("%s is missing in %s", want, r.Logs[1])
			}
		}
	})
}

func TestChildProcessesWriteToTheRealDescriptors(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": `
import multiprocessing, os, subprocess, sys
def work(q):
    print("from the child")
    q.send(os.path.exists("/proc/self/fd/3") and os.readlink("/proc/self/fd/3") == pipe)
def handler(event, context):
    global pipe
    pipe = os.readlink("/proc/self/fd/3")
    subprocess.run(["sh", "-c", "echo from sh; test -e /proc/self/fd/4 && echo leak"], stdout=sys.stdout)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=work, args=(theirs,))
    child.start()
    child.join()
    return [ours.recv(), child.exitcode]
`}
		p := launch(t, f)
		r := p.Invoke(`{}`)
		if r.Payload != "[false, 0]" || len(r.Logs) > 0 {
			t.Errorf("got %s after %q", r.Payload, r.Logs)
		}
		p.Requests.Close()
		p.Wait()
		if got := p.Output.String(); got != "from sh\nfrom the child\n" {
			t.Errorf("descriptor 1 got %q", got)
		}
	})
}

func TestChildOfAChildPrintsOnlyWhatItPrints(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": `
import os
def handler(event, context):
    for generation in range(event):
        pid = os.fork()
        if pid:
            status = os.waitpid(pid, 0)[1]
            if generation == 0:
                return status
            os._exit(status)
    print("the last of", event, flush=True)
    os._exit(0)
`}
		p := launch(t, f)
		for range 2 {
			if r := p.Invoke(`3`); r.Payload != "0" || len(r.Logs) > 0 {
				t.Errorf("got %s after %q", r.Payload, r.Logs)
			}
		}
		p.Requests.Close()
		p.Wait()
		if got := p.Output.String(); got != "the last of 3\nthe last of 3\n" {
			t.Errorf("descriptor 1 got %q", got)
		}
	})
}

func TestForkThatReturnsFromTheHandlerDoesNotReply(t *testing.T) {
	f := function{Files: map[string]string{"app.py": `
import os
def handler(event, context):
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return "parent"
    return "child"
`}}
	p := launch(t, f)
	for range 3 {
		if got := p.Result(`{}`); got != `"parent"` {
			t.Errorf("got %s", got)
		}
	}
}
