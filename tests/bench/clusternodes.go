package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/cluster"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

const (
	nodesMost     = 50
	functionsMost = 1000
	latestVersion = "$LATEST"
	nodesSettle   = 2 * time.Second
	nodesLook     = 5 * time.Second
)

// nodesScenario has many nodes of this process share a Redis: the real store, membership
// and registry of each, beside functions that are not run. Each node holds idle
// environments of a tenth of the functions; each second it ends one of them, has another
// instead, and looks for one that it lacks. Each second some node changes a function, and
// all of them resolve it anew.
func nodesScenario() scenario {
	const name = "cluster nodes"
	return scenario{name: name, group: clusterGroup, measure: func(ctx context.Context, shared *stage) (figures []figure, err error) {
		var grown []nodesSample
		for _, size := range []struct{ nodes, functions int }{{10, functionsMost}, {25, functionsMost}, {nodesMost, functionsMost}, {nodesMost, 100}} {
			progress("%d nodes, %d functions", size.nodes, size.functions)
			got, err := nodesRun(ctx, shared, size.nodes, size.functions)
			if err != nil {
				return nil, err
			}
			of := fmt.Sprintf("%d functions x %d nodes: ", size.functions, size.nodes)
			figures = append(figures,
				figure{name, of + "commands/s, those of scripts too", got.commands},
				figure{name, of + "Redis sends, KB/s", got.sent / 1e3},
				figure{name, of + "CPU of Redis, ms/s", got.cpu * 1e3},
				figure{name, of + "memory of Redis, MB", got.memory / 1e6},
			)
			if size.functions == functionsMost {
				grown = append(grown, got)
			}
		}
		few, many := grown[0], grown[len(grown)-1]
		times := many.nodes / few.nodes
		const far = 1000
		// A node's part is a fixed one and one for each node there is.
		extrapolated := func(of func(nodesSample) float64) float64 {
			each, eachOfMany := of(few)/few.nodes, of(many)/many.nodes
			slope := (eachOfMany - each) / (many.nodes - few.nodes)
			return far * max(eachOfMany, each+slope*(far-few.nodes))
		}
		commands := func(s nodesSample) float64 { return s.commands }
		sent := func(s nodesSample) float64 { return s.sent }
		cpu := func(s nodesSample) float64 { return s.cpu }
		return append(figures,
			figure{name, fmt.Sprintf("commands/s with %.0f times the nodes, times (linear: %.0f)", times, times), many.commands / few.commands},
			figure{name, fmt.Sprintf("Redis sends with %.0f times the nodes, times (linear: %.0f)", times, times), many.sent / few.sent},
			figure{name, "extrapolated to 1000 nodes: commands/s", extrapolated(commands)},
			figure{name, "extrapolated to 1000 nodes: Redis sends, MB/s", extrapolated(sent) / 1e6},
			figure{name, "extrapolated to 1000 nodes: CPU of Redis, s/s", extrapolated(cpu)},
		), nil
	}}
}

// nodesSample is what a Redis does in a second, and holds.
type nodesSample struct{ nodes, commands, sent, cpu, memory float64 }

func nodesRun(ctx context.Context, shared *stage, nodes, functions int) (_ nodesSample, err error) {
	redis, err := startRedis(ctx, shared)
	if err != nil {
		return nodesSample{}, err
	}
	defer redis.close()
	running := make([]*simulated, nodes)
	for i := range running {
		if running[i], err = newSimulated(ctx, redis.url, i, functions); err != nil {
			return nodesSample{}, err
		}
		defer running[i].close()
	}
	if err := running[0].createAll(ctx); err != nil {
		return nodesSample{}, err
	}
	living, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for _, n := range running {
		all.Go(func() { n.live(living) })
	}
	all.Go(func() { changeOften(living, running) })
	if err := wait(ctx, nodesSettle); err != nil {
		return nodesSample{}, err
	}
	names := []string{"total_commands_processed", "total_net_output_bytes", "used_cpu_user", "used_cpu_sys", "used_memory"}
	before, err := redis.info(ctx, names...)
	began := time.Now()
	if err := errors.Join(err, wait(ctx, nodesLook)); err != nil {
		return nodesSample{}, err
	}
	seconds := time.Since(began).Seconds()
	after, err := redis.info(ctx, names...)
	if err != nil {
		return nodesSample{}, err
	}
	rate := func(i int) float64 { return (after[i] - before[i]) / seconds }
	return nodesSample{float64(nodes), rate(0), rate(1), rate(2) + rate(3), after[4]}, nil
}

