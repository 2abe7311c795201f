package environment

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// An InitError says why the init phase failed. Payload is the error as the
// runtime reported it, {"errorType","errorMessage",...}, always valid JSON.
type InitError struct {
	Type    string
	Message string
	Payload []byte

	reported bool     // by the runtime, which has logged it
	attempt  *attempt // nil: it is not known where it is to be logged
}

// An attempt is an init phase that has failed.
type attempt struct {
	log      *logs.Stream
	told     []byte // the end of what it logged
	took     time.Duration
	memoryMB int
	peak     int64 // of memory, bytes
}

func (e *InitError) Error() string { return e.Type + ": " + e.Message }

// Timeout reports whether the init phase took longer than it may.
func (e *InitError) Timeout() bool { return e.Type == initTimedOut }

const initTimedOut = "Sandbox.Timedout"

// NewInitError makes the error of an init phase that failed before it began, and logs
// it there, as Lambda does.
func NewInitError(log *logs.Stream, memoryMB int, kind, message string) *InitError {
	e := newInitError(kind, message)
	told := log.Tail("")
	now := time.Now()
	log.Line(now, "", []byte(message+"\n"+kind))
	log.InitReport(now, logs.InitReport{Phase: phaseInit, Status: "error", ErrorType: kind})
	e.attempt = &attempt{log: log, told: told.Close(), memoryMB: memoryMB}
	return e
}

func newInitError(kind, message string) *InitError {
	return &InitError{Type: kind, Message: message, Payload: errorPayload(kind, message)}
}

// reportedInitError is a runtime's own report of its init phase.
func reportedInitError(body []byte) *InitError {
	var reported struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}
	if err := json.Unmarshal(body, &reported); err != nil {
		return newInitError("Runtime.Unknown", "the runtime reported an init error that is not JSON")
	}
	return &InitError{Type: reported.ErrorType, Message: reported.ErrorMessage, Payload: append([]byte(nil), body...), reported: true}
}

// Of is the error for the caller of c, with c's request ID in Lambda's words. What a runtime
// reports stays as it is: Python's has an empty requestId, recorded from AWS. Of logs c as an
// invocation that has failed.
func (e *InitError) Of(c *Call) *InitError {
	own := *e
	if !e.reported || strings.HasPrefix(e.Type, "Extension.") {
		own.Payload = errorPayload(e.Type, "RequestId: "+c.RequestID+" "+e.Message)
	}
	if e.attempt != nil {
		e.attempt.report(e, c)
	}
	return &own
}

// report logs an invocation that had to wait for the init phase, and so has failed.
func (a *attempt) report(e *InitError, c *Call) {
	var tail *logs.Tail
	if c.Tail {
		tail = a.log.Tail(c.RequestID)
	}
	now := time.Now()
	report := logs.Report{
		Duration: a.took, MemoryMB: a.memoryMB, MaxMemoryUsedMB: megabytes(a.peak), Status: "error", ErrorType: e.Type,
	}
	a.log.Start(now, c.RequestID, c.Version)
	if tail != nil {
		tail.Append(a.told)
	}
	if e.Timeout() {
		report.Status, report.ErrorType = "timeout", ""
		a.log.Timeout(now, c.RequestID, a.took)
	} else {
		a.log.Line(now, c.RequestID, []byte("RequestId: "+c.RequestID+" "+e.Message+"\n"+e.Type))
	}
	a.log.End(now, c.RequestID)
	a.log.Report(now, c.RequestID, report)
	if tail != nil {
		c.LogTail = tail.Close()
	}
}

// reportInit logs how the init phase failed, as Lambda does.
func (e *Environment) reportInit(err error) error {
	var initError *InitError
	if !errors.As(err, &initError) {
		e.told.Close()
		return err // not the function's doing
	}
	report := logs.InitReport{Duration: e.InitDuration, Phase: e.spec.Phase, Status: "error", ErrorType: initError.Type}
	if report.Phase == "" {
		report.Phase = phaseInit
	}
	if initError.Timeout() {
		report.Status, report.ErrorType = "timeout", ""
	}
	now := time.Now()
	if !initError.reported {
		e.spec.Log.Line(now, "", []byte(initError.Message+"\n"+initError.Type))
	}
	e.spec.Log.InitReport(now, report)
	initError.attempt = &attempt{
		log: e.spec.Log, told: e.told.Close(), took: e.InitDuration, memoryMB: e.spec.Init.MemoryMB, peak: e.peak.Load(),
	}
	return err
}

var errInitTimeout = errors.New("init timed out")

// initFailure turns the end of the channel during init into the caller's error.
func (e *Environment) initFailure(err error) error {
	e.mu.Lock()
	cause := e.cause
	if cause == nil && errors.Is(err, runtimes.ErrProtocol) {
		e.cause = err
	}
	e.toShutdown()
	e.collapse()
	e.mu.Unlock()
	switch {
	case errors.Is(cause, errInitTimeout) && e.spec.Phase == phaseInvoke:
		return newInitError(initTimedOut, fmt.Sprintf("Error: Task timed out after %.2f seconds", e.spec.InitTimeout.Seconds()))
	case errors.Is(cause, errInitTimeout):
		return newInitError(initTimedOut, fmt.Sprintf("Error: init timed out after %.2f seconds: what the code does outside the handler takes too long", e.spec.InitTimeout.Seconds()))
	case cause != nil:
		return fmt.Errorf("environment %s: init abandoned: %w", e.ID, cause)
	case errors.Is(err, runtimes.ErrProtocol):
		return newInitError("Runtime.Unknown", "Error: "+err.Error()+": descriptors 3 and 4 belong to the runtime, code must not write there")
	}
	kind, message := exitError(e.proc.Exit())
	return newInitError(kind, "Error: "+message)
}
