package stacks

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// What the manual says to copy is enough: functions, their versions, keys, waiting events and
// stacks are there again on another machine.
func TestBackupByTheManualIsRestoredElsewhere(t *testing.T) {
	harness.Parallel(t)
	manual, err := os.ReadFile("../../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	// tar runs a line of the manual for another data directory.
	tar := func(which, dir, file string) {
		t.Helper()
		line := regexp.MustCompile(`(?m)^\$ sudo (?:-u hearth )?(tar --` + which + ` .*)$`).FindSubmatch(manual)
		if line == nil {
			t.Fatalf("docs/production.md has no tar --%s", which)
		}
		command := strings.NewReplacer("/var/lib/hearth/data", dir, "hearth-backup.tar", file).Replace(string(line[1]))
		if out, err := exec.Command("bash", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}

	s := newShell(t, "")
	s.Create("greet", harness.NodeZip(t, harness.Answers("first")), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	s.UpdateCode("greet", harness.NodeZip(t, harness.Answers("second")))
	s.Create("fails", harness.NodeZip(t, "throw new Error('asked for')"))
	s.WantHearth(0, nil, "invoke", "fails", "--async", `{"kept": true}`)
	s.write("demo/template.yaml", "Resources:\n  Group:\n    Type: AWS::Logs::LogGroup\n    Properties: {LogGroupName: /demo}\n")
	s.WantHearth(0, nil, "deploy", filepath.Join(s.work, "demo", "template.yaml"), "--yes", "--stack", "demo")
	harness.Eventually(t, "the event has failed and waits for its retry", func() bool {
		out, _ := s.Hearth("events", "list")
		return strings.Contains(out, "asked for")
	})
	s.Stop()
	file := filepath.Join(s.work, "backup.tar")
	tar("create", filepath.Join(s.Dir, "data"), file)

	other := &harness.API{Server: harness.NewServer(t, "", "")}
	other.Configure("", "")
	data := filepath.Join(other.Dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	tar("extract", data, file)
	other.Start()
	other.Connect()
	if other.Credentials != s.Credentials {
		t.Error("the restored server has another key")
	}
	other.WantCall("greet", "{}", "second")
	other.WantCall("greet:1", "{}", "first")
	other.WantHearth(0, []string{"fails", "asked for"}, "events", "list")
	other.WantHearth(0, []string{"demo", "CREATE_COMPLETE"}, "stacks")
	other.WantHearth(0, []string{"greet", "fails"}, "list")
}
