package runtimes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// shared is where tests have runtimes and SDKs from: they are fetched once.
const shared = "../../bin/runtimes"

var fetching sync.Mutex // into shared

// hearth runs a command of the server's binary.
func hearth(t *testing.T, env []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(harness.CaddyBinary(t), append([]string{"hearth"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	return out.String(), problems.String(), err
}

// withRuntimes has the server find what is installed in shared, and installs it there
// when a file of it is not there yet.
func withRuntimes(s *harness.Server, file string, names ...string) {
	s.T.Helper()
	fetching.Lock()
	defer fetching.Unlock()
	if found, _ := filepath.Glob(filepath.Join(shared, file)); len(found) == 0 {
		if out, problems, err := hearth(s.T, nil, append([]string{"runtimes", "install", "--dir", shared}, names...)...); err != nil {
			s.T.Fatalf("%v\n%s%s", err, out, problems)
		}
	}
	dir, err := filepath.Abs(shared)
	if err != nil {
		s.T.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, "data"), 0o700); err != nil {
		s.T.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(s.Dir, "data", "runtimes")); err != nil && !os.IsExist(err) {
		s.T.Fatal(err)
	}
}

func TestInstalledNodeServesItsRuntime(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("version", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: process.version })"})
	s.Configure(strings.Replace(harness.NodeFunction("version", dir, ""), "nodejs20.x", "nodejs22.x", 1), "function version")
	s.Start()
	if r := s.Get("/"); strings.HasPrefix(r.Body, "v22.") {
		t.Logf("this machine has a Node.js 22 of its own")
	}
	out, problems, err := hearth(t, []string{"HEARTH_DATA_DIR=" + filepath.Join(s.Dir, "data")}, "runtimes", "install", "nodejs22.x")
	if err != nil || !strings.HasPrefix(out, "Node.js 22.") {
		t.Fatalf("%v\n%s%s", err, out, problems)
	}
	left, err := filepath.Glob(filepath.Join(s.Dir, "data", "runtimes", ".new-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	// The server finds it without being told: for the next environment.
	s.Code("version", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: 'now ' + process.version })"})
	harness.Eventually(t, "Node.js 22 serves", func() bool { return strings.HasPrefix(s.Get("/").Body, "now v22.") })

	out, problems, err = hearth(t, []string{"HEARTH_DATA_DIR=" + filepath.Join(s.Dir, "data")}, "runtimes", "--json")
	var statuses []struct {
		Runtime, Program, Path, Missing, Install string
		Nearest                                  bool
	}
	if err != nil || json.Unmarshal([]byte(out), &statuses) != nil {
		t.Fatalf("%v\n%s%s", err, out, problems)
	}
	seen := false
	for _, status := range statuses {
		if status.Runtime == "nodejs22.x" {
			seen = true
			if !strings.HasPrefix(status.Program, "Node.js 22.") || status.Nearest || !strings.HasPrefix(status.Path, s.Dir) ||
				status.Missing != "aws-sdk" || status.Install != "caddy hearth runtimes install aws-sdk" {
				t.Errorf("got %+v", status)
			}
		}
	}
	if !seen {
		t.Errorf("nodejs22.x is not listed: %s", out)
	}
}

func TestSDKsAreThereAfterTheFunctionsOwn(t *testing.T) {
	harness.Slow(t, "npm installs them")
	harness.Parallel(t)
	for _, mode := range []string{"on", "off"} {
		t.Run("sandbox "+mode, func(t *testing.T) {
			s := harness.NewServer(t, "", "")
			withRuntimes(s, "sdk/nodejs/node_modules/@aws-sdk/client-s3", "@aws-sdk/client-s3", "@aws-sdk/client-dynamodb", "@aws-sdk/lib-dynamodb")
			withRuntimes(s, "sdk/python/boto3", "boto3")
			mjs := s.Code("mjs", map[string]string{"index.mjs": `import { S3Client } from '@aws-sdk/client-s3'; import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
				export const handler = async () => ({ statusCode: 200, body: [S3Client.name, DynamoDBDocumentClient.name].join(' ') });`})
			cjs := s.Code("cjs", map[string]string{
				"node_modules/@aws-sdk/client-dynamodb/index.js": "exports.DynamoDBClient = class Own {}",
				"index.js": `const { S3Client } = require('@aws-sdk/client-s3'); const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');
				exports.handler = async () => ({ statusCode: 200, body: [S3Client.name, DynamoDBClient.name].join(' ') });`})
			layer := s.Code("layer", map[string]string{"nodejs/node_modules/@aws-sdk/client-s3/index.js": "exports.S3Client = class Layered {}",
				"python/boto3.py": "client = lambda name, **more: 'layered'"})
			python := s.Code("python", map[string]string{"app.py": `import boto3
def handler(event, context):
    return {"statusCode": 200, "body": "%s" % (boto3.client("s3", region_name="eu-central-1"),)}
`})
			s.Configure("sandbox "+mode+"\n"+harness.NodeFunction("mjs", mjs, "memory 256")+harness.NodeFunction("cjs", cjs, "memory 256")+
				harness.NodeFunction("layered", cjs, "layer "+layer)+harness.PythonFunction("python", python, "memory 256")+harness.PythonFunction("pylayered", python, "layer "+layer),
				"function /mjs mjs\nfunction /cjs cjs\nfunction /layered layered\nfunction /python python\nfunction /pylayered pylayered")
			s.Start()
			s.Get("/mjs").Want(t, 200, "S3Client DynamoDBDocumentClient")
			s.Get("/cjs").Want(t, 200, "S3Client Own")
			s.Get("/layered").Want(t, 200, "Layered Own")
			s.Get("/python").Want(t, 200, "botocore.client.S3")
			s.Get("/pylayered").Want(t, 200, "layered")
		})
	}
}

// killed begins an install and kills it when it has begun to write.
func killed(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command(harness.CaddyBinary(t), "hearth", "runtimes", "install", "--dir", dir, "nodejs24.x")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the install works in a folder", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, ".new-*"))
		return len(found) > 0
	})
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}

