package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// StemKind implements warmpool.Starter. A function whose own variables must be there when
// the process starts has no stems.
func (l *Launcher) StemKind(f *function.Function) (warmpool.StemKind, bool) {
	interpreter, _, err := l.Interpreters.Find(f.Runtime)
	if err != nil || interpreter.Family == runtimes.FamilyCustom || !l.Sandbox.CanAssume() || runtimes.NeedsEarly(f.Environment) {
		return warmpool.StemKind{}, false
	}
	if extended, _ := l.extended.Load(f.Name + ":" + f.Version); extended == f {
		return warmpool.StemKind{}, false
	}
	kind := warmpool.StemKind{Family: interpreter.Family, Interpreter: interpreter.Path, SDK: interpreter.SDK}
	kind.Network, _ = l.networkOf(f)
	kind.Preloaded = l.forks(true) && usesSDK(interpreter) && l.zygotes.preloads(f)
	if runtimes.FixesMemory(interpreter) {
		kind.MemoryMB = f.MemoryMB
	}
	kind.Large = interpreter.Family == runtimes.FamilyNode && l.isLarge(f.Code)
	l.interpreters.Store(kind, interpreter)
	return kind, true
}

// largeArchive is from where on code counts as large, in bytes as uploaded. A bundle with a client
// of the AWS SDK has 300 kB.
const largeArchive = 100_000

// isLarge guesses whether code loads an SDK or a framework.
func (l *Launcher) isLarge(path string) bool {
	if l.Archives.Holds(path) {
		return l.Archives.Size(path) >= largeArchive
	}
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		return info.Size() >= largeArchive
	}
	_, err = os.Stat(filepath.Join(path, "node_modules"))
	return err == nil
}

// Boot implements warmpool.Starter.
func (l *Launcher) Boot(ctx context.Context, kind warmpool.StemKind, ended func()) (*warmpool.Stem, error) {
	return l.boot(ctx, kind, ended, l.forks(kind.Preloaded))
}

// boot boots a stem, or forks it where that can be done.
func (l *Launcher) boot(ctx context.Context, kind warmpool.StemKind, ended func(), fork bool) (*warmpool.Stem, error) {
	known, _ := l.interpreters.Load(kind)
	interpreter := known.(runtimes.Interpreter) // StemKind made the kind
	interpreter, mounts, err := l.place(interpreter)
	if err != nil {
		return nil, err
	}
	l.placed.Store(kind, placed{interpreter, mounts})
	variables := l.variables(&function.Function{}, "", "", inside)
	args, early := runtimes.Command(interpreter, sandbox.RuntimeDir, kind.MemoryMB, variables, true)
	if kind.Large {
		args = append(args, "large")
	}
	if err := l.checkExposure(kind.Network); err != nil {
		return nil, err
	}
	id := newEnvironmentID()
	spec := sandbox.Spec{ID: id, Args: args, Env: early, Mounts: mounts, Network: networks[kind.Network], Stem: true, MemoryMB: kind.MemoryMB}
	if kind.Network == function.NetworkPrivate {
		// Most functions have these values, so that little is left to do for them.
		_, spec.Policy = l.networkOf(&function.Function{Network: function.NetworkPrivate})
	}
	stem, err := environment.Boot(ctx, environment.Spec{
		ID: id, InitTimeout: warmpool.BootTimeout,
		Start: func(output *os.File, pipes []*os.File) (environment.Process, error) {
			return l.startStem(ctx, kind, interpreter, spec, output, pipes, fork)
		},
		Booted: func(p environment.Process) error { return p.(process).Ready() },
		Ended:  func(*environment.Environment) { ended() },
	})
	if err != nil {
		return nil, err
	}
	if stem.Complaint != "" {
		l.log.Warn("a stem could not rehearse: the first call of its function takes longer", zap.String("runtime", kind.Family), zap.String("error", fmt.Sprintf("%.1000s", stem.Complaint)))
	}
	return &warmpool.Stem{Kind: kind, Stem: stem}, nil
}
