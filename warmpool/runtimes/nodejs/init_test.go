package nodejs_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

func TestHandlersAreFoundAsLambdaFindsThem(t *testing.T) {
	const handler = `async () => 'here'`
	for name, f := range map[string]function{
		"CommonJS":               {Handler: "index.handler", Files: map[string]string{"index.js": `exports.handler = ` + handler}},
		"cjs":                    {Handler: "index.handler", Files: map[string]string{"index.cjs": `exports.handler = ` + handler}},
		"cjs beside modules":     {Handler: "index.handler", Files: map[string]string{"index.cjs": `exports.handler = ` + handler, "package.json": `{"type":"module"}`}},
		"no extension":           {Handler: "index.handler", Files: map[string]string{"index": `exports.handler = ` + handler}},
		"mjs":                    {Handler: "index.handler", Files: map[string]string{"index.mjs": `export const handler = ` + handler}},
		"mjs with await":         {Handler: "index.handler", Files: map[string]string{"index.mjs": `const here = await new Promise((r) => setTimeout(r, 1, 'here')); export const handler = async () => here`}},
		"module by package":      {Handler: "index.handler", Files: map[string]string{"index.js": `export const handler = ` + handler, "package.json": `{"type":"module"}`}},
		"module by package, up":  {Handler: "src/index.handler", Files: map[string]string{"src/index.js": `export const handler = ` + handler, "package.json": `{"type":"module"}`}},
		"nearest package counts": {Handler: "src/index.handler", Files: map[string]string{"src/index.js": `exports.handler = ` + handler, "src/package.json": `{}`, "package.json": `{"type":"module"}`}},
		"folder":                 {Handler: "dir/sub/mod.handler", Files: map[string]string{"dir/sub/mod.js": `exports.handler = ` + handler}},
		"nested export":          {Handler: "dir/mod.a.b", Files: map[string]string{"dir/mod.mjs": `export const a = { b: ` + handler + ` }`}},
		"default export":         {Handler: "index.default", Files: map[string]string{"index.mjs": `export default ` + handler}},
		"js before mjs":          {Handler: "index.handler", Files: map[string]string{"index.js": `exports.handler = ` + handler, "index.mjs": `export const handler = async () => 'wrong'`}},
		"package":                {Handler: "tool.handler", Files: map[string]string{"node_modules/tool/index.js": `exports.handler = ` + handler}},
		"its dependencies":       {Handler: "index.handler", Files: map[string]string{"index.mjs": `import here from 'dep'; export const handler = async () => here`, "node_modules/dep/index.js": `module.exports = 'here'`}},
		"not a folder":           {Handler: "index.handler", Files: map[string]string{"index/x.js": ``, "index.js": `exports.handler = ` + handler}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := launch(t, f).Result(`{}`); got != `"here"` {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestInitErrorsAreAsLambdas(t *testing.T) {
	for name, c := range map[string]struct {
		handler string
		file    string
		source  string
		kind    string
		message string // a part
	}{
		"no such file":       {"nope.handler", "index.js", ``, "Runtime.ImportModuleError", "Error: Cannot find module 'nope'\nRequire stack:"},
		"no such dependency": {"index.handler", "index.js", `require('nope')`, "Runtime.ImportModuleError", "Error: Cannot find module 'nope'\nRequire stack:"},
		"no such import":     {"index.handler", "index.mjs", `import 'nope'`, "Error", "Cannot find package 'nope' imported from "},
		"not exported":       {"index.nope", "index.js", `exports.handler = 1`, "Runtime.HandlerNotFound", "index.nope is undefined or not exported"},
		"nested, missing":    {"index.a.b", "index.js", `exports.handler = 1`, "Runtime.HandlerNotFound", "index.a.b is undefined or not exported"},
		"no function":        {"index.handler", "index.js", `exports.handler = 1`, "Runtime.HandlerNotFound", "index.handler is not a function"},
		"syntax":             {"index.handler", "index.js", `exports.handler = (`, "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"},
		"syntax of a module": {"index.handler", "index.mjs", `export const handler = (`, "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"},
		"no dot":             {"index", "index.js", ``, "Runtime.MalformedHandlerName", "Bad handler"},
		"dots":               {"../index.handler", "index.js", ``, "Runtime.MalformedHandlerName", "'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names."},
		"throws":             {"index.handler", "index.js", `class E extends Error { name = 'Mine' }; throw new E('at load')`, "Mine", "at load"},
		"throws a string":    {"index.handler", "index.js", `throw 'at load'`, "string", "at load"},
		"await rejected":     {"index.handler", "index.mjs", `await Promise.reject(new TypeError('at load'))`, "TypeError", "at load"},
		"timer while loading": {"index.handler", "index.mjs", `setTimeout(() => { throw new RangeError('timer') }, 1); await new Promise((r) => setTimeout(r, 60000))`,
			"RangeError", "timer"},
		"rejection while loading": {"index.handler", "index.mjs", `Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 60000))`,
			"Runtime.UnhandledPromiseRejection", "Error: lost"},
		"streaming of requests": {"index.handler", "index.js", `exports.handler = async () => {}; exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request'`,
			"Runtime.MalformedStreamingHandler", "Only response streaming is supported."},
	} {
		t.Run(name, func(t *testing.T) {
			p := boot(t, function{Files: map[string]string{c.file: c.source}})
			p.Init(function{Handler: c.handler})
			r := p.Reply()
			if r.Kind != runtimes.KindInitError {
				t.Fatalf("got %s %s", r.Kind, r.Payload)
			}
			f := r.Failure(t)
			if f.ErrorType != c.kind || !strings.HasPrefix(f.ErrorMessage, c.message) {
				t.Errorf("got %s: %s, want %s: %s", f.ErrorType, f.ErrorMessage, c.kind, c.message)
			}
			if len(r.Logs) != 1 || !strings.Contains(r.Log(), "\tundefined\tERROR\t") || !strings.Contains(r.Log(), `"errorType":"`) {
				t.Errorf("logged %q", r.Logs)
			}
			if logs, status := p.Wait(); status == 0 || len(logs) > 0 {
				t.Errorf("status %d after %q", status, logs)
			}
		})
	}
}

func TestSyntaxErrorSaysWhere(t *testing.T) {
	for where, files := range map[string]map[string]string{
		"index.js:2":  {"index.js": "const a = 1;\nexports.handler = (;\n"},
		"other.js:3":  {"index.js": "require('./other.js')", "other.js": "\n\nretrun 5 5"},
		"index.mjs:2": {"index.mjs": "const a = 1;\nexport const handler = (;\n"},
		"other.mjs:3": {"index.mjs": "import './other.mjs'", "other.mjs": "\n\nretrun 5 5"},
		"index.mjs:1": {"index.mjs": "import { nope } from './other.mjs'", "other.mjs": "export const a = 1"},
	} {
		for _, stem := range []bool{false, true} {
			p := boot(t, function{Files: files, Stem: stem})
			p.Init(function{})
			r := p.Reply()
			trace := strings.Join(r.Failure(t).Trace, "\n")
			if !strings.Contains(trace, "/"+where+"\n") || strings.Count(trace, where) != 1 {
				t.Errorf("trace is %s, want %s", trace, where)
			}
			if !strings.Contains(r.Log(), "/"+where+`"`) {
				t.Errorf("logged %q, want %s", r.Logs, where)
			}
		}
	}
}

func TestEndOfRequestsEndsTheProcess(t *testing.T) {
	code := map[string]string{"index.js": `exports.handler = async () => 1`}
	waiting := boot(t, function{})
	waiting.Requests.Close()
	if logs, status := waiting.Wait(); status != 0 || len(logs) > 0 {
		t.Errorf("before init: status %d after %q", status, logs)
	}
	for _, concurrency := range []int{1, 3} {
		p := launch(t, function{Files: code, Concurrency: concurrency})
		p.Result(`{}`)
		p.Requests.Close()
		if logs, status := p.Wait(); status != 0 || len(logs) > 0 {
			t.Errorf("concurrency %d: status %d after %q", concurrency, status, logs)
		}
	}
}

func TestSurroundingsAreTheFunctions(t *testing.T) {
	f := function{
		Env: map[string]string{"COLOUR": "blau ü", "NODE_PATH": "/nonexistent"},
		Files: map[string]string{"index.js": `
const atLoad = process.env.COLOUR;
exports.handler = async () => ({
  atLoad,
  region: process.env.AWS_REGION,
  cwd: process.cwd(),
  offset: new Date(2026, 6, 1).getTimezoneOffset(),
  argv: process.argv.length,
  main: require.main === module,
});`},
	}
	p := launch(t, f)
	var got struct {
		AtLoad, Region, Cwd string
		Offset, Argv        int
		Main                bool
	}
	if err := json.Unmarshal([]byte(p.Result(`{}`)), &got); err != nil {
		t.Fatal(err)
	}
	if got.AtLoad != "blau ü" || got.Region != "eu-central-1" || got.Cwd != p.TaskRoot || got.Offset != 0 || got.Argv != 2 || got.Main {
		t.Errorf("got %+v", got)
	}
}

func TestLayersAreFoundThroughNodePath(t *testing.T) {
	layer := t.TempDir()
	runtimetest.WriteFile(t, layer+"/layered/index.js", `exports.handler = async () => 'from the layer'`)
	env := map[string]string{"NODE_PATH": "/nonexistent:" + layer}
	p := launch(t, function{Env: env, Files: map[string]string{"index.js": `exports.handler = require('layered').handler`}})
	if got := p.Result(`{}`); got != `"from the layer"` {
		t.Errorf("required: got %s", got)
	}
	p = launch(t, function{Env: env, Files: map[string]string{"index.mjs": `export { handler } from 'layered'`}})
	if got := p.Result(`{}`); got != `"from the layer"` {
		t.Errorf("imported: got %s", got)
	}
	p = launch(t, function{Env: env, Handler: "layered.handler"})
	if got := p.Result(`{}`); got != `"from the layer"` {
		t.Errorf("as the handler: got %s", got)
	}
}

func TestNothingOfTheRuntimeLeaks(t *testing.T) {
	f := function{Files: map[string]string{"index.js": `
const globals = Object.getOwnPropertyNames(globalThis);
exports.handler = async () => ({
  globals,
  descriptors: require('child_process').execSync('ls /proc/self/fd', { encoding: 'utf8' }).trim().split('\n'),
});`}}
	var got, bare struct{ Globals, Descriptors []string }
	if err := json.Unmarshal([]byte(launch(t, f).Result(`{}`)), &got); err != nil {
		t.Fatal(err)
	}
	f.Env = map[string]string{"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1"}
	if err := json.Unmarshal([]byte(launch(t, f).Result(`{}`)), &bare); err != nil {
		t.Fatal(err)
	}
	more := strings.Join(got.Globals[len(bare.Globals):], " ")
	if more != "awslambda" {
		t.Errorf("globals are %q", got.Globals)
	}
	// 3 is the folder that ls reads: the first that was free.
	if slices.Contains(got.Descriptors, "4") {
		t.Errorf("a child of the function has descriptors %s", got.Descriptors)
	}
}

func TestStemBecomesAnyKindOfFunction(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"CommonJS":  {"index.js": `exports.handler = async (event) => [event, require.main === module, process.argv.length, __filename];`},
		"ES module": {"index.mjs": `export const handler = async (event) => [event, false, process.argv.length, (await import('node:path')).resolve('index.js')];`},
	} {
		t.Run(name, func(t *testing.T) {
			p := boot(t, function{Files: files, Stem: true})
			p.AwaitRead()
			p.Init(function{})
			if r := p.Reply(); r.Kind != runtimes.KindReady {
				t.Fatalf("got %s %s, want ready", r.Kind, r.Payload)
			}
			if got, want := p.Result(`1`), `[1,false,2,"`+p.TaskRoot+`/index.js"]`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
