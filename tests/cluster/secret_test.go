package cluster

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestClusterRefusesARedisThatAsksForNoPassword(t *testing.T) {
	harness.Parallel(t)
	open := harness.NewRedis(t)
	s := harness.NewServer(t, "redis "+open.URL(), "lambda_api")
	s.StartFails("asks for no password", "requirepass", "unprotected")

	// A password in the URL is not enough: the server has to ask for it.
	asks := harness.NewRedis(t, "--requirepass", "hunter2")
	s.Configure("redis "+asks.URL(), "lambda_api")
	s.Start()
	asks.CLI("config", "set", "requirepass", "")
	reload := exec.Command(harness.CaddyBinary(t), "reload", "--config", s.Config, "--adapter", "caddyfile", "--force")
	if out, err := reload.CombinedOutput(); err == nil || !strings.Contains(string(out), "asks for no password") {
		t.Errorf("a reload beside a Redis that has lost its password: %v %s", err, out)
	}
}

// What Redis has is no help to somebody who wants to sign requests, or to be a node.
func TestClusterKeepsItsSecretOutOfRedis(t *testing.T) {
	harness.Slow(t, "it starts nodes that fail")
	harness.Parallel(t)
	redis := harness.NewRedis(t, "--requirepass", "hunter2hunter2", "--rdbcompression", "no")
	option := "redis " + redis.URL() + "\n"
	node := func(options string) *harness.API {
		return &harness.API{Server: harness.NewServer(t, options, "lambda_api")}
	}
	file := func(a *harness.API, name string) []byte {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(a.Dir, "data", name))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.TrimSpace(text)
	}

	first := node(option)
	first.Start()
	first.Connect()
	first.Create("f", harness.NodeZip(t, harness.Answers("well")))
	redis.CLI("save")
	dump, err := os.ReadFile(filepath.Join(redis.Dir, "dump.rdb"))
	if err != nil || !bytes.Contains(dump, []byte("hearth sealed 1")) {
		t.Fatalf("the dump has no sealed record: %v", err)
	}
	_, secret, _ := bytes.Cut(file(first, "credentials"), []byte("aws_secret_access_key = "))
	for _, s := range [][]byte{secret, file(first, "cluster-secret")} {
		if len(s) < 16 || bytes.Contains(dump, s) {
			t.Errorf("Redis has a secret of %d bytes", len(s))
		}
	}

	second := node(option)
	second.StartFails("does not have the cluster's secret", "cluster-secret")
	second.Configure("redis "+redis.URL()+" {\n secret another-secret-than-that\n}\n", "lambda_api")
	second.StartFails("sealed with another secret", "cluster-secret")
	second.Configure("redis "+redis.URL()+" {\n secret short\n}\n", "lambda_api")
	second.StartFails("has 5 bytes, at least 16 are needed")

	second.Configure(option, "lambda_api")
	if err := os.WriteFile(filepath.Join(second.Dir, "data", "cluster-secret"), file(first, "cluster-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	second.Start()
	second.Connect()
	second.WantCall("f", "{}", "well")
	third := node("redis " + redis.URL() + " {\n secret {file." + filepath.Join(first.Dir, "data", "cluster-secret") + "}\n}\n")
	third.Start()
	third.Connect()
	third.WantCall("f", "{}", "well")
	for _, a := range []*harness.API{first, second, third} {
		a.TellsNone(string(secret), string(file(first, "cluster-secret")), "hunter2hunter2")
	}
}
