package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

const (
	// maxStartCache bounds a start cache, in bytes.
	maxStartCache = code.MaxStartCache
	// precompileTime bounds the making of a start cache.
	precompileTime = 45 * time.Second
	// leastPrecompileMB is the memory that the making of a start cache has at least, for it
	// takes more than an init.
	leastPrecompileMB = 512
)

// A cached is what a start uses of a start cache: what the runtime made of the function's code
// before, so that it starts sooner. The compiler makes one in the background after a first
// environment.
//
// A runtime trusts its start cache as it trusts the code itself. So nothing that has seen an
// event or a variable of a function makes one: a process of its own does, in a sandbox without
// network, variables and credentials, with nothing but the code, the layers and the handler's
// name. All that comes of it comes from these, which the cache is kept for: it tells no function
// anything that is not in its own code, even if another account has the same.
type cached struct {
	folder string          // inside; "" for none
	mounts []sandbox.Mount // nil for none
	make   func()          // has one made if there is none
}

// startCache returns the start cache for f, whose code is mounted by mounts.
func (l *Launcher) startCache(ctx context.Context, f *function.Function, in runtimes.Interpreter, mounts []sandbox.Mount) cached {
	none := cached{make: func() {}}
	if !l.CompileCache || !runtimes.HasStartCache(in) || !l.Sandbox.HasNetworks() {
		return none // without a sandbox nothing keeps a function from writing to it
	}
	for _, m := range mounts {
		if !l.Archives.Fixed(m.Source) {
			return none
		}
	}
	tree, layers := sourceOf(mounts, sandbox.TaskRoot), sourceOf(mounts, sandbox.LayerRoot)
	key, err := runtimes.StartCacheKey(in, f.Handler, f.MemoryMB, filepath.Base(layers))
	if err != nil {
		return none
	}
	if folder := l.Archives.StartCache(ctx, tree, key); folder != "" {
		return cached{folder: sandbox.CacheRoot, mounts: []sandbox.Mount{{Source: folder, Target: sandbox.CacheRoot}}, make: func() {}}
	}
	plain := &function.Function{Runtime: f.Runtime, Handler: f.Handler, MemoryMB: f.MemoryMB}
	return cached{make: func() {
		l.compiler.add(compilation{compilationKey{tree, key}, func(ctx context.Context) error {
			return l.precompile(ctx, plain, in, mounts, tree, key)
		}})
	}}
}

// precompile makes a start cache for f, of which only the code, the handler and the memory count.
func (l *Launcher) precompile(ctx context.Context, f *function.Function, in runtimes.Interpreter, code []sandbox.Mount, tree, key string) error {
	in, shown, err := l.place(in)
	if err != nil {
		return err
	}
	mounts := append(code[:len(code):len(code)], shown...)
	command, _ := runtimes.PrecompileFor(in, sandbox.RuntimeDir, sandbox.TaskRoot, sandbox.LayerRoot, f.Handler, f.MemoryMB)
	at := inside
	if in.SDK != "" {
		at.sdk = sdkTarget(in)
	}
	files, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer files.Close()
	p, err := l.Sandbox.Start(sandbox.Spec{
		ID: newEnvironmentID(), Args: command, Env: allOf(l.variables(f, "on-demand", "", at)), Mounts: mounts,
		MemoryMB: max(f.MemoryMB, leastPrecompileMB), Network: sandbox.NetworkNone, ExtraFiles: []*os.File{write},
	})
	write.Close()
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, precompileTime)
	defer cancel()
	stop := context.AfterFunc(limit, p.Kill)
	defer stop()
	made, err := runtimes.ReadFiles(files, maxStartCache)
	if err != nil {
		p.Kill()
	}
	<-p.Done()
	if limit.Err() != nil {
		return context.Cause(limit)
	}
	if exit := p.Exit(); err == nil && (exit.Code != 0 || exit.Signal != 0) {
		err = fmt.Errorf("the process ended with %s", exit)
	}
	if err == nil && len(made) == 0 {
		err = errors.New("the process wrote nothing")
	}
	if err != nil {
		return err
	}
	return l.Archives.PutStartCache(ctx, tree, key, made)
}
