package engine

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway/metrics"
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// A sampler writes each second what has happened into the metrics. What has not changed costs
// nothing.
type sampler struct {
	store   *timeseries.Store
	metrics *cloudwatch.Metrics
	log     *zap.Logger
	stop    context.CancelFunc
	done    chan struct{}

	apis     *metrics.APIs
	delivery func() *delivery // nil: nothing is delivered yet

	mu    sync.Mutex // guards pools, and orders samples
	pools map[*warmpool.Pool]struct{}

	at       time.Time // of the sample that is being taken; guarded by mu, as all that follows
	gauges   map[string]*gauge
	busy     []*gauge                   // those with calls in this second
	called   map[*gauge]*metrics.Sample // of APIs, in this second
	all      *gauge
	node     *gauge
	total    warmpool.Sample
	looked   time.Time // when the gauges of the node were read last
	entries  []timeseries.Entry
	scratch  [lastKind]timeseries.Stat
	complain time.Time
}

const (
	sampleInterval = time.Second
	// lookInterval is how often the gauges of the node are read: the store is asked for some.
	lookInterval = 10 * time.Second
	// lookTimeout bounds how long the store may take.
	lookTimeout = 2 * time.Second
)

func newSampler(e *Engine) *sampler {
	ctx, stop := context.WithCancel(context.Background())
	s := &sampler{
		store: e.series, metrics: e.measured, log: e.Log, stop: stop, done: make(chan struct{}), apis: e.apiMetrics, delivery: e.delivery.Load,
		pools: make(map[*warmpool.Pool]struct{}), gauges: make(map[string]*gauge), called: make(map[*gauge]*metrics.Sample),
		all: newGauge(kinds[:]), node: newGauge(nodeKinds[:]),
	}
	go s.run(ctx)
	return s
}

func (s *sampler) close() {
	s.stop()
	<-s.done
}

func (s *sampler) run(ctx context.Context) {
	defer close(s.done)
	ticker := time.NewTicker(sampleInterval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.sample(now)
		case <-ctx.Done():
			s.sample(time.Now())
			return
		}
	}
}

// add has a pool sampled until remove.
func (s *sampler) add(p *warmpool.Pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools[p] = struct{}{}
}

// remove takes the last sample of a pool.
func (s *sampler) remove(p *warmpool.Pool) {
	s.sample(time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pools, p)
}

// sample writes what has happened since the last sample. It belongs to the second before now.
func (s *sampler) sample(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = now.Add(-sampleInterval / 2).Truncate(time.Second)
	s.total.Duration.Reset()
	s.total.InitDuration.Reset()
	s.total.Memory.Reset()
	s.total = warmpool.Sample{Duration: s.total.Duration, InitDuration: s.total.InitDuration, Memory: s.total.Memory}
	unreserved := 0
	for p := range s.pools {
		all, free := p.Sample(s.take)
		s.total.Concurrent += all
		unreserved += free
	}
	for _, g := range s.busy {
		s.concurrent(g)
		g.concurrent, g.atOnce, g.kept, g.listed = 0, 0, 0, false
	}
	s.busy = s.busy[:0]
	s.write(s.all, &s.total)
	s.all.concurrent, s.all.atOnce, s.all.kept = s.total.Concurrent, s.total.AtOnce, s.total.Kept
	s.concurrent(s.all)
	s.one(s.all, ofUnreserved, float64(unreserved))
	s.deliveries()
	s.requests()
	if now.Sub(s.looked) >= lookInterval {
		s.looked = now
		s.look()
	}
}

func (s *sampler) take(one *warmpool.Sample) {
	g := s.gauge(one.Function, "")
	s.write(g, one)
	// The resource of a function without qualifiers has what the function has, and none of its own.
	if r := resource(one); r != one.Function || g.qualified {
		g.qualified = true
		s.write(s.gauge(one.Function, r), one)
	}
	if one.Concurrent > 0 {
		g.concurrent = max(g.concurrent, one.Concurrent)
		s.keep(g, one)
		if one.Kept > 0 && one.Version != function.Latest {
			s.keep(s.gauge(one.Function, one.Function+":"+one.Version), one)
		}
	}
	t := &s.total
	t.Provisioned += one.Provisioned
	t.Spilled += one.Spilled
	t.AtOnce += one.AtOnce
	t.Kept += one.Kept
	t.Errors += one.Errors
	t.Throttles += one.Throttles
	t.Loops += one.Loops
	t.ColdStarts += one.ColdStarts
	t.Duration.Merge(&one.Duration)
	t.InitDuration.Merge(&one.InitDuration)
	t.Memory.Merge(&one.Memory)
}

