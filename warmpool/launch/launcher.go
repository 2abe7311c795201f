package launch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/custom"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// initTimeout is Lambda's limit for the init phase.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const initTimeout = 10 * time.Second

// provisionedInitTimeout is that limit for environments that are initialised
// ahead, or the function's timeout if that is longer.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const provisionedInitTimeout = 130 * time.Second

// A Config says what a Launcher makes environments with.
type Config struct {
	Dir          string // the bootstraps are written there
	Account      function.Account
	Sandbox      *sandbox.Sandbox
	Logs         *logs.Store
	Interpreters *runtimes.Finder
	Archives     *code.Store // unpacks code and layers
	CompileCache bool        // code is compiled ahead of cold starts
	Zygotes      string      // which stems are forked: ForkNone, ForkSDK or ForkAll
	Network      function.NetworkDefault
	// Exposed returns an error that says what an environment on the machine's network could
	// do to this server. Then none starts on that network. nil: there is no danger.
	Exposed func() error
	Code    *code.Watcher
	Keys    Keys   // nil: environments get no credentials
	Traces  Traces // nil: segments of X-Ray's are not taken
}

// A Launcher makes environments of functions: interpreter, bootstrap, sandbox,
// log stream and environment variables together.
type Launcher struct {
	Config
	log          *zap.Logger
	language     string   // LANG of functions
	interpreters sync.Map // interpreters of stems: runtimes.Interpreter by StemKind
	placed       sync.Map // the same in their sandboxes: placed by StemKind
	compiler     *compiler
	zygotes      *zygotes
	extended     sync.Map // functions (*function.Function by name and version) that have extensions, and so no stems

	mu          sync.Mutex
	precompiled map[string]struct{} // interpreters, by path; guarded by mu
}

var (
	_ warmpool.Starter      = (*Launcher)(nil)
	_ warmpool.CodeFollower = (*Launcher)(nil)
)

// New makes a Launcher. It writes the bootstraps to the data directory. Every environment
// mounts them from there. Close it before the sandbox.
func New(config Config, log *zap.Logger) (*Launcher, error) {
	l := &Launcher{Config: config, log: log, language: runtimes.Language(context.Background()), precompiled: make(map[string]struct{})}
	l.compiler, l.zygotes = newCompiler(l), newZygotes(l)
	if err := config.Interpreters.Validate(); err != nil {
		return nil, err
	}
	if err := runtimes.WriteBootstraps(l.bootstraps()); err != nil {
		return nil, fmt.Errorf("write the bootstraps: %w", err)
	}
	return l, nil
}

func (l *Launcher) bootstraps() string { return filepath.Join(l.Dir, "runtime") }

// Check reports whether environments of f can be made here: the runtime is known, and there
// is an interpreter for it. It logs a warning if the interpreter has another version than the
// runtime names. It also compiles the bootstrap for the interpreter, once.
func (l *Launcher) Check(ctx context.Context, f *function.Function) error {
	interpreter, warning, err := l.Interpreters.Find(f.Runtime)
	if err != nil {
		return fmt.Errorf("function %q: %w", f.Name, err)
	}
	if interpreter.Family != runtimes.FamilyNode && interpreter.Family != runtimes.FamilyPython && f.PerEnvironmentConcurrency > 1 {
		return fmt.Errorf("function %q: per_environment_concurrency %d: runtime %s runs one invocation at a time", f.Name, f.PerEnvironmentConcurrency, f.Runtime)
	}
	if err := l.checkNetwork(f, interpreter); err != nil {
		return fmt.Errorf("function %q: %w", f.Name, err)
	}
	if l.firstOf(interpreter) {
		err := runtimes.Precompile(ctx, interpreter, l.bootstraps())
		if err == nil {
			err = l.archiveClasses(ctx, interpreter)
		}
		if err != nil {
			l.log.Warn("cold starts are slower: the bootstrap could not be compiled", zap.String("function", f.Name), zap.Error(err))
		}
	}
	if warning != "" {
		l.log.Warn(warning, zap.String("function", f.Name))
	}
	return nil
}

// firstOf reports whether no function before used this interpreter.
func (l *Launcher) firstOf(in runtimes.Interpreter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, seen := l.precompiled[in.Path]
	l.precompiled[in.Path] = struct{}{}
	return !seen
}

// Follow implements warmpool.CodeFollower. Layers are followed as the code is.
func (l *Launcher) Follow(f *function.Function, changed func()) (io.Closer, error) {
	var all followers
	for _, path := range append([]string{f.Code}, f.Layers...) {
		if l.Archives.Holds(path) {
			continue // an unpacked archive never changes
		}
		follower, err := l.Code.Follow(path, changed)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all = append(all, follower)
	}
	return all, nil
}

type followers []*code.Follower

