package tests

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// runOnTerminal starts a command whose output is a terminal, and copies what the terminal
// gets to out. The function that it returns waits for the end of that.
func runOnTerminal(t *testing.T, cmd *exec.Cmd, out io.Writer) (wait func()) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = slave, slave
	err = cmd.Start()
	slave.Close()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer master.Close()
		_, _ = io.Copy(out, master) // EIO when nobody has the terminal any more
	}()
	return func() { <-done }
}

// A journal or a container's log is read by others, and kept: only a terminal gets the key.
func TestTheFirstAccessKeyIsShownOnATerminalOnly(t *testing.T) {
	piped := newAPI(t, "", "")
	if out := piped.output(); strings.Contains(out, piped.credentials.SecretAccessKey) || strings.Contains(out, piped.credentials.AccessKeyID) ||
		!strings.Contains(out, piped.dir+"/data/credentials") {
		t.Errorf("a pipe should get the file of the key and not the key:\n%s", out)
	}

	a := &api{server: newServer(t, "", "")}
	a.configure("", "")
	a.terminal = true
	a.start()
	a.connect()
	if out := a.output(); !strings.Contains(out, "AWS_SECRET_ACCESS_KEY="+a.credentials.SecretAccessKey) {
		t.Errorf("a terminal does not get the key:\n%s", out)
	}
	a.stop()
	a.mu.Lock()
	a.out = bytes.Buffer{}
	a.mu.Unlock()
	a.start()
	if out := a.output(); strings.Contains(out, a.credentials.SecretAccessKey) {
		t.Errorf("the second start shows the key again:\n%s", out)
	}
}

// Who reads a log must not run what a stranger had logged: an escape sequence may set the
// clipboard, hide lines, or have the terminal type.
func TestOutputOfFunctionsIsHarmlessOnATerminal(t *testing.T) {
	const evil = "\x1b]52;c;ZXZpbA==\a|\u009b2J|\x7f|\u202e|\rlie|ü"
	const shown = `\u001b]52;c;ZXZpbA==\u0007|\u009b2J|\u007f|\u202e|\rlie|ü`
	a := newAPI(t, "", "receive /hooks/* generic {\n open\n}")
	a.wantHearth(0, nil, "deploy", a.code("evil", map[string]string{"index.mjs": `const evil = "\x1b]52;c;ZXZpbA==\x07|\x9b2J|\x7f|\u202e|\rlie|ü";
export const handler = async (event) => { process.stdout.write(evil + '\n'); if (event.fail) { const e = new Error(evil); e.name = evil; throw e; } return evil; };`}))
	a.wantHearth(0, nil, "invoke", "evil", "{}")
	eventually(t, "the line is in the log", func() bool {
		out, _ := a.hearth("logs", "evil")
		return strings.Contains(out, evil)
	})
	a.eventConfig("evil", "", "", "")
	a.post("/hooks/evil", `{"fail":true}`).want(t, 200, "")
	var id string
	eventually(t, "the event is given up", func() bool {
		out, _ := a.hearth("events", "list", "--dead")
		_, rest, _ := strings.Cut(out, "\n")
		id, _, _ = strings.Cut(rest, " ")
		return id != ""
	})
	onTerminal := func(args ...string) string {
		cmd := a.hearthCommand(args...)
		var out bytes.Buffer
		wait := runOnTerminal(t, cmd, &out)
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
