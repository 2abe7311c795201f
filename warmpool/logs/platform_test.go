package logs

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
)

func jsonFunction(t *testing.T, level, group string) *function.Function {
	t.Helper()
	f := &function.Function{Name: "f", Runtime: "nodejs22.x", Handler: "h.h", Code: "/c",
		Logging: function.Logging{Format: function.JSONFormat, SystemLevel: level, Group: group}}
	if err := f.Normalize(); err != nil {
		t.Fatal(err)
	}
	return f
}

// Levels and shapes are those of Lambda's advanced logging controls.
func TestPlatformLinesAreJSONOfTheSystemLogLevel(t *testing.T) {
	at := time.Date(2026, 11, 28, 6, 0, 0, 1e6, time.UTC)
	for level, want := range map[string][]string{
		"DEBUG": {"initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report", "start", "runtimeDone", "report", "initRuntimeDone", "initReport"},
		"INFO":  {"initStart", "start", "report", "start", "runtimeDone", "report", "initRuntimeDone", "initReport"},
		"WARN":  {"runtimeDone", "report", "initRuntimeDone", "initReport"},
	} {
		s, err := Open(Config{Dir: t.TempDir()}, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		f := jsonFunction(t, level, "")
		g, err := s.Named(f.LogGroup())
		if err != nil {
			t.Fatal(err)
		}
		st := g.StreamOf(f, "on-demand", "id", at)
		tail := st.Tail("r-2")
		st.InitStart(at, "nodejs:22.v1", "arn")
		st.InitReport(at, InitReport{Duration: 12345 * time.Microsecond, Phase: "init"})
		st.Start(at, "r-1", "$LATEST")
		st.End(at, "r-1")
		st.Report(at, "r-1", Report{Duration: 1500 * time.Microsecond, InitDuration: 12345 * time.Microsecond, MemoryMB: 128, MaxMemoryUsedMB: 40})
		st.Start(at, "r-2", "$LATEST")
		st.Timeout(at, "r-2", time.Second)
		st.End(at, "r-2")
		st.Report(at, "r-2", Report{Duration: time.Second, MemoryMB: 128, Status: "timeout"})
		st.InitReport(at, InitReport{Phase: "init", Status: "error", ErrorType: `Runtime."Odd"`})
		var got, texts []string
		for e, err := range g.Events(t.Context(), Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			var event struct {
				Time, Type string
				Record     map[string]any
			}
			if err := json.Unmarshal([]byte(e.Message), &event); err != nil {
				t.Fatalf("%v: %s", err, e.Message)
			}
			got, texts = append(got, strings.TrimPrefix(event.Type, "platform.")), append(texts, strings.TrimSpace(e.Message))
			if event.Time != "2026-11-28T06:00:00.001Z" {
				t.Errorf("time %s", event.Time)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %q, want %q", level, got, want)
		}
		if text := string(tail.Close()); !strings.Contains(text, `"status":"timeout"`) || strings.Contains(text, "r-1") {
			t.Errorf("tail %s", text)
		}
		if level == "DEBUG" {
			for i, want := range []string{
				`"record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn","functionName":"f","functionVersion":"$LATEST"}}`,
				`"record":{"initializationType":"on-demand","phase":"init","status":"success"}}`,
				`"record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":12.35}}}`,
				`"record":{"requestId":"r-1","version":"$LATEST"}}`,
				`"record":{"requestId":"r-1","status":"success","metrics":{"durationMs":1.50}}}`,
				`"record":{"requestId":"r-1","metrics":{"durationMs":1.50,"billedDurationMs":14,"memorySizeMB":128,"maxMemoryUsedMB":40,"initDurationMs":12.35},"status":"success"}}`,
			} {
				if !strings.HasSuffix(texts[i], want) {
					t.Errorf("%s, want %s", texts[i], want)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGroupsOfAnyNameAreFoundAgain(t *testing.T) {
	dir := t.TempDir()
	long := "/" + strings.Repeat("x", 500)
	names := []string{"/aws/lambda/f", "cool_lambda", "/my.app/#1", "/aws/lambda/", "/aws/lambda/a/b", "/aws/lambda/" + strings.Repeat("y", 65), long, long + "1", "..", "f"}
	for round := range 2 {
		s, err := Open(Config{Dir: dir}, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if round == 1 && len(s.Groups()) != len(names) {
			t.Errorf("%d groups, want %d", len(s.Groups()), len(names))
		}
		for _, name := range names {
			g, err := s.Named(name)
			if err != nil {
				t.Fatal(err)
			}
			f := jsonFunction(t, "", name)
			st := g.StreamOf(f, "on-demand", "id", time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC))
			if want := "2026/11/28/f[$LATEST]id"; name == "/aws/lambda/f" && st.Name() != "2026/11/28/[$LATEST]id" || name != "/aws/lambda/f" && st.Name() != want {
				t.Errorf("%.20s: stream %s", name, st.Name())
			}
			st.Line(time.Now(), "", []byte("of "+name))
			n := 0
			for e, err := range g.Events(t.Context(), Query{}) {
				if n++; err != nil || !strings.HasPrefix(e.Message, "of "+name) {
					t.Errorf("%q: %v %s", name, err, e.Message)
				}
			}
			if n != round+1 {
				t.Errorf("%.20s has %d events", name, n)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := Open(Config{Dir: t.TempDir()}, zap.NewNop()); err != nil {
		t.Fatal(err)
	} else {
		for _, name := range []string{"", "a b", "ä", strings.Repeat("x", 513), "a=b", "\n"} {
			if _, err := s.Named(name); err == nil {
				t.Errorf("%q is a group", name)
			}
		}
		_ = s.Close()
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(names) {
		t.Errorf("%d folders, %v", len(entries), err)
	}
}