func (all followers) Close() error {
	var errs []error
	for _, f := range all {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Start implements warmpool.Starter.
func (l *Launcher) Start(ctx context.Context, s warmpool.Start) (env *environment.Environment, err error) {
	f := s.Function
	interpreter, err := l.interpreterOf(s)
	if err != nil {
		return nil, err
	}
	group, err := l.Logs.Named(f.LogGroup())
	if err != nil {
		return nil, err
	}
	// Stems have other ids than environments: the log stream of an environment has the id in
	// its name.
	id := newEnvironmentID()
	stream := group.StreamOf(f, s.Initialization, id, time.Now())

	code, err := l.codeMounts(ctx, f)
	if err != nil {
		return nil, err
	}
	code = l.compiled(ctx, interpreter, l.copied(interpreter, code))
	cached := l.startCache(ctx, f, interpreter, code)
	code = append(code, cached.mounts...)
	if s.Stem == nil {
		s.Stem = l.forked(ctx, f)
	}
	found := interpreter
	interpreter, shown, err := l.placeFor(s, interpreter)
	if err != nil {
		return nil, err
	}
	mounts := append(code[:len(code):len(code)], shown...)
	at := places{
		task:    l.Sandbox.Path(mounts, sandbox.TaskRoot),
		runtime: l.Sandbox.Path(mounts, sandbox.RuntimeDir),
		layers:  l.Sandbox.Path(mounts, sandbox.LayerRoot),
	}
	if interpreter.SDK != "" {
		at.sdk = l.Sandbox.Path(mounts, sdkTarget(interpreter))
	}
	network, policy := l.networkOf(f)
	traces := l.trace(ctx, f, network, &policy)
	keys, err := l.begin(ctx, f, id, network, &policy)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			keys.end()
		}
	}()
	variables := l.variables(f, s.Initialization, stream.Name(), at)
	maps.Copy(variables, keys.variables)
	maps.Copy(variables, traces)
	box := sandbox.Spec{
		ID: id, Function: f.Name, Mounts: mounts, MemoryMB: f.MemoryMB, EphemeralStorageMB: f.EphemeralStorageMB,
	}
	box.Network, box.Policy = networks[network], policy
	if err := l.checkExposure(network); err != nil {
		return nil, err
	}
	spec := environment.Spec{
		ID: id,
		Init: runtimes.InitPayload{
			Handler: f.Handler, TaskRoot: at.task, LayerRoot: at.layers, Env: variables,
			FunctionName: f.Name, FunctionVersion: f.Version,
			InvokedFunctionARN: l.Account.ARN(f.Name, ""),
			MemoryMB:           f.MemoryMB, LogGroup: f.LogGroup(), LogStream: stream.Name(),
			Concurrency: f.PerEnvironmentConcurrency, SDKRoot: at.sdk,
			StartCache: cached.folder,
		},
		InitTimeout: initTimeout, Waits: runtimes.Waits(interpreter),
		Log:    stream,
		Busy:   s.Busy,
		Loaded: func(modules []string) { l.zygotes.learn(found, f, modules) },
		Begun:  s.Begun, Loading: s.Loading,
		Ended: func(e *environment.Environment) {
			keys.end()
			if s.Ended != nil {
				s.Ended(e)
			}
		},
		Start: func(output *os.File, pipes []*os.File) (environment.Process, error) {
			return l.startProcess(box, output, pipes)
		},
	}
	if s.Initialization == warmpool.Provisioned {
		spec.InitTimeout = max(provisionedInitTimeout, f.Timeout)
	}
	stream.InitStart(time.Now(), versionText(interpreter), l.versionARN(interpreter))
	places := []custom.Place{
		{Outside: sourceOf(code, sandbox.TaskRoot), Inside: at.task}, {Outside: sourceOf(code, sandbox.LayerRoot), Inside: at.layers},
	}
	extensions, err := custom.Extensions(places)
	if err != nil {
		return nil, err
	}
	if interpreter.Family == runtimes.FamilyCustom {
		bootstrap, err := custom.Bootstrap(places)
		if err != nil {
			return nil, refuseEntrypoint(stream, f.MemoryMB, err)
		}
		box.Args = []string{bootstrap}
	} else {
		box.Args, box.Env = runtimes.Command(interpreter, at.runtime, f.MemoryMB, variables, false)
	}
	spec.Init.Wrapped = runtimes.IsWrapped(interpreter, variables)
	if interpreter.Family == runtimes.FamilyCustom || len(extensions) > 0 || spec.Init.Wrapped {
		b := &bridged{
			Launcher: l, stream: stream, box: box, variables: variables, builtin: interpreter.Family != runtimes.FamilyCustom, dir: at.layers + "/extensions",
			config: custom.Config{Extensions: extensions, Wrapped: spec.Init.Wrapped, Patience: spec.InitTimeout - extensionMargin, AccountID: l.Account.ID},
		}
		b.config.ExtensionLine = func(requestID string, line []byte) { stream.Extension(time.Now(), requestID, line) }
		spec.Start = b.start
		if s.Stem != nil {
			s.Stem.Close() // a stem has no bridge for extensions
			l.extended.Store(f.Name+":"+f.Version, f)
			s.Stem = nil
		}
	}
	env, err = l.startFrom(ctx, spec, s.Stem, func(p *sandbox.Process) error {
		return p.Assume(sandbox.Assumption{Function: f.Name, Mounts: code, MemoryMB: f.MemoryMB, EphemeralStorageMB: f.EphemeralStorageMB, Policy: box.Policy})
	})
	var initError *environment.InitError
	if errors.As(err, &initError) && initError.Timeout() && s.Initialization == warmpool.OnDemand {
		// As on Lambda, the init phase is repeated as a part of the invocation, within the
		// timeout of the invocation.
		spec.Phase, spec.InitTimeout = "invoke", f.Timeout
		env, err = environment.Start(ctx, spec)
	}
	if err == nil {
		cached.make()
	}
	return env, err
}

