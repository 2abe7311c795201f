package gateway

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// A journal or a container's log is read by others, and kept: only a terminal gets the key.
func TestTheFirstAccessKeyIsShownOnATerminalOnly(t *testing.T) {
	harness.Parallel(t)
	piped := harness.NewAPI(t, "", "")
	if out := piped.Output(); strings.Contains(out, piped.Credentials.SecretAccessKey) || strings.Contains(out, piped.Credentials.AccessKeyID) ||
		!strings.Contains(out, piped.Dir+"/data/credentials") {
		t.Errorf("a pipe should get the file of the key and not the key:\n%s", out)
	}

	a := &harness.API{Server: harness.NewServer(t, "", "")}
	a.Configure("", "")
	a.Terminal = true
	a.Start()
	a.Connect()
	if out := a.Output(); !strings.Contains(out, "AWS_SECRET_ACCESS_KEY="+a.Credentials.SecretAccessKey) {
		t.Errorf("a terminal does not get the key:\n%s", out)
	}
	a.Stop()
	a.Mu.Lock()
	a.Out = bytes.Buffer{}
	a.Mu.Unlock()
	a.Start()
	if out := a.Output(); strings.Contains(out, a.Credentials.SecretAccessKey) {
		t.Errorf("the second start shows the key again:\n%s", out)
	}
}

// Who reads a log must not run what a stranger had logged: an escape sequence may set the
// clipboard, hide lines, or have the terminal type.
func TestOutputOfFunctionsIsHarmlessOnATerminal(t *testing.T) {
	harness.Parallel(t)
	const evil = "\x1b]52;c;ZXZpbA==\a|\u009b2J|\x7f|\u202e|\rlie|ü"
	const shown = `\u001b]52;c;ZXZpbA==\u0007|\u009b2J|\u007f|\u202e|\rlie|ü`
	a := harness.NewAPI(t, "", "receive /hooks/* generic {\n open\n}")
	a.WantHearth(0, nil, "deploy", a.Code("evil", map[string]string{"index.mjs": `const evil = "\x1b]52;c;ZXZpbA==\x07|\x9b2J|\x7f|\u202e|\rlie|ü";
export const handler = async (event) => { process.stdout.write(evil + '\n'); if (event.fail) { const e = new Error(evil); e.name = evil; throw e; } return evil; };`}))
	a.WantHearth(0, nil, "invoke", "evil", "{}")
	harness.Eventually(t, "the line is in the log", func() bool {
		out, _ := a.Hearth("logs", "evil")
		return strings.Contains(out, evil)
	})
	a.EventConfig("evil", "", "", "")
	a.Post("/hooks/evil", `{"fail":true}`).Want(t, 200, "")
	var id string
	harness.Eventually(t, "the event is given up", func() bool {
		out, _ := a.Hearth("events", "list", "--dead")
		_, rest, _ := strings.Cut(out, "\n")
		id, _, _ = strings.Cut(rest, " ")
		return id != ""
	})
	onTerminal := func(args ...string) string {
		cmd := a.HearthCommand(args...)
		var out bytes.Buffer
		wait := harness.RunOnTerminal(t, cmd, &out)
		_ = cmd.Wait() // with the code of a function that failed
		wait()
		return strings.ReplaceAll(out.String(), "\r\n", "\n")
	}
	for _, args := range [][]string{
		{"logs", "evil"}, {"logs", "evil", "--json"}, {"invoke", "evil", "{}"}, {"invoke", "evil", `{"fail":true}`, "--tail"}, {"invoke", "evil", "{}", "--json"},
		{"events", "list", "--dead"}, {"events", "show", id}, {"invoke", "no\x1b]52;c;ZXZpbA==\a", "{}"},
	} {
		out := onTerminal(args...)
		for _, harmful := range []string{"\x1b]", "\a", "\u009b", "\x7f", "\u202e", "\r"} {
			if strings.Contains(out, harmful) || out == "" {
				t.Errorf("caddy hearth %q prints %q on a terminal: %q", args, harmful, out)
			}
		}
	}
	if out := onTerminal("logs", "evil"); !strings.Contains(out, shown) {
		t.Errorf("a terminal shows %q, want %s", out, shown)
	}
	if out := onTerminal("logs", "evil", "--raw"); !strings.Contains(out, evil) {
		t.Errorf("with --raw a terminal gets %q, want %q", out, evil)
	}
}

// One stream may be a terminal and the other a pipe: `caddy hearth deploy f | cat`.
func TestOnlyAStreamThatIsATerminalGetsColors(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	dir := a.Code("colored", map[string]string{"index.mjs": "export const handler = async () => 1;"})
	const bold, dim = "\x1b[1m", "\x1b[2m"

	var out, terminal bytes.Buffer
	deploy := a.HearthCommand("deploy", dir)
	deploy.Env = append(deploy.Env, "NO_COLOR=")
	deploy.Stdout = &out
	wait := harness.RunOnTerminal(t, deploy, &terminal)
	if err := deploy.Wait(); err != nil {
		t.Errorf("deploy: %v", err)
	}
	wait()
	if !strings.Contains(out.String(), "colored") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("a pipe gets %q, want the result without colors", out.String())
	}
	if !strings.Contains(terminal.String(), dim) {
		t.Errorf("the terminal beside the pipe gets %q, want colors", terminal.String())
	}

	for _, test := range []struct {
		env  string
		want bool
	}{{"NO_COLOR=", true}, {"NO_COLOR=1", false}} {
		var terminal bytes.Buffer
		deploy := a.HearthCommand("deploy", dir)
		deploy.Env = append(deploy.Env, test.env)
		wait := harness.RunOnTerminal(t, deploy, &terminal)
		if err := deploy.Wait(); err != nil {
			t.Errorf("deploy: %v", err)
		}
		wait()
		if got := strings.Contains(terminal.String(), bold+"colored"); got != test.want {
			t.Errorf("with %s a terminal gets %q; bold: %t, want %t", test.env, terminal.String(), got, test.want)
		}
	}
}
