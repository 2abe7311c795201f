package environment

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
)

func ready() error { return nil }

func bootStem(t *testing.T) (*Stem, chan struct{}) {
	t.Helper()
	ended := make(chan struct{})
	s, err := Boot(t.Context(), Spec{
		ID: "s1", InitTimeout: 10 * time.Second, Start: startTestProcess,
		Ended: func(*Environment) { close(ended) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, ended
}

func TestStemBecomesTheEnvironmentOfAFunction(t *testing.T) {
	s, unused := bootStem(t)
	spec, w := specFor(t, "ok", 1)
	prepared := false
	e, err := s.Start(t.Context(), spec, func() error { prepared = true; return nil })
	if err != nil || !prepared {
		t.Fatalf("got %v, prepared: %t", err, prepared)
	}
	w.Environment = e
	if c := w.invoke(deed{Do: "echo", Text: `"hello"`}); string(c.Payload) != `"hello"` {
		t.Errorf("got %s", c.Payload)
	}
	w.invoke(deed{Do: "print", Text: "printed\n"})
	s.Close() // is no business of the stem's any more
	if state := e.State(); state != StateIdle {
		t.Errorf("state is %s, want idle", state)
	}
	e.Shutdown(time.Second)
	<-w.ended
	checkClosed(t, e)
	if log := w.log(); !strings.Contains(log, "loading") || !strings.Contains(log, "printed") {
		t.Errorf("the log is %s", log)
	}
	select {
	case <-unused:
		t.Error("the stem was reported to have ended unused")
	default:
	}
}

func TestStemThatDiedIsNotStarted(t *testing.T) {
	s, ended := bootStem(t)
	s.e.proc.Kill()
	<-ended
	spec, _ := specFor(t, "ok", 1)
	if _, err := s.Start(t.Context(), spec, ready); !errors.Is(err, ErrNotStarted) {
		t.Errorf("got %v, want ErrNotStarted", err)
	}
	s.Close()
	checkClosed(t, s.e)
}

func TestUnusedStemIsClosed(t *testing.T) {
	s, ended := bootStem(t)
	s.Close()
	<-ended
	s.Close()
	checkClosed(t, s.e)
}

func TestInitErrorOfAStemIsTheFunctions(t *testing.T) {
	s, _ := bootStem(t)
	spec, w := specFor(t, "fail", 1)
	_, err := s.Start(t.Context(), spec, ready)
	var initError *InitError
	if !errors.As(err, &initError) || initError.Type != "Runtime.ImportModuleError" {
		t.Fatalf("got %v", err)
	}
	checkClosed(t, s.e)
	if log := w.log(); !strings.Contains(log, "INIT_REPORT Init Duration: ") ||
		!strings.Contains(log, "Phase: init\tStatus: error\tError Type: Runtime.ImportModuleError") {
		t.Errorf("the log is %s", log)
	}
}

func TestStemThatCannotBePreparedEnds(t *testing.T) {
	s, _ := bootStem(t)
	spec, _ := specFor(t, "ok", 1)
	broken := errors.New("no such folder")
	if _, err := s.Start(t.Context(), spec, func() error { return broken }); !errors.Is(err, broken) || !errors.Is(err, ErrNotStarted) {
		t.Errorf("got %v, want %v and %v", err, ErrNotStarted, broken)
	}
	checkClosed(t, s.e)
}

func TestProcessThatDoesNotBootIsGivenUp(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx     context.Context
		boot    string
		timeout time.Duration
		want    string
	}{
		"hangs":     {t.Context(), environmenttest.NeverBoots, 50 * time.Millisecond, "stem s1: the runtime did not boot (signal: killed): it took longer than 50ms"},
		"ends":      {t.Context(), environmenttest.EndsBooting, 10 * time.Second, "stem s1: the runtime did not boot (exit status 7): EOF"},
		"cancelled": {cancelled, environmenttest.NeverBoots, 10 * time.Second, "stem s1: the runtime did not boot (signal: killed): context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Boot(test.ctx, Spec{
				ID: "s1", InitTimeout: test.timeout,
				Start: func(output *os.File, pipes []*os.File) (Process, error) {
					return environmenttest.StartAs(test.boot, output, pipes)
				},
				Ended: func(*Environment) { t.Error("reported to have ended") },
			})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Whoever waits for Boot is told of the end after it, so Boot must not wait for that.
func TestStemThatCannotBeGotReadyIsNoStem(t *testing.T) {
	broken := errors.New("no descriptors left")
	spec, _ := specFor(t, "ok", 1)
	booted := make(chan struct{})
	spec.Ended = func(*Environment) { <-booted }
	var p Process
	spec.Booted = func(booted Process) error { p = booted; return broken }
	failed := make(chan error)
	go func() {
		_, err := Boot(t.Context(), spec)
		failed <- err
	}()
	select {
	case err := <-failed:
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	case <-time.After(10 * time.Second):
		close(booted)
		t.Fatal("Boot waits for ever")
	}
	close(booted)
	select {
	case <-p.Done():
	default:
		t.Error("the process is still there")
	}
}
