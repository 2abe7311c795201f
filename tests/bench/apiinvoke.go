package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

const (
	apiConnections = 64
	apiShare       = "by the API, throughput times the route's"
)

// apiInvokeScenario calls one function by its route and by the Lambda API in turn.
// A signature is good for five minutes and any number of requests, so wrk repeats one
// that was made before: it works no harder on one side than on the other.
func apiInvokeScenario(m machine, rounds int, length time.Duration) scenario {
	const (
		name = "api invoke"
		path = "/route"
		of   = "called"
	)
	return scenario{name: name, group: apiGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		s, err := newAPIStage(ctx, shared, "\troute "+path+" {\n\t\tfunction "+of+"\n\t}\n")
		if err != nil {
			return nil, err
		}
		defer s.close()
		archive, err := s.archive(0)
		if err != nil {
			return nil, err
		}
		client := s.client(1)
		if err := createActive(ctx, client, m, of, archive); err != nil {
			return nil, err
		}
		// One environment, as in the table of the targets.
		if _, err := client.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String(of), ReservedConcurrentExecutions: aws.Int32(1)}); err != nil {
			return nil, err
		}
		if err := expect(ctx, s.address[hearthStack]+path, greeting); err != nil {
			return nil, err
		}
		answer, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(of)})
		if err != nil {
			return nil, err
		}
		if want, _ := json.Marshal(greeting); !bytes.Contains(answer.Payload, want) {
			return nil, fmt.Errorf("the API answers %s", answer.Payload)
		}
		byRoute := func(length time.Duration) (sample, error) {
			return load(ctx, s.stage, hearthStack, path, apiConnections, length)
		}
		byAPI := func(length time.Duration) (sample, error) {
			arguments, err := s.signedPost(ctx, "/2015-03-31/functions/"+of+"/invocations", "{}")
			if err != nil {
				return sample{}, err
			}
			return load(ctx, s.stage, hearthStack, "/2015-03-31/functions/"+of+"/invocations", apiConnections, length, arguments...)
		}
		for _, run := range []func(time.Duration) (sample, error){byRoute, byAPI} {
			if _, err := run(warmUp); err != nil {
				return nil, err
			}
		}
		var route, api []sample
		var ratios []float64
		var failures int
		for range rounds {
			r, errRoute := byRoute(length)
			a, errAPI := byAPI(length)
			if err := errors.Join(errRoute, errAPI); err != nil {
				return nil, err
			}
			route, api = append(route, r), append(api, a)
			ratios = append(ratios, a.PerSec/r.PerSec)
			failures += r.Failures + a.Failures
		}
		perSec := func(s sample) float64 { return s.PerSec }
		p50 := func(s sample) time.Duration { return s.P50 }
		p99 := func(s sample) time.Duration { return s.P99 }
		cpu := func(s sample) time.Duration { return s.CPU } // what others on the machine disturb least
		return []figure{
			{name, "failures", float64(failures)},
			{name, "by the route, req/s", middle(route, perSec)},
			{name, "by the route, p50, ms", milliseconds(middle(route, p50))},
			{name, "by the route, p99, ms", milliseconds(middle(route, p99))},
			{name, "by the route, CPU us/req", float64(middle(route, cpu)) / float64(time.Microsecond)},
			{name, "by the API, req/s", middle(api, perSec)},
			{name, "by the API, p50, ms", milliseconds(middle(api, p50))},
			{name, "by the API, p99, ms", milliseconds(middle(api, p99))},
			{name, "by the API, CPU us/req", float64(middle(api, cpu)) / float64(time.Microsecond)},
			{name, apiShare, median(ratios)},
		}, nil
	}}
}

// signedPost returns wrk's arguments for a signed request.
func (s *apiStage) signedPost(ctx context.Context, path, body string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address[hearthStack]+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, s.key, request, hex.EncodeToString(sum[:]), "lambda", apiRegion, time.Now()); err != nil {
		return nil, err
	}
	report, err := os.ReadFile(s.asset("report.lua"))
	if err != nil {
		return nil, err
	}
	script := filepath.Join(s.folder, "post.lua")
	text := fmt.Sprintf("wrk.method = 'POST'\nwrk.body = '%s'\n%s", body, report)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		return nil, err
	}
	arguments := []string{"--script", script}
	for key, values := range request.Header {
		arguments = append(arguments, "--header", key+": "+values[0])
	}
	return arguments, nil
}
