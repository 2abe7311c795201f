package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/cluster"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

// An Engine is what a data directory holds and what works on it. Its files are locked or written to
// by one process, so it outlives a reload, and a new node that takes the place of
// an old one.
//
//	DIR/logs/         log groups
//	DIR/code/         code archives
//	DIR/state.db      functions that the API made, and what is to be delivered
//	DIR/credentials   access keys of the API
//	DIR/endpoint      where `caddy hearth` finds the API, and
//	DIR/admin         the admin endpoint
type Engine struct {
	bodies    *bodies.Budget // of all requests
	key, dir  string
	logs      *logs.Store
	archives  *code.Store
	records   stateStore // nil: see inUse
	shared    bool       // with other nodes, by Redis
	registry  *registry.Registry
	invoker   *invoker.Invoker // nil until the first Start
	puller    *pull.Engine     // likewise
	scheduler *schedule.Engine // likewise
	// inUse is that another process has the state: this one may check a
	// configuration, as `caddy validate` does beside a server, and not start.
	inUse error

	started started

	stop context.CancelFunc // ends the collection of code
	done chan struct{}

	mu      sync.Mutex // guards invoker's start, and the change of current
	current atomic.Pointer[App]
	cluster atomic.Pointer[cluster.Cluster] // nil: this node is alone, or not started
}

var engines = caddy.NewUsagePool()

// engineKey tells engines apart.
func (a *App) engineKey() string { return a.DataDir + "\n" + a.Redis.URL + "\n" + a.Redis.Prefix }

// openEngine returns the engine of a's data directory, the one that is open
// already if there is one. closeEngine undoes it.
func openEngine(a *App) (*Engine, error) {
	value, _, err := engines.LoadOrNew(a.engineKey(), func() (caddy.Destructor, error) { return newEngine(a) })
	if err != nil {
		return nil, err
	}
	return value.(*Engine), nil
}

func closeEngine(s *Engine) error {
	_, err := engines.Delete(s.key)
	return err
}

// A stateStore keeps what survives a restart.
type stateStore interface {
	state.Records
	state.Queue
	state.Backlog
	state.Slots
	io.Closer
}

// connectWithin bounds how long a start waits for Redis.
const connectWithin = 15 * time.Second

func openState(a *App) (stateStore, error) {
	if a.Redis.URL == "" {
		s, err := boltstore.Open(boltstore.Config{Path: filepath.Join(a.DataDir, "state.db")})
		if err != nil {
			return nil, err // not an interface that holds nil
		}
		return s, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectWithin)
	defer cancel()
	s, err := redisstore.Open(ctx, redisstore.Config{URL: a.Redis.URL, Prefix: a.Redis.Prefix, Log: a.log})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newEngine(a *App) (_ *Engine, err error) {
	s := &Engine{bodies: bodies.New(a.BodyMemory), key: a.engineKey(), dir: a.DataDir, stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Destruct())
		}
	}()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return s, fmt.Errorf("data_dir: %w", err)
	}
	if s.archives, err = code.OpenStore(filepath.Join(s.dir, "code"), a.log); err != nil {
		return s, err
	}
	var records state.Records
	s.shared = a.Redis.URL != ""
	switch opened, err := openState(a); {
	case errors.Is(err, state.ErrInUse):
		s.inUse, records = err, unavailable{err}
	case err != nil:
		return s, err
	default:
		s.records, records = opened, opened
	}
	if s.shared {
		s.archives.Share(code.NewShared(records))
	}
	// After the state, whose lock says whose all this is: limits that are only being
	// checked must not cost a running server its logs.
	kept := a.logsConfig()
	kept.Keep = s.inUse != nil
	if s.logs, err = logs.Open(kept, a.log); err != nil {
		return s, err
	}
	s.registry, err = registry.New(registry.Config{Records: records, CodePath: s.codePath})
	if err != nil {
		return s, err
	}
	if s.inUse == nil {
		s.collect(a.log)
	}
	return s, nil
}

// codePath is where the code of a function of the registry lies.
func (s *Engine) codePath(c registry.Code) string {
	digest, err := code.DigestOf(c.SHA256)
	if err != nil {
		panic(err) // only digests of stored archives are registered
	}
	return s.archives.Tree(digest)
}

// collectInterval is how often code that nothing refers to is looked for. What is
// found unused twice goes, so that no environment runs it any more: the longest
// invocation takes 90 minutes.
const collectInterval = 2 * time.Hour

// collect gives up code that is not referred to any more, until Destruct.
func (s *Engine) collect(log *zap.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		timer := time.NewTicker(collectInterval)
		defer timer.Stop()
		var before map[code.Digest]bool
		for {
			next, err := s.collectOnce(ctx, before)
			if err != nil && ctx.Err() == nil {
				log.Warn("code that is not used any more could not be given up", zap.Error(err))
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

// collectOnce gives up code that is not used now and was not before, which is nil the
// first time: then nothing goes. It returns what before is the next time.
func (s *Engine) collectOnce(ctx context.Context, before map[code.Digest]bool) (map[code.Digest]bool, error) {
	used, err := s.usedCode(ctx)
	if err != nil {
		return before, err // what has been seen is not all
	}
	if before != nil {
		err = s.archives.Collect(ctx, func(d code.Digest) bool { return used[d] || before[d] }, collectInterval)
	}
	return used, err
}

// usedCode is what the registry refers to.
func (s *Engine) usedCode(ctx context.Context) (map[code.Digest]bool, error) {
	used := make(map[code.Digest]bool)
	err := s.registry.CodeReferences(ctx, func(c registry.Code) {
		if digest, err := code.DigestOf(c.SHA256); err == nil {
			used[digest] = true
		}
	})
	return used, err
}

// Destruct implements caddy.Destructor.
func (s *Engine) Destruct() error {
	s.stop()
	if s.done != nil {
		<-s.done
	}
	if s.scheduler != nil {
		s.scheduler.Close()
	}
	if s.puller != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		s.puller.Close(ctx)
		cancel()
	}
	if c := s.cluster.Load(); c != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		c.Close(ctx)
		cancel()
	}
	if s.invoker != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		s.invoker.Close(ctx)
		cancel()
	}
	if s.registry != nil {
		s.registry.Close()
	}
	var errs []error
	if s.records != nil {
		errs = append(errs, s.records.Close())
	}
	if s.logs != nil {
		errs = append(errs, s.logs.Close())
	}
	if s.archives != nil {
		errs = append(errs, s.archives.Close())
	}
	return errors.Join(errs...)
}

// unavailable stands in for records that cannot be had.
type unavailable struct{ err error }

func (u unavailable) Read(context.Context, state.Key) (state.Record, error) {
	return state.Record{}, u.err
}

func (u unavailable) List(context.Context, string, string, string, int) ([]state.Record, error) {
	return nil, u.err
}

func (u unavailable) Owners(context.Context, string, string, int) ([]string, error) {
	return nil, u.err
}

func (u unavailable) Change(context.Context, string, ...state.Change) (state.Revision, error) {
	return 0, u.err
}

func (u unavailable) Watch(ctx context.Context, _ string) (<-chan string, error) {
	changes := make(chan string)
	context.AfterFunc(ctx, func() { close(changes) })
	return changes, nil
}

var (
	_ caddy.Destructor = (*Engine)(nil)
	_ state.Records    = unavailable{}
)
