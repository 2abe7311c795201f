package runtimes_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes/nodejs"
	"github.com/hearthfn/hearth/warmpool/runtimes/python"
	"github.com/hearthfn/hearth/warmpool/runtimes/ruby"
)

// Each program sets 300,000 headers, prints by how many KiB it has grown since the first
// 20,000, and then what it and a program that it starts find in the variable.
var headers = []struct {
	interpreter, file, text string
	bootstrap               map[string][]byte
}{
	{"node", "try.js", `
const set = require('./trace.js').install();
const { rss } = process.memoryUsage;
let before;
for (let i = 0; i < 300000; i++) {
  if (i === 20000) before = rss();
  set('Root=1-67f6cc3c-2501b4910e004349' + (1e8 + i) + ';Parent=73146ee07a1ed731;Sampled=0;Lineage=1:037bed70:0');
}
set('Root=1');
console.log(rss() - before >> 10);
const { execSync } = require('child_process');
const shown = () => [process.env._X_AMZN_TRACE_ID, { ...process.env }._X_AMZN_TRACE_ID, String(execSync('echo $_X_AMZN_TRACE_ID')).trim()].join();
console.log(shown());
set('');
console.log(shown(), '_X_AMZN_TRACE_ID' in process.env);
process.env._X_AMZN_TRACE_ID = 'own';
console.log(shown());
set('Root=2');
console.log(shown());
delete process.env._X_AMZN_TRACE_ID;
process.env.OTHER = 1;
console.log(shown(), process.env.OTHER === '1', String(execSync('echo $OTHER')).trim());
`, nodejs.Files()},
	{"python3", "try.py", `
import os, subprocess, hearth_trace
set = hearth_trace.install()
def rss():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 10
for i in range(300000):
    if i == 20000:
        before = rss()
    set("Root=1-67f6cc3c-2501b4910e004349%d;Parent=73146ee07a1ed731;Sampled=0;Lineage=1:037bed70:0" % (100000000 + i))
set("Root=1")
print(rss() - before)
def child():
    return subprocess.check_output("echo $_X_AMZN_TRACE_ID", shell=True, text=True).strip()
def shown():
    return ",".join((os.environ.get("_X_AMZN_TRACE_ID", ""), dict(os.environ).get("_X_AMZN_TRACE_ID", ""), child()))
print(shown())
set("")
print(shown(), str("_X_AMZN_TRACE_ID" in os.environ).lower())
os.environ["_X_AMZN_TRACE_ID"] = "own"
print(shown())
set("Root=2")
print(shown())
del os.environ["_X_AMZN_TRACE_ID"]
os.environ["OTHER"] = "1"
print(shown(), "true", subprocess.check_output("echo $OTHER", shell=True, text=True).strip())
`, python.Files()},
	{"ruby", "try.rb", `
require_relative 'hearth_trace'
trace = Hearth::Trace.new
rss = -> { File.read('/proc/self/status')[/VmRSS:\s+(\d+)/, 1].to_i }
before = 0
300_000.times do |i|
  before = rss.call if i == 20_000
  trace.header = "Root=1-67f6cc3c-2501b4910e004349#{100_000_000 + i};Parent=73146ee07a1ed731;Sampled=0;Lineage=1:037bed70:0"
end
trace.header = 'Root=1'
puts rss.call - before
name = '_X_AMZN_TRACE_ID'
shown = -> { [ENV[name], ENV.to_h[name], %x(echo $#{name}).strip].join(',') }
puts shown.call
trace.header = ''
puts "#{shown.call} #{ENV.key?(name)}"
ENV[name] = 'own'
puts shown.call
trace.header = 'Root=2'
puts shown.call
ENV.delete(name)
ENV['OTHER'] = '1'
puts "#{shown.call} true #{%x(echo $OTHER).strip}"
`, ruby.Files()},
}

func TestTraceHeadersDoNotPileUpInTheEnvironment(t *testing.T) {
	for _, h := range headers {
		t.Run(h.interpreter, func(t *testing.T) {
			dir := t.TempDir()
			files := maps.Clone(h.bootstrap)
			files[h.file] = []byte(h.text)
			for name, data := range files {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(h.interpreter, filepath.Join(dir, h.file))
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			grown, rest, _ := strings.Cut(string(out), "\n")
			if len(grown) > 4 || grown == "" {
				t.Errorf("280,000 headers take %s KiB", grown)
			}
			const want = "Root=1,Root=1,Root=1\n,, false\nown,own,own\nRoot=2,Root=2,Root=2\n,, true 1\n"
			if rest != want {
				t.Errorf("got\n%swant\n%s", rest, want)
			}
		})
	}
}
