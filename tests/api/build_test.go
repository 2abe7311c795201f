package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// A program that is its own runtime, of the standard library alone.
const goProgram = `package main

import (
	"io"
	"net/http"
	"os"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			os.Exit(1)
		}
		event, _ := io.ReadAll(next.Body)
		next.Body.Close()
		if _, err := http.Post(api+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", http.NoBody); err != nil || len(event) == 0 {
			os.Exit(1)
		}
	}
}
`

// mavenWrapper stands for Maven, whose plugins come from a repository: it makes the jar that the
// package phase leaves, and a smaller one beside it.
const mavenWrapper = `#!/bin/sh
set -e
case "$*" in *-DskipTests*package*) ;; *) exit 3 ;; esac
mkdir -p target/classes
javac --release 17 -d target/classes src/main/java/example/Hello.java
jar --create --file target/hello.jar -C target/classes .
: > target/original-hello.jar
`

// Each tool is the real one, with what it installs beside it, so that no registry is asked.
func TestDeployBuildsWithTheToolsOfTheMachine(t *testing.T) {
	harness.Slow(t, "it compiles")
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	wheels := filepath.Join(a.Dir, "wheels")
	a.Check(os.Mkdir(wheels, 0o755))
	a.Check(os.WriteFile(filepath.Join(wheels, "greeting-1.0-py3-none-any.whl"), harness.ZipOf(t, map[string]string{
		"greeting.py":                     "def of(name): return 'Hello, ' + name",
		"greeting-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"greeting-1.0.dist-info/RECORD":   "greeting.py,,\ngreeting-1.0.dist-info/WHEEL,,\ngreeting-1.0.dist-info/METADATA,,\ngreeting-1.0.dist-info/RECORD,,\n",
		"greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
	}), 0o644))
	for name, test := range map[string]struct {
		files map[string]string
		flags []string
		event string
		want  string
	}{
		"go":     {map[string]string{"go.mod": "module f\n\ngo 1.21\n", "main.go": goProgram}, nil, "{}", ""},
		"python": {map[string]string{"requirements.txt": "greeting==1.0\n", "app.py": "import greeting\ndef handler(event, context): return greeting.of(event['name'])"}, nil, `{"name":"Ada"}`, `"Hello, Ada"`},
		"node":   {map[string]string{"package.json": `{"dependencies":{"greeting":"file:./greeting"}}`, "greeting/package.json": `{"name":"greeting","version":"1.0.0"}`, "greeting/index.js": "module.exports = (name) => 'Hello, ' + name", "index.js": "exports.handler = async (e) => require('greeting')(e.name)"}, nil, `{"name":"Ada"}`, `"Hello, Ada"`},
		"java":   {map[string]string{"pom.xml": "<project/>", "mvnw": mavenWrapper, "src/main/java/example/Hello.java": "package example;\npublic class Hello { public String handle(java.util.Map<String, Object> event) { return \"Hello, \" + event.get(\"name\"); } }\n"}, []string{"--handler", "example.Hello::handle", "--memory", "256", "--timeout", "20"}, `{"name":"Ada"}`, `"Hello, Ada"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := a.Code(name, test.files)
			if _, is := test.files["mvnw"]; is {
				a.Check(os.Chmod(filepath.Join(dir, "mvnw"), 0o755))
			}
			command := a.HearthCommand(append([]string{"deploy", dir, "--build"}, test.flags...)...)
			command.Env = append(command.Env, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+wheels, "UV_OFFLINE=1", "UV_FIND_LINKS="+wheels, "NPM_CONFIG_OFFLINE=true")
			if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "created version 1") {
				t.Fatalf("deploy --build: %v\n%s", err, out)
			}
			out, code := a.Hearth("invoke", name, test.event)
			if code != 0 || strings.TrimSpace(out) != test.want {
				t.Errorf("it answers %q with exit code %d, want %s", out, code, test.want)
			}
		})
	}
}
