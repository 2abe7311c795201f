package main

import (
	"archive/zip"
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

func localAPI(t *testing.T) *apiStage {
	t.Helper()
	s := &apiStage{
		stage: &stage{folder: t.TempDir(), address: map[stack]string{hearthStack: "http://127.0.0.1:1"}},
		key:   aws.Credentials{AccessKeyID: "HEARTHBENCH", SecretAccessKey: "0123456789abcdef"},
	}
	if err := os.CopyFS(s.folder, assets); err != nil {
		t.Fatal(err)
	}
	return s
}

// What wrk is told to send is good again and again, and only with its body.
func TestSignedPostIsGoodMoreThanOnce(t *testing.T) {
	s := localAPI(t)
	const path, body = "/2015-03-31/functions/f/invocations", "{}"
	arguments, err := s.signedPost(t.Context(), path, body)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := sigv4.New(sigv4.Config{
		Keys: []sigv4.Key{{ID: s.key.AccessKeyID, Secret: s.key.SecretAccessKey}}, Region: apiRegion, Services: []string{"lambda"},
	})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(body string) error {
		r, err := http.NewRequest(http.MethodPost, s.address[hearthStack]+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range arguments {
			if a == "--header" {
				name, value, _ := strings.Cut(arguments[i+1], ": ")
				r.Header.Set(name, value)
			}
		}
		check, err := verifier.Begin(r, "lambda")
		if err == nil {
			_, err = check.Finish([]byte(body))
		}
		return err
	}
	for range 2 {
		if err := verify(body); err != nil {
			t.Error(err)
		}
	}
	if verify("[]") == nil {
		t.Error("the signature is good for another body")
	}
	at := slices.Index(arguments, "--script")
	if at < 0 {
		t.Fatal("wrk gets no script")
	}
	script, err := os.ReadFile(arguments[at+1])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"wrk.method = 'POST'\n", "wrk.body = '{}'\n", "function done("} {
		if !strings.Contains(string(script), want) {
			t.Errorf("no %q in the script:\n%s", want, script)
		}
	}
}

func TestArchivesWithBallastAreNeverTheSame(t *testing.T) {
	s := localAPI(t)
	one, err := s.archive(apiBallast)
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.archive(apiBallast)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one, two) || len(one) < apiBallast {
		t.Errorf("archives of %d and %d bytes, the same: %v", len(one), len(two), bytes.Equal(one, two))
	}
	z, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 2 || z.File[0].Name != "index.mjs" {
		t.Errorf("the archive holds %d files", len(z.File))
	}
}

func TestAPIGroupLeavesOutAllElse(t *testing.T) {
	s, err := parseFlags([]string{"api"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 4 {
		t.Errorf("%d targets and %d scenarios, want none and 4", len(warm), len(scenarios))
	}
}

func TestGoalsOfTheAPI(t *testing.T) {
	for _, c := range []struct {
		figure figure
		met    bool
	}{
		{figure{"api invoke", apiShare, 0.5}, true},
		{figure{"api invoke", apiShare, 0.49}, false},
		{figure{"api invoke", "failures", 1}, false},
		{figure{gatewayRoutes, gatewayGoals[0].figure, 0.97}, true},
		{figure{gatewayRoutes, gatewayGoals[0].figure, 0.96}, false},
		{figure{"api create", "1 MB to Active, p50, ms", 49}, true},
		{figure{"api create", "1 MB to Active, p50, ms", 51}, false},
		{figure{"api list", "first page, p50, ms", 9}, true},
		{figure{"api list", "first page, p50, ms", 11}, false},
	} {
		goals := judge(report{Figures: []figure{c.figure}})
		if len(goals) != 1 || goals[0].Met != c.met {
			t.Errorf("%v: goals %v, want one, met: %v", c.figure, goals, c.met)
		}
	}
}
