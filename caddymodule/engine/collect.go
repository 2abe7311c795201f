package engine

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// codePath is the path of the code of a function of the registry.
func (e *Engine) codePath(c registry.Code) string {
	digest, err := code.DigestOf(c.SHA256)
	if err != nil {
		panic(err) // only digests of stored archives are registered
	}
	return e.archives.Tree(digest)
}

// collectInterval is how often the engine searches for code that nothing refers to. Code that
// it finds unused twice is removed. By then no environment runs it any more: the longest
// invocation takes 90 minutes.
const collectInterval = 2 * time.Hour

// collect removes code that nothing refers to any more, until Close.
func (e *Engine) collect() {
	ctx, cancel := context.WithCancel(context.Background())
	e.stop, e.done = cancel, make(chan struct{})
	go func() {
		defer close(e.done)
		timer := time.NewTicker(collectInterval)
		defer timer.Stop()
		var before map[code.Digest]bool
		for {
			next, err := e.collectOnce(ctx, before)
			if err != nil && ctx.Err() == nil {
				e.Log.Warn("code that is not used any more could not be given up", zap.Error(err))
			}
			before = next
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// collectOnce removes code that is unused now and was unused before. The first time before is
// nil, and nothing is removed. It returns the value of before for the next time.
func (e *Engine) collectOnce(ctx context.Context, before map[code.Digest]bool) (map[code.Digest]bool, error) {
	used, err := e.usedCode(ctx)
	if err != nil {
		return before, err // the list is incomplete
	}
	if before != nil {
		err = e.archives.Collect(ctx, func(d code.Digest) bool { return used[d] || before[d] }, collectInterval)
	}
	return used, err
}

// usedCode lists the code that the registry refers to.
func (e *Engine) usedCode(ctx context.Context) (map[code.Digest]bool, error) {
	used := make(map[code.Digest]bool)
	err := e.registry.CodeReferences(ctx, func(c registry.Code) {
		if digest, err := code.DigestOf(c.SHA256); err == nil {
			used[digest] = true
		}
	})
	return used, err
}