// interpreterOf is that of the stem, if there is one: StemKind has just looked for it.
func (l *Launcher) interpreterOf(s warmpool.Start) (runtimes.Interpreter, error) {
	if s.Stem != nil {
		if known, ok := l.interpreters.Load(s.Stem.Kind); ok {
			interpreter := known.(runtimes.Interpreter)
			interpreter.Runtime = s.Function.Runtime
			return interpreter, nil
		}
	}
	interpreter, _, err := l.Interpreters.Find(s.Function.Runtime)
	return interpreter, err
}

func allOf(variables map[string]string) []string {
	all := make([]string, 0, len(variables))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		all = append(all, name+"="+variables[name])
	}
	return all
}

// sourceOf is the source of the mount at target, "" if there is none.
func sourceOf(mounts []sandbox.Mount, target string) string {
	for _, m := range mounts {
		if m.Target == target {
			return m.Source
		}
	}
	return ""
}

// refuseEntrypoint logs that there is no program to run, as Lambda does.
func refuseEntrypoint(stream *logs.Stream, memoryMB int, err error) error {
	var entrypoint *custom.EntrypointError
	if !errors.As(err, &entrypoint) {
		return err
	}
	return environment.NewInitError(stream, memoryMB, custom.EntrypointType, entrypoint.Message)
}

// startFrom makes an environment of stem. It makes one from nothing if there is no stem, the
// stem has just died, or the code cannot be mounted into it: an error of a stem must not fail
// the call.
func (l *Launcher) startFrom(ctx context.Context, spec environment.Spec, stem *warmpool.Stem, assume func(*sandbox.Process) error) (*environment.Environment, error) {
	if stem != nil {
		env, err := stem.Start(ctx, spec, func() error { return assume(stem.Process().(process).Process) })
		if !errors.Is(err, environment.ErrNotStarted) {
			return env, err
		}
		if err != environment.ErrNotStarted && ctx.Err() == nil { // ErrNotStarted: the stem has ended
			l.log.Warn("a booted process could not be used: another one is started", zap.String("function", spec.Init.FunctionName), zap.Error(err))
		}
	}
	return environment.Start(ctx, spec)
}

func (l *Launcher) startProcess(spec sandbox.Spec, output *os.File, pipes []*os.File) (process, error) {
	spec.Stdout, spec.Stderr, spec.ExtraFiles = output, output, pipes
	p, err := l.Sandbox.Start(spec)
	return process{p}, err
}

// A process is a sandboxed process with the methods that an environment needs.
type process struct{ *sandbox.Process }

func (p process) Exit() (status string, outOfMemory bool) {
	exit := p.Process.Exit()
	return exit.String(), exit.OOMKilled
}

func (p process) Memory() int64 {
	return p.PeakMemory()
}

// CurrentMemory is the memory of the tree now, in bytes, 0 when unknown.
func (p process) CurrentMemory() int64 {
	current, _ := p.Process.Memory()
	return current
}

// codeMounts are the mounts of the code of f and of its layers.
func (l *Launcher) codeMounts(ctx context.Context, f *function.Function) ([]sandbox.Mount, error) {
	folder, err := l.Archives.Folder(ctx, f.Code)
	if err != nil {
		return nil, fmt.Errorf("code: %w", err)
	}
	mounts := []sandbox.Mount{{Source: folder, Target: sandbox.TaskRoot}}
	layers, err := l.Archives.Layers(ctx, f.Layers)
	if err != nil {
		return nil, err
	}
	if layers != "" {
		mounts = append(mounts, sandbox.Mount{Source: layers, Target: sandbox.LayerRoot})
	}
	return mounts, nil
}

func newEnvironmentID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
