package subscription

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/filterpattern"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/disk"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
)

// A follower sends the events of one filter.
type follower struct {
	Filter
	node    *Node
	group   *logs.Group
	pattern *filterpattern.Pattern
	stop    context.CancelFunc
	done    chan struct{}
}

// Times of a follower: how long events wait for others, and for what does not take them.
const linger = 500 * time.Millisecond

var retry = backoff.Backoff{First: time.Second, Most: time.Minute}

func (n *Node) start(ctx context.Context, of *Filter) (*follower, error) {
	f := &follower{Filter: *of, node: n, done: make(chan struct{})}
	var err error
	if f.pattern, err = filterpattern.Parse(of.Pattern); err != nil {
		return nil, err
	}
	if f.group, err = n.Logs.Named(of.Group); err != nil {
		return nil, err
	}
	ctx, f.stop = context.WithCancel(ctx)
	go f.run(ctx)
	return f, nil
}

func (f *follower) close() {
	f.stop()
	<-f.done
}

// mark keeps the place up to which the events of a filter were handed over.
func (n *Node) mark(id string, at logs.Position) error {
	return disk.Replace(n.path(id), []byte(at.String()), 0o600)
}

// marked is the mark of a filter. This node may see a filter that another made later than what it
// has logged meanwhile: then the filter begins with what is logged since it is there.
func (f *follower) marked(ctx context.Context) (at logs.Position, since time.Time, err error) {
	text, err := os.ReadFile(f.node.path(f.ID))
	if err == nil {
		at, err = logs.ParsePosition(strings.TrimSpace(string(text)))
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return at, since, err
	}
	return at, time.UnixMilli(f.Created), nil
}

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	for failures := 1; ctx.Err() == nil; failures++ {
		err := f.read(ctx)
		if ctx.Err() != nil || errors.Is(err, logs.ErrClosed) {
			return
		}
		f.node.Log.Warn("a subscription filter is read again", zap.String("log_group", f.Group), zap.String("filter", f.Name), zap.Error(err))
		wait(ctx, retry.After(failures))
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A found is an event that was read; text is "" if it does not match.
type found struct {
	event logs.Event
	text  string
}

// read sends what is logged behind the mark, until ctx is done or something fails.
func (f *follower) read(ctx context.Context) error {
	at, since, err := f.marked(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	events, ended := make(chan found), make(chan error, 1)
	go func() {
		defer close(events)
		ended <- f.find(ctx, at, since, events)
	}()
	err = f.collect(ctx, events)
	stop()
	for range events { // until the reader has ended
	}
	if failed := <-ended; err == nil {
		err = failed
	}
	return err
}

// find reads the events behind a mark. Without a mark it reads what this node has logged since a
// time, and then, as behind a mark, what comes, whatever its time is.
func (f *follower) find(ctx context.Context, at logs.Position, since time.Time, to chan<- found) error {
	if !since.IsZero() {
		end, err := f.group.End(ctx)
		if err != nil {
			return err
		}
		if (end != logs.Position{}) {
			if err := f.pass(ctx, logs.Query{From: since, Before: end}, to); err != nil {
				return err
			}
		}
		at = end
	}
	return f.pass(ctx, logs.Query{After: at, Follow: true}, to)
}

func (f *follower) pass(ctx context.Context, q logs.Query, to chan<- found) error {
	for e, err := range f.group.Events(ctx, q) {
		if err != nil {
			return err
		}
		one := found{event: e}
		if text := f.group.Text(&e); f.pattern.Match(text) {
			one.text = text
		}
		select {
		case to <- one:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// collect makes batches of events, and sends each when it is full or its first event is old.
func (f *follower) collect(ctx context.Context, events <-chan found) error {
	var b batch
	var last, kept logs.Position
	timer := time.NewTimer(linger)
	defer timer.Stop()
	flush := func() error {
		if last == kept {
			return nil
		}
		if err := f.send(ctx, &b); err != nil {
			return err
		}
		b, kept = batch{}, last
		return f.node.mark(f.ID, last)
	}
	for {
		select {
		case one, open := <-events:
			if !open {
				return nil // what is in the batch is read again
			}
			if one.text != "" {
				if b.full(one.text) {
					if err := flush(); err != nil {
						return err
					}
				}
				b.add(&one.event, one.text)
			}
			last = one.event.Position
		case <-timer.C:
			if err := flush(); err != nil {
				return err
			}
			timer.Reset(linger)
		}
	}
}

// send keeps the events of a batch for the function. It tries until they are kept.
func (f *follower) send(ctx context.Context, b *batch) error {
	if b.count == 0 {
		return nil
	}
	for failures := 1; ; failures++ {
		account, ready := f.node.Account()
		err := errors.New("the server is starting")
		if ready {
			err = f.dispatch(ctx, b, &account)
		}
		if err == nil {
			return nil
		}
		if failures > 1 && ctx.Err() == nil {
			f.node.Log.Warn("a subscription filter waits", zap.String("log_group", f.Group), zap.String("filter", f.Name), zap.Error(err))
		}
		if wait(ctx, retry.After(failures)); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// dispatch keeps the payloads that are not kept yet.
func (f *follower) dispatch(ctx context.Context, b *batch, account *function.Account) error {
	if f.node.GroupOf(ctx, f.To) == f.Group {
		f.node.Log.Warn("a subscription filter sends nothing: the function logs to the group that feeds it",
			zap.String("log_group", f.Group), zap.String("filter", f.Name), zap.String("function", f.To))
		return nil
	}
	payloads, err := b.payloads(&f.Filter, account.ID)
	if err != nil {
		return err
	}
	for _, payload := range payloads {
		if err := f.node.Dispatch(ctx, &bus.Dispatch{
			ID: function.NewRequestID(), To: f.To, Payload: payload, Since: time.Now(), Service: Service, Source: GroupARN(account, f.Group),
		}); err != nil {
			return err
		}
		// A later one may fail: this one is not sent again then.
		delete(b.streams, b.order[0])
		b.order = b.order[1:]
	}
	return nil
}

// GroupARN is the ARN of a log group as policies of functions have it.
func GroupARN(a *function.Account, group string) string {
	return "arn:aws:logs:" + a.Region + ":" + a.ID + ":log-group:" + group + ":*"
}
