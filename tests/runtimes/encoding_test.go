package runtimes

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// Text is UTF-8 in every runtime, whatever locales the machine has: CI's has none but
// C.UTF-8, as a minimal Debian.
func TestTextIsUTF8InEveryRuntimeAndItsChildren(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	folder, _, _ := s.JavaCode()
	node := s.Code("node", map[string]string{"index.js": `exports.handler = async () => ({ statusCode: 200,
		body: require('child_process').execFileSync('bash', ['-c', 'echo -n ${#1} $1', 'x', 'é日']).toString() })`})
	python := s.Code("python", map[string]string{"app.py": `
import locale, os, subprocess, sys
locale.setlocale(locale.LC_ALL, "")
def handler(event, context):
    open("/tmp/é日", "w").write("日")
    out = subprocess.check_output(["bash", "-c", "echo -n ${#1} $1", "x", "é日"], text=True)
    return {"statusCode": 200, "body": " ".join([out, sys.getfilesystemencoding(), locale.getpreferredencoding().lower(), *os.listdir("/tmp")])}
`})
	bash := s.Code("bash", map[string]string{"any.sh": ""})
	writeScript(s, bash, "bootstrap", fmt.Sprintf(shellBootstrap, `text=é日; body="${#text} $text"`))
	s.Configure(javaFunction("java", "example.Encodings::handle", folder, "")+harness.NodeFunction("node", node, "")+harness.PythonFunction("python", python, "")+
		customFunction("bash", bash, ""), "function /java java\nfunction /node node\nfunction /python python\nfunction /bash bash")
	s.Start()
	s.Get("/java").Want(t, 200, "[true, true, true, true, true]")
	s.WantLog("java", "é日 printed")
	s.Get("/node").Want(t, 200, "2 é日")
	s.Get("/python").Want(t, 200, "2 é日 utf-8 utf-8 é日")
	s.Get("/bash").Want(t, 200, "2 é日")
}

// shellBootstrap begins as AWS's tutorial has it begin, and answers with $body.
const shellBootstrap = `#!/bin/sh
set -euo pipefail
source "$LAMBDA_TASK_ROOT/$(echo "$_HANDLER" | cut -d. -f1).sh"
while true; do
	HEADERS="$(mktemp)"
	curl -sS -L -D "$HEADERS" -o /dev/null "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next"
	ID=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)
	%s
	curl -sS "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"$body\"}" >/dev/null
done
`

func TestShellIsBashAsOnLambda(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	bash := s.Code("bash", map[string]string{"any.sh": "words=(sourced)\nhandled() { echo \"${words[0]}\"; }\n"})
	writeScript(s, bash, "bootstrap", fmt.Sprintf(shellBootstrap, `body="$(handled) $(false | true || echo pipefail)"`))
	node := s.Code("node", map[string]string{"index.js": `exports.handler = async () => ({ statusCode: 200,
		body: require('child_process').execSync('set -o pipefail; x=(a b); echo ${x[1]}; /usr/bin/sh -c "echo \\${BASH_VERSION:+bash}"').toString() })`})
	s.Configure(customFunction("bash", bash, "")+harness.NodeFunction("node", node, ""), "function /bash bash\nfunction /node node")
	s.Start()
	s.Get("/bash").Want(t, 200, "sourced pipefail")
	s.Get("/node").Want(t, 200, "b\nbash\n")
}

// A library of a layer is found by its bare name from a stem too, whose C library has
// looked for libraries before there was a layer.
func TestLibrariesAndProgramsOfLayersAreFoundFromAStem(t *testing.T) {
	harness.Parallel(t)
	libraries, err := filepath.Glob("/usr/lib/*/libz.so.1")
	if err != nil || len(libraries) == 0 {
		t.Fatalf("no libz.so.1 on this machine: install zlib1g, %v", err)
	}
	library, err := os.ReadFile(libraries[0])
	if err != nil {
		t.Fatal(err)
	}
	s := harness.NewServer(t, "", "")
	folder, _, _ := s.JavaCode()
	layer := s.Archive("layer.zip", map[string]string{"lib/libanswer.so": string(library), "bin/tool!": "#!/bin/sh\necho -n tool"})
	python := s.Archive("python.zip", map[string]string{"lib/libown.so": string(library), "app.py": `
import ctypes, subprocess
def handler(event, context):
    ctypes.CDLL("libown.so")
    return {"statusCode": 200, "body": str(ctypes.CDLL("libanswer.so").zlibCompileFlags() != 0) + subprocess.check_output("tool", text=True)}
`})
	node := s.Code("node", map[string]string{"index.js": `exports.handler = async () => {
	try { process.dlopen({ exports: {} }, 'libanswer.so') } catch (e) { // it loads, and is no addon
		return { statusCode: 200, body: e.message + require('child_process').execFileSync('tool') } } }`})
	s.Configure(harness.PythonFunction("python", python, "layer "+layer)+harness.NodeFunction("node", node, "layer "+layer)+
		javaFunction("java", "example.Encodings::load", folder, "layer "+layer), "function /python python\nfunction /node node\nfunction /java java")
	s.Start()
	for _, family := range []string{"nodejs", "python", "java"} {
		s.AwaitStem(family)
	}
	s.Get("/python").Want(t, 200, "Truetool")
	s.Get("/node").Want(t, 200, "Module did not self-register: 'libanswer.so'.tool")
	s.Get("/java").Want(t, 200, "loadedtool")
	for _, runtime := range []string{"nodejs20.x", "python3.11", javaRuntime} {
		if s.FromStems(runtime) != 1 {
			t.Errorf("%s was not started from a stem", runtime)
		}
	}
}
