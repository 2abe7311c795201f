package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// Each page of a tool is run, every line of it, with the real tool: from nothing to a URL.

func TestPageOfTheAWSCommandRuns(t *testing.T) {
	harness.Parallel(t)
	readToolPage(t, "aws-cli", "aws", "zip")
}

func TestPageOfSAMRuns(t *testing.T) {
	harness.Parallel(t)
	readToolPage(t, "sam", "aws")
}

func TestPageOfTheCDKRuns(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	readToolPage(t, "cdk", "npm", "aws")
}

func TestEveryPageOfAToolIsRun(t *testing.T) {
	harness.Parallel(t)
	found, err := filepath.Glob("../../docs/deploying/*.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.ReadFile("tools_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range found {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); !strings.Contains(string(here), `readToolPage(t, "`+name+`"`) {
			t.Errorf("no test runs %s", page)
		}
	}
}

// readToolPage does what a page of docs/deploying says, as the user of the test, who has the
// programs. Pages are read beside each other, so each has other ports than the text.
func readToolPage(t *testing.T, name string, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not on this machine", program)
		}
	}
	page := filepath.Join("../../docs/deploying", name+".md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, page)
	r.strict, r.inherits = true, true
	r.ports = strings.NewReplacer(":8080", fmt.Sprint(":", harness.FreePort(t)))
	r.env = append(toolEnv(), "HOME="+r.home, "TMPDIR="+r.home, "XDG_DATA_HOME="+r.home+"/data", "XDG_CONFIG_HOME="+r.home+"/config",
		"CADDY_ADMIN=unix/"+r.home+"/admin.sock")
	for _, b := range blocksOf(string(text)) {
		if b.notRun != "" {
			continue
		}
		if r.check(b); t.Failed() {
			t.Fatalf("the rest of the page is not read%s", r.printed())
		}
	}
}

// toolEnv is what the user of the test has, without settings of AWS's tools.
func toolEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "HEARTH_") })
	// npm asks no more than once for what several pages install.
	if home, err := os.UserHomeDir(); err == nil {
		env = append(env, "npm_config_cache="+filepath.Join(home, ".npm"))
	}
	return append(env, "npm_config_update_notifier=false", "AWS_PAGER=")
}
