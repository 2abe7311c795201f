package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

const (
	clusterConnections = 64
	clusterShare       = "with Redis, throughput times the embedded default's"
	clusterFunction    = "shared"
	clusterRoute       = "/route"
	clusterAccepted    = "cluster events accepted"
	clusterDelivered   = "cluster events accepted and delivered"
)

func clusterScenarios(m machine, s settings) []scenario {
	return []scenario{
		clusterWarmScenario(m, s, "cluster warm", false),
		clusterWarmScenario(m, s, "cluster warm, reserved concurrency used up", true),
		handOffScenario(m, s),
		clusterAcceptScenario(m, s, clusterAccepted),
		clusterAcceptScenario(m, s, clusterDelivered),
		nodesScenario(),
	}
}

// with is a stage like shared, for gateways with further options.
func (s *stage) with(options string) *stage {
	return &stage{caddy: s.caddy, folder: s.folder, options: options}
}

// gateway starts one that has the function at the route.
func gateway(ctx context.Context, shared *stage, options string) (*apiStage, error) {
	return newAPIStage(ctx, shared.with(options), fmt.Sprintf("\tmetrics /metrics\n\troute %s {\n\t\tfunction %s\n\t}\n", clusterRoute, clusterFunction))
}

// shareFunction makes the function.
func (s *apiStage) shareFunction(ctx context.Context, m machine) error {
	archive, err := s.archive(0)
	if err != nil {
		return err
	}
	if err := createActive(ctx, s.client(1), m, clusterFunction, archive); err != nil {
		return err
	}
	return expect(ctx, s.address[hearthStack]+clusterRoute, greeting)
}

func (s *apiStage) loadRoute(ctx context.Context, connections int, length time.Duration) (sample, error) {
	return load(ctx, s.stage, hearthStack, clusterRoute, connections, length)
}

// clusterWarmScenario calls one function of a gateway that keeps its state in Redis and
// of one that keeps it in its own file, in turn. The one environment that it has, as in the
// table of the targets, is all that the gateway may run or all that is reserved.
func clusterWarmScenario(m machine, s settings, name string, reserved bool) scenario {
	return scenario{name: name, group: clusterGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		redis, err := startRedis(ctx, shared)
		if err != nil {
			return nil, err
		}
		defer redis.close()
		var gateways [2]*apiStage
		limit := "\t\tconcurrency 1\n"
		if reserved {
			limit = ""
		}
		for i, options := range []string{"", redis.option()} {
			if gateways[i], err = gateway(ctx, shared, options+limit); err != nil {
				return nil, err
			}
			defer gateways[i].close()
			if err := gateways[i].shareFunction(ctx, m); err != nil {
				return nil, err
			}
			if reserved {
				if _, err := gateways[i].client(1).PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{
					FunctionName: aws.String(clusterFunction), ReservedConcurrentExecutions: aws.Int32(1),
				}); err != nil {
					return nil, err
				}
			}
			if _, err := gateways[i].loadRoute(ctx, clusterConnections, warmUp); err != nil {
				return nil, err
			}
		}
		return inTurn(ctx, name, s, clusterConnections, gateways, [2]string{"embedded", "with Redis"}, func(embedded, redis []sample) figure {
			ratios := make([]float64, len(redis))
			for i := range redis {
				ratios[i] = redis[i].PerSec / embedded[i].PerSec
			}
			return figure{name, clusterShare, median(ratios)}
		})
	}}
}

// inTurn loads two gateways A B A B and adds what a comparison of their rounds says.
func inTurn(ctx context.Context, name string, s settings, connections int, gateways [2]*apiStage, called [2]string, compare func(a, b []sample) figure) ([]figure, error) {
	var rounds [2][]sample
	failures := 0
	for range s.rounds {
		for i, gateway := range gateways {
			got, err := gateway.loadRoute(ctx, connections, time.Duration(s.seconds)*time.Second)
			if err != nil {
				return nil, err
			}
			rounds[i], failures = append(rounds[i], got), failures+got.Failures
		}
	}
	figures := []figure{{name, "failures", float64(failures)}}
	for i, what := range called {
		figures = append(figures,
			figure{name, what + ", calls/s", middle(rounds[i], func(s sample) float64 { return s.PerSec })},
			figure{name, what + ", p50, ms", milliseconds(middle(rounds[i], func(s sample) time.Duration { return s.P50 }))},
			figure{name, what + ", p99, ms", milliseconds(middle(rounds[i], func(s sample) time.Duration { return s.P99 }))},
			figure{name, what + ", CPU of that gateway and its functions, us/call", float64(middle(rounds[i], func(s sample) time.Duration { return s.CPU })) / float64(time.Microsecond)},
		)
	}
	return append(figures, compare(rounds[0], rounds[1])), nil
}

// handOffScenario calls a function by the gateway that holds its only environment and by
// one without the memory for any, one call at a time.
func handOffScenario(m machine, s settings) scenario {
	const name = "cluster hand-off"
	return scenario{name: name, group: clusterGroup, measure: func(ctx context.Context, shared *stage) (_ []figure, err error) {
		redis, err := startRedis(ctx, shared)
		if err != nil {
			return nil, err
		}
		defer redis.close()
		var gateways [2]*apiStage
		for i, options := range []string{"", "\t\tmemory_budget 64\n"} {
			if gateways[i], err = gateway(ctx, shared, fmt.Sprintf("%s\t\tnode n%d\n%s", redis.option(), i+1, options)); err != nil {
				return nil, err
			}
			defer gateways[i].close()
		}
		holder, full := gateways[0], gateways[1]
		if err := holder.shareFunction(ctx, m); err != nil {
			return nil, err
		}
		if _, err := holder.loadRoute(ctx, 1, warmUp); err != nil {
			return nil, err
		}
		if err := full.servers[0].ready(ctx, full.address[hearthStack]+clusterRoute, greeting); err != nil {
			return nil, err
		}
		if _, err := full.loadRoute(ctx, 1, warmUp); err != nil {
			return nil, err
		}
		sent := func() (float64, error) { return metricOf(ctx, full.stage, `hearth_handoffs_total{result="sent"}`) }
		before, err := sent()
		if err != nil {
			return nil, err
		}
		requests := 0
		figures, err := inTurn(ctx, name, s, 1, gateways, [2]string{"local", "handed over"}, func(local, handed []sample) figure {
			added := make([]time.Duration, len(local))
			for i := range local {
				added[i] = handed[i].P50 - local[i].P50
				requests += handed[i].Requests
			}
			return figure{name, "adds at p50, ms", milliseconds(median(added))}
		})
		after, errAfter := sent()
		if err := errors.Join(err, errAfter); err != nil {
			return nil, err
		}
		return append(figures, figure{name, "share of calls that were handed over", (after - before) / float64(requests)}), nil
	}}
}
