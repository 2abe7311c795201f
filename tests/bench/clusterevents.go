package main

import (
	"context"
	"errors"
	"time"
)

// clusterAcceptScenario measures how many events a second one gateway accepts into Redis,
// which syncs each second: what is accepted survives the gateway at once, a machine's
// crash after that.
func clusterAcceptScenario(m machine, s settings, name string) scenario {
	return scenario{name: name, group: clusterGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		redis, err := startRedis(ctx, shared)
		if err != nil {
			return nil, err
		}
		defer redis.close()
		async, first := deliveringAsync, `{"ms":0}`
		if name == clusterAccepted {
			async, first = waitingAsync, `{"ms":25000}`
		}
		own, err := newEventStage(ctx, shared.with(redis.option()), m, async)
		if err != nil {
			return nil, err
		}
		defer own.close()
		if err := sendEvent(ctx, own, first); err != nil {
			return nil, err
		}
		var perSecond, p99, cpu, redisCPU, commands, delivered []float64
		failures := 0
		for range s.rounds {
			before, errBefore := redis.info(ctx, "total_commands_processed", "used_cpu_user", "used_cpu_sys")
			ranBefore, errRan := eventsRun(ctx, own)
			got, err := load(ctx, own, hearthStack, eventsPath, clusterConnections, time.Duration(s.seconds)*time.Second, "--script", own.asset("events.lua"))
			ranAfter, errRanAfter := eventsRun(ctx, own)
			after, errAfter := redis.info(ctx, "total_commands_processed", "used_cpu_user", "used_cpu_sys")
			if err := errors.Join(errBefore, errRan, err, errRanAfter, errAfter); err != nil {
				return nil, err
			}
			n := float64(got.Requests)
			failures += got.Failures
			perSecond, p99 = append(perSecond, got.PerSec), append(p99, milliseconds(got.P99))
			cpu = append(cpu, float64(got.CPU)/float64(time.Microsecond))
			redisCPU = append(redisCPU, (after[1]+after[2]-before[1]-before[2])*1e6/n)
			commands = append(commands, (after[0]-before[0])/n)
			delivered = append(delivered, (ranAfter-ranBefore)*got.PerSec/n)
		}
		figures := []figure{
			{name, "failures", float64(failures)},
			{name, "events/s", median(perSecond)},
			{name, "p99, ms", median(p99)},
			{name, "CPU of the gateway and its functions, us/event", median(cpu)},
			{name, "CPU of Redis, us/event", median(redisCPU)},
			{name, "commands of Redis, those of scripts too, per event", median(commands)},
		}
		if name == clusterDelivered {
			figures = append(figures, figure{name, "delivered/s meanwhile", median(delivered)})
		}
		return figures, nil
	}}
}