func TestInstallWithoutNpmAfterOneThatWasKilled(t *testing.T) {
	harness.Slow(t, "it installs")
	harness.Parallel(t)
	registry, err := exec.Command("npm", "config", "get", "registry").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := harness.TempDir(t)
	killed(t, dir)
	if found, _ := filepath.Glob(filepath.Join(dir, "node-*")); len(found) > 0 {
		t.Fatalf("the killed install has left %q", found)
	}
	env := []string{"PATH=/nonexistent", "NPM_CONFIG_REGISTRY=" + strings.TrimSpace(string(registry))}
	out, problems, err := hearth(t, env, "runtimes", "install", "--dir", dir, "nodejs24.x")
	if err != nil || !strings.HasPrefix(out, "Node.js 24.") {
		t.Fatalf("%v\n%s%s", err, out, problems)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 || entries[0].Name() != ".lock" {
		t.Errorf("there are %v, %v", entries, err)
	}

	// A program that is named is used.
	programs, err := filepath.Glob(filepath.Join(dir, "node-24.*", "bin", "node"))
	if err != nil || len(programs) != 1 {
		t.Fatalf("got %q, %v", programs, err)
	}
	s := harness.NewServer(t, "", "")
	code := s.Code("version", map[string]string{"index.mjs": "export const handler = () => ({ statusCode: 200, body: process.version })"})
	s.Configure("runtimes {\n nodejs24.x "+programs[0]+"\n}\n"+strings.Replace(harness.NodeFunction("version", code, ""), "nodejs20.x", "nodejs24.x", 1), "function version")
	s.Start()
	if r := s.Get("/"); !strings.HasPrefix(r.Body, "v24.") {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
}

func TestInstallSaysWhatItCannotDo(t *testing.T) {
	harness.Parallel(t)
	dir := harness.TempDir(t)
	for name, want := range map[string]string{
		"dotnet8":             `"dotnet8" cannot be installed (runtime "dotnet8" is not supported: publish`,
		"nodejs16.x":          `runtime nodejs16.x is served by the nearest version: Hearth needs Node.js 18.0 or later`,
		"provided.al2023":     `its functions bring their own program`,
		"python3.15":          `python3.15: this machine's packages have no python3.15: install it by other means`,
		"../nodejs22.x":       `"../nodejs22.x" cannot be installed`,
		"@aws-sdk/client-s3;": `cannot be installed`,
	} {
		if out, problems, err := hearth(t, nil, "runtimes", "install", "--dir", dir, name); err == nil || !strings.Contains(problems, want) {
			t.Errorf("%s: %v\n%s%s, want %s", name, err, out, problems, want)
		}
	}
	// A registry that cannot be reached, with npm and without.
	offline := []string{"NPM_CONFIG_REGISTRY=http://127.0.0.1:1/", "npm_config_fetch_retries=0"}
	for path, want := range map[string]string{os.Getenv("PATH"): "fetch node-linux-", "/nonexistent": "is this machine offline?"} {
		out, problems, err := hearth(t, append(offline, "PATH="+path), "runtimes", "install", "--dir", dir, "nodejs22.x")
		if err == nil || !strings.Contains(problems, want) || !strings.Contains(problems, "127.0.0.1:1") {
			t.Errorf("offline, PATH %s: %v\n%s%s, want %s", path, err, out, problems, want)
		}
	}
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.Name() != ".lock" {
			t.Errorf("left behind: %s", entry.Name())
		}
	}
	if err != nil {
		t.Error(err)
	}
}
