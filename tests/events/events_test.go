package events

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// minioEvent is what MinIO posts about an object.
func minioEvent(name, bucket, key, sequencer string) string {
	return fmt.Sprintf(`{"EventName":"s3:%[1]s","Key":"%[2]s/%[3]s","Records":[{"eventVersion":"2.0","eventSource":"minio:s3","awsRegion":"",
		"eventTime":"2026-03-01T10:00:00.000Z","eventName":"s3:%[1]s","s3":{"s3SchemaVersion":"1.0","bucket":{"name":"%[2]s","arn":"arn:aws:s3:::%[2]s"},
		"object":{"key":"%[3]s","size":3,"eTag":"e","sequencer":"%[4]s"}}}]}`, name, bucket, url.QueryEscape(key), sequencer)
}

func TestEventsGoToEveryFunctionWhoseRuleFits(t *testing.T) {
	harness.Parallel(t)
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	s.Env = []string{"HOOK_TOKEN=" + harness.HookToken}
	s.Configure(r.Function(s, "thumb", "")+r.Function(s, "index", "")+r.Function(s, "clean", ""), `
	receive /events/s3/* s3 {
		token {env.HOOK_TOKEN}
		on ObjectCreated:* photos/in/*.jpg thumb
		on ObjectCreated:* photos/** index
		on ObjectRemoved:* photos/** clean
	}
	receive /hooks/* generic {
		token `+harness.HookToken+`
	}`)
	s.Start()
	bearer := []string{"Authorization", "Bearer " + harness.HookToken}
	s.Post("/events/s3/x", minioEvent("ObjectCreated:Put", "photos", "in/a b.jpg", "01"), bearer...).Want(t, 200, "")
	s.Post("/events/s3/x", minioEvent("ObjectCreated:Put", "photos", "out/b.png", "02"), bearer...).Want(t, 200, "")
	s.Post("/events/s3/x", minioEvent("ObjectRemoved:Delete", "photos", "in/a b.jpg", "03"), bearer...).Want(t, 200, "")
	s.Post("/events/s3/x", minioEvent("ObjectCreated:Put", "elsewhere", "x", "04"), bearer...).Want(t, 200, "") // no rule: nobody's
	s.Post("/events/s3/x?token="+harness.HookToken, minioEvent("ObjectCreated:Put", "photos", "in/a b.jpg", "01")).Want(t, 200, "")

	thumb, index, clean := r.Wait("thumb", 1), r.Wait("index", 2), r.Wait("clean", 1)
	for _, event := range append(append(thumb, index...), clean...) {
		if !strings.Contains(event, `"eventSource": "aws:s3"`) || strings.Contains(event, "s3:Object") || !strings.Contains(event, `"eventVersion": "2.1"`) {
			t.Errorf("not as S3 has it: %s", event)
		}
	}
	if !strings.Contains(thumb[0], `"key": "in/a+b.jpg"`) || !strings.Contains(clean[0], `"ObjectRemoved:Delete"`) {
		t.Errorf("thumb got %s, clean got %s", thumb, clean)
	}

	// Without rules the URL names the function, and the body is the event.
	s.Post("/hooks/clean", `{"number":12345678901234567890.10}`, bearer...).Want(t, 200, "")
	s.Post("/hooks/clean", `[1,"ü"]`, bearer...).Want(t, 200, "")
	r.Wait("clean", 3)
	s.NothingWaits()
	s.TellsNone(harness.HookToken)
}

func TestEventThatFailsIsKeptAsideAndReplayed(t *testing.T) {
	harness.Parallel(t)
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	s.Configure(r.Function(s, "f", "async {\n retries 0\n}"), "receive /hooks/* generic {\n open\n}")
	s.Start()
	r.Failing("f", true)
	for n := range 3 {
		s.Post("/hooks/f", fmt.Sprintf(`{"n":%d}`, n)).Want(t, 200, "")
	}
	harness.Eventually(t, "three events are dead", func() bool { return len(s.Events("?dead=true")) == 3 })
	s.NothingWaits()
	dead := s.Events("?dead=true&function=f")
	for _, e := range dead {
		if e.Function != "f" || e.Source != "generic" || e.Attempts != 1 || !e.Dead || e.Condition != "RetriesExhausted" || e.Error != "told to fail" {
			t.Errorf("a dead event is listed as %+v", e)
		}
	}
	var shown harness.KeptEvent
	got := s.Admin("GET", "/hearth/events/show?id="+url.QueryEscape(dead[0].ID))
	if err := json.Unmarshal([]byte(got.Body), &shown); err != nil || string(shown.Payload) != `{"n":0}` {
		t.Errorf("one event is shown as %d %s, %v", got.Status, got.Body, err)
	}

	r.Failing("f", false)
	s.Admin("POST", "/hearth/events/replay?id="+url.QueryEscape(dead[0].ID)).Want(t, 200, `{"events":1}`)
	if all := r.Wait("f", 4); all[3] != `{"n": 0}` {
		t.Errorf("replayed %s", all[3])
	}
	s.NothingWaits()
	s.Admin("DELETE", "/hearth/events?id="+url.QueryEscape(dead[1].ID)).Want(t, 200, `{"events":1}`)
	s.Admin("POST", "/hearth/events/replay?function=f").Want(t, 200, `{"events":1}`)
	r.Wait("f", 5)
	s.NothingWaits()
	if left := s.Events("?dead=true"); len(left) != 0 {
		t.Errorf("still dead: %+v", left)
	}
	s.Admin("POST", "/hearth/events/replay?id="+url.QueryEscape(dead[0].ID)).Want(t, 404, "no such event")
	s.Admin("GET", "/hearth/events/show?id=nonsense").Want(t, 404, "no such event")
	s.Admin("PUT", "/hearth/events").Want(t, http.StatusMethodNotAllowed, "")
}

func TestFullQueueSendsEventsBack(t *testing.T) {
	harness.Parallel(t)
	s, l := harness.NewServer(t, "", ""), harness.NewLedger(t)
	block, open := l.Gated(s, "f")
	s.Configure("async {\n max_waiting 3\n}\n"+block, "receive /hooks/* generic {\n open\n}")
	s.Start()
	accepted := make(map[string]bool)
	send := func(id string) harness.Response { return s.Post("/hooks/f", `{"id":"`+id+`"}`) }
	for _, id := range []string{"a", "b", "c"} {
		send(id).Want(t, 200, "")
		accepted[id] = true
	}
	began := time.Now()
	full := send("d")
	full.Want(t, 503, "as many events wait as may")
	if full.Header.Get("Retry-After") == "" {
		t.Error("a sender is not told when to come again")
	}
	for range 200 {
		send("d").Want(t, 503, "")
	}
	// The first at once, then their number each 10 s.
	most := 1 + int(time.Since(began)/(10*time.Second))
	if told := strings.Count(s.Output(), `"event refused"`); told < 1 || told > most {
		t.Errorf("201 events that were refused for one reason wrote %d lines, want %d at most", told, most)
	}
	open()
	l.Wait(accepted)
	s.NothingWaits()
	send("e").Want(t, 200, "")
	s.NothingWaits()
	if dead := s.Events("?dead=true"); len(dead) != 0 {
		t.Errorf("dead: %+v", dead)
	}
}
