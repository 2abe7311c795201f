package engine

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/hearthfn/hearth/caddymodule/awsapi/logs"
	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/subscription"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/function"
)

// newSubscriptions begins to send the logs of this node to functions.
func (e *Engine) newSubscriptions() (*subscription.Node, error) {
	return subscription.NewNode(subscription.Config{
		Store: subscription.NewStore(e.documents), Logs: e.logs, Dir: filepath.Join(e.Dir, "subscriptions"), Dispatch: e.dispatch, Log: e.Log,
		Account: func() (function.Account, bool) {
			if s := e.current.Load(); s != nil {
				return s.Account, true
			}
			return function.Account{}, false
		},
		GroupOf: func(ctx context.Context, arn string) string {
			if s := e.current.Load(); s != nil {
				return s.logGroupOf(ctx, arn)
			}
			return ""
		},
	})
}

// logGroupOf is the log group of a function by its ARN, "" if there is none here.
func (s *Setup) logGroupOf(ctx context.Context, arn string) string {
	name, qualifier, err := s.Account.Parse(arn)
	if err != nil || s.isRemote(name) {
		return ""
	}
	if qualifier == "" {
		qualifier = function.Latest
	}
	version, err := s.registry.Resolve(ctx, name, qualifier)
	if err != nil {
		return function.DefaultLogGroup(name) // it may come
	}
	return version.Function.LogGroup()
}

// subscriptions are what the API of logs needs of them.
func (s *Setup) subscriptions() logs.Subscriptions {
	return logs.Subscriptions{
		Node: s.engine.subscriptions,
		Check: func(ctx context.Context, group, to string) error {
			d := &bus.Dispatch{To: to, Service: subscription.Service, Source: subscription.GroupARN(&s.Account, group)}
			_, _, refused, err := s.permit(ctx, d)
			if err == nil && refused != nil {
				err = errors.Join(logs.ErrMayNot, errors.New(refused.reason))
			}
			return err
		},
	}
}
