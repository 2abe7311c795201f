package custom

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Reasons that a SHUTDOWN event gives. The documentation has them in capitals; what
// Lambda and its emulator send is not.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-lifecycle-shutdown
// https://github.com/aws/aws-lambda-runtime-interface-emulator/blob/develop/internal/lambda/rapid/handlers.go
const (
	reasonSpindown = "spindown"
	reasonTimeout  = "timeout"
	reasonFailure  = "failure"
)

// Budgets of the shutdown phase, from its beginning: the runtime has the first,
// external extensions the second. Without extensions there is none.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
const (
	runtimeBudget   = 500 * time.Millisecond
	extensionBudget = 2000 * time.Millisecond
	// flushBudget is how long the bridge delivers waiting telemetry before it tells the
	// extensions to end.
	flushBudget = 300 * time.Millisecond
)

// Kill ends the environment within the budgets of the shutdown phase: at once when
// it has no extensions. It may be called at any time, repeatedly.
func (b *Bridge) Kill() {
	b.mu.Lock()
	now := time.Now()
	running := b.phase == phaseRunning || b.phase == phaseAnswering
	late := running && now.UnixMilli() >= b.current.deadline || !b.ready && now.Sub(b.born) >= b.config.Patience
	b.mu.Unlock()
	if late {
		b.end(reasonTimeout)
	} else {
		b.end(reasonFailure)
	}
}

// end begins the shutdown phase, if it has not begun.
func (b *Bridge) end(reason string) {
	select {
	case b.ending <- reason:
	default:
	}
}

func (b *Bridge) awaitEnd() {
	select {
	case reason := <-b.ending:
		b.shutdown(reason)
	case <-b.process.Done():
	}
}

// shutdown asks the runtime to end, then tells the extensions, then ends whatever is
// left.
func (b *Bridge) shutdown(reason string) {
	defer b.process.Kill()
	deadline := time.Now().Add(extensionBudget)
	b.mu.Lock()
	extensions, running := len(b.extensions), b.launched && b.status < 0
	b.down = true
	b.mu.Unlock()
	if extensions == 0 || b.Thaw() != nil {
		return
	}
	if running && b.process.Terminate() == nil {
		b.awaitUntil(time.Now().Add(runtimeBudget), func() bool { return b.status >= 0 })
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushBudget)
	b.telemetry.flush(ctx)
	cancel()
	b.mu.Lock()
	for _, e := range b.extensions {
		e.shutdown(reason, deadline)
	}
	b.notify()
	b.mu.Unlock()
	b.awaitUntil(deadline, func() bool {
		for _, e := range b.extensions {
			if e.notified && !e.gone {
				return false
			}
		}
		return true
	})
}

// awaitUntil is await with an end.
func (b *Bridge) awaitUntil(deadline time.Time, ready func() bool) {
	late := false
	timer := time.AfterFunc(time.Until(deadline), func() {
		b.mu.Lock()
		late = true
		b.notify()
		b.mu.Unlock()
	})
	defer timer.Stop()
	b.await(func() bool { return late || ready() })
}

// watchExits reads what Command says about processes that have ended.
func (b *Bridge) watchExits() {
	for lines := bufio.NewScanner(b.exits); lines.Scan(); {
		number, name, _ := strings.Cut(lines.Text(), " ")
		status, err := strconv.Atoi(number)
		if err != nil || status < 0 {
			continue // of code that found the descriptor
		}
		if name == "" {
			b.runtimeExited(status)
		} else {
			b.extensionExited(name, status)
		}
	}
}

func (b *Bridge) runtimeExited(status int) {
	b.mu.Lock()
	b.status = status
	b.notify()
	b.mu.Unlock()
	// The environment takes no invocation any more, while the extensions end.
	b.out.close()
	b.end(reasonFailure)
}

func (b *Bridge) extensionExited(name string, status int) {
	b.mu.Lock()
	notified := false
	for _, e := range b.extensions {
		if e.name == name && e.external {
			e.gone = true
			notified = e.notified
		}
	}
	registered := !b.expected[name]
	b.notify()
	b.mu.Unlock()
	message := fmt.Sprintf("exit status %d of extension %s", status, name)
	switch {
	case notified: // as it should
	case !registered:
		b.failEnvironment("Extension.LaunchError", message+" before it registered")
	default:
		b.failEnvironment("Extension.Crash", message)
	}
}

// failEnvironment ends an environment that has lost an extension. Its init phase, or
// the invocation that runs, fails with the error.
func (b *Bridge) failEnvironment(kind, message string) {
	b.mu.Lock()
	in, ready := b.current, b.ready
	running := ready && (b.phase == phaseRunning || b.phase == phaseAnswering)
	b.mu.Unlock()
	if !ready {
		b.failInit(kind, message)
		return
	}
	b.log("Error: " + message + "\n" + kind)
	if running {
		b.fail(in, kind, "RequestId: "+in.requestID+" Error: "+message)
	}
	b.out.close()
	b.end(reasonFailure)
}
