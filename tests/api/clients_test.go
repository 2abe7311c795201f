package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// A shell runs clients with what a user gives them: the address and the credentials.
type shell struct {
	*harness.API
	work string // the working directory
	env  []string
}

func newShell(a *harness.API) *shell {
	s := &shell{a, harness.TempDir(a.T), nil}
	// Not the settings of whoever runs the tests.
	s.env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	s.env = append(s.env,
		"AWS_ACCESS_KEY_ID="+a.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+a.Credentials.SecretAccessKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+a.URL(""),
		"AWS_CONFIG_FILE="+s.work+"/none", "AWS_SHARED_CREDENTIALS_FILE="+s.work+"/none", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")
	return s
}

// write puts a file into the working directory.
func (s *shell) write(name string, content []byte) {
	s.T.Helper()
	s.Check(os.WriteFile(filepath.Join(s.work, name), content, 0o600))
}

// try runs a program and returns what it prints to stdout, and to stderr if it fails.
func (s *shell) try(program string, args ...string) (string, error) {
	var out, errs strings.Builder
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.work, s.env, &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String() + errs.String(), err
	}
	return out.String(), nil
}

func (s *shell) run(program string, args ...string) string {
	s.T.Helper()
	out, err := s.try(program, args...)
	if err != nil {
		s.T.Fatalf("%s %.80q: %v\n%s", program, args, err, harness.Tail(out, 40))
	}
	return out
}

// aws runs AWS's command and returns its answer. It names the endpoint, for older ones do not
// know the variable.
func (s *shell) aws(args ...string) (values map[string]any) {
	s.T.Helper()
	out := s.run("aws", append([]string{"--endpoint-url", s.URL(""), "--output", "json"}, args...)...)
	if out != "" {
		s.Check(json.Unmarshal([]byte(out), &values))
	}
	return values
}

// want fails unless out has all texts.
func (s *shell) want(out string, texts ...string) {
	s.T.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			s.T.Errorf("no %q in:\n%s", text, harness.Tail(out, 30))
		}
	}
}

// needs fails with what to install when a program is not there.
func needs(t *testing.T, program, install string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%v: install %s", err, install)
	}
}

func TestAPIServesTheAWSCommand(t *testing.T) {
	harness.Slow(t, "the command starts 40 times")
	harness.Parallel(t)
	needs(t, "aws", "the AWS command line (Debian: awscli)")
	a := harness.NewAPI(t, "", "function /cli cli")
	s := newShell(a)
	s.write("one.zip", harness.NodeZip(t, "console.log('logged by', event.name); return { statusCode: 200, body: `one for ${event.name}` };"))
	s.write("two.zip", harness.NodeZip(t, harness.Answers("two")))
	s.write("event.json", []byte(`{"name":"Ada"}`))
	// A file of bytes as the payload is the one form that both majors take.
	aws := s.aws
	text := func(values map[string]any) string { return fmt.Sprint(values) }
	invoke := func(name string) string {
		t.Helper()
		result := aws("lambda", "invoke", "--function-name", name, "--payload", "fileb://event.json", "--log-type", "Tail", "out.json")
		s.want(text(result), "StatusCode:200", "LogResult:")
		out, err := os.ReadFile(filepath.Join(s.work, "out.json"))
		a.Check(err)
		return string(out)
	}
	created := aws("lambda", "create-function", "--function-name", "cli", "--runtime", "nodejs20.x", "--handler", "index.handler",
		"--role", harness.APIRole, "--zip-file", "fileb://one.zip", "--environment", "Variables={OWN=mine}", "--tags", "team=a")
	s.want(text(created), "FunctionArn:"+arnOf+"cli", "Variables:map[OWN:mine]", "PackageType:Zip")
	aws("lambda", "wait", "function-exists", "--function-name", "cli")
	aws("lambda", "wait", "function-active-v2", "--function-name", "cli")
	s.want(invoke("cli"), "one for Ada")
	s.want(text(aws("lambda", "publish-version", "--function-name", "cli")), "Version:1")
	aws("lambda", "update-function-code", "--function-name", "cli", "--zip-file", "fileb://two.zip")
	aws("lambda", "wait", "function-updated-v2", "--function-name", "cli")
	s.want(invoke("cli"), "two")
	s.want(a.Get("/cli").Body, "two")
	s.want(text(aws("lambda", "create-alias", "--function-name", "cli", "--name", "live", "--function-version", "1")), "AliasArn:"+arnOf+"cli:live")
	s.want(invoke("cli:live"), "one for Ada")
	aws("lambda", "update-function-configuration", "--function-name", "cli", "--timeout", "7", "--memory-size", "256")
	s.want(text(aws("lambda", "get-function-configuration", "--function-name", "cli")), "Timeout:7", "MemorySize:256")
	s.want(text(aws("lambda", "list-functions")), "FunctionName:cli")
	s.want(text(aws("lambda", "list-versions-by-function", "--function-name", "cli", "--max-items", "1")), "NextToken:")
	s.want(text(aws("lambda", "get-account-settings")), "FunctionCount:1")
	s.want(text(aws("lambda", "get-function", "--function-name", "cli")), "team:a", "Location:"+a.URL("/"))

	const group = "/aws/lambda/cli"
	s.want(text(aws("logs", "describe-log-groups", "--log-group-name-prefix", "/aws/")), "logGroupName:"+group)
	harness.Eventually(t, "the line is in the log", func() bool {
		return strings.Contains(text(aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", `"logged by" -START`)), "logged by Ada")
	})
	if strings.Contains(s.run("aws", "--version"), "aws-cli/2") { // tail came with 2
		s.want(s.run("aws", "--endpoint-url", a.URL(""), "logs", "tail", group, "--since", "1h"), "logged by Ada")
		s.want(follow(a, s, group), "logged by Ada")
	}
	s.want(text(aws("logs", "describe-log-streams", "--log-group-name", group)), "logStreamName:")
	aws("logs", "put-retention-policy", "--log-group-name", group, "--retention-in-days", "7")
	s.want(text(aws("logs", "describe-log-groups")), "retentionInDays:7")

	out, err := s.try("aws", "--endpoint-url", a.URL(""), "lambda", "get-function", "--function-name", "missing")
	if err == nil {
		t.Errorf("a function that is missing: %s", out)
	}
	s.want(out, "An error occurred (ResourceNotFoundException) when calling the GetFunction operation: Function not found: "+arnOf+"missing")
	aws("lambda", "delete-alias", "--function-name", "cli", "--name", "live")
	aws("lambda", "delete-function", "--function-name", "cli")
	aws("logs", "delete-log-group", "--log-group-name", group)
	s.want(text(aws("logs", "describe-log-groups")), "logGroups:[]")
	s.want(text(aws("lambda", "list-functions")), "Functions:[]")
}

// follow is what aws logs tail --follow has printed once something comes.
func follow(a *harness.API, s *shell, group string) string {
	a.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "aws", "--endpoint-url", a.URL(""), "logs", "tail", group, "--since", "1h", "--follow")
	cmd.Env = s.env
	printed, err := cmd.StdoutPipe()
	a.Check(err)
	a.Check(cmd.Start())
	buf := make([]byte, 64<<10)
	for !strings.Contains(out.String(), "REPORT") {
		n, err := printed.Read(buf)
		if err != nil {
			break
		}
		out.Write(buf[:n])
	}
	cancel()
	_ = cmd.Wait() // it was killed
	return out.String()
}
