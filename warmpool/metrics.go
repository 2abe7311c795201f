package warmpool

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// Metrics are a pool's counters and gauges, named after CloudWatch's metrics for
// Lambda. They live as long as the pool, so a configuration change does not
// reset them.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
type Metrics struct {
	pool *Pool

	invocations  *prometheus.CounterVec
	errors       *prometheus.CounterVec
	throttles    *prometheus.CounterVec
	loops        *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	initDuration *prometheus.HistogramVec
	coldStarts   *prometheus.CounterVec
	stems        *prometheus.Desc
	executions   *prometheus.Desc
	waiting      *prometheus.Desc
	environments *prometheus.Desc
}

// counters are those of one function, looked up once.
type counters struct {
	invocations, throttles prometheus.Counter
	loops                  prometheus.Counter
	errors                 [4]prometheus.Counter // by environment.Outcome
	duration, initDuration prometheus.Observer
}

func newMetrics(p *Pool) *Metrics {
	function := []string{"function"}
	return &Metrics{
		pool: p,
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_invocations_total", Help: "Invocations that ran, those that failed included.",
		}, function),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_errors_total", Help: "Invocations that ended in a function error, by how: error, timeout, exit.",
		}, []string{"function", "outcome"}),
		throttles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_throttles_total", Help: "Invocations that were throttled.",
		}, function),
		loops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_recursive_invocations_dropped_total", Help: "Invocations that were stopped because the function had run too often in one chain of requests.",
		}, function),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hearth_duration_seconds", Help: "Time that the handler took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 5400},
		}, function),
		initDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hearth_init_duration_seconds", Help: "Time that the init phase of an environment took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, function),
		coldStarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_cold_starts_total", Help: "Environments started, by whether a booted process was there for them.",
		}, []string{"runtime", "stem"}),
		stems: prometheus.NewDesc("hearth_stems",
			"Booted processes without a function, by state.", []string{"runtime", "state"}, nil),
		executions: prometheus.NewDesc("hearth_concurrent_executions",
			"Invocations that environments are working on.", function, nil),
		waiting: prometheus.NewDesc("hearth_waiting_invocations",
			"Invocations that wait for an environment.", function, nil),
		environments: prometheus.NewDesc("hearth_environments",
			"Environments by state.", []string{"function", "state"}, nil),
	}
}

// lazyCounters are made when there is something to count. A node may have thousands of
// functions that nobody calls, and each would have fifty series.
type lazyCounters struct {
	once sync.Once
	made atomic.Pointer[counters]
}

// counters returns the counters of the group's function. From the first call on they are in
// /metrics.
func (g *Group) counters() *counters {
	g.counted.once.Do(func() { g.counted.made.Store(g.pool.metrics.counters(g.name)) })
	return g.counted.made.Load()
}

func (m *Metrics) counters(function string) *counters {
	c := &counters{
		invocations:  m.invocations.WithLabelValues(function),
		throttles:    m.throttles.WithLabelValues(function),
		loops:        m.loops.WithLabelValues(function),
		duration:     m.duration.WithLabelValues(function),
		initDuration: m.initDuration.WithLabelValues(function),
	}
	for _, o := range []environment.Outcome{environment.OutcomeError, environment.OutcomeTimeout, environment.OutcomeExit} {
		c.errors[o] = m.errors.WithLabelValues(function, o.String())
	}
	return c
}

// drop removes the series of a deleted function from /metrics.
func (m *Metrics) drop(function string) {
	of := prometheus.Labels{"function": function}
	for _, v := range []*prometheus.CounterVec{m.invocations, m.errors, m.throttles, m.loops} {
		v.DeletePartialMatch(of)
	}
	m.duration.DeletePartialMatch(of)
	m.initDuration.DeletePartialMatch(of)
}

func (m *Metrics) countColdStart(runtime string, fromStem bool) {
	stem := "no"
	if fromStem {
		stem = "yes"
	}
	m.coldStarts.WithLabelValues(runtime, stem).Inc()
}

// observe counts a call. The histogram's exemplar is the last one that is traced.
func (c *counters) observe(call *environment.Call, traceID string) {
	c.invocations.Inc()
	if to, is := c.duration.(prometheus.ExemplarObserver); is && traceID != "" {
		to.ObserveWithExemplar(call.Duration.Seconds(), prometheus.Labels{"trace_id": traceID})
	} else {
		c.duration.Observe(call.Duration.Seconds())
	}
	if failed := c.errors[call.Outcome]; failed != nil {
		failed.Inc()
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range m.vectors() {
		v.Describe(ch)
	}
	ch <- m.stems
	ch <- m.executions
	ch <- m.waiting
	ch <- m.environments
}

func (m *Metrics) vectors() []prometheus.Collector {
	return []prometheus.Collector{m.invocations, m.errors, m.throttles, m.loops, m.duration, m.initDuration, m.coldStarts}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, v := range m.vectors() {
		v.Collect(ch)
	}
	m.pool.mu.Lock()
	groups := m.pool.snapshot()
	m.pool.mu.Unlock()
	for runtime, s := range m.pool.stems.stat() {
		ch <- prometheus.MustNewConstMetric(m.stems, prometheus.GaugeValue, float64(s.ready), runtime, "ready")
		ch <- prometheus.MustNewConstMetric(m.stems, prometheus.GaugeValue, float64(s.booting), runtime, "booting")
	}
	stats := make(map[string]Stat) // an old group and a new one may have the same name
	for _, g := range groups {
		s := g.Stat()
		if s == (Stat{}) && g.counted.made.Load() == nil {
			continue // never called
		}
		stats[g.name] = stats[g.name].plus(s)
	}
	for name, s := range stats {
		ch <- prometheus.MustNewConstMetric(m.executions, prometheus.GaugeValue, float64(s.InFlight), name)
		ch <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(s.Waiting), name)
		for state, n := range map[environment.State]int{
			environment.StateInit: s.Starting, environment.StateIdle: s.Idle,
			environment.StateInvoke: s.Busy, environment.StateShutdown: s.Ending,
		} {
			ch <- prometheus.MustNewConstMetric(m.environments, prometheus.GaugeValue, float64(n), name, state.String())
		}
	}
}

// A Load is what a pool has at one moment.
type Load struct {
	Stat         // of all groups
	Stems    int // booted, without a function
	MemoryMB int // reserved for environments and stems
}

// Load counts what the pool has.
func (p *Pool) Load() (l Load) {
	p.mu.Lock()
	groups := p.snapshot()
	l.MemoryMB = p.budget.used.memoryMB
	p.mu.Unlock()
	for _, g := range groups {
		l.Stat = l.Stat.plus(g.Stat())
	}
	for _, s := range p.stems.stat() {
		l.Stems += s.ready
	}
	return l
}

// A Stat is a group at one moment.
type Stat struct {
	Starting, Idle, Busy, Ending int // environments
	InFlight, Waiting            int // invocations
}

func (s Stat) plus(o Stat) Stat {
	return Stat{
		Starting: s.Starting + o.Starting, Idle: s.Idle + o.Idle, Busy: s.Busy + o.Busy, Ending: s.Ending + o.Ending,
		InFlight: s.InFlight + o.InFlight, Waiting: s.Waiting + o.Waiting,
	}
}

// Stat counts what the group has.
func (g *Group) Stat() Stat {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Stat{Starting: g.starting, InFlight: g.inFlight, Waiting: g.waiters.len()}
	for _, m := range g.members {
		switch {
		case m.dead:
			s.Ending++
		case m.load > 0:
			s.Busy++
		default:
			s.Idle++
		}
	}
	return s
}
