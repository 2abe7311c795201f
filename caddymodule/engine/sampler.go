package engine

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

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

	mu    sync.Mutex // guards pools, and orders samples
	pools map[*warmpool.Pool]struct{}

	at       time.Time // of the sample that is being taken; guarded by mu, as all that follows
	gauges   map[string]*gauge
	busy     []*gauge // those with calls in this second
	all      gauge
	total    warmpool.Sample
	entries  []timeseries.Entry
	scratch  [8]timeseries.Stat
	complain time.Time
}

// A gauge has the series of a function, a version or an alias of it, or all functions.
type gauge struct {
	dimensions []cloudwatch.Dimension
	series     [lastKind]*timeseries.Series // made when there is something to write
	concurrent int
	listed     bool
	qualified  bool // some calls have named a version or an alias
}

// Kinds of series of a function.
const (
	ofDuration = iota
	ofErrors
	ofThrottles
	ofLoops
	ofConcurrent
	ofColdStarts
	ofInit
	ofMemory
	lastKind
)

// kinds are the metrics that the kinds of series are of.
var kinds = [lastKind]struct{ namespace, name, unit string }{
	ofDuration:   {cloudwatch.Lambda, "Duration", "Milliseconds"},
	ofErrors:     {cloudwatch.Lambda, "Errors", "Count"},
	ofThrottles:  {cloudwatch.Lambda, "Throttles", "Count"},
	ofLoops:      {cloudwatch.Lambda, "RecursiveInvocationsDropped", "Count"},
	ofConcurrent: {cloudwatch.Lambda, "ConcurrentExecutions", "Count"},
	ofColdStarts: {cloudwatch.Hearth, "ColdStarts", "Count"},
	ofInit:       {cloudwatch.Hearth, "InitDuration", "Milliseconds"},
	ofMemory:     {cloudwatch.Hearth, "MaxMemoryUsed", "Megabytes"},
}

const sampleInterval = time.Second

func newSampler(store *timeseries.Store, metrics *cloudwatch.Metrics, log *zap.Logger) *sampler {
	ctx, stop := context.WithCancel(context.Background())
	s := &sampler{
		store: store, metrics: metrics, log: log, stop: stop, done: make(chan struct{}),
		pools: make(map[*warmpool.Pool]struct{}), gauges: make(map[string]*gauge),
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
	for p := range s.pools {
		s.total.Concurrent += p.Sample(s.take)
	}
	for _, g := range s.busy {
		s.concurrent(g, g.concurrent)
		g.concurrent, g.listed = 0, false
	}
	s.busy = s.busy[:0]
	s.write(&s.all, &s.total)
	s.concurrent(&s.all, s.total.Concurrent)
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
		g.concurrent += one.Concurrent
		if !g.listed {
			g.listed = true
			s.busy = append(s.busy, g)
		}
	}
	t := &s.total
	t.Errors += one.Errors
	t.Throttles += one.Throttles
	t.Loops += one.Loops
	t.ColdStarts += one.ColdStarts
	t.Duration.Merge(&one.Duration)
	t.InitDuration.Merge(&one.InitDuration)
	t.Memory.Merge(&one.Memory)
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
		g = &gauge{dimensions: []cloudwatch.Dimension{{Name: "FunctionName", Value: name}}}
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
	s.store.Add(s.at, s.entries...)
}

func (s *sampler) concurrent(g *gauge, n int) {
	if n <= 0 {
		return
	}
	s.entries = s.entries[:0]
	stat := &s.scratch[ofConcurrent]
	stat.Reset()
	stat.Observe(float64(n))
	s.put(g, ofConcurrent, stat)
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
		k := &kinds[kind]
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
