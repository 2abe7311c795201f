package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const hookToken = "t0k-of-the-hook"

// minioEvent is what MinIO posts about an object.
func minioEvent(name, bucket, key, sequencer string) string {
	return fmt.Sprintf(`{"EventName":"s3:%[1]s","Key":"%[2]s/%[3]s","Records":[{"eventVersion":"2.0","eventSource":"minio:s3","awsRegion":"",
		"eventTime":"2026-03-01T10:00:00.000Z","eventName":"s3:%[1]s","s3":{"s3SchemaVersion":"1.0","bucket":{"name":"%[2]s","arn":"arn:aws:s3:::%[2]s"},
		"object":{"key":"%[3]s","size":3,"eTag":"e","sequencer":"%[4]s"}}}]}`, name, bucket, url.QueryEscape(key), sequencer)
}

func TestEventsGoToEveryFunctionWhoseRuleFits(t *testing.T) {
	t.Setenv("HOOK_TOKEN", hookToken)
	s, r := newServer(t, "", ""), newRecorder(t)
	s.configure(r.function(s, "thumb", "")+r.function(s, "index", "")+r.function(s, "clean", ""), `
	receive /events/s3/* s3 {
		token {env.HOOK_TOKEN}
		on ObjectCreated:* photos/in/*.jpg thumb
		on ObjectCreated:* photos/** index
		on ObjectRemoved:* photos/** clean
	}
	receive /hooks/* generic {
		token `+hookToken+`
	}`)
	s.start()
	bearer := []string{"Authorization", "Bearer " + hookToken}
	s.post("/events/s3/x", minioEvent("ObjectCreated:Put", "photos", "in/a b.jpg", "01"), bearer...).want(t, 200, "")
	s.post("/events/s3/x", minioEvent("ObjectCreated:Put", "photos", "out/b.png", "02"), bearer...).want(t, 200, "")
	s.post("/events/s3/x", minioEvent("ObjectRemoved:Delete", "photos", "in/a b.jpg", "03"), bearer...).want(t, 200, "")
	s.post("/events/s3/x", minioEvent("ObjectCreated:Put", "elsewhere", "x", "04"), bearer...).want(t, 200, "") // no rule: nobody's
	s.post("/events/s3/x?token="+hookToken, minioEvent("ObjectCreated:Put", "photos", "in/a b.jpg", "01")).want(t, 200, "")

	thumb, index, clean := r.wait("thumb", 1), r.wait("index", 2), r.wait("clean", 1)
	for _, event := range append(append(thumb, index...), clean...) {
		if !strings.Contains(event, `"eventSource": "aws:s3"`) || strings.Contains(event, "s3:Object") || !strings.Contains(event, `"eventVersion": "2.1"`) {
			t.Errorf("not as S3 has it: %s", event)
		}
	}
	if !strings.Contains(thumb[0], `"key": "in/a+b.jpg"`) || !strings.Contains(clean[0], `"ObjectRemoved:Delete"`) {
		t.Errorf("thumb got %s, clean got %s", thumb, clean)
	}

	// Without rules the URL names the function, and the body is the event.
	s.post("/hooks/clean", `{"number":12345678901234567890.10}`, bearer...).want(t, 200, "")
	s.post("/hooks/clean", `[1,"ü"]`, bearer...).want(t, 200, "")
	r.wait("clean", 3)
	s.nothingWaits()
	s.tellsNone(hookToken)
}

func TestEventThatFailsIsKeptAsideAndReplayed(t *testing.T) {
	s, r := newServer(t, "", ""), newRecorder(t)
	s.configure(r.function(s, "f", "async {\n retries 0\n}"), "receive /hooks/* generic {\n open\n}")
	s.start()
	r.failing("f", true)
	for n := range 3 {
		s.post("/hooks/f", fmt.Sprintf(`{"n":%d}`, n)).want(t, 200, "")
	}
	eventually(t, "three events are dead", func() bool { return len(s.events("?dead=true")) == 3 })
	s.nothingWaits()
	dead := s.events("?dead=true&function=f")
	for _, e := range dead {
		if e.Function != "f" || e.Source != "generic" || e.Attempts != 1 || !e.Dead || e.Condition != "RetriesExhausted" || e.Error != "told to fail" {
			t.Errorf("a dead event is listed as %+v", e)
		}
	}
	var shown keptEvent
	got := s.admin("GET", "/hearth/events/show?id="+url.QueryEscape(dead[0].ID))
	if err := json.Unmarshal([]byte(got.body), &shown); err != nil || string(shown.Payload) != `{"n":0}` {
		t.Errorf("one event is shown as %d %s, %v", got.status, got.body, err)
	}

	r.failing("f", false)
	s.admin("POST", "/hearth/events/replay?id="+url.QueryEscape(dead[0].ID)).want(t, 200, `{"events":1}`)
	if all := r.wait("f", 4); all[3] != `{"n": 0}` {
		t.Errorf("replayed %s", all[3])
	}
	s.nothingWaits()
	s.admin("DELETE", "/hearth/events?id="+url.QueryEscape(dead[1].ID)).want(t, 200, `{"events":1}`)
	s.admin("POST", "/hearth/events/replay?function=f").want(t, 200, `{"events":1}`)
	r.wait("f", 5)
	s.nothingWaits()
	if left := s.events("?dead=true"); len(left) != 0 {
		t.Errorf("still dead: %+v", left)
	}
	s.admin("POST", "/hearth/events/replay?id="+url.QueryEscape(dead[0].ID)).want(t, 404, "no such event")
	s.admin("GET", "/hearth/events/show?id=nonsense").want(t, 404, "no such event")
	s.admin("PUT", "/hearth/events").want(t, http.StatusMethodNotAllowed, "")
}

func TestFullQueueSendsEventsBack(t *testing.T) {
	s := newServer(t, "", "")
	slow := s.code("slow", map[string]string{"app.py": "import time\ndef handler(event, context):\n    time.sleep(2)\n"})
	s.configure("async {\n max_waiting 3\n}\n"+pythonFunction("f", slow, ""), "receive /hooks/* generic {\n open\n}")
	s.start()
	for range 3 {
		s.post("/hooks/f", `{}`).want(t, 200, "")
	}
	full := s.post("/hooks/f", `{}`)
	full.want(t, 503, "as many events wait as may")
	if full.header.Get("Retry-After") == "" {
		t.Error("a sender is not told when to come again")
	}
	s.nothingWaits()
	s.post("/hooks/f", `{}`).want(t, 200, "")
	s.nothingWaits()
	if dead := s.events("?dead=true"); len(dead) != 0 {
		t.Errorf("dead: %+v", dead)
	}
}
