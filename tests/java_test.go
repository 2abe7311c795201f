package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const javaRuntime = "java17"

func javaFunction(name, handler, code, more string) string {
	if !strings.Contains("\n"+more, "\ntimeout ") {
		more += "\ntimeout 10s"
	}
	if !strings.Contains("\n"+more, "\nmemory ") {
		more += "\nmemory 256"
	}
	return fmt.Sprintf("function %s {\n runtime %s\n handler %s\n code %s\n %s\n}\n", name, javaRuntime, handler, code, more)
}

// javaCode compiles the test's functions into a folder; jar and zip tell how they
// are packed.
func (s *server) javaCode() (folder, jar, lib string) {
	s.t.Helper()
	folder = s.code("java", map[string]string{"data.txt": "data"})
	run := func(dir string, args ...string) {
		s.t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("%q: %v (install a JDK)\n%s", args, err, out)
		}
	}
	interfaces, err := filepath.Abs("../warmpool/runtimes/java/jars/interfaces.jar")
	if err != nil {
		s.t.Fatal(err)
	}
	const libraries = "/usr/share/java/"
	classpath := strings.Join([]string{interfaces, libraries + "gson.jar", libraries + "jackson-core.jar", libraries + "jackson-databind.jar", libraries + "joda-time.jar"}, ":")
	run("javafunction", "javac", "--release", "17", "-proc:none", "-cp", classpath, "-sourcepath", ".", "-d", folder,
		"example/Functions.java", "example/Encodings.java", "example/Outputs.java", "example/Pojos.java", "example/Contexts.java")
	jar = filepath.Join(s.dir, "functions.jar")
	run(folder, "jar", "--create", "--file", jar, ".")
	lib = filepath.Join(s.dir, "lib.zip") // as Gradle's buildZip packs it
	jarBytes, err := os.ReadFile(jar)
	if err != nil {
		s.t.Fatal(err)
	}
	s.archive("lib.zip", map[string]string{"lib/functions.jar": string(jarBytes), "data.txt": "data"})
	return folder, jar, lib
}

func TestFunctionsInJavaAreServed(t *testing.T) {
	s := newServer(t, "", "")
	folder, jar, lib := s.javaCode()
	functions, site := "", ""
	add := func(name, handler, code, more string) {
		functions += javaFunction(name, handler, code, more)
		site += fmt.Sprintf("invoke /%s/* %s\n", name, name)
	}
	add("folder", "example.Functions", folder, "env OWN mine")
	add("jar", "example.Functions::handleRequest", jar, "")
	add("lib", "example.Functions", lib, "")
	for name, handler := range map[string]string{
		"pojo": "::pojo", "onlyevent": "::onlyEvent", "nothing": "::nothing", "text": "::text", "none": "::none", "streams": "::streams",
		"generic": "$Generic", "stream": "$Stream", "wrong": "::wrong", "list": "::list",
		"noclass": "x", "nomethod": "::missing", "abstract": "$Abstract", "private": "$Private", "throws": "$Throws", "nointerface": "$Request",
	} {
		handler = "example.Functions" + handler
		add(name, handler, jar, "")
	}
	add("slow", "example.Functions", jar, "timeout 2s")
	s.configure(functions, site)
	s.start()
	s.get("/folder/x").want(t, 200, "hello from Java true")
	s.get("/jar/x").want(t, 200, "hello from Java true")
	s.get("/lib/file").want(t, 200, "datadata")
	s.get("/folder/context").want(t, 200, "folder $LATEST 256 arn:aws:lambda:us-east-1:000000000000:function:folder true true /aws/lambda/folder true true")
	s.get("/folder/env").want(t, 200, "mine folder example.Functions")
	s.get("/folder/loader").want(t, 200, "none none")
	s.get("/folder/print").want(t, 200, "printed")
	s.wantLog("folder", "printed to stdout", "printed to stderr", "logged\n\tin two lines", "INIT_START Runtime Version: java:")
	s.get("/folder/fail").want(t, 502, "")
	s.wantLog("folder", "java.lang.IllegalStateException: asked to fail", "at example.Functions.handleRequest(Functions.java:", "Caused by: java.lang.RuntimeException: the cause")
	// Called through the interface, its trace has no reflection; the second frame is the
	// compiler's bridge from the interface's types.
	if out := s.output(); !strings.Contains(out, `\"errorMessage\":\"asked to fail\",\"errorType\":\"java.lang.IllegalStateException\",\"stackTrace\":[\"example.Functions.handleRequest(Functions.java:`) || strings.Contains(out, "the cause") {
		t.Errorf("the error is not as Lambda's:\n%s", tail(out, 5))
	}
	s.get("/folder/large").want(t, 502, "")
	s.wantLog("folder", "Function.ResponseSizeTooLarge")
	s.get("/folder/exit").want(t, 502, "")
	s.wantLog("folder", "Runtime exited with error: exit status 3")
	s.get("/folder/memory").want(t, 502, "")
	s.wantLog("folder", "java.lang.OutOfMemoryError")
	s.get("/slow/sleep").want(t, 504, "")
	for path, body := range map[string]string{
		"/pojo/a": "/pojo/a true GET true", "/onlyevent/a": "only event", "/nothing/a": "nothing taken", "/text/a": "plain text",
		"/streams/a": "streamed true", "/generic/a": "generic /generic/a", "/stream/a": "by interface",
	} {
		s.get(path).want(t, 200, body)
	}
	s.get("/none/a").want(t, 200, "")
	for name, texts := range map[string][]string{
		"wrong": {"An error occurred during JSON parsing"}, "list": {"An error occurred during JSON parsing"},
		"noclass":  {"Class not found: example.Functionsx: java.lang.ClassNotFoundException", "Phase: init\tStatus: error"},
		"nomethod": {"No public method named missing with appropriate method signature found on class example.Functions"},
		"abstract": {"cannot be instantiated because it is abstract"}, "private": {"has no public zero-argument constructor"},
		"throws":      {"java.lang.IllegalArgumentException: from the constructor", "Phase: init\tStatus: error"},
		"nointerface": {"Class does not implement an appropriate handler interface: example.Functions$Request"},
	} {
		s.get("/"+name+"/x").want(t, 502, "")
		s.wantLog(name, texts...)
	}
	if n := s.fromStems(javaRuntime); n < 5 {
		t.Errorf("%v cold starts from a stem", n)
	}
}
