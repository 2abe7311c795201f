package flood

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestLinesOfAKindAreToldAtOnceAndThenCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, told := observer.New(zap.WarnLevel)
		log := zap.New(core)
		var g Gate
		n := 0
		tell := func(of string) {
			n++
			g.Tell(log, zap.ErrorLevel, "event refused", of, func() []zap.Field { return []zap.Field{zap.Int("n", n)} })
		}
		want := func(lines ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, e := range told.TakeAll() {
				got = append(got, fmt.Sprint(e.Message, e.ContextMap()))
			}
			if fmt.Sprint(got) != fmt.Sprint(lines) {
				t.Errorf("the log has %q, want %q", got, lines)
			}
		}
		tell("503")
		want("event refusedmap[n:1]")
		for range 1400 {
			tell("503")
		}
		want()
		tell("429") // another kind
		want("event refusedmap[n:1402]")
		time.Sleep(Every)
		want("event refusedmap[more:1399 n:1401]")
		time.Sleep(2 * Every) // nothing more has come
		want()
		tell("503")
		want("event refusedmap[n:1403]")
		tell("503")
		tell("503")
		g.Close()
		want("event refusedmap[more:1 n:1405]")
		tell("503")
		tell("503")
		want("event refusedmap[n:1406]", "event refusedmap[n:1407]")

		g.Tell(log, zap.DebugLevel, "not logged", "", func() []zap.Field { t.Error("fields of a line that is not logged are made"); return nil })
	})
}

func TestKindsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, told := observer.New(zap.WarnLevel)
		log := zap.New(core)
		var g Gate
		for n := range 3 * maxKinds {
			g.Tell(log, zap.WarnLevel, "refused", fmt.Sprint(n), func() []zap.Field { return nil })
		}
		g.mu.Lock()
		kept := len(g.kinds)
		g.mu.Unlock()
		if kept > maxKinds+1 || told.Len() > maxKinds+1 {
			t.Errorf("%d kinds are kept and %d told, want %d at most", kept, told.Len(), maxKinds+1)
		}
		time.Sleep(Every)
		synctest.Wait()
		if last := told.All()[told.Len()-1]; told.Len() != maxKinds+2 || last.ContextMap()["more"] != int64(2*maxKinds-2) {
			t.Errorf("%d lines, the last %v; want one more, which counts the others", told.Len(), last)
		}
		g.Close()
	})
}
