package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	gatewayRoutes = "api routes"
	benchKey      = "bench-0123456789abcdef"
)

// gatewayGoals are the least shares of the plain route's throughput, by what the API checks.
var gatewayGoals = []struct {
	figure string
	wanted float64
}{
	{"a route of an API, throughput times the plain route's", 0.97},
	{"with a token (RS256), throughput times the plain route's", 0.8},
	{"with a function that was asked before, throughput times the plain route's", 0.9},
	{"with an API key, a rate and a quota, throughput times the plain route's", 0.93},
	{"one of 1,000 routes, throughput times the one of an API of few", 0.97},
}

// member lets everybody in.
const member = `export const handler = async () => ({ isAuthorized: true, context: { role: 'member' } });`

// A tokenIssuer is an OpenID Connect issuer with one key.
type tokenIssuer struct {
	*httptest.Server
	token string
}

func newTokenIssuer() (*tokenIssuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	i := &tokenIssuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL, i.URL+"/keys")
	}))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		i.Close()
		return nil, err
	}
	claims := fmt.Sprintf(`{"iss":%q,"aud":"bench","sub":"me","scope":"read","exp":%d}`, i.URL, time.Now().Add(time.Hour).Unix())
	signed, err := signer.Sign([]byte(claims))
	if err == nil {
		i.token, err = signed.CompactSerialize()
	}
	if err != nil {
		i.Close()
	}
	return i, err
}

// apiRoutesScenario calls one function by a plain route and by routes of APIs in turn.
func apiRoutesScenario(m machine, rounds int, length time.Duration) scenario {
	return scenario{name: gatewayRoutes, group: apiGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		issuer, err := newTokenIssuer()
		if err != nil {
			return nil, err
		}
		defer issuer.Close()
		code := filepath.Join(shared.folder, "member")
		if err := os.MkdirAll(code, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(code, "index.mjs"), []byte(member), 0o644); err != nil {
			return nil, err
		}
		with := *shared
		with.options += fmt.Sprintf(`function called {
	runtime %[1]s
	handler index.handler
	code %[2]s
	timeout 30s
	reserved_concurrency 1
}
function member {
	runtime %[1]s
	handler index.handler
	code %[3]s
	timeout 30s
}
authorizer users jwt {
	issuer %[4]s
	audience bench
}
authorizer members lambda member
usage_plan partners {
	rate 1000000
	quota 1000000000 per month
	key bench %[5]s
}
`, m.nodeRuntime(), shared.asset("node"), code, issuer.URL, benchKey)
		s, err := newAPIStage(ctx, &with, apiRoutesSite())
		if err != nil {
			return nil, err
		}
		defer s.close()
		return measureRoutes(ctx, s.stage, issuer.token, rounds, length)
	}}
}

// apiRoutesSite has a plain route, an API of few routes and one of 1,000.
func apiRoutesSite() string {
	var site strings.Builder
	site.WriteString(`	handle /plain {
		function called
	}
	handle /api/* {
		api few {
			GET /api/open/{id} called
			GET /api/token called {
				authorizer users read
			}
			GET /api/member called {
				authorizer members
			}
			GET /api/key called {
				usage_plan partners
			}
		}
	}
	handle /many/* {
		api many {
`)
	for n := range 1000 {
		fmt.Fprintf(&site, "\t\t\tGET /many/%d/{id} called\n", n)
	}
	site.WriteString("\t\t}\n\t}\n")
	return site.String()
}

func measureRoutes(ctx context.Context, s *stage, token string, rounds int, length time.Duration) ([]figure, error) {
	targets := []struct {
		path   string
		header string
	}{
		{"/plain", ""}, {"/api/open/1", ""}, {"/api/token", "Authorization: Bearer " + token}, {"/api/member", "Authorization: me"},
		{"/api/key", "X-Api-Key: " + benchKey}, {"/many/999/1", ""},
	}
	run := func(n int, length time.Duration) (sample, error) {
		var more []string
		if h := targets[n].header; h != "" {
			more = []string{"--header", h}
		}
		return load(ctx, s, hearthStack, targets[n].path, apiConnections, length, more...)
	}
	for n := range targets {
		if _, err := run(n, warmUp); err != nil {
			return nil, err
		}
	}
	samples, shares := make([][]sample, len(targets)), make([][]float64, len(gatewayGoals))
	failures := 0
	for range rounds {
		var last []sample
		for n := range targets {
			got, err := run(n, length)
			if err != nil {
				return nil, err
			}
			failures += got.Failures
			last, samples[n] = append(last, got), append(samples[n], got)
		}
		for n := range gatewayGoals {
			base := last[0]
			if n == len(gatewayGoals)-1 {
				base = last[1]
			}
			shares[n] = append(shares[n], last[n+1].PerSec/base.PerSec)
		}
	}
	figures := []figure{{gatewayRoutes, "failures", float64(failures)}}
	for n, t := range targets {
		figures = append(figures,
			figure{gatewayRoutes, t.path + ", req/s", middle(samples[n], func(s sample) float64 { return s.PerSec })},
			figure{gatewayRoutes, t.path + ", CPU us/req", float64(middle(samples[n], func(s sample) time.Duration { return s.CPU })) / float64(time.Microsecond)},
		)
	}
	for n, g := range gatewayGoals {
		figures = append(figures, figure{gatewayRoutes, g.figure, median(shares[n])})
	}
	return figures, nil
}

// gatewayRouteGoals compares the figures with the aims.
func gatewayRouteGoals(r report) (goals []goal) {
	for _, f := range r.Figures {
		for _, g := range gatewayGoals {
			if f.Scenario == gatewayRoutes && f.Name == g.figure {
				goals = append(goals, goal{f.Scenario + ": " + f.Name, ">= " + number(g.wanted), f.Value, f.Value >= g.wanted})
			}
		}
	}
	return goals
}
