package caddymodule

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

// follow takes over what other nodes change, until ctx ends: the next call of a
// function would anyhow, but what is deleted and what is kept initialised has no next
// call here.
func (a *App) follow(ctx context.Context) {
	changed, err := a.machinery.engine.records.Watch(ctx, functionOwner)
	if err != nil {
		a.log.Error("changes of other nodes are not followed", zap.Error(err))
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
			err = a.followOne(ctx, strings.TrimPrefix(owner, functionOwner))
		case <-ticker.C:
			err = a.catalog.Sweep(ctx)
		case <-ctx.Done():
			return
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("changes of other nodes could not be taken over", zap.Error(err))
		}
	}
}

// followOne takes over the change of one function, or of any for "".
func (a *App) followOne(ctx context.Context, name string) error {
	if name == "" {
		return errors.Join(a.catalog.Sweep(ctx), a.provision())
	}
	if a.registry.ReadOnly(name) {
		return nil
	}
	if err := a.catalog.RefreshHeld(ctx, name); err != nil {
		return err
	}
	page, _, err := a.registry.Provisioned.List(ctx, name, "", 100)
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	for _, q := range page {
		err = errors.Join(err, ignoreMissing(a.catalog.Refresh(ctx, name, q.Qualifier)))
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}
