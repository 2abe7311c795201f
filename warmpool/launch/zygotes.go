package launch

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

const (
	// zygoteForks is how many stems a zygote makes. They have its hash seed and its memory
	// layout, so it is replaced now and then.
	zygoteForks = 64
	// zygoteMemoryMB bounds the memory of a zygote.
	zygoteMemoryMB = 256
	// maxModules is how many modules of an SDK a zygote imports at most.
	maxModules = 2000
	maxModule  = 200 // bytes of a name
	// maxUsers is of how many functions it is remembered that they use the SDK.
	maxUsers = 10_000
	// maxZygotes bounds how many zygotes there are: one for each Python, and one for each that
	// has its SDK imported.
	maxZygotes = 8
)

// A zygoteKey is what the stems of a zygote have in common.
type zygoteKey struct {
	interpreter, sdk string
	preloaded        bool
}

// zygotes are the processes that stems are forked from.
type zygotes struct {
	launcher *Launcher

	mu      sync.Mutex
	live    map[zygoteKey]*zygote             // guarded by mu
	modules map[zygoteKey]map[string]struct{} // guarded by mu: imported from the SDK by functions here
	users   map[string]struct{}               // guarded by mu: their code, see codeOf
	closed  bool                              // guarded by mu
}

type zygote struct {
	mu      sync.Mutex // one start, or one fork, at a time
	process *sandbox.Zygote
	forks   int
	modules int // that it was told to import

	failures int // in a row
	retryAt  time.Time
}

// zygotePause follows on a failure.
var zygotePause = backoff.Backoff{First: time.Second, Most: time.Minute}

// failed needs mu.
func (o *zygote) failed() {
	o.failures++
	o.retryAt = time.Now().Add(zygotePause.After(o.failures))
}

func newZygotes(l *Launcher) *zygotes {
	return &zygotes{launcher: l, live: make(map[zygoteKey]*zygote), modules: make(map[zygoteKey]map[string]struct{}), users: make(map[string]struct{})}
}

// codeOf names what a function loads: functions of the same code load the same.
func codeOf(f *function.Function) string {
	return strings.Join(append([]string{f.Code, f.Handler}, f.Layers...), "\x00")
}

// learn is told which modules of the runtime's SDK a function has loaded.
func (z *zygotes) learn(in runtimes.Interpreter, f *function.Function, modules []string) {
	if in.Family != runtimes.FamilyPython || in.SDK == "" {
		return
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	key := zygoteKey{in.Path, in.SDK, true}
	known := z.modules[key]
	if known == nil {
		known = make(map[string]struct{})
		z.modules[key] = known
	}
	if len(z.users) >= maxUsers {
		clear(z.users) // they are learnt anew
	}
	z.users[codeOf(f)] = struct{}{}
	for _, name := range modules {
		if len(known) < maxModules && name != "" && len(name) <= maxModule {
			known[name] = struct{}{}
		}
	}
}

// preloads reports whether environments of f are to begin with modules of the SDK.
func (z *zygotes) preloads(f *function.Function) bool {
	for name := range f.Environment {
		if strings.HasPrefix(name, "BOTO") || strings.HasPrefix(name, "AWS_CRT") { // read at import
			return false
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	_, uses := z.users[codeOf(f)]
	return uses
}

// start starts a stem from the zygote of its kind. The caller starts it the ordinary way after
// an error, or if ok is false: there is no zygote for it.
func (z *zygotes) start(kind warmpool.StemKind, in runtimes.Interpreter, spec sandbox.Spec) (p *sandbox.Process, ok bool, err error) {
	l := z.launcher
	if kind.Family != runtimes.FamilyPython || !l.Zygotes || !l.Sandbox.CanFork() {
		return nil, false, nil
	}
	key := zygoteKey{kind.Interpreter, kind.SDK, kind.Preloaded}
	z.mu.Lock()
	one := z.live[key]
	if one == nil && len(z.live) < maxZygotes && !z.closed {
		one = &zygote{}
		z.live[key] = one
	}
	modules := make([]string, 0, len(z.modules[key]))
	for name := range z.modules[key] {
		modules = append(modules, name)
	}
	closed := z.closed
	z.mu.Unlock()
	if one == nil || closed {
		return nil, false, nil
	}
	slices.Sort(modules)

	one.mu.Lock()
	defer one.mu.Unlock()
	if time.Now().Before(one.retryAt) {
		return nil, false, nil
	}
	if one.process != nil && (!one.process.Works() || one.forks >= zygoteForks || one.modules != len(modules)) {
		one.process.Retire()
		one.process = nil
	}
	if one.process == nil {
		if one.process, err = l.startZygote(key, in, spec, modules); err != nil {
			one.failed()
			return nil, true, err
		}
		one.forks, one.modules = 0, len(modules)
	}
	one.forks++
	p, err = l.Sandbox.StartFrom(one.process, spec)
	if err != nil {
		one.process.Retire()
		one.process = nil
		one.failed()
		return nil, true, err
	}
	one.failures = 0
	return p, true, nil
}

// startZygote starts the zygote for stems like spec.
func (l *Launcher) startZygote(key zygoteKey, in runtimes.Interpreter, stem sandbox.Spec, modules []string) (*sandbox.Zygote, error) {
	setup := struct {
		Modules []string `json:"modules,omitempty"`
		Path    string   `json:"path,omitempty"`
	}{}
	if key.preloaded {
		setup.Modules, setup.Path = modules, sdkTarget(in)
	}
	text, err := json.Marshal(setup)
	if err != nil {
		return nil, err
	}
	z, err := l.Sandbox.StartZygote(sandbox.Spec{
		ID: newEnvironmentID(), Args: append(slices.Clone(stem.Args), "zygote"), Env: stem.Env, Mounts: stem.Mounts, MemoryMB: zygoteMemoryMB, EphemeralStorageMB: 1,
	}, text, warmpool.BootTimeout)
	if err == nil {
		l.log.Debug("zygote ready", zap.String("interpreter", in.Path), zap.Int("modules", len(setup.Modules)), zap.Int64("memory", z.Memory()))
	}
	return z, err
}

// close ends all zygotes. Their children are the pool's.
func (z *zygotes) close() {
	z.mu.Lock()
	z.closed = true
	live := z.live
	z.live = nil
	z.mu.Unlock()
	for _, one := range live {
		one.mu.Lock()
		if one.process != nil {
			one.process.Close()
		}
		one.process, one.retryAt = nil, time.Now().Add(time.Hour)
		one.mu.Unlock()
	}
}

// startStem starts a stem, from a zygote where there can be one.
func (l *Launcher) startStem(ctx context.Context, kind warmpool.StemKind, in runtimes.Interpreter, spec sandbox.Spec, output *os.File, pipes []*os.File) (process, error) {
	spec.Stdout, spec.Stderr, spec.ExtraFiles = output, output, pipes
	p, ok, err := l.zygotes.start(kind, in, spec)
	if ok && err == nil {
		return process{p}, nil
	}
	if err != nil && ctx.Err() == nil {
		l.log.Warn("stems are booted instead of forked for a while", zap.String("interpreter", kind.Interpreter), zap.Error(err))
	}
	p, err = l.Sandbox.Start(spec)
	return process{p}, err
}
