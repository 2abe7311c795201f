package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

func open(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(Config{Dir: t.TempDir(), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// settings are without a sandbox, as those of one configuration.
func settings(functions ...Function) Settings {
	return Settings{
		Account: function.DefaultAccount, Functions: functions, Sandbox: sandbox.Config{Mode: sandbox.Off}, Pool: warmpool.Config{Stems: -1},
		Network: function.NetworkDefault{Network: function.NetworkPrivate}, Metrics: prometheus.NewRegistry(), Log: zap.NewNop(),
	}
}

func prepare(t *testing.T, e *Engine, with Settings) *Setup {
	t.Helper()
	s, err := e.Prepare(t.Context(), with)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t *testing.T, e *Engine, s *Setup) (undo func()) {
	t.Helper()
	back, err := e.Apply(s, Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := back(); err != nil {
			t.Error(err)
		}
	}
}

func release(t *testing.T, s *Setup) {
	t.Helper()
	if err := s.Release(); err != nil {
		t.Error(err)
	}
}

// pets is a function that runs nothing.
func pets(t *testing.T, reserved int) Function {
	t.Helper()
	code := t.TempDir()
	if err := os.WriteFile(filepath.Join(code, "bootstrap"), []byte("#!/bin/true\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return normalized(t, &function.Function{Name: "pets", Runtime: "provided.al2023", Handler: "bootstrap", Code: code, ReservedConcurrency: &reserved})
}

func normalized(t *testing.T, f *function.Function) Function {
	t.Helper()
	if err := f.Normalize(); err != nil {
		t.Fatal(err)
	}
	return Function{Function: f, Events: invoker.Settings{MaxRetries: invoker.DefaultMaxRetries, MaxAge: invoker.DefaultMaxAge}}
}

// reservedOf is the reserved concurrency that pets obeys.
func reservedOf(t *testing.T, s *Setup) int {
	t.Helper()
	g, err := s.catalog.Group(t.Context(), "pets", function.Latest)
	if err != nil {
		t.Fatal(err)
	}
	return *g.Function().ReservedConcurrency
}

// A reload may fail after its settings are in force: something else of the configuration
// cannot bind its port.
func TestReloadThatFailsLeavesTheLimitsOfTheOneThatRuns(t *testing.T) {
	e := open(t)
	f := pets(t, 7)
	one := *f.Function
	one.ReservedConcurrency = new(int)
	*one.ReservedConcurrency = 1
	running := prepare(t, e, settings(f))
	undoRunning := apply(t, e, running)
	_, err := running.registry.Create(t.Context(), "made", registry.Configuration{Runtime: "provided.al2023", Handler: "bootstrap"},
		registry.Code{SHA256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, registry.State{State: "Active"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	held, err := running.catalog.Group(t.Context(), "made", function.Latest)
	if err != nil {
		t.Fatal(err)
	}
	failed := prepare(t, e, settings(Function{&one, f.Events}))
	undo := apply(t, e, failed)
	if n := reservedOf(t, running); n != 1 {
		t.Errorf("the new configuration's reserved concurrency is %d, want 1", n)
	}
	undo()
	release(t, failed)
	if n := reservedOf(t, running); n != 7 {
		t.Errorf("after the reload has failed the reserved concurrency is %d, want 7", n)
	}
	if e.current.Load() != running {
		t.Error("after the reload has failed nobody runs the events that are kept")
	}

	next := prepare(t, e, settings(f))
	undoNext := apply(t, e, next)
	undoRunning()
	release(t, running)
	if g, err := next.catalog.Group(t.Context(), "made", function.Latest); err != nil || g != held {
		t.Errorf("the reload that follows has not kept the environments of the API's functions, %v", err)
	}
	undoNext()
	release(t, next)
	if e.Running() {
		t.Error("after all is taken back something is in force")
	}
}

// refusing is a registerer that refuses: it is the last that a setup asks before it is in force.
type refusing struct {
	prometheus.Registerer
	now bool
}

func (r *refusing) Register(c prometheus.Collector) error {
	if r.now {
		return errors.New("refused")
	}
	return r.Registerer.Register(c)
}

func TestApplyThatFailsIsUndoneAsAWhole(t *testing.T) {
	e := open(t)
	f := pets(t, 7)
	clock := func(name string) schedule.Schedule {
		expression, err := schedule.Parse("rate(1 day)", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return schedule.Schedule{Name: name, Expression: expression, Function: "pets", Qualifier: function.Latest}
	}
	source := func(stream string) registry.Mapping {
		return registry.Mapping{EventSourceArn: "redis://127.0.0.1:1/0", Topics: []string{stream}, FunctionName: "pets", Qualifier: function.Latest, State: "Disabled"}
	}
	with := settings(f)
	with.Schedules, with.Mappings, with.Pool.Concurrency = []schedule.Schedule{clock("daily")}, []registry.Mapping{source("before")}, 3
	before := prepare(t, e, with)
	undo := apply(t, e, before)

	one := *f.Function
	one.ReservedConcurrency = new(int)
	refuses := &refusing{Registerer: prometheus.NewRegistry()}
	with = settings(Function{&one, f.Events})
	with.Schedules, with.Mappings, with.Metrics = []schedule.Schedule{clock("nightly")}, []registry.Mapping{source("after")}, refuses
	after := prepare(t, e, with)
	refuses.now = true
	if _, err := e.Apply(after, Addresses{API: "http://localhost:1"}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatalf("applied: %v", err)
	}
	release(t, after)
	if n := reservedOf(t, before); n != 7 {
		t.Errorf("the reserved concurrency is %d, want 7", n)
	}
	if list := e.Schedules(); len(list) != 1 || list[0].Name != "daily" {
		t.Errorf("the schedules are %+v, want daily alone", list)
	}
	list, _, err := e.current.Load().registry.Mappings(t.Context(), "", 10, func(*registry.Mapping) bool { return true })
	if err != nil || len(list) != 1 || list[0].Topics[0] != "before" {
		t.Errorf("the event sources are %+v, %v, want before alone", list, err)
	}
	if _, err := os.Stat(filepath.Join(e.Dir, endpointFile)); err == nil {
		t.Error("the address of the one that failed is told")
	}
	undo()
	release(t, before)
}

// told is what functions say, line by line, by a named pipe.
func told(t *testing.T, path string) <-chan string {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	lines, done := make(chan string), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for scanner := bufio.NewScanner(pipe); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			case <-done:
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		pipe.Close()
		<-ended
	})
	return lines
}

// witness says who it is and what it is called with, waits at a gate if it is told to, and
// says so again.
const witness = `
import os
def handler(event, context):
    name = event.get("name", "tick")
    def tell(what):
        with open(os.environ["TOLD"], "w") as to:
            to.write(f"{name} {what}\n")
    tell("begins")
    if event.get("gate"):
        open(event["gate"]).read()
        tell("ends")
    return os.getpid()
`

func invoke(s *Setup, name, event string) (pid string, err error) {
	call := environment.NewCall()
	call.Function, call.RequestID = name, function.NewRequestID()
	if err := call.Begin(""); err != nil {
		return "", err
	}
	call.Frame = append(call.Frame, event...)
	if err := s.Runner().Invoke(context.Background(), call); err != nil {
		return "", err
	}
	if call.Outcome != environment.OutcomeResult {
		return "", fmt.Errorf("%s: %s", call.Outcome, call.Payload)
	}
	return string(call.Payload), nil
}

func TestWarmEnvironmentsCallsEventsAndTicksSurviveAReload(t *testing.T) {
	e, dir := open(t), t.TempDir()
	said := told(t, filepath.Join(dir, "told"))
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-said:
			if got != want {
				t.Fatalf("the function says %q, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("the function does not say %q", want)
		}
	}
	code := t.TempDir()
	if err := os.WriteFile(filepath.Join(code, "app.py"), []byte(witness), 0o600); err != nil {
		t.Fatal(err)
	}
	gate := func(name string) (path string, open func()) {
		t.Helper()
		path = filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path, func() {
			t.Helper()
			if err := os.WriteFile(path, nil, 0); err != nil { // waits for who reads
				t.Fatal(err)
			}
		}
	}
	at, err := schedule.Parse(time.Now().UTC().Add(5*time.Second).Format("at(2006-01-02T15:04:05)"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	configured := func(reserved int) Settings {
		s := settings(normalized(t, &function.Function{
			Name: "witness", Runtime: "python3.11", Handler: "app.handler", Code: code, Timeout: time.Minute, ReservedConcurrency: &reserved,
			Environment: map[string]string{"TOLD": filepath.Join(dir, "told")},
		}))
		s.Schedules = []schedule.Schedule{{Name: "once", Expression: at, Function: "witness", Qualifier: function.Latest, CatchUp: time.Hour}}
		return s
	}
	first := prepare(t, e, configured(3))
	undo := apply(t, e, first)
	callGate, openCall := gate("call")
	type answer struct {
		pid string
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		pid, err := invoke(first, "witness", fmt.Sprintf(`{"name":"call","gate":%q}`, callGate))
		answered <- answer{pid, err}
	}()
	expect("call begins")
	eventGate, openEvent := gate("event")
	err = e.Push(t.Context(), &invoker.Message{
		RequestID: function.NewRequestID(), Function: "witness", Qualifier: function.Latest, Payload: fmt.Appendf(nil, `{"name":"event","gate":%q}`, eventGate),
	})
	if err != nil {
		t.Fatal(err)
	}
	expect("event begins")

	second := prepare(t, e, configured(4))
	undoSecond := apply(t, e, second)
	undo()
	release(t, first)

	openCall()
	expect("call ends")
	inFlight := <-answered
	if inFlight.err != nil {
		t.Fatalf("the call in flight: %v", inFlight.err)
	}
	go func() {
		pid, err := invoke(second, "witness", `{"name":"next"}`)
		answered <- answer{pid, err}
	}()
	expect("next begins")
	if next := <-answered; next != inFlight {
		t.Errorf("the next call runs in process %s, %v; the warm one is %s", next.pid, next.err, inFlight.pid)
	}
	openEvent()
	expect("event ends")
	expect("tick begins")
	undoSecond()
	release(t, second)
}

// Nobody has to take anything back before: goleak sees that nothing is left.
func TestCloseEndsWhatIsInForce(t *testing.T) {
	e, err := Open(Config{Dir: t.TempDir(), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t, e, settings(pets(t, 1)))
	back, err := e.Apply(s, Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := invoke(s, "pets", "{}"); err == nil {
		t.Error("a closed engine runs a function")
	}
	if _, err := e.Prepare(t.Context(), settings()); !errors.Is(err, warmpool.ErrClosed) {
		t.Errorf("a closed engine takes settings: %v", err)
	}
	if err := errors.Join(back(), s.Release()); err != nil {
		t.Error(err)
	}
}
