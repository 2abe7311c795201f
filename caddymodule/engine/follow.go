package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// functionOwner begins the owners of a function's records; see package registry.
const functionOwner = "function/"

// follow applies the changes of other nodes, until unfollow. The next call of a function would
// find its changes anyway. But functions that are deleted, or kept initialised, may have no
// next call here.
func (s *Setup) follow() {
	if !s.engine.shared() {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stopFollowing, s.followed = stop, make(chan struct{})
	go func() {
		defer close(s.followed)
		s.followUntil(ctx)
	}()
}

func (s *Setup) unfollow() {
	if s.stopFollowing != nil {
		s.stopFollowing()
		<-s.followed
	}
}

func (s *Setup) followUntil(ctx context.Context) {
	changed, err := s.engine.records.Watch(ctx, functionOwner)
	if err != nil {
		s.Log.Error("changes of other nodes are not followed", zap.Error(err))
		return
	}
	ticker := time.NewTicker(warmpool.SweepInterval)
	defer ticker.Stop()
	for {
		select {
		case owner, more := <-changed:
			if !more {
				return
			}
			err = s.followOne(ctx, strings.TrimPrefix(owner, functionOwner))
		case <-ticker.C:
			err = s.catalog.Sweep(ctx)
		case <-ctx.Done():
			return
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("changes of other nodes could not be taken over", zap.Error(err))
		}
	}
}

// followOne applies the change of one function, or of any for "".
func (s *Setup) followOne(ctx context.Context, name string) error {
	if name == "" {
		return errors.Join(s.catalog.Sweep(ctx), s.provide())
	}
	if s.registry.ReadOnly(name) {
		return nil
	}
	if err := s.catalog.RefreshRetained(ctx, name); err != nil {
		return err
	}
	page, _, err := s.registry.Provisioned.List(ctx, name, "", 100)
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	for _, q := range page {
		err = errors.Join(err, ignoreMissing(s.catalog.Refresh(ctx, name, q.Qualifier)))
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}
