package runtimes

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const javaRuntime = "java17"

func javaFunction(name, handler, code, more string) string {
	if !strings.Contains("\n"+more, "\ntimeout ") {
		more += "\ntimeout 1m"
	}
	if !strings.Contains("\n"+more, "\nmemory ") {
		more += "\nmemory 256"
	}
	return fmt.Sprintf("function %s {\n runtime %s\n handler %s\n code %s\n %s\n}\n", name, javaRuntime, handler, code, more)
}

func TestFunctionsInJavaAreServed(t *testing.T) {
	harness.Slow(t, "it compiles Java")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	folder, jar, lib := s.JavaCode()
	functions, site := "", ""
	add := func(name, handler, code, more string) {
		functions += javaFunction(name, handler, code, more)
		site += fmt.Sprintf("function /%s/* %s\n", name, name)
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
	add("lib2", "example.Functions", lib, "memory 128") // another environment of the same code
	add("slow", "example.Functions", jar, "timeout 2s")
	functions += strings.Replace(javaFunction("older", "example.Functions", folder, ""), javaRuntime, "java11", 1)
	site += "function /older/* older\n"
	s.Configure(functions, site)
	s.Start()
	s.Get("/folder/x").Want(t, 200, "hello from Java true")
	s.Get("/jar/x").Want(t, 200, "hello from Java true")
	s.Get("/lib/file").Want(t, 200, "datadata")
	// The code that has run before comes from the start cache, and looks the same.
	const place = "file:/var/task/lib/functions.jar 1.2 null jar:file:/var/task/lib/functions.jar!/example/Functions.class"
	s.Get("/lib/cache").Want(t, 200, "false "+place)
	harness.Eventually(t, "there are start caches of jar and of lib", func() bool {
		files, err := filepath.Glob(filepath.Join(s.Dir, "data/code/starts/*/files/classes"))
		return err == nil && len(files) == 2
	})
	s.Get("/lib2/cache").Want(t, 200, "true "+place)
	s.Get("/folder/context").Want(t, 200, "folder $LATEST 256 arn:aws:lambda:us-east-1:000000000000:function:folder true true /aws/lambda/folder true true")
	s.Get("/folder/env").Want(t, 200, "mine folder example.Functions")
	// Lambda starts Java without a shell, which would set PWD, and the older ones have the
	// trace header in the environment.
	for name, traced := range map[string]bool{"folder": false, "jar": false, "older": true} {
		variables := strings.Fields(s.Get("/" + name + "/variables").Body)
		for variable, want := range map[string]bool{"AWS_LAMBDA_FUNCTION_NAME": true, "_X_AMZN_TRACE_ID": traced, "PWD": false, "OLDPWD": false, "SHLVL": false} {
			if slices.Contains(variables, variable) != want {
				t.Errorf("%s: %s among the variables: %t\n%s", name, variable, !want, variables)
			}
		}
	}
	s.Get("/folder/loader").Want(t, 200, "none none")
	s.Get("/folder/print").Want(t, 200, "printed")
	s.WantLog("folder", "printed to stdout", "printed to stderr", "logged\n\tin two lines", "INIT_START Runtime Version: java:")
	s.Get("/folder/fail").Want(t, 502, "")
	s.WantLog("folder", "java.lang.IllegalStateException: asked to fail", "at example.Functions.handleRequest(Functions.java:", "Caused by: java.lang.RuntimeException: the cause")
	// Called through the interface, its trace has no reflection; the second frame is the
	// compiler's bridge from the interface's types.
	if out := s.Output(); !strings.Contains(out, `\"errorMessage\":\"asked to fail\",\"errorType\":\"java.lang.IllegalStateException\",\"stackTrace\":[\"example.Functions.handleRequest(Functions.java:`) || strings.Contains(out, "the cause") {
		t.Errorf("the error is not as Lambda's:\n%s", harness.Tail(out, 5))
	}
	s.Get("/folder/large").Want(t, 502, "")
	s.WantLog("folder", "Function.ResponseSizeTooLarge")
	s.Get("/folder/exit").Want(t, 502, "")
	s.WantLog("folder", "Runtime exited with error: exit status 3")
	s.Get("/folder/memory").Want(t, 502, "")
	s.WantLog("folder", "java.lang.OutOfMemoryError")
	s.Get("/slow/sleep").Want(t, 504, "")
	for path, body := range map[string]string{
		"/pojo/a": "/pojo/a true GET true", "/onlyevent/a": "only event", "/nothing/a": "nothing taken", "/text/a": "plain text",
		"/streams/a": "streamed true", "/generic/a": "generic /generic/a", "/stream/a": "by interface",
	} {
		s.Get(path).Want(t, 200, body)
	}
	s.Get("/none/a").Want(t, 200, "")
	for name, texts := range map[string][]string{
		"wrong": {"An error occurred during JSON parsing"}, "list": {"An error occurred during JSON parsing"},
		"noclass":  {"Class not found: example.Functionsx: java.lang.ClassNotFoundException", "Phase: init\tStatus: error"},
		"nomethod": {"No public method named missing with appropriate method signature found on class example.Functions"},
		"abstract": {"cannot be instantiated because it is abstract"}, "private": {"has no public zero-argument constructor"},
		"throws":      {"java.lang.IllegalArgumentException: from the constructor", "Phase: init\tStatus: error"},
		"nointerface": {"Class does not implement an appropriate handler interface: example.Functions$Request"},
	} {
		s.Get("/"+name+"/x").Want(t, 502, "")
		s.WantLog(name, texts...)
	}
	if n := s.FromStems(javaRuntime); n < 5 {
		t.Errorf("%v cold starts from a stem", n)
	}
}
