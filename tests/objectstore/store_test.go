package objectstore

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hearthfn/hearth/invoker/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A receiver answers webhooks by a push source and hands on their events.
type receiver struct {
	*httptest.Server
	events chan push.Event
}

func receive(t *testing.T, config push.Config) *receiver {
	t.Helper()
	source, err := push.New("s3", config)
	if err != nil {
		t.Fatal(err)
	}
	// More than a test's events: a handler that waits for the test would keep the
	// server from closing.
	r := &receiver{events: make(chan push.Event, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, push.MaxBody))
		if err != nil {
			t.Errorf("reading a webhook: %v", err)
			return
		}
		if len(body) == 0 && request.Method != http.MethodPost {
			return // asks whether somebody listens
		}
		delivery, err := source.Decode(request.Context(), &push.Request{
			Method: request.Method, Query: request.URL.Query(), Header: request.Header, Body: body, Received: time.Now(),
		})
		if err != nil {
			t.Errorf("decoding %s: %v", body, err)
			http.Error(w, err.Error(), push.Status(err))
			return
		}
		for _, e := range delivery.Events {
			r.events <- e
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) next(t *testing.T) push.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case e := <-r.events:
		return e
	case <-ctx.Done():
		t.Fatal("no event within 30 s")
		return push.Event{}
	}
}

// oddKeys has every printable character of ASCII that a key may have, and more.
func oddKeys() []string {
	keys := []string{"in/a b+ü.jpg", "100%25.txt", "日本/語 😀.png", "a=b&c=d?e#f.txt", "+++", "%2F%2f.txt"}
	for c := ' '; c <= '~'; c++ {
		if !strings.ContainsRune(`/\`, c) { // MinIO takes the one for the other
			keys = append(keys, fmt.Sprintf("odd/x%cy", c))
		}
	}
	return keys
}

// putAndDelete writes and removes objects, and checks what functions would be told.
// MinIO looks into its queue every 3 s only, so that all is written before any is read.
func putAndDelete(t *testing.T, s *Store, r *receiver) {
	t.Helper()
	s.MustMakeBucket(t, "photos")
	want, once := map[string]bool{}, map[string]bool{}
	for _, key := range oddKeys() {
		s.MustPut(t, "photos", key, "image/jpeg", []byte("hello\n"))
		want["ObjectCreated:Put photos/"+key] = true
	}
	if body, err := s.Get(t.Context(), "photos", oddKeys()[0]); err != nil || string(body) != "hello\n" {
		t.Errorf("Get = %q, %v", body, err)
	}
	s.MustDelete(t, "photos", oddKeys()[0])
	want["ObjectRemoved:Delete photos/"+oddKeys()[0]] = true

	for len(want) > 0 {
		e := r.next(t)
		if !want[e.Name+" "+e.Subject] {
			t.Fatalf("got %s of %q, which did not happen", e.Name, e.Subject)
		}
		delete(want, e.Name+" "+e.Subject)
		if e.Once == "" || once[e.Once] {
			t.Errorf("%s of %q: Once %q is empty or not its own", e.Name, e.Subject, e.Once)
		}
		once[e.Once] = true
		checkPayload(t, e)
	}
}

func checkPayload(t *testing.T, e push.Event) {
	t.Helper()
	var payload struct {
		Records []struct {
			EventVersion, EventSource, EventName string
			S3                                   struct {
				Bucket struct{ Name, Arn string }
				Object struct{ Key string }
			}
		}
	}
	if err := json.Unmarshal(e.Payload, &payload); err != nil || len(payload.Records) != 1 {
		t.Fatalf("%d records, %v in %s", len(payload.Records), err, e.Payload)
	}
	record := payload.Records[0]
	key, err := url.QueryUnescape(record.S3.Object.Key)
	if err != nil || key != e.Key || strings.Contains(record.S3.Object.Key, "%2F") && !strings.Contains(key, "%2F") {
		t.Errorf("key %q of %q: %v", record.S3.Object.Key, e.Key, err)
	}
	if record.EventVersion != "2.1" || record.EventSource != "aws:s3" || record.EventName != e.Name ||
		record.S3.Bucket.Name != "photos" || record.S3.Bucket.Arn != "arn:aws:s3:::photos" {
		t.Errorf("not as S3 has it: %s", e.Payload)
	}
}

func TestEventsOfMinIOAreUnderstood(t *testing.T) {
	r := receive(t, push.Config{Tokens: []string{"s3cret"}})
	putAndDelete(t, StartMinIO(t, r.URL+"/events/s3", "s3cret"), r)
}

func TestEventsOfVersityAreUnderstood(t *testing.T) {
	// It cannot set a header, so that its token is in the address.
	r := receive(t, push.Config{Tokens: []string{"s3cret"}})
	putAndDelete(t, StartVersity(t, r.URL+"/events/s3?token=s3cret"), r)
}
