package examples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// A block is one code block of a page.
type block struct {
	line   int
	kind   string // after the fence: console, caddyfile, js, json, text, ...
	within string // of which part of a Caddyfile it is: one of wrappings
	file   string // that the line before names, as in `hello/index.mjs`:
	notRun string // why it is not run: <!-- not run: REASON --> before it
	text   string
}

var (
	fenced  = regexp.MustCompile("^```(\\S*)(?: (\\S+))?$")
	named   = regexp.MustCompile("`([^`]+)`:$")
	marking = regexp.MustCompile(`^<!-- not run: (.+) -->$`)
)

func blocksOf(text string) (all []block) {
	var now *block
	before := []string{"", ""} // the lines before, the newest last
	for n, line := range strings.Split(text, "\n") {
		switch found := fenced.FindStringSubmatch(line); {
		case now != nil && line == "```":
			all, now = append(all, *now), nil
		case now != nil:
			now.text += line + "\n"
		case found != nil:
			now = &block{line: n + 1, kind: found[1], within: found[2]}
			for _, line := range before {
				if mark := marking.FindStringSubmatch(line); mark != nil {
					now.notRun = mark[1]
				} else if file := named.FindStringSubmatch(line); file != nil {
					now.file = file[1]
				}
			}
		}
		before = append(before[1:], line)
	}
	return all
}

// users is the authorizer that parts of a Caddyfile name.
const users = "{\n\thearth {\n\t\tauthorizer users jwt {\n\t\t\tissuer https://id.example.com\n\t\t\taudience shop\n\t\t}\n\t}\n}\n"

// wrappings are what is around parts of a Caddyfile.
var wrappings = map[string]string{
	"":          "%s",
	"site":      "example.com {\n%s}\n",
	"hearth":    "{\n\thearth {\n%s\t}\n}\n",
	"api":       users + "example.com {\n\tapi shop {\n%s\t}\n}\n",
	"websocket": users + "example.com {\n\twebsocket chat {\n%s\t}\n}\n",
	"receive":   "example.com {\n\treceive /events s3 {\n\t\ttoken secret\n%s\t}\n}\n",
}

// leftOut is what a page does not show of a block.
var leftOut = regexp.MustCompile(`(?m)^\s*\.\.\.\n`)

// A command of a console block, and what it prints.
type command struct{ line, want string }