// keep notes what is provisioned, for concurrent.
func (s *sampler) keep(g *gauge, one *warmpool.Sample) {
	g.atOnce += one.AtOnce
	g.kept += one.Kept
	if !g.listed {
		g.listed = true
		s.busy = append(s.busy, g)
	}
}

// resource is the dimension Resource of a sample: a function, or an alias or a version of it.
func resource(one *warmpool.Sample) string {
	qualifier := one.Qualifier
	if qualifier == "" && one.Version != function.Latest {
		qualifier = one.Version // what is not about calls
	}
	if qualifier == "" || qualifier == function.Latest {
		return one.Function
	}
	return one.Function + ":" + qualifier
}

// gauge is that of a function, or of a resource that is not "".
func (s *sampler) gauge(name, resource string) *gauge {
	key := name
	if resource != "" {
		key = resource + " " // no name has one
	}
	g := s.gauges[key]
	if g == nil {
		g = newGauge(kinds[:], "FunctionName", name)
		if resource != "" {
			g.dimensions = append(g.dimensions, cloudwatch.Dimension{Name: "Resource", Value: resource})
		}
		s.gauges[key] = g
	}
	return g
}

func (s *sampler) write(g *gauge, one *warmpool.Sample) {
	s.entries = s.entries[:0]
	s.put(g, ofDuration, &one.Duration)
	s.put(g, ofInit, &one.InitDuration)
	s.put(g, ofMemory, &one.Memory)
	s.count(g, ofErrors, one.Errors)
	s.count(g, ofThrottles, one.Throttles)
	s.count(g, ofLoops, one.Loops)
	s.count(g, ofColdStarts, one.ColdStarts)
	s.count(g, ofProvisioned, one.Provisioned)
	s.count(g, ofSpilled, one.Spilled)
	s.store.Add(s.at, s.entries...)
}

// concurrent writes how many calls a gauge had at once.
func (s *sampler) concurrent(g *gauge) {
	s.one(g, ofConcurrent, float64(g.concurrent))
	if g.kept > 0 {
		s.measure(g, ofAtOnce, float64(g.atOnce))
		s.measure(g, ofUtilization, float64(g.atOnce)/float64(g.kept))
	}
}

// one writes a value, unless it is 0.
func (s *sampler) one(g *gauge, kind int, v float64) {
	if v > 0 {
		s.measure(g, kind, v)
	}
}

// measure writes a value.
func (s *sampler) measure(g *gauge, kind int, v float64) {
	s.entries = s.entries[:0]
	stat := &s.scratch[kind]
	stat.Reset()
	stat.Observe(v)
	s.put(g, kind, stat)
	s.store.Add(s.at, s.entries...)
}

// count puts n times 1.
func (s *sampler) count(g *gauge, kind, n int) {
	if n == 0 {
		return
	}
	stat := &s.scratch[kind]
	stat.Reset()
	stat.Add(1, float64(n))
	s.put(g, kind, stat)
}

func (s *sampler) put(g *gauge, kind int, stat *timeseries.Stat) {
	if stat.Count == 0 {
		return
	}
	if g.series[kind] == nil {
		k := &g.kinds[kind]
		series, err := s.metrics.Series(cloudwatch.Metric{Namespace: k.namespace, MetricName: k.name, Dimensions: g.dimensions}, k.unit)
		if err != nil {
			if s.at.Sub(s.complain) > time.Hour {
				s.complain = s.at
				s.log.Warn("metrics are not kept", zap.Error(err))
			}
			return
		}
		g.series[kind] = series
	}
	s.entries = append(s.entries, timeseries.Entry{Series: g.series[kind], Stat: stat})
}
