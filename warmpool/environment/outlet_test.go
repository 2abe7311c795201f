package environment

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// call runs one deed as the call id.
func (w *world) call(id string, d deed) *Call {
	w.t.Helper()
	c := newCall(w.t, id, 5*time.Second, d)
	c.Tail = true
	if err := w.Invoke(c); err != nil {
		w.t.Fatalf("invoke %s: %v", d.Do, err)
	}
	return c
}

func TestWhatTheProcessWritesBelongsToItsCall(t *testing.T) {
	w := start(t, 1)
	long := strings.Repeat("x", 200<<10)
	var want []string
	for i := range 200 {
		id, text := fmt.Sprint("r", i), fmt.Sprintf("line %d\nand no end", i)
		if i == 100 {
			text = long + "\n" + text
		}
		c := w.call(id, deed{Do: "print", Text: text})
		if tail := string(c.LogTail); !strings.Contains(tail, fmt.Sprintf("line %d\nand no end\nEND RequestId: %s\n", i, id)) {
			t.Fatalf("the tail of %s is %q", id, tail)
		}
		want = append(want, id+": START RequestId: "+id+" Version: $LATEST")
		for line := range strings.SplitSeq(text, "\n") {
			want = append(want, id+": "+line)
		}
		want = append(want, id+": END RequestId: "+id, id+": REPORT RequestId: "+id)
	}
	if got := w.lines(); !slices.Equal(got[1:], want) { // the first is "loading"
		t.Errorf("got %.2000q", got)
	}
}

func TestFunctionThatWritesToItsStdoutIsSentNothingAhead(t *testing.T) {
	w := start(t, 1)
	w.call("r1", deed{Do: "log", Text: "by the runtime"})
	if w.Stuck() {
		t.Error("stuck before it has written")
	}
	w.call("r2", deed{Do: "print", Text: "itself"})
	if !w.Stuck() {
		t.Error("not stuck after it has written")
	}
}

func TestLastWordsOfAnIdleProcessAreLogged(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		reason string
	}{
		"a status": {3, "Runtime exited with error: exit status 3"},
		"status 0": {0, "Runtime exited without providing a reason"},
	} {
		t.Run(name, func(t *testing.T) {
			spec, w := specFor(t, "ok", 1)
			e, err := Start(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			w.Environment = e
			w.call("r1", deed{Do: "echo", Text: "1"})
			w.call("r2", deed{Do: "last-words", Text: "words", Size: c.status})
			<-w.ended
			want := []string{
				": loading",
				"r1: START RequestId: r1 Version: $LATEST", "r1: END RequestId: r1", "r1: REPORT RequestId: r1",
				"r2: START RequestId: r2 Version: $LATEST", "r2: before the answer", "r2: END RequestId: r2", "r2: REPORT RequestId: r2",
				"r2: after the answer words", "r2: written words",
				"r2: RequestId: r2 Error: " + c.reason + "\nRuntime.ExitError",
			}
			got := w.lines()
			// The two ways out of a process are not one.
			if i := slices.Index(got, "r2: written words"); i >= 0 {
				got = append(slices.Delete(got, i, i+1), "r2: written words")
				want = append(slices.Delete(want, 9, 10), "r2: written words")
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestIdleProcessThatIsToldToEndLeavesNoTrace(t *testing.T) {
	spec, w := specFor(t, "ok", 1)
	e, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Environment = e
	w.call("r1", deed{Do: "echo", Text: "1"})
	e.Shutdown(time.Second)
	<-w.ended
	if log := w.log(); strings.Contains(log, "exited") {
		t.Errorf("the log is\n%s", log)
	}
}

// BenchmarkDrain is what the end of a call costs when the function has written
// nothing.
func BenchmarkDrain(b *testing.B) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		b.Fatal(err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer r.Close()
	defer w.Close()
	o := new(outlet)
	if err := o.init(r); err != nil {
		b.Fatal(err)
	}
	o.open(new(logs.Stream))
	copied := make(chan struct{})
	go func() {
		o.copy()
		close(copied)
	}()
	now := time.Now()
	for b.Loop() {
		o.enter("r1")
		o.drain(now)
	}
	w.Close()
	<-copied
}
