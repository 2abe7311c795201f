package warmpool

import (
	"errors"
	"net"
	"os"
	"path"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/runtimes/custom"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// extensionMargin is how long before the end of the init phase it is told which
// extension it waits for.
const extensionMargin = 250 * time.Millisecond

// privateEndpoint is where the endpoint is in a network of the environment's own.
const privateEndpoint = "127.0.0.1:9001"

// bridged starts processes that the gateway speaks to through a custom.Bridge: a
// custom runtime, or a built-in one with extensions beside it.
type bridged struct {
	*Launcher
	box     sandbox.Spec
	config  custom.Config
	builtin bool
	dir     string // of extensions, inside
}

// A bridgedProcess is over when its bridge is.
type bridgedProcess struct {
	process
	bridge *custom.Bridge
}

func (p bridgedProcess) Done() <-chan struct{} { return p.bridge.Ended() }

// Descriptors of a bridged process, after those of a built-in runtime.
const (
	gateFD  = 5
	exitsFD = 6
)

// start is the Start of an environment.Spec.
func (b bridged) start(output *os.File, pipes []*os.File) (_ environment.Process, err error) {
	// What the process gets is closed here in any case, what the bridge gets unless
	// there is one.
	var theirs, ours closers
	defer func() {
		theirs.close()
		if err != nil {
			ours.close()
		}
	}()
	gate, open, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	theirs.add(gate)
	defer open.Close()
	exits, report, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	theirs.add(report)
	ours.add(exits)

	var inner *custom.Inner
	first := [2]*os.File{}
	if b.builtin {
		if inner, err = custom.NewInner(); err != nil {
			return nil, err
		}
		defer inner.CloseFiles()
		ours.add(inner)
		first = [2]*os.File(inner.Files())
	} else {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return nil, err
		}
		theirs.add(null)
		first = [2]*os.File{null, null}
	}

	b.config.Private = b.box.Network == sandbox.NetworkNone
	address, gateAt := privateEndpoint, gateFD
	var listener net.Listener
	if !b.config.Private {
		gateAt = 0
		if listener, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		ours.add(listener)
		address = listener.Addr().String()
	}
	box := b.box
	box.Env = append(box.Env[:len(box.Env):len(box.Env)], "AWS_LAMBDA_RUNTIME_API="+address)
	extensions := make([]string, len(b.config.Extensions))
	for i, name := range b.config.Extensions {
		extensions[i] = path.Join(b.dir, name)
	}
	box.Args = custom.Supervised(box.Args, extensions, gateAt, exitsFD)
	p, err := b.startProcess(box, output, []*os.File{first[0], first[1], gate, report})
	if err != nil {
		return nil, err
	}
	if b.config.Private {
		if listener, err = p.Process.Listen(privateEndpoint); err == nil {
			ours.add(listener)
			_, err = open.WriteString("\n")
		}
	}
	var bridge *custom.Bridge
	if err == nil {
		bridge, err = custom.Serve(b.config, p.Process, listener, pipes[0], pipes[1], inner, exits)
	}
	if err != nil {
		p.Kill()
		<-p.Done()
		return nil, err
	}
	return bridgedProcess{p, bridge}, nil
}

// closers are closed together.
type closers []interface{ Close() error }

func (c *closers) add(one interface{ Close() error }) { *c = append(*c, one) }

func (c closers) close() {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	_ = errors.Join(errs...) // nothing of it was used
}
