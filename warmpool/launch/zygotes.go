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
	// maxEntries is how much of an SDK a zygote loads at most, and maxEntriesSize the size in
	// bytes of what it is told of that, as JSON: it goes in one packet.
	maxEntries     = 2000
	maxEntriesSize = 100_000
	// maxEntriesOfCode is how much of it is learnt from functions of the same code, and maxLessons how
	// often: each time the zygote is replaced.
	maxEntriesOfCode = 500
	maxLessons       = 8
	// zygoteIdle is how long a zygote is kept after its last fork.
	zygoteIdle = 10 * time.Minute
	// maxUsers is of how many functions it is remembered whether they use the SDK.
	maxUsers = 10_000
	// maxZygotes bounds how many zygotes there are: one for each Python, and one for each that
	// has its SDK imported.
	maxZygotes = 8
)

// Which stems of Python are forked from a zygote.
const (
	ForkNone = "off"
	ForkSDK  = "on"  // those of functions that load the runtime's SDK
	ForkAll  = "all" // takes less memory, and longer for functions that load nothing
)

// forks reports whether stems are forked that nobody waits for, those that have loaded the SDK or others.
func (l *Launcher) forks(preloaded bool) bool {
	return (l.Zygotes == ForkAll || l.Zygotes == ForkSDK && preloaded) && l.Sandbox.CanFork()
}

// A zygoteKey is what the stems of a zygote have in common.
type zygoteKey struct {
	interpreter, sdk string
	preloaded        bool
}

// zygotes are the processes that stems are forked from.
type zygotes struct {
	launcher *Launcher

	mu     sync.Mutex
	live   map[zygoteKey]*zygote  // guarded by mu
	loaded map[zygoteKey]*entries // guarded by mu
	users  map[string]bool        // guarded by mu: whether code uses the SDK, see codeOf
	closed bool                   // guarded by mu
}

type zygote struct {
	mu      sync.Mutex // guards what follows; held while a process is started
	process *sandbox.Zygote
	forks   int
	entries int // that it was told to load

	idle     *time.Timer // calls expire
	failures int         // in a row
	retryAt  time.Time
}

// zygotePause follows on a failure.
var zygotePause = backoff.Backoff{First: time.Second, Most: time.Hour}

// failed needs mu.
func (o *zygote) failed() {
	o.failures++
	o.retryAt = time.Now().Add(zygotePause.After(o.failures))
}

func newZygotes(l *Launcher) *zygotes {
	return &zygotes{launcher: l, live: make(map[zygoteKey]*zygote), loaded: make(map[zygoteKey]*entries), users: make(map[string]bool)}
}

// codeOf names what a function loads: functions of the same code load the same.
func codeOf(f *function.Function) string {
	return strings.Join(append([]string{f.Code, f.Handler}, f.Layers...), "\x00")
}

// firstEntries is what a zygote loads before it is known what functions use.
var firstEntries = []string{"boto3"}

// usesSDK reports whether there is an SDK to load ahead.
func usesSDK(in runtimes.Interpreter) bool { return in.Family == runtimes.FamilyPython && in.SDK != "" }

// learn is told what a function has loaded of the runtime's SDK.
func (z *zygotes) learn(in runtimes.Interpreter, f *function.Function, names []string) {
	if !usesSDK(in) {
		return
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if len(z.users) >= maxUsers {
		clear(z.users) // they are learnt anew
	}
	z.users[codeOf(f)] = true
	z.entriesOf(zygoteKey{in.Path, in.SDK, true}).learn(codeOf(f), names)
}

// entriesOf needs mu.
func (z *zygotes) entriesOf(key zygoteKey) *entries {
	loaded := z.loaded[key]
	if loaded == nil {
		loaded = newEntries()
		z.loaded[key] = loaded
	}
	return loaded
}

// preloads reports whether environments of f are to begin with modules of the SDK.
func (z *zygotes) preloads(f *function.Function) bool {
	for name := range f.Environment {
		if strings.HasPrefix(name, "BOTO") || strings.HasPrefix(name, "AWS_CRT") || name == "HOME" { // read at import
			return false
		}
	}
	code := codeOf(f)
	z.mu.Lock()
	uses, known := z.users[code]
	z.mu.Unlock()
	if known {
		return uses
	}
	uses = namesSDK(f)
	z.mu.Lock()
	defer z.mu.Unlock()
	if len(z.users) < maxUsers {
		z.users[code] = z.users[code] || uses
	}
	return uses
}

// forked forks a stem for a start that callers wait for and that has found none: a fork takes
// a fraction of the time of a boot. nil: there is no zygote for the function.
func (l *Launcher) forked(ctx context.Context, f *function.Function) *warmpool.Stem {
	if l.Zygotes == ForkNone || !l.Sandbox.CanFork() {
		return nil
	}
	kind, ok := l.StemKind(f)
	if !ok || kind.Family != runtimes.FamilyPython {
		return nil
	}
	stem, err := l.boot(ctx, kind, func() {}, true)
	if err != nil && ctx.Err() == nil {
		l.log.Warn("no stem could be made: the function is started from nothing", zap.String("function", f.Name), zap.Error(err))
	}
	return stem
}

// start starts a stem from the zygote of its kind. The caller starts it the ordinary way after
// an error, or if ok is false: there is no zygote for it.
func (z *zygotes) start(kind warmpool.StemKind, in runtimes.Interpreter, spec sandbox.Spec) (p *sandbox.Process, ok bool, err error) {
	l := z.launcher
	key := zygoteKey{kind.Interpreter, kind.SDK, kind.Preloaded}
	z.mu.Lock()
	one := z.live[key]
	if one == nil && len(z.live) < maxZygotes && !z.closed {
		one = &zygote{}
		z.live[key] = one
	}
	loaded := firstEntries
	if of := z.loaded[key]; of != nil && len(of.known) > 0 {
		loaded = of.names()
	}
	closed := z.closed
	z.mu.Unlock()
	if one == nil || closed {
		return nil, false, nil
	}
	process, err := one.use(func() (*sandbox.Zygote, error) { return l.startZygote(key, in, spec, loaded) }, len(loaded))
	if process == nil && err == nil {
		return nil, false, nil
	}
	if process != nil {
		p, err = l.Sandbox.StartFrom(process, spec)
		one.used(process, err)
	}
	z.judge(key, one, loaded, err)
	return p, true, err
}

// judge is told what came of a zygote that has loaded something. If it failed with what it had not
// loaded before, nothing more is learnt from the code that has named that, and all others get
// a zygote without it at once.
func (z *zygotes) judge(key zygoteKey, one *zygote, loaded []string, err error) {
	z.mu.Lock()
	of := z.loaded[key]
	blamed := 0
	switch {
	case of == nil:
	case err == nil:
		of.praise(loaded)
	default:
		blamed = of.blame(loaded)
	}
	z.mu.Unlock()
	if blamed > 0 {
		one.forgive()
		z.launcher.log.Warn("a zygote failed with what functions have loaded of the SDK: nothing more is learnt from them",
			zap.Int("codes", blamed), zap.String("interpreter", key.interpreter), zap.Error(err))
	}
}

// forgive has a zygote started at once after a failure that was not its own.
func (o *zygote) forgive() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures, o.retryAt = 0, time.Time{}
}

