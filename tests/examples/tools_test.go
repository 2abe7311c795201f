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

func TestPageOfBoto3Runs(t *testing.T) {
	harness.Parallel(t)
	page := newToolPage(t, "boto3", "python3")
	// The system's has what its packages bring, whatever comes first on PATH.
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		page.env = append(page.env, "PATH=/usr/bin:"+os.Getenv("PATH"))
	}
	page.read()
}

func TestPageOfTheCDKRuns(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	readToolPage(t, "cdk", "npm", "aws")
}

func TestPageOfOslsRuns(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	readToolPage(t, "serverless", "npm", "aws")
}

func TestPageOfNodeLambdaRuns(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	readToolPage(t, "node-lambda", "npm", "aws")
}

// Without Terraform's AWS provider on the machine, only Terraform's own registry would have it.
func TestPageOfTerraformRuns(t *testing.T) {
	harness.Slow(t, "terraform starts its provider seven times")
	harness.Parallel(t)
	plugins := harness.TerraformPlugins(t)
	settings := filepath.Join(t.TempDir(), "terraformrc")
	if err := os.WriteFile(settings, []byte(fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", plugins)), 0o600); err != nil {
		t.Fatal(err)
	}
	moto := strings.TrimPrefix(harness.StartMoto(t).URL, "http://")
	page := newToolPage(t, "terraform", "terraform", "aws", "zip")
	page.ports = strings.NewReplacer(":8080", page.port, "127.0.0.1:9324", moto)
	page.env = append(page.env, "TF_CLI_CONFIG_FILE="+settings)
	page.read()
}

// resolver has Node.js know that names below localhost are this machine, as systems with
// libnss-myhostname do.
const resolver = `const dns = require('dns'), lookup = dns.lookup;
dns.lookup = (name, ...more) => lookup(name.endsWith('.localhost') ? 'localhost' : name, ...more);
`

func TestPageOfArchitectRuns(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	page := newToolPage(t, "architect", "npm", "aws")
	file := filepath.Join(page.home, "resolver.cjs")
	if err := os.WriteFile(file, []byte(resolver), 0o600); err != nil {
		t.Fatal(err)
	}
	page.env = append(page.env, "NODE_OPTIONS=--require="+file)
	page.read()
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
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); !strings.Contains(string(here), `ToolPage(t, "`+name+`"`) {
			t.Errorf("no test runs %s", page)
		}
	}
}

// A toolPage is a page of docs/deploying.
type toolPage struct {
	*reader
	blocks []block
	port   string // in place of :8080
}

func readToolPage(t *testing.T, name string, programs ...string) {
	t.Helper()
	newToolPage(t, name, programs...).read()
}

// newToolPage is a page with a reader, the user of the test, who has the programs. Pages are read
// beside each other, so each has other ports than the text.
func newToolPage(t *testing.T, name string, programs ...string) *toolPage {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not on this machine", program)
		}
	}
	path := filepath.Join("../../docs/deploying", name+".md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &toolPage{newReader(t, path), blocksOf(string(text)), fmt.Sprint(":", harness.FreePort(t))}
	p.strict, p.inherits = true, true
	p.ports = strings.NewReplacer(":8080", p.port)
	p.env = append(toolEnv(), "HOME="+p.home, "TMPDIR="+p.home, "XDG_DATA_HOME="+p.home+"/data", "XDG_CONFIG_HOME="+p.home+"/config",
		"CADDY_ADMIN=unix/"+p.home+"/admin.sock")
	return p
}

// read does what the page says, up to the first thing that goes wrong.
func (p *toolPage) read() {
	p.t.Helper()
	for _, b := range p.blocks {
		if b.notRun != "" {
			continue
		}
		if p.check(b); p.t.Failed() {
			p.t.Fatalf("the rest of the page is not read%s", p.printed())
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
