package tests

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// hearthCommand is `caddy hearth` as the server's own user on its machine: without an
// address or a key.
func (a *api) hearthCommand(args ...string) *exec.Cmd {
	a.t.Helper()
	cmd := exec.Command(caddyBinary(a.t), append([]string{"hearth"}, args...)...)
	cmd.Env = append(os.Environ(), "HEARTH_DATA_DIR="+a.dir+"/data", "XDG_DATA_HOME="+a.dir+"/xdg", "XDG_CONFIG_HOME="+a.dir+"/xdg")
	return cmd
}

func (a *api) hearth(args ...string) (stdout string, exit int) {
	a.t.Helper()
	out, err := a.hearthCommand(args...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return string(out) + string(failed.Stderr), failed.ExitCode()
	}
	a.check(err)
	return string(out), 0
}

// wantHearth fails unless the command ends with the code and prints the texts.
func (a *api) wantHearth(exit int, texts []string, args ...string) string {
	a.t.Helper()
	out, code := a.hearth(args...)
	for _, text := range texts {
		if !strings.Contains(out, text) || code != exit {
			a.t.Errorf("caddy hearth %q ends with %d and prints %s; want %d and %q", args, code, out, exit, text)
		}
	}
	return out
}

func TestCommandsDeployInvokeRollBackAndDelete(t *testing.T) {
	a := newAPI(t, "", "invoke /hello hello")
	source := func(answer string) string {
		return a.code("hello", map[string]string{
			"index.mjs":   "export const handler = async (event) => { console.log('logged by', event.name); if (event.fail) throw new Error('asked to fail'); return { statusCode: 200, body: '" + answer + "' }; };",
			"hearth.json": `{"runtime": "nodejs20.x", "env": {"OWN": "mine"}}`,
		})
	}
	dir := source("one")
	out := a.wantHearth(0, []string{"http://", ".fn.localhost"}, "deploy", dir, "--url", "public")
	address := strings.TrimSpace(out[strings.LastIndex(out, "http://"):])
	a.do(a.urlRequest("GET", address, "/", "")).want(t, 200, "one")
	a.get("/hello").want(t, 200, "one")
	a.wantHearth(0, []string{`"body":"one"`}, "invoke", "hello", `{"name":"Ada"}`)

	source("two")
	a.wantHearth(0, []string{address}, "deploy", dir)
	a.get("/hello").want(t, 200, "two")
	before := a.wantHearth(0, []string{"hello"}, "list", "--json")
	a.wantHearth(0, []string{address}, "deploy", dir)
	if after := a.wantHearth(0, nil, "list", "--json"); after != before || !json.Valid([]byte(before)) {
		t.Errorf("deploying the same again changed %s to %s", before, after)
	}
	a.wantHearth(0, []string{"hello"}, "rollback", "hello")
	a.get("/hello").want(t, 200, "one")
	eventually(t, "the line is in the log", func() bool {
		out, _ := a.hearth("logs", "hello")
		return strings.Contains(out, "logged by Ada")
	})

	a.wantHearth(3, []string{"asked to fail"}, "invoke", "hello", `{"fail":true}`)
	a.wantHearth(4, []string{"missing"}, "invoke", "missing", "{}")
	a.wantHearth(2, []string{"payload"}, "invoke", "hello", "{")
	a.wantHearth(1, []string{"less than or equal to 5400"}, "deploy", dir, "--timeout", "5401")
	a.wantHearth(2, []string{"usage"}, "deploy")
	a.wantHearth(0, []string{"hello"}, "delete", "hello")
	a.wantHearth(4, []string{"hello"}, "delete", "hello")
	a.get("/hello").want(t, 404, "")
}

// What serves a function instead of what its runtime names is told to who deploys it.
// Nothing of ours runs on Node.js 16, so nodejs16.x always has another.
func TestDeployTellsThatAnotherVersionServes(t *testing.T) {
	a := newAPI(t, "", "invoke /old old")
	dir := a.code("old", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: process.version })"})
	a.wantHearth(0, []string{"warning: runtime nodejs16.x is served by Node.js "}, "deploy", dir, "--runtime", "nodejs16.x")
	version := a.get("/old").body
	a.wantHearth(0, []string{`"runtime_version":"nodejs-` + strings.TrimPrefix(version, "v") + `"`, `"warning":"runtime nodejs16.x is served by`}, "deploy", dir, "--json")
	f, err := a.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("old")})
	a.check(err)
	v := f.Configuration.RuntimeVersionConfig
	if arn := "arn:aws:lambda:us-east-1::runtime:nodejs-" + strings.TrimPrefix(version, "v"); aws.ToString(v.RuntimeVersionArn) != arn ||
		v.Error == nil || aws.ToString(v.Error.ErrorCode) != "OtherVersion" {
		t.Errorf("got %s, %+v, want %s", aws.ToString(v.RuntimeVersionArn), v.Error, arn)
	}
}

func TestRollingBackTwiceGoesBackTwice(t *testing.T) {
	a := newAPI(t, "", "invoke /hello hello")
	for _, answer := range []string{"one", "two", "three"} {
		dir := a.code("hello", map[string]string{"index.mjs": "export const handler = async () => '" + answer + "';"})
		a.wantHearth(0, nil, "deploy", dir)
	}
	a.get("/hello").want(t, 200, "three")
	a.wantHearth(0, []string{"version 2 again, now as version 4"}, "rollback", "hello")
	a.get("/hello").want(t, 200, "two")
	a.wantHearth(0, []string{"version 1 again, now as version 5"}, "rollback", "hello")
	a.get("/hello").want(t, 200, "one")
	a.wantHearth(1, []string{"no earlier version", "--to"}, "rollback", "hello")
	a.wantHearth(0, []string{"version 3 again, now as version 6"}, "rollback", "hello", "--to", "3")
	a.get("/hello").want(t, 200, "three")
}

func TestDeployDoesNotPutFilesOfAnotherLanguageOnTheOldRuntime(t *testing.T) {
	a := newAPI(t, "", "invoke /hello hello")
	dir := a.code("hello", map[string]string{"app.py": "def handler(event, context):\n    return 'snake'\n"})
	a.wantHearth(0, []string{"python3.13"}, "deploy", dir)
	a.get("/hello").want(t, 200, "snake")

	a.check(os.Remove(dir + "/app.py"))
	a.check(os.WriteFile(dir+"/index.mjs", []byte("export const handler = async () => 'node';"), 0o644))
	a.wantHearth(2, []string{"nodejs22.x", "python3.13", "--runtime"}, "deploy", dir)
	a.get("/hello").want(t, 200, "snake")
	a.wantHearth(0, []string{"(nodejs22.x, index.handler)"}, "deploy", dir, "--runtime", "nodejs22.x")
	a.get("/hello").want(t, 200, "node")
	a.wantHearth(0, []string{"is as it was"}, "deploy", dir)
}
