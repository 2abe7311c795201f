package api

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// A server without lambda_api, as most are, and the variables of somebody who works with AWS.
func TestCommandsWorkOnTheServerItselfWithoutLambdaAPI(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "respond served")
	a := &harness.API{Server: s}
	s.Start()

	good := s.Code("good", map[string]string{"index.mjs": "export const handler = async (event) => { console.log('logged', event.name); return 'one'; };"})
	bad := s.Code("bad", map[string]string{"index.mjs": "export const handler = async () => {\n  return {{;\n"})
	a.WantHearth(3, []string{"good", "bad is deployed, but its code does not start", "bad/index.mjs:2"}, "deploy", good, bad)
	a.WantHearth(0, []string{"bad"}, "deploy", bad, "--no-check")
	a.WantHearth(0, []string{`"one"`}, "invoke", "good", `{"name":"Ada"}`)
	foreign := a.HearthCommand("list")
	foreign.Env = append(foreign.Env, "AWS_ACCESS_KEY_ID=AKIAOFAWS", "AWS_SECRET_ACCESS_KEY=secret")
	if out, err := foreign.CombinedOutput(); err != nil || !strings.Contains(string(out), "good") {
		t.Errorf("list with another key in the variables: %v\n%s", err, out)
	}
	a.WantHearth(0, []string{"request ID "}, "invoke", "good", "--async")
	a.WantHearth(3, nil, "invoke", "bad")
	a.WantHearth(4, []string{"does not exist"}, "url", "good")
	a.WantHearth(1, []string{"no site of this server has lambda_api"}, "env")
	a.WantHearth(2, []string{"did you mean nodejs22.x?"}, "deploy", good, "--runtime", "node22.x")
	a.WantHearth(2, []string{"give its folder"}, "deploy", good+"/index.mjs")
	harness.Eventually(t, "the last error is shown", func() bool {
		var shown struct {
			Versions  []string
			LastError *struct{ Message string } `json:"last_error"`
		}
		out, _ := a.Hearth("show", "bad", "--json")
		return json.Unmarshal([]byte(out), &shown) == nil && len(shown.Versions) == 1 && shown.LastError != nil && strings.Contains(shown.LastError.Message, "SyntaxError")
	})
	completed, err := exec.Command(harness.CaddyBinary(t), "help", "hearth").Output()
	if err != nil || !strings.Contains(string(completed), "dev ") {
		t.Errorf("help: %v\n%s", err, completed)
	}

	follow := a.HearthCommand("logs", "good", "--follow", "--since", "1h")
	var followed harness.Server // keeps what is written
	follow.Stdout, follow.Stderr = &followed, &followed
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs --follow printed:\n%s", followed.Output())
		}
	})
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = follow.Process.Kill(); _ = follow.Wait() })
	seen := func(text string) {
		t.Helper()
		harness.Eventually(t, "the log that is followed has "+text, func() bool { return strings.Contains(followed.Output(), text) })
	}
	seen("logged Ada")
	s.Stop()
	a.WantHearth(1, []string{"no server answers at"}, "list")
	s.Start()
	a.WantHearth(0, nil, "invoke", "good", `{"name":"Grace"}`)
	seen("logged Grace")
	a.WantHearth(0, []string{"good is deleted", "bad is deleted"}, "delete", "good", "bad")
}
