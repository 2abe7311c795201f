package launch

import (
	"errors"
	"net"
	"os"
	"path"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes/custom"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// extensionMargin is how long before the end of the init phase the bridge names the extension
// that it waits for.
const extensionMargin = 250 * time.Millisecond

// privateEndpoint is the address of the endpoint in an environment with a network of its own.
const privateEndpoint = "127.0.0.1:9001"

// runtimeAPI is the variable that names the endpoint, without a path.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
const runtimeAPI = "AWS_LAMBDA_RUNTIME_API"

// bridged starts processes that the gateway speaks to through a custom.Bridge: a
// custom runtime, or a built-in one with extensions beside it.
type bridged struct {
	*Launcher
	stream    *logs.Stream
	box       sandbox.Spec
	variables map[string]string // of the function; start adds the endpoint
	config    custom.Config
	builtin   bool
	dir       string // of extensions, inside
}

// A bridgedProcess ends when its bridge ends, with the exit that the bridge reports.
type bridgedProcess struct {
	process
	bridge *custom.Bridge
}

func (p bridgedProcess) Done() <-chan struct{} { return p.bridge.Ended() }

func (p bridgedProcess) Kill() { p.bridge.Kill() }

func (p bridgedProcess) Freeze() bool { return p.bridge.Freeze() }

func (p bridgedProcess) Thaw() error { return p.bridge.Thaw() }

func (p bridgedProcess) Exit() (status string, outOfMemory bool) {
	status, outOfMemory = p.process.Exit()
	if code, known := p.bridge.RuntimeExit(); known {
		status = sandbox.ShellExit(code).String()
	}
	return status, outOfMemory
}

// start is the Start of an environment.Spec.
func (b *bridged) start(output *os.File, pipes []*os.File) (_ environment.Process, err error) {
	// Files of the process are closed here in any case. Files of the bridge are closed here if
	// there is no bridge.
	var theirs, ours closers
	defer func() {
		theirs.close()
		if err != nil {
			ours.close()
		}
	}()
	b.config.Telemetry = custom.NewTelemetry() // of this attempt: an init phase may be repeated
	b.stream.SetTap(time.Now(), b.config.Telemetry)
	box, command := b.box, custom.Command{Runtime: b.box.Args}
	pass := func(files ...*os.File) (fd int) {
		fd = 3 + len(box.ExtraFiles)
		box.ExtraFiles = append(box.ExtraFiles, files...)
		for _, f := range files {
			theirs = append(theirs, f)
		}
		return fd
	}
	bridge := custom.Pipes{Requests: pipes[0], Replies: pipes[1]}
	if b.builtin {
		if bridge.Inner, err = custom.NewInner(); err != nil {
			return nil, err
		}
		ours = append(ours, bridge.Inner)
		first := pass(bridge.Inner.Files()...)
		command.Channel = []int{first, first + 1}
	}
	for _, name := range b.config.Extensions {
		command.Extensions = append(command.Extensions, path.Join(b.dir, name))
	}
	b.config.Private = b.box.Network != sandbox.NetworkHost
	if command.Supervised() {
		gate, open, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		command.Gate, bridge.Gate = pass(gate), open
		ours = append(ours, open)
		exits, report, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		command.Exits, bridge.Exits = pass(report), exits
		ours = append(ours, exits)
		written, write, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		command.Output, bridge.Output = pass(write), written
		ours = append(ours, written)
	}
	address := privateEndpoint
	var listener net.Listener
	if b.config.Private {
		box.Endpoint = privateEndpoint
	} else {
		if listener, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		ours = append(ours, listener)
		address = listener.Addr().String()
	}
	b.variables[runtimeAPI] = address
	box.Args, box.Env = command.Args(), allOf(b.variables)
	p, err := b.startProcess(box, output, box.ExtraFiles)
	if err != nil {
		return nil, err
	}
	if b.config.Private {
		if listener = p.Process.Endpoint(); listener != nil {
			ours = append(ours, listener)
		} else {
			err = errors.New("the environment ended before it had its Runtime API")
		}
	}
	var served *custom.Bridge
	if err == nil {
		served, err = custom.Serve(b.config, p.Process, listener, bridge)
	}
	if err != nil {
		p.Kill()
		<-p.Done()
		return nil, err
	}
	return bridgedProcess{p, served}, nil
}

// closers are closed together.
type closers []interface{ Close() error }

func (c closers) close() {
	for _, one := range c {
		_ = one.Close() // it was not used
	}
}
