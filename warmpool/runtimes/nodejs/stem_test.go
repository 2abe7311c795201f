package nodejs_test

import (
	"fmt"
	"strings"
	"testing"
)

// What a function can see of its process. That of a stem has rehearsed.
const seen = `
const events = ['uncaughtException', 'unhandledRejection', 'beforeExit', 'exit', 'SIGTERM'];
const facts = {
  listeners: events.map((name) => [name, process.listenerCount(name)]),
  variables: Object.keys(process.env).sort(),
  colour: process.env.COLOUR,
  globals: Object.getOwnPropertyNames(globalThis).sort(),
  own: Object.keys(process).sort(),
  cwd: process.cwd() === __dirname,
  paths: require('module').globalPaths.slice(-1),
  streams: [process.stdout.fd, process.stderr.fd],
};
process.env.LATER = 'x';
delete process.env.COLOUR;
facts.after = [process.env.LATER, process.env.COLOUR, require('child_process').execSync('echo $LATER:$COLOUR', { encoding: 'utf8' })];
exports.handler = async () => { console.log('said'); return facts; };
`

func TestStemLooksLikeAFreshProcess(t *testing.T) {
	for _, env := range []map[string]string{
		{"COLOUR": "blue", "PATH": "/usr/bin:/bin"},
		{"COLOUR": "blue", "PATH": "/usr/bin:/bin", "AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1", "NODE_PATH": "/nonexistent"},
	} {
		for _, concurrency := range []int{1, 2} {
			sees := func(stem, large bool) string {
				p := launch(t, function{Files: map[string]string{"index.js": seen}, Env: env, Concurrency: concurrency, Stem: stem, Large: large})
				r := p.Invoke(`{}`)
				return fmt.Sprintf("%s, %d lines", r.Payload, len(r.Logs))
			}
			fresh := sees(false, false)
			for _, large := range []bool{false, true} {
				if stem := sees(true, large); stem != fresh {
					t.Errorf("concurrency %d: fresh\n%s\nstem, large %v\n%s", concurrency, fresh, large, stem)
				}
			}
		}
	}
}

// What a stem has rehearsed must not keep the loop from being empty: Lambda answers null then.
func TestNothingOfARehearsalIsLeftInTheEventLoop(t *testing.T) {
	for _, large := range []bool{false, true} {
		p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = () => new Promise(() => {});`}, Stem: true, Large: large})
		if r := p.Invoke(`{}`); r.Payload != "null" {
			t.Errorf("large %v: got %s", large, r.Payload)
		}
	}
}

func TestCodeIsNotLookedForBeforeTheGoFrame(t *testing.T) {
	for _, concurrency := range []int{1, 2} {
		f := function{Stem: true, Concurrency: concurrency, Env: map[string]string{"LONG": strings.Repeat("x", 5000)}} // the init frame takes pages
		f.Waits = func(p *process) bool {
			p.Add("index.js", "exports.handler = async () => [process.cwd() === __dirname, process.env.LONG.length];")
			return true
		}
		if r := launch(t, f).Invoke(`{}`); r.Payload != "[true,5000]" {
			t.Errorf("concurrency %d: got %s", concurrency, r.Payload)
		}
	}
}

func TestProcessEndsIfTheGoFrameNeverComes(t *testing.T) {
	f := function{Stem: true}
	f.Waits = func(p *process) bool { p.Requests.Close(); return false }
	p := boot(t, f)
	p.Init(f)
	if logs, status := p.Wait(); len(logs) > 0 || status != 0 {
		t.Errorf("got %v, status %d", logs, status)
	}
}
