package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/disk"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// sdkTarget is the path of the AWS SDK of a runtime inside.
func sdkTarget(in runtimes.Interpreter) string {
	return filepath.Join(sandbox.RuntimeDir, runtimes.SDKTarget(in))
}

// place is an interpreter at its path inside an environment, with the mounts of the interpreter
// and its bootstrap.
func (l *Launcher) place(in runtimes.Interpreter) (runtimes.Interpreter, []sandbox.Mount, error) {
	if in.Family == runtimes.FamilyCustom {
		return in, nil, nil
	}
	mounts := []sandbox.Mount{{Source: filepath.Join(l.bootstraps(), in.Family), Target: sandbox.RuntimeDir}}
	if in.SDK != "" {
		mounts = append(mounts, sandbox.Mount{Source: in.SDK, Target: sdkTarget(in)})
	}
	program, shown, err := in.Home(l.bootstraps())
	if err != nil {
		return in, nil, err
	}
	for _, s := range shown {
		mounts = append(mounts, sandbox.Mount{Source: s.Source, Target: s.Target})
	}
	in.Path = l.Sandbox.Path(mounts, program)
	return in, mounts, nil
}

// A placed is what place returns.
type placed struct {
	interpreter runtimes.Interpreter
	mounts      []sandbox.Mount
}

// placeFor is place. With a stem it is that of the stem, which has these mounts.
func (l *Launcher) placeFor(s warmpool.Start, in runtimes.Interpreter) (runtimes.Interpreter, []sandbox.Mount, error) {
	if s.Stem != nil {
		if known, ok := l.placed.Load(s.Stem.Kind); ok {
			p := known.(placed)
			p.interpreter.Runtime = in.Runtime
			return p.interpreter, p.mounts, nil
		}
	}
	return l.place(in)
}

// archiveTime bounds the making of a class-data archive, which takes a second.
const archiveTime = 30 * time.Second

// archiveClasses makes the class-data archive for an interpreter that has one, unless there
// is one already. It runs in the sandbox, because the archive is bound to the paths of the
// jars inside.
func (l *Launcher) archiveClasses(ctx context.Context, in runtimes.Interpreter) (err error) {
	in, mounts, err := l.place(in)
	if err != nil {
		return err
	}
	command, name, ok := runtimes.ArchiveFor(in, l.Sandbox.Path(mounts, sandbox.RuntimeDir))
	if !ok {
		return nil
	}
	target := filepath.Join(l.bootstraps(), in.Family, name)
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(target), ".new")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // fails when it has been renamed
	defer file.Close()
	p, err := l.Sandbox.Start(sandbox.Spec{
		ID: newEnvironmentID(), Args: command, Mounts: mounts, MemoryMB: 512, Network: sandbox.NetworkNone, ExtraFiles: []*os.File{file},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, archiveTime)
	defer cancel()
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	<-p.Done()
	if exit := p.Exit(); exit.Code != 0 || exit.Signal != 0 {
		return fmt.Errorf("make a class-data archive: %s", exit)
	}
	return disk.Keep(file, 0o644, target)
}