// use returns a process to fork from, which is held until StartFrom has been called. Without
// one and without an error none is to be started now.
func (o *zygote) use(start func() (*sandbox.Zygote, error), entries int) (process *sandbox.Zygote, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Now().Before(o.retryAt) {
		return nil, nil
	}
	if o.process != nil && (!o.process.Works() || o.forks >= zygoteForks || o.entries != entries) {
		o.process.Retire()
		o.process = nil
	}
	if o.process == nil {
		if o.process, err = start(); err != nil {
			o.failed()
			return nil, err
		}
		o.forks, o.entries = 0, entries
	}
	o.forks++
	if o.idle == nil {
		o.idle = time.AfterFunc(zygoteIdle, o.expire)
	} else {
		o.idle.Reset(zygoteIdle)
	}
	o.process.Hold()
	return o.process, nil
}

// expire gives up a zygote that nobody has used for a while. Its children live on.
func (o *zygote) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.process != nil {
		o.process.Retire()
		o.process = nil
	}
}

// used is told what came of a fork.
func (o *zygote) used(process *sandbox.Zygote, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.failures = 0
	case process == o.process:
		o.process = nil
		process.Retire()
		o.failed()
	}
}

// startZygote starts the zygote for stems like spec.
func (l *Launcher) startZygote(key zygoteKey, in runtimes.Interpreter, stem sandbox.Spec, loaded []string) (*sandbox.Zygote, error) {
	setup := struct {
		Entries []string `json:"entries,omitempty"`
		Path    string   `json:"path,omitempty"`
	}{}
	if key.preloaded {
		setup.Entries, setup.Path = loaded, sdkTarget(in)
	}
	text, err := json.Marshal(setup)
	if err != nil {
		return nil, err
	}
	z, err := l.Sandbox.StartZygote(sandbox.Spec{
		ID: newEnvironmentID(), Args: append(slices.Clone(stem.Args), "zygote"), Env: stem.Env, Mounts: stem.Mounts, MemoryMB: zygoteMemoryMB, EphemeralStorageMB: 1,
	}, text, warmpool.BootTimeout)
	if err == nil {
		l.log.Debug("zygote ready", zap.String("interpreter", in.Path), zap.Int("entries", len(setup.Entries)), zap.Int64("memory", z.Memory()))
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
		if one.idle != nil {
			one.idle.Stop()
		}
		if one.process != nil {
			one.process.Close()
		}
		one.process, one.retryAt = nil, time.Now().Add(time.Hour)
		one.mu.Unlock()
	}
}

// startStem starts a stem, from a zygote where there can be one.
func (l *Launcher) startStem(ctx context.Context, kind warmpool.StemKind, in runtimes.Interpreter, spec sandbox.Spec, output *os.File, pipes []*os.File, fork bool) (process, error) {
	spec.Stdout, spec.Stderr, spec.ExtraFiles = output, output, pipes
	if fork {
		p, ok, err := l.zygotes.start(kind, in, spec)
		if ok && err == nil {
			return process{p}, nil
		}
		if err != nil && ctx.Err() == nil {
			l.log.Warn("stems are booted instead of forked for a while", zap.String("interpreter", kind.Interpreter), zap.Error(err))
		}
	}
	p, err := l.Sandbox.Start(spec)
	return process{p}, err
}
