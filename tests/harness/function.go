package harness

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// GoFunction builds a function with AWS's runtime client for Go.
func (s *Server) GoFunction() string {
	s.T.Helper()
	dir := s.Code("go", map[string]string{"readme": ""})
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "bootstrap"), "../bootstrap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		s.T.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// The bootstrap of AWS's tutorial, more or less.
const BashBootstrap = `#!/bin/bash
set -eu
echo "init by bash" >&2
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
	HEADERS="$(mktemp)"
	EVENT="$(curl -sS -L -D "$HEADERS" "$API/invocation/next")"
	ID="$(grep -i ^lambda-runtime-aws-request-id: "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)"
	case "$EVENT" in
	*'/twice"'*)
		curl -sS "$API/invocation/$ID/response" -d '{"statusCode":200,"body":"first"}' >/dev/null
		curl -sS -o /dev/null -w '%{http_code}' "$API/invocation/$ID/response" -d '"second"' >/tmp/status ;;
	*'/other"'*)
		S="$(curl -sS -o /dev/null -w '%{http_code}' "$API/invocation/another-id/response" -d '"x"')"
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"other id got $S, init error got $(curl -sS -o /dev/null -w '%{http_code}' "$API/init/error" -d '{}')\"}" >/dev/null ;;
	*'/status"'*)
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"second response got $(cat /tmp/status)\"}" >/dev/null ;;
	*'/stale"'*)
		S="$(curl -sS -o /dev/null -w '%{http_code}' -H 'Lambda-Runtime-Invocation-Id: 999' "$API/invocation/$ID/response" -d '"x"')"
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"stale got $S\"}" >/dev/null ;;
	*'/error"'*)
		curl -sS -H 'Lambda-Runtime-Function-Error-Type: Function.Broken' "$API/invocation/$ID/error" -d '{"errorMessage":"said so","errorType":"Function.Broken"}' >/dev/null ;;
	*'/next"'*)
		S="$(curl -sS -o /dev/null -w '%{http_code}' "$API/invocation/next")"
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"next got $S\"}" >/dev/null ;;
	*'/large"'*)
		head -c 7000000 /dev/zero | tr '\0' x >/tmp/large
		curl -sS -o /dev/null -w '%{http_code}' -H 'Expect:' "$API/invocation/$ID/response" --data-binary @/tmp/large >/tmp/status ;;
	*'/telemetry"'*)
		S="$(curl -sS -X PUT "http://$AWS_LAMBDA_RUNTIME_API/2022-07-01/telemetry" -d '{}' | tr -d '"\n')"
		curl -sS "$API/invocation/$ID/response" -d "{\"statusCode\":200,\"body\":\"$S\"}" >/dev/null ;;
	*)
		curl -sS "$API/invocation/$ID/response" -d '{"statusCode":200,"body":"hello from bash"}' >/dev/null ;;
	esac
done
`

// NodeFunction is a function block with what most tests need.
func NodeFunction(name, dir, more string) string {
	if !strings.Contains("\n"+more, "\ntimeout ") {
		more += "\ntimeout 5s"
	}
	return fmt.Sprintf("function %s {\n runtime nodejs20.x\n handler index.handler\n code %s\n %s\n}\n", name, dir, more)
}

func PythonFunction(name, dir, more string) string {
	if !strings.Contains("\n"+more, "\ntimeout ") {
		more += "\ntimeout 5s"
	}
	return fmt.Sprintf("function %s {\n runtime python3.11\n handler app.handler\n code %s\n %s\n}\n", name, dir, more)
}

// JavaCode compiles the test's functions into a folder; jar and zip tell how they
// are packed.
func (s *Server) JavaCode() (folder, jar, lib string) {
	s.T.Helper()
	folder = s.Code("java", map[string]string{"data.txt": "data"})
	run := func(dir string, args ...string) {
		s.T.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			s.T.Fatalf("%q: %v (install a JDK)\n%s", args, err, out)
		}
	}
	interfaces, err := filepath.Abs("../../warmpool/runtimes/java/jars/interfaces.jar")
	if err != nil {
		s.T.Fatal(err)
	}
	const libraries = "/usr/share/java/"
	classpath := strings.Join([]string{interfaces, libraries + "gson.jar", libraries + "jackson-core.jar", libraries + "jackson-databind.jar", libraries + "joda-time.jar"}, ":")
	run("../javafunction", "javac", "--release", "17", "-proc:none", "-cp", classpath, "-sourcepath", ".", "-d", folder,
		"example/Functions.java", "example/Encodings.java", "example/Outputs.java", "example/Pojos.java", "example/Contexts.java")
	jar = filepath.Join(s.Dir, "functions.jar")
	manifest := filepath.Join(s.Dir, "manifest")
	if err := os.WriteFile(manifest, []byte("Implementation-Version: 1.2\n"), 0o600); err != nil {
		s.T.Fatal(err)
	}
	run(folder, "jar", "--create", "--file", jar, "--manifest", manifest, ".")
	lib = filepath.Join(s.Dir, "lib.zip") // as Gradle's buildZip packs it
	jarBytes, err := os.ReadFile(jar)
	if err != nil {
		s.T.Fatal(err)
	}
	s.Archive("lib.zip", map[string]string{"lib/functions.jar": string(jarBytes), "data.txt": "data"})
	return folder, jar, lib
}

// Archive writes a zip and returns its path; a name that ends in ! is executable.
func (s *Server) Archive(name string, files map[string]string) string {
	s.T.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for file, text := range files {
		mode := os.FileMode(0o600) // as people zip them; environments have users of their own
		if trimmed := file[:len(file)-1]; file[len(file)-1] == '!' {
			file, mode = trimmed, 0o700
		}
		h := &zip.FileHeader{Name: file, Method: zip.Deflate}
		h.SetMode(mode)
		entry, err := w.CreateHeader(h)
		if err != nil {
			s.T.Fatal(err)
		}
		if _, err := io.WriteString(entry, text); err != nil {
			s.T.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		s.T.Fatal(err)
	}
	path := filepath.Join(s.Dir, name)
	// Into its place in one step, as one deploys.
	if err := os.WriteFile(path+".new", b.Bytes(), 0o600); err != nil {
		s.T.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.T.Fatal(err)
	}
	return path
}
