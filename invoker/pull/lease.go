package pull

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
)

// leaseName is that of the lease of a shard.
func (b *batcher) leaseName(shard string) string { return "mapping/" + b.mapping.UUID + "/" + shard }

// owner is that of the mapping's checkpoints.
func (b *batcher) owner() string { return checkpointOwner + b.mapping.UUID }

// withLease reads a shard while its lease lasts. A lost lease is no error.
func (b *batcher) withLease(ctx context.Context, shard string, grant state.Grant, read func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			sleep(ctx, renewEvery)
			if ctx.Err() != nil {
				return
			}
			renewed, err := b.engine.Store.Renew(ctx, grant, 1, leaseFor)
			switch {
			case err == nil:
				grant = renewed
			case errors.Is(err, state.ErrLeaseLost) || time.Until(grant.Until) < renewEvery:
				cancel(state.ErrLeaseLost) // another node may read it by now
				return
			}
		}
	}()
	err := read(ctx)
	cancel(nil)
	<-done
	back, stop := context.WithTimeout(context.Background(), renewEvery)
	defer stop()
	if returned := b.engine.Store.Return(back, grant); returned != nil && !errors.Is(returned, state.ErrLeaseLost) {
		b.engine.Log.Warn("the lease of a shard could not be given back: it ends by its time", zap.Error(returned))
	}
	if errors.Is(err, state.ErrLeaseLost) || errors.Is(err, state.ErrConflict) || errors.Is(context.Cause(ctx), state.ErrLeaseLost) {
		b.engine.Log.Warn("the lease of a shard was lost", zap.String("source", b.mapping.EventSourceArn), zap.String("shard", shard))
		return nil
	}
	return err
}