func commandsOf(text string) (all []command) {
	continues := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "$ "):
			all = append(all, command{line: line[2:]})
		case continues && len(all) > 0:
			all[len(all)-1].line += line
		case len(all) > 0:
			all[len(all)-1].want += line
		}
		continues = strings.HasSuffix(strings.TrimSpace(line), `\`)
	}
	return all
}

// A reader follows a page as somebody does who has cloned the repository and is not root.
type reader struct {
	t    *testing.T
	page string
	home string // the checkout, without what is not needed
	// strict is for pages whose Caddyfiles are saved as they are: caddy fmt changes nothing.
	strict bool
	// inherits is for pages of tools that only the user of the test has: it is the reader then.
	inherits bool
	ports    *strings.Replacer // of those that the page names, where pages are read beside each other
	env      []string          // besides what every reader has
	shown    string            // what the lines so far have set: exports, folders
	server   *exec.Cmd
	out      *harness.Server // what the server printed
}

// nobody is the user of the reader, where the test is root.
const nobody = 65534

func newReader(t *testing.T, page string) *reader {
	home := harness.TempDir(t)
	for _, path := range []string{"examples", "Caddyfile.example"} {
		if out, err := exec.Command("cp", "-a", filepath.Join("../..", path), home).CombinedOutput(); err != nil {
			t.Fatalf("copy %s: %v %s", path, err, out)
		}
	}
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", harness.CaddyBinary(t), filepath.Join(home, "bin")).CombinedOutput(); err != nil {
		t.Fatalf("copy caddy: %v %s", err, out)
	}
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chown", "-R", fmt.Sprint(nobody), home).CombinedOutput(); err != nil {
			t.Fatalf("chown: %v %s", err, out)
		}
	}
	r := &reader{t: t, page: page, home: home}
	t.Cleanup(r.stop)
	return r
}

// shell is bash with a line, as the reader.
func (r *reader) shell(ctx context.Context, line string) *exec.Cmd {
	// The script would build what is built already, with a Go that this user may not have.
	line = strings.ReplaceAll(line, "./xcaddy.sh run", "bin/caddy run --adapter caddyfile --config Caddyfile.example")
	arguments := []string{"bash", "-c", r.shown + line}
	if os.Geteuid() == 0 && !r.inherits {
		arguments = append([]string{"setpriv", fmt.Sprintf("--reuid=%d", nobody), fmt.Sprintf("--regid=%d", nobody), "--clear-groups"}, arguments...)
	}
	c := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	c.Dir = r.home
	c.Env = []string{"HOME=" + r.home, "PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "TMPDIR=" + r.home}
	c.Env = append(c.Env, r.env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return c
}

// lasts are lines that count for those after them, as in one terminal.
var lasts = regexp.MustCompile(`^(eval|export|cd) `)

// tlsFails is the exit code of curl if there is no TLS.
const tlsFails = 35

var serves = regexp.MustCompile(`^(bin/caddy|\./xcaddy\.sh) (run|hearth dev)\b`)

func (r *reader) run(b block) {
	r.t.Helper()
	for _, c := range commandsOf(b.text) {
		if serves.MatchString(c.line) {
			r.serve(b, c)
			continue
		}
		// With what the machine does besides, some tools take minutes.
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Minute)
		// Of curl, without its progress; what is expected is on either stream.
		line := strings.Replace(c.line, "curl ", "curl -sS ", 1)
		out, err := r.shell(ctx, line).CombinedOutput()
		// A server is ready a moment before Caddy's own authority has made its first certificate.
		for failed := new(exec.ExitError); errors.As(err, &failed) && failed.ExitCode() == tlsFails && ctx.Err() == nil; {
			time.Sleep(50 * time.Millisecond)
			out, err = r.shell(ctx, line).CombinedOutput()
		}
		cancel()
		if err != nil {
			r.t.Errorf("%s:%d: $ %s: %v\n%s%s", r.page, b.line, c.line, err, out, r.printed())
			return // what follows needs it
		}
		if !prints(string(out), c.want) {
			r.t.Errorf("%s:%d: $ %sprints\n%s\nwant\n%s", r.page, b.line, c.line, out, c.want)
		} else if lasts.MatchString(c.line) {
			r.shown += c.line
		}
	}
}

// serve starts the server of a block, after it has stopped the one before.
func (r *reader) serve(b block, c command) {
	r.t.Helper()
	r.stop()
	r.server, r.out = r.shell(context.Background(), "exec "+c.line), new(harness.Server)
	r.server.Stdout, r.server.Stderr = r.out, r.out
	if err := r.server.Start(); err != nil {
		r.t.Fatal(err)
	}
	harness.Eventually(r.t, fmt.Sprintf("%s:%d: the server is ready", r.page, b.line), func() bool {
		out := r.out.Output()
		return strings.Contains(out, "ready: ") || strings.Contains(out, `"msg":"ready"`) || r.server.ProcessState != nil
	})
	if !prints(r.out.Output(), c.want) {
		r.t.Errorf("%s:%d: $ %sprints\n%s\nwant\n%s", r.page, b.line, c.line, r.out.Output(), c.want)
	}
}

func (r *reader) printed() string {
	if r.out == nil {
		return ""
	}
	return "\nthe server printed:\n" + r.out.Output()
}

func (r *reader) stop() {
	if r.server == nil {
		return
	}
	_ = syscall.Kill(-r.server.Process.Pid, syscall.SIGTERM)
	_ = r.server.Wait()
	r.server = nil
}

// prints reports whether an output has all lines that a page shows, in their order. In the page,
// ... stands for anything, of a line or, alone, for lines.
func prints(out, want string) bool {
	lines := strings.Split(out, "\n")
	for line := range strings.Lines(want) {
		if line = strings.TrimRight(line, "\n"); strings.TrimSpace(line) == "..." || line == "" {
			continue
		}
		fits := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, ".*") + `\s*$`)
		at := -1
		for n, l := range lines {
			if fits.MatchString(l) {
				at = n
				break
			}
		}
		if at < 0 {
			return false
		}
		lines = lines[at+1:]
	}
	return true
}

// check does with a block what its kind says.
func (r *reader) check(b block) {
	r.t.Helper()
	if r.ports != nil {
		b.text = r.ports.Replace(b.text)
	}
	path := ""
	if b.file != "" {
		path = filepath.Join(r.home, b.file)
	}
	switch b.kind {
	case "console":
		r.run(b)
		return
	case "caddyfile":
		path = filepath.Join(r.home, "Caddyfile")
	case "json":
		if !json.Valid([]byte(b.text)) {
			r.t.Errorf("%s:%d: it is not JSON", r.page, b.line)
		}
	case "js", "python", "text", "yaml", "hcl", "toml":
	default:
		r.t.Errorf("%s:%d: a block of kind %q: name one that is checked, or mark it: <!-- not run: REASON -->", r.page, b.line, b.kind)
	}
	if path == "" {
		return
	}
	text := b.text
	if b.kind == "caddyfile" {
		wrapping, known := wrappings[b.within]
		if !known {
			r.t.Fatalf("%s:%d: there is no part %q of a Caddyfile", r.page, b.line, b.within)
		}
		text = fmt.Sprintf(wrapping, leftOut.ReplaceAllString(b.text, ""))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
	if b.kind == "caddyfile" {
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
		defer cancel()
		line := "bin/caddy adapt --config Caddyfile >/dev/null"
		if r.strict {
			line += " && bin/caddy fmt --diff Caddyfile >/dev/null"
		}
		if out, err := r.shell(ctx, line).CombinedOutput(); err != nil {
			r.t.Errorf("%s:%d: %v\n%s", r.page, b.line, err, out)
		}
	}
}

// saved are the pages of docs whose Caddyfiles are there to be saved. In others the columns of a
// reference are aligned.
var saved = []string{"install.md", "production.md", "recipes.md", "troubleshooting.md"}

// Every block of the README, of the documentation and of the examples is run by a user who is not
// root, or says why not. They share ports, so they come one after the other.
func TestBlocksOfEveryPageRun(t *testing.T) {
	harness.Slow(t, "it serves every example")
	harness.Quiet(t)
	pages := []string{"../../README.md"}
	for _, of := range []string{"../../examples/*/README.md", "../../docs/*.md"} {
		found, err := filepath.Glob(of)
		if err != nil || len(found) < 10 {
			t.Fatalf("only the pages %q, %v", found, err)
		}
		pages = append(pages, found...)
	}
	ran := 0
	only := newReader(t, "") // of pages on which nothing is run
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.Trim(strings.ReplaceAll(page, "/", "_"), "._"), func(t *testing.T) {
			blocks := slices.DeleteFunc(blocksOf(string(text)), func(b block) bool { return b.notRun != "" })
			if len(blocks) == 0 {
				return
			}
			r := only
			if slices.ContainsFunc(blocks, func(b block) bool { return b.kind == "console" }) {
				r = newReader(t, page)
			}
			r.t, r.page = t, page
			r.strict = !strings.Contains(page, "/docs/") || slices.Contains(saved, filepath.Base(page))
			for _, b := range blocks {
				r.check(b)
				ran++
			}
		})
	}
	if ran < 105 {
		t.Errorf("only %d blocks were run", ran)
	}
}

func TestBlocksAreReadAsAPageMeansThem(t *testing.T) {
	harness.Parallel(t)
	all := blocksOf("Save `a/b.mjs`:\n\n```js\nx\n```\n\n<!-- not run: no reason -->\n```console\n$ one \\\n  two\nout ... put\n$ three\n```\n")
	if len(all) != 2 || all[0].file != "a/b.mjs" || all[0].text != "x\n" || all[1].notRun != "no reason" || all[1].kind != "console" {
		t.Fatalf("got %+v", all)
	}
	commands := commandsOf(all[1].text)
	if len(commands) != 2 || commands[0].line != "one \\\n  two\n" || commands[0].want != "out ... put\n" || commands[1].line != "three\n" {
		t.Errorf("got %+v", commands)
	}
	if !prints("a\nout 17 put\nb\n", "out ... put\n...\nb\n") || prints("b\na\n", "a\nb\n") || prints("ab", "a") {
		t.Error("what a page shows is not compared with what is printed")
	}
}

// Each metric of the alert rules and of the dashboard is one of the manual.
func TestMonitoringNamesMetricsThatThereAre(t *testing.T) {
	harness.Parallel(t)
	manual, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, name := range []string{"alerts.yml", "dashboard.json"} {
		text, err := os.ReadFile("../../examples/monitoring/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".json") && !json.Valid(text) {
			t.Errorf("%s is not JSON", name)
		}
		for _, metric := range regexp.MustCompile(`\bhearth_[a-z_]+`).FindAllString(string(text), -1) {
			if named++; !strings.Contains(string(manual), "`"+strings.TrimSuffix(metric, "_bucket")+"`") {
				t.Errorf("%s names %s, which Hearth has not", name, metric)
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d metrics are named", named)
	}
}
