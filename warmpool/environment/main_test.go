package environment

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
	"github.com/hearthfn/hearth/warmpool/logs"
)

type deed = environmenttest.Deed

func TestMain(m *testing.M) {
	environmenttest.Main()
	goleak.VerifyTestMain(m)
}

func startTestProcess(output *os.File, pipes []*os.File) (Process, error) {
	return environmenttest.Start(output, pipes)
}

// lines are the events of the group "test", each after its request ID.
func (w *world) lines() (all []string) {
	w.t.Helper()
	if err := w.store.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	group, err := w.store.Group("test")
	if err != nil {
		w.t.Fatal(err)
	}
	for event, err := range group.Events(w.t.Context(), logs.Query{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		text, _, _ := strings.Cut(event.Message, "\tDuration")
		all = append(all, event.RequestID+": "+strings.TrimSuffix(text, "\n"))
	}
	return all
}

// readLog is the text of all events of the group "test".
func readLog(t testing.TB, s *logs.Store) string {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	group, err := s.Group("test")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for event, err := range group.Events(t.Context(), logs.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(event.Message + "\n")
	}
	return all.String()
}
