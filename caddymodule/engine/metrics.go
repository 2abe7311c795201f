package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// openMetrics opens the metrics over time, and begins to sample, unless another process has the
// state.
func (e *Engine) openMetrics() (err error) {
	config := timeseries.Config{Log: e.Log}
	if e.inUse == nil {
		config.Dir = filepath.Join(e.Dir, "metrics")
	}
	if e.series, err = timeseries.Open(config); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	e.measured = cloudwatch.NewMetrics(e.series)
	if e.inUse == nil {
		e.sampler = newSampler(e)
		e.alarms = newAlarms(e)
		e.listener.start(e.measured)
	}
	return nil
}

// A listener takes the metrics that functions log, beside the calls that log them.
type listener struct {
	lines chan heard
	bytes atomic.Int64 // of the lines that wait
	stop  context.CancelFunc
	done  chan struct{}
	log   *zap.Logger
	gate  flood.Gate
}

type heard struct {
	group string
	line  []byte
}

// Bounds of the lines that wait: their number, and all together in bytes. Further ones are lost,
// and the log says so.
const (
	maxHeard      = 1024
	maxHeardBytes = 16 << 20
)

func newListener(log *zap.Logger) *listener {
	return &listener{lines: make(chan heard, maxHeard), log: log}
}

// hear is the Heard of the logs.
func (l *listener) hear(group string, line []byte) {
	if line = cloudwatch.EmbeddedIn(line); line == nil {
		return
	}
	size := int64(len(line))
	if l.bytes.Add(size) <= maxHeardBytes {
		select {
		case l.lines <- heard{group, bytes.Clone(line)}:
			return
		default:
		}
	}
	l.bytes.Add(-size)
	l.tell(group, errors.New("more lines with metrics come than are read"))
}

func (l *listener) tell(group string, err error) {
	l.gate.Tell(l.log, zap.WarnLevel, "metrics of a log line are not taken", group, func() []zap.Field {
		return []zap.Field{zap.String("log_group", group), zap.Error(err)}
	})
}

func (l *listener) start(to *cloudwatch.Metrics) {
	ctx, stop := context.WithCancel(context.Background())
	l.stop, l.done = stop, make(chan struct{})
	e := cloudwatch.Embedded{Metrics: to}
	take := func(h heard) {
		l.bytes.Add(-int64(len(h.line)))
		if err := e.Take(h.group, h.line, time.Now()); err != nil {
			l.tell(h.group, err)
		}
	}
	go func() {
		defer close(l.done)
		for {
			select {
			case h := <-l.lines:
				take(h)
			case <-ctx.Done():
				for len(l.lines) > 0 {
					take(<-l.lines)
				}
				return
			}
		}
	}()
}

func (l *listener) close() {
	if l.stop != nil {
		l.stop()
		<-l.done
	}
	l.gate.Close()
}

func (s *Setup) metricsConfig() cloudwatch.Config {
	c := cloudwatch.Config{
		Metrics: s.engine.measured, Account: s.Account, Store: s.engine.documents, Check: s.services.Check, Dispatch: s.engine.dispatch, Shared: s.engine.shared(),
	}
	if c.Shared {
		c.Others = s.askMetrics
	}
	return c
}

// alarms look at metrics from time to time.
type alarms struct {
	stop context.CancelFunc
	done chan struct{}
}

// evaluateEvery is how often alarms are evaluated: as AWS does for periods below a minute.
const evaluateEvery = 10 * time.Second

func newAlarms(e *Engine) *alarms {
	ctx, stop := context.WithCancel(context.Background())
	a := &alarms{stop, make(chan struct{})}
	go func() {
		defer close(a.done)
		ticker := time.NewTicker(evaluateEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			s := e.current.Load()
			if s == nil || !s.HasAPI || e.shared() {
				continue
			}
			if err := cloudwatch.Evaluate(ctx, s.metricsConfig()); err != nil && ctx.Err() == nil {
				s.refusals.Tell(s.Log, zap.WarnLevel, "alarms cannot be evaluated", "", func() []zap.Field { return []zap.Field{zap.Error(err)} })
			}
		}
	}()
	return a
}

func (a *alarms) close() {
	a.stop()
	<-a.done
}
