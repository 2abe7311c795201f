package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/objectstore"
)

// listing is an event source that lists a bucket of a store every second.
func listing(store *objectstore.Store, bucket, more string) string {
	return fmt.Sprintf("event_source arn:aws:s3:::%s f {\n endpoint %s\n access_key minioadmin minioadmin\n every 1s\n%s}\n", bucket, store.Endpoint, more)
}

// hasListed waits until a bucket was listed for the first time.
func (s *server) hasListed() {
	s.t.Helper()
	eventually(s.t, "the first listing is done", func() bool { return strings.Contains(s.output(), "a bucket was listed for the first time") })
}

// records are those of all events that f has told a recorder, each alone in an event.
func (r *recorder) records(name string) (all []string) {
	for _, body := range r.of(name) {
		var e struct{ Records []json.RawMessage }
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			r.t.Fatal(err)
		}
		for _, one := range e.Records {
			all = append(all, fmt.Sprintf(`{"Records":[%s]}`, one))
		}
	}
	return all
}

// happens waits until f was told exactly what is wanted, by event name and encoded key,
// and checks that it was as S3 says it; n is how many it was told before.
func (r *recorder) happens(region string, n int, want map[string]bool) int {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d changes are told", len(want)), func() bool { return len(r.records("f")) >= n+len(want) })
	all := r.records("f")
	for _, event := range all[n:] {
		if got := checkRecord(r.t, event, region); !want[got] {
			r.t.Errorf("got %s, which did not happen, or twice", got)
		} else {
			delete(want, got)
		}
	}
	for missing := range want {
		r.t.Errorf("no event of %s", missing)
	}
	return len(all)
}

func TestFunctionsGetEventsOfBucketsThatAreListed(t *testing.T) {
	store := objectstore.StartMinIO(t, "http://127.0.0.1:1/", "")
	store.MustMakeBucket(t, "photos")
	store.MustPut(t, "photos", "old.txt", "", []byte("old"))
	store.MustPut(t, "photos", "old too.txt", "", []byte("old"))
	s, r := newServer(t, "", ""), newRecorder(t)
	s.configure("region eu-west-1\n"+listing(store, "photos", "")+r.function(s, "f", ""), "")
	s.start()
	s.hasListed()
	want := make(map[string]bool)
	for key, encoded := range encodedKeys {
		store.MustPut(t, "photos", key, "", []byte("hello"))
		want["ObjectCreated:Put "+encoded] = true
	}
	r.happens("eu-west-1", 0, want)
}
