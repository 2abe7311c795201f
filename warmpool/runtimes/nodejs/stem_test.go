package nodejs_test

import (
	"fmt"
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
			var results, logs [2]string
			for i, stem := range []bool{false, true} {
				f := function{Files: map[string]string{"index.js": seen}, Env: env, Concurrency: concurrency, Stem: stem}
				p := launch(t, f)

				r := p.Invoke(`{}`)
				results[i], logs[i] = r.Payload, fmt.Sprint(len(r.Logs))
			}
			if results[0] != results[1] || logs[0] != logs[1] {
				t.Errorf("concurrency %d: fresh\n%s, %s lines\nstem\n%s, %s lines", concurrency, results[0], logs[0], results[1], logs[1])
			}
		}
	}
}
