package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

const (
	apiCreates  = 50
	apiBallast  = 1 << 20
	apiListed   = 10_000
	apiCreators = 8
	apiLists    = 50
)

// apiCreateScenario makes functions of code that the server has never seen.
func apiCreateScenario(m machine) scenario {
	const name = "api create"
	return scenario{name: name, group: apiGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		s, err := newAPIStage(ctx, shared, "")
		if err != nil {
			return nil, err
		}
		defer s.close()
		client := s.client(1)
		var took []time.Duration
		for i := range apiCreates {
			archive, err := s.archive(apiBallast)
			if err != nil {
				return nil, err
			}
			began := time.Now()
			if err := createActive(ctx, client, m, fmt.Sprintf("f%d", i), archive); err != nil {
				return nil, err
			}
			took = append(took, time.Since(began))
		}
		return []figure{
			{name, "1 MB to Active, p50, ms", milliseconds(median(took))},
			{name, "1 MB to Active, p99, ms", milliseconds(percentile(took, 99))},
		}, nil
	}}
}

// apiListScenario fills a registry, lists its first page, and starts a server on it.
func apiListScenario(m machine) scenario {
	const name = "api list"
	return scenario{name: name, group: apiGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		s, err := newAPIStage(ctx, shared, "")
		if err != nil {
			return nil, err
		}
		defer s.close()
		client := s.client(apiCreators)
		began := time.Now()
		if err := s.fill(ctx, client, m); err != nil {
			return nil, err
		}
		filled := time.Since(began)
		took, err := listFirst(ctx, client)
		if err != nil {
			return nil, err
		}

		s.servers[0].stop()
		s.servers = nil
		began = time.Now()
		if err := s.start(ctx, ""); err != nil {
			return nil, err
		}
		started := time.Since(began)
		memory, err := residentMB(s.servers[0].pid())
		if err != nil {
			return nil, err
		}
		// That it started quickly counts only if it has not forgotten.
		if _, err := listFirst(ctx, s.client(1)); err != nil {
			return nil, err
		}
		return []figure{
			{name, "functions", apiListed},
			{name, "all created, s", filled.Seconds()},
			{name, "first page, p50, ms", milliseconds(median(took))},
			{name, "first page, p99, ms", milliseconds(percentile(took, 99))},
			{name, "start to the first answer, ms", milliseconds(started)},
			{name, "memory after the start, MB", memory},
		}, nil
	}}
}

// fill makes all functions of one archive, several at a time.
func (s *apiStage) fill(ctx context.Context, client *lambda.Client, m machine) error {
	archive, err := s.archive(0)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for first := range apiCreators {
		all.Go(func() {
			for i := first; i < apiListed && ctx.Err() == nil; i += apiCreators {
				if err := createActive(ctx, client, m, fmt.Sprintf("f%d", i), archive); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// listFirst times the first page, again and again.
func listFirst(ctx context.Context, client *lambda.Client) ([]time.Duration, error) {
	var took []time.Duration
	for range apiLists {
		began := time.Now()
		page, err := client.ListFunctions(ctx, &lambda.ListFunctionsInput{})
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if len(page.Functions) != 50 || page.NextMarker == nil {
			return nil, errors.New("the first page of the functions is not a full one")
		}
	}
	return took, nil
}
