package api

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestCommandsDeployInvokeRollBackAndDelete(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /hello hello")
	source := func(answer string) string {
		return a.Code("hello", map[string]string{
			"index.mjs":   "export const handler = async (event) => { console.log('logged by', event.name); if (event.fail) throw new Error('asked to fail'); return { statusCode: 200, body: '" + answer + "' }; };",
			"hearth.json": `{"runtime": "nodejs20.x", "env": {"OWN": "mine"}}`,
		})
	}
	dir := source("one")
	out := a.WantHearth(0, []string{"http://", ".fn.localhost"}, "deploy", dir, "--url", "public")
	address := strings.TrimSpace(out[strings.LastIndex(out, "http://"):])
	a.Do(urlRequest(a, "GET", address, "/", "")).Want(t, 200, "one")
	a.Get("/hello").Want(t, 200, "one")
	a.WantHearth(0, []string{`"body":"one"`}, "invoke", "hello", `{"name":"Ada"}`)

	source("two")
	a.WantHearth(0, []string{address}, "deploy", dir)
	a.Get("/hello").Want(t, 200, "two")
	before := a.WantHearth(0, []string{"hello"}, "list", "--json")
	a.WantHearth(0, []string{address}, "deploy", dir)
	if after := a.WantHearth(0, nil, "list", "--json"); after != before || !json.Valid([]byte(before)) {
		t.Errorf("deploying the same again changed %s to %s", before, after)
	}
	a.WantHearth(0, []string{"hello"}, "rollback", "hello")
	a.Get("/hello").Want(t, 200, "one")
	harness.Eventually(t, "the line is in the log", func() bool {
		out, _ := a.Hearth("logs", "hello")
		return strings.Contains(out, "logged by Ada")
	})

	a.WantHearth(3, []string{"asked to fail"}, "invoke", "hello", `{"fail":true}`)
	a.WantHearth(4, []string{"missing"}, "invoke", "missing", "{}")
	a.WantHearth(2, []string{"payload"}, "invoke", "hello", "{")
	a.WantHearth(1, []string{"less than or equal to 5400"}, "deploy", dir, "--timeout", "5401")
	a.WantHearth(2, []string{"usage"}, "deploy")
	a.WantHearth(0, []string{"hello"}, "delete", "hello")
	a.WantHearth(4, []string{"hello"}, "delete", "hello")
	a.Get("/hello").Want(t, 404, "")
}

// What serves a function instead of what its runtime names is told to who deploys it.
// Nothing of ours runs on Node.js 16, so nodejs16.x always has another.
func TestDeployTellsThatAnotherVersionServes(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /old old")
	dir := a.Code("old", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: process.version })"})
	a.WantHearth(0, []string{"warning: runtime nodejs16.x is served by Node.js "}, "deploy", dir, "--runtime", "nodejs16.x")
	version := a.Get("/old").Body
	a.WantHearth(0, []string{`"runtime_version":"nodejs-` + strings.TrimPrefix(version, "v") + `"`, `"warning":"runtime nodejs16.x is served by`}, "deploy", dir, "--json")
	f, err := a.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("old")})
	a.Check(err)
	v := f.Configuration.RuntimeVersionConfig
	if arn := "arn:aws:lambda:us-east-1::runtime:nodejs-" + strings.TrimPrefix(version, "v"); aws.ToString(v.RuntimeVersionArn) != arn ||
		v.Error == nil || aws.ToString(v.Error.ErrorCode) != "OtherVersion" {
		t.Errorf("got %s, %+v, want %s", aws.ToString(v.RuntimeVersionArn), v.Error, arn)
	}
}

func TestRollingBackTwiceGoesBackTwice(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /hello hello")
	for _, answer := range []string{"one", "two", "three"} {
		dir := a.Code("hello", map[string]string{"index.mjs": "export const handler = async () => '" + answer + "';"})
		a.WantHearth(0, nil, "deploy", dir)
	}
	a.Get("/hello").Want(t, 200, "three")
	a.WantHearth(0, []string{"version 2 again, now as version 4"}, "rollback", "hello")
	a.Get("/hello").Want(t, 200, "two")
	a.WantHearth(0, []string{"version 1 again, now as version 5"}, "rollback", "hello")
	a.Get("/hello").Want(t, 200, "one")
	a.WantHearth(1, []string{"no earlier version", "--to"}, "rollback", "hello")
	a.WantHearth(0, []string{"version 3 again, now as version 6"}, "rollback", "hello", "--to", "3")
	a.Get("/hello").Want(t, 200, "three")
}

func TestDeployDoesNotPutFilesOfAnotherLanguageOnTheOldRuntime(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /hello hello")
	dir := a.Code("hello", map[string]string{"app.py": "def handler(event, context):\n    return 'snake'\n"})
	a.WantHearth(0, []string{"python3.13"}, "deploy", dir)
	a.Get("/hello").Want(t, 200, "snake")

	a.Check(os.Remove(dir + "/app.py"))
	a.Check(os.WriteFile(dir+"/index.mjs", []byte("export const handler = async () => 'node';"), 0o644))
	a.WantHearth(2, []string{"nodejs22.x", "python3.13", "--runtime"}, "deploy", dir)
	a.Get("/hello").Want(t, 200, "snake")
	a.WantHearth(0, []string{"(nodejs22.x, index.handler)"}, "deploy", dir, "--runtime", "nodejs22.x")
	a.Get("/hello").Want(t, 200, "node")
	a.WantHearth(0, []string{"is as it was"}, "deploy", dir)
}
