package tests

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
	a := newAPI(t, "", "invoke /node/* node\ninvoke /python/* python\ninvoke /java/* java\ninvoke /go/* go")
	_, jar, _ := a.javaCode()
	java, err := os.ReadFile(jar)
	a.check(err)
	bootstrap, err := os.ReadFile(filepath.Join(a.goFunction(), "bootstrap"))
	a.check(err)
	for name, l := range map[string]life{
		"node": {types.RuntimeNodejs20x, "index.handler", nodeZip(t, nodeLife), nodeZip(t, strings.ReplaceAll(nodeLife, "hello", "goodbye")),
			"/x", "hello from Node", "goodbye from Node", "/env"},
		"python": {types.RuntimePython311, "app.handler", zipOf(t, map[string]string{"app.py": pythonLife}),
			zipOf(t, map[string]string{"app.py": strings.ReplaceAll(pythonLife, "hello", "goodbye")}), "/x", "hello from Python", "goodbye from Python", "/env"},
		"java": {types.RuntimeJava17, "example.Functions", zipOf(t, map[string]string{"lib/functions.jar": string(java), "data.txt": "old"}),
			zipOf(t, map[string]string{"lib/functions.jar": string(java), "data.txt": "new"}), "/file", "oldold", "newnew", "/env"},
		"go": {types.RuntimeProvidedal2023, "any.thing", zipOf(t, map[string]string{"bootstrap": string(bootstrap)}),
			zipOf(t, map[string]string{"bootstrap": bashBootstrap}), "/x", "hello from Go", "hello from bash", "/context"},
	} {
		t.Run(name, func(t *testing.T) { a.live(t, name, &l) })
	}
}

func (a *api) live(t *testing.T, name string, l *life) {
	ctx := context.Background()
	a.get("/"+name+l.path).want(t, 404, "")
	created := a.create(name, l.code, func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler, in.MemorySize, in.Description = l.runtime, &l.handler, aws.Int32(256), aws.String("a life")
	})
	if aws.ToString(created.Role) != apiRole || aws.ToInt32(created.MemorySize) != 256 || aws.ToString(created.Version) != "$LATEST" ||
		aws.ToString(created.FunctionArn) != "arn:aws:lambda:us-east-1:000000000000:function:"+name || created.CodeSize != int64(len(l.code)) {
		t.Errorf("created %+v", created)
	}
	a.get("/"+name+l.path).want(t, 200, l.answer)
	a.wantCall(name, `{"version":"2.0","rawPath":"`+l.path+`"}`, l.answer)
	a.wantCall("000000000000:function:"+name, `{"version":"2.0","rawPath":"`+l.path+`"}`, l.answer)
	a.wantCall(*created.FunctionArn+":$LATEST", `{"version":"2.0","rawPath":"`+l.path+`"}`, l.answer)

	updated, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, Environment: &types.Environment{Variables: map[string]string{"OWN": "mine"}},
	})
	a.check(err)
	if *updated.RevisionId == *created.RevisionId || aws.ToString(updated.Description) != "a life" {
		t.Errorf("the update left revision %s and description %q", *updated.RevisionId, *updated.Description)
	}
	a.check(lambda.NewFunctionUpdatedV2Waiter(a).Wait(ctx, &lambda.GetFunctionInput{FunctionName: &name}, time.Minute))
	a.get("/"+name+l.envPath).want(t, 200, "mine")
	a.wantCall(name, `{"version":"2.0","rawPath":"`+l.envPath+`"}`, "mine")

	changed := a.updateCode(name, l.newCode)
	if *changed.CodeSha256 == *created.CodeSha256 {
		t.Error("the digest of the new code is that of the old")
	}
	a.get("/"+name+l.path).want(t, 200, l.newOne)
	a.wantCall(name, `{"version":"2.0","rawPath":"`+l.path+`"}`, l.newOne)

	listed, err := a.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	a.check(err)
	if len(listed.Functions) != 1 || *listed.Functions[0].FunctionName != name || *listed.Functions[0].CodeSha256 != *changed.CodeSha256 {
		t.Errorf("listed %+v", listed.Functions)
	}
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
	a.check(err)
	_, err = a.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name})
	refused(t, err, 404, "ResourceNotFoundException", "Function not found: "+*created.FunctionArn)
	_, err = a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
	refused(t, err, 404, "ResourceNotFoundException", "Function not found: "+*created.FunctionArn)
	a.get("/"+name+l.path).want(t, 404, "")
}

func TestAPIFunctionSurvivesARestartAndKeepsItsEnvironmentOverAReload(t *testing.T) {
	a := newAPI(t, "", "invoke /counter counter")
	counter := "globalThis.n = (globalThis.n ?? 0) + 1; return { statusCode: 200, body: `call ${n} of ${context.functionVersion}` };"
	a.create("counter", nodeZip(t, counter), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	a.wantCall("counter", "{}", "call 1 of $LATEST")
	a.wantCall("counter:1", "{}", "call 1 of 1")

	a.configure("", "invoke /counter counter\nrespond /new new")
	a.reload()
	a.get("/new").want(t, 200, "new")
	a.get("/counter").want(t, 200, "call 2 of $LATEST")
	a.wantCall("counter", "{}", "call 3 of $LATEST")
	a.wantCall("counter:1", "{}", "call 2 of 1")

	before, err := a.GetFunction(context.Background(), &lambda.GetFunctionInput{FunctionName: aws.String("counter")})
	a.check(err)
	a.stop()
	a.restart()
	after, err := a.GetFunction(context.Background(), &lambda.GetFunctionInput{FunctionName: aws.String("counter")})
	a.check(err)
	if *after.Configuration.RevisionId != *before.Configuration.RevisionId || *after.Configuration.LastModified != *before.Configuration.LastModified {
		t.Errorf("after the restart %+v, before %+v", after.Configuration, before.Configuration)
	}
	a.get("/counter").want(t, 200, "call 1 of $LATEST")
	a.wantCall("counter", "{}", "call 2 of $LATEST")
	a.wantCall("counter:1", "{}", "call 1 of 1")
}

func TestAPIFunctionSurvivesThatTheServerIsKilled(t *testing.T) {
	a := newAPI(t, "", "invoke /f f")
	a.create("f", nodeZip(t, answers("first")))
	a.updateCode("f", nodeZip(t, answers("second")))
	a.wantCall("f", "{}", "second")
	tree := descendants(a.cmd.Process.Pid)
	a.check(a.cmd.Process.Kill())
	<-a.exited
	a.cmd = nil
	for _, pid := range tree {
		eventually(t, "the environments end with the server", func() bool { return !alive(pid) })
	}
	a.restart()
	a.get("/f").want(t, 200, "second")
	a.wantCall("f", "{}", "second")
}
