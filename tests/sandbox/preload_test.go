package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// A library that writes down who has loaded it, and what the kernel holds that process
// to. It is an audit library (rtld-audit(7)), too.
const spyLibrary = `
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

unsigned int la_version(unsigned int version) { return version; }

__attribute__((constructor)) static void spy(void)
{
	char line[256], text[4096] = "";
	struct rlimit processes;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = ' ';
		for (char *c = line; *c; c++)
			if (*c == '\t') *c = ' ';
		if (!strncmp(line, "Name:", 5) || !strncmp(line, "CapPrm:", 7) || !strncmp(line, "CapEff:", 7) ||
		    !strncmp(line, "NoNewPrivs:", 11) || !strncmp(line, "Seccomp:", 8))
			strcat(text, line);
	}
	if (f) fclose(f);
	getrlimit(RLIMIT_NPROC, &processes);
	f = fopen("/tmp/loaded", "a");
	if (f) {
		fprintf(f, "%suid: %d processes: %llu\n", text, (int)getuid(), (unsigned long long)processes.rlim_cur);
		fclose(f);
	}
}
`

// A function's libraries are loaded by its runtime, and by no step on the way there.
func TestLibrariesOfAFunctionAreLoadedByItsRuntimeOnly(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, areLoadedByItsRuntimeOnly)
}

func areLoadedByItsRuntimeOnly(t *testing.T, asRoot bool) {
	w := newWorld(t)
	s := w.server("127.0.0.53", asRoot)
	python := s.Code("python", map[string]string{"app.py": `
def handler(event, context):
    with open("/tmp/loaded") as f:
        return {"statusCode": 200, "body": f.read()}
`, "spy.c": spyLibrary})
	bash := s.Code("bash", map[string]string{"spy.c": spyLibrary})
	// What Linux's tools on the way are linked with, and the runtimes are not, at a place
	// that Lambda's LD_LIBRARY_PATH names.
	libraries := []string{"spy.so", "lib/libcap-ng.so.0", "lib/libsmartcols.so.1", "lib/libselinux.so.1", "lib/libcap.so.2"}
	for _, dir := range []string{python, bash} {
		if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range libraries {
			if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", filepath.Join(dir, name), filepath.Join(dir, "spy.c")).CombinedOutput(); err != nil {
				t.Fatalf("cc: %v\n%s", err, out)
			}
		}
	}
	const bootstrap = `#!/bin/bash
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
	curl -sS -D /tmp/headers "$API/invocation/next" >/tmp/event
	ID="$(grep -i ^lambda-runtime-aws-request-id: /tmp/headers | tr -d '[:space:]' | cut -d: -f2)"
	printf '{"statusCode":200,"body":"%s"}' "$(sed 's/$/\\n/' /tmp/loaded | tr -d '\n')" >/tmp/answer
	curl -sS "$API/invocation/$ID/response" --data-binary @/tmp/answer >/dev/null
done
`
	if err := os.WriteFile(filepath.Join(bash, "bootstrap"), []byte(bootstrap), 0o755); err != nil {
		t.Fatal(err)
	}
	functions, site := "", ""
	add := func(name, text string) {
		functions += text
		site += fmt.Sprintf("function /%[1]s %[1]s\n", name)
	}
	const preload, audit = "env LD_PRELOAD /var/task/spy.so", "env LD_AUDIT /var/task/spy.so"
	add("preload", harness.PythonFunction("preload", python, "timeout 60s\n"+preload))
	add("audit", harness.PythonFunction("audit", python, "timeout 60s\n"+audit))
	add("alone", harness.PythonFunction("alone", python, "timeout 60s\nnetwork none\n"+preload))
	add("shared", harness.PythonFunction("shared", python, "timeout 60s\nnetwork host\n"+preload))
	add("custom", fmt.Sprintf("function custom {\n runtime provided.al2023\n handler x\n code %s\n timeout 60s\n %s\n}\n", bash, preload))
	s.Configure(functions, site)
	s.Start()
	for _, name := range []string{"preload", "audit", "alone", "shared", "custom"} {
		loaded := s.Get("/" + name)
		loaded.Want(t, 200, "Name:")
		for line := range strings.Lines(loaded.Body) {
			t.Logf("%s: %s", name, line)
			fields := map[string]string{}
			words := strings.Fields(line)
			for i := 0; i+1 < len(words); i += 2 {
				fields[strings.TrimSuffix(words[i], ":")] = words[i+1]
			}
			if name != "custom" && !strings.HasPrefix(fields["Name"], "python") {
				t.Errorf("%s: %s has loaded it", name, fields["Name"])
			}
			switch fields["Name"] {
			case "bwrap", "setpriv", "prlimit", "exe", "caddy", "hearth-holder":
				t.Errorf("%s: %s has loaded it", name, fields["Name"])
			}
			none := strings.Repeat("0", 16)
			if fields["uid"] != "993" || fields["CapPrm"] != none || fields["CapEff"] != none || fields["NoNewPrivs"] != "1" || fields["Seccomp"] != "2" {
				t.Errorf("%s: it was loaded with privileges: %s", name, line)
			}
			processes, err := strconv.ParseUint(fields["processes"], 10, 64)
			if err != nil || !asRoot && processes > 1100 { // as root the cgroup limits them
				t.Errorf("%s: it was loaded before the limits: %s", name, line)
			}
		}
	}
}
