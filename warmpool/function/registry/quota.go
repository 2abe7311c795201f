package registry

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// DefaultCodeQuota is AWS's quota, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const DefaultCodeQuota = 75 << 30

// A codeQuota bounds the archives of all versions together.
//
// Counting reads every version. So far from the limit the last count is good for a while,
// with what this node has added. Near the limit every write counts anew, one after the
// other. So what is refused was counted just now. Other nodes may exceed the limit by what
// they add while a count is good.
type codeQuota struct {
	limit atomic.Int64
	// mu is held by who writes, and alone by who counts, so that no write is half counted.
	mu    sync.RWMutex
	total atomic.Int64
	at    time.Time // of the count
}

const (
	// countLasts is how long a count is good.
	countLasts = 5 * time.Second
	// nearLimit is the part of the limit within which each write counts anew.
	nearLimit = 16
)

func newCodeQuota() *codeQuota {
	q := new(codeQuota)
	q.limit.Store(DefaultCodeQuota)
	return q
}

// SetCodeQuota limits the code of all versions of functions and layers, in bytes. What is
// there stays.
func (r *Registry) SetCodeQuota(bytes int64) { r.quota.limit.Store(bytes) }

// CodeQuota is the limit that SetCodeQuota set.
func (r *Registry) CodeQuota() int64 { return r.quota.limit.Load() }

// CheckCodeQuota returns ErrCodeStorage if there is no room for more bytes of code.
func (r *Registry) CheckCodeQuota(ctx context.Context, more int64) error {
	done, err := r.admitCode(ctx, more)
	if err == nil {
		r.quota.total.Add(-more)
		done()
	}
	return err
}

// admitCode returns ErrCodeStorage if there is no room for more bytes of code. Otherwise
// the caller writes them, and then calls done.
func (r *Registry) admitCode(ctx context.Context, more int64) (done func(), err error) {
	q := r.quota
	if more <= 0 {
		return func() {}, nil
	}
	limit := q.limit.Load()
	q.mu.RLock()
	age := r.now().Sub(q.at)
	if q.total.Add(more) <= limit-limit/nearLimit && age >= 0 && age <= countLasts {
		return q.mu.RUnlock, nil
	}
	q.total.Add(-more)
	q.mu.RUnlock()

	q.mu.Lock()
	total, err := r.CodeSize(ctx)
	if err != nil {
		q.mu.Unlock()
		return nil, err
	}
	q.at = r.now()
	if total+more > limit {
		q.total.Store(total)
		q.mu.Unlock()
		return nil, fmt.Errorf("%d bytes of code beside %d, %d at most: %w", more, total, limit, ErrCodeStorage)
	}
	q.total.Store(total + more)
	return q.mu.Unlock, nil
}

// CodeSize is the size of the archives of all versions of functions and layers, in bytes.
// Each archive counts as often as it was published.
func (r *Registry) CodeSize(ctx context.Context) (total int64, err error) {
	versions := func(record state.Record) error {
		if record.Name != recordLatest && !strings.HasPrefix(record.Name, prefixVersion) {
			return nil
		}
		var v struct{ Code Code } // what a Version and a LayerVersion share
		err := decode(record, &v)
		total += v.Code.Size
		return err
	}
	for _, kind := range []string{ownerFunction, ownerLayer} {
		err := r.eachOwner(ctx, kind, func(owner string) error { return r.each(ctx, owner, "", versions) })
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}
