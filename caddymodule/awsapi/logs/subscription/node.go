package subscription

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
)

// Service is the principal by which functions' policies let log groups invoke them.
const Service = "logs.amazonaws.com"

// Config of a node.
type Config struct {
	Store *Store
	Logs  *logs.Store
	Dir   string // of the marks; it is made when missing
	// Account is that of the settings in force. It reports false until there are some.
	Account func() (function.Account, bool)
	// GroupOf is the log group of a function by its ARN, "" if there is no such function.
	GroupOf func(ctx context.Context, arn string) string
	// Dispatch keeps an event for a function. Once it returns nil, the function gets it, or the log
	// tells why not.
	Dispatch func(ctx context.Context, d *bus.Dispatch) error
	Log      *zap.Logger
}

// A Node sends what is logged on this node.
type Node struct {
	Config
	wake chan struct{}
	stop context.CancelFunc
	done chan struct{}
}

// Filters are read again when they have changed, after readAgain when they could not be read, and
// from time to time anyway, because hints may be lost.
const (
	readAgain  = time.Second
	readAnyway = time.Minute
)

// NewNode begins to send, until Close.
func NewNode(c Config) (*Node, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the marks of subscription filters: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	hints, err := c.Store.documents.Watch(ctx, owner)
	if err != nil {
		stop()
		return nil, fmt.Errorf("following changes of subscription filters: %w", err)
	}
	n := &Node{c, make(chan struct{}, 1), stop, make(chan struct{})}
	go n.run(ctx, hints)
	return n, nil
}

// Close stops to send. The stores stay open.
func (n *Node) Close() {
	n.stop()
	<-n.done
}

// Begin puts the mark of a filter, which is made next, behind what is logged now.
func (n *Node) Begin(ctx context.Context, group *logs.Group, id string) error {
	end, err := group.End(ctx)
	if err != nil {
		return err
	}
	return n.mark(id, end)
}

func (n *Node) run(ctx context.Context, hints <-chan string) {
	defer close(n.done)
	running := make(map[string]*follower)
	defer func() {
		for _, f := range running {
			f.close()
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := readAnyway
		if err := n.follow(ctx, running); err != nil && ctx.Err() == nil {
			n.Log.Warn("subscription filters cannot be read, and are tried again", zap.Error(err))
			next = readAgain
		}
		timer.Reset(next)
		for changed := false; !changed; {
			select {
			case <-ctx.Done():
				return
			case of, open := <-hints:
				if !open {
					hints = nil
				}
				changed = of == owner || of == ""
			case <-timer.C:
				changed = true
			}
		}
	}
}

// follow makes the followers those of the filters that there are.
func (n *Node) follow(ctx context.Context, running map[string]*follower) error {
	all, err := n.Store.All(ctx, "")
	if err != nil {
		return err
	}
	now := make(map[string]*Filter, len(all))
	for _, f := range all {
		now[f.ID] = f
	}
	for id, f := range running {
		if now[id] == nil || *now[id] != f.Filter {
			f.close()
			delete(running, id)
		}
		if now[id] == nil {
			n.forget(id)
		}
	}
	for id, f := range now {
		if running[id] != nil {
			continue
		}
		started, err := n.start(ctx, f)
		if err != nil {
			n.Log.Error("a subscription filter sends nothing", zap.String("log_group", f.Group), zap.String("filter", f.Name), zap.Error(err))
			continue
		}
		running[id] = started
	}
	n.sweep(now)
	return nil
}

// sweep removes the marks of filters that were removed while this node did not run.
func (n *Node) sweep(now map[string]*Filter) {
	entries, err := os.ReadDir(n.Dir)
	if err != nil {
		return // nothing depends on it
	}
	for _, e := range entries {
		info, err := e.Info()
		// A mark is made before its filter.
		if err == nil && now[e.Name()] == nil && time.Since(info.ModTime()) > time.Hour {
			n.forget(e.Name())
		}
	}
}

func (n *Node) path(id string) string { return filepath.Join(n.Dir, id) }

func (n *Node) forget(id string) { _ = os.Remove(n.path(id)) } // sweep tries again
