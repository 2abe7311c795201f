package engine

import (
	"context"
	"fmt"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Running reports whether settings are in force.
func (e *Engine) Running() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.applied) > 0
}

// Invoker keeps and delivers events; nil until the first settings are applied.
func (e *Engine) Invoker() *invoker.Invoker {
	if d := e.delivery.Load(); d != nil {
		return d.invoker
	}
	return nil
}

// Schedules are those that run, and when.
func (e *Engine) Schedules() []schedule.Listed {
	if d := e.delivery.Load(); d != nil {
		return d.scheduler.List()
	}
	return []schedule.Listed{}
}

// Nodes are those that share the Redis and live, and the name of this one; none and "" if
// it is alone.
func (e *Engine) Nodes() (self string, nodes []state.Node) {
	if c := e.cluster.Load(); c != nil {
		return c.Self().Name, c.Members()
	}
	return "", []state.Node{}
}

// Drain has this node take no calls of others and no more events, and poll no sources,
// until it is called with false.
func (e *Engine) Drain(ctx context.Context, on bool) error {
	if d := e.delivery.Load(); d != nil {
		d.invoker.Pause(on)
		d.puller.Pause(on)
	}
	if c := e.cluster.Load(); c != nil {
		if err := c.Drain(ctx, on); err != nil {
			return fmt.Errorf("tell the other nodes: %w", err)
		}
	}
	return nil
}

// Runtimes is what serves each runtime on this node, by the settings in force. It may take
// a second: each interpreter that is found is asked what it is.
func (e *Engine) Runtimes() []runtimes.Status {
	return e.current.Load().machinery.launcher.Interpreters.Statuses()
}
