package launch

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/python"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

const (
	// compileTime bounds the compilation of a folder. What is done by then is used.
	compileTime = 2 * time.Minute
	// compileMemoryMB bounds its memory.
	compileMemoryMB = 512
	// maxCompilations is how many folders may wait. Those beyond wait for their next start.
	maxCompilations = 256
	// maxCompiles is how often a folder is compiled in the life of a server. Once is enough,
	// unless the result is damaged.
	maxCompiles = 3
	// copying is the kind of a compilation that only copies a folder.
	copying = "copy"
)

// A compiler compiles the code and layers of functions in the background, one folder at a time,
// so that a cold start only loads them. Python alone would compile at each: it cannot write
// beside code that is read-only. The code runs nowhere meanwhile. Its compiler does, on bytes of
// strangers, and so in a sandbox without network and without anything of the function but the
// folder. Whatever comes out is used for that same folder only.
type compiler struct {
	launcher *Launcher
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup

	mu      sync.Mutex
	queue   []compilation          // guarded by mu
	current compilationKey         // guarded by mu: what is being compiled
	tried   map[compilationKey]int // guarded by mu: how often
	running bool                   // guarded by mu
	closed  bool                   // guarded by mu
}

// A compilationKey is a folder and the kind of interpreter that its code is compiled for.
type compilationKey struct{ folder, kind string }

type compilation struct {
	compilationKey
	make func(context.Context) error
}

func newCompiler(l *Launcher) *compiler {
	c := &compiler{launcher: l, tried: make(map[compilationKey]int)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// compiled returns mounts with folders that have bytecode in place of those that have none.
// Where there is no bytecode yet it will be made, and the folder is used as it is.
func (l *Launcher) compiled(ctx context.Context, in runtimes.Interpreter, mounts []sandbox.Mount) []sandbox.Mount {
	_, kind, ok := runtimes.BytecodeFor(in, "", "")
	if !ok || !l.CompileCache {
		return mounts
	}
	shown := make([]sandbox.Mount, len(mounts))
	for i, m := range mounts {
		shown[i] = m
		if !l.Archives.CanCompile(m.Source) {
			continue
		}
		if folder := l.Archives.Compiled(ctx, m.Source, kind); folder != "" {
			shown[i].Source = folder
			continue
		}
		l.compiler.add(compilation{compilationKey{m.Source, kind}, func(ctx context.Context) error {
			return l.compile(ctx, in, kind, m)
		}})
	}
	return shown
}

// copied returns mounts with copies in place of folders of the user's own that are as they were
// when they were copied: what is made of a copy can be used again. Of the others copies will be
// made.
func (l *Launcher) copied(in runtimes.Interpreter, mounts []sandbox.Mount) []sandbox.Mount {
	_, _, hasBytecode := runtimes.BytecodeFor(in, "", "")
	if !l.CompileCache || !hasBytecode && !runtimes.HasStartCache(in) || !l.Sandbox.HasNetworks() {
		return mounts // without a sandbox code sees its path
	}
	shown := make([]sandbox.Mount, len(mounts))
	for i, m := range mounts {
		path, wanted := l.Archives.AsCopied(m.Source)
		shown[i] = sandbox.Mount{Source: path, Target: m.Target}
		if wanted {
			l.compiler.add(compilation{compilationKey{m.Source, copying}, func(ctx context.Context) error {
				return l.Archives.Copy(ctx, m.Source)
			}})
		}
	}
	return shown
}

// add has something compiled, unless that is under way or was tried in vain.
func (c *compiler) add(job compilation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if job.kind == copying {
		delete(c.tried, job.compilationKey) // the store counts
	}
	if c.closed || len(c.queue) >= maxCompilations || c.tried[job.compilationKey] >= maxCompiles || job.compilationKey == c.current {
		return
	}
	for _, waiting := range c.queue {
		if waiting.compilationKey == job.compilationKey {
			return
		}
	}
	c.tried[job.compilationKey]++
	c.queue = append(c.queue, job)
	if !c.running {
		c.running = true
		c.tasks.Go(c.run)
	}
}

func (c *compiler) run() {
	for {
		c.mu.Lock()
		c.current = compilationKey{}
		if len(c.queue) == 0 || c.closed {
			c.running = false
			c.mu.Unlock()
			return
		}
		job := c.queue[0]
		c.queue, c.current = c.queue[1:], job.compilationKey
		c.mu.Unlock()
		if err := job.make(c.ctx); err != nil && c.ctx.Err() == nil {
			c.launcher.log.Warn("cold starts are slower: code could not be compiled", zap.String("path", job.folder), zap.Error(err))
		}
	}
}

func (c *compiler) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.tasks.Wait()
}

// compile compiles a folder, and keeps the result beside it.
func (l *Launcher) compile(ctx context.Context, in runtimes.Interpreter, kind string, folder sandbox.Mount) error {
	in, mounts, err := l.place(in)
	if err != nil {
		return err
	}
	mounts = append(mounts, folder)
	command, _, _ := runtimes.BytecodeFor(in, l.Sandbox.Path(mounts, sandbox.RuntimeDir), l.Sandbox.Path(mounts, folder.Target))
	file, err := l.Archives.Scratch()
	if err != nil {
		return err
	}
	defer file.Close()
	p, err := l.Sandbox.Start(sandbox.Spec{
		ID: newEnvironmentID(), Args: command, Mounts: mounts, MemoryMB: compileMemoryMB, EphemeralStorageMB: 1, MaxProcesses: 8,
		Network: sandbox.NetworkNone, ExtraFiles: []*os.File{file},
	})
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, compileTime)
	defer cancel()
	stop := context.AfterFunc(limit, p.Kill)
	defer stop()
	<-p.Done()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if exit := p.Exit(); size == 0 && (exit.Code != 0 || exit.Signal != 0) {
		return fmt.Errorf("the compiler ended with %s", exit)
	}
	return l.Archives.Compile(ctx, folder.Source, kind, func(put func(string, []byte) error) error {
		return python.ReadBytecode(io.NewSectionReader(file, 0, size), put)
	})
}

// Close ends what the launcher does in the background. Environments are the pool's.
func (l *Launcher) Close() {
	l.compiler.close()
	l.zygotes.close()
}
