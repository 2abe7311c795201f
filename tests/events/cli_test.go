package events

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// The next of a page is pasted into a shell as the command prints it.
func TestPagesOfEventsAreReadByWhatTheOneBeforePrints(t *testing.T) {
	harness.Parallel(t)
	r := harness.NewRecorder(t)
	a := harness.NewAPI(t, r.Reach(), "receive /hooks/* generic {\n open\n}")
	for _, name := range []string{"f", "g"} {
		r.Tell(a, name)
		a.EventConfig(name, "", "", "")
		r.Failing(name, true)
		for n := range 3 {
			a.Post("/hooks/"+name, fmt.Sprintf(`{"n":%d}`, n)).Want(t, 200, "")
		}
	}
	harness.Eventually(t, "six events are dead", func() bool { return len(a.Events("?dead=true")) == 6 })

	seen, after := make(map[string]bool), ""
	for range 3 {
		args := []string{"events", "list", "--dead", "--limit", "2"}
		if after != "" {
			args = append(args, "--after", after)
		}
		out := a.WantHearth(0, nil, args...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		for _, line := range lines[1:] {
			if id, _, _ := strings.Cut(line, " "); strings.HasPrefix(id, "async/") {
				seen[id] = true
			}
		}
		var more bool
		if _, after, more = strings.Cut(lines[len(lines)-1], "--after "); !more {
			break
		}
		// A shell takes it for one word, as it is.
		word, err := exec.Command("sh", "-c", "printf %s "+after).Output()
		if err != nil || string(word) != after || url.QueryEscape(after) != after {
			t.Fatalf("--after %s is %q in a shell, %v", after, word, err)
		}
	}
	if len(seen) != 6 {
		t.Errorf("three pages of two events have %d: %v", len(seen), seen)
	}

	var page struct {
		Events []harness.KeptEvent
		Next   string
	}
	out := a.WantHearth(0, nil, "events", "list", "--dead", "--limit", "5", "--json")
	if err := json.Unmarshal([]byte(out), &page); err != nil || len(page.Events) != 5 {
		t.Fatalf("%d events, %v in %s", len(page.Events), err, out)
	}
	a.Admin("GET", "/hearth/events/list?dead=true&after="+page.Next).Want(t, 200, `"async/g:`)
	for _, wrong := range []string{"!", "async/f", "YXN5bmMvZg", "YXN5bmMvZgp6eg", page.Next + "=", "L"} {
		a.WantHearth(1, []string{"is not the next of a page"}, "events", "list", "--dead", "--after", wrong)
		a.Admin("GET", "/hearth/events/list?after="+url.QueryEscape(wrong)).Want(t, 400, "is not the next of a page")
	}
}
