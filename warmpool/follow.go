package warmpool

import (
	"io"
	"sync"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
)

// A CodeFollower is a Starter whose functions' code may change in its place.
type CodeFollower interface {
	// Follow calls changed soon after the code of f has changed, until the caller closes
	// the result. changed does not block.
	Follow(f *function.Function, changed func()) (io.Closer, error)
}

// following tells a group of changes of its code. It begins with the first environment,
// because nothing has read the code before. A node may have thousands of functions that
// nobody calls.
type following struct {
	mu       sync.Mutex // never taken under the group's mu
	follower io.Closer  // nil: not yet
	ended    bool
}

// follow makes sure that changes of f's code from now on renew the environments.
func (g *Group) follow(f *function.Function) {
	follower, ok := g.pool.starter.(CodeFollower)
	if !ok {
		return
	}
	g.following.mu.Lock()
	defer g.following.mu.Unlock()
	if g.following.ended || g.following.follower != nil {
		return
	}
	closer, err := follower.Follow(f, func() {
		g.pool.log.Info("code changed", zap.String("function", g.name))
		g.Renew()
	})
	if err != nil {
		// The function can run anyway. The next start tries again.
		g.pool.log.Error("code is not followed: a change will not be seen", zap.String("function", g.name), zap.Error(err))
		return
	}
	g.following.follower = closer
}

// unfollow ends what follow began, for good.
func (g *Group) unfollow() {
	g.following.mu.Lock()
	defer g.following.mu.Unlock()
	g.following.ended = true
	if g.following.follower == nil {
		return
	}
	if err := g.following.follower.Close(); err != nil {
		g.pool.log.Warn("following code", zap.String("function", g.name), zap.Error(err))
	}
	g.following.follower = nil
}
