package custom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// pump reads the gateway's frames: the init frame, then an invocation each time
// everybody is ready for one, until the end, which asks for the shutdown.
func (b *Bridge) pump() {
	err := b.pumpFrames()
	switch {
	case errors.Is(err, io.EOF):
		b.end(reasonSpindown)
	case err != nil:
		b.process.Kill()
	}
}

func (b *Bridge) pumpFrames() error {
	frame, err := b.in.next()
	if err != nil {
		return err
	}
	init := new(runtimes.InitPayload)
	if err := json.Unmarshal(frame[runtimes.HeadSize:], init); err != nil {
		return fmt.Errorf("read the init frame: %w", err)
	}
	b.mu.Lock()
	b.init = init
	b.notify()
	b.mu.Unlock()
	if b.inner != nil && b.inner.send(frame) != nil && !b.replaced() {
		return nil // its end is the process's
	}
	if !b.awaitInit() {
		return nil
	}
	b.telemetry.close()
	if err := b.out.write(runtimes.KindReady, 0, 0, nil); err != nil {
		return nil
	}
	for {
		if init.Concurrency <= 1 && !b.await(b.isReady) {
			return nil
		}
		frame, err := b.in.next()
		if err != nil {
			return err
		}
		in, err := parseInvoke(frame)
		if err != nil {
			return err
		}
		if !b.begin(in, frame) {
			return nil
		}
	}
}

// isReady reports whether the next invocation may begin. It needs mu.
func (b *Bridge) isReady() bool {
	if b.phase != phaseReady {
		return false
	}
	for _, e := range b.extensions {
		if !e.ready {
			return false
		}
	}
	return true
}

// awaitInit goes through the init phase: the extensions register, then the runtime
// starts, then all ask for what is next. It is false when that failed.
func (b *Bridge) awaitInit() bool {
	if b.config.Patience > 0 {
		timer := time.AfterFunc(b.config.Patience, b.blameExtension)
		defer timer.Stop()
	}
	failed := func() bool { return b.phase == phaseInitError }
	if len(b.config.Extensions) > 0 {
		if !b.await(func() bool { return failed() || len(b.expected) == 0 }) || b.openGate() != nil {
			return false
		}
	}
	ok := false
	return b.await(func() bool {
		ok = b.isReady()
		b.ready = b.ready || ok
		return ok || failed()
	}) && ok
}

// openGate lets Command start the runtime.
func (b *Bridge) openGate() error {
	b.mu.Lock()
	b.launched = true
	b.mu.Unlock()
	_, err := b.gate.WriteString("\n")
	return err
}

// blameExtension ends an init phase that waits for an extension.
func (b *Bridge) blameExtension() {
	b.mu.Lock()
	var missing, silent string
	for name := range b.expected {
		missing = name
	}
	for _, e := range b.extensions {
		if !e.ready && b.phase == phaseReady {
			silent = e.name
		}
	}
	ready := b.ready
	b.mu.Unlock()
	switch {
	case ready:
	case missing != "":
		b.failInit("Extension.InitError", "extension "+missing+" has not registered within the init phase")
	case silent != "":
		b.failInit("Extension.InitError", "extension "+silent+" has not asked for its next event within the init phase")
	}
}

// failInit ends the init phase by an error that the Bridge found.
func (b *Bridge) failInit(kind, message string) {
	message = "Error: " + message
	b.log(message + "\n" + kind)
	b.failInitWith(errorBody(kind, message))
	b.end(reasonFailure)
}

// failInitWith ends the init phase by a reported error.
func (b *Bridge) failInitWith(payload []byte) {
	b.mu.Lock()
	again := b.phase == phaseInitError
	b.phase = phaseInitError
	b.notify()
	b.mu.Unlock()
	if !again {
		_ = b.out.write(runtimes.KindInitError, 0, 0, payload) // or the process has ended
	}
}

// log writes a line to the function's log.
func (b *Bridge) log(line string) {
	const stderr = 2
	_ = b.out.write(runtimes.KindLog, 0, stderr, []byte(strings.ToValidUTF8(line, "?"))) // or the process has ended
}

// begin gives an invocation to the runtime and tells the extensions of it. It is
// false when the process has ended.
func (b *Bridge) begin(in *invocation, frame []byte) bool {
	b.mu.Lock()
	if in.arn == "" {
		in.arn = b.init.InvokedFunctionARN
	}
	b.current, b.began = in, time.Now()
	frames := !b.http
	b.phase, b.given = phaseRunning, frames
	for _, e := range b.extensions {
		e.invoke(in)
	}
	if len(b.extensions) > 0 {
		b.notify()
	}
	b.mu.Unlock()
	if frames {
		return b.inner.send(frame) == nil
	}
	select {
	case b.wanted <- in:
		return true
	case <-b.process.Done():
		return false
	}
}

// answer ends the current invocation with a frame. frame has room for the head in
// front of the payload.
func (b *Bridge) answer(in *invocation, kind runtimes.Kind, frame []byte) error {
	b.mu.Lock()
	took := time.Since(b.began)
	b.phase = phaseAnswered
	b.mu.Unlock()
	return b.out.frame(kind, in.seq, uint32(took.Microseconds()), frame)
}

// fail ends the current invocation with an error that the Bridge found.
func (b *Bridge) fail(in *invocation, kind, message string) {
	// Or the process has ended, and the environment tells how.
	_ = b.answer(in, runtimes.KindError, withHead(errorBody(kind, message)))
}
