package api

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

const (
	nodeLife   = "return { statusCode: 200, body: event.rawPath.endsWith('env') ? `${process.env.OWN}` : 'hello from Node' };"
	pythonLife = `import os
def handler(event, context):
    return {"statusCode": 200, "body": os.environ["OWN"] if event["rawPath"].endswith("env") else "hello from Python"}
`
)

// A life is what one function of a runtime does before and after its updates.
type life struct {
	runtime        types.Runtime
	handler        string
	code, newCode  []byte
	path           string // where the code shows
	answer, newOne string
	envPath        string // where the variable OWN shows
}

func TestAPIFunctionsOfEveryRuntimeLiveFromCreateToDelete(t *testing.T) {
	harness.Slow(t, "it compiles Java and Go")
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /node/* node\nfunction /python/* python\nfunction /java/* java\nfunction /go/* go")
	_, jar, _ := a.JavaCode()
	java, err := os.ReadFile(jar)
	a.Check(err)
	bootstrap, err := os.ReadFile(filepath.Join(a.GoFunction(), "bootstrap"))
	a.Check(err)
	for name, l := range map[string]life{
		"node": {types.RuntimeNodejs20x, "index.handler", harness.NodeZip(t, nodeLife), harness.NodeZip(t, strings.ReplaceAll(nodeLife, "hello", "goodbye")),
			"/x", "hello from Node", "goodbye from Node", "/env"},
		"python": {types.RuntimePython311, "app.handler", harness.ZipOf(t, map[string]string{"app.py": pythonLife}),
			harness.ZipOf(t, map[string]string{"app.py": strings.ReplaceAll(pythonLife, "hello", "goodbye")}), "/x", "hello from Python", "goodbye from Python", "/env"},
		"java": {types.RuntimeJava17, "example.Functions", harness.ZipOf(t, map[string]string{"lib/functions.jar": string(java), "data.txt": "old"}),
			harness.ZipOf(t, map[string]string{"lib/functions.jar": string(java), "data.txt": "new"}), "/file", "oldold", "newnew", "/env"},
		"go": {types.RuntimeProvidedal2023, "any.thing", harness.ZipOf(t, map[string]string{"bootstrap": string(bootstrap)}),
			harness.ZipOf(t, map[string]string{"bootstrap": harness.BashBootstrap}), "/x", "hello from Go", "hello from bash", "/context"},
	} {
		t.Run(name, func(t *testing.T) { liveLife(a, t, name, &l) })
	}
}

func liveLife(a *harness.API, t *testing.T, name string, l *life) {
	ctx := context.Background()
	a.Get("/"+name+l.path).Want(t, 404, "")
	created := a.Create(name, l.code, func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler, in.MemorySize, in.Description = l.runtime, &l.handler, aws.Int32(256), aws.String("a life")
	})
	if aws.ToString(created.Role) != harness.APIRole || aws.ToInt32(created.MemorySize) != 256 || aws.ToString(created.Version) != "$LATEST" ||
		aws.ToString(created.FunctionArn) != "arn:aws:lambda:us-east-1:000000000000:function:"+name || created.CodeSize != int64(len(l.code)) {
		t.Errorf("created %+v", created)
	}
	a.Get("/"+name+l.path).Want(t, 200, l.answer)
	a.WantCall(name, `{"version":"2.0","rawPath":"`+l.path+`"}`, l.answer)
	a.WantCall("000000000000:function:"+name, `{"version":"2.0","rawPath":"`+l.path+`"}`, l.answer)
	a.WantCall(*created.FunctionArn+":$LATEST", `{"version":"2.0","rawPath":"`+l.path+`"}`, l.answer)

	updated, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, Environment: &types.Environment{Variables: map[string]string{"OWN": "mine"}},
	})
	a.Check(err)
	if *updated.RevisionId == *created.RevisionId || aws.ToString(updated.Description) != "a life" {
		t.Errorf("the update left revision %s and description %q", *updated.RevisionId, *updated.Description)
	}
	a.Check(lambda.NewFunctionUpdatedV2Waiter(a).Wait(ctx, &lambda.GetFunctionInput{FunctionName: &name}, time.Minute))
	a.Get("/"+name+l.envPath).Want(t, 200, "mine")
	a.WantCall(name, `{"version":"2.0","rawPath":"`+l.envPath+`"}`, "mine")

	changed := a.UpdateCode(name, l.newCode)
	if *changed.CodeSha256 == *created.CodeSha256 {
		t.Error("the digest of the new code is that of the old")
	}
	a.Get("/"+name+l.path).Want(t, 200, l.newOne)
	a.WantCall(name, `{"version":"2.0","rawPath":"`+l.path+`"}`, l.newOne)

	listed, err := a.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	a.Check(err)
	if len(listed.Functions) != 1 || *listed.Functions[0].FunctionName != name || *listed.Functions[0].CodeSha256 != *changed.CodeSha256 {
		t.Errorf("listed %+v", listed.Functions)
	}
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
	a.Check(err)
	_, err = a.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found: "+*created.FunctionArn)
	_, err = a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found: "+*created.FunctionArn)
	a.Get("/"+name+l.path).Want(t, 404, "")
}

func TestAPIFunctionSurvivesARestartAndKeepsItsEnvironmentOverAReload(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /counter counter")
	counter := "globalThis.n = (globalThis.n ?? 0) + 1; return { statusCode: 200, body: `call ${n} of ${context.functionVersion}` };"
	a.Create("counter", harness.NodeZip(t, counter), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	a.WantCall("counter", "{}", "call 1 of $LATEST")
	a.WantCall("counter:1", "{}", "call 1 of 1")

	a.Configure("", "function /counter counter\nrespond /new new")
	a.Reload()
	a.Get("/new").Want(t, 200, "new")
	a.Get("/counter").Want(t, 200, "call 2 of $LATEST")
	a.WantCall("counter", "{}", "call 3 of $LATEST")
	a.WantCall("counter:1", "{}", "call 2 of 1")

	before, err := a.GetFunction(context.Background(), &lambda.GetFunctionInput{FunctionName: aws.String("counter")})
	a.Check(err)
	a.Stop()
	a.Restart()
	after, err := a.GetFunction(context.Background(), &lambda.GetFunctionInput{FunctionName: aws.String("counter")})
	a.Check(err)
	if *after.Configuration.RevisionId != *before.Configuration.RevisionId || *after.Configuration.LastModified != *before.Configuration.LastModified {
		t.Errorf("after the restart %+v, before %+v", after.Configuration, before.Configuration)
	}
	a.Get("/counter").Want(t, 200, "call 1 of $LATEST")
	a.WantCall("counter", "{}", "call 2 of $LATEST")
	a.WantCall("counter:1", "{}", "call 1 of 1")
}

func TestAPIFunctionSurvivesThatTheServerIsKilled(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /f f")
	a.Create("f", harness.NodeZip(t, harness.Answers("first")))
	a.UpdateCode("f", harness.NodeZip(t, harness.Answers("second")))
	a.WantCall("f", "{}", "second")
	tree := harness.Descendants(a.Cmd.Process.Pid)
	a.Check(a.Cmd.Process.Kill())
	<-a.Exited
	a.Cmd = nil
	for _, pid := range tree {
		harness.Eventually(t, "the environments end with the server", func() bool { return !harness.Alive(pid) })
	}
	a.Restart()
	a.Get("/f").Want(t, 200, "second")
	a.WantCall("f", "{}", "second")
}