// simulated is a node without functions that run.
type simulated struct {
	store     *redisstore.Store
	registry  *registry.Registry
	node      *cluster.Cluster
	functions int

	mu    sync.Mutex // guards what follows
	ready map[string]int
}

func newSimulated(ctx context.Context, url string, i, functions int) (_ *simulated, err error) {
	n := &simulated{functions: functions, ready: make(map[string]int)}
	for range functions / 10 {
		n.ready[n.thing()] = 1
	}
	if n.store, err = redisstore.Open(ctx, redisstore.Config{URL: url}); err != nil {
		return nil, err
	}
	n.registry, err = registry.New(registry.Config{Records: n.store, CodePath: func(registry.Code) string { return "/" }})
	if err != nil {
		return nil, errors.Join(err, n.store.Close())
	}
	n.node, err = cluster.New(cluster.Config{
		Name: fmt.Sprintf("node-%d", i), Nodes: n.store, Secret: []byte("bench"), Advertise: "127.0.0.1", Local: n, Log: zap.NewNop(),
	})
	if err == nil {
		err = n.node.Start()
	}
	if err != nil {
		n.registry.Close()
		return nil, errors.Join(err, n.store.Close())
	}
	return n, nil
}

func (n *simulated) close() {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	n.node.Close(ctx)
	n.registry.Close()
	if err := n.store.Close(); err != nil {
		progress("%v", err)
	}
}

func functionName(i int) string { return fmt.Sprintf("function-%d", i) }

func (n *simulated) thing() string {
	return cluster.Thing(functionName(rand.N(n.functions)), latestVersion)
}

func (n *simulated) createAll(ctx context.Context) error {
	for i := range n.functions {
		_, err := n.registry.Create(ctx, functionName(i), registry.Configuration{
			Runtime: "nodejs22.x", Role: apiRole, Handler: "index.handler", MemorySize: 256, Timeout: 5,
		}, registry.Code{SHA256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", Size: 1}, registry.State{State: "Active"}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// live ends an environment, begins another and looks for a third, each second.
func (n *simulated) live(ctx context.Context) {
	for wait(ctx, 500*time.Millisecond+rand.N(time.Second)) == nil {
		n.mu.Lock()
		for thing := range n.ready {
			delete(n.ready, thing)
			break
		}
		n.ready[n.thing()] = 1
		n.mu.Unlock()
		if _, err := n.store.Offers(ctx, n.thing()); err != nil && ctx.Err() == nil {
			progress("%v", err)
		}
	}
}

// changeOften changes a function each second; all nodes resolve it a moment later.
func changeOften(ctx context.Context, nodes []*simulated) {
	for i := 0; wait(ctx, time.Second/2) == nil; i++ {
		name := functionName(i % nodes[0].functions)
		_, err := nodes[i%len(nodes)].registry.Update(ctx, name, "", func(v *registry.Version) error { v.Description = fmt.Sprint(i); return nil })
		if wait(ctx, time.Second/2) != nil {
			return
		}
		for _, n := range nodes {
			_, errResolve := n.registry.Resolve(ctx, name, latestVersion)
			err = errors.Join(err, errResolve)
		}
		if err != nil && ctx.Err() == nil {
			progress("%v", err)
		}
	}
}

// Ready implements cluster.Local.
func (n *simulated) Ready() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.ready)
}

// Moved implements cluster.Local.
func (n *simulated) Moved() {}

// Lost implements cluster.Local.
func (*simulated) Lost(context.Context) error { return nil }

// Group implements cluster.Local.
func (n *simulated) Group(context.Context, string, string, string) (*warmpool.Group, error) {
	return nil, warmpool.ErrClosed
}

var _ cluster.Local = (*simulated)(nil)
